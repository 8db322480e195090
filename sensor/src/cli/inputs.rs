//! What there is to read: the captures among what was named, each once, and what was no capture.

use std::collections::HashSet;
use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::capture::{self, Error, Pool};
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
    /// Looks at every path. Fails where one does not exist or is a folder without captures, and where no capture is
    /// left. A file that is none among others that are (the last one of a rotation is often empty) is only noted.
    pub(crate) fn find(paths: &[PathBuf]) -> Result<Self> {
        let mut inputs = Self { bytes: Some(0), ..Self::default() };
        let pool = Pool::default();
        let mut seen = HashSet::new();
        for path in capture::expand(paths)? {
            inputs.look_at(path, &pool, &mut seen)?;
        }
        if inputs.captures.is_empty()
            && let Some(first) = inputs.refused.first()
        {
            let others = inputs.refused.len() - 1;
            let others = if others > 0 { format!(" (and {others} more)") } else { String::new() };
            bail!("{}: {}{others}", first.path, first.what);
        }
        Ok(inputs)
    }

    /// Takes in one file, or standard input.
    fn look_at(&mut self, path: PathBuf, pool: &Pool, seen: &mut HashSet<PathBuf>) -> Result<()> {
        if path == Path::new("-") {
            if std::io::stdin().is_terminal() {
                bail!(
                    "-: standard input is a terminal; pipe a capture into it, as in `tcpdump -w - | spanlake replay -`"
                );
            }
        } else {
            let metadata = fs::metadata(&path).ok();
            if metadata.as_ref().is_none_or(fs::Metadata::is_file) {
                match capture::open(&path, pool, None) {
                    Ok(_) => {}
                    Err(error @ Error::Missing { .. }) => return Err(error.into()),
                    Err(error) => {
                        let named = path.display().to_string();
                        let what = error.to_string();
                        let what =
                            what.strip_prefix(&format!("{named}: ")).map_or(what.clone(), str::to_owned);
                        self.refused.push(Damage { path: named, what });
                        return Ok(());
                    }
                }
            }
            // What is no file (a named pipe) can be read only once, and is looked at when it is replayed.
            let size = metadata.filter(fs::Metadata::is_file).map(|metadata| metadata.len());
            let whole = fs::canonicalize(&path).unwrap_or_else(|_| path.clone());
            if seen.insert(whole) {
                self.bytes = self.bytes.zip(size).map(|(sum, size)| sum + size);
                self.captures.push(path);
            }
            return Ok(());
        }
        if seen.insert(path.clone()) {
            self.captures.push(path);
            self.bytes = None;
        }
        Ok(())
    }
}
