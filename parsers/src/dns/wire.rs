//! A DNS message as it lies in its bytes (RFC 1035, 4.1): header, first question, and where its records are.
//!
//! [`parse`] walks the whole message once without copying or allocating; names and RDATA are read when they are
//! written (see [`super::name`] and [`super::rdata`]).

use super::name;

/// Size of the header.
pub const HEADER: usize = 12;

/// The header of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Transaction id.
    pub id: u16,
    /// QR, OPCODE, AA, TC, RD, RA, Z, AD, CD and RCODE, as they lie.
    pub flags: u16,
    /// QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT.
    pub counts: [u16; 4],
}

impl Header {
    /// The header at the front of `bytes`; none where there are fewer than twelve.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let &[i, j, f, g, a, b, c, d, k, l, m, n] = bytes.first_chunk::<HEADER>()?;
        let number = |high, low| u16::from_be_bytes([high, low]);
        Some(Self {
            id: number(i, j),
            flags: number(f, g),
            counts: [number(a, b), number(c, d), number(k, l), number(m, n)],
        })
    }

    /// QR.
    pub fn is_response(&self) -> bool {
        self.flags & 0x8000 != 0
    }

    /// OPCODE.
    pub fn opcode(&self) -> u8 {
        (self.flags >> 11 & 15) as u8
    }

    /// AA.
    pub fn authoritative(&self) -> bool {
        self.flags & 0x0400 != 0
    }

    /// TC.
    pub fn truncated(&self) -> bool {
        self.flags & 0x0200 != 0
    }

    /// RD.
    pub fn recursion_desired(&self) -> bool {
        self.flags & 0x0100 != 0
    }

    /// RA.
    pub fn recursion_available(&self) -> bool {
        self.flags & 0x0080 != 0
    }

    /// The bit that has no meaning.
    pub fn reserved(&self) -> bool {
        self.flags & 0x0040 != 0
    }

    /// AD.
    pub fn authentic_data(&self) -> bool {
        self.flags & 0x0020 != 0
    }

    /// CD.
    pub fn checking_disabled(&self) -> bool {
        self.flags & 0x0010 != 0
    }

    /// RCODE, not extended.
    pub fn rcode(&self) -> u8 {
        (self.flags & 15) as u8
    }

    /// QDCOUNT.
    pub fn questions(&self) -> u16 {
        self.counts.first().copied().unwrap_or_default()
    }
}

/// A question; offsets count from the front of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// Where its name begins.
    pub name: usize,
    /// Where it ends.
    pub end: usize,
    /// QTYPE.
    pub record_type: u16,
    /// QCLASS.
    pub class: u16,
}

/// A resource record; offsets count from the front of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Where its owner name begins.
    pub name: usize,
    /// TYPE.
    pub record_type: u16,
    /// CLASS.
    pub class: u16,
    /// TTL in seconds.
    pub ttl: u32,
    /// Where RDATA begins.
    pub rdata: usize,
    /// Where RDATA, and with it the record, ends; never past the message.
    pub end: usize,
}

/// TYPE of the EDNS pseudo-record (RFC 6891).
pub const OPT: u16 = 41;

/// OPCODE of stateful operations (RFC 8490), whose messages hold no records but TLVs after the header.
pub const DSO: u8 = 6;

/// What stopped the walk through a message, or was found at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// The item so named is cut off or cannot be read.
    Malformed(&'static str),
    /// The message ends before the item so named, though the header counts more of them.
    CountMismatch(&'static str),
    /// Bytes after the last record.
    TrailingBytes,
}

/// The sections that hold records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Answers; prerequisites of an update.
    Answer,
    /// Authorities; the changes of an update.
    Authority,
    /// Additionals.
    Additional,
}

/// Where the records of a section are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Span {
    start: usize,
    /// How many could be read.
    records: u16,
}

/// A message that was walked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// All of it.
    pub bytes: &'a [u8],
    /// Its first twelve bytes.
    pub header: Header,
    /// The first question, where it could be read.
    pub question: Option<Question>,
    /// The first OPT record of the additional section.
    pub opt: Option<Record>,
    /// The first thing that was wrong.
    pub problem: Option<Problem>,
    spans: [Span; 3],
}

impl<'a> Message<'a> {
    /// The records of a section that could be read, in order.
    pub fn records(&self, section: Section) -> impl Iterator<Item = Record> + use<'a> {
        let span = self.spans.get(section as usize).copied().unwrap_or_default();
        let mut at = span.start;
        let bytes = self.bytes;
        (0..span.records).map_while(move |_| {
            let record = record(bytes, at)?;
            at = record.end;
            Some(record)
        })
    }

    /// How many records of a section could be read; OPT counts.
    pub fn record_count(&self, section: Section) -> usize {
        self.spans.get(section as usize).map_or(0, |span| usize::from(span.records))
    }

    /// Whether a section holds a record other than OPT.
    pub fn holds_records(&self) -> bool {
        self.spans.iter().map(|span| usize::from(span.records)).sum::<usize>()
            > usize::from(self.opt.is_some())
    }

    /// RCODE, extended by OPT (RFC 6891, 6.1.3).
    pub fn rcode(&self) -> u16 {
        let extended = self.opt.map_or(0, |opt| (opt.ttl >> 24) as u16);
        extended << 4 | u16::from(self.header.rcode())
    }
}

/// Walks through a message; none where it is shorter than a header.
pub fn parse(bytes: &[u8]) -> Option<Message<'_>> {
    let header = Header::parse(bytes)?;
    let mut message =
        Message { bytes, header, question: None, opt: None, problem: None, spans: Default::default() };
    message.problem = walk(&mut message).err();
    Some(message)
}

fn walk(message: &mut Message<'_>) -> Result<(), Problem> {
    let bytes = message.bytes;
    let [questions, counts @ ..] = message.header.counts;
    let mut at = HEADER;
    for _ in 0..questions {
        if at == bytes.len() {
            return Err(Problem::CountMismatch("question"));
        }
        let question = question(bytes, at).ok_or(Problem::Malformed("question"))?;
        at = question.end;
        message.question.get_or_insert(question);
    }
    let items = ["answer", "authority", "additional"];
    for ((span, count), item) in message.spans.iter_mut().zip(counts).zip(items) {
        span.start = at;
        for _ in 0..count {
            if at == bytes.len() {
                return Err(Problem::CountMismatch(item));
            }
            let record = record(bytes, at).ok_or(Problem::Malformed(item))?;
            at = record.end;
            span.records += 1;
            if record.record_type == OPT && item == "additional" {
                message.opt.get_or_insert(record);
            }
        }
    }
    if at == bytes.len() || message.header.opcode() == DSO { Ok(()) } else { Err(Problem::TrailingBytes) }
}

/// The question at `at`.
pub fn question(bytes: &[u8], at: usize) -> Option<Question> {
    let end = name::skip(bytes, at).ok()?;
    let &[t, u, c, d] = bytes.get(end..)?.first_chunk::<4>()?;
    Some(Question {
        name: at,
        end: end + 4,
        record_type: u16::from_be_bytes([t, u]),
        class: u16::from_be_bytes([c, d]),
    })
}

/// The record at `at`, whole.
pub fn record(bytes: &[u8], at: usize) -> Option<Record> {
    let end = name::skip(bytes, at).ok()?;
    let &[t, u, c, d, e, f, g, h, l, m] = bytes.get(end..)?.first_chunk::<10>()?;
    let rdata = end + 10;
    let end = rdata + usize::from(u16::from_be_bytes([l, m]));
    (end <= bytes.len()).then_some(Record {
        name: at,
        record_type: u16::from_be_bytes([t, u]),
        class: u16::from_be_bytes([c, d]),
        ttl: u32::from_be_bytes([e, f, g, h]),
        rdata,
        end,
    })
}
