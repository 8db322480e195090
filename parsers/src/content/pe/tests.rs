//! Built files, of which another reader said what their import hash is, in pieces and broken.

use proptest::prelude::*;

use super::*;

/// Where the only section that matters begins in the file, and in memory.
const RAW: usize = 0x400;
const ADDRESS: u32 = 0x2000;

/// A file of one section with these imports: names, and numbers.
struct Built {
    is_64bit: bool,
    /// Whether there are lookup tables, or only those of addresses.
    lookup: bool,
    /// Bytes between the tables and the names.
    gap: usize,
    imports: &'static [(&'static str, &'static [Import])],
}

enum Import {
    Name(&'static str),
    Number(u16),
}

use Import::{Name, Number};

const IMPORTS: &[(&str, &[Import])] = &[
    ("KERNEL32.dll", &[Name("GetProcAddress"), Name("LoadLibraryA"), Name("ExitProcess")]),
    ("WS2_32.dll", &[Number(115), Number(3), Name("getaddrinfo"), Number(9999)]),
    ("OLEAUT32.DLL", &[Number(2)]),
    ("mfc42.dll", &[Number(1176)]),
    ("some.driver.sys", &[Name("?f@@YAXXZ")]),
    ("other.exe", &[Name("Start_1")]),
];

impl Built {
    fn new(is_64bit: bool) -> Self {
        Self { is_64bit, lookup: true, gap: 0, imports: IMPORTS }
    }

    /// The section: descriptors, tables, names.
    fn section(&self) -> Vec<u8> {
        let width = if self.is_64bit { 8 } else { 4 };
        let mut tables = Vec::new();
        let mut names = Vec::new();
        let mut descriptors = Vec::new();
        let tables_begin = 20 * (self.imports.len() + 1);
        let count: usize = self.imports.iter().map(|(_, functions)| functions.len() + 1).sum();
        let names_begin = tables_begin + count * width + self.gap;
        let at = |offset: usize| ADDRESS + offset as u32;
        for (library, functions) in self.imports {
            let table = at(tables_begin + tables.len());
            for function in *functions {
                let entry = match function {
                    Name(name) => {
                        let place = u64::from(at(names_begin + names.len()));
                        names.extend_from_slice(&[0, 0]);
                        names.extend_from_slice(name.as_bytes());
                        names.push(0);
                        place
                    }
                    Number(number) => u64::from(*number) | 1 << (8 * width - 1),
                };
                tables.extend_from_slice(&entry.to_le_bytes()[..width]);
            }
            tables.extend_from_slice(&[0; 8][..width]);
            let lookup = if self.lookup { table } else { 0 };
            for value in [lookup, 0, 0, at(names_begin + names.len()), table] {
                descriptors.extend_from_slice(&value.to_le_bytes());
            }
            names.extend_from_slice(library.as_bytes());
            names.push(0);
        }
        descriptors.extend_from_slice(&[0; 20]);
        [descriptors, tables, vec![0; self.gap], names].concat()
    }

    fn bytes(&self) -> Vec<u8> {
        let section = self.section();
        let mut file = vec![0; 0x80];
        file[..2].copy_from_slice(b"MZ");
        file[60] = 0x80;
        file.extend_from_slice(b"PE\0\0");
        let (machine, optional) = if self.is_64bit { (0x8664_u16, 240_u16) } else { (0x14c, 224) };
        file.extend_from_slice(&machine.to_le_bytes());
        file.extend_from_slice(&[2, 0]);
        file.extend_from_slice(&1_600_000_000_u32.to_le_bytes());
        file.extend_from_slice(&[0; 8]);
        file.extend_from_slice(&optional.to_le_bytes());
        file.extend_from_slice(&0x2022_u16.to_le_bytes());
        let header = file.len();
        file.resize(header + usize::from(optional), 0);
        let put = |file: &mut Vec<u8>, offset: usize, value: u32| {
            file[header + offset..header + offset + 4].copy_from_slice(&value.to_le_bytes());
        };
        put(&mut file, 0, if self.is_64bit { 0x20b } else { 0x10b });
        put(&mut file, 32, 0x1000);
        put(&mut file, 36, 0x200);
        put(&mut file, 60, RAW as u32);
        put(&mut file, 68, 0x0140_0002);
        let directories = usize::from(optional) - 128;
        put(&mut file, directories - 4, 16);
        put(&mut file, directories + 8, ADDRESS);
        put(&mut file, directories + 12, 20);
        put(&mut file, directories + 32, 0x9000);
        put(&mut file, directories + 36, 0x100);
        for (name, size, address, raw_size, raw) in [
            (b".text\0\0\0", 0x100_u32, 0x1000_u32, 0_u32, 0_u32),
            (b".idata\0\0", section.len() as u32, ADDRESS, section.len() as u32, RAW as u32),
        ] {
            file.extend_from_slice(name);
            for value in [size, address, raw_size, raw] {
                file.extend_from_slice(&value.to_le_bytes());
            }
            file.extend_from_slice(&[0; 16]);
        }
        file.resize(RAW, 0);
        file.extend_from_slice(&section);
        file
    }
}

fn collected(bytes: &[u8], pieces: usize, complete: bool) -> Option<Facts> {
    let mut collector = Collector::new();
    for piece in bytes.chunks(pieces.max(1)) {
        collector.update(piece);
    }
    collector.finish(complete)
}

fn imphash(bytes: &[u8]) -> Option<String> {
    hex(collected(bytes, 1460, true)?.imphash)
}

fn hex(hash: Option<[u8; 16]>) -> Option<String> {
    Some(hash?.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// What another reader makes of [`IMPORTS`].
const KNOWN: &str = "e1793b3ad13c7b2bcb0c2ef9f958ccab";

#[test]
fn tells_the_facts_of_the_headers() {
    let facts = collected(&Built::new(true).bytes(), 1460, true).unwrap();
    assert_eq!((&*facts.machine, &*facts.subsystem), ("AMD64", "WINDOWS_GUI"));
    assert_eq!(facts.compile_ts, 1_600_000_000);
    assert!(facts.is_dll && facts.is_64bit && facts.is_signed && facts.uses_aslr && facts.uses_dep);
    let names: Vec<_> = facts.sections.iter().map(SectionName::as_bytes).collect();
    assert_eq!(names, [&b".text"[..], b".idata"]);
    let facts = collected(&Built::new(false).bytes(), 1460, true).unwrap();
    assert_eq!((&*facts.machine, facts.is_64bit), ("I386", false));
}

#[test]
fn flags_that_are_not_set_are_false() {
    let mut bytes = Built::new(true).bytes();
    let header = 0x80 + 24;
    bytes[header - 2..header].copy_from_slice(&[0x22, 0]);
    bytes[header + 68..header + 72].copy_from_slice(&[99, 0, 0, 0]);
    bytes[header + 144..header + 152].fill(0);
    let facts = collected(&bytes, 1460, true).unwrap();
    assert!(!facts.is_dll && !facts.is_signed && !facts.uses_aslr && !facts.uses_dep);
    assert_eq!(facts.subsystem, "0x0063");
}

#[test]
fn import_hash_is_the_known_one() {
    assert_eq!(imphash(&Built::new(true).bytes()).as_deref(), Some(KNOWN));
    assert_eq!(imphash(&Built::new(false).bytes()).as_deref(), Some(KNOWN));
}

#[test]
fn import_hash_is_that_of_the_joined_names() {
    let mut md5 = <md5::Md5 as sha2::Digest>::new();
    sha2::Digest::update(
        &mut md5,
        "kernel32.getprocaddress,kernel32.loadlibrarya,kernel32.exitprocess,ws2_32.wsastartup,ws2_32.closesocket,\
         ws2_32.getaddrinfo,ws2_32.ord9999,oleaut32.sysallocstring,mfc42.ord1176,some.driver.?f@@yaxxz,other.exe.start_1",
    );
    assert_eq!(hex(Some(sha2::Digest::finalize(md5).into())).as_deref(), Some(KNOWN));
}

#[test]
fn without_lookup_tables_those_of_addresses_are_read() {
    let built = Built { lookup: false, ..Built::new(true) };
    assert_eq!(imphash(&built.bytes()).as_deref(), Some(KNOWN));
}

#[test]
fn without_imports_there_is_no_import_hash() {
    let built = Built { imports: &[], ..Built::new(true) };
    assert_eq!(collected(&built.bytes(), 1460, true).unwrap().imphash, None);
}

#[test]
fn imports_out_of_reach_give_no_hash_and_the_rest_all_the_same() {
    let built = Built { gap: 2 * MAX_KEPT as usize, ..Built::new(true) };
    let facts = collected(&built.bytes(), 1460, true).unwrap();
    assert_eq!(facts.imphash, None);
    assert!(facts.is_dll);
    let built = Built { gap: MAX_KEPT as usize / 2, ..Built::new(true) };
    assert_eq!(imphash(&built.bytes()).as_deref(), Some(KNOWN));
}

#[test]
fn file_that_was_not_seen_to_its_end_gives_no_hash_of_a_part() {
    let bytes = Built::new(true).bytes();
    for end in RAW..bytes.len() - 1 {
        let facts = collected(&bytes[..end], 1460, false).unwrap();
        assert_eq!(facts.imphash, None, "at {end}");
    }
    assert_eq!(hex(collected(&bytes, 1460, false).unwrap().imphash).as_deref(), Some(KNOWN));
}

#[test]
fn headers_that_were_not_seen_to_their_end_are_no_facts() {
    let bytes = Built::new(true).bytes();
    for end in 0..0x80 + 24 + 240 + 80 {
        assert_eq!(collected(&bytes[..end], 1460, false), None, "at {end}");
    }
}

#[test]
fn other_files_are_no_executables_and_nothing_of_them_is_kept() {
    for bytes in [
        &b"GIF89a and so on"[..],
        b"MZ, a text of more than sixty-four bytes, whose offset is letters, too: abcdefgh",
        b"M",
        b"",
    ] {
        assert_eq!(collected(bytes, 3, true), None);
    }
    let mut collector = Collector::new();
    collector.update(b"NO");
    assert!(collector.is_done());
    // A program of DOS, whose offset points at nothing that is one of Windows.
    let mut bytes = Built::new(true).bytes();
    bytes[0x80] = b'N';
    assert_eq!(collected(&bytes, 1460, true), None);
    bytes[60..64].copy_from_slice(&0xffff_fff0_u32.to_le_bytes());
    assert_eq!(collected(&bytes, 1460, true), None);
}

#[test]
fn no_more_is_kept_than_allowed_however_large_the_sections_are() {
    let mut bytes = Built::new(true).bytes();
    let table = 0x80 + 24 + 240 + 40;
    bytes[table + 16..table + 20].copy_from_slice(&u32::MAX.to_le_bytes());
    let mut collector = Collector::new();
    collector.update(&bytes);
    for _ in 0..3 * MAX_KEPT / 65_536 {
        collector.update(&[1; 65_536]);
    }
    let Stage::Ranges(layout) = &collector.stage else { panic!("headers are there") };
    let kept: usize = layout.ranges.iter().map(|range| range.bytes.len()).sum();
    assert!(kept as u64 <= MAX_KEPT, "{kept}");
    assert!(collector.is_done());
}

#[test]
fn directories_beyond_those_that_windows_knows_do_not_matter() {
    let mut bytes = Built::new(true).bytes();
    let number = 0x80 + 24 + 108;
    bytes[number..number + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(imphash(&bytes).as_deref(), Some(KNOWN));
}

#[test]
fn entry_that_names_nothing_is_left_out_and_one_that_leads_nowhere_takes_its_library_along() {
    let hash = |names: &str| {
        let digest = <md5::Md5 as sha2::Digest>::digest(names);
        hex(Some(digest.into()))
    };
    let entry = RAW + 20 * (IMPORTS.len() + 1) + 8;
    let mut bytes = Built::new(true).bytes();
    // The section is larger in memory than in the file: zeros follow.
    let table = 0x80 + 24 + 240 + 40;
    bytes[table + 8..table + 12].copy_from_slice(&0x4000_u32.to_le_bytes());
    bytes[entry..entry + 4].copy_from_slice(&(ADDRESS + 0x3000).to_le_bytes());
    let rest = "ws2_32.wsastartup,ws2_32.closesocket,ws2_32.getaddrinfo,ws2_32.ord9999,oleaut32.sysallocstring,\
                mfc42.ord1176,some.driver.?f@@yaxxz,other.exe.start_1";
    let without_one = format!("kernel32.getprocaddress,kernel32.exitprocess,{rest}");
    assert_eq!(imphash(&bytes), hash(&without_one));
    bytes[entry..entry + 4].copy_from_slice(&(ADDRESS + 0x5000).to_le_bytes());
    assert_eq!(imphash(&bytes), hash(rest));
}

#[test]
fn tables_that_lead_nowhere_or_in_circles_end() {
    // Every descriptor names the same table, and the table every entry the same name.
    let mut bytes = Built::new(true).bytes();
    let again: Vec<u8> = bytes[RAW..RAW + 20].repeat(3000);
    bytes.truncate(RAW);
    bytes.extend_from_slice(&again);
    let table = 0x80 + 24 + 240 + 40;
    for field in [8, 16] {
        bytes[table + field..table + field + 4].copy_from_slice(&60_000_u32.to_le_bytes());
    }
    let _ = collected(&bytes, 1460, true);
}

proptest! {
    #[test]
    fn pieces_do_not_matter(pieces in 1..3000_usize, is_64bit: bool, lookup: bool) {
        let bytes = Built { lookup, ..Built::new(is_64bit) }.bytes();
        prop_assert_eq!(collected(&bytes, pieces, true), collected(&bytes, bytes.len(), true));
    }

    #[test]
    fn changed_files_never_panic(changes in proptest::collection::vec((0..1400_usize, any::<u8>()), 1..12), is_64bit: bool, complete: bool, pieces in 1..2000_usize) {
        let mut bytes = Built::new(is_64bit).bytes();
        for (place, value) in changes {
            let place = place % bytes.len();
            bytes[place] = value;
        }
        prop_assert_eq!(collected(&bytes, pieces, complete), collected(&bytes, 1460, complete));
    }

    #[test]
    fn arbitrary_headers_never_panic(mut bytes in proptest::collection::vec(any::<u8>(), 64..1500), pointer in 0..200_u8) {
        bytes[..2].copy_from_slice(b"MZ");
        bytes[60..64].copy_from_slice(&[pointer, 0, 0, 0]);
        if let Some(signature) = bytes.get_mut(usize::from(pointer)..usize::from(pointer) + 4) {
            signature.copy_from_slice(b"PE\0\0");
        }
        let _ = collected(&bytes, 100, true);
        let _ = collected(&bytes, 100, false);
    }
}
