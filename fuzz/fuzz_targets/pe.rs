//! Windows executables, built, spoiled and cut short: the same facts wherever the file is cut, within bounds.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use parsers::content::pe::{Collector, Facts, MAX_HEADERS, MAX_KEPT, MAX_SECTIONS};

#[derive(Arbitrary, Debug)]
struct Case {
    is_64bit: bool,
    /// Bytes between the two headers.
    stub: u16,
    sections: Vec<Section>,
    /// More sections than there are in the table.
    more_sections: u16,
    alignment: (u32, u32),
    directories: Vec<(u32, u32)>,
    number_of_directories: Option<u32>,
    imports: Vec<Library>,
    /// Values put anywhere.
    harm: Vec<(u16, u32)>,
    bytes: Option<Vec<u8>>,
    short: Option<u16>,
    /// Zeros behind everything.
    padding: u32,
    complete: bool,
    cuts: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
struct Section {
    name: [u8; 8],
    address: Value,
    virtual_size: Value,
    raw_size: Value,
    pointer: Value,
}

/// A number where there should be one, or any.
#[derive(Arbitrary, Debug)]
enum Value {
    Right,
    Off(i8),
    Any(u32),
}

#[derive(Arbitrary, Debug)]
struct Library {
    name: Vec<u8>,
    lookup: bool,
    functions: Vec<Function>,
}

#[derive(Arbitrary, Debug)]
enum Function {
    Name(Vec<u8>),
    Ordinal(u16),
    Any(u64),
}

const RAW: u32 = 0x1000;
const ADDRESS: u32 = 0x2000;

impl Value {
    fn of(&self, right: u32) -> [u8; 4] {
        match self {
            Self::Right => right,
            Self::Off(by) => right.wrapping_add_signed((*by).into()),
            Self::Any(any) => *any,
        }
        .to_le_bytes()
    }
}

/// Import descriptors, tables and names, as they stand at [`ADDRESS`].
fn imports(case: &Case) -> Vec<u8> {
    let width = if case.is_64bit { 8 } else { 4 };
    let libraries = &case.imports[..case.imports.len().min(20)];
    let functions = |library: &Library| library.functions.len().min(40);
    let tables_begin = 20 * (libraries.len() + 1);
    let names_begin =
        tables_begin + libraries.iter().map(|library| functions(library) + 1).sum::<usize>() * width;
    let at = |offset: usize| ADDRESS + offset as u32;
    let (mut descriptors, mut tables, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for library in libraries {
        let table = at(tables_begin + tables.len());
        for function in &library.functions[..functions(library)] {
            let entry = match function {
                Function::Name(name) => {
                    let place = u64::from(at(names_begin + names.len()));
                    names.extend_from_slice(&[0, 0]);
                    names.extend_from_slice(name);
                    names.push(0);
                    place
                }
                Function::Ordinal(ordinal) => u64::from(*ordinal) | 1 << (8 * width - 1),
                Function::Any(any) => *any,
            };
            tables.extend_from_slice(&entry.to_le_bytes()[..width]);
        }
        tables.extend_from_slice(&[0; 8][..width]);
        let lookup = if library.lookup { table } else { 0 };
        for value in [lookup, 0, 0, at(names_begin + names.len()), table] {
            descriptors.extend_from_slice(&value.to_le_bytes());
        }
        names.extend_from_slice(&library.name);
        names.push(0);
    }
    descriptors.resize(tables_begin, 0);
    [descriptors, tables, names].concat()
}

fn built(case: &Case) -> Vec<u8> {
    let content = imports(case);
    let begin = 0x40 + usize::from(case.stub % 0x800);
    let mut file = vec![0; begin];
    file[..2].copy_from_slice(b"MZ");
    file[60..64].copy_from_slice(&(begin as u32).to_le_bytes());
    let sections = &case.sections[..case.sections.len().min(100)];
    let number =
        (sections.len() as u16).wrapping_add(if case.more_sections < 200 { case.more_sections } else { 0 });
    let (machine, optional) = if case.is_64bit { (0x8664_u16, 240_u16) } else { (0x14c, 224) };
    file.extend_from_slice(b"PE\0\0");
    file.extend_from_slice(&machine.to_le_bytes());
    file.extend_from_slice(&number.to_le_bytes());
    file.extend_from_slice(&[0; 12]);
    file.extend_from_slice(&optional.to_le_bytes());
    file.extend_from_slice(&[2, 0x20]);
    let header = file.len();
    file.resize(header + usize::from(optional), 0);
    let mut put = |offset: usize, value: u32| {
        file[header + offset..header + offset + 4].copy_from_slice(&value.to_le_bytes());
    };
    put(0, if case.is_64bit { 0x20b } else { 0x10b });
    put(32, case.alignment.0);
    put(36, case.alignment.1);
    let directories = usize::from(optional) - 128;
    put(directories - 4, case.number_of_directories.unwrap_or(16));
    put(directories + 8, ADDRESS);
    put(directories + 12, content.len() as u32);
    for (at, (address, size)) in case.directories.iter().take(16).enumerate() {
        put(directories + 8 * at, *address);
        put(directories + 8 * at + 4, *size);
    }
    for section in sections {
        file.extend_from_slice(&section.name);
        file.extend_from_slice(&section.virtual_size.of(content.len() as u32));
        file.extend_from_slice(&section.address.of(ADDRESS));
        file.extend_from_slice(&section.raw_size.of(content.len() as u32));
        file.extend_from_slice(&section.pointer.of(RAW));
        file.extend_from_slice(&[0; 16]);
    }
    if file.len() < RAW as usize {
        file.resize(RAW as usize, 0);
    }
    file.extend_from_slice(&content);
    for (at, value) in case.harm.iter().take(8) {
        let at = usize::from(*at) % file.len();
        for (byte, new) in file[at..].iter_mut().zip(value.to_le_bytes()) {
            *byte = new;
        }
    }
    file
}

/// The facts of a file in pieces of these lengths, over and over; and whether more could have mattered.
fn collected(file: &[u8], cuts: &[u8], complete: bool) -> (Option<Facts>, bool) {
    let mut collector = Collector::new();
    let mut cuts = cuts.iter().cycle();
    let mut rest = file;
    while !rest.is_empty() {
        let length = cuts.next().map_or(usize::MAX, |cut| 1 + 3 * usize::from(*cut)).min(rest.len());
        let (piece, behind) = rest.split_at(length);
        rest = behind;
        let was_done = collector.is_done();
        collector.update(piece);
        assert!(!was_done || collector.is_done());
    }
    let is_done = collector.is_done();
    assert!(collector.held() as u64 <= 2 * (MAX_HEADERS as u64 + MAX_KEPT) + (4 << 20));
    (collector.finish(complete), is_done)
}

fuzz_target!(|case: Case| {
    let mut file = case.bytes.clone().unwrap_or_else(|| built(&case));
    if let Some(short) = case.short {
        file.truncate(usize::from(short) % (file.len() + 1));
    }
    file.resize(file.len() + (case.padding % (1 << 21)) as usize, 0);
    let whole = collected(&file, &[], case.complete);
    if let Some(facts) = &whole.0 {
        assert!(facts.sections.len() <= MAX_SECTIONS);
    }
    assert_eq!(collected(&file, &case.cuts, case.complete), whole);
    if file.len() <= 8192 {
        assert_eq!(collected(&file, &[0], case.complete), whole);
    }
});
