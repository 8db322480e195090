//! Which files are captures: what was named, and what lies in folders, told by magic number and not by name.

use std::collections::HashSet;
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::capture::{self, Pool};
use crate::counters::Damage;

/// What there is to read.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    /// Captures, each once, in the order named and by name within a folder; `-` is standard input.
    pub(crate) captures: Vec<PathBuf>,
    /// Files that were named and are no captures.
    pub(crate) refused: Vec<Damage>,
    /// Bytes on disk of all captures; nothing where one of them has no size.
    pub(crate) bytes: Option<u64>,
}

impl Inputs {
    /// Looks at every path. Fails where one does not exist, and where no capture is left.
    pub(crate) fn find(paths: &[PathBuf]) -> Result<Self> {
        let mut inputs = Self { bytes: Some(0), ..Self::default() };
        let mut seen = HashSet::new();
        for path in paths {
            inputs.look_at(path, &mut seen)?;
        }
        if inputs.captures.is_empty() {
            match inputs.refused.as_slice() {
                [] => bail!("no captures (pcap or pcapng, also compressed) in {}", list(paths)),
                [one] => bail!("{}: {}", one.path, one.what),
                [first, ..] => bail!("none of the inputs is a capture; {}: {}", first.path, first.what),
            }
        }
        Ok(inputs)
    }

    /// Takes in one path that was named.
    fn look_at(&mut self, path: &Path, seen: &mut HashSet<PathBuf>) -> Result<()> {
        if path == Path::new("-") {
            if std::io::stdin().is_terminal() {
                bail!(
                    "standard input is a terminal; pipe a capture into it: `tcpdump -w - | spanlake replay - …`"
                );
            }
            if seen.insert(path.to_owned()) {
                self.captures.push(path.to_owned());
                self.bytes = None;
            }
            return Ok(());
        }
        let metadata = fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
        if metadata.is_dir() {
            return self.walk(path, seen);
        }
        if !metadata.is_file() {
            // A named pipe or a device can be read once only: its magic number is looked at when it is replayed.
            self.captures.push(path.to_owned());
            self.bytes = None;
            return Ok(());
        }
        match refusal(path) {
            None => self.take(path, metadata.len(), seen),
            Some(what) => {
                let path = path.display().to_string();
                self.refused.push(Damage { path, what });
            }
        }
        Ok(())
    }

    /// Takes in the captures of a folder and of those in it, in the order of their names. What else lies there is
    /// passed over; links to folders are not followed, so that no loop can be made of them.
    fn walk(&mut self, folder: &Path, seen: &mut HashSet<PathBuf>) -> Result<()> {
        let cannot = || format!("cannot read the folder {}", folder.display());
        let entries = fs::read_dir(folder).with_context(cannot)?;
        let mut entries: Vec<_> = entries.collect::<Result<_, _>>().with_context(cannot)?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.walk(&path, seen)?;
                continue;
            }
            let Ok(metadata) = fs::metadata(&path) else { continue };
            if metadata.is_file() && refusal(&path).is_none() {
                self.take(&path, metadata.len(), seen);
            }
        }
        Ok(())
    }

    /// Takes in a capture, unless it was named before in another way.
    fn take(&mut self, path: &Path, bytes: u64, seen: &mut HashSet<PathBuf>) {
        let whole = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        if seen.insert(whole) {
            self.captures.push(path.to_owned());
            self.bytes = self.bytes.map(|sum| sum + bytes);
        }
    }
}

/// Why a file is no capture, by its first bytes.
fn refusal(path: &Path) -> Option<String> {
    let error = capture::open(path, &Pool::new(PEEK, PEEK), None).err()?.to_string();
    let prefix = format!("{}: ", path.display());
    Some(error.strip_prefix(&prefix).unwrap_or(&error).to_owned())
}

/// Room for a look at the beginning of a file.
const PEEK: usize = 64 << 10;

/// Paths as a sentence names them.
fn list(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}
