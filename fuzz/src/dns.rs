//! DNS messages out of the fuzzer's choices: mostly well formed, so that what comes behind a header is reached.

use arbitrary::Arbitrary;

/// A message.
#[derive(Arbitrary, Debug)]
pub struct Message {
    id: u8,
    flags: u16,
    questions: Vec<(Name, Kind, u16)>,
    sections: [Vec<Record>; 3],
    /// Added to the counts.
    miscounted: Option<[u8; 4]>,
    behind: Vec<u8>,
    /// A byte that is spoiled.
    spoiled: Option<(u16, u8)>,
    cut: Option<u16>,
}

/// A name.
#[derive(Arbitrary, Debug)]
pub enum Name {
    /// The root.
    Root,
    /// Of the first question.
    Question,
    /// A pointer.
    Pointer(u16),
    /// One of a few.
    Known(u8),
    /// Labels, and what ends them.
    Labels(Vec<Vec<u8>>, Option<u16>),
    /// Bytes that may be none.
    Raw(Vec<u8>),
}

/// A type of records.
#[derive(Arbitrary, Debug)]
pub enum Kind {
    /// One of those with an RDATA format of their own.
    Common(u8),
    /// Any.
    Any(u16),
}

#[derive(Arbitrary, Debug)]
struct Record {
    name: Name,
    kind: Kind,
    class: Option<u16>,
    ttl: u32,
    data: Vec<Data>,
    length: Option<u16>,
}

#[derive(Arbitrary, Debug)]
enum Data {
    Bytes(Vec<u8>),
    Name(Name),
    String(Vec<u8>),
    Short(u16),
    Long(u32),
    Counted(Vec<u8>),
}

impl Kind {
    fn number(&self) -> u16 {
        const COMMON: [u16; 56] = [
            1, 2, 5, 6, 11, 12, 13, 15, 16, 17, 18, 20, 21, 24, 25, 26, 27, 28, 29, 30, 33, 35, 36, 37, 38,
            39, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 55, 59, 60, 61, 62, 63, 64, 65, 99, 104,
            108, 249, 250, 256, 257, 259, 260,
        ];
        match self {
            Self::Common(index) => COMMON[usize::from(*index) % COMMON.len()],
            Self::Any(number) => *number,
        }
    }
}

impl Name {
    /// Appends it as it lies in a message.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Root => out.push(0),
            Self::Question => out.extend([0xc0, 12]),
            Self::Pointer(target) => out.extend((target | 0xc000).to_be_bytes()),
            Self::Known(index) => {
                const KNOWN: [&[u8]; 4] = [
                    b"\x03www\x07example\x03com\0",
                    b"\x01a\x02co\x02uk\0",
                    b"\x04_sip\x04_tcp\x05Local\0",
                    b"\x011\x010\x010\x03127\x07in-addr\x04arpa\0",
                ];
                out.extend(KNOWN[usize::from(*index) % KNOWN.len()]);
            }
            Self::Labels(labels, pointer) => {
                for label in labels.iter().filter(|label| !label.is_empty()) {
                    let label = &label[..label.len().min(63)];
                    out.push(label.len() as u8);
                    out.extend(label);
                }
                match pointer {
                    Some(target) => out.extend((target | 0xc000).to_be_bytes()),
                    None => out.push(0),
                }
            }
            Self::Raw(bytes) => out.extend(bytes),
        }
    }
}

impl Record {
    fn write(&self, out: &mut Vec<u8>) {
        self.name.write(out);
        out.extend(self.kind.number().to_be_bytes());
        out.extend(self.class.unwrap_or(1).to_be_bytes());
        out.extend(self.ttl.to_be_bytes());
        let place = out.len();
        out.extend([0; 2]);
        for part in &self.data {
            match part {
                Data::Bytes(bytes) => out.extend(bytes),
                Data::Name(name) => name.write(out),
                Data::String(bytes) => {
                    let bytes = &bytes[..bytes.len().min(255)];
                    out.push(bytes.len() as u8);
                    out.extend(bytes);
                }
                Data::Short(number) => out.extend(number.to_be_bytes()),
                Data::Long(number) => out.extend(number.to_be_bytes()),
                Data::Counted(bytes) => {
                    out.extend((bytes.len() as u16).to_be_bytes());
                    out.extend(bytes);
                }
            }
        }
        let length = self.length.unwrap_or((out.len() - place - 2) as u16);
        out[place..place + 2].copy_from_slice(&length.to_be_bytes());
    }
}

impl Message {
    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend(u16::from(self.id % 4).to_be_bytes());
        out.extend(self.flags.to_be_bytes());
        let mut counts = [self.questions.len(), 0, 0, 0];
        for (count, section) in counts[1..].iter_mut().zip(&self.sections) {
            *count = section.len();
        }
        let more = self.miscounted.unwrap_or_default();
        for (count, more) in counts.into_iter().zip(more) {
            out.extend((count as u16).wrapping_add(more.into()).to_be_bytes());
        }
        for (name, kind, class) in &self.questions {
            name.write(&mut out);
            out.extend(kind.number().to_be_bytes());
            out.extend(class.to_be_bytes());
        }
        self.sections.iter().flatten().for_each(|record| record.write(&mut out));
        out.extend(&self.behind);
        if let Some((at, value)) = self.spoiled {
            let at = usize::from(at) % out.len();
            out[at] = value;
        }
        if let Some(cut) = self.cut {
            out.truncate(usize::from(cut) % (out.len() + 1));
        }
        out.truncate(u16::MAX.into());
        out
    }
}
