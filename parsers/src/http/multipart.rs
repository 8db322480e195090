//! Bodies of several parts (RFC 2046, 5.1; forms: RFC 7578) and mails (RFC 5322), within one another to any depth, taken
//! apart in one pass, in whatever pieces they come.
//!
//! What is open lies on a stack of layers: mails, and bodies of parts with their boundaries. All that can end a layer begins
//! with the same bytes, the end of a line and two hyphens; so one search does for all layers, and only such a line is
//! looked up among the boundaries. It is held back until it is whole, with the end of the line before it, which is part of
//! a delimiter. Content is handed on as it comes, and headers are collected.

use std::collections::BTreeMap;

use memchr::{memchr, memmem};
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

/// Longest block of headers of a part; what is longer is cut.
pub const MAX_HEADER_BLOCK: usize = 16 * 1024;

/// Longest block of headers of a mail: those that it was handed on by add theirs.
pub const MAX_MAIL_HEADERS: usize = 64 * 1024;

/// Longest boundary. 70 are allowed (RFC 2046, 5.1.1), and not everyone keeps to it.
pub const MAX_BOUNDARY: usize = 256;

/// Most bytes between a boundary and the LF of its line: white space, and a CR.
const MAX_PADDING: usize = 128;

/// Longest line, without its hyphens and without its LF, that is held back: longer ones are no delimiters, and one that
/// closes shows it before.
const MAX_LINE: usize = MAX_BOUNDARY + MAX_PADDING;

/// What follows a block of headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Content, which is not looked into.
    Content,
    /// Parts with this boundary.
    Parts(Boundary),
    /// A mail.
    Mail,
}

/// Who is told what stands in a body. It is to keep a stack of its own, of the same layers.
pub trait Sink {
    /// Headers of another part begin, of the innermost layer.
    fn part(&mut self);

    /// A block of headers, of a part or of a mail as the innermost layer is, is over: says what follows, which is a layer
    /// more unless it is content. `cut`: the block was longer than is kept.
    fn begin(&mut self, headers: &[u8], cut: bool) -> Next;

    /// Content, of what began last.
    fn data(&mut self, bytes: &[u8]);

    /// Bytes of the outermost so many layers, as they were sent. All bytes of a layer are shown, in order.
    fn raw(&mut self, layers: usize, bytes: &[u8]);

    /// What began last is over, if it is content.
    fn end_content(&mut self, end: Ending);

    /// The innermost layer is over.
    fn end_layer(&mut self, end: Ending);
}

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By the delimiter that is due.
    Delimiter,
    /// Without it: what is around it has ended.
    Without,
    /// As the body did, for there is no delimiter that could be due.
    Body,
}

/// What divides parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Boundary(Box<[u8]>);

impl Boundary {
    /// Of a Content-Type, without white space at its end, which it cannot have. `None` where it cannot be one: it is
    /// empty, longer than [`MAX_BOUNDARY`], or holds an end of a line.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        let bytes = without_padding(bytes);
        let fits = !bytes.is_empty() && bytes.len() <= MAX_BOUNDARY;
        (fits && !bytes.iter().any(|byte| b"\r\n".contains(byte))).then(|| Self(bytes.into()))
    }
}

/// A body of several parts, or a mail, as far as it was read.
#[derive(Debug)]
pub struct Scanner {
    /// Outermost first.
    layers: Vec<Layer>,
    boundaries: Boundaries,
    finder: memmem::Finder<'static>,
    phase: Phase,
    stage: Stage,
    /// What is held back.
    held: Held,
}

#[derive(Debug)]
enum Layer {
    /// Parts with this boundary.
    Parts(Boundary),
    /// A mail.
    Mail,
}

/// Where in the innermost layer it is.
#[derive(Debug)]
enum Phase {
    /// Before the first part or behind the last.
    Outside,
    /// In the headers of a part, or of a mail.
    Headers(Block),
    /// In content that is not looked into.
    Content,
}

/// Headers so far.
#[derive(Debug)]
struct Block {
    bytes: Vec<u8>,
    cut: bool,
    /// Nothing but its start was seen of the present line.
    is_line_empty: bool,
}

/// Where in a line it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Somewhere within, with nothing held back.
    Within,
    /// Behind a CR, which is held back.
    Cr,
    /// At its start, or behind one hyphen there: these are held back, and the end of the line before.
    Start,
    /// Behind two hyphens at its start; all of it is held back.
    Line,
}

/// What is held back: an end of a line, and what may be a delimiter behind it.
#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    /// How many of them are the end of the line before.
    eol: usize,
    /// How many of them at the front ended something: they are neither headers nor content of what follows…
    used: usize,
    /// …nor are they in a layer that begins with it: they are only in so many.
    layers: usize,
}

impl Scanner {
    /// For a body of parts with this boundary.
    pub fn parts(boundary: Boundary) -> Self {
        let mut this = Self::new(Phase::Outside);
        this.push(Layer::Parts(boundary));
        this
    }

    /// For a mail.
    pub fn mail() -> Self {
        let mut this = Self::new(Phase::Headers(Block::default()));
        this.push(Layer::Mail);
        this
    }

    fn new(phase: Phase) -> Self {
        Self {
            layers: Vec::new(),
            boundaries: Boundaries::default(),
            finder: memmem::Finder::new(b"\n--"),
            phase,
            stage: Stage::Start,
            held: Held::default(),
        }
    }

    /// Takes more of the body. What is told does not depend on the pieces in which it comes, but for how content is cut.
    pub fn feed(&mut self, mut bytes: &[u8], sink: &mut impl Sink) {
        while !bytes.is_empty() {
            bytes = match self.stage {
                Stage::Within => self.within(bytes, sink),
                Stage::Cr | Stage::Start => self.start(bytes, sink),
                Stage::Line => self.line(bytes, sink),
            };
        }
    }

    /// Bytes of the body will never come.
    pub fn gap(&mut self, sink: &mut impl Sink) {
        match self.delimiter(false) {
            Some((layer, true)) => self.divide(layer, true, sink),
            _ => self.release(sink),
        }
        self.stage = Stage::Within;
        // Whatever follows is more likely content than a header.
        while matches!(self.phase, Phase::Headers(_)) {
            self.begin(sink);
        }
        self.held.clear();
    }

    /// The body is over.
    pub fn finish(&mut self, sink: &mut impl Sink) {
        // A delimiter needs no end of its line where the body ends.
        match self.delimiter(true) {
            Some((layer, closes)) => self.divide(layer, closes, sink),
            _ => self.release(sink),
        }
        self.unwind(0, sink, |around| if around.is_some() { Ending::Without } else { Ending::Body });
    }

    /// Bytes of memory that it holds.
    pub fn held(&self) -> usize {
        let boundary = |layer: &Layer| match layer {
            // It is known by a hash as well.
            Layer::Parts(boundary) => boundary.0.len() + 64,
            Layer::Mail => 0,
        };
        let block = match &self.phase {
            Phase::Headers(block) => block.bytes.capacity(),
            Phase::Outside | Phase::Content => 0,
        };
        self.layers.capacity() * size_of::<Layer>()
            + self.layers.iter().map(boundary).sum::<usize>()
            + self.held.bytes.capacity()
            + block
    }

    /// Within a line: goes on to one that may be a delimiter, or that ends headers.
    fn within<'b>(&mut self, bytes: &'b [u8], sink: &mut impl Sink) -> &'b [u8] {
        let feed = match self.phase {
            Phase::Headers(_) => memchr(b'\n', bytes),
            Phase::Outside | Phase::Content => self.finder.find(bytes).or_else(|| {
                let front = bytes.strip_suffix(b"-").unwrap_or(bytes);
                front.ends_with(b"\n").then(|| front.len() - 1)
            }),
        };
        let Some(feed) = feed else {
            let ends_with_cr = bytes.ends_with(b"\r");
            let (now, later) =
                bytes.split_at_checked(bytes.len() - usize::from(ends_with_cr)).unwrap_or_default();
            self.give(now, sink);
            if ends_with_cr {
                self.hold(later, Stage::Cr);
            }
            return &[];
        };
        let (line, rest) = bytes.split_at_checked(feed + 1).unwrap_or_default();
        let eol = 1 + usize::from(line.ends_with(b"\r\n"));
        let (now, eol) = line.split_at_checked(line.len() - eol).unwrap_or_default();
        self.give(now, sink);
        self.hold(eol, Stage::Start);
        self.end_line(sink);
        rest
    }

    /// Behind a CR, or at the start of a line.
    fn start<'b>(&mut self, bytes: &'b [u8], sink: &mut impl Sink) -> &'b [u8] {
        let Some((byte, rest)) = bytes.split_first() else { return bytes };
        match (self.stage, byte) {
            (Stage::Cr, b'\n') => {
                self.held.bytes.push(b'\n');
                self.held.eol = self.held.bytes.len();
                self.stage = Stage::Start;
                self.end_line(sink);
            }
            (Stage::Start, b'-') => {
                self.held.bytes.push(b'-');
                if self.held.bytes.len() == self.held.eol + 2 {
                    self.stage = Stage::Line;
                }
            }
            _ => {
                self.release(sink);
                return bytes;
            }
        }
        rest
    }

    /// Within a line that may be a delimiter.
    fn line<'b>(&mut self, bytes: &'b [u8], sink: &mut impl Sink) -> &'b [u8] {
        let room = (self.held.eol + 2 + MAX_LINE).saturating_sub(self.held.bytes.len());
        let (piece, more) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        let Some(feed) = memchr(b'\n', piece) else {
            self.held.bytes.extend_from_slice(piece);
            if !more.is_empty() {
                // Too long for a delimiter, unless it closes.
                match self.delimiter(false) {
                    Some((layer, true)) => self.divide(layer, true, sink),
                    _ => self.release(sink),
                }
                self.stage = Stage::Within;
            }
            return more;
        };
        self.held.bytes.extend_from_slice(piece.get(..feed).unwrap_or_default());
        let found = self.delimiter(true);
        let eol: &[u8] = if self.held.bytes.ends_with(b"\r") { b"\r\n" } else { b"\n" };
        self.held.bytes.truncate(self.held.bytes.len() + 1 - eol.len());
        match found {
            Some((layer, closes)) => {
                self.divide(layer, closes, sink);
                self.hold(eol, Stage::Start);
                (self.held.used, self.held.layers) = (eol.len(), self.layers.len());
            }
            None => {
                self.release(sink);
                self.hold(eol, Stage::Start);
                self.end_line(sink);
            }
        }
        bytes.get(feed + 1..).unwrap_or_default()
    }

    /// The layer that the line that is held back divides or closes; only what closes where it is not `whole`.
    fn delimiter(&self, whole: bool) -> Option<(usize, bool)> {
        let line = self.held.bytes.get(self.held.eol..)?.strip_prefix(b"--")?;
        self.boundaries.find(line, whole, |layer| match self.layers.get(layer) {
            Some(Layer::Parts(boundary)) => &boundary.0,
            _ => &[],
        })
    }

    /// A delimiter of a layer: whatever is within it has ended, and so has its present part.
    fn divide(&mut self, layer: usize, closes: bool, sink: &mut impl Sink) {
        let held = std::mem::take(&mut self.held);
        self.unwind(
            layer + 1,
            sink,
            |around| {
                if around == Some(layer) { Ending::Delimiter } else { Ending::Without }
            },
        );
        let (used, line) = held.bytes.split_at_checked(held.used).unwrap_or_default();
        sink.raw(held.layers.min(layer + 1), used);
        sink.raw(layer + 1, line);
        if closes {
            self.forget(layer);
            self.phase = Phase::Outside;
        } else {
            self.phase = Phase::Headers(Block::default());
            sink.part();
        }
    }

    /// Ends all layers but the outermost so many. `ending` is told the layer of parts around what ends.
    fn unwind(&mut self, keep: usize, sink: &mut impl Sink, ending: impl Fn(Option<usize>) -> Ending) {
        let around = |layers: &[Layer]| layers.iter().rposition(|layer| matches!(layer, Layer::Parts(_)));
        if matches!(std::mem::replace(&mut self.phase, Phase::Outside), Phase::Content) {
            sink.end_content(ending(around(&self.layers)));
        }
        while self.layers.len() > keep {
            self.forget(self.layers.len() - 1);
            self.layers.pop();
            sink.end_layer(ending(around(&self.layers)));
        }
    }

    /// An end of a line is held back: where the line is empty, headers are over.
    fn end_line(&mut self, sink: &mut impl Sink) {
        if matches!(&self.phase, Phase::Headers(block) if block.is_line_empty) {
            self.begin(sink);
            self.held.used = self.held.bytes.len();
        }
    }

    /// Headers are over.
    fn begin(&mut self, sink: &mut impl Sink) {
        let Phase::Headers(block) = std::mem::replace(&mut self.phase, Phase::Content) else { return };
        self.held.layers = self.layers.len();
        match sink.begin(&block.bytes, block.cut) {
            Next::Content => {}
            Next::Parts(boundary) => {
                self.phase = Phase::Outside;
                self.push(Layer::Parts(boundary));
            }
            Next::Mail => {
                self.phase = Phase::Headers(Block::default());
                self.push(Layer::Mail);
            }
        }
    }

    fn push(&mut self, layer: Layer) {
        if let Layer::Parts(boundary) = &layer {
            self.boundaries.add(boundary, self.layers.len());
        }
        self.layers.push(layer);
    }

    /// No delimiter of a layer counts any more.
    fn forget(&mut self, layer: usize) {
        if let Some(Layer::Parts(boundary)) = self.layers.get(layer) {
            self.boundaries.remove(boundary, layer);
        }
    }

    fn hold(&mut self, bytes: &[u8], stage: Stage) {
        self.held.bytes.extend_from_slice(bytes);
        self.held.eol = if stage == Stage::Start { self.held.bytes.len() } else { 0 };
        self.stage = stage;
    }

    /// What is held back is no delimiter.
    fn release(&mut self, sink: &mut impl Sink) {
        let mut held = std::mem::take(&mut self.held);
        let (used, rest) = held.bytes.split_at_checked(held.used).unwrap_or_default();
        if !used.is_empty() {
            sink.raw(held.layers, used);
        }
        self.give(rest, sink);
        held.clear();
        self.held = held;
        self.stage = Stage::Within;
    }

    /// Hands bytes on.
    fn give(&mut self, bytes: &[u8], sink: &mut impl Sink) {
        if bytes.is_empty() {
            return;
        }
        match &mut self.phase {
            Phase::Outside => {}
            Phase::Content => sink.data(bytes),
            Phase::Headers(block) => {
                let most = match self.layers.last() {
                    Some(Layer::Mail) => MAX_MAIL_HEADERS,
                    _ => MAX_HEADER_BLOCK,
                };
                block.add(bytes, most);
            }
        }
        sink.raw(self.layers.len(), bytes);
    }
}

impl Held {
    /// Nothing is; the memory stays.
    fn clear(&mut self) {
        self.bytes.clear();
        (self.eol, self.used, self.layers) = (0, 0, 0);
    }
}

impl Default for Block {
    fn default() -> Self {
        Self { bytes: Vec::new(), cut: false, is_line_empty: true }
    }
}

impl Block {
    /// Adds as much as it may hold.
    fn add(&mut self, bytes: &[u8], most: usize) {
        let (kept, more) = bytes.split_at_checked(most - self.bytes.len().min(most)).unwrap_or((bytes, &[]));
        self.bytes.extend_from_slice(kept);
        self.cut |= !more.is_empty();
        self.is_line_empty = bytes.ends_with(b"\n");
    }
}

/// The boundaries of the layers, to look a line up among them: the cost of a line hardly depends on how many there are.
#[derive(Debug, Default)]
struct Boundaries {
    /// Layers by the hash of their boundary, outermost first.
    layers: BTreeMap<u64, SmallVec<[usize; 2]>>,
    /// The lengths that there are, and how often.
    lengths: BTreeMap<usize, u32>,
}

impl Boundaries {
    fn add(&mut self, boundary: &Boundary, layer: usize) {
        self.layers.entry(xxh3_64(&boundary.0)).or_default().push(layer);
        *self.lengths.entry(boundary.0.len()).or_default() += 1;
    }

    fn remove(&mut self, boundary: &Boundary, layer: usize) {
        let hash = xxh3_64(&boundary.0);
        let Some(layers) = self.layers.get_mut(&hash) else { return };
        let Some(at) = layers.iter().position(|known| *known == layer) else { return };
        layers.remove(at);
        if layers.is_empty() {
            self.layers.remove(&hash);
        }
        if let Some(count) = self.lengths.get_mut(&boundary.0.len()) {
            *count -= 1;
            if *count == 0 {
                self.lengths.remove(&boundary.0.len());
            }
        }
    }

    /// The layer of which a line, without its hyphens, is a delimiter, and whether it closes it. What is outside goes
    /// first (RFC 2046, 5.1.2).
    fn find<'l>(
        &self,
        line: &[u8],
        whole: bool,
        boundary: impl Fn(usize) -> &'l [u8],
    ) -> Option<(usize, bool)> {
        let layer = |name: &[u8]| {
            let layers = self.layers.get(&xxh3_64(name))?;
            layers.iter().copied().find(|layer| boundary(*layer) == name)
        };
        let name = without_padding(line.strip_suffix(b"\r").unwrap_or(line));
        let divides = whole && line.len() - name.len() <= MAX_PADDING;
        let divided = if divides { layer(name) } else { None };
        let closed = self
            .lengths
            .keys()
            .map_while(|length| line.split_at_checked(*length).filter(|(_, rest)| rest.len() >= 2))
            .filter(|(_, rest)| rest.starts_with(b"--"))
            .filter_map(|(name, _)| layer(name))
            .min();
        match (divided, closed) {
            (Some(divided), closed) if closed.is_none_or(|closed| divided < closed) => Some((divided, false)),
            (_, closed) => closed.map(|closed| (closed, true)),
        }
    }
}

/// Without white space at its end.
fn without_padding(mut bytes: &[u8]) -> &[u8] {
    while let [front @ .., b' ' | b'\t'] = bytes {
        bytes = front;
    }
    bytes
}

#[cfg(test)]
mod tests;
