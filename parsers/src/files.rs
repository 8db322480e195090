//! Files on their way: what is found out about one while its bytes pass, and its row when they have ended.

use std::borrow::Cow;
use std::sync::Arc;

use schemas::arena::{Arena, Text};
use schemas::envelope::Nanoseconds;
use schemas::file::{File as Record, Pe};
use schemas::identifier::write_uid;
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_128;

use crate::content::digest::{Digested, Digests};
use crate::content::entropy::Entropy;
use crate::content::mime;
use crate::content::pe::{Collector, Facts};
use crate::context::Context;
use crate::extract::Extraction;

/// What is known of a file before its first byte.
#[derive(Clone, Debug, Default)]
pub struct Start<'a> {
    /// Protocol that carries it.
    pub protocol: &'static str,
    /// Tells it from the others of its flow, or of what it is a part of.
    pub number: u64,
    /// What it is a part of; 0 is nothing.
    pub parent: u128,
    /// The originator sends it.
    pub is_request: bool,
    /// Name that it was given.
    pub filename: Option<Cow<'a, [u8]>>,
    /// Bytes of the whole entity.
    pub total: Option<u64>,
    /// It is a part of an entity: never taken for the whole.
    pub is_part: bool,
    /// Where in the entity the part begins, where that is said.
    pub range_start: Option<u64>,
    /// Host that it was asked of.
    pub host: Option<&'a [u8]>,
    /// URI that it was asked for by.
    pub uri: Option<&'a [u8]>,
}

/// How the bytes of a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With its last byte.
    Whole,
    /// Before that.
    Short,
    /// Nothing more came for too long.
    TimedOut,
    /// At a limit of the sensor.
    Cut,
}

/// A file on its way.
#[derive(Debug)]
pub struct File {
    id: u128,
    parent: u128,
    /// Time and number of the packet with its first byte.
    first: Option<(Nanoseconds, u64)>,
    protocol: &'static str,
    is_request: bool,
    total: Option<u64>,
    is_part: bool,
    range_start: Option<u64>,
    filename: Option<Box<[u8]>>,
    host: Option<Box<[u8]>>,
    uri: Option<Box<[u8]>>,
    seen: u64,
    missing: u64,
    digests: Digests,
    entropy: Entropy,
    /// The first bytes, until its type is known.
    head: Vec<u8>,
    kind: Option<&'static str>,
    is_sniffed: bool,
    pe: Option<Box<Collector>>,
    /// On its way into a store, as long as it may be whole.
    extraction: Option<Box<Extraction>>,
}

/// What a protocol's own row says of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Identifier.
    pub id: u128,
    /// Type by content.
    pub mime_type: Option<&'static str>,
}

impl File {
    /// A file that is about to come; without a byte it is none, and has no row.
    pub fn new(start: &Start<'_>, cx: &mut Context<'_>) -> Box<Self> {
        let store = cx.settings.store.as_ref().filter(|_| !start.is_part);
        Box::new(Self {
            id: identifier(start, cx),
            parent: start.parent,
            first: None,
            protocol: start.protocol,
            is_request: start.is_request,
            total: start.total,
            is_part: start.is_part,
            range_start: start.range_start,
            filename: start.filename.as_deref().map(Into::into),
            host: start.host.map(Into::into),
            uri: start.uri.map(Into::into),
            seen: 0,
            missing: 0,
            digests: Digests::new(cx.settings.hashes),
            entropy: Entropy::default(),
            head: Vec::new(),
            kind: None,
            is_sniffed: false,
            pe: None,
            extraction: store.map(|store| Extraction::new(Arc::clone(store), cx.settings.hashes)),
        })
    }

    /// The next bytes, after transfer and content decoding.
    pub fn data(&mut self, bytes: &[u8], cx: &Context<'_>) {
        if bytes.is_empty() {
            return;
        }
        self.first.get_or_insert((cx.now, cx.packet));
        self.seen += bytes.len() as u64;
        self.entropy.update(bytes);
        if self.missing == 0 {
            self.digests.update(bytes);
        }
        if self.is_sniffed {
            if let Some(pe) = self.pe.as_mut().filter(|pe| !pe.is_done()) {
                pe.update(bytes);
            }
            if let Some(extraction) = &mut self.extraction {
                extraction.data(bytes);
            }
        } else if self.head.is_empty() && bytes.len() >= mime::HEAD {
            self.sniff(bytes);
        } else {
            let wanted = mime::HEAD - self.head.len();
            let (now, later) = bytes.split_at_checked(wanted).unwrap_or((bytes, &[]));
            self.head.extend_from_slice(now);
            if self.head.len() >= mime::HEAD {
                self.settle();
                if let Some(pe) = &mut self.pe {
                    pe.update(later);
                }
                if let Some(extraction) = &mut self.extraction {
                    extraction.data(later);
                }
            }
        }
    }

    /// `missing` bytes will not come.
    pub fn gap(&mut self, missing: u64, cx: &Context<'_>) {
        self.first.get_or_insert((cx.now, cx.packet));
        self.extraction = None;
        self.settle();
        self.pe = None;
        self.missing = self.missing.saturating_add(missing);
    }

    /// What is known by now; the type is settled.
    pub fn known(&mut self) -> Known {
        self.settle();
        Known { id: self.id, mime_type: self.kind }
    }

    /// Bytes of memory that it holds.
    pub fn held(&self) -> usize {
        let texts = [&self.filename, &self.host, &self.uri].into_iter().flatten();
        size_of::<Self>()
            + self.head.capacity()
            + texts.map(|text| text.len()).sum::<usize>()
            + if self.seen > 0 { size_of::<[u64; 768]>() } else { 0 }
            + self.pe.as_ref().map_or(0, |pe| pe.held())
    }

    /// The bytes have ended: writes the row.
    pub fn end(mut self: Box<Self>, end: End, cx: &mut Context<'_>) -> Known {
        let Some((ts, packet)) = self.first else { return Known::default() };
        let known = self.known();
        let envelope = cx.envelope(ts, packet);
        let complete = end == End::Whole
            && self.missing == 0
            && !self.is_part
            && self.total.is_none_or(|total| total == self.seen);
        let file = *self;
        let Self { parent, protocol, is_request, total, range_start, seen, missing, .. } = file;
        let digests = if complete { file.digests.finish() } else { Digested::default() };
        let extraction = file.extraction.filter(|_| complete);
        let extracted = extraction.and_then(|extraction| extraction.finish(digests.sha256));
        let facts = file.pe.and_then(|pe| pe.finish(complete));
        cx.records.file.push(envelope, |arena| {
            let mut uid = Vec::new();
            write_uid(envelope.uid, &mut uid);
            let uid = arena.text(&uid);
            let mut text = |bytes: Option<&[u8]>| bytes.map_or(Text::NULL, |bytes| arena.text(bytes));
            let (filename, host, uri) =
                (text(file.filename.as_deref()), text(file.host.as_deref()), text(file.uri.as_deref()));
            let mime_type = text(known.mime_type.map(str::as_bytes));
            Record {
                file_id: known.id,
                parent_file_id: parent,
                uids: arena.texts(&[uid]),
                protocol,
                is_request,
                filename,
                mime_type,
                seen_bytes: seen,
                total_bytes: total,
                missing_bytes: missing,
                range_start,
                complete,
                timed_out: end == End::TimedOut,
                truncated: end == End::Cut,
                md5: hex(digests.md5.as_ref().map(<[u8; 16]>::as_slice), arena),
                sha1: hex(digests.sha1.as_ref().map(<[u8; 20]>::as_slice), arena),
                sha256: hex(digests.sha256.as_ref().map(<[u8; 32]>::as_slice), arena),
                entropy: file.entropy.bits(),
                extracted: extracted.map_or(Text::NULL, |path| arena.plain(&path)),
                pe: facts.map(|facts| pe(&facts, arena)),
                host,
                uri,
            }
        });
        known
    }

    /// Settles the type by the first bytes; what needs more than these begins with them.
    fn sniff(&mut self, head: &[u8]) {
        self.is_sniffed = true;
        self.kind = mime::sniff(head);
        if self.kind == Some(WINDOWS_EXECUTABLE) && self.missing == 0 {
            self.pe.insert(Box::default()).update(head);
        }
        let extraction = self.extraction.take();
        self.extraction = extraction.and_then(|extraction| extraction.begin(self.kind, self.total, head));
    }

    /// Settles the type by what is there.
    fn settle(&mut self) {
        if !self.is_sniffed && self.seen > 0 {
            let head = std::mem::take(&mut self.head);
            self.sniff(&head);
        }
    }
}

fn pe(facts: &Facts, arena: &mut Arena) -> Pe {
    let sections: SmallVec<[Text; 16]> =
        facts.sections.iter().map(|name| arena.text(name.as_bytes())).collect();
    Pe {
        machine: arena.text(facts.machine.as_bytes()),
        compile_ts: Some(i64::from(facts.compile_ts) * 1_000_000_000),
        subsystem: arena.text(facts.subsystem.as_bytes()),
        is_dll: facts.is_dll,
        is_64bit: facts.is_64bit,
        is_signed: facts.is_signed,
        uses_aslr: facts.uses_aslr,
        uses_dep: facts.uses_dep,
        imphash: hex(facts.imphash.as_ref().map(<[u8; 16]>::as_slice), arena),
        sections: arena.texts(&sections),
    }
}

/// The type that has a struct of facts.
const WINDOWS_EXECUTABLE: &str = "application/x-dosexec";

/// Tells a file from all others.
pub fn identifier(start: &Start<'_>, cx: &mut Context<'_>) -> u128 {
    /// Keeps these hashes apart from those of other things.
    const DOMAIN: [u8; 8] = *b"file-id\0";
    let owner = if start.parent == 0 { cx.envelope(cx.now, cx.packet).uid } else { start.parent };
    let number = u128::from(start.number) << 64 | u128::from(u64::from_le_bytes(DOMAIN));
    xxh3_128([owner.to_le_bytes(), number.to_le_bytes()].as_flattened()).max(1)
}

fn hex(digest: Option<&[u8]>, arena: &mut Arena) -> Text {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    let Some(digest) = digest else { return Text::NULL };
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    arena.text_with(|out| out.extend(digest.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])))
}
