//! HTTP/1 of one flow: messages of both directions, each with its head and its body, paired in order.

use std::collections::VecDeque;

use schemas::anomaly::AnomalyName;
use schemas::envelope::Nanoseconds;
use schemas::flows::EndReason;

use super::body::{Body, Step};
use super::content::Content;
use super::exchange::{Exchange, MAX_INFORMATIONAL, Message};
use super::framing::{self, Body as Framing};
use super::head::{self, Headers, RequestHead};
use super::oddities::Oddities;
use super::recognition::{self, Next};
use super::{NAME, facts, fields, row};
use crate::context::Context;
use crate::files::{End, Start};
use crate::protocol::{Direction, Malformed, Progress, Session, Verdict};

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
    transactions: u32,
    /// What follows is another protocol.
    hands_over: bool,
    /// Whether anything was seen.
    begun: bool,
    /// The responder of the flow asks and its originator answers.
    reversed: bool,
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
        let Some(end) = end else {
            if bytes.len() < MAX_HEAD {
                return Progress::Need(bytes.len() + 1);
            }
            cx.anomaly(AnomalyName::HttpMalformed, Some(NAME), "head longer than 256 KiB");
            self.lose(direction);
            return Progress::Took(bytes.len());
        };
        let whole = bytes.get(..end).unwrap_or_default();
        let read = match direction {
            Direction::ToResponder => self.request(whole, begun, cx),
            Direction::ToOriginator => self.response(whole, begun, cx),
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

    fn request(&mut self, bytes: &[u8], first: (Nanoseconds, u64), cx: &mut Context<'_>) -> bool {
        let Some(read) = head::request(bytes) else { return false };
        let transaction = self.begin(first, cx);
        let framing = framing::of_request(&read);
        tell(read.oddities | framing.oddities, cx);
        let start = Start { is_request: true, ..start(Some(&read), None) };
        let body = body(framing.body, transaction, &start, &read.headers, cx);
        if let Some(exchange) = self.exchanges.back_mut() {
            exchange.request = Some(Message::new(bytes, body.is_none()));
            exchange.request_end = body.is_none().then_some(cx.now);
        }
        if let Some(body) = body {
            self.side(Direction::ToResponder).state = State::Body(transaction, Box::new(body));
        }
        true
    }

    fn response(&mut self, bytes: &[u8], first: (Nanoseconds, u64), cx: &mut Context<'_>) -> bool {
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
            tell(read.oddities, cx);
            if exchange.informational.len() < MAX_INFORMATIONAL {
                exchange.informational.push(read.status);
            }
            return true;
        }
        let transaction = exchange.transaction;
        let request = exchange.request.as_ref().and_then(|request| head::request(&request.head));
        let method = request.as_ref().map(|request| request.method);
        let framing = framing::of_response(&read, method);
        tell(read.oddities | framing.oddities, cx);
        let upgraded_to = facts::upgraded_to(method, &read);
        let upgrades = upgraded_to.is_some();
        let mut start = start(request.as_ref(), Some(&read.headers));
        if read.status == 206 {
            facts::note_part(&read.headers, &mut start);
        }
        let framing = if upgrades { Framing::None } else { framing.body };
        let body = body(framing, transaction, &start, &read.headers, cx);
        drop(start);
        exchange.response_begin = Some(first.0);
        exchange.upgraded_to = upgraded_to.map(Into::into);
        exchange.response = Some(Message::new(bytes, body.is_none()));
        match body {
            Some(body) => {
                self.side(Direction::ToOriginator).state = State::Body(transaction, Box::new(body));
            }
            None => self.write_ended(cx),
        }
        self.hands_over |= upgrades;
        true
    }

    /// Whether bytes of the responder are the content that HTTP/0.9 asked for.
    fn answers_simply(&self, bytes: &[u8]) -> bool {
        let waiting = self.exchanges.iter().find(|exchange| exchange.wants_response());
        waiting
            .and_then(|exchange| head::end_of_simple_request(&exchange.request.as_ref()?.head))
            .is_some_and(|_| recognition::looks_like_response(bytes) == Verdict::No)
    }

    fn simple_response(&mut self, first: (Nanoseconds, u64), cx: &mut Context<'_>) {
        let Some(exchange) = self.exchanges.iter_mut().find(|exchange| exchange.wants_response()) else {
            return;
        };
        let transaction = exchange.transaction;
        let request = exchange.request.as_ref().and_then(|request| head::request(&request.head));
        let headers = Headers::default();
        let start = start(request.as_ref(), Some(&headers));
        let body = body(Framing::UntilClose, transaction, &start, &headers, cx);
        drop(start);
        exchange.response_begin = Some(first.0);
        exchange.response = Some(Message::new(b"", body.is_none()));
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
        self.transactions = self.transactions.saturating_add(1);
        let transaction = self.transactions;
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
            message.body_bytes = outcome.bytes;
            message.decoded_bytes = outcome.decoded;
            message.file = outcome.file;
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

    /// Which way bytes go by what the first ones are. A flow that was seen from its middle on may have its roles the
    /// wrong way round, and is turned; where the handshake says who is who, the messages alone are.
    fn role(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) -> Direction {
        if !std::mem::replace(&mut self.begun, true) {
            let (request, response) =
                (recognition::looks_like_request(bytes), recognition::looks_like_response(bytes));
            let is_turned = match direction {
                Direction::ToResponder => response == Verdict::Yes,
                Direction::ToOriginator => request == Verdict::Yes,
            };
            if is_turned && !cx.has_handshake {
                cx.flip = true;
                return direction.reverse();
            }
            self.reversed = is_turned;
        }
        if self.reversed { direction.reverse() } else { direction }
    }

    fn side(&mut self, direction: Direction) -> &mut Side {
        let [to_responder, to_originator] = &mut self.sides;
        match direction {
            Direction::ToResponder => to_responder,
            Direction::ToOriginator => to_originator,
        }
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
        let direction = self.role(direction, bytes, cx);
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            if rest.is_empty() || self.hands_over {
                return Ok(Progress::Took(taken));
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
        let direction = if self.reversed { direction.reverse() } else { direction };
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
    }

    fn held(&self) -> usize {
        let bodies = self.sides.iter().map(|side| match &side.state {
            State::Body(_, body) => body.held(),
            State::Head | State::Lost => 0,
        });
        bodies.sum::<usize>() + self.exchanges.iter().map(Exchange::held).sum::<usize>()
    }
}

/// Where the next head of a direction begins.
fn next_message(direction: Direction, bytes: &[u8]) -> Next {
    match direction {
        Direction::ToResponder => recognition::next_request(bytes),
        Direction::ToOriginator => recognition::next_response(bytes),
    }
}

/// What is known of a file by the heads of its exchange.
fn start<'a>(request: Option<&'a RequestHead<'_>>, response: Option<&'a Headers<'_>>) -> Start<'a> {
    let host = request.and_then(|request| facts::authority(request)).map(|authority| authority.host);
    let headers = response.or(request.map(|request| &request.headers));
    let given = headers.and_then(facts::file_name);
    // An upload is not named by where it goes to.
    let by_target = || fields::file_name_of_target(request.filter(|_| response.is_some())?.target);
    Start {
        protocol: NAME,
        filename: given.or_else(by_target).map(Into::into),
        host,
        uri: request.map(|request| request.target),
        ..Start::default()
    }
}

/// The body that a head announces.
fn body(
    framing: Framing,
    transaction: u32,
    start: &Start<'_>,
    headers: &Headers<'_>,
    cx: &mut Context<'_>,
) -> Option<Body> {
    if matches!(framing, Framing::None | Framing::Length(0)) {
        return None;
    }
    let number = u64::from(transaction) << 1 | u64::from(start.is_request);
    let codings = facts::codings(headers);
    let total = match (framing, &codings) {
        // Behind a content coding the length is that of something else.
        (Framing::Length(length), Ok(codings)) if codings.is_empty() && !start.is_part => Some(length),
        _ => start.total,
    };
    let file = Content::new(&Start { number, total, ..start.clone() }, headers, cx);
    Body::new(framing, codings, file, cx)
}

/// Reports what is odd about a head.
fn tell(oddities: Oddities, cx: &mut Context<'_>) {
    let ambiguous = Oddities::LENGTH_AND_CODING
        | Oddities::DIFFERING_LENGTHS
        | Oddities::BAD_LENGTH
        | Oddities::CHUNKED_NOT_LAST
        | Oddities::CODING_BEFORE_1_1;
    for name in oddities.without(ambiguous).names() {
        cx.anomaly(AnomalyName::HttpOdd, Some(NAME), name);
    }
    let odd = oddities.without(ambiguous);
    for name in oddities.without(odd).names() {
        cx.anomaly(AnomalyName::HttpAmbiguous, Some(NAME), name);
    }
}
