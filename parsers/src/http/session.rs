//! HTTP/1 of one flow: messages of both directions, each with its head and its body, paired in order.

use std::collections::VecDeque;

use memchr::memrchr;
use schemas::anomaly::AnomalyName;
use schemas::envelope::Nanoseconds;
use schemas::flows::EndReason;

use super::body::{Body, Step};
use super::exchange::{Exchange, Head, Message};
use super::framing::{self, Body as Framing};
use super::head::{self, Headers, ResponseHead};
use super::kept::KeptHead;
use super::oddities::Oddities;
use super::recognition::{self, Next};
use super::{NAME, facts, h2, row};
use crate::context::Context;
use crate::files::{End, Start};
use crate::protocol::{Direction, Malformed, Progress, Session, Verdict};
use crate::roles::Roles;

/// Longest head; what is longer is passed over as if it were no message.
pub const MAX_HEAD: usize = 256 * 1024;

/// Most exchanges of a flow that have not ended, or wait for one that has not; the oldest is written as it is when another
/// comes.
pub const MAX_PENDING: usize = 100;

/// The messages of one flow.
#[derive(Default)]
pub(super) struct Http {
    sides: [Side; 2],
    /// In the order of the requests; the first has not ended.
    exchanges: VecDeque<Exchange>,
    /// What follows is another protocol.
    hands_over: bool,
    /// What follows is HTTP/2, in a direction once its message has ended.
    upgraded: Option<Box<h2::Connection>>,
    roles: Roles,
}

/// One direction.
#[derive(Default)]
struct Side {
    state: State,
    /// When the message that is on its way began: time and number of the packet.
    begun: Option<(Nanoseconds, u64)>,
    /// How far the end of a head has been looked for.
    scanned: usize,
}

#[derive(Default)]
enum State {
    /// A head comes next.
    #[default]
    Head,
    /// A body, of the exchange with this number.
    Body(u32, Box<Body>),
    /// It is not known where the next message begins.
    Lost,
}

impl Http {
    /// Reads a head, if it is there; says how many bytes were taken.
    fn head(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) -> Progress {
        let side = self.side(direction);
        let begun = *side.begun.get_or_insert((cx.now, cx.packet));
        let blank = head::empty_lines(bytes);
        if blank > 0 {
            (side.begun, side.scanned) = (None, 0);
            return Progress::Took(blank);
        }
        let simple = match direction {
            Direction::ToResponder => head::end_of_simple_request(bytes),
            // The answer to a simple request has no head.
            Direction::ToOriginator if self.answers_simply(bytes) => {
                self.simple_response(begun, cx);
                return Progress::Took(0);
            }
            Direction::ToOriginator => None,
        };
        let side = self.side(direction);
        let end = simple.or_else(|| head::end_of_head(bytes, &mut side.scanned));
        let Some(end) = end.filter(|end| *end <= MAX_HEAD) else {
            if bytes.len() < MAX_HEAD {
                return Progress::Need(bytes.len() + 1);
            }
            cx.anomaly(AnomalyName::HttpMalformed, Some(NAME), "head longer than 256 KiB");
            side.scanned = 0;
            self.lose(direction);
            // However much of it is there.
            return Progress::Took(MAX_HEAD);
        };
        let whole = bytes.get(..end).unwrap_or_default();
        let read = match direction {
            Direction::ToResponder => self.request(whole, begun, true, cx),
            Direction::ToOriginator => self.response(whole, begun, true, cx),
        };
        let side = self.side(direction);
        (side.begun, side.scanned) = (None, 0);
        if !read {
            cx.anomaly(AnomalyName::HttpMalformed, Some(NAME), "what should be a head is none");
            // Junk may stand right before one.
            if let Next::At(at) = next_message(direction, whole)
                && at > 0
            {
                return Progress::Took(at);
            }
            self.lose(direction);
        }
        Progress::Took(end)
    }

    /// A head whose end will not come: its whole lines are read. What it announces lies behind what is lost.
    fn cut_head(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) {
        let bytes = bytes.get(head::empty_lines(bytes)..).unwrap_or_default();
        let Some(lines) = memrchr(b'\n', bytes).and_then(|feed| bytes.get(..=feed)) else { return };
        let begun = self.side(direction).begun.unwrap_or((cx.now, cx.packet));
        let read = match direction {
            Direction::ToResponder => self.request(lines, begun, false, cx),
            Direction::ToOriginator => self.response(lines, begun, false, cx),
        };
        if read && matches!(cx.end, Some(EndReason::Closed | EndReason::Reset | EndReason::Timeout)) {
            cx.anomaly(AnomalyName::HttpMalformed, Some(NAME), "head that does not end");
        }
    }

    /// Reads a head, or the lines of one that is not whole; says whether it was one.
    fn request(
        &mut self,
        bytes: &[u8],
        first: (Nanoseconds, u64),
        whole: bool,
        cx: &mut Context<'_>,
    ) -> bool {
        let Some(read) = head::request(bytes) else { return false };
        let transaction = self.begin(first, cx);
        let framing = framing::of_request(&read);
        (read.oddities | framing.oddities).tell(cx);
        let announced = if whole { framing.body } else { Framing::None };
        let body = body(announced, transaction, || facts::start_of_request(&read), &read.headers, cx);
        if let Some(exchange) = self.exchanges.back_mut() {
            exchange.request = Some(Message::new(KeptHead::of_request(bytes, &read), body.is_none()));
            exchange.request_end = (whole && body.is_none()).then_some(cx.now);
        }
        if let Some(body) = body {
            self.side(Direction::ToResponder).state = State::Body(transaction, Box::new(body));
        }
        true
    }

    /// The same for a response.
    fn response(
        &mut self,
        bytes: &[u8],
        first: (Nanoseconds, u64),
        whole: bool,
        cx: &mut Context<'_>,
    ) -> bool {
        let Some(read) = head::response(bytes) else { return false };
        let at = match self.exchanges.iter().position(Exchange::wants_response) {
            Some(at) => at,
            None => {
                // Its request was not seen.
                self.begin(first, cx);
                self.exchanges.len() - 1
            }
        };
        let Some(exchange) = self.exchanges.get_mut(at) else { return false };
        if matches!(read.status, 100..=199) && read.status != 101 {
            read.oddities.tell(cx);
            exchange.inform(read.status, cx);
            return true;
        }
        let transaction = exchange.transaction;
        let request = exchange.request.as_ref().map(|request| &request.head);
        let asked = request.and_then(Head::asked);
        let method = asked.as_ref().map(|asked| asked.method);
        let framing = framing::of_response(&read, method);
        (read.oddities | framing.oddities).tell(cx);
        let upgraded_to = facts::upgraded_to(method, &read).filter(|_| whole);
        if upgraded_to.as_deref() == Some(b"h2c") {
            let settings = request.and_then(Head::request).as_ref().and_then(facts::http2_settings);
            exchange.inform(read.status, cx);
            exchange.upgraded_to = upgraded_to.map(Into::into);
            self.upgrade(at, settings.as_deref());
            return true;
        }
        let upgrades = upgraded_to.is_some();
        let start = || facts::start_of_response(asked.as_ref(), &read);
        let framing = if upgrades || !whole { Framing::None } else { framing.body };
        let body = body(framing, transaction, start, &read.headers, cx);
        exchange.response_begin = Some(first.0);
        exchange.upgraded_to = upgraded_to.map(Into::into);
        exchange.response = Some(Message::new(KeptHead::of_response(bytes, &read), body.is_none()));
        match body {
            Some(body) => {
                self.side(Direction::ToOriginator).state = State::Body(transaction, Box::new(body));
            }
            None => self.write_ended(cx),
        }
        self.hands_over |= upgrades;
        true
    }

    /// The connection goes on in HTTP/2, where the answer to the request that asked for it comes (RFC 7540, 3.2).
    fn upgrade(&mut self, at: usize, settings: Option<&[u8]>) {
        if let Some(exchange) = self.exchanges.remove(at) {
            let connection = h2::Connection::upgraded(exchange, settings);
            self.upgraded = Some(Box::new(connection));
        }
    }

    /// HTTP/2, where a direction goes on in it.
    fn connection(&mut self, direction: Direction) -> Option<&mut h2::Connection> {
        let is_body = matches!(self.side(direction).state, State::Body(..));
        self.upgraded.as_deref_mut().filter(|_| !is_body)
    }

    /// Whether bytes of the responder are the content that HTTP/0.9 asked for.
    fn answers_simply(&self, bytes: &[u8]) -> bool {
        let waiting = self.exchanges.iter().find(|exchange| exchange.wants_response());
        waiting
            .and_then(|exchange| match &exchange.request.as_ref()?.head {
                Head::Lines(lines) => head::end_of_simple_request(lines.bytes()),
                Head::Fields(_) => None,
            })
            .is_some_and(|_| recognition::looks_like_response(bytes) == Verdict::No)
    }

    fn simple_response(&mut self, first: (Nanoseconds, u64), cx: &mut Context<'_>) {
        let Some(exchange) = self.exchanges.iter_mut().find(|exchange| exchange.wants_response()) else {
            return;
        };
        let transaction = exchange.transaction;
        let asked = exchange.request.as_ref().and_then(|request| request.head.asked());
        let head = ResponseHead {
            version: b"0.9",
            status: 0,
            reason: b"",
            headers: Headers::default(),
            oddities: Oddities::NONE,
        };
        let start = || facts::start_of_response(asked.as_ref(), &head);
        let body = body(Framing::UntilClose, transaction, start, &head.headers, cx);
        exchange.response_begin = Some(first.0);
        exchange.response = Some(Message::new(KeptHead::default(), body.is_none()));
        let side = self.side(Direction::ToOriginator);
        *side = Side::default();
        if let Some(body) = body {
            side.state = State::Body(transaction, Box::new(body));
        }
    }

    /// A new exchange; returns its number.
    fn begin(&mut self, first: (Nanoseconds, u64), cx: &mut Context<'_>) -> u32 {
        if self.exchanges.len() >= MAX_PENDING {
            cx.anomaly(AnomalyName::HttpPendingShed, Some(NAME), "");
            self.write_first(cx);
        }
        let transaction = cx.next_exchange();
        if self.exchanges.capacity() == 0 {
            // Most flows never have two at once, and a queue that grows by itself begins with four.
            self.exchanges.reserve_exact(1);
        }
        self.exchanges.push_back(Exchange { transaction, first, ..Exchange::default() });
        transaction
    }

    /// What comes next in this direction is looked for.
    fn lose(&mut self, direction: Direction) {
        self.side(direction).state = State::Lost;
    }

    /// Looks for the next head behind what cannot be read.
    fn search(&mut self, direction: Direction, bytes: &[u8]) -> Progress {
        match next_message(direction, bytes) {
            Next::At(at) => {
                *self.side(direction) = Side::default();
                Progress::Took(at)
            }
            Next::NotBefore(0) => Progress::Need(bytes.len() + 1),
            Next::NotBefore(passed) => Progress::Took(passed),
        }
    }

    /// A body has ended.
    fn end_body(&mut self, direction: Direction, end: End, cx: &mut Context<'_>) {
        let side = self.side(direction);
        let State::Body(transaction, body) = std::mem::take(&mut side.state) else { return };
        let outcome = body.end(end, cx);
        let Some(exchange) = self.exchanges.iter_mut().find(|exchange| exchange.transaction == transaction)
        else {
            if let Some(connection) = &mut self.upgraded {
                connection.end_upgrading_request(outcome, cx);
            }
            return;
        };
        let message = match direction {
            Direction::ToResponder => {
                exchange.request_end = Some(cx.now);
                &mut exchange.request
            }
            Direction::ToOriginator => &mut exchange.response,
        };
        if let Some(message) = message {
            message.end(outcome);
            message.has_ended = true;
        }
        self.write_ended(cx);
    }

    /// Writes the rows of the exchanges in front that have ended.
    fn write_ended(&mut self, cx: &mut Context<'_>) {
        while self.exchanges.front().is_some_and(Exchange::has_ended) {
            self.write_first(cx);
        }
    }

    fn write_first(&mut self, cx: &mut Context<'_>) {
        if let Some(exchange) = self.exchanges.pop_front() {
            row::emit(&exchange, cx);
        }
    }

    fn side(&mut self, direction: Direction) -> &mut Side {
        direction.of(&mut self.sides)
    }

    /// One step: how far it came with the bytes.
    fn step(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) -> Progress {
        let step = match &mut self.side(direction).state {
            State::Head => return self.head(direction, bytes, cx),
            State::Lost => return self.search(direction, bytes),
            State::Body(_, body) => body.data(bytes, cx),
        };
        match step {
            Step::More => Progress::Took(bytes.len()),
            Step::Ended(taken) => {
                self.end_body(direction, End::Whole, cx);
                Progress::Took(taken)
            }
            Step::Lost(taken) => {
                self.end_body(direction, End::Short, cx);
                self.lose(direction);
                Progress::Took(taken)
            }
        }
    }
}

impl Session for Http {
    fn data(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        if self.hands_over {
            return Ok(Progress::Handover);
        }
        let direction = self.roles.settle(direction, cx, || match direction {
            Direction::ToResponder => recognition::looks_like_response(bytes) == Verdict::Yes,
            Direction::ToOriginator => recognition::looks_like_request(bytes) == Verdict::Yes,
        });
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            if rest.is_empty() || self.hands_over {
                return Ok(Progress::Took(taken));
            }
            if let Some(connection) = self.connection(direction) {
                return Ok(match connection.frames(direction, rest, cx) {
                    Progress::Took(count) => Progress::Took(taken + count),
                    Progress::Need(_) if taken > 0 => Progress::Took(taken),
                    other => other,
                });
            }
            let before = std::mem::discriminant(&self.side(direction).state);
            match self.step(direction, rest, cx) {
                Progress::Took(0) if before == std::mem::discriminant(&self.side(direction).state) => {
                    return Ok(Progress::Took(taken));
                }
                Progress::Took(count) => taken += count,
                Progress::Need(_) if taken > 0 => return Ok(Progress::Took(taken)),
                other => return Ok(other),
            }
        }
    }

    fn gap(
        &mut self,
        direction: Direction,
        missing: u64,
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        let direction = self.roles.of(direction);
        if let Some(connection) = self.connection(direction) {
            connection.lost(direction, missing, cx);
            return Ok(Progress::Took(0));
        }
        let step = match &mut self.side(direction).state {
            State::Body(_, body) => body.gap(missing, cx),
            State::Head | State::Lost => Step::Lost(0),
        };
        match step {
            Step::More => {}
            Step::Ended(_) => self.end_body(direction, End::Whole, cx),
            Step::Lost(_) => {
                self.end_body(direction, End::Short, cx);
                *self.side(direction) = Side { state: State::Lost, ..Side::default() };
            }
        }
        Ok(Progress::Took(0))
    }

    fn unfinished(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) {
        let direction = self.roles.of(direction);
        let is_head = matches!(self.side(direction).state, State::Head) && !self.hands_over;
        if is_head && self.connection(direction).is_none() {
            self.cut_head(direction, bytes, cx);
        }
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        for direction in [Direction::ToResponder, Direction::ToOriginator] {
            let side = self.side(direction);
            let ends_it = matches!(&side.state, State::Body(_, body) if body.is_until_close());
            let end = match cx.end {
                Some(EndReason::Closed) if ends_it => End::Whole,
                Some(EndReason::Timeout) => End::TimedOut,
                _ => End::Short,
            };
            self.end_body(direction, end, cx);
        }
        while !self.exchanges.is_empty() {
            self.write_first(cx);
        }
        if let Some(connection) = &mut self.upgraded {
            connection.close(cx);
        }
    }

    fn held(&self) -> usize {
        let bodies = self.sides.iter().map(|side| match &side.state {
            State::Body(_, body) => body.held(),
            State::Head | State::Lost => 0,
        });
        let connection = self.upgraded.as_ref().map_or(0, |connection| connection.held());
        bodies.sum::<usize>() + self.exchanges.iter().map(Exchange::held).sum::<usize>() + connection
    }
}

/// Where the next head of a direction begins.
fn next_message(direction: Direction, bytes: &[u8]) -> Next {
    match direction {
        Direction::ToResponder => recognition::next_request(bytes),
        Direction::ToOriginator => recognition::next_response(bytes),
    }
}

/// The body that a head of HTTP/1 announces.
fn body<'a>(
    framing: Framing,
    transaction: u32,
    start: impl FnOnce() -> Start<'a>,
    headers: &Headers<'_>,
    cx: &mut Context<'_>,
) -> Option<Body> {
    let length = match framing {
        Framing::None => return None,
        Framing::Length(length) => Some(length),
        Framing::Chunked | Framing::UntilClose => None,
    };
    Body::announced(framing, length, transaction, start(), headers, cx)
}
