//! Where packets come from: capture files of every common kind, read block by block without a copy of a packet.

mod block;
mod compression;
mod damage;
mod error;
mod filter;
mod input;
mod pcap;
mod pcapng;
mod reader;
mod snoop;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parsers::link_type::LinkType;
use schemas::envelope::Nanoseconds;

pub use block::{BLOCK_SIZE, Block, Pool};
pub use damage::{Damage, DamageKind};
pub use error::{Error, InvalidFilter};
pub use filter::Filter;
pub use input::Progress;

use input::Input;
use reader::CaptureFile;

/// SHA-256 over the size of a capture, its first and its last MiB (of a pipe, over its beginning).
pub type Identity = [u8; 32];

/// One captured frame: where its bytes lie, and what the capture says of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When it was captured.
    pub ts: Nanoseconds,
    /// Its number in the capture, from 1; a filter leaves numbers as they are.
    pub number: u64,
    /// Where in the block its bytes begin.
    pub offset: u32,
    /// How many bytes were captured.
    pub captured: u32,
    /// How many there were on the wire; never fewer than were captured.
    pub wire: u32,
    /// What they begin with.
    pub link: LinkType,
}

/// A block of bytes and the frames in it.
#[derive(Debug, Default)]
pub struct FrameBatch {
    /// The bytes.
    pub block: Arc<Block>,
    /// The frames, in the order of the capture.
    pub frames: Vec<Frame>,
}

/// Something that frames come from.
pub trait Source: Send {
    /// Puts the next frames into `batch`, in place of those in it. False at the end.
    fn next(&mut self, batch: &mut FrameBatch) -> bool;

    /// What has been found wrong so far.
    fn damage(&self) -> &[Damage];

    /// How far it has been read.
    fn progress(&self) -> Progress;

    /// What tells it from other captures.
    fn identity(&self) -> Identity;
}

/// Opens a capture; `-` is standard input. Blocks come from `pool`.
///
/// # Errors
/// It cannot be read, or is no capture.
pub fn open(path: &Path, pool: &Pool, filter: Option<Filter>) -> Result<Box<dyn Source>, Error> {
    Ok(Box::new(CaptureFile::new(Input::open(path)?, pool, filter)))
}

/// The time of a capture's first packet, by which pieces of one capture are put in order. None if it has no packet.
///
/// # Errors
/// It cannot be read, or is no capture.
pub fn first_timestamp(path: &Path) -> Result<Option<Nanoseconds>, Error> {
    let pool = Pool::new(64 << 10, 1 << 20);
    let mut source = open(path, &pool, None)?;
    let mut batch = FrameBatch::default();
    Ok(source.next(&mut batch).then(|| batch.frames.first().map(|frame| frame.ts)).flatten())
}

/// The captures in what was named: files as they are, folders with all captures below them, in the order of their names.
///
/// # Errors
/// A path does not exist, cannot be read, or is a folder without captures.
pub fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let mut captures = Vec::new();
    for path in paths {
        if path == Path::new("-") || !path.is_dir() {
            captures.push(path.clone());
            continue;
        }
        let before = captures.len();
        let mut files = 0;
        walk(path, 0, &mut files, &mut captures)?;
        if captures.len() == before {
            return Err(Error::NoCaptures { path: path.clone(), files });
        }
    }
    Ok(captures)
}

/// Adds the captures of a folder and of those below it.
fn walk(folder: &Path, depth: usize, files: &mut usize, captures: &mut Vec<PathBuf>) -> Result<(), Error> {
    let unreadable = |error| Error::Unreadable { path: folder.into(), error };
    let mut entries =
        fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(unreadable)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // A link to a folder could lead in circles.
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() && depth < MAX_DEPTH {
            walk(&path, depth + 1, files, captures)?;
        } else if path.is_file() {
            *files += 1;
            if Input::open(&path).is_ok() {
                captures.push(path);
            }
        }
    }
    Ok(())
}

/// All frames of a capture that is in memory or a stream, with their bytes, and what was wrong: for tests and fuzzing.
///
/// # Errors
/// It is no capture.
pub fn read_all(capture: impl Read + Send + 'static) -> Result<(Vec<(Frame, Vec<u8>)>, Vec<Damage>), Error> {
    let pool = Pool::new(4 << 10, 1 << 20);
    let input = Input::of_reader(Path::new("-"), capture, input::PIPE_IDENTITY, None, |_| [0; 32])?;
    let mut source = CaptureFile::new(input, &pool, None);
    let mut batch = FrameBatch::default();
    let mut frames = Vec::new();
    while source.next(&mut batch) {
        for frame in &batch.frames {
            let start = frame.offset as usize;
            let bytes = batch.block.get(start..start + frame.captured as usize).unwrap_or_default();
            frames.push((*frame, bytes.to_vec()));
        }
    }
    Ok((frames, source.damage().to_vec()))
}

/// Folders nested deeper than this are not captures but a mistake.
const MAX_DEPTH: usize = 32;
