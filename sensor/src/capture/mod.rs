//! Where packets come from: capture files of every common kind, read block by block without a copy of a packet.

mod ahead;
mod block;
mod bpf;
mod compression;
mod damage;
mod error;
mod expand;
mod filter;
mod input;
pub mod merge;
mod pcap;
mod pcapng;
mod reader;
#[cfg(target_os = "linux")]
pub mod ring;
mod snoop;
#[cfg(test)]
mod tests;

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use parsers::link_type::LinkType;
use schemas::envelope::Nanoseconds;

pub use ahead::Ahead;
pub use block::{BLOCK_SIZE, Block, Pool};
pub use damage::{Damage, DamageKind};
pub use error::{Error, InvalidFilter};
pub use expand::expand;
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

impl Frame {
    /// Its bytes, out of those of its block.
    pub fn bytes<'a>(&self, block: &'a [u8]) -> &'a [u8] {
        let bytes = block.get(self.offset as usize..).unwrap_or_default();
        bytes.get(..self.captured as usize).unwrap_or_default()
    }
}

/// A block of bytes and the frames in it.
#[derive(Debug, Default)]
pub struct FrameBatch {
    /// The bytes.
    pub block: Arc<Block>,
    /// The frames, in the order of the capture.
    pub frames: Vec<Frame>,
}

impl FrameBatch {
    /// Lets go of the block, and forgets the frames.
    pub fn clear(&mut self) {
        self.block = Arc::default();
        self.frames.clear();
    }
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

/// A capture that is in memory or a stream. Blocks come from `pool`.
///
/// # Errors
/// It is no capture.
pub fn of_stream(
    capture: impl Read + Send + 'static,
    pool: &Pool,
    filter: Option<Filter>,
) -> Result<Box<dyn Source>, Error> {
    Ok(Box::new(CaptureFile::new(Input::of_pipe(Path::new("-"), capture)?, pool, filter)))
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

/// The frames of a capture with their bytes, and what was wrong with it.
pub type Contents = (Vec<(Frame, Vec<u8>)>, Vec<Damage>);

/// All frames of a capture that is in memory or a stream, with their bytes, and what was wrong: for tests and fuzzing.
///
/// # Errors
/// It is no capture.
pub fn read_all(capture: impl Read + Send + 'static) -> Result<Contents, Error> {
    read_all_from(capture, &Pool::new(4 << 10, 1 << 20), None)
}

/// Likewise with blocks of `pool`, and only what passes `filter`.
fn read_all_from(
    capture: impl Read + Send + 'static,
    pool: &Pool,
    filter: Option<Filter>,
) -> Result<Contents, Error> {
    let mut source = of_stream(capture, pool, filter)?;
    let mut batch = FrameBatch::default();
    let mut frames = Vec::new();
    while source.next(&mut batch) {
        frames.extend(batch.frames.iter().map(|frame| (*frame, frame.bytes(&batch.block).to_vec())));
    }
    Ok((frames, source.damage().to_vec()))
}
