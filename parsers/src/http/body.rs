//! The body of a message on its way: framing off, content codings off, and into a file.

use schemas::anomaly::AnomalyName;

use super::NAME;
use super::chunked::{Chunked, Step as Chunk};
use super::content::Content;
use super::facts;
use super::framing::Body as Framing;
use super::head::{self, Headers};
use crate::content::coding::{CodingProblem, Codings, Decoder};
use crate::context::Context;
use crate::files::{End, Known, Start};

/// Bytes within which it shows that a body is not of the coding that it is said to be of: then it is taken as it is.
const LABEL: usize = 16;

/// A body.
pub(super) struct Body {
    framing: Framed,
    decoder: Option<Box<Decoder>>,
    /// The first bytes, as long as the coding has not proved right.
    front: Vec<u8>,
    file: Content,
    /// After dechunking, lost bytes included.
    bytes: u64,
    /// The block of trailers, as it was sent; no longer than the framing allows.
    trailers: Vec<u8>,
    /// After content decoding; where there is none, lost bytes included.
    decoded: u64,
    /// Why the file is not whole, whatever comes.
    spoiled: Option<End>,
}

/// Where it ends.
#[derive(Debug)]
enum Framed {
    /// After so many bytes.
    Length(u64),
    /// With the last chunk.
    Chunked(Chunked),
    /// With the connection.
    UntilClose,
}

/// What became of a body.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    pub(super) bytes: u64,
    pub(super) decoded: u64,
    pub(super) file: Known,
    pub(super) trailers: Box<[u8]>,
}

/// How far it came with the bytes that it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// All are taken, and more are to come.
    More,
    /// So many are taken, and it has ended.
    Ended(usize),
    /// So many are taken, and where it ends is not known any more.
    Lost(usize),
}

impl Body {
    /// The body of a message with these headers, in the exchange of this number; none where there is none. `length`: as
    /// the headers say.
    pub(super) fn announced(
        framing: Framing,
        length: Option<u64>,
        transaction: u32,
        start: Start<'_>,
        headers: &Headers<'_>,
        cx: &mut Context<'_>,
    ) -> Option<Self> {
        if matches!(framing, Framing::None | Framing::Length(0)) {
            return None;
        }
        let number = u64::from(transaction) << 1 | u64::from(start.is_request);
        let codings = facts::codings(headers);
        let total = match (length, &codings) {
            // Behind a content coding the length is that of something else.
            (Some(length), Ok(codings)) if codings.is_empty() && !start.is_part => Some(length),
            // One that is not known is not taken off.
            (Some(length), Err(CodingProblem::Unknown)) if !start.is_part => Some(length),
            _ => start.total,
        };
        // A part of what is coded is no part of what is in it.
        let is_plain = codings.as_ref().is_ok_and(|codings| codings.is_empty());
        // A length that is not that of the range makes both doubtful.
        let fits = match (start.range_start, start.range_end, length) {
            (Some(begin), Some(end), Some(length)) => end.checked_sub(begin) == Some(length),
            _ => true,
        };
        let validator = start.validator.filter(|_| is_plain && fits);
        let file = Content::new(&Start { number, total, validator, ..start }, is_plain, headers, cx);
        Self::new(framing, codings, file, cx)
    }

    /// The body that a head announces, as a file; none where there is none.
    fn new(
        framing: Framing,
        codings: Result<Codings, CodingProblem>,
        file: Content,
        cx: &mut Context<'_>,
    ) -> Option<Self> {
        let framing = match framing {
            Framing::None | Framing::Length(0) => return None,
            Framing::Length(length) => Framed::Length(length),
            Framing::Chunked => Framed::Chunked(Chunked::new()),
            Framing::UntilClose => Framed::UntilClose,
        };
        let decoder = match codings {
            Ok(codings) if codings.is_empty() => Ok(None),
            Ok(codings) => {
                Decoder::new(&codings, cx.settings.decoding).map(|decoder| Some(Box::new(decoder)))
            }
            Err(problem) => Err(problem),
        };
        let mut body = Self {
            framing,
            decoder: None,
            front: Vec::new(),
            file,
            bytes: 0,
            trailers: Vec::new(),
            decoded: 0,
            spoiled: None,
        };
        match decoder {
            Ok(decoder) => body.decoder = decoder,
            // As browsers do, which save what is coded in a way that they do not know as it came.
            Err(CodingProblem::Unknown) => {
                cx.anomaly(AnomalyName::HttpCoding, Some(NAME), &CodingProblem::Unknown.to_string());
            }
            Err(problem) => body.spoil(problem, cx),
        }
        Some(body)
    }

    /// Shows it the next bytes.
    pub(super) fn data(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Step {
        match &mut self.framing {
            Framed::UntilClose => {
                self.content(bytes, cx);
                Step::More
            }
            Framed::Length(left) => {
                let now = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= now as u64;
                let ends = *left == 0;
                self.content(bytes.get(..now).unwrap_or_default(), cx);
                if ends { Step::Ended(now) } else { Step::More }
            }
            Framed::Chunked(_) => self.chunks(bytes, cx),
        }
    }

    fn chunks(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> Step {
        let mut rest = bytes;
        loop {
            let Framed::Chunked(chunked) = &mut self.framing else { return Step::Lost(0) };
            let chunk = chunked.next(&mut rest);
            let taken = bytes.len() - rest.len();
            match chunk {
                Chunk::Data(data) => self.content(data, cx),
                Chunk::Trailers(trailers) => self.trailers.extend_from_slice(trailers),
                Chunk::NeedMore => return Step::More,
                Chunk::End => {
                    if chunked.has_bare_lf() {
                        cx.anomaly(AnomalyName::HttpOdd, Some(NAME), "chunk line ends with LF alone");
                    }
                    return Step::Ended(taken);
                }
                Chunk::Problem(problem) => {
                    cx.anomaly(AnomalyName::HttpMalformed, Some(NAME), problem.as_str());
                    return Step::Lost(taken);
                }
            }
        }
    }

    /// `missing` bytes will not come.
    pub(super) fn gap(&mut self, missing: u64, cx: &mut Context<'_>) -> Step {
        let within = match &mut self.framing {
            Framed::UntilClose => true,
            Framed::Length(left) if *left >= missing => {
                *left -= missing;
                true
            }
            Framed::Length(_) => false,
            Framed::Chunked(chunked) => chunked.skip(missing),
        };
        if !within {
            return Step::Lost(0);
        }
        self.bytes = self.bytes.saturating_add(missing);
        self.flush(cx);
        self.file.gap(missing, cx);
        // What was compressed cannot be read behind a gap.
        if self.decoder.take().is_some() {
            self.spoiled = Some(End::Short);
        } else if self.spoiled.is_none() {
            self.decoded = self.decoded.saturating_add(missing);
        }
        if matches!(self.framing, Framed::Length(0)) { Step::Ended(0) } else { Step::More }
    }

    /// Bytes of memory that it holds.
    pub(super) fn held(&self) -> usize {
        size_of::<Self>()
            + self.trailers.capacity()
            + self.file.held()
            + self.decoder.as_ref().map_or(0, |decoder| decoder.held())
    }

    /// Whether only the end of the connection ends it.
    pub(super) fn is_until_close(&self) -> bool {
        matches!(self.framing, Framed::UntilClose)
    }

    /// It has ended.
    pub(super) fn end(mut self, mut end: End, cx: &mut Context<'_>) -> Outcome {
        self.flush(cx);
        if let Some(decoder) = &self.decoder {
            if end == End::Whole && decoder.produced() == 0 && !decoder.finish().complete {
                // Shorter than it takes to tell that it is none.
                self.unlabel(cx);
            } else if end == End::Whole && !decoder.finish().complete {
                end = End::Short;
            }
        }
        let Self { file, bytes, trailers, decoded, spoiled, .. } = self;
        let trailers = kept(trailers, cx);
        let file = file.end(spoiled.unwrap_or(end), cx);
        Outcome { bytes, decoded, file, trailers }
    }

    /// Bytes of the content, behind the framing.
    fn content(&mut self, bytes: &[u8], cx: &mut Context<'_>) {
        self.bytes += bytes.len() as u64;
        let mut rest = bytes;
        // One by one, so that it does not depend on how they came where the label shows to be wrong.
        while self.decoder.is_some() && self.front.len() < LABEL {
            let Some((byte, after)) = rest.split_first() else { return };
            rest = after;
            self.front.push(*byte);
            self.decode(&[*byte], cx);
        }
        if self.decoder.is_some() {
            self.decode(rest, cx);
        } else if self.spoiled.is_none() {
            self.decoded += rest.len() as u64;
            self.file.data(rest, cx);
        }
    }

    fn decode(&mut self, bytes: &[u8], cx: &mut Context<'_>) {
        self.decode_with(cx, |decoder, out| decoder.decode(bytes, out));
    }

    /// No more follows on the bytes so far.
    fn flush(&mut self, cx: &mut Context<'_>) {
        self.decode_with(cx, Decoder::flush);
    }

    fn decode_with(
        &mut self,
        cx: &mut Context<'_>,
        work: impl FnOnce(&mut Decoder, &mut dyn FnMut(&[u8])) -> Result<(), CodingProblem>,
    ) {
        let Self { decoder: Some(decoder), file, decoded, .. } = self else { return };
        let outcome = work(decoder, &mut |bytes| {
            *decoded += bytes.len() as u64;
            file.data(bytes, cx);
        });
        match outcome {
            Ok(()) => {}
            Err(CodingProblem::Malformed(_)) if *decoded == 0 && self.front.len() < LABEL => self.unlabel(cx),
            Err(problem) => self.spoil(problem, cx),
        }
    }

    /// The bytes are not of the coding that they were said to be of.
    fn unlabel(&mut self, cx: &mut Context<'_>) {
        self.decoder = None;
        cx.anomaly(AnomalyName::HttpCoding, Some(NAME), "said to be coded, and is not");
        let front = std::mem::take(&mut self.front);
        self.decoded += front.len() as u64;
        self.file.data(&front, cx);
    }

    /// The rest cannot be decoded.
    fn spoil(&mut self, problem: CodingProblem, cx: &mut Context<'_>) {
        self.decoder = None;
        let (name, end) = match problem {
            CodingProblem::Bomb | CodingProblem::TooManyLayers | CodingProblem::WindowTooLarge(_) => {
                (AnomalyName::HttpBomb, End::Cut)
            }
            CodingProblem::Malformed(_) | CodingProblem::Unknown => (AnomalyName::HttpCoding, End::Short),
        };
        self.spoiled = Some(end);
        cx.anomaly(name, Some(NAME), &problem.to_string());
    }
}

/// The block of trailers, if there is any: the empty line that ends the chunks is none.
fn kept(trailers: Vec<u8>, cx: &mut Context<'_>) -> Box<[u8]> {
    if trailers.is_empty() {
        return Box::default();
    }
    let (headers, oddities) = head::header_block(&trailers);
    if headers.is_empty() {
        return Box::default();
    }
    drop(headers);
    oddities.tell(cx);
    trailers.into_boxed_slice()
}
