//! What the content of a body is: one file, or several in the parts of a multipart body, which may have parts too.

use schemas::anomaly::AnomalyName;

use super::NAME;
use super::facts;
use super::fields;
use super::head::{self, Headers};
use super::multipart::{Event, Scanner};
use crate::context::Context;
use crate::files::{self, End, File, Known, Start};

/// Content on its way.
pub(super) struct Content {
    kind: Kind,
    room: Room,
}

/// What it is.
enum Kind {
    File(Box<File>),
    Parts(Box<Parts>),
}

/// How many parts may still begin, at all depths together. Each may be a row, and compressed a thousand of them would be
/// a packet: so a body has a number of them, and more only for what was sent as it is, by its length.
struct Room {
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
struct Parts {
    scanner: Scanner,
    /// What all parts have in common.
    host: Option<Box<[u8]>>,
    uri: Option<Box<[u8]>>,
    is_request: bool,
    protocol: &'static str,
    /// Identifier of the body, which is the parent of its parts.
    body: u128,
    /// Parts so far.
    count: u64,
    /// The present part, which may have parts itself.
    part: Option<Kind>,
    /// How many multipart bodies are around it.
    depth: u32,
}

/// Multipart bodies within one another that are looked into: each is one more search through what is inside.
const MAX_DEPTH: u32 = 16;

impl Content {
    /// The content of a body with these headers; `is_plain` where it comes as it is, without a coding.
    pub(super) fn new(
        start: &Start<'_>,
        is_plain: bool,
        headers: &Headers<'_>,
        cx: &mut Context<'_>,
    ) -> Self {
        let room = Room { parts: MAX_PARTS, is_plain, bytes: 0, is_over: false };
        Self { kind: Kind::at_depth(0, start, headers, cx), room }
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
    fn at_depth(depth: u32, start: &Start<'_>, headers: &Headers<'_>, cx: &mut Context<'_>) -> Self {
        let content_type = headers.value(b"Content-Type").and_then(fields::content_type);
        let scanner = content_type.and_then(|kind| Scanner::new(&kind.boundary()?));
        if scanner.is_some() && depth >= MAX_DEPTH {
            cx.anomaly(AnomalyName::HttpBomb, Some(NAME), "parts within too many others");
        }
        match scanner.filter(|_| depth < MAX_DEPTH) {
            Some(scanner) => Self::Parts(Box::new(Parts {
                scanner,
                host: start.host.map(Into::into),
                uri: start.uri.map(Into::into),
                is_request: start.is_request,
                protocol: start.protocol,
                body: files::identifier(start, cx),
                count: 0,
                part: None,
                depth,
            })),
            None => Self::File(File::new(start, cx)),
        }
    }

    fn data(&mut self, bytes: &[u8], room: &mut Room, cx: &mut Context<'_>) {
        match self {
            Self::File(file) => file.data(bytes, cx),
            Self::Parts(parts) => {
                parts.with_scanner(room, cx, |scanner, emit| scanner.feed(bytes, emit));
            }
        }
    }

    fn gap(&mut self, missing: u64, room: &mut Room, cx: &mut Context<'_>) {
        match self {
            Self::File(file) => file.gap(missing, cx),
            Self::Parts(parts) => {
                if let Some(part) = &mut parts.part {
                    part.gap(missing, room, cx);
                }
                parts.with_scanner(room, cx, |scanner, emit| scanner.gap(emit));
            }
        }
    }

    fn held(&self) -> usize {
        match self {
            Self::File(file) => file.held(),
            Self::Parts(parts) => {
                let texts = [&parts.host, &parts.uri].into_iter().flatten();
                size_of::<Parts>()
                    + parts.scanner.held()
                    + texts.map(|text| text.len()).sum::<usize>()
                    + parts.part.as_ref().map_or(0, Self::held)
            }
        }
    }

    fn end(self, end: End, room: &mut Room, cx: &mut Context<'_>) -> Known {
        match self {
            Self::File(file) => file.end(end, cx),
            Self::Parts(mut parts) => {
                parts.with_scanner(room, cx, |scanner, emit| scanner.finish(emit));
                Known { id: parts.body, mime_type: None }
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
        let Self { scanner, host, uri, is_request, protocol, body, count, part, depth } = self;
        work(scanner, &mut |event| match event {
            Event::Begin { headers, .. } => {
                *count += 1;
                if !room.take(cx) {
                    return;
                }
                let (headers, _) = head::header_block(headers);
                let mut start = Start {
                    protocol,
                    number: *count,
                    parent: *body,
                    is_request: *is_request,
                    filename: facts::file_name(&headers).map(Into::into),
                    host: host.as_deref(),
                    uri: uri.as_deref(),
                    ..Start::default()
                };
                if headers.value(b"Content-Range").is_some() {
                    facts::note_part(&headers, &mut start);
                }
                *part = Some(Kind::at_depth(*depth + 1, &start, &headers, cx));
            }
            Event::Data(bytes) => {
                if let Some(part) = part {
                    part.data(bytes, room, cx);
                    if matches!(part, Kind::File(_)) {
                        room.grow(bytes.len());
                    }
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
