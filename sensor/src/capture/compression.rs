//! Compressed captures: which format it is, and the bytes inside.

use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;

use flate2::bufread::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;
use lzma_rust2::XzReader;

/// The compressions that are undone on reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
    Lz4,
    Lz4Legacy,
    Xz,
}

impl Compression {
    /// What the first bytes say, by their magic number.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, 8, ..] => Some(Self::Gzip),
            // A skippable frame may come first in zstd and in lz4; only zstd's tools write files like that.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [0x04, 0x22, 0x4d, 0x18, ..] => Some(Self::Lz4),
            [0x02, 0x21, 0x4c, 0x18, ..] => Some(Self::Lz4Legacy),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Self::Xz),
            _ => None,
        }
    }

    /// The name in messages.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Lz4 | Self::Lz4Legacy => "lz4",
            Self::Xz => "xz",
        }
    }

    /// The bytes inside `compressed`: all members, frames or streams one after the other. Data that is cut short
    /// gives what came before, then an error, and that error from then on.
    pub(super) fn decompress<R: Read + Send + 'static>(
        self,
        compressed: R,
    ) -> io::Result<Box<dyn Read + Send>> {
        let compressed = BufReader::with_capacity(COMPRESSED_BUFFER, compressed);
        Ok(match self {
            Self::Gzip => Box::new(Fused::new(MultiGzDecoder::new(compressed))),
            Self::Zstd => Box::new(Fused::new(zstd::stream::read::Decoder::with_buffer(compressed)?)),
            Self::Lz4 => Box::new(Fused::new(Lz4Frames::new(compressed, false))),
            Self::Lz4Legacy => Box::new(Fused::new(Lz4Frames::new(compressed, true))),
            Self::Xz => Box::new(Fused::new(XzReader::new(XzInput::new(compressed), true))),
        })
    }
}

/// A decoder that is asked for small pieces, and not again after it failed: with an error it drops what it had decoded in
/// the same call, and promises nothing about its state. So no more than a piece is lost before the damage, and always the
/// same, however much is asked for here.
struct Fused<R> {
    inner: R,
    failed: Option<(io::ErrorKind, String)>,
    piece: Box<[u8; PIECE]>,
    /// What of the piece was not given yet.
    rest: Range<usize>,
}

/// Bytes that a decoder is asked for at a time.
const PIECE: usize = 1024;

impl<R> Fused<R> {
    fn new(inner: R) -> Self {
        Self { inner, failed: None, piece: Box::new([0; PIECE]), rest: 0..0 }
    }
}

impl<R: Read> Read for Fused<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() {
            if let Some((kind, message)) = &self.failed {
                return Err(io::Error::new(*kind, message.clone()));
            }
            let result = self.inner.read(&mut self.piece[..]);
            if let Err(error) = &result
                && error.kind() != io::ErrorKind::Interrupted
            {
                self.failed = Some((error.kind(), error.to_string()));
            }
            self.rest = 0..result?;
        }
        let rest = self.piece.get(self.rest.clone()).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        if let (Some(place), Some(bytes)) = (buffer.get_mut(..length), rest.get(..length)) {
            place.copy_from_slice(bytes);
        }
        self.rest.start += length;
        Ok(length)
    }
}

/// LZ4 frames one after the other. The decoder itself stops after each frame, and takes the end of the input at
/// the start of a block for the end of a frame; a frame of today's format has an end mark, so that is a cut.
struct Lz4Frames<R: BufRead> {
    decoder: FrameDecoder<SeesEnd<R>>,
    /// The format of `lz4 -l`, which has no end mark.
    legacy: bool,
}

impl<R: BufRead> Lz4Frames<R> {
    fn new(compressed: R, legacy: bool) -> Self {
        Self { decoder: FrameDecoder::new(SeesEnd { inner: compressed, end: false }), legacy }
    }
}

impl<R: BufRead> Read for Lz4Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            match self.decoder.read(buffer) {
                Ok(0) => {}
                Ok(length) => return Ok(length),
                Err(error) => {
                    let skip = skippable(&error).ok_or(error)?;
                    io::copy(&mut self.decoder.get_mut().by_ref().take(skip.into()), &mut io::sink())?;
                }
            }
            let compressed = self.decoder.get_mut();
            if compressed.end {
                return if self.legacy { Ok(0) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
            if compressed.inner.fill_buf()?.is_empty() {
                return Ok(0);
            }
        }
    }
}

/// The length of the skippable frame that the decoder has met, if this is what the error says.
fn skippable(error: &io::Error) -> Option<u32> {
    match error.get_ref()?.downcast_ref()? {
        lz4_flex::frame::Error::SkippableFrame(length) => Some(*length),
        _ => None,
    }
}

/// Remembers that a read met the end of the input.
struct SeesEnd<R> {
    inner: R,
    end: bool,
}

impl<R: Read> Read for SeesEnd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.end |= length == 0 && !buffer.is_empty();
        Ok(length)
    }
}

/// What the xz decoder reads from: makes up for two of its properties. It takes a short read of block padding, which
/// any buffered reader gives at the end of its buffer, for damage; so each buffer is filled as far as the input
/// reaches. And it makes a dictionary of any size that a block asks for, up to 4 GiB, before it has seen data; so
/// block headers, which it reads as one byte (their length) and then the rest, are looked at on their way.
struct XzInput<R> {
    inner: R,
    /// The byte read last, if it was read alone.
    single: Option<u8>,
}

impl<R> XzInput<R> {
    fn new(inner: R) -> Self {
        Self { inner, single: None }
    }
}

impl<R: Read> Read for XzInput<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.inner.read(rest) {
                Ok(0) => break,
                Ok(length) => filled += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) if filled > 0 => break,
                Err(error) => return Err(error),
            }
        }
        // A length of 0 stands for the index; nothing else that is read after a single byte has such a size.
        let header = self.single.filter(|n| *n > 0 && buffer.len() == usize::from(*n) * 4 + 3);
        if header.is_some() && dictionary_exponent(buffer) > MAX_XZ_DICTIONARY {
            return Err(io::Error::other("it needs a dictionary of more than 128 MiB"));
        }
        self.single = if let ([byte], 1) = (&*buffer, filled) { Some(*byte) } else { None };
        Ok(filled)
    }
}

/// The size of the dictionary that a block header asks for, in the encoding of the xz format (section 5.3.1): a half
/// step of a power of two each. The LZMA2 filter (number 0x21, one byte of properties) is the last in the header; zeros
/// and a checksum of four bytes follow.
fn dictionary_exponent(header: &[u8]) -> u8 {
    let flags = header.split_last_chunk::<4>().map_or(header, |(flags, _)| flags);
    let end = flags.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    match flags.get(..end) {
        Some([.., 0x21, 1, exponent]) => *exponent,
        _ => 0,
    }
}

/// 128 MiB, which is also the most that the zstd decoder takes unasked; `xz -9` needs 64.
const MAX_XZ_DICTIONARY: u8 = 30;

/// Compressed bytes read at a time.
const COMPRESSED_BUFFER: usize = 128 << 10;
