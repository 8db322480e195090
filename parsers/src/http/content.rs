//! What the content of a body is: one file, or several in the parts of a multipart body, which may have parts too.

use super::facts;
use super::fields;
use super::head::{self, Headers};
use super::multipart::{Event, Scanner};
use crate::context::Context;
use crate::files::{self, End, File, Known, Start};

/// Content on its way.
pub(super) enum Content {
    File(Box<File>),
    Parts(Box<Parts>),
}

/// The parts of a multipart body: each is a file, and the body is none.
pub(super) struct Parts {
    scanner: Scanner,
    /// What all parts have in common.
    host: Option<Box<[u8]>>,
    uri: Option<Box<[u8]>>,
    /// Of an entity whose parts these are.
    validator: Option<Box<[u8]>>,
    is_request: bool,
    protocol: &'static str,
    /// Identifier of the body, which is the parent of its parts.
    body: u128,
    /// Parts so far.
    count: u64,
    /// The present part, which may have parts itself.
    part: Option<Content>,
    /// How many multipart bodies are around it.
    depth: u32,
}

/// Multipart bodies within one another that are looked into: each is one more search through what is inside.
const MAX_DEPTH: u32 = 16;

impl Content {
    /// The content of a body with these headers.
    pub(super) fn new(start: &Start<'_>, headers: &Headers<'_>, cx: &mut Context<'_>) -> Self {
        Self::at_depth(0, start, headers, cx)
    }

    fn at_depth(depth: u32, start: &Start<'_>, headers: &Headers<'_>, cx: &mut Context<'_>) -> Self {
        let content_type = headers.value(b"Content-Type").and_then(fields::content_type);
        let scanner = content_type.and_then(|kind| Scanner::new(&kind.boundary()?));
        match scanner.filter(|_| depth < MAX_DEPTH) {
            Some(scanner) => Self::Parts(Box::new(Parts {
                scanner,
                host: start.host.map(Into::into),
                uri: start.uri.map(Into::into),
                validator: start
                    .validator
                    .filter(|_| start.is_part && start.range_start.is_none())
                    .map(Into::into),
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

    pub(super) fn data(&mut self, bytes: &[u8], cx: &mut Context<'_>) {
        match self {
            Self::File(file) => file.data(bytes, cx),
            Self::Parts(parts) => parts.with_scanner(cx, |scanner, emit| scanner.feed(bytes, emit)),
        }
    }

    pub(super) fn gap(&mut self, missing: u64, cx: &mut Context<'_>) {
        match self {
            Self::File(file) => file.gap(missing, cx),
            Self::Parts(parts) => {
                if let Some(part) = &mut parts.part {
                    part.gap(missing, cx);
                }
                parts.with_scanner(cx, |scanner, emit| scanner.gap(emit));
            }
        }
    }

    /// Bytes of memory that it holds.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::File(file) => file.held(),
            Self::Parts(parts) => size_of::<Parts>() + parts.part.as_ref().map_or(0, |part| part.held()),
        }
    }

    /// It has ended. Of a multipart body the identifier is that which its parts name as their parent.
    pub(super) fn end(self, end: End, cx: &mut Context<'_>) -> Known {
        match self {
            Self::File(file) => file.end(end, cx),
            Self::Parts(mut parts) => {
                parts.with_scanner(cx, |scanner, emit| scanner.finish(emit));
                Known { id: parts.body, mime_type: None }
            }
        }
    }
}

impl Parts {
    /// Lets the scanner work, and makes files of what it finds.
    fn with_scanner(
        &mut self,
        cx: &mut Context<'_>,
        work: impl FnOnce(&mut Scanner, &mut dyn FnMut(Event<'_>)),
    ) {
        let Self { scanner, host, uri, validator, is_request, protocol, body, count, part, depth } = self;
        work(scanner, &mut |event| match event {
            Event::Begin { headers, .. } => {
                *count += 1;
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
                    start.validator = validator.as_deref();
                }
                *part = Some(Content::at_depth(*depth + 1, &start, &headers, cx));
            }
            Event::Data(bytes) => {
                if let Some(part) = part {
                    part.data(bytes, cx);
                }
            }
            Event::End { complete } => {
                if let Some(part) = part.take() {
                    part.end(if complete { End::Whole } else { End::Short }, cx);
                }
            }
        });
    }
}
