//! The libraries that take codings off, each called a step at a time.

use brotli_decompressor::{
    BrotliDecoderErrorCode, BrotliDecompressStream, BrotliResult, BrotliState, HuffmanCode, SliceWrapper,
    StandardAlloc,
};
use flate2::{Decompress, FlushDecompress, Status};
use zstd::zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, ResetDirective};

use super::{Coding, CodingProblem, ZSTD_WINDOW_LOG};

/// The library's state. Heap only: a layer that has seen nothing is small.
pub(super) enum Engine {
    None,
    Inflate(Decompress),
    Brotli(Box<Brotli>),
    Zstd(Zstd),
}

type Brotli = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// Takes at most a block at a time: of a call that fails the library does not say how much it had decoded before.
pub(super) struct Zstd {
    context: DCtx<'static>,
    /// Bytes up to the end of the present block, or of the header.
    wanted: usize,
    /// There may be more output without more input.
    is_full: bool,
}

/// What one step of an engine did.
pub(super) struct Step {
    pub(super) consumed: usize,
    pub(super) produced: usize,
    /// Whether the stream, member or frame ended.
    pub(super) ended: Result<bool, CodingProblem>,
}

impl Engine {
    /// For gzip members.
    pub(super) fn gzip() -> Self {
        Self::Inflate(Decompress::new_gzip(15))
    }

    /// For deflate, with a header of zlib or without any.
    pub(super) fn deflate(has_header: bool) -> Self {
        Self::Inflate(Decompress::new(has_header))
    }

    /// For br, without large windows.
    pub(super) fn brotli() -> Self {
        let heap = StandardAlloc::default;
        Self::Brotli(Box::new(BrotliState::new_strict(heap(), heap(), heap())))
    }

    /// For a frame of zstd; an engine that read one before is used again.
    pub(super) fn zstd(before: Self) -> Result<Self, CodingProblem> {
        let malformed = |_| CodingProblem::Malformed(Coding::Zstd);
        let context = match before {
            Self::Zstd(Zstd { mut context, .. }) => {
                context.reset(ResetDirective::SessionOnly).map_err(malformed)?;
                context
            }
            _ => {
                let mut context = DCtx::try_create().ok_or(CodingProblem::WindowTooLarge(Coding::Zstd))?;
                context.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG)).map_err(malformed)?;
                context
            }
        };
        Ok(Self::Zstd(Zstd { context, wanted: ZSTD_START, is_full: false }))
    }

    /// Bytes on the heap.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::None => 0,
            Self::Inflate(_) => INFLATE,
            Self::Brotli(state) => {
                let codes = [&state.literal_hgroup, &state.insert_copy_hgroup, &state.distance_hgroup]
                    .map(|group| size_of_val::<[HuffmanCode]>(group.codes.slice()));
                size_of_val(&**state) + state.ringbuffer.slice().len() + codes.iter().sum::<usize>()
            }
            Self::Zstd(zstd) => zstd.context.sizeof(),
        }
    }

    pub(super) fn step(&mut self, coding: Coding, input: &[u8], output: &mut [u8]) -> Step {
        let malformed = CodingProblem::Malformed(coding);
        match self {
            Self::None => Step { consumed: 0, produced: 0, ended: Err(malformed) },
            Self::Inflate(inflate) => {
                let before = (inflate.total_in(), inflate.total_out());
                let status = inflate.decompress(input, output, FlushDecompress::None);
                Step {
                    consumed: (inflate.total_in() - before.0) as usize,
                    produced: (inflate.total_out() - before.1) as usize,
                    ended: status.map(|status| status == Status::StreamEnd).map_err(|_| malformed),
                }
            }
            Self::Brotli(state) => {
                let (mut available_in, mut consumed) = (input.len(), 0);
                let (mut available_out, mut produced, mut total) = (output.len(), 0, 0);
                let result = BrotliDecompressStream(
                    &mut available_in,
                    &mut consumed,
                    input,
                    &mut available_out,
                    &mut produced,
                    output,
                    &mut total,
                    state,
                );
                let ended = match (result, &state.error_code) {
                    (BrotliResult::ResultSuccess, _) => Ok(true),
                    (BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput, _) => Ok(false),
                    (
                        BrotliResult::ResultFailure,
                        BrotliDecoderErrorCode::BROTLI_DECODER_ERROR_FORMAT_WINDOW_BITS,
                    ) => Err(CodingProblem::WindowTooLarge(coding)),
                    (BrotliResult::ResultFailure, _) => Err(malformed),
                };
                Step { consumed, produced, ended }
            }
            Self::Zstd(zstd) => zstd.step(input, output),
        }
    }
}

impl Zstd {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        if self.is_full {
            let step = self.call(&[], output);
            if step.produced > 0 || step.ended != Ok(false) {
                return step;
            }
        }
        self.call(input.get(..self.wanted).unwrap_or(input), output)
    }

    fn call(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        let room = output.len();
        let mut from = InBuffer::around(input);
        let mut to = OutBuffer::around(output);
        let ended = match self.context.decompress_stream(&mut to, &mut from) {
            Ok(hint) => {
                // In the hint there is the header of the next block, too.
                self.wanted = if hint > ZSTD_BLOCK_HEADER { hint - ZSTD_BLOCK_HEADER } else { hint.max(1) };
                Ok(hint == 0)
            }
            Err(WINDOW_TOO_LARGE) => Err(CodingProblem::WindowTooLarge(Coding::Zstd)),
            Err(_) => Err(CodingProblem::Malformed(Coding::Zstd)),
        };
        self.is_full = to.pos() == room;
        Step { consumed: from.pos(), produced: to.pos(), ended }
    }
}

/// Bytes of the header of a block of zstd.
const ZSTD_BLOCK_HEADER: usize = 3;

/// With so many bytes the header of a frame says how long it is.
const ZSTD_START: usize = 5;

/// What inflating holds, as measured: its window and tables are of one size.
const INFLATE: usize = 47 * 1024;

/// `ZSTD_error_frameParameter_windowTooLarge`, as the library returns errors: negated.
const WINDOW_TOO_LARGE: usize = 16_usize.wrapping_neg();
