//! The capture file that is written, packet by packet.

use std::io::{Result, Write};

/// Bytes of the header of a file.
pub const FILE_HEADER: u64 = 24;

/// Bytes of the header of a record.
pub const RECORD_HEADER: u64 = 16;

/// When the first packet comes where nothing else is asked for, in seconds since 1970: 1 September 2026, 8:00 UTC.
pub const START: u64 = 1_788_249_600;

/// Writes a capture.
#[derive(Debug)]
pub struct Pcap<W> {
    to: W,
    start: u64,
    nanoseconds: bool,
}

impl<W: Write> Pcap<W> {
    /// Begins a capture that starts so many seconds after 1970, with times in nanoseconds or microseconds.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(mut to: W, start: u64, nanoseconds: bool) -> Result<Self> {
        let magic: u32 = if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 };
        let mut header = [0; FILE_HEADER as usize];
        header[..4].copy_from_slice(&magic.to_le_bytes());
        header[4..8].copy_from_slice(&[2, 0, 4, 0]);
        header[16..20].copy_from_slice(&262_144_u32.to_le_bytes());
        header[20..].copy_from_slice(&1_u32.to_le_bytes());
        to.write_all(&header)?;
        Ok(Self { to, start, nanoseconds })
    }

    /// Writes a frame that comes `now` nanoseconds after the first.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&mut self, now: u64, frame: &[u8]) -> Result<()> {
        let (seconds, fraction) = (self.start + now / 1_000_000_000, now % 1_000_000_000);
        let fraction = if self.nanoseconds { fraction } else { fraction / 1_000 };
        let length = (frame.len() as u32).to_le_bytes();
        let mut header = [0; RECORD_HEADER as usize];
        header[..4].copy_from_slice(&(seconds as u32).to_le_bytes());
        header[4..8].copy_from_slice(&(fraction as u32).to_le_bytes());
        header[8..12].copy_from_slice(&length);
        header[12..].copy_from_slice(&length);
        self.to.write_all(&header)?;
        self.to.write_all(frame)
    }

    /// Hands on what is still held.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self) -> Result<W> {
        self.to.flush()?;
        Ok(self.to)
    }
}
