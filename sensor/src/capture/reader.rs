//! A capture file as a source: fills blocks, lets the format's walker find the packets in them, carries the rest over.
//!
//! ```text
//! block 1  |header|packet|header|packet|header|pac|      `pac` is carried ...
//! block 2                              |header|packet|header|packet|...   ... to the head of the next block
//! ```

use std::{
    io::{self, Read},
    sync::Arc,
};

use super::{
    Frame, FrameBatch, Identity, Source,
    block::{Block, Buffer, Pool},
    damage::{Damage, DamageKind, Damages},
    filter::Filter,
    input::{Input, Progress},
};

/// Finds the packets of one format in the bytes of a file, which it is shown from the first byte on. State lies in
/// the walker; the bytes that it could not use yet are shown again, with more behind them.
pub(super) trait Walker: Send {
    /// Pushes the packets of `bytes` that are whole, and says how to go on.
    fn walk(&mut self, bytes: &[u8], out: &mut Output<'_>) -> Step;
}

/// How far a walker came and what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Bytes that are done with.
    consumed: usize,
    next: Next,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// So many bytes from `consumed` on, which hold this part.
    Need(usize, &'static str),
    /// The next so many bytes are of no interest.
    Skip(u64),
    /// What follows cannot be read.
    Stop,
}

impl Step {
    /// Go on when there are `size` bytes from `consumed` on; they hold `part` (named if the file ends before).
    pub(super) const fn need(consumed: usize, size: usize, part: &'static str) -> Self {
        Self { consumed, next: Next::Need(size, part) }
    }

    /// Go on `size` bytes behind `consumed`, which is beyond the bytes shown.
    pub(super) const fn skip(consumed: usize, size: u64) -> Self {
        Self { consumed, next: Next::Skip(size) }
    }

    /// Do not go on.
    pub(super) const fn stop(consumed: usize) -> Self {
        Self { consumed, next: Next::Stop }
    }
}

/// Where a walker puts what it finds.
pub(super) struct Output<'a> {
    /// The frames of this block.
    pub(super) frames: &'a mut Vec<Frame>,
    damages: &'a mut Damages,
    packets: &'a mut u64,
    /// Offset in the file of the bytes that are shown.
    offset: u64,
    /// Whether the bytes that are shown are the last ones.
    pub(super) at_end: bool,
}

impl Output<'_> {
    /// Takes a packet; its number is given here.
    pub(super) fn push(&mut self, frame: Frame) {
        *self.packets += 1;
        self.frames.push(Frame { number: *self.packets, ..frame });
    }

    /// Notes damage at `at`, an offset in the bytes shown.
    pub(super) fn damage(&mut self, kind: DamageKind, at: usize) {
        self.damage_of(kind, at, 1);
    }

    /// Notes damage that was seen `count` times, first at `at`.
    pub(super) fn damage_of(&mut self, kind: DamageKind, at: usize, count: u64) {
        self.damages.add(kind, self.offset + at as u64, *self.packets, count);
    }
}

/// Byte order of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    #[default]
    Little,
    Big,
}

impl Order {
    /// The 16 bits at `at`; zero where there are none, which callers rule out by a length check before.
    pub(super) fn u16(self, bytes: &[u8], at: usize) -> u16 {
        let field = bytes.get(at..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or_default();
        if self == Self::Little { u16::from_le_bytes(field) } else { u16::from_be_bytes(field) }
    }

    /// The 32 bits at `at`, likewise.
    pub(super) fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let field = bytes.get(at..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or_default();
        if self == Self::Little { u32::from_le_bytes(field) } else { u32::from_be_bytes(field) }
    }

    /// The signed 64 bits at `at`, likewise.
    pub(super) fn i64(self, bytes: &[u8], at: usize) -> i64 {
        let field = bytes.get(at..).and_then(|bytes| bytes.first_chunk()).copied().unwrap_or_default();
        if self == Self::Little { i64::from_le_bytes(field) } else { i64::from_be_bytes(field) }
    }
}

/// An opened capture file, pipe or standard input.
pub(super) struct CaptureFile {
    input: Input,
    pool: Pool,
    filter: Option<Filter>,
    /// The beginning of a packet whose end is still to be read.
    carried: Vec<u8>,
    /// Bytes that the packet after `carried` needs in one buffer.
    wanted: usize,
    /// What the file ends in, if it ends now.
    part: &'static str,
    /// Bytes of no interest that come next.
    skip: u64,
    /// Offset in the file of the first carried byte.
    offset: u64,
    packets: u64,
    damages: Damages,
    /// The input has given all it has.
    drained: bool,
    /// Nothing more will be read.
    ended: bool,
}

impl CaptureFile {
    pub(super) fn new(input: Input, pool: &Pool, filter: Option<Filter>) -> Self {
        Self {
            input,
            pool: pool.clone(),
            filter,
            carried: Vec::new(),
            wanted: 0,
            part: "file header",
            skip: 0,
            offset: 0,
            packets: 0,
            damages: Damages::default(),
            drained: false,
            ended: false,
        }
    }

    /// Reads into `buffer` from `filled` on; returns how far it is filled then.
    fn fill(&mut self, buffer: &mut [u8], mut filled: usize) -> usize {
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.input.read(rest) {
                Ok(0) => {
                    self.drained = true;
                    break;
                }
                Ok(length) => {
                    filled += length;
                    // A pipe that gives little has no more for now: hand on what is there.
                    if self.input.pipe && length < PIPE_BUSY && filled >= self.wanted {
                        break;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let kind = if self.input.compressed {
                        DamageKind::Decompression(error.to_string())
                    } else {
                        DamageKind::Unreadable(error.to_string())
                    };
                    self.damages.add(kind, self.offset + filled as u64, self.packets, 1);
                    self.drained = true;
                    self.ended = true;
                    break;
                }
            }
        }
        filled
    }

    /// Passes over the bytes that are of no interest.
    fn pass_over(&mut self, buffer: &mut [u8]) {
        while self.skip > 0 && !self.drained {
            let size = buffer.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
            let filled = self.fill(buffer.get_mut(..size).unwrap_or_default(), 0);
            self.skip -= filled as u64;
            self.offset += filled as u64;
        }
    }

    /// Fills `buffer` once and walks it; returns how far it is filled.
    fn step(&mut self, buffer: &mut Buffer, frames: &mut Vec<Frame>) -> usize {
        self.pass_over(buffer);
        let carried = self.carried.len();
        if let Some(head) = buffer.get_mut(..carried) {
            head.copy_from_slice(&self.carried);
        }
        let filled = self.fill(buffer, carried);
        let bytes = buffer.get(..filled).unwrap_or_default();
        let mut out = Output {
            frames,
            damages: &mut self.damages,
            packets: &mut self.packets,
            offset: self.offset,
            at_end: self.drained,
        };
        let step =
            if self.skip > 0 { Step::need(0, 1, "block") } else { self.input.walker.walk(bytes, &mut out) };
        let rest = bytes.get(step.consumed..).unwrap_or_default();
        self.offset += (filled - rest.len()) as u64;
        self.carried.clear();
        self.wanted = 0;
        match step.next {
            Next::Need(size, part) => {
                self.carried.extend_from_slice(rest);
                self.wanted = size.max(rest.len() + 1);
                self.part = part;
            }
            // A block that is not taken ends beyond the bytes at hand, else it would have been passed over there.
            Next::Skip(size) => {
                self.skip = size.saturating_sub(rest.len() as u64);
                self.offset += rest.len() as u64;
                self.part = "block";
            }
            Next::Stop => self.ended = true,
        }
        // With damage to the input itself the half packet at its end is no news.
        if self.drained && !self.ended {
            self.ended = true;
            if !self.carried.is_empty() || self.skip > 0 {
                self.damages.add(DamageKind::CutShort(self.part), self.offset, self.packets, 1);
            }
        }
        filled
    }
}

impl Source for CaptureFile {
    fn next(&mut self, batch: &mut FrameBatch) -> bool {
        // The block of the batch before goes back first: it may be the one that is waited for.
        batch.clear();
        while !self.ended {
            let mut buffer = self.pool.take(self.wanted.max(self.carried.len() + 1));
            let mut filled;
            loop {
                filled = self.step(&mut buffer, &mut batch.frames);
                if let Some(filter) = &mut self.filter {
                    let bytes = buffer.get(..filled).unwrap_or_default();
                    filter.retain(bytes, &mut batch.frames, &mut self.damages);
                }
                let fits = self.wanted.max(self.carried.len() + 1) <= buffer.len();
                if self.ended || !batch.frames.is_empty() || !fits {
                    break;
                }
            }
            if !batch.frames.is_empty() {
                batch.block = Arc::new(Block::new(buffer, filled));
                return true;
            }
        }
        false
    }

    fn damage(&self) -> &[Damage] {
        self.damages.list()
    }

    fn progress(&self) -> Progress {
        self.input.progress.clone()
    }

    fn identity(&self) -> Identity {
        self.input.identity
    }
}

/// No packet is larger: the largest snap length that capture tools offer for networks is 256 KiB, and jumbo
/// segments of offloading hosts stay below 1 MiB. A larger length means that the file is damaged.
pub(super) const MAX_PACKET: u32 = 16 << 20;

/// A read of this size from a pipe (which holds 64 KiB) means that its writer is faster than we are.
const PIPE_BUSY: usize = 32 << 10;
