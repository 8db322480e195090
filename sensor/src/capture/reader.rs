//! A capture block by block: fills buffers, lets a format's walker find the frames in them, carries what was cut off.

use std::io::Read;
use std::sync::Arc;

use super::damage::{Damage, DamageKind, Damages};
use super::filter::Filter;
use super::input::{Input, Progress};
use super::{Block, Frame, FrameBatch, Identity, Pool, Source};

/// The largest packet or block believed. Networks have nothing above 256 KiB; USB and the like are not captured here.
pub(super) const MAX_PACKET: u32 = 16 << 20;

/// Byte order of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    /// The number at `offset`; 0 where it is not all there.
    #[inline]
    pub(super) fn u16(self, bytes: &[u8], offset: usize) -> u16 {
        let Some(number) = bytes.get(offset..).and_then(<[u8]>::first_chunk) else { return 0 };
        match self {
            Self::Little => u16::from_le_bytes(*number),
            Self::Big => u16::from_be_bytes(*number),
        }
    }

    /// The number at `offset`; 0 where it is not all there.
    #[inline]
    pub(super) fn u32(self, bytes: &[u8], offset: usize) -> u32 {
        let Some(number) = bytes.get(offset..).and_then(<[u8]>::first_chunk) else { return 0 };
        match self {
            Self::Little => u32::from_le_bytes(*number),
            Self::Big => u32::from_be_bytes(*number),
        }
    }
}

/// Reads one format. Keeps what it has to remember from one call to the next, but no bytes.
pub(super) trait Walker: Send {
    /// Finds the frames in `bytes`, which begin where the last step ended.
    fn walk(&mut self, bytes: &[u8], out: &mut Output<'_>) -> Step;
}

/// How far a walker came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Bytes dealt with.
    used: usize,
    /// Bytes needed from there on.
    want: usize,
    /// What they are part of.
    part: &'static str,
    /// Nothing more can be read.
    stop: bool,
}

impl Step {
    /// The first `used` bytes are dealt with; to go on, `want` bytes from there must be seen, which are a `part`.
    pub(super) const fn need(used: usize, want: usize, part: &'static str) -> Self {
        Self { used, want, part, stop: false }
    }

    /// Nothing can be read from `used` on.
    pub(super) const fn stop(used: usize) -> Self {
        Self { used, want: 0, part: "", stop: true }
    }
}

/// Where a walker puts what it finds.
pub(super) struct Output<'a> {
    /// The frames of this block.
    pub(super) frames: &'a mut Vec<Frame>,
    /// No bytes follow those shown.
    pub(super) at_end: bool,
    damages: &'a mut Damages,
    /// Byte offset, in the capture, of the bytes shown.
    base: u64,
    packets_before: u64,
}

impl Output<'_> {
    /// Adds a frame, which gets the next number.
    #[inline]
    pub(super) fn push(&mut self, frame: Frame) {
        let number = self.packets_before + self.frames.len() as u64 + 1;
        self.frames.push(Frame { number, ..frame });
    }

    /// Notes damage seen at `at` of the bytes shown.
    pub(super) fn damage(&mut self, kind: DamageKind, at: usize) {
        self.damage_of(kind, at, 1);
    }

    /// Notes damage seen `count` times, first at `at`.
    pub(super) fn damage_of(&mut self, kind: DamageKind, at: usize, count: u64) {
        let before = self.packets_before + self.frames.len() as u64;
        self.damages.add(kind, self.base + at as u64, before, count);
    }
}

/// A capture file, or a pipe.
pub(super) struct CaptureFile {
    input: Input,
    pool: Pool,
    filter: Option<Filter>,
    /// What the last block ended with and no frame was made of.
    carry: Vec<u8>,
    want: usize,
    /// Packets found so far.
    packets: u64,
    base: u64,
    damages: Damages,
    done: bool,
}

impl CaptureFile {
    pub(super) fn new(input: Input, pool: &Pool, filter: Option<Filter>) -> Self {
        Self {
            input,
            pool: pool.clone(),
            filter,
            carry: Vec::new(),
            want: 0,
            packets: 0,
            base: 0,
            damages: Damages::default(),
            done: false,
        }
    }

    /// Reads until the buffer is full or nothing follows; from a pipe until something more is there.
    fn fill(&mut self, buffer: &mut [u8], mut filled: usize) -> (usize, bool) {
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.input.read(rest) {
                Ok(0) => return (filled, true),
                Ok(length) => filled += length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let message = error.to_string();
                    let kind = if self.input.compressed {
                        DamageKind::Decompression(message)
                    } else {
                        DamageKind::Unreadable(message)
                    };
                    self.damages.add(kind, self.base + filled as u64, self.packets, 1);
                    return (filled, true);
                }
            }
            if self.input.pipe && filled >= self.want {
                break;
            }
        }
        (filled, false)
    }
}

impl Source for CaptureFile {
    fn next(&mut self, batch: &mut FrameBatch) -> bool {
        batch.frames.clear();
        batch.block = Arc::default();
        while !self.done {
            let mut buffer = self.pool.take(self.want.max(self.carry.len() + 1));
            let carried = self.carry.len();
            if let Some(head) = buffer.get_mut(..carried) {
                head.copy_from_slice(&self.carry);
            }
            let (filled, at_end) = self.fill(&mut buffer, carried);
            let bytes = buffer.get(..filled).unwrap_or_default();
            let mut output = Output {
                frames: &mut batch.frames,
                at_end,
                damages: &mut self.damages,
                base: self.base,
                packets_before: self.packets,
            };
            let step = self.input.walker.walk(bytes, &mut output);
            let rest = bytes.get(step.used..).unwrap_or_default();
            let before = self.packets;
            self.packets += batch.frames.len() as u64;
            if at_end && !step.stop && !rest.is_empty() && !self.damages.list().iter().any(Damage::stopped) {
                let offset = self.base + step.used as u64;
                self.damages.add(DamageKind::CutShort(step.part), offset, self.packets, 1);
            }
            self.done = at_end || step.stop;
            self.base += step.used as u64;
            self.want = step.want;
            self.carry.clear();
            if !self.done {
                self.carry.extend_from_slice(rest);
            }
            if let Some(filter) = &mut self.filter {
                filter.keep(bytes, &mut batch.frames, &mut self.damages, before);
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
