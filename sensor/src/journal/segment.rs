//! A segment of the journal: a file that rows are appended to, and that is read once.
//!
//! ```text
//!  segment  magic (8) │ version (u32) │ length of what follows the checksum (u32) │ checksum (u64) │
//!           shape (u64) │ id (16) │ made (i64) │ sensor │ number of sources (u32) │ source …
//!           frame …
//!  frame    mark (4) │ epoch (u32) │ rows (u32) │ unpacked bytes (u32) │ packed bytes (u32) │ checksum of them (u64) │
//!           checksum of the above (u64) │ rows, packed and compressed
//! ```
//!
//! Numbers are little-endian. The checksum of a frame's header is seeded with the id of the segment and covers its place in
//! the file: what somebody sent through a captured flow is never taken for a frame, however a file is damaged.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use lz4_flex::block;
use schemas::batch::{Counts, Records};
use schemas::column::Names;
use schemas::envelope::Nanoseconds;
use schemas::packed::{self, Piece};
use sha2::{Digest, Sha256};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::disk::Disk;
use crate::output::folder::{make_file, sync_folder};

/// What a segment says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Random: tells the segment from all others, and seeds the checksums.
    pub id: [u8; 16],
    /// When it was made, nanoseconds since 1970 UTC.
    pub made: i64,
    /// The sensor, and what its rows are from.
    pub names: Names,
}

/// Packed rows on their way to a segment.
#[derive(Debug)]
pub struct Frame {
    /// Room for the header, then the rows.
    bytes: Vec<u8>,
    unpacked: u32,
    /// Rows by table.
    pub rows: Counts,
    /// Greatest `ts`.
    pub newest: Nanoseconds,
}

/// A segment that is written.
#[derive(Debug)]
pub struct Writer {
    file: File,
    path: PathBuf,
    seed: u64,
    epoch: u32,
    /// Bytes that are on disk for sure.
    length: u64,
    /// Whether there may be something behind them.
    is_torn: bool,
}

/// A segment that is read.
#[derive(Debug)]
pub struct Segment {
    file: File,
    path: PathBuf,
    header: Header,
    /// Bytes of the header.
    start: u64,
    length: u64,
}

/// Why a segment is not read.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The disk fails; it may be better later.
    #[error(transparent)]
    Disk(#[from] io::Error),
    /// Its making was not finished: nothing was ever in it.
    #[error("it was never finished")]
    Unfinished,
    /// Its rows are of another version of the program.
    #[error("it was written by another version of spanlake, which alone can read it")]
    OtherVersion,
    /// It is none, or its header is damaged.
    #[error("it is damaged, or no segment of a journal")]
    Damaged,
}

/// The frames of a segment, one behind the other.
#[derive(Debug)]
pub struct Frames<'a> {
    segment: &'a Segment,
    at: u64,
    packed: Vec<u8>,
    unpacked: Vec<u8>,
    damage: Damage,
}

/// What of a segment could not be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Bytes.
    pub bytes: u64,
    /// Rows of frames whose header could be read.
    pub rows: u64,
}

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FrameHeader {
    /// Frames of one epoch follow each other.
    epoch: u32,
    rows: u32,
    unpacked: u32,
    packed: u32,
    checksum: u64,
}

/// What rows of this version look like.
static SHAPE: LazyLock<u64> = LazyLock::new(|| xxh3_64(packed::shape().as_bytes()));

impl Header {
    /// Of a new segment.
    pub fn new(names: &Names) -> io::Result<Self> {
        let mut id = [0; 16];
        io::Read::read_exact(&mut File::open("/dev/urandom")?, &mut id)?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Ok(Self { id, made: i64::try_from(now.as_nanos()).unwrap_or(i64::MAX), names: names.clone() })
    }

    /// What names the files of the lake that the segment becomes.
    pub fn input_hash(&self) -> String {
        let mut hash = Sha256::new();
        hash.update((self.names.sensor.len() as u64).to_le_bytes());
        hash.update(&self.names.sensor);
        hash.update(b"journal");
        hash.update(self.id);
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Name of the file: in the order of their making, with the hash for whoever asks what is not yet published.
    pub fn file_name(&self) -> String {
        format!("{:020}-{}{EXTENSION}", self.made.max(0), self.input_hash())
    }

    fn seed(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.id;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    fn encode(&self) -> Vec<u8> {
        let mut body = SHAPE.to_le_bytes().to_vec();
        body.extend_from_slice(&self.id);
        body.extend_from_slice(&self.made.to_le_bytes());
        let text = |text: &str, body: &mut Vec<u8>| {
            body.extend_from_slice(&(text.len() as u32).to_le_bytes());
            body.extend_from_slice(text.as_bytes());
        };
        text(&self.names.sensor, &mut body);
        body.extend_from_slice(&(self.names.sources.len() as u32).to_le_bytes());
        self.names.sources.iter().for_each(|source| text(source, &mut body));
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&(body.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&xxh3_64(&body).to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    /// The header, and how many bytes it has.
    fn read(file: &File, length: u64) -> Result<(Self, u64), Refusal> {
        if length <= MAX_HEADER && is_blank(file, length)? {
            return Err(Refusal::Unfinished);
        }
        let mut fixed = [0; FIXED];
        if length < FIXED as u64 {
            return Err(Refusal::Damaged);
        }
        file.read_exact_at(&mut fixed, 0)?;
        let mut fixed = Cursor(&fixed);
        if fixed.array() != Some(*MAGIC) {
            return Err(Refusal::Damaged);
        }
        let (Some(version), Some(size), Some(checksum)) = (fixed.u32(), fixed.u32(), fixed.u64()) else {
            return Err(Refusal::Damaged);
        };
        if version != VERSION {
            return Err(Refusal::OtherVersion);
        }
        let end = FIXED as u64 + u64::from(size);
        if u64::from(size) > MAX_HEADER || end > length {
            return Err(Refusal::Damaged);
        }
        let mut body = vec![0; size as usize];
        file.read_exact_at(&mut body, FIXED as u64)?;
        if xxh3_64(&body) != checksum {
            return Err(Refusal::Damaged);
        }
        let mut body = Cursor(&body);
        if body.u64() != Some(*SHAPE) {
            return Err(Refusal::OtherVersion);
        }
        Self::decode(&mut body).map(|header| (header, end)).ok_or(Refusal::Damaged)
    }

    fn decode(body: &mut Cursor<'_>) -> Option<Self> {
        let id = body.array()?;
        let made = i64::from_le_bytes(body.array()?);
        let sensor = body.text()?;
        let sources = (0..body.u32()?).map(|_| body.text()).collect::<Option<_>>()?;
        Some(Self { id, made, names: Names { sensor, sources } })
    }
}

impl Frame {
    /// Compresses packed rows.
    pub fn new(piece: &Piece, newest: Nanoseconds) -> Self {
        let mut bytes = vec![0; FRAME_HEADER + block::get_maximum_output_size(piece.bytes.len())];
        let room = bytes.get_mut(FRAME_HEADER..).unwrap_or_default();
        // There is room for whatever comes out.
        let packed = block::compress_into(&piece.bytes, room).unwrap_or_default();
        bytes.truncate(FRAME_HEADER + packed);
        bytes.shrink_to_fit();
        Self { bytes, unpacked: piece.bytes.len() as u32, rows: piece.rows, newest }
    }

    /// Bytes, in memory and on disk.
    pub fn length(&self) -> usize {
        self.bytes.len()
    }

    /// Writes the header.
    fn seal(&mut self, seed: u64, epoch: u32, at: u64) {
        let Some((header, rows)) = self.bytes.split_first_chunk_mut::<FRAME_HEADER>() else { return };
        let header_of = FrameHeader {
            epoch,
            rows: self.rows.iter().sum::<u64>() as u32,
            unpacked: self.unpacked,
            packed: rows.len() as u32,
            checksum: xxh3_64_with_seed(rows, seed),
        };
        *header = header_of.encode(seed, at);
    }
}

impl FrameHeader {
    fn encode(&self, seed: u64, at: u64) -> [u8; FRAME_HEADER] {
        let mut bytes = [0; FRAME_HEADER];
        let parts = [
            &MARK[..],
            &self.epoch.to_le_bytes(),
            &self.rows.to_le_bytes(),
            &self.unpacked.to_le_bytes(),
            &self.packed.to_le_bytes(),
            &self.checksum.to_le_bytes(),
        ];
        let mut place = bytes.iter_mut();
        parts.into_iter().flatten().zip(&mut place).for_each(|(byte, place)| *place = *byte);
        let sum = Self::sum(&bytes, seed, at).to_le_bytes();
        if let Some(place) = bytes.last_chunk_mut() {
            *place = sum;
        }
        bytes
    }

    /// None where the bytes are no header of this segment at this place.
    fn decode(bytes: &[u8; FRAME_HEADER], seed: u64, at: u64) -> Option<Self> {
        let mut cursor = Cursor(bytes);
        if cursor.array()? != *MARK {
            return None;
        }
        let header = Self {
            epoch: cursor.u32()?,
            rows: cursor.u32()?,
            unpacked: cursor.u32()?,
            packed: cursor.u32()?,
            checksum: cursor.u64()?,
        };
        (cursor.u64()? == Self::sum(bytes, seed, at)).then_some(header)
    }

    fn sum(bytes: &[u8; FRAME_HEADER], seed: u64, at: u64) -> u64 {
        let summed = bytes.first_chunk::<{ FRAME_HEADER - 8 }>().unwrap_or(&[0; FRAME_HEADER - 8]);
        xxh3_64_with_seed(summed, seed.wrapping_add(at))
    }
}

impl Writer {
    /// Makes a segment; it and its name are on disk then.
    pub fn create(folder: &Path, names: &Names, disk: &dyn Disk) -> io::Result<Self> {
        let header = Header::new(names)?;
        let path = folder.join(header.file_name());
        let bytes = header.encode();
        let made = || {
            let file = make_file(&path)?;
            disk.write(&file, &bytes, 0)?;
            disk.sync(&file)?;
            sync_folder(folder)?;
            Ok(file)
        };
        match made() {
            Ok(file) => Ok(Self {
                file,
                path,
                seed: header.seed(),
                epoch: 0,
                length: bytes.len() as u64,
                is_torn: false,
            }),
            Err(error) => {
                // What stays is taken for unfinished at the next start.
                let _ = std::fs::remove_file(&path);
                Err(error)
            }
        }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes on disk.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Whether the file has still its name.
    pub fn is_there(&self) -> bool {
        self.file.metadata().map_or(true, |metadata| metadata.nlink() > 0)
    }

    /// Appends frames as one epoch, all or none of them: they are on disk then.
    pub fn append(&mut self, frames: &mut [Frame], disk: &dyn Disk) -> io::Result<()> {
        self.mend(disk)?;
        self.is_torn = true;
        let mut at = self.length;
        for frame in frames {
            frame.seal(self.seed, self.epoch, at);
            disk.write(&self.file, &frame.bytes, at)?;
            at += frame.bytes.len() as u64;
        }
        disk.sync(&self.file)?;
        self.is_torn = false;
        self.length = at;
        self.epoch = self.epoch.wrapping_add(1);
        Ok(())
    }

    /// Cuts off what was half-written. Until that is done for sure the segment must not be left for another one: rows
    /// would be in both.
    pub fn mend(&mut self, disk: &dyn Disk) -> io::Result<()> {
        if self.is_torn {
            disk.truncate(&self.file, self.length)?;
            self.is_torn = false;
        }
        Ok(())
    }
}

impl Segment {
    /// Opens a segment and reads its header.
    pub fn open(path: &Path) -> Result<Self, Refusal> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let (header, start) = Header::read(&file, length)?;
        Ok(Self { file, path: path.to_path_buf(), header, start, length })
    }

    /// What it says of itself.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Its rows.
    pub fn frames(&self) -> Frames<'_> {
        Frames {
            segment: self,
            at: self.start,
            packed: Vec::new(),
            unpacked: Vec::new(),
            damage: Damage::default(),
        }
    }

    fn header_at(&self, at: u64) -> io::Result<Option<FrameHeader>> {
        if at + FRAME_HEADER as u64 > self.length {
            return Ok(None);
        }
        let mut bytes = [0; FRAME_HEADER];
        self.file.read_exact_at(&mut bytes, at)?;
        let header = FrameHeader::decode(&bytes, self.header.seed(), at);
        Ok(header.filter(|header| header.end(at) <= self.length))
    }

    /// The place of the first frame from `at` on; the end of the file where there is none.
    fn find(&self, mut at: u64) -> io::Result<u64> {
        let mut window = vec![0; WINDOW];
        while at + FRAME_HEADER as u64 <= self.length {
            let length = usize::try_from(self.length - at).map_or(WINDOW, |rest| rest.min(WINDOW));
            let bytes = window.get_mut(..length).unwrap_or_default();
            self.file.read_exact_at(bytes, at)?;
            for place in bytes.windows(MARK.len()).enumerate().filter(|(_, bytes)| bytes == MARK) {
                let place = at + place.0 as u64;
                if self.header_at(place)?.is_some() {
                    return Ok(place);
                }
            }
            // A mark may lie across the end of the window.
            at += (length - MARK.len() + 1) as u64;
        }
        Ok(self.length)
    }
}

impl FrameHeader {
    fn end(&self, at: u64) -> u64 {
        at + FRAME_HEADER as u64 + u64::from(self.packed)
    }
}

impl Frames<'_> {
    /// The rows of the next epoch, or of its next part where they hold more than `most` bytes; none at the end.
    pub fn next_epoch(&mut self, most: usize) -> io::Result<Option<Records>> {
        let mut rows = Records::default();
        let mut epoch = None;
        while let Some(header) = self.next_header()?
            && epoch.is_none_or(|epoch| epoch == header.epoch)
            && rows.held() < most
        {
            epoch = Some(header.epoch);
            self.read(header, &mut rows)?;
        }
        Ok(epoch.map(|_| rows))
    }

    /// The header of the next frame, behind what is damaged; none at the end.
    fn next_header(&mut self) -> io::Result<Option<FrameHeader>> {
        let header = self.segment.header_at(self.at)?;
        if header.is_some() || self.at >= self.segment.length {
            return Ok(header);
        }
        let next = self.segment.find(self.at + 1)?;
        self.damage.bytes += next - self.at;
        self.at = next;
        self.segment.header_at(next)
    }

    /// Appends the rows of the frame that [`Frames::next_header`] found, if they are as they were written.
    fn read(&mut self, header: FrameHeader, rows: &mut Records) -> io::Result<()> {
        let (start, end) = (self.at + FRAME_HEADER as u64, header.end(self.at));
        self.packed.resize(header.packed as usize, 0);
        self.segment.file.read_exact_at(&mut self.packed, start)?;
        if self.unpack(header, rows).is_none() {
            self.damage.bytes += end - self.at;
            self.damage.rows += u64::from(header.rows);
        }
        self.at = end;
        Ok(())
    }

    /// What could not be read so far.
    pub fn damage(&self) -> Damage {
        self.damage
    }

    fn unpack(&mut self, header: FrameHeader, rows: &mut Records) -> Option<()> {
        if xxh3_64_with_seed(&self.packed, self.segment.header.seed()) != header.checksum {
            return None;
        }
        let most = self.packed.len().saturating_mul(MAX_RATIO);
        if header.unpacked as usize > most {
            return None;
        }
        self.unpacked.resize(header.unpacked as usize, 0);
        let length = block::decompress_into(&self.packed, &mut self.unpacked).ok()?;
        rows.unpack(self.unpacked.get(..length)?).ok()?;
        Some(())
    }
}

/// Whether a file holds nothing but zeros, or nothing: its making was not finished when the power went.
fn is_blank(file: &File, length: u64) -> io::Result<bool> {
    let mut bytes = vec![0; length.min(MAX_HEADER) as usize];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes.iter().all(|&byte| byte == 0))
}

/// Little-endian numbers from the front of bytes.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    fn text(&mut self) -> Option<String> {
        let length = self.u32()? as usize;
        let (text, rest): (&'a [u8], _) = self.0.split_at_checked(length)?;
        self.0 = rest;
        String::from_utf8(text.to_vec()).ok()
    }
}

/// How names of segments end.
pub const EXTENSION: &str = ".segment";

/// What a segment begins with.
const MAGIC: &[u8; 8] = b"SPANJRNL";

/// Version of the format around the rows.
const VERSION: u32 = 1;

/// Bytes of the header's fixed part.
const FIXED: usize = 24;

/// Bytes of the longest header: 65,536 sources with names of 255 bytes.
const MAX_HEADER: u64 = 17 << 20;

/// What a frame begins with.
const MARK: &[u8; 4] = b"\xf5row";

/// Bytes of a frame's header.
const FRAME_HEADER: usize = 36;

/// LZ4 does not compress better than this, so what says so is damaged.
const MAX_RATIO: usize = 255;

/// Bytes that are searched at a time for the next frame.
const WINDOW: usize = 64 << 10;

#[cfg(test)]
mod tests;
