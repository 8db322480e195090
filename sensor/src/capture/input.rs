//! Opening a capture: file, pipe or standard input; compression undone; the format known by its magic number.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use sha2::{Digest, Sha256};

use super::{
    Error, Identity, compression::Compression, pcap::Pcap, pcapng::Pcapng, reader::Walker, snoop::Snoop,
};

/// How far a capture has been read; may be asked from another thread.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    read: Arc<AtomicU64>,
    total: Option<u64>,
}

impl Progress {
    /// Bytes read so far, as they lie in the file: of a compressed capture the compressed ones.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes in all, if that is known before the end.
    pub const fn total(&self) -> Option<u64> {
        self.total
    }
}

/// The uncompressed bytes of a capture whose format is known.
pub(super) struct Input {
    /// What was read to learn the format; comes first.
    head: Vec<u8>,
    taken: usize,
    reader: Box<dyn Read + Send>,
    pub(super) walker: Box<dyn Walker>,
    pub(super) compressed: bool,
    /// Whether the bytes may come slowly, so that a short read is better handed on than waited upon.
    pub(super) pipe: bool,
    pub(super) progress: Progress,
    pub(super) identity: Identity,
}

impl Input {
    /// Opens `path`; `-` is standard input.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        if path == Path::new("-") {
            return Self::of_pipe(path, io::stdin());
        }
        let unreadable = |error| unreadable(path, error);
        let metadata = std::fs::metadata(path).map_err(unreadable)?;
        if metadata.is_dir() {
            return Err(Error::Folder { path: path.into() });
        }
        let file = File::open(path).map_err(unreadable)?;
        if !metadata.is_file() {
            return Self::of_pipe(path, file);
        }
        let identity = identity(&file, metadata.len()).map_err(unreadable)?;
        Self::of_reader(path, file, MAGIC, Some(metadata.len()), |_| identity)
    }

    fn of_pipe(path: &Path, reader: impl Read + Send + 'static) -> Result<Self, Error> {
        let mut input =
            Self::of_reader(path, reader, PIPE_IDENTITY, None, |head| Sha256::digest(head).into())?;
        input.pipe = !input.compressed;
        Ok(input)
    }

    /// Reads `head` bytes, and goes on by what they are.
    pub(super) fn of_reader(
        path: &Path,
        reader: impl Read + Send + 'static,
        head: usize,
        total: Option<u64>,
        identity: impl FnOnce(&[u8]) -> Identity,
    ) -> Result<Self, Error> {
        let progress = Progress { read: Arc::default(), total };
        let mut reader = Counted { inner: reader, read: Arc::clone(&progress.read) };
        let (mut head, error) = read_head(&mut reader, head);
        match error {
            Some(error) if head.is_empty() => return Err(unreadable(path, error)),
            _ if head.is_empty() => return Err(Error::Empty { path: path.into() }),
            _ => {}
        }
        let identity = identity(&head);
        let mut reader: Box<dyn Read + Send> = Box::new(reader);
        let compression = Compression::of(&head);
        if let Some(compression) = compression {
            let fails = |error| Error::Compressed { path: path.into(), format: compression.name(), error };
            reader = compression.decompress(io::Cursor::new(head).chain(reader)).map_err(fails)?;
            let (inner, error) = read_head(&mut reader, MAGIC);
            match error {
                // Enough for a magic number is enough to go on: the decoder will say it again, and it is damage then.
                Some(error) if inner.len() < MAGIC => return Err(fails(error)),
                _ if inner.is_empty() => return Err(Error::Empty { path: path.into() }),
                _ => head = inner,
            }
        }
        let walker =
            walker(&head).ok_or_else(|| Error::NotACapture { path: path.into(), found: describe(&head) })?;
        let compressed = compression.is_some();
        Ok(Self { head, taken: 0, reader, walker, compressed, pipe: false, progress, identity })
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut head = self.head.get(self.taken..).unwrap_or_default();
        if head.is_empty() {
            return self.reader.read(buffer);
        }
        let length = head.read(buffer)?;
        self.taken += length;
        Ok(length)
    }
}

/// SHA-256 over the size of a file, its first and its last MiB.
fn identity(file: &File, size: u64) -> io::Result<Identity> {
    let mut hash = Sha256::new();
    hash.update(size.to_le_bytes());
    let mut buffer = vec![0; IDENTITY_PART.min(usize::try_from(size).unwrap_or(IDENTITY_PART))];
    for offset in [0, size.saturating_sub(IDENTITY_PART as u64)] {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(length) => filled += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        hash.update(buffer.get(..filled).unwrap_or_default());
    }
    Ok(hash.finalize().into())
}

/// The reader for the format that `head` begins.
fn walker(head: &[u8]) -> Option<Box<dyn Walker>> {
    let magic = head.first_chunk()?;
    if let Some(pcap) = Pcap::of(*magic) {
        Some(Box::new(pcap))
    } else if *magic == Pcapng::MAGIC {
        Some(Box::new(Pcapng::default()))
    } else if head.starts_with(&Snoop::MAGIC) {
        Some(Box::new(Snoop::default()))
    } else {
        None
    }
}

/// What something that is no capture looks like, for the error message.
fn describe(head: &[u8]) -> String {
    let known: [(&[u8], &str); 9] = [
        (b"BZh", "it is compressed with bzip2"),
        (b"PK\x03\x04", "it is a zip archive"),
        (b"7z\xbc\xaf\x27\x1c", "it is a 7z archive"),
        (b"Rar!", "it is a rar archive"),
        (b"\x1f\x9d", "it is compressed with compress (.Z)"),
        (b"GMBU", "it is a Microsoft Network Monitor capture (convert it with editcap)"),
        (b"RTSS", "it is a Microsoft Network Monitor capture (convert it with editcap)"),
        (b"PAR1", "it is a Parquet file"),
        (b"\x7fELF", "it is a program"),
    ];
    if let Some((_, what)) = known.iter().find(|(magic, _)| head.starts_with(magic)) {
        return (*what).to_owned();
    }
    let head = head.get(..MAGIC).unwrap_or(head);
    if head.iter().all(|byte| matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e)) {
        format!("it begins with the text \"{}\"", head.escape_ascii())
    } else {
        let hex: Vec<_> = head.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        format!("it begins with the bytes {}", hex.join(" "))
    }
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Error::Missing { path: path.into() },
        _ => Error::Unreadable { path: path.into(), error },
    }
}

/// Up to `size` bytes, fewer only at the end or before an error.
fn read_head(reader: &mut impl Read, size: usize) -> (Vec<u8>, Option<io::Error>) {
    let mut head = Vec::new();
    let result = reader.take(size as u64).read_to_end(&mut head);
    (head, result.err())
}

/// Counts what is read.
struct Counted<R> {
    inner: R,
    read: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.read.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

/// Bytes that tell every format.
const MAGIC: usize = 16;

/// How much of both ends of a file identifies it.
const IDENTITY_PART: usize = 1 << 20;

/// How much of a pipe's beginning identifies it: some tens of packets, so that a slow pipe is not waited upon long.
pub(super) const PIPE_IDENTITY: usize = 64 << 10;
