//! The import directory, walked as `pefile` walks it: import hashes are compared with those that others computed.

use std::collections::HashSet;

use sha2::Digest;

use super::{Layout, Section, ordinals};

/// Entries of import tables that are read, of all libraries together. `pefile` gives up at the same number.
const MAX_ENTRIES: usize = 0x2000;

/// Libraries whose names are read.
const MAX_LIBRARIES: usize = 0x1000;

/// The longest name of a function or a library.
const MAX_NAME: u64 = 0x200;

/// Why bytes cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lack {
    /// There are none at that address.
    Invalid,
    /// There may be, but they are not at hand.
    Unknown,
}

/// A file as the loader sees it, as far as it was kept.
pub(super) struct Image<'a> {
    layout: &'a Layout,
    length: u64,
    complete: bool,
}

impl<'a> Image<'a> {
    pub(super) fn new(layout: &'a Layout, length: u64, complete: bool) -> Self {
        Self { layout, length, complete }
    }

    /// At most `length` bytes at an address: fewer at the end of a section or of the file. And whether that is why
    /// there are fewer, or because no more were kept.
    fn bytes(&self, address: u64, length: u64) -> Result<(&'a [u8], bool), Lack> {
        let (offset, end) = match self.section(address) {
            Some(section) => {
                let offset = section.begin.saturating_add(address - section.address);
                let end = section.pointer.saturating_add(section.raw_size);
                (offset, end.min(offset.saturating_add(length)))
            }
            None => (address, address.saturating_add(length)),
        };
        let end = if self.complete { end.min(self.length) } else { end };
        let wanted = usize::try_from(end.saturating_sub(offset)).map_err(|_| Lack::Invalid)?;
        if wanted == 0 {
            return if self.complete || end <= offset { Err(Lack::Invalid) } else { Err(Lack::Unknown) };
        }
        let ranges = self.layout.ranges.iter().map(|range| (range.begin, range.bytes.as_slice()));
        let most = std::iter::once((0, self.layout.headers.as_slice()))
            .chain(ranges)
            .filter_map(|(begin, bytes)| {
                let bytes = bytes.get(usize::try_from(offset.checked_sub(begin)?).ok()?..)?;
                Some(bytes.get(..wanted).unwrap_or(bytes))
            })
            .max_by_key(|bytes| bytes.len())
            .unwrap_or_default();
        if most.is_empty() { Err(Lack::Unknown) } else { Ok((most, most.len() == wanted)) }
    }

    /// The section that an address is in.
    fn section(&self, address: u64) -> Option<&'a Section> {
        let known = self.complete.then_some(self.length);
        let holds = |(place, section): &(usize, &Section)| {
            section.holds(address, known) && self.before_next(*place, section, address)
        };
        self.layout.sections.iter().enumerate().find(holds).map(|(_, section)| section)
    }

    /// Whether there is anything at an address, were it zeros that are in no file.
    fn has(&self, address: u64) -> Result<bool, Lack> {
        if self.section(address).is_some() || address < self.length {
            Ok(true)
        } else if self.complete {
            Ok(false)
        } else {
            Err(Lack::Unknown)
        }
    }

    /// Whether an address in a section lies before the one that begins next.
    fn before_next(&self, place: usize, section: &Section, address: u64) -> bool {
        let next = self.layout.sections.get(place + 1).map(|next| next.address);
        next.is_none_or(|next| next <= section.address || address < next)
    }

    fn array<const N: usize>(&self, address: u64) -> Result<[u8; N], Lack> {
        let (bytes, all) = self.bytes(address, N as u64)?;
        let lack = if all { Lack::Invalid } else { Lack::Unknown };
        bytes.first_chunk().copied().ok_or(lack)
    }

    /// A string up to its zero.
    fn string(&self, address: u64) -> Result<&'a [u8], Lack> {
        let (bytes, all) = match self.bytes(address, MAX_NAME) {
            Ok(found) => found,
            Err(Lack::Invalid) => return Ok(&[]),
            Err(Lack::Unknown) => return Err(Lack::Unknown),
        };
        match memchr::memchr(0, bytes) {
            Some(end) => Ok(bytes.get(..end).unwrap_or_default()),
            None if all => Ok(bytes),
            None => Err(Lack::Unknown),
        }
    }
}

/// The import hash. None without imports, and where not all of them can be read.
pub(super) fn hash(image: &Image<'_>) -> Option<[u8; 16]> {
    let mut names = Names { md5: md5::Md5::new(), any: false };
    walk(image, image.layout.imports?.into(), &mut names).ok()?;
    names.any.then(|| names.md5.finalize().into())
}

/// `library.function` of every import, joined by commas, in lower case.
struct Names {
    md5: md5::Md5,
    any: bool,
}

impl Names {
    fn add(&mut self, library: &[u8], function: &[u8]) {
        if self.any {
            self.md5.update(b",");
        }
        self.any = true;
        self.md5.update(library);
        self.md5.update(b".");
        self.md5.update(function.to_ascii_lowercase());
    }
}

/// What one entry of an import table says.
enum Function<'a> {
    Name(&'a [u8]),
    Ordinal(u16),
}

fn walk(image: &Image<'_>, directory: u64, names: &mut Names) -> Result<(), Lack> {
    let mut entries = 0;
    let mut address = directory;
    for number in 0.. {
        if number == MAX_LIBRARIES {
            return Err(Lack::Unknown);
        }
        let descriptor: [u8; 20] = match image.array(address) {
            Ok(descriptor) => descriptor,
            Err(Lack::Invalid) => return Ok(()),
            Err(Lack::Unknown) => return Err(Lack::Unknown),
        };
        if descriptor == [0; 20] {
            return Ok(());
        }
        address += 20;
        let [a, b, c, d, _, _, _, _, _, _, _, _, e, f, g, h, i, j, k, l] = descriptor;
        let lookup = u64::from(u32::from_le_bytes([a, b, c, d]));
        let name = u64::from(u32::from_le_bytes([e, f, g, h]));
        let bound = u64::from(u32::from_le_bytes([i, j, k, l]));
        // Tables that lie before the descriptor end before it, too.
        let longest = if address > lookup || address > bound {
            address.saturating_sub(lookup.min(bound))
        } else {
            image.length
        };
        let mut table = table(image, lookup, longest, &mut entries)?;
        if table.is_empty() {
            table = self::table(image, bound, longest, &mut entries)?;
        }
        let Some(functions) = functions(image, &table)? else { continue };
        if functions.is_empty() {
            continue;
        }
        let library = image.string(name)?.to_ascii_lowercase();
        if library.is_empty() {
            continue;
        }
        let library = if is_file_name(&library) { library } else { b"*invalid*".to_vec() };
        let stem = [&b".dll"[..], b".ocx", b".sys"].iter().find_map(|ending| library.strip_suffix(*ending));
        let stem = stem.unwrap_or(&library);
        for function in functions {
            match function {
                Function::Name(name) => names.add(stem, name),
                Function::Ordinal(ordinal) => match ordinals::name(&library, ordinal) {
                    Some(name) => names.add(stem, name.as_bytes()),
                    None => names.add(stem, format!("ord{ordinal}").as_bytes()),
                },
            }
        }
    }
    Ok(())
}

/// The entries of a lookup or address table; none where it is no such table.
fn table(image: &Image<'_>, begin: u64, longest: u64, entries: &mut usize) -> Result<Vec<u64>, Lack> {
    const FARTHEST: u64 = 128 << 20;
    const REPEATED: usize = 15;
    let is_64bit = image.layout.facts.is_64bit;
    let width = if is_64bit { 8 } else { 4 };
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    // Least and greatest address, below and from 4 GiB on.
    let mut spans = [None::<(u64, u64)>; 2];
    let mut repeated = 0;
    let mut address = begin;
    while address != 0 && address - begin < longest {
        if *entries > MAX_ENTRIES {
            return Err(Lack::Unknown);
        }
        *entries += 1;
        let too_far = |span: &Option<(u64, u64)>| span.is_some_and(|(least, most)| most - least > FARTHEST);
        if repeated >= REPEATED || spans.iter().any(too_far) {
            return Ok(Vec::new());
        }
        let entry = if is_64bit {
            image.array(address).map(u64::from_le_bytes)
        } else {
            image.array(address).map(|bytes| u32::from_le_bytes(bytes).into())
        };
        let entry = match entry {
            Ok(entry) => entry,
            Err(Lack::Invalid) => return Ok(Vec::new()),
            Err(Lack::Unknown) => return Err(Lack::Unknown),
        };
        if entry == 0 || (begin..=address).contains(&entry) {
            break;
        }
        if is_ordinal(entry, is_64bit) {
            if entry & 0x7fff_ffff > 0xffff {
                return Ok(Vec::new());
            }
        } else {
            if !seen.insert(entry) {
                repeated += 1;
            }
            let [low, high] = &mut spans;
            let span = if entry < 1 << 32 { low } else { high };
            let (least, most) = span.unwrap_or((entry, entry));
            *span = Some((least.min(entry), most.max(entry)));
        }
        address += width;
        found.push(entry);
    }
    Ok(found)
}

fn is_ordinal(entry: u64, is_64bit: bool) -> bool {
    entry & if is_64bit { 1 << 63 } else { 1 << 31 } != 0
}

/// What the entries of a table name; none where one of them names nothing.
fn functions<'a>(image: &Image<'a>, table: &[u64]) -> Result<Option<Vec<Function<'a>>>, Lack> {
    let mut functions = Vec::new();
    for &entry in table {
        if is_ordinal(entry, image.layout.facts.is_64bit) {
            let ordinal = (entry & 0xffff) as u16;
            if ordinal != 0 {
                functions.push(Function::Ordinal(ordinal));
            }
            continue;
        }
        if !image.has(entry)? {
            return Ok(None);
        }
        // A hint of two bytes comes before the name.
        let name = image.string(entry.saturating_add(2))?;
        if !name.is_empty() && name.iter().all(|&byte| is_name(byte)) {
            functions.push(Function::Name(name));
        }
    }
    Ok(Some(functions))
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._?@$()<>".contains(&byte)
}

fn is_file_name(name: &[u8]) -> bool {
    name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'()-@^_`{}~+,.;=[]:\\/".contains(byte))
}
