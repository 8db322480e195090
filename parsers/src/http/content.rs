//! What the content of a body is: one file, or several in the parts of a multipart body or of a mail, which may have
//! parts too.

use schemas::anomaly::AnomalyName;

use super::NAME;
use super::facts;
use super::fields;
use super::head::{self, Headers};
use super::mail::Mail;
use super::multipart::{Event, Scanner};
use crate::content::transfer::{self, Encoding};
use crate::context::Context;
use crate::files::{self, End, File, Known, Start};

/// Content on its way.
pub(super) struct Content {
    kind: Kind,
    room: Room,
}

/// What it is, or a part of it.
pub(super) enum Kind {
    File(Box<File>),
    Parts(Box<Parts>),
    Mail(Box<Mail>),
    /// In an encoding of mail.
    Encoded(Box<(transfer::Decoder, Self)>),
}

/// How many parts may still begin, at all depths together. Each may be a row, and compressed a thousand of them would be
/// a packet: so a body has a number of them, and more only for what was sent as it is, by its length.
pub(super) struct Room {
    parts: u64,
    /// The content was not unfolded from something shorter.
    is_plain: bool,
    /// Bytes of content so far, as far as they do not make room yet.
    bytes: usize,
    /// There was none.
    is_over: bool,
}

/// Parts of a body, whatever its length: far more than forms, batches and ranges have.
pub(super) const MAX_PARTS: u64 = 4096;

/// So many bytes of a body that is not coded make room for another part: cameras send pictures as parts without an end.
pub(super) const BYTES_OF_PART: usize = 512;

/// The parts of a multipart body: each is a file, and the body is none.
pub(super) struct Parts {
    scanner: Scanner,
    whole: Whole,
    /// Parts so far.
    count: u64,
    /// The present part, which may have parts itself.
    part: Option<Kind>,
}

/// What all parts of something have in common.
pub(super) struct Whole {
    host: Option<Box<[u8]>>,
    uri: Option<Box<[u8]>>,
    /// Of an entity whose ranges these are.
    validator: Option<Box<[u8]>>,
    is_request: bool,
    protocol: &'static str,
    /// Its identifier, which is the parent of its parts.
    pub(super) id: u128,
    pub(super) depth: Depth,
}

/// What is around something.
#[derive(Clone, Copy, Default)]
pub(super) struct Depth {
    /// Multipart bodies and mails.
    all: u32,
    /// Mails.
    mails: u32,
}

/// Multipart bodies and mails within one another that are looked into: each is one more search through what is inside.
const MAX_DEPTH: u32 = 16;

/// Mails within one another that are taken apart: each is a file, so one more hash of what is inside.
const MAX_MAILS: u32 = 4;

impl Content {
    /// The content of a body with these headers; `is_plain` where it comes as it is, without a coding.
    pub(super) fn new(
        start: &Start<'_>,
        is_plain: bool,
        headers: &Headers<'_>,
        cx: &mut Context<'_>,
    ) -> Self {
        let room = Room { parts: MAX_PARTS, is_plain, bytes: 0, is_over: false };
        Self { kind: Kind::within(Depth::default(), None, start, headers, cx), room }
    }

    pub(super) fn data(&mut self, bytes: &[u8], cx: &mut Context<'_>) {
        self.kind.data(bytes, &mut self.room, cx);
    }

    pub(super) fn gap(&mut self, missing: u64, cx: &mut Context<'_>) {
        self.kind.gap(missing, &mut self.room, cx);
    }

    /// Bytes of memory that it holds.
    pub(super) fn held(&self) -> usize {
        self.kind.held()
    }

    /// It has ended. Of a multipart body the identifier is that which its parts name as their parent.
    pub(super) fn end(mut self, end: End, cx: &mut Context<'_>) -> Known {
        self.kind.end(end, &mut self.room, cx)
    }
}

impl Room {
    /// Content was gone through.
    fn grow(&mut self, bytes: usize) {
        if self.is_plain {
            self.bytes += bytes;
            self.parts += (self.bytes / BYTES_OF_PART) as u64;
            self.bytes %= BYTES_OF_PART;
        }
    }

    /// Takes the room of a part; says whether there was any.
    fn take(&mut self, cx: &mut Context<'_>) -> bool {
        match self.parts.checked_sub(1) {
            Some(left) => self.parts = left,
            None if !self.is_over => {
                self.is_over = true;
                cx.anomaly(AnomalyName::HttpBomb, Some(NAME), "too many parts");
            }
            None => {}
        }
        !self.is_over
    }
}

impl Kind {
    /// The content of a part with these headers; `parent` where its own parts are those of what it is a part of.
    pub(super) fn part(
        depth: Depth,
        parent: Option<u128>,
        start: &Start<'_>,
        headers: &Headers<'_>,
        cx: &mut Context<'_>,
    ) -> Self {
        let encoding = headers.value(b"Content-Transfer-Encoding").and_then(Encoding::of);
        // A range of what is encoded is no range of what is in it.
        let validator = start.validator.filter(|_| encoding.is_none());
        let content = Self::within(depth, parent, &Start { validator, ..start.clone() }, headers, cx);
        match encoding {
            Some(encoding) => Self::Encoded(Box::new((transfer::Decoder::new(encoding), content))),
            None => content,
        }
    }

    fn within(
        depth: Depth,
        parent: Option<u128>,
        start: &Start<'_>,
        headers: &Headers<'_>,
        cx: &mut Context<'_>,
    ) -> Self {
        let Some(kind) = headers.value(b"Content-Type").and_then(fields::content_type) else {
            return Self::File(File::new(start, cx));
        };
        let is_mail = matches!(&*kind.essence, b"message/rfc822" | b"message/global");
        if depth.all >= MAX_DEPTH {
            if is_mail || kind.boundary().is_some() {
                cx.anomaly(AnomalyName::HttpBomb, Some(NAME), "parts within too many others");
            }
            return Self::File(File::new(start, cx));
        }
        let depth = Depth { all: depth.all + 1, mails: depth.mails + u32::from(is_mail) };
        // Ranges that come in the parts of one body are of one entity.
        let has_ranges = start.is_part && start.range_start.is_none();
        let whole = |id| Whole {
            host: start.host.map(Into::into),
            uri: start.uri.map(Into::into),
            validator: start.validator.filter(|_| has_ranges).map(Into::into),
            is_request: start.is_request,
            protocol: start.protocol,
            id,
            depth,
        };
        if is_mail && !start.is_part && depth.mails <= MAX_MAILS {
            let whole = whole(files::identifier(start, cx));
            return Self::Mail(Box::new(Mail::new(File::new(start, cx), whole)));
        }
        match kind.boundary().and_then(|boundary| Scanner::new(&boundary)) {
            Some(scanner) => {
                let whole = whole(parent.unwrap_or_else(|| files::identifier(start, cx)));
                Self::Parts(Box::new(Parts { scanner, whole, count: 0, part: None }))
            }
            None => Self::File(File::new(start, cx)),
        }
    }

    pub(super) fn data(&mut self, bytes: &[u8], room: &mut Room, cx: &mut Context<'_>) {
        match self {
            Self::File(file) => {
                room.grow(bytes.len());
                file.data(bytes, cx);
            }
            Self::Parts(parts) => {
                parts.with_scanner(room, cx, |scanner, emit| scanner.feed(bytes, emit));
            }
            Self::Mail(mail) => mail.data(bytes, room, cx),
            Self::Encoded(encoded) => {
                let (decoder, content) = &mut **encoded;
                decoder.decode(bytes, &mut |bytes| content.data(bytes, room, cx));
            }
        }
    }

    pub(super) fn gap(&mut self, missing: u64, room: &mut Room, cx: &mut Context<'_>) {
        match self {
            Self::File(file) => file.gap(missing, cx),
            Self::Parts(parts) => {
                if let Some(part) = &mut parts.part {
                    part.gap(missing, room, cx);
                }
                parts.with_scanner(room, cx, |scanner, emit| scanner.gap(emit));
            }
            Self::Mail(mail) => mail.gap(missing, room, cx),
            Self::Encoded(encoded) => {
                let (decoder, content) = &mut **encoded;
                decoder.gap();
                // How many bytes they would have made is not known.
                content.gap(missing, room, cx);
            }
        }
    }

    /// Bytes of memory that it holds.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::File(file) => file.held(),
            Self::Parts(parts) => {
                size_of::<Parts>()
                    + parts.scanner.held()
                    + parts.whole.held()
                    + parts.part.as_ref().map_or(0, Self::held)
            }
            Self::Mail(mail) => mail.held(),
            Self::Encoded(encoded) => size_of::<transfer::Decoder>() + encoded.1.held(),
        }
    }

    pub(super) fn end(self, end: End, room: &mut Room, cx: &mut Context<'_>) -> Known {
        match self {
            Self::File(file) => file.end(end, cx),
            Self::Parts(mut parts) => {
                parts.with_scanner(room, cx, |scanner, emit| scanner.finish(emit));
                Known { id: parts.whole.id, mime_type: None }
            }
            Self::Mail(mail) => mail.end(end, room, cx),
            Self::Encoded(encoded) => {
                let (decoder, mut content) = *encoded;
                if decoder.finish(&mut |bytes| content.data(bytes, room, cx)) {
                    cx.anomaly(
                        AnomalyName::HttpCoding,
                        Some(NAME),
                        "part that is not of its transfer encoding",
                    );
                }
                content.end(end, room, cx)
            }
        }
    }
}

impl Parts {
    /// Lets the scanner work, and makes files of what it finds.
    fn with_scanner(
        &mut self,
        room: &mut Room,
        cx: &mut Context<'_>,
        work: impl FnOnce(&mut Scanner, &mut dyn FnMut(Event<'_>)),
    ) {
        let Self { scanner, whole, count, part } = self;
        work(scanner, &mut |event| match event {
            Event::Begin { headers, .. } => {
                *count += 1;
                if !room.take(cx) {
                    return;
                }
                let (headers, _) = head::header_block(headers);
                let mut start = whole.start(*count, &headers);
                if headers.value(b"Content-Range").is_some() {
                    facts::note_part(&headers, &mut start);
                    start.validator = whole.validator.as_deref();
                }
                *part = Some(Kind::part(whole.depth, None, &start, &headers, cx));
            }
            Event::Data(bytes) => {
                if let Some(part) = part {
                    part.data(bytes, room, cx);
                }
            }
            Event::End { complete } => {
                if let Some(part) = part.take() {
                    part.end(if complete { End::Whole } else { End::Short }, room, cx);
                }
            }
        });
    }
}

impl Whole {
    /// Bytes of memory that it holds beside itself.
    fn held(&self) -> usize {
        let texts = [&self.host, &self.uri, &self.validator].into_iter().flatten();
        texts.map(|text| text.len()).sum()
    }

    /// What is known of the part with this number and these headers.
    pub(super) fn start(&self, number: u64, headers: &Headers<'_>) -> Start<'_> {
        Start {
            protocol: self.protocol,
            number,
            parent: self.id,
            is_request: self.is_request,
            filename: facts::part_name(headers).map(Into::into),
            host: self.host.as_deref(),
            uri: self.uri.as_deref(),
            ..Start::default()
        }
    }
}
