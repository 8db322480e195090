//! Facts of Windows executables (Portable Executable), gathered while their bytes go by.
//!
//! A [`Collector`] keeps the headers, and of the rest only what the import directory needs: at most [`MAX_HEADERS`] and
//! [`MAX_KEPT`] bytes, grown as they come. What is asked for beyond that is answered with nothing, never with a guess.

mod imports;
mod ordinals;

use std::borrow::Cow;

use object::read::pe::{ImageNtHeaders, ImageOptionalHeader};
use object::{LittleEndian as LE, ReadRef, pe};

/// Headers and section table must end within so many bytes.
pub const MAX_HEADERS: usize = 64 * 1024;

/// Bytes kept for the sake of imports.
pub const MAX_KEPT: u64 = 1024 * 1024;

/// Names of sections told: Windows loads no file with more sections.
pub const MAX_SECTIONS: usize = 96;

/// What is told of an executable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The processor, `AMD64`, `I386`, …: the constant `IMAGE_FILE_MACHINE_` without its beginning; hexadecimal where
    /// it is none.
    pub machine: Cow<'static, str>,
    /// When it was linked, by its own account: seconds since 1970. With reproducible builds a hash.
    pub compile_ts: u32,
    /// `WINDOWS_GUI`, `WINDOWS_CUI`, `NATIVE`, …: as for `machine`.
    pub subsystem: Cow<'static, str>,
    /// A library.
    pub is_dll: bool,
    /// PE32+.
    pub is_64bit: bool,
    /// There is a table of certificates. Nothing is verified.
    pub is_signed: bool,
    /// `DYNAMIC_BASE`.
    pub uses_aslr: bool,
    /// `NX_COMPAT`.
    pub uses_dep: bool,
    /// MD5 over the imports in their order, as `pefile` computes it. None without imports, and where the bytes they
    /// are in were not all there.
    pub imphash: Option<[u8; 16]>,
    /// Names of the sections, at most [`MAX_SECTIONS`].
    pub sections: Vec<SectionName>,
}

/// The name of a section, as it stands in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SectionName([u8; 8]);

impl SectionName {
    /// The name without the zeros behind it.
    pub fn as_bytes(&self) -> &[u8] {
        let end = self.0.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        self.0.get(..end).unwrap_or_default()
    }
}

/// Gathers the facts of a file whose bytes arrive in order.
#[derive(Clone, Debug, Default)]
pub struct Collector {
    /// Bytes that went by.
    position: u64,
    stage: Stage,
}

#[derive(Clone, Debug, Default)]
enum Stage {
    /// The headers so far.
    #[default]
    Begin,
    Headers(Vec<u8>),
    /// Headers are known; ranges of the file are kept.
    Ranges(Box<Layout>),
    /// No executable.
    Other,
}

/// What the headers say.
#[derive(Clone, Debug)]
struct Layout {
    headers: Vec<u8>,
    facts: Facts,
    sections: Vec<Section>,
    /// Address of the import directory, if there is one.
    imports: Option<u32>,
    ranges: Vec<Range>,
    /// Where the last range ends.
    last: u64,
}

/// Bytes of the file that are kept.
#[derive(Clone, Debug)]
struct Range {
    begin: u64,
    end: u64,
    bytes: Vec<u8>,
}

/// Where a section lies in the file and in memory.
#[derive(Clone, Copy, Debug)]
struct Section {
    /// As the loader rounds it.
    address: u64,
    virtual_size: u64,
    raw_size: u64,
    /// As it stands in the table.
    pointer: u64,
    /// As the loader rounds it.
    begin: u64,
}

impl Collector {
    /// A collector of a file's first byte and all that follow. Holds nothing before them.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing that follows can matter any more.
    pub fn is_done(&self) -> bool {
        match &self.stage {
            Stage::Begin | Stage::Headers(_) => false,
            Stage::Ranges(layout) => self.position >= layout.last,
            Stage::Other => true,
        }
    }

    /// Bytes of memory that it holds.
    pub fn held(&self) -> usize {
        match &self.stage {
            Stage::Begin | Stage::Other => 0,
            Stage::Headers(headers) => headers.capacity(),
            Stage::Ranges(layout) => {
                size_of::<Layout>()
                    + layout.headers.capacity()
                    + layout.sections.capacity() * size_of::<Section>()
                    + layout.ranges.iter().map(|range| range.bytes.capacity()).sum::<usize>()
            }
        }
    }

    /// Takes the next bytes of the file.
    pub fn update(&mut self, bytes: &[u8]) {
        let begin = self.position;
        self.position += bytes.len() as u64;
        if let Stage::Begin = self.stage
            && !bytes.is_empty()
        {
            self.stage = Stage::Headers(Vec::new());
        }
        let mut rest = bytes;
        while let Stage::Headers(headers) = &mut self.stage {
            match wanted(headers) {
                Some(length) if length > MAX_HEADERS => self.stage = Stage::Other,
                Some(length) if headers.len() < length => {
                    let (taken, others) =
                        rest.split_at_checked(length - headers.len()).unwrap_or((rest, &[]));
                    if taken.is_empty() {
                        return;
                    }
                    headers.extend_from_slice(taken);
                    rest = others;
                }
                Some(_) => {
                    let headers = std::mem::take(headers);
                    self.stage = match Layout::new(headers) {
                        Some(mut layout) => {
                            for range in &mut layout.ranges {
                                range.keep(0, &layout.headers);
                            }
                            Stage::Ranges(Box::new(layout))
                        }
                        None => Stage::Other,
                    };
                }
                None => self.stage = Stage::Other,
            }
        }
        if let Stage::Ranges(layout) = &mut self.stage {
            for range in &mut layout.ranges {
                range.keep(begin, bytes);
            }
        }
    }

    /// The facts; none of what is no executable, or ended within its headers. `complete` says that the bytes were the
    /// whole file: without, a table that runs over their end is unknown, not broken.
    pub fn finish(self, complete: bool) -> Option<Facts> {
        let layout = match self.stage {
            Stage::Ranges(layout) => layout,
            // The loader takes what a tiny file leaves out for zeros.
            Stage::Headers(mut headers) if complete => {
                while let Some(length) = wanted(&headers)
                    && headers.len() < length
                {
                    if length > MAX_HEADERS {
                        return None;
                    }
                    headers.resize(length, 0);
                }
                wanted(&headers)?;
                Box::new(Layout::new(headers)?)
            }
            _ => return None,
        };
        let imphash = imports::hash(&imports::Image::new(&layout, self.position, complete));
        Some(Facts { imphash, ..layout.facts })
    }
}

/// How many bytes of the headers must be there for the next look at them: when that many are there, all are. None
/// where they are those of no executable.
fn wanted(headers: &[u8]) -> Option<usize> {
    const DOS: usize = 64;
    const FILE: usize = 24;
    if !b"MZ".starts_with(headers.get(..2).unwrap_or(headers)) {
        return None;
    }
    let Some(pointer) = headers.get(60..DOS).and_then(|bytes| bytes.first_chunk()) else {
        return Some(if headers.len() < 2 { 2 } else { DOS });
    };
    let begin = usize::try_from(u32::from_le_bytes(*pointer)).ok()?;
    let Some(file) = headers.get(begin..).and_then(|bytes| bytes.first_chunk::<FILE>()) else {
        return begin.checked_add(FILE);
    };
    let &[b'P', b'E', 0, 0, _, _, a, b, _, _, _, _, _, _, _, _, _, _, _, _, c, d, _, _] = file else {
        return None;
    };
    let sections = usize::from(u16::from_le_bytes([a, b]));
    let optional = usize::from(u16::from_le_bytes([c, d]));
    // Directories are read where they should be, even if the size of the header leaves them out.
    let fixed = size_of::<pe::ImageOptionalHeader64>() + DIRECTORIES * size_of::<pe::ImageDataDirectory>();
    begin.checked_add(FILE + fixed.max(optional + sections * pe::IMAGE_SIZEOF_SECTION_HEADER))
}

/// Data directories that Windows knows.
const DIRECTORIES: usize = 16;

impl Layout {
    /// Reads headers that are there as far as [`wanted`] says.
    fn new(headers: Vec<u8>) -> Option<Self> {
        let data = headers.as_slice();
        let begin: u64 = data.read_at::<pe::ImageDosHeader>(0).ok()?.nt_headers_offset().into();
        // Both kinds begin alike.
        let nt = data.read_at::<pe::ImageNtHeaders32>(begin).ok()?;
        match nt.optional_header.magic.get(LE) {
            pe::IMAGE_NT_OPTIONAL_HDR64_MAGIC => {
                let nt = data.read_at::<pe::ImageNtHeaders64>(begin).ok()?;
                Self::read(data, begin, nt).map(|layout| Self { headers, ..layout })
            }
            pe::IMAGE_NT_OPTIONAL_HDR32_MAGIC => {
                Self::read(data, begin, nt).map(|layout| Self { headers, ..layout })
            }
            _ => None,
        }
    }

    fn read<Nt: ImageNtHeaders>(data: &[u8], begin: u64, nt: &Nt) -> Option<Self> {
        let (file, optional) = (nt.file_header(), nt.optional_header());
        let number = (optional.number_of_rva_and_sizes() as usize).min(DIRECTORIES);
        let directories =
            data.read_slice_at::<pe::ImageDataDirectory>(begin + size_of::<Nt>() as u64, number).ok()?;
        let directory = |index: usize| {
            let entry = directories.get(index)?;
            let (address, size) = (entry.virtual_address.get(LE), entry.size.get(LE));
            (address != 0).then_some((address, size))
        };
        let table = begin + 24 + u64::from(file.size_of_optional_header.get(LE));
        let table = data
            .read_slice_at::<pe::ImageSectionHeader>(table, usize::from(file.number_of_sections.get(LE)))
            .ok()?;
        let alignment = (optional.section_alignment(), optional.file_alignment());
        let sections: Vec<_> = table.iter().map(|header| Section::new(header, alignment)).collect();

        let characteristics = optional.dll_characteristics().0;
        let facts = Facts {
            machine: name(MACHINES, file.machine.get(LE).0),
            compile_ts: file.time_date_stamp.get(LE),
            subsystem: name(SUBSYSTEMS, optional.subsystem().0),
            is_dll: file.characteristics.get(LE).0 & pe::IMAGE_FILE_DLL.0 != 0,
            is_64bit: nt.is_type_64(),
            is_signed: directory(pe::IMAGE_DIRECTORY_ENTRY_SECURITY).is_some_and(|(_, size)| size > 0),
            uses_aslr: characteristics & pe::IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE.0 != 0,
            uses_dep: characteristics & pe::IMAGE_DLLCHARACTERISTICS_NX_COMPAT.0 != 0,
            imphash: None,
            sections: table.iter().take(MAX_SECTIONS).map(|header| SectionName(header.name)).collect(),
        };
        let imports = directory(pe::IMAGE_DIRECTORY_ENTRY_IMPORT).map(|(address, _)| address);
        let addresses = directory(pe::IMAGE_DIRECTORY_ENTRY_IAT);
        let ranges = imports.map(|imports| kept(&sections, imports, addresses)).unwrap_or_default();
        let last = ranges.iter().map(|range| range.end).max().unwrap_or(0);
        Some(Self { headers: Vec::new(), facts, sections, imports, ranges, last })
    }
}

/// The ranges of the file that the imports are likely to be in: all of a small one, else their section, or as much of
/// it as is allowed around the directory, and the addresses that the loader fills in, which say the same where there are no lookup tables.
fn kept(sections: &[Section], imports: u32, addresses: Option<(u32, u32)>) -> Vec<Range> {
    const BEFORE: u64 = 128 * 1024;
    const ADDRESSES: u64 = 64 * 1024;
    const ROOM: u64 = MAX_KEPT - ADDRESSES;
    let place = |address: u32| match sections.iter().find(|section| section.holds(address.into(), None)) {
        Some(section) => {
            let offset = (u64::from(address) - section.address).saturating_add(section.begin);
            (offset, section.begin, section.pointer.max(section.begin).saturating_add(section.raw_size))
        }
        // Outside of all sections an address is a place in the file.
        None => (address.into(), address.into(), u64::from(address) + ADDRESSES),
    };
    let (offset, begin, end) = place(imports);
    // A small file is kept whole: it is there that tables are scattered over all sections.
    let ends =
        sections.iter().map(|section| section.pointer.max(section.begin).saturating_add(section.raw_size));
    let last = ends.chain([end]).max().unwrap_or(end);
    if last <= MAX_KEPT {
        return vec![Range::new(0, last)];
    }
    let begin =
        if end.saturating_sub(begin) <= ROOM { begin } else { begin.max(offset.saturating_sub(BEFORE)) };
    let mut ranges = vec![Range::new(begin, end.min(begin.saturating_add(ROOM)))];
    if let Some((address, size)) = addresses {
        let (offset, _, end) = place(address);
        let end = end.min(offset.saturating_add(u64::from(size).min(ADDRESSES)));
        if ranges.iter().all(|range| offset < range.begin || end > range.end) {
            ranges.push(Range::new(offset, end));
        }
    }
    ranges
}

impl Range {
    fn new(begin: u64, end: u64) -> Self {
        Self { begin, end, bytes: Vec::new() }
    }

    /// Takes what is in the range of bytes that begin at `offset`.
    fn keep(&mut self, offset: u64, bytes: &[u8]) {
        let next = self.begin + self.bytes.len() as u64;
        if next >= self.end || offset > next {
            return;
        }
        let skipped = usize::try_from(next - offset).unwrap_or(usize::MAX);
        let length = usize::try_from(self.end - next).unwrap_or(usize::MAX);
        let bytes = bytes.get(skipped..).unwrap_or_default();
        self.bytes.extend_from_slice(bytes.get(..length).unwrap_or(bytes));
    }
}

impl Section {
    fn new(header: &pe::ImageSectionHeader, (alignment, file_alignment): (u32, u32)) -> Self {
        let address = header.virtual_address.get(LE);
        let pointer = header.pointer_to_raw_data.get(LE);
        // Pages are smallest; below them sections are aligned as the file is. In a file, sectors are.
        let alignment = if alignment < 0x1000 { file_alignment } else { alignment };
        let rounded = if alignment == 0 { address } else { address - address % alignment };
        let begin = if file_alignment < 0x200 { pointer } else { pointer - pointer % 0x200 };
        Self {
            address: rounded.into(),
            virtual_size: header.virtual_size.get(LE).into(),
            raw_size: header.size_of_raw_data.get(LE).into(),
            pointer: pointer.into(),
            begin: begin.into(),
        }
    }

    /// Whether an address is in the section, whose data is cut off where a file of `length` bytes ends.
    fn holds(&self, address: u64, length: Option<u64>) -> bool {
        let cut = length.is_some_and(|length| length.saturating_sub(self.begin) < self.raw_size);
        let size = if cut { self.virtual_size } else { self.raw_size.max(self.virtual_size) };
        address >= self.address && address - self.address < size
    }
}

/// The name of a value; hexadecimal for others.
fn name(names: &[(u16, &'static str)], value: u16) -> Cow<'static, str> {
    match names.iter().find(|(known, _)| *known == value) {
        Some((_, name)) => Cow::Borrowed(*name),
        None => Cow::Owned(format!("{value:#06x}")),
    }
}

/// `IMAGE_FILE_MACHINE_…`
static MACHINES: &[(u16, &str)] = &[
    (0x0000, "UNKNOWN"),
    (0x014c, "I386"),
    (0x8664, "AMD64"),
    (0x01c0, "ARM"),
    (0x01c4, "ARMNT"),
    (0xaa64, "ARM64"),
    (0xa641, "ARM64EC"),
    (0xa64e, "ARM64X"),
    (0x0200, "IA64"),
    (0x0ebc, "EBC"),
    (0x01c2, "THUMB"),
    (0x0162, "R3000"),
    (0x0166, "R4000"),
    (0x0168, "R10000"),
    (0x0169, "WCEMIPSV2"),
    (0x0184, "ALPHA"),
    (0x0284, "ALPHA64"),
    (0x01a2, "SH3"),
    (0x01a3, "SH3DSP"),
    (0x01a6, "SH4"),
    (0x01a8, "SH5"),
    (0x01d3, "AM33"),
    (0x01f0, "POWERPC"),
    (0x01f1, "POWERPCFP"),
    (0x0266, "MIPS16"),
    (0x0366, "MIPSFPU"),
    (0x0466, "MIPSFPU16"),
    (0x5032, "RISCV32"),
    (0x5064, "RISCV64"),
    (0x5128, "RISCV128"),
    (0x6232, "LOONGARCH32"),
    (0x6264, "LOONGARCH64"),
    (0x9041, "M32R"),
];

/// `IMAGE_SUBSYSTEM_…`
static SUBSYSTEMS: &[(u16, &str)] = &[
    (0, "UNKNOWN"),
    (1, "NATIVE"),
    (2, "WINDOWS_GUI"),
    (3, "WINDOWS_CUI"),
    (5, "OS2_CUI"),
    (7, "POSIX_CUI"),
    (8, "NATIVE_WINDOWS"),
    (9, "WINDOWS_CE_GUI"),
    (10, "EFI_APPLICATION"),
    (11, "EFI_BOOT_SERVICE_DRIVER"),
    (12, "EFI_RUNTIME_DRIVER"),
    (13, "EFI_ROM"),
    (14, "XBOX"),
    (16, "WINDOWS_BOOT_APPLICATION"),
];

#[cfg(test)]
mod tests;
