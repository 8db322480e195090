//! HTTP/2 of one flow: frames of both directions, whose header blocks and DATA make the exchanges of streams.

use schemas::anomaly::AnomalyName;
use schemas::envelope::Nanoseconds;

use super::fields::Fields;
use super::frame::{self, DEFAULT_MAX_FRAME, Header, kind, setting};
use super::hpack::{self, Decoder};
use super::streams::Streams;
use crate::context::Context;
use crate::http::body::Outcome;
use crate::http::exchange::Exchange;
use crate::http::recognition::HTTP2_PREFACE as PREFACE;
use crate::http::{MAX_HEAD, NAME};
use crate::protocol::{Direction, Malformed, Progress, Session, Verdict};
use crate::roles::Roles;

/// By how much the number of a stream may be above those that were seen where frames are looked for again.
const MAX_STREAMS_LOST: u32 = 1 << 12;

/// The frames of one flow.
#[derive(Default)]
pub(in crate::http) struct Http2 {
    sides: [Side; 2],
    streams: Streams,
    roles: Roles,
}

/// One direction.
#[derive(Default)]
struct Side {
    state: State,
    hpack: Decoder,
    /// Of the frame that is on its way: what is needed as a whole.
    payload: Vec<u8>,
    block: Option<Block>,
    /// When the frame that is on its way began: time and number of the packet.
    begun: Option<(Nanoseconds, u64)>,
    /// What its sender takes; none where it has not said anything.
    announced: Option<Announced>,
}

#[derive(Default)]
enum State {
    /// The connection begins.
    #[default]
    Start,
    /// The header of a frame comes next.
    Frame,
    /// The payload of a frame that is needed as a whole; so many bytes are to come.
    Payload(Header, u32),
    /// The content of DATA, and the padding behind it.
    Data { stream: u32, left: u32, padding: u32, ends: bool },
    /// What nobody needs.
    Skip(u32),
    /// It is not known where the next frame begins.
    Lost,
}

/// A header block on its way.
struct Block {
    stream: u32,
    promised: Option<u32>,
    ends_stream: bool,
    first: (Nanoseconds, u64),
    bytes: Vec<u8>,
    /// Nothing of it is missing so far.
    is_whole: bool,
}

/// The largest that was announced: what is on its way may go by an earlier value.
#[derive(Clone, Copy)]
struct Announced {
    table: u32,
    frame: u32,
}

impl Default for Announced {
    fn default() -> Self {
        Self { table: hpack::DEFAULT_TABLE, frame: DEFAULT_MAX_FRAME }
    }
}

impl Http2 {
    /// The session that goes on with a connection of HTTP/1 behind its upgrade (RFC 7540, 3.2): with the exchange that
    /// asked for it, and the client's SETTINGS.
    pub(in crate::http) fn upgraded(exchange: Exchange, settings: Option<&[u8]>) -> Self {
        let streams = Streams::upgraded(exchange);
        let mut this = Self { streams, ..Self::default() };
        if let Some(settings) = settings {
            this.settings(Direction::ToResponder, settings);
        }
        this
    }

    /// The body of the request that asked for the upgrade has ended.
    pub(in crate::http) fn end_upgrading_request(&mut self, outcome: Outcome, cx: &mut Context<'_>) {
        self.streams.end_upgrading_request(outcome, cx);
    }

    /// Reads from the front of `bytes` of a direction that is not in doubt.
    pub(in crate::http) fn frames(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Progress {
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            if rest.is_empty() {
                return Progress::Took(taken);
            }
            match self.step(direction, rest, cx) {
                // Where it took nothing it came to another state.
                Progress::Took(count) => taken += count,
                Progress::Need(_) if taken > 0 => return Progress::Took(taken),
                other => return other,
            }
        }
    }

    /// `missing` bytes of a direction that is not in doubt will not come.
    pub(in crate::http) fn lost(&mut self, direction: Direction, missing: u64, cx: &mut Context<'_>) {
        // What is behind the frame that is on its way.
        let behind = match self.side(direction).state {
            State::Data { stream, left, padding, ends } => {
                let (lost, missing) = take(missing, left);
                let (passed, missing) = take(missing, padding);
                self.streams.gap(direction, stream, lost.into(), cx);
                self.data_left(direction, stream, left - lost, padding - passed, ends, cx);
                missing
            }
            State::Payload(header, left) => {
                let (lost, missing) = take(missing, left);
                self.end_payload(direction, header, cx);
                self.skip(direction, left - lost);
                missing
            }
            State::Skip(left) => {
                let (lost, missing) = take(missing, left);
                self.skip(direction, left - lost);
                missing
            }
            State::Lost => 0,
            State::Start | State::Frame => missing,
        };
        if behind > 0 {
            self.lose(direction, "frames behind lost bytes", cx);
        }
    }

    /// One step: how far it came with the bytes.
    fn step(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) -> Progress {
        match self.side(direction).state {
            State::Start => self.start(direction, bytes, cx),
            State::Frame => self.frame(direction, bytes, cx),
            State::Payload(header, left) => self.payload(direction, header, left, bytes, cx),
            State::Data { stream, left, padding, ends } => {
                let now = fitting(left, bytes.len());
                self.streams.data(direction, stream, bytes.get(..now as usize).unwrap_or_default(), cx);
                let passed = fitting(padding, bytes.len() - now as usize);
                self.data_left(direction, stream, left - now, padding - passed, ends, cx);
                Progress::Took((now + passed) as usize)
            }
            State::Skip(left) => {
                let now = fitting(left, bytes.len());
                self.skip(direction, left - now);
                Progress::Took(now as usize)
            }
            State::Lost => self.search(direction, bytes),
        }
    }

    /// How a direction begins: the client's preface, and SETTINGS in both.
    fn start(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) -> Progress {
        if direction == Direction::ToOriginator {
            let Some(header) = Header::read(bytes) else { return Progress::Need(frame::HEADER) };
            if header.kind == kind::SETTINGS && header.problem().is_none() {
                self.side(direction).state = State::Frame;
            } else {
                self.lose(direction, "no SETTINGS at the beginning", cx);
            }
            return Progress::Took(0);
        }
        match frame::looks_like_client(bytes) {
            Verdict::Yes => {
                self.side(direction).state = State::Frame;
                Progress::Took(PREFACE.len())
            }
            Verdict::NeedMore => Progress::Need(PREFACE.len()),
            Verdict::No => {
                self.lose(direction, "no preface at the beginning", cx);
                Progress::Took(0)
            }
        }
    }

    /// The header of a frame.
    fn frame(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) -> Progress {
        let side = self.side(direction);
        side.begun.get_or_insert((cx.now, cx.packet));
        let Some(header) = Header::read(bytes) else { return Progress::Need(frame::HEADER) };
        let is_padded_data = header.kind == kind::DATA && header.is_padded();
        let padding = bytes.get(frame::HEADER).copied().filter(|_| is_padded_data && header.length > 0);
        if is_padded_data && header.length > 0 && padding.is_none() {
            return Progress::Need(frame::HEADER + 1);
        }
        if let Some(problem) = header.problem() {
            self.lose(direction, problem, cx);
            return Progress::Took(0);
        }
        let is_expected = |block: &Block| header.kind == kind::CONTINUATION && header.stream == block.stream;
        if let Some(block) = side.block.take_if(|block| !is_expected(block)) {
            malformed("header block that is not continued", cx);
            self.end_block(direction, Block { is_whole: false, ..block }, cx);
        }
        if self.side(direction.reverse()).announced.is_some_and(|takes| header.length > takes.frame) {
            cx.anomaly(AnomalyName::HttpOdd, Some(NAME), "frame longer than announced");
        }
        match header.kind {
            kind::DATA => {
                let padding = padding.map(u32::from);
                // The length of the padding is a part of the payload.
                let Some(left) = header.length.checked_sub(padding.map_or(0, |padding| padding + 1)) else {
                    self.lose(direction, "padding longer than its frame", cx);
                    return Progress::Took(frame::HEADER);
                };
                let taken = frame::HEADER + usize::from(padding.is_some());
                let padding = padding.unwrap_or_default();
                if self.streams.takes(direction, header.stream, cx) {
                    self.data_left(direction, header.stream, left, padding, header.ends_stream(), cx);
                } else {
                    self.skip(direction, left + padding);
                }
                return Progress::Took(taken);
            }
            kind::HEADERS | kind::PUSH_PROMISE | kind::CONTINUATION | kind::SETTINGS
                if header.length == 0 =>
            {
                self.whole(direction, header, &[], cx);
            }
            kind::HEADERS | kind::PUSH_PROMISE | kind::CONTINUATION | kind::SETTINGS => {
                self.side(direction).state = State::Payload(header, header.length);
            }
            kind::RST_STREAM => {
                self.streams.reset(header.stream, cx);
                self.skip(direction, header.length);
            }
            _ => self.skip(direction, header.length),
        }
        Progress::Took(frame::HEADER)
    }

    /// The payload of a frame that is needed as a whole.
    fn payload(
        &mut self,
        direction: Direction,
        header: Header,
        left: u32,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Progress {
        let side = self.side(direction);
        let now = fitting(left, bytes.len());
        let part = bytes.get(..now as usize).unwrap_or_default();
        if now == left && side.payload.is_empty() {
            self.whole(direction, header, part, cx);
        } else {
            let room = MAX_HEAD.saturating_sub(side.payload.len());
            side.payload.extend_from_slice(part.get(..room).unwrap_or(part));
            side.state = State::Payload(header, left - now);
            if now == left {
                self.end_payload(direction, header, cx);
            }
        }
        Progress::Took(now as usize)
    }

    /// The payload is there, or as much of it as will be.
    fn end_payload(&mut self, direction: Direction, header: Header, cx: &mut Context<'_>) {
        let payload = std::mem::take(&mut self.side(direction).payload);
        self.whole(direction, header, &payload, cx);
    }

    fn whole(&mut self, direction: Direction, header: Header, payload: &[u8], cx: &mut Context<'_>) {
        let first = self.side(direction).begun.unwrap_or((cx.now, cx.packet));
        self.skip(direction, 0);
        if header.kind == kind::SETTINGS {
            // An answer says nothing.
            if header.is_ack() {
                return;
            }
            self.settings(direction, payload);
            return;
        }
        let is_cut = payload.len() < header.length as usize;
        let nothing = frame::Fragment { promised: None, bytes: &[], is_whole: false };
        let fragment = header.fragment(payload).unwrap_or_else(|problem| {
            if !is_cut {
                malformed(problem, cx);
            }
            nothing
        });
        let side = self.side(direction);
        let block = if header.kind == kind::CONTINUATION {
            let Some(mut block) = side.block.take() else {
                malformed("CONTINUATION of nothing", cx);
                side.hpack.lose();
                return;
            };
            if block.bytes.len() + fragment.bytes.len() > MAX_HEAD && block.is_whole {
                malformed("header block longer than 256 KiB", cx);
                block.is_whole = false;
            }
            if block.is_whole {
                block.bytes.extend_from_slice(fragment.bytes);
                block.is_whole = fragment.is_whole;
            }
            block
        } else {
            let promised = fragment.promised.or((header.kind == kind::PUSH_PROMISE).then_some(0));
            let (stream, ends_stream) = (header.stream, header.ends_stream());
            let (bytes, is_whole) = (fragment.bytes.to_vec(), fragment.is_whole);
            Block { stream, promised, ends_stream, first, bytes, is_whole }
        };
        if header.ends_headers() {
            self.end_block(direction, block, cx);
        } else {
            self.side(direction).block = Some(block);
        }
    }

    /// A header block is there, or as much of it as will be.
    fn end_block(&mut self, direction: Direction, block: Block, cx: &mut Context<'_>) {
        let takes = self.side(direction.reverse()).announced;
        let side = self.side(direction);
        let mut fields = Fields::default();
        match side.hpack.decode(&block.bytes, &mut fields) {
            Ok(outcome) => {
                if outcome.unknown > 0 {
                    malformed("fields that refer to what was lost", cx);
                }
                if outcome.table.zip(takes).is_some_and(|(table, takes)| table > takes.table) {
                    cx.anomaly(
                        AnomalyName::HttpOdd,
                        Some(NAME),
                        "table of header blocks larger than announced",
                    );
                }
            }
            Err(hpack::Malformed(problem)) if block.is_whole => malformed(problem, cx),
            Err(_) => {}
        }
        if !block.is_whole {
            malformed("header block that is not whole", cx);
            side.hpack.lose();
        }
        fields.shrink();
        match block.promised {
            Some(promised) if direction == Direction::ToOriginator => {
                self.streams.promise(promised, fields, block.first, cx);
            }
            Some(_) => malformed("promise of a client", cx),
            None => self.streams.head(direction, block.stream, fields, block.ends_stream, block.first, cx),
        }
    }

    fn settings(&mut self, direction: Direction, payload: &[u8]) {
        let announced = self.side(direction).announced.get_or_insert_default();
        for (name, value) in frame::settings(payload) {
            match name {
                setting::HEADER_TABLE_SIZE => announced.table = announced.table.max(value),
                setting::MAX_FRAME_SIZE => announced.frame = announced.frame.max(value),
                _ => {}
            }
        }
    }

    /// So much of DATA is to come.
    fn data_left(
        &mut self,
        direction: Direction,
        stream: u32,
        left: u32,
        padding: u32,
        ends: bool,
        cx: &mut Context<'_>,
    ) {
        if left > 0 || padding > 0 {
            self.side(direction).state = State::Data { stream, left, padding, ends };
            return;
        }
        self.skip(direction, 0);
        if ends {
            self.streams.end(direction, stream, cx);
        }
    }

    /// So much is to be passed over before the next frame.
    fn skip(&mut self, direction: Direction, left: u32) {
        let side = self.side(direction);
        if left > 0 {
            side.state = State::Skip(left);
        } else {
            (side.state, side.begun) = (State::Frame, None);
        }
    }

    /// It is not known any more where frames begin, or what is in the table.
    fn lose(&mut self, direction: Direction, why: &str, cx: &mut Context<'_>) {
        malformed(why, cx);
        let side = self.side(direction);
        (side.state, side.begun) = (State::Lost, None);
        side.payload = Vec::new();
        if let Some(block) = side.block.take() {
            self.end_block(direction, Block { is_whole: false, ..block }, cx);
        }
        self.side(direction).hpack.lose();
        self.streams.lose(direction, cx);
    }

    /// Looks for frames behind what cannot be read.
    fn search(&mut self, direction: Direction, bytes: &[u8]) -> Progress {
        let max_stream = self.streams.highest().saturating_add(MAX_STREAMS_LOST);
        match frame::next_frame(bytes, DEFAULT_MAX_FRAME, max_stream) {
            Ok(at) => {
                self.side(direction).state = State::Frame;
                Progress::Took(at)
            }
            Err(0) => Progress::Need(bytes.len() + 1),
            Err(passed) => Progress::Took(passed),
        }
    }

    fn side(&mut self, direction: Direction) -> &mut Side {
        direction.of(&mut self.sides)
    }
}

impl Session for Http2 {
    fn data(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        let direction = self.roles.settle(direction, cx, || {
            let is_client = frame::looks_like_client(bytes) != Verdict::No;
            is_client == (direction == Direction::ToOriginator)
        });
        Ok(self.frames(direction, bytes, cx))
    }

    fn gap(
        &mut self,
        direction: Direction,
        missing: u64,
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        self.lost(self.roles.of(direction), missing, cx);
        Ok(Progress::Took(0))
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        self.streams.close(cx);
    }

    fn held(&self) -> usize {
        let sides = self.sides.iter().map(|side| {
            let block = side.block.as_ref().map_or(0, |block| block.bytes.capacity());
            side.hpack.held() + side.payload.capacity() + block
        });
        sides.sum::<usize>() + self.streams.held()
    }
}

fn malformed(what: &str, cx: &mut Context<'_>) {
    cx.anomaly(AnomalyName::HttpMalformed, Some(NAME), what);
}

/// As many of `left` bytes as there are.
fn fitting(left: u32, there: usize) -> u32 {
    u32::try_from(there).unwrap_or(u32::MAX).min(left)
}

/// Takes off up to `most`: what was taken, and what is left.
fn take(missing: u64, most: u32) -> (u32, u64) {
    let taken = u32::try_from(missing).unwrap_or(u32::MAX).min(most);
    (taken, missing - u64::from(taken))
}
