//! Content codings (RFC 9110, 8.4.1): gzip, deflate, br and zstd, stacked, taken off as the bytes arrive.
//!
//! A [`Decoder`] keeps no output: what is decoded is handed on from a buffer of [`PIECE`] bytes. What a layer holds
//! between calls, as measured, is told by [`Decoder::held`]:
//!
//! | coding | with an ordinary body | at worst | bounded by |
//! |---|---|---|---|
//! | gzip, deflate | 47 KiB | 47 KiB | the format: a window of 32 KiB |
//! | br | the body's size, up to a window of 4 MiB | 16 MiB, and some 3 MiB of code tables | the format without large windows (RFC 7932, 9.1) |
//! | zstd | 0.4 MiB, and the frame's window of mostly 2 MiB | 8.5 MiB | [`ZSTD_WINDOW_LOG`] |
//!
//! Windows are claimed at once but touched only as far as there is output: with a piece of 1460 bytes decoded, a zstd
//! layer occupies 18 KiB in truth.
//! Nothing is allocated for a layer before its first byte.

use smallvec::SmallVec;

mod engine;

use engine::Engine;

/// Codings of one body that are taken off; more are told as [`CodingProblem::TooManyLayers`].
pub const MAX_LAYERS: usize = 4;

/// Most bytes of output handed on at once.
pub const PIECE: usize = 8 * 1024;

/// The largest window of a zstd frame: what a sender may use in HTTP (RFC 9659, 3).
pub const ZSTD_WINDOW_LOG: u32 = 23;

/// The ratio of output to input is looked at in blocks of the body.
const BLOCK: u64 = 4096;

/// Where a body is damaged the reader of br finds it out earlier or later, and has handed on more or less, by how the
/// bytes came. So it gets them always alike: a stride at a time.
const STRIDE: usize = 256;

/// The first bytes come one by one: they tell whether the body is of the coding that it is said to be of.
const SINGLE: usize = 32;

/// A content coding that can be taken off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Coding {
    /// `gzip`, `x-gzip` (RFC 1952).
    Gzip,
    /// `deflate`: zlib (RFC 1950), or raw (RFC 1951) as some servers send it.
    Deflate,
    /// `br` (RFC 7932).
    Brotli,
    /// `zstd` (RFC 8878).
    Zstd,
}

/// What a token of `Content-Encoding` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// `identity`, or nothing between two commas: no coding.
    Identity,
    /// One that can be taken off.
    Known(Coding),
    /// Any other.
    Unknown,
}

impl Token {
    /// Reads a token, in any case, blanks around it left out.
    pub fn parse(token: &[u8]) -> Self {
        let token = token.trim_ascii();
        let is = |name: &str| token.eq_ignore_ascii_case(name.as_bytes());
        if is("gzip") || is("x-gzip") {
            Self::Known(Coding::Gzip)
        } else if is("deflate") || is("x-deflate") {
            Self::Known(Coding::Deflate)
        } else if is("br") {
            Self::Known(Coding::Brotli)
        } else if is("zstd") {
            Self::Known(Coding::Zstd)
        } else if is("identity") || token.is_empty() {
            Self::Identity
        } else {
            Self::Unknown
        }
    }
}

/// Codings in the order they were applied.
pub type Codings = SmallVec<[Coding; MAX_LAYERS]>;

/// Reads tokens of `Content-Encoding`, and of other headers that say more of what was applied.
pub fn parse<'t>(tokens: impl IntoIterator<Item = &'t [u8]>) -> Result<Codings, CodingProblem> {
    let mut codings = Codings::new();
    for token in tokens {
        match Token::parse(token) {
            Token::Identity => {}
            Token::Known(_) if codings.len() == MAX_LAYERS => return Err(CodingProblem::TooManyLayers),
            Token::Known(coding) => codings.push(coding),
            Token::Unknown => return Err(CodingProblem::Unknown),
        }
    }
    Ok(codings)
}

/// Why a body cannot be decoded, or not further. What was decoded before has been handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodingProblem {
    /// The bytes are not of that coding, or their checksum is wrong.
    #[error("malformed content coding")]
    Malformed(Coding),
    /// It wants a window larger than allowed.
    #[error("window of content coding too large")]
    WindowTooLarge(Coding),
    /// The output is over one of the [`Limits`].
    #[error("decompression bomb")]
    Bomb,
    /// More than [`MAX_LAYERS`] codings.
    #[error("too many content codings")]
    TooManyLayers,
    /// A coding that is not known.
    #[error("unknown content coding")]
    Unknown,
}

/// How much may come out of a body. Each layer of a stack is held to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of output.
    pub output: u64,
    /// Bytes of output for each byte of the body (counted in blocks of 4 KiB), beyond the first `floor` bytes of output.
    pub ratio: u64,
    /// Bytes of output below which `ratio` says nothing: small bodies of one repeated byte are no bombs.
    pub floor: u64,
}

impl Default for Limits {
    /// 1 GiB; 1000 to one beyond 16 MiB (deflate cannot do more than 1032).
    fn default() -> Self {
        Self { output: 1 << 30, ratio: 1000, floor: 16 << 20 }
    }
}

/// How a body ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// Every layer reached the end of its stream (or there were no bytes at all).
    pub complete: bool,
    /// Bytes after the end of a layer's stream, which were ignored.
    pub trailing: u64,
}

/// Takes a stack of codings off a body that arrives in pieces of any size.
///
/// ```
/// use parsers::content::coding::{Decoder, Limits, parse};
///
/// let codings = parse([&b"deflate"[..]]).unwrap();
/// let mut decoder = Decoder::new(&codings, Limits::default()).unwrap();
/// let mut text = Vec::new();
/// for byte in [0x4b, 0xcb, 0xcf, 0x07, 0x00] {
///     decoder.decode(&[byte], &mut |piece| text.extend_from_slice(piece)).unwrap();
/// }
/// decoder.flush(&mut |piece| text.extend_from_slice(piece)).unwrap();
/// assert_eq!(text, b"foo");
/// assert!(decoder.finish().complete);
/// ```
pub struct Decoder {
    /// The coding applied last comes off first.
    layers: SmallVec<[Box<Layer>; 1]>,
    limits: Limits,
    /// Bytes of the body so far.
    input: u64,
    /// Bytes handed on so far.
    output: u64,
    /// Bytes that wait for the rest of their [`STRIDE`].
    waiting: Vec<u8>,
    /// Bytes are taken in strides.
    in_strides: bool,
    /// Why there will be no more.
    problem: Option<CodingProblem>,
}

impl Decoder {
    /// A decoder of `codings`, which are in the order they were applied. With none, bytes go through as they are.
    pub fn new(codings: &[Coding], limits: Limits) -> Result<Self, CodingProblem> {
        if codings.len() > MAX_LAYERS {
            return Err(CodingProblem::TooManyLayers);
        }
        let layers = codings.iter().rev().map(|&coding| Box::new(Layer::new(coding))).collect();
        let in_strides = codings.contains(&Coding::Brotli);
        Ok(Self { layers, limits, input: 0, output: 0, waiting: Vec::new(), in_strides, problem: None })
    }

    /// Takes the next bytes of the body and hands on what they decode to, in pieces of at most [`PIECE`] bytes (without
    /// any coding: as they came). After a problem every call answers with it.
    pub fn decode(&mut self, bytes: &[u8], out: &mut dyn FnMut(&[u8])) -> Result<(), CodingProblem> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        if self.layers.is_empty() {
            self.input += bytes.len() as u64;
            self.output = self.input;
            out(bytes);
            return Ok(());
        }
        let mut rest = bytes;
        while self.in_strides && !rest.is_empty() {
            let at = self.input as usize + self.waiting.len();
            let missing = if at < SINGLE { 1 } else { STRIDE - at % STRIDE };
            let (part, others) = rest.split_at_checked(missing).unwrap_or((rest, &[]));
            rest = others;
            if part.len() == missing && self.waiting.is_empty() {
                self.take(part, out)?;
                continue;
            }
            self.waiting.extend_from_slice(part);
            if part.len() == missing {
                self.flush(out)?;
            }
        }
        self.take(rest, out)
    }

    /// Decodes what still waits for more: there is no more, or some of it was lost.
    pub fn flush(&mut self, out: &mut dyn FnMut(&[u8])) -> Result<(), CodingProblem> {
        let waiting = std::mem::take(&mut self.waiting);
        match self.problem {
            Some(problem) => Err(problem),
            None => self.take(&waiting, out),
        }
    }

    fn take(&mut self, bytes: &[u8], out: &mut dyn FnMut(&[u8])) -> Result<(), CodingProblem> {
        let output = &mut self.output;
        let mut counted = |piece: &[u8]| {
            *output += piece.len() as u64;
            out(piece);
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            // A large piece must not vouch with all its bytes for what its first ones decode to, nor may it matter how
            // the body is cut: each block vouches for what is in it.
            let left = BLOCK - self.input % BLOCK;
            let (part, others) = rest.split_at_checked(left as usize).unwrap_or((rest, &[]));
            rest = others;
            let vouched = (self.input + left).saturating_mul(self.limits.ratio);
            let allowed = self.limits.output.min(self.limits.floor.max(vouched));
            self.input += part.len() as u64;
            if let Err(problem) = run(&mut self.layers, part, allowed, &mut counted) {
                self.problem = Some(problem);
                self.layers.clear();
                return Err(problem);
            }
        }
        Ok(())
    }

    /// Says how the body ended, when there are no more bytes and none wait (see [`Decoder::flush`]).
    pub fn finish(&self) -> End {
        if self.problem.is_some() {
            return End::default();
        }
        End {
            complete: self.input == 0 || self.layers.iter().all(|layer| layer.is_over()),
            trailing: self.layers.iter().map(|layer| layer.trailing + layer.waiting_after_end()).sum(),
        }
    }

    /// Bytes of memory that are held for the layers now: what a budget of many bodies should know after each call,
    /// as few bytes of input can claim a window of megabytes.
    pub fn held(&self) -> usize {
        let layers = self.layers.iter().map(|layer| size_of::<Layer>() + layer.engine.held());
        layers.sum::<usize>() + self.waiting.capacity()
    }

    /// Bytes handed on so far. Where there are none after a problem, the label may be wrong and the bytes plain.
    pub fn produced(&self) -> u64 {
        self.output
    }
}

/// Decodes `bytes` by the first layer and what comes out of it by the others.
fn run(
    layers: &mut [Box<Layer>],
    bytes: &[u8],
    allowed: u64,
    out: &mut dyn FnMut(&[u8]),
) -> Result<(), CodingProblem> {
    let Some((layer, rest)) = layers.split_first_mut() else {
        out(bytes);
        return Ok(());
    };
    layer.decode(bytes, allowed, &mut |piece| run(rest, piece, allowed, out))
}

/// Where what is decoded goes: the next layer, which may fail, or the caller.
type Next<'a> = dyn FnMut(&[u8]) -> Result<(), CodingProblem> + 'a;

/// One coding.
struct Layer {
    coding: Coding,
    state: State,
    engine: Engine,
    /// Bytes that wait until there are enough to know how to go on.
    waiting: SmallVec<[u8; 8]>,
    produced: u64,
    /// Bytes after the end.
    trailing: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// No byte was decoded.
    Start,
    /// Inside a stream, member or frame.
    Inside,
    /// Behind a gzip member or a zstd frame, where another may follow.
    Between,
    /// Behind the end: what follows is ignored.
    Over,
}

impl Layer {
    fn new(coding: Coding) -> Self {
        Self {
            coding,
            state: State::Start,
            engine: Engine::None,
            waiting: SmallVec::new(),
            produced: 0,
            trailing: 0,
        }
    }

    fn is_over(&self) -> bool {
        matches!(self.state, State::Between | State::Over)
    }

    /// Bytes behind a member that may have been the beginning of another, but did not get that far.
    fn waiting_after_end(&self) -> u64 {
        if self.is_over() { self.waiting.len() as u64 } else { 0 }
    }

    fn decode(&mut self, bytes: &[u8], allowed: u64, next: &mut Next<'_>) -> Result<(), CodingProblem> {
        let mut rest = bytes;
        while !rest.is_empty() {
            match self.state {
                State::Inside => rest = self.inside(rest, allowed, next)?,
                State::Over => {
                    self.trailing += rest.len() as u64;
                    return Ok(());
                }
                State::Start | State::Between => {
                    let wanted = self.wanted();
                    let missing = wanted.saturating_sub(self.waiting.len());
                    let (taken, others) = rest.split_at_checked(missing).unwrap_or((rest, &[]));
                    self.waiting.extend_from_slice(taken);
                    rest = others;
                    if self.waiting.len() < wanted {
                        return Ok(());
                    }
                    self.begin()?;
                    let waiting = std::mem::take(&mut self.waiting);
                    let mut first: &[u8] = &waiting;
                    while self.state == State::Inside && !first.is_empty() {
                        first = self.inside(first, allowed, next)?;
                    }
                    self.trailing += first.len() as u64;
                }
            }
        }
        Ok(())
    }

    /// How many bytes tell how to go on.
    fn wanted(&self) -> usize {
        match (self.coding, self.state) {
            (Coding::Deflate, _) | (Coding::Gzip, State::Between) => 2,
            (Coding::Zstd, State::Between) => 4,
            _ => 0,
        }
    }

    /// Makes the engine, or makes it ready for another member or frame.
    fn begin(&mut self) -> Result<(), CodingProblem> {
        let another = self.state == State::Between;
        self.state = State::Inside;
        match self.coding {
            Coding::Gzip if another && self.waiting.as_slice() != GZIP => self.state = State::Over,
            Coding::Gzip => self.engine = Engine::gzip(),
            // Neither can be the beginning of another kind: as raw deflate, gzip's magic would be a block of the
            // reserved type, and a zlib header a stored block with bits set that are to be ignored.
            Coding::Deflate => {
                self.engine = match self.waiting.as_slice() {
                    GZIP => Engine::gzip(),
                    header => Engine::deflate(is_zlib(header)),
                };
            }
            Coding::Brotli => self.engine = Engine::brotli(),
            Coding::Zstd if another && !is_zstd(&self.waiting) => self.state = State::Over,
            Coding::Zstd => self.engine = Engine::zstd(std::mem::replace(&mut self.engine, Engine::None))?,
        }
        Ok(())
    }

    /// Decodes until the bytes are used up or the stream (member, frame) ends; gives what is left of them.
    fn inside<'a>(
        &mut self,
        bytes: &'a [u8],
        allowed: u64,
        next: &mut Next<'_>,
    ) -> Result<&'a [u8], CodingProblem> {
        let mut buffer = [0; PIECE];
        let mut rest = bytes;
        loop {
            let step = self.engine.step(self.coding, rest, &mut buffer);
            rest = rest.get(step.consumed..).unwrap_or_default();
            self.give(buffer.get(..step.produced).unwrap_or_default(), allowed, next)?;
            if step.ended? {
                self.state = match self.coding {
                    Coding::Gzip | Coding::Zstd => State::Between,
                    Coding::Deflate | Coding::Brotli => State::Over,
                };
                if self.state == State::Over {
                    self.engine = Engine::None;
                }
                return Ok(rest);
            }
            let stuck = step.consumed == 0 && step.produced == 0;
            // With room left in the buffer there is nothing more to come from bytes that were taken.
            if stuck || (rest.is_empty() && step.produced < PIECE) {
                return if rest.is_empty() { Ok(rest) } else { Err(CodingProblem::Malformed(self.coding)) };
            }
        }
    }

    /// Hands on what was decoded, up to the bound.
    fn give(&mut self, piece: &[u8], allowed: u64, next: &mut Next<'_>) -> Result<(), CodingProblem> {
        let room = usize::try_from(allowed.saturating_sub(self.produced)).unwrap_or(usize::MAX);
        self.produced += piece.len() as u64;
        if piece.len() > room {
            next(piece.get(..room).unwrap_or_default())?;
            return Err(CodingProblem::Bomb);
        }
        if piece.is_empty() { Ok(()) } else { next(piece) }
    }
}

/// How every gzip member begins.
const GZIP: &[u8] = &[0x1f, 0x8b];

/// Whether two bytes are a zlib header (RFC 1950, 2.2).
fn is_zlib(header: &[u8]) -> bool {
    let &[method, flags] = header else { return false };
    method & 0x0f == 8 && method >> 4 <= 7 && u16::from_be_bytes([method, flags]).is_multiple_of(31)
}

/// Whether four bytes begin a frame, or one to be skipped (RFC 8878, 3.1).
fn is_zstd(magic: &[u8]) -> bool {
    matches!(magic, [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18])
}

#[cfg(test)]
mod tests;
