//! Why a capture could not be opened at all: one line each, with the path and what to do.

use std::{io, path::PathBuf};

/// An input that gives nothing to read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The path does not exist.
    #[error("{}: no such file or folder; check the path", path.display())]
    Missing {
        /// The path as given.
        path: PathBuf,
    },
    /// The operating system refuses to open or read it.
    #[error("{}: cannot be read ({error}); check its permissions", path.display())]
    Unreadable {
        /// The path as given.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Nothing in it.
    #[error("{}: is empty; check that the capture or the copy ran to its end", path.display())]
    Empty {
        /// The path as given.
        path: PathBuf,
    },
    /// Not one of the formats.
    #[error("{}: is not a capture: {found}; give a pcap, pcapng or snoop file, plain or compressed with gzip, zstd, lz4 or xz", path.display())]
    NotACapture {
        /// The path as given.
        path: PathBuf,
        /// What its beginning looks like.
        found: String,
    },
    /// Damaged before the first packet could be seen.
    #[error("{}: the {format} data cannot be decompressed ({error}); fetch the file again", path.display())]
    Compressed {
        /// The path as given.
        path: PathBuf,
        /// Name of the compression.
        format: &'static str,
        /// What the decompressor says.
        error: io::Error,
    },
    /// A folder where a file is needed.
    #[error("{}: is a folder; give the files in it", path.display())]
    Folder {
        /// The path as given.
        path: PathBuf,
    },
    /// A folder without captures.
    #[error("{}: no capture in this folder ({files} files looked at); a capture is known by its content, not its name", path.display())]
    NoCaptures {
        /// The path as given.
        path: PathBuf,
        /// How many files were in it.
        files: usize,
    },
}

/// A filter expression that libpcap's compiler refuses: a mistake in the arguments.
#[derive(Debug, thiserror::Error)]
#[error("filter \"{expression}\": {message}; see pcap-filter(7)")]
pub struct InvalidFilter {
    /// The expression as given.
    pub expression: String,
    /// What libpcap says.
    pub message: String,
}
