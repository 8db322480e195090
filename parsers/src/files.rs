//! Files on their way: what is found out about one while its bytes pass, and its row when they have ended.

use std::borrow::Cow;
use std::sync::Arc;

use schemas::envelope::{Envelope, Nanoseconds};
use smallvec::smallvec;
use xxhash_rust::xxh3::xxh3_128;

use crate::content::digest::{Digested, Digests, Hashes};
use crate::content::entropy::{self, Entropy};
use crate::content::mime;
use crate::content::pe::Collector;
use crate::context::Context;
use crate::entities::{self, Share};
use crate::extract::Extraction;

mod row;
#[cfg(test)]
mod tests;

pub(crate) use row::Row;

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
    /// Where it ends: the first byte behind it.
    pub range_end: Option<u64>,
    /// Tells this version of the entity from others; none where its parts are not to be joined.
    pub validator: Option<&'a [u8]>,
    /// Host that it was asked of.
    pub host: Option<&'a [u8]>,
    /// URI that it was asked for by.
    pub uri: Option<&'a [u8]>,
}

/// The front of an entity: bytes of a file that ended short, without a gap.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Front<'a> {
    pub(crate) validator: &'a [u8],
    pub(crate) host: &'a [u8],
    pub(crate) uri: &'a [u8],
    pub(crate) total: u64,
    pub(crate) seen: u64,
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
    filename: Option<Arc<[u8]>>,
    host: Option<Arc<[u8]>>,
    uri: Option<Arc<[u8]>>,
    /// Of a file that is no part: what the parts that follow it must have, should it end short.
    validator: Option<Box<[u8]>>,
    /// Of a part: what it gives to the whole.
    share: Option<Share>,
    seen: u64,
    missing: u64,
    digests: Digests,
    entropy: Entropy,
    /// The first bytes, until others come when the type is settled. `entropy` is without them: most files end here.
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
        let id = identifier(start, cx);
        let share = Share::new(start, id, cx);
        Box::new(Self {
            id,
            parent: match &share {
                Some(share) if start.parent == 0 => share.entity,
                _ => start.parent,
            },
            first: None,
            protocol: start.protocol,
            is_request: start.is_request,
            total: start.total,
            is_part: start.is_part,
            range_start: start.range_start,
            filename: start.filename.as_deref().map(Into::into),
            host: start.host.map(Into::into),
            uri: start.uri.map(Into::into),
            validator: start.validator.filter(|_| !start.is_part).map(Into::into),
            share,
            seen: 0,
            missing: 0,
            // A part is never taken for the whole.
            digests: Digests::new(if start.is_part { Hashes::NONE } else { cx.settings.hashes }),
            entropy: Entropy::default(),
            head: Vec::new(),
            kind: None,
            is_sniffed: false,
            pe: None,
            extraction: store.map(|store| Extraction::new(Arc::clone(store), cx.settings.hashes)),
        })
    }

    /// The next bytes, after transfer and content decoding.
    pub fn data(&mut self, bytes: &[u8], cx: &mut Context<'_>) {
        if bytes.is_empty() {
            return;
        }
        if let Some(share) = &mut self.share {
            share.data(bytes, cx);
        }
        self.first.get_or_insert((cx.now, cx.packet));
        if self.is_sniffed {
            self.behind_head(bytes);
        } else if self.head.is_empty() && bytes.len() >= mime::HEAD {
            self.sniff(bytes);
            self.count(bytes);
        } else {
            let wanted = mime::HEAD - self.head.len();
            let (now, later) = bytes.split_at_checked(wanted).unwrap_or((bytes, &[]));
            self.head.extend_from_slice(now);
            self.count(now);
            if self.head.len() >= mime::HEAD {
                self.settle();
                self.behind_head(later);
            }
        }
    }

    /// Bytes that come when the type is settled.
    fn behind_head(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.entropy.update(&std::mem::take(&mut self.head));
        self.count(bytes);
        if let Some(pe) = self.pe.as_mut().filter(|pe| !pe.is_done()) {
            pe.update(bytes);
        }
        if let Some(extraction) = &mut self.extraction {
            extraction.data(bytes);
        }
    }

    /// Counts and hashes.
    fn count(&mut self, bytes: &[u8]) {
        self.seen += bytes.len() as u64;
        if self.missing == 0 {
            self.digests.update(bytes);
        }
        if self.is_sniffed {
            self.entropy.update(bytes);
        }
    }

    /// `missing` bytes will not come.
    pub fn gap(&mut self, missing: u64, cx: &Context<'_>) {
        self.first.get_or_insert((cx.now, cx.packet));
        if let Some(share) = &mut self.share {
            share.gap(missing);
        }
        self.extraction = None;
        self.settle();
        self.pe = None;
        self.missing = self.missing.saturating_add(missing);
    }

    /// What became known of it on its way: its name, the bytes of the whole, and that it begins at `offset` of that. What
    /// begins behind the first byte is a part, and never taken for the whole.
    pub fn learn(&mut self, filename: Option<&[u8]>, total: Option<u64>, offset: u64) {
        self.filename = filename.map(Into::into).or(self.filename.take());
        self.total = total.or(self.total);
        if offset > 0 {
            self.is_part = true;
            self.range_start = Some(offset);
        }
    }

    /// Identifier.
    pub fn id(&self) -> u128 {
        self.id
    }

    /// Bytes that came so far, lost ones included.
    pub fn length(&self) -> u64 {
        self.seen.saturating_add(self.missing)
    }

    /// Whether it is known how long it is, and all of that came.
    pub fn is_all_there(&self) -> bool {
        !self.is_part && self.missing == 0 && self.total == Some(self.seen)
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
            + self.validator.as_ref().map_or(0, |validator| validator.len())
            + self.digests.held()
            + self.entropy.held()
            + self.pe.as_ref().map_or(0, |pe| pe.held())
    }

    /// The bytes have ended: writes the row, unless it has to wait for the other parts of the entity.
    pub fn end(mut self: Box<Self>, end: End, cx: &mut Context<'_>) -> Known {
        let share = self.share.take();
        let Some((ts, packet)) = self.first else {
            share.into_iter().for_each(|share| share.leave(cx));
            return Known::default();
        };
        if self.may_be_resumed(end) {
            return match entities::resumable(self, end, cx) {
                Ok(known) => known,
                Err(mut file) => {
                    let row = file.row(end, cx.envelope(ts, packet));
                    let known = row.known;
                    row.write(cx.records);
                    known
                }
            };
        }
        let row = self.row(end, cx.envelope(ts, packet));
        let known = row.known;
        match share {
            Some(share) => {
                let id = share.entity;
                share.end(row, cx);
                Known { id, ..known }
            }
            None => {
                row.write(cx.records);
                known
            }
        }
    }

    /// Whether it is the front of an entity whose rest may come in parts.
    fn may_be_resumed(&self, end: End) -> bool {
        matches!(end, End::Short | End::TimedOut)
            && self.missing == 0
            && self.front().is_some_and(|(front, _)| front.seen < front.total)
    }

    /// The front of an entity that it is, and time and number of the packet with its first byte.
    pub(crate) fn front(&self) -> Option<(Front<'_>, (Nanoseconds, u64))> {
        let (host, uri) = self.names()?;
        let validator = self.validator.as_deref()?;
        Some((Front { validator, host, uri, total: self.total?, seen: self.seen }, self.first?))
    }

    /// Host and URI.
    pub(crate) fn names(&self) -> Option<(&[u8], &[u8])> {
        self.host.as_deref().zip(self.uri.as_deref())
    }

    /// Lets the row of a part have the same ones.
    pub(crate) fn share_names(&self, row: &mut Row) {
        (row.host, row.uri) = (self.host.clone(), self.uri.clone());
    }

    /// It is the whole of an entity with this identifier.
    pub(crate) fn becomes(&mut self, entity: u128) {
        self.id = entity;
    }

    /// The row as it is by now. What a whole file has besides is taken; one that is not whole may go on.
    pub(crate) fn row(&mut self, end: End, envelope: Envelope) -> Row {
        let known = self.known();
        let complete = end == End::Whole
            && self.missing == 0
            && !self.is_part
            && self.total.is_none_or(|total| total == self.seen);
        let digests = if complete { self.digests.clone().finish() } else { Digested::default() };
        let extraction = if complete { self.extraction.take() } else { None };
        let collector = if complete { self.pe.take() } else { self.pe.clone() };
        Row {
            envelope,
            known,
            parent: self.parent,
            uids: smallvec![envelope.uid],
            protocol: self.protocol,
            is_request: self.is_request,
            filename: self.filename.clone(),
            host: self.host.clone(),
            uri: self.uri.clone(),
            seen: self.seen,
            total: self.total,
            missing: self.missing,
            range_start: self.range_start,
            complete,
            end,
            digests,
            entropy: if self.head.is_empty() { self.entropy.bits() } else { entropy::bits(&self.head) },
            extracted: extraction.and_then(|extraction| extraction.finish(digests.sha256)),
            pe: collector.and_then(|collector| collector.finish(complete)).map(Box::new),
        }
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
            self.head = head;
        }
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
