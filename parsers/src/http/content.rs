//! What the content of a body is: one file, or several in the parts of a multipart body or of a mail, which may have
//! parts too.

use std::sync::Arc;

use schemas::anomaly::AnomalyName;
use smallvec::SmallVec;

use super::NAME;
use super::facts;
use super::fields;
use super::head::{self, Headers};
use super::multipart::{Boundary, Ending, Next, Scanner, Sink};
use crate::content::transfer::{self, Encoding};
use crate::context::Context;
use crate::files::{self, End, File, Known, Start};

/// Content on its way.
pub(super) struct Content {
    kind: Kind,
    room: Room,
}

/// What it is, or a part of it.
enum Kind {
    File(Box<File>),
    /// Parts, or a mail.
    Nest(Box<Nest>),
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

/// Parts and mails within one another, as far as no encoding is between them.
struct Nest {
    scanner: Scanner,
    open: Open,
}

/// What is open in it.
struct Open {
    common: Arc<Common>,
    /// Those of the scanner.
    layers: Vec<Layer>,
    /// Of these the mails that are files.
    mails: SmallVec<[usize; MAX_MAILS as usize]>,
    /// Of what would begin now.
    depth: Depth,
    /// What began last.
    content: Option<Kind>,
}

enum Layer {
    /// A multipart body: each part is a file, and the body is none.
    Parts {
        /// Its identifier, which is the parent of its parts.
        id: u128,
        /// Parts so far.
        count: u64,
        /// Of an entity whose ranges these are.
        validator: Option<Box<[u8]>>,
    },
    /// A mail: a file, unless it is too deep within others.
    Mail { id: u128, file: Option<Box<File>> },
}

/// What all parts of something have in common.
struct Common {
    host: Option<Box<[u8]>>,
    uri: Option<Box<[u8]>>,
    is_request: bool,
    protocol: &'static str,
}

/// What is around something.
#[derive(Clone, Copy, Default)]
struct Depth {
    /// Multipart bodies and mails.
    layers: u32,
    /// Mails.
    mails: u32,
    /// Encodings of mail.
    encodings: u32,
}

/// What headers say of what is behind them.
enum Structure {
    File,
    Parts(Boundary),
    Mail,
}

/// Multipart bodies and mails within one another that are looked into: two for each mail that was handed on with another.
/// Each costs some memory, and no search of its own through what is inside.
const MAX_DEPTH: u32 = 256;

/// Mails within one another that are files: each is one more hash of what is inside.
const MAX_MAILS: u32 = 4;

/// Encodings within one another behind which parts are looked for: each is one more pass over what is inside. What has
/// parts should have none (RFC 2045, 6.4).
const MAX_ENCODINGS: u32 = 4;

impl Content {
    /// The content of a body with these headers; `is_plain` where it comes as it is, without a coding.
    pub(super) fn new(
        start: &Start<'_>,
        is_plain: bool,
        headers: &Headers<'_>,
        cx: &mut Context<'_>,
    ) -> Self {
        let room = Room { parts: MAX_PARTS, is_plain, bytes: 0, is_over: false };
        Self { kind: Kind::new(Depth::default(), None, start, headers, cx), room }
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
    /// What is behind these headers; `parent` where its own parts are those of what it is a part of.
    fn new(
        depth: Depth,
        parent: Option<u128>,
        start: &Start<'_>,
        headers: &Headers<'_>,
        cx: &mut Context<'_>,
    ) -> Self {
        let structure = Structure::of(depth, start, headers, cx);
        let scanner = match &structure {
            Structure::File => return Self::File(File::new(start, cx)),
            Structure::Parts(boundary) => Scanner::parts(boundary.clone()),
            Structure::Mail => Scanner::mail(),
        };
        let mut open = Open {
            common: Arc::new(Common {
                host: start.host.map(Into::into),
                uri: start.uri.map(Into::into),
                is_request: start.is_request,
                protocol: start.protocol,
            }),
            layers: Vec::new(),
            mails: SmallVec::new(),
            depth,
            content: None,
        };
        open.push(&structure, parent, start, cx);
        Self::Nest(Box::new(Nest { scanner, open }))
    }

    fn data(&mut self, bytes: &[u8], room: &mut Room, cx: &mut Context<'_>) {
        match self {
            Self::File(file) => {
                room.grow(bytes.len());
                file.data(bytes, cx);
            }
            Self::Nest(nest) => nest.scanner.feed(bytes, &mut nest.open.told(End::Whole, room, cx)),
            Self::Encoded(encoded) => {
                let (decoder, content) = &mut **encoded;
                decoder.decode(bytes, &mut |bytes| content.data(bytes, room, cx));
            }
        }
    }

    fn gap(&mut self, missing: u64, room: &mut Room, cx: &mut Context<'_>) {
        match self {
            Self::File(file) => file.gap(missing, cx),
            Self::Nest(nest) => {
                nest.scanner.gap(&mut nest.open.told(End::Whole, room, cx));
                nest.open.gap(missing, room, cx);
            }
            Self::Encoded(encoded) => {
                let (decoder, content) = &mut **encoded;
                decoder.gap();
                // How many bytes they would have made is not known.
                content.gap(missing, room, cx);
            }
        }
    }

    /// Bytes of memory that it holds.
    fn held(&self) -> usize {
        match self {
            Self::File(file) => file.held(),
            Self::Nest(nest) => size_of::<Nest>() + nest.scanner.held() + nest.open.held(),
            Self::Encoded(encoded) => size_of::<transfer::Decoder>() + encoded.1.held(),
        }
    }

    fn end(self, end: End, room: &mut Room, cx: &mut Context<'_>) -> Known {
        match self {
            Self::File(file) => file.end(end, cx),
            Self::Nest(mut nest) => {
                let mut told = nest.open.told(end, room, cx);
                nest.scanner.finish(&mut told);
                told.known
            }
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

impl Structure {
    fn of(depth: Depth, start: &Start<'_>, headers: &Headers<'_>, cx: &mut Context<'_>) -> Self {
        let Some(kind) = headers.value(b"Content-Type").and_then(fields::content_type) else {
            return Self::File;
        };
        let is_mail = matches!(&*kind.essence, b"message/rfc822" | b"message/global") && !start.is_part;
        let structure = match kind.boundary().and_then(|boundary| Boundary::new(&boundary)) {
            _ if is_mail => Self::Mail,
            Some(boundary) => Self::Parts(boundary),
            None => return Self::File,
        };
        if depth.layers >= MAX_DEPTH || depth.encodings > MAX_ENCODINGS {
            cx.anomaly(AnomalyName::HttpBomb, Some(NAME), "parts within too many others");
            return Self::File;
        }
        structure
    }
}

impl Open {
    /// One more layer; `parent`: of a multipart body, if that is another's.
    fn push(&mut self, structure: &Structure, parent: Option<u128>, start: &Start<'_>, cx: &mut Context<'_>) {
        let layer = match structure {
            Structure::File => return,
            Structure::Parts(_) => {
                // Ranges that come in the parts of one body are of one entity.
                let has_ranges = start.is_part && start.range_start.is_none();
                Layer::Parts {
                    id: parent.unwrap_or_else(|| files::identifier(start, cx)),
                    count: 0,
                    validator: start.validator.filter(|_| has_ranges).map(Into::into),
                }
            }
            Structure::Mail => {
                let is_file = self.depth.mails < MAX_MAILS;
                if is_file {
                    self.mails.push(self.layers.len());
                }
                self.depth.mails += 1;
                Layer::Mail { id: files::identifier(start, cx), file: is_file.then(|| File::new(start, cx)) }
            }
        };
        self.depth.layers += 1;
        self.layers.push(layer);
    }

    /// To be told what stands in the body, which ends so if it does.
    fn told<'t, 'c>(&'t mut self, end: End, room: &'t mut Room, cx: &'t mut Context<'c>) -> Told<'t, 'c> {
        Told { open: self, end, known: Known::default(), room, cx }
    }

    fn gap(&mut self, missing: u64, room: &mut Room, cx: &mut Context<'_>) {
        for layer in &mut self.layers {
            if let Layer::Mail { file: Some(file), .. } = layer {
                file.gap(missing, cx);
            }
        }
        if let Some(content) = &mut self.content {
            content.gap(missing, room, cx);
        }
    }

    /// Bytes of memory that it holds beside itself.
    fn held(&self) -> usize {
        let layer = |layer: &Layer| match layer {
            Layer::Parts { validator, .. } => validator.as_ref().map_or(0, |validator| validator.len()),
            Layer::Mail { file, .. } => file.as_ref().map_or(0, |file| file.held()),
        };
        let texts = [&self.common.host, &self.common.uri].into_iter().flatten();
        texts.map(|text| text.len()).sum::<usize>()
            + self.layers.capacity() * size_of::<Layer>()
            + self.layers.iter().map(layer).sum::<usize>()
            + self.content.as_ref().map_or(0, Kind::held)
    }
}

/// What is open, while it is told what stands in the body.
struct Told<'t, 'c> {
    open: &'t mut Open,
    /// How the body ended, if it did.
    end: End,
    /// Of the layer that ended last.
    known: Known,
    room: &'t mut Room,
    cx: &'t mut Context<'c>,
}

impl Told<'_, '_> {
    fn end(&self, ending: Ending) -> End {
        match ending {
            Ending::Delimiter => End::Whole,
            Ending::Without if self.end == End::Whole => End::Short,
            Ending::Without | Ending::Body => self.end,
        }
    }
}

impl Sink for Told<'_, '_> {
    fn part(&mut self) {
        if let Some(Layer::Parts { count, .. }) = self.open.layers.last_mut() {
            *count += 1;
        }
    }

    fn begin(&mut self, headers: &[u8], cut: bool) -> Next {
        let Self { open, room, cx, .. } = self;
        let common = Arc::clone(&open.common);
        let (headers, _) = head::header_block(headers);
        let mut parent = None;
        let mut validator = None;
        let mut start = match open.layers.last() {
            Some(Layer::Mail { id, .. }) => {
                if cut {
                    cx.anomaly(AnomalyName::HttpOdd, Some(NAME), "headers of a mail longer than 64 KiB");
                }
                parent = Some(*id);
                common.start(*id, 1, &headers)
            }
            Some(Layer::Parts { id, count, validator: of_all }) if room.take(cx) => {
                validator.clone_from(of_all);
                common.start(*id, *count, &headers)
            }
            _ => return Next::Content,
        };
        if headers.value(b"Content-Range").is_some() && parent.is_none() {
            facts::note_part(&headers, &mut start);
            start.validator = validator.as_deref();
        }
        if let Some(encoding) = headers.value(b"Content-Transfer-Encoding").and_then(Encoding::of) {
            // A range of what is encoded is no range of what is in it.
            start.validator = None;
            let depth = Depth { encodings: open.depth.encodings + 1, ..open.depth };
            let content = Kind::new(depth, parent, &start, &headers, cx);
            open.content = Some(Kind::Encoded(Box::new((transfer::Decoder::new(encoding), content))));
            return Next::Content;
        }
        let structure = Structure::of(open.depth, &start, &headers, cx);
        open.push(&structure, parent, &start, cx);
        match structure {
            Structure::File => {
                open.content = Some(Kind::File(File::new(&start, cx)));
                Next::Content
            }
            Structure::Parts(boundary) => Next::Parts(boundary),
            Structure::Mail => Next::Mail,
        }
    }

    fn data(&mut self, bytes: &[u8]) {
        if let Some(content) = &mut self.open.content {
            content.data(bytes, self.room, self.cx);
        }
    }

    fn raw(&mut self, layers: usize, bytes: &[u8]) {
        for &at in self.open.mails.iter().take_while(|at| **at < layers) {
            if let Some(Layer::Mail { file: Some(file), .. }) = self.open.layers.get_mut(at) {
                file.data(bytes, self.cx);
            }
        }
    }

    fn end_content(&mut self, ending: Ending) {
        let end = self.end(ending);
        if let Some(content) = self.open.content.take() {
            content.end(end, self.room, self.cx);
        }
    }

    fn end_layer(&mut self, ending: Ending) {
        let end = self.end(ending);
        let open = &mut *self.open;
        let Some(layer) = open.layers.pop() else { return };
        open.depth.layers = open.depth.layers.saturating_sub(1);
        self.known = match layer {
            Layer::Parts { id, .. } => Known { id, mime_type: None },
            Layer::Mail { id, file } => {
                open.depth.mails = open.depth.mails.saturating_sub(1);
                if file.is_some() {
                    open.mails.pop();
                }
                file.map_or(Known { id, mime_type: None }, |file| file.end(end, self.cx))
            }
        };
    }
}

impl Common {
    /// What is known of the part with this number and these headers.
    fn start(&self, parent: u128, number: u64, headers: &Headers<'_>) -> Start<'_> {
        Start {
            protocol: self.protocol,
            number,
            parent,
            is_request: self.is_request,
            filename: facts::part_name(headers).map(Into::into),
            host: self.host.as_deref(),
            uri: self.uri.as_deref(),
            ..Start::default()
        }
    }
}
