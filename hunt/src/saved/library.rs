//! The hunts that come with the program, and those of folders that are named.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, anyhow};

use super::hunt::Hunt;
use super::nearest;

macro_rules! shipped {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../hunts/", $name, ".toml")))),*]
    };
}

/// Name and text of each hunt that is built in.
pub(super) const SHIPPED: &[(&str, &str)] = shipped! {
    "dns-answers-nobody-asked-for"
    "dns-long-names"
    "dns-names-that-do-not-exist"
    "dns-not-authoritative"
    "dns-top-queries"
    "dns-tunnels"
    "file-executables"
    "file-unsigned-programs"
    "flows-beacons"
    "flows-evasion"
    "flows-from-outside"
    "flows-long"
    "flows-loss"
    "flows-scans"
    "flows-services-on-odd-ports"
    "flows-tunnels-in-tunnels"
    "ftp-bounces"
    "ftp-commands"
    "http-ad-trackers"
    "http-agents-base64"
    "http-agents-distinct"
    "http-agents-not-approved"
    "http-agents-top"
    "http-passwords-in-uris"
    "http-suspicious-tlds"
    "http-types-that-lie"
    "http-vulnerable-paths"
    "http-vulnerable-paths-from-outside"
    "kerberos-downgrades"
    "kerberos-guessing"
    "kerberos-no-preauthentication"
    "kerberos-roasting"
    "kerberos-weak-encryption"
    "tls-bad-roots"
    "tls-expired"
    "tls-fingerprints-with-odd-names"
    "tls-self-signed"
    "tls-weak-suites"
    "tls-wrong-names"
    "tls-young-certificates"
};

/// Hunts by name, and what could not be read.
#[derive(Debug, Default)]
pub struct Library {
    hunts: Vec<Hunt>,
    broken: Vec<anyhow::Error>,
}

/// The hunts that are built in and those in the `.toml` files of some folders; of two with one name the later counts.
pub fn library(folders: &[PathBuf]) -> Library {
    let mut library = Library::default();
    for (name, text) in SHIPPED {
        library.add(Hunt::parse(name, text));
    }
    for folder in folders {
        match files(folder) {
            Ok(paths) => {
                for path in paths {
                    library.add(read(&path));
                }
            }
            Err(error) => library.broken.push(error),
        }
    }
    library.hunts.sort_by(|left, right| left.name.cmp(&right.name));
    library
}

impl Library {
    /// All hunts, in order of their names.
    pub fn hunts(&self) -> &[Hunt] {
        &self.hunts
    }

    /// What is wrong with the files that could not be read.
    pub fn broken(&self) -> &[anyhow::Error] {
        &self.broken
    }

    /// The hunt of this name, or an error with the name that is nearest.
    pub fn hunt(&self, name: &str) -> Result<&Hunt> {
        self.hunts.iter().find(|hunt| hunt.name == name).ok_or_else(|| {
            anyhow!("no hunt '{name}'{}", nearest(name, self.hunts.iter().map(|hunt| hunt.name.as_str())))
        })
    }

    fn add(&mut self, hunt: Result<Hunt>) {
        match hunt {
            Ok(hunt) => {
                self.hunts.retain(|known| known.name != hunt.name);
                self.hunts.push(hunt);
            }
            Err(error) => self.broken.push(error),
        }
    }
}

fn files(folder: &PathBuf) -> Result<Vec<PathBuf>> {
    let context = || format!("cannot read the folder of hunts {}", folder.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).with_context(context)? {
        let path = entry.with_context(context)?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read(path: &PathBuf) -> Result<Hunt> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let name = path
        .file_stem()
        .and_then(|name| name.to_str())
        .context("a hunt's file has a name that is not UTF-8")?;
    Hunt::parse(name, &text).with_context(|| path.display().to_string())
}
