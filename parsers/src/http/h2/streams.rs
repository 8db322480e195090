//! The streams of a connection (RFC 9113, 5): each carries an exchange of a request and a response.

use std::collections::{BTreeMap, VecDeque};

use schemas::anomaly::AnomalyName;
use schemas::envelope::Nanoseconds;
use schemas::flows::EndReason;

use super::fields::Fields;
use super::head;
use super::tunnel::Tunnel;
use crate::context::Context;
use crate::files::End;
use crate::http::body::{Body, Outcome};
use crate::http::exchange::{Exchange, Head, Message};
use crate::http::framing::{self, Body as Framing};
use crate::http::head::ResponseHead;
use crate::http::oddities::Oddities;
use crate::http::{NAME, facts, row};
use crate::protocol::Direction;

/// Most streams of a flow that have not ended; the oldest is written as it is when another comes. Servers allow 100 to 250.
pub const MAX_STREAMS: usize = 512;

/// Of so many streams that have ended it is known: what was on its way then is no new exchange.
const MAX_ENDED: usize = 1000;

/// Time and number of a packet.
type First = (Nanoseconds, u64);

/// The streams that have not ended.
#[derive(Default)]
pub(super) struct Streams {
    open: BTreeMap<u32, Stream>,
    /// Those that ended last, and whether their request was seen.
    ended: VecDeque<(u32, bool)>,
    highest: u32,
    held: usize,
}

#[derive(Default)]
struct Stream {
    exchange: Exchange,
    halves: [Half; 2],
    tunnel: Option<Tunnel>,
    held: usize,
}

/// One direction of a stream.
#[derive(Default)]
struct Half {
    body: Option<Box<Body>>,
    carries: Carries,
    /// As the head says.
    length: Option<u64>,
    /// Bytes of the frames, lost ones included.
    bytes: u64,
    has_ended: bool,
}

/// What DATA is.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Carries {
    /// The content of the message.
    #[default]
    Content,
    /// Of a tunnel.
    Tunnel,
    /// The content, behind a part that was lost and whose length is not known.
    Rest,
}

impl Streams {
    /// Those of a connection that was upgraded: the first stream is that of the request that asked for it (RFC 7540, 3.2).
    pub(super) fn upgraded(exchange: Exchange) -> Self {
        let mut this = Self { highest: 1, ..Self::default() };
        let has_ended = exchange.request.as_ref().is_none_or(|request| request.has_ended);
        let request = Half { has_ended, ..Half::default() };
        this.open.insert(1, Stream { exchange, halves: [request, Half::default()], ..Stream::default() });
        this.account(1);
        this
    }

    /// The body of the request that asked for the upgrade has ended.
    pub(super) fn end_upgrading_request(&mut self, outcome: Outcome, cx: &mut Context<'_>) {
        let Some(stream) = self.open.get_mut(&1) else { return };
        stream.exchange.request_end = Some(cx.now);
        if let Some(request) = &mut stream.exchange.request {
            request.end(outcome);
            request.has_ended = true;
        }
        stream.half(Direction::ToResponder).has_ended = true;
        self.settle(1, cx);
    }

    /// Highest number of a stream so far.
    pub(super) fn highest(&self) -> u32 {
        self.highest
    }

    /// Bytes of memory that they hold.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// A header block on a stream: a head, or trailers.
    pub(super) fn head(
        &mut self,
        direction: Direction,
        id: u32,
        fields: Fields,
        ends: bool,
        first: First,
        cx: &mut Context<'_>,
    ) {
        if !self.open.contains_key(&id) && !self.begins(direction, id, &fields, cx) {
            return;
        }
        let stream = match self.open.contains_key(&id) {
            true => self.open.get_mut(&id),
            false => Some(self.begin(id, first, cx)),
        };
        let Some(stream) = stream else { return };
        if stream.half(direction).has_ended {
            cx.anomaly(AnomalyName::HttpMalformed, Some(NAME), "header block behind the end of its stream");
            return;
        }
        match direction {
            Direction::ToResponder if stream.exchange.request.is_none() => stream.request(fields, cx),
            Direction::ToOriginator if stream.exchange.response.is_none() => {
                if !stream.response(fields, ends, first, cx) {
                    return;
                }
            }
            _ => {
                if !ends {
                    cx.anomaly(
                        AnomalyName::HttpMalformed,
                        Some(NAME),
                        "trailers that do not end their stream",
                    );
                }
                stream.trailers(direction, &fields, cx);
            }
        }
        if ends {
            self.end(direction, id, cx);
        }
        self.account(id);
    }

    /// The server says which request it is going to answer unasked (RFC 9113, 8.4).
    pub(super) fn promise(&mut self, id: u32, fields: Fields, first: First, cx: &mut Context<'_>) {
        if id == 0 || self.open.contains_key(&id) {
            cx.anomaly(AnomalyName::HttpMalformed, Some(NAME), "promise of a stream that is there");
            return;
        }
        let stream = self.begin(id, first, cx);
        stream.request(fields, cx);
        self.end(Direction::ToResponder, id, cx);
        self.account(id);
    }

    /// Whether DATA in this direction is looked at.
    pub(super) fn takes(&self, direction: Direction, id: u32, cx: &mut Context<'_>) -> bool {
        let takes = self.open.get(&id).is_some_and(|stream| {
            let [request, response] = &stream.halves;
            !if direction == Direction::ToResponder { request } else { response }.has_ended
        });
        // What was on its way when the stream was reset is no surprise.
        if !takes && !self.ended.iter().any(|(ended, _)| *ended == id) {
            cx.anomaly(AnomalyName::HttpMalformed, Some(NAME), "DATA on a stream that is not open");
        }
        takes
    }

    /// Bytes of DATA.
    pub(super) fn data(&mut self, direction: Direction, id: u32, bytes: &[u8], cx: &mut Context<'_>) {
        if let Some(stream) = self.open.get_mut(&id).filter(|_| !bytes.is_empty()) {
            stream.half(direction).bytes += bytes.len() as u64;
            if let Some(body) = stream.body(direction, cx) {
                body.data(bytes, cx);
            } else if let Some(tunnel) = stream.tunnel(direction) {
                tunnel.data(direction, bytes, cx);
            }
            self.account(id);
        }
    }

    /// Bytes of DATA that will not come.
    pub(super) fn gap(&mut self, direction: Direction, id: u32, missing: u64, cx: &mut Context<'_>) {
        if let Some(stream) = self.open.get_mut(&id).filter(|_| missing > 0) {
            stream.half(direction).bytes += missing;
            if let Some(body) = stream.body(direction, cx) {
                body.gap(missing, cx);
            } else if let Some(tunnel) = stream.tunnel(direction) {
                tunnel.gap(direction, missing, cx);
            }
            self.account(id);
        }
    }

    /// A direction of a stream has ended.
    pub(super) fn end(&mut self, direction: Direction, id: u32, cx: &mut Context<'_>) {
        if let Some(stream) = self.open.get_mut(&id) {
            stream.end(direction, cx);
            self.settle(id, cx);
        }
    }

    /// A stream was reset (RFC 9113, 6.4): no side sends more.
    pub(super) fn reset(&mut self, id: u32, cx: &mut Context<'_>) {
        self.write(id, End::Short, cx);
    }

    /// It is not known what this direction said from here on.
    pub(super) fn lose(&mut self, direction: Direction, cx: &mut Context<'_>) {
        for stream in self.open.values_mut() {
            if stream.message(direction).is_some() {
                stream.cut(direction, End::Short, cx);
                // Where it goes on is not known either.
                stream.end_tunnel(End::Short, cx);
                let half = stream.half(direction);
                (half.carries, half.length) = (Carries::Rest, None);
            }
        }
        self.open.values_mut().for_each(Stream::account);
        self.held = self.open.values().map(|stream| stream.held).sum();
    }

    /// The flow is over: all that is left, in the order in which it began.
    pub(super) fn close(&mut self, cx: &mut Context<'_>) {
        let end = if cx.end == Some(EndReason::Timeout) { End::TimedOut } else { End::Short };
        let mut left: Vec<(u32, u32)> =
            self.open.iter().map(|(id, stream)| (stream.exchange.transaction, *id)).collect();
        left.sort_unstable();
        left.into_iter().for_each(|(_, id)| self.write(id, end, cx));
    }

    /// Whether a header block on a stream that is not open begins an exchange.
    fn begins(&mut self, direction: Direction, id: u32, fields: &Fields, cx: &mut Context<'_>) -> bool {
        // A stream above all others is new.
        let ended = self.ended.iter().find(|(ended, _)| id <= self.highest && *ended == id);
        if direction == Direction::ToOriginator && ended.is_some() || ended.is_some_and(|(_, asked)| *asked) {
            return false;
        }
        let due: &[u8] = if direction == Direction::ToResponder { b":method" } else { b":status" };
        if fields.value(due).is_none() {
            cx.anomaly(AnomalyName::HttpMalformed, Some(NAME), "trailers on a stream that is not open");
            return false;
        }
        if direction == Direction::ToResponder
            && ended.is_none()
            && (id <= self.highest_asked() || id.is_multiple_of(2))
        {
            cx.anomaly(AnomalyName::HttpOdd, Some(NAME), "stream opened out of order");
        }
        true
    }

    /// Highest number of a stream that may be one of the originator's.
    fn highest_asked(&self) -> u32 {
        // Pushed streams have numbers of their own, which are even.
        if self.highest % 2 == 1 { self.highest } else { 0 }
    }

    fn begin(&mut self, id: u32, first: First, cx: &mut Context<'_>) -> &mut Stream {
        if self.open.len() >= MAX_STREAMS {
            cx.anomaly(AnomalyName::HttpPendingShed, Some(NAME), "");
            let oldest = self.open.iter().min_by_key(|(_, stream)| stream.exchange.transaction);
            if let Some(id) = oldest.map(|(id, _)| *id) {
                self.write(id, End::Cut, cx);
            }
        }
        self.highest = self.highest.max(id);
        let exchange = Exchange { transaction: cx.next_exchange(), first, ..Exchange::default() };
        self.open.entry(id).or_insert(Stream { exchange, ..Stream::default() })
    }

    /// Writes the exchange of a stream if both sides have ended.
    fn settle(&mut self, id: u32, cx: &mut Context<'_>) {
        if self.open.get(&id).is_some_and(Stream::has_ended) {
            self.write(id, End::Whole, cx);
        }
        self.account(id);
    }

    /// Writes the exchange of a stream; what has not ended ends like this.
    fn write(&mut self, id: u32, end: End, cx: &mut Context<'_>) {
        let Some(mut stream) = self.open.remove(&id) else { return };
        self.held -= stream.held;
        stream.end_tunnel(end, cx);
        stream.cut(Direction::ToResponder, end, cx);
        stream.cut(Direction::ToOriginator, end, cx);
        if self.ended.len() >= MAX_ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back((id, stream.exchange.request.is_some()));
        row::emit(&stream.exchange, cx);
    }

    /// Keeps the sum of what all hold, which is asked for with every segment.
    fn account(&mut self, id: u32) {
        if let Some(stream) = self.open.get_mut(&id) {
            self.held -= stream.held;
            stream.account();
            self.held += stream.held;
        }
    }
}

impl Stream {
    /// Notes what it holds.
    fn account(&mut self) {
        let bodies = self.halves.iter().flat_map(|half| &half.body);
        let tunnel = self.tunnel.as_ref().map_or(0, Tunnel::held);
        let bodies = bodies.map(|body| body.held()).sum::<usize>();
        self.held = size_of::<Self>() + self.exchange.held() + bodies + tunnel;
    }

    fn half(&mut self, direction: Direction) -> &mut Half {
        direction.of(&mut self.halves)
    }

    fn message(&mut self, direction: Direction) -> Option<&mut Message> {
        match direction {
            Direction::ToResponder => self.exchange.request.as_mut(),
            Direction::ToOriginator => self.exchange.response.as_mut(),
        }
    }

    fn request(&mut self, fields: Fields, cx: &mut Context<'_>) {
        let read = head::request(&fields);
        let framing = framing::of_request(&read);
        (read.oddities | framing.oddities).tell(cx);
        let half = self.half(Direction::ToResponder);
        half.length = length(framing.body);
        if read.method == b"CONNECT" {
            half.carries = Carries::Tunnel;
        }
        self.exchange.request = Some(Message { head: Head::Fields(fields), ..Message::default() });
    }

    /// The final response, or an informational one before it; says whether it is final.
    fn response(&mut self, fields: Fields, ends: bool, first: First, cx: &mut Context<'_>) -> bool {
        let read = head::response(&fields);
        if matches!(read.status, 100..=199) && !ends {
            read.oddities.tell(cx);
            let status = read.status;
            self.exchange.inform(status, cx);
            return false;
        }
        let request = self.exchange.request.as_ref().and_then(|request| request.head.request());
        let method = request.as_ref().map(|request| request.method);
        let framing = framing::of_response(&read, method);
        (read.oddities | framing.oddities).tell(cx);
        let tunnel = self.becomes(method, &read);
        let half = self.half(Direction::ToOriginator);
        half.length = length(framing.body);
        if tunnel.is_some() {
            half.carries = Carries::Tunnel;
            self.exchange.upgraded_to = tunnel;
        } else {
            // It was refused: nobody reads what the client sent.
            self.tunnel = None;
        }
        self.exchange.response_begin = Some(first.0);
        self.exchange.response = Some(Message { head: Head::Fields(fields), ..Message::default() });
        true
    }

    /// What the stream becomes with a response to CONNECT (RFC 9113, 8.5; RFC 8441).
    fn becomes(&self, method: Option<&[u8]>, response: &ResponseHead<'_>) -> Option<Box<[u8]>> {
        if method != Some(b"CONNECT") || !matches!(response.status, 200..=299) {
            return None;
        }
        let Some(Message { head: Head::Fields(fields), .. }) = &self.exchange.request else { return None };
        Some(
            fields
                .value(b":protocol")
                .map_or_else(|| b"connect"[..].into(), |name| name.to_ascii_lowercase().into()),
        )
    }

    fn trailers(&mut self, direction: Direction, fields: &Fields, cx: &mut Context<'_>) {
        head::trailer_oddities(fields).tell(cx);
        if let Some(Message { head: Head::Fields(kept), .. }) = self.message(direction) {
            kept.append(fields);
        }
    }

    /// The tunnel in a direction, begun with its first byte. What a client sends before the answer is content, too.
    fn tunnel(&mut self, direction: Direction) -> Option<&mut Tunnel> {
        let is_refused = self.exchange.response.is_some() && self.exchange.upgraded_to.is_none();
        let carries = self.half(direction).carries == Carries::Tunnel && !is_refused;
        carries.then(|| self.tunnel.get_or_insert_default())
    }

    /// No more is read of the tunnel.
    fn end_tunnel(&mut self, end: End, cx: &mut Context<'_>) {
        if let Some(tunnel) = self.tunnel.take() {
            tunnel.end(end, cx);
        }
    }

    /// The body in a direction, begun with its first byte.
    fn body(&mut self, direction: Direction, cx: &mut Context<'_>) -> Option<&mut Body> {
        let half = self.half(direction);
        if half.body.is_none() && half.carries == Carries::Content {
            let (length, transaction) = (half.length, self.exchange.transaction);
            let request = self.exchange.request.as_ref().map(|request| &request.head);
            let body = if direction == Direction::ToResponder {
                let request = request?.request()?;
                let start = facts::start_of_request(&request);
                Body::announced(Framing::UntilClose, length, transaction, start, &request.headers, cx)
            } else {
                let response = self.exchange.response.as_ref()?.head.response()?;
                let asked = request.and_then(Head::asked);
                let start = facts::start_of_response(asked.as_ref(), &response);
                Body::announced(Framing::UntilClose, length, transaction, start, &response.headers, cx)
            };
            self.half(direction).body = body.map(Box::new);
        }
        self.half(direction).body.as_deref_mut()
    }

    /// A direction has ended as it should.
    fn end(&mut self, direction: Direction, cx: &mut Context<'_>) {
        let half = self.half(direction);
        let (length, bytes) = (half.length, half.bytes);
        self.cut(direction, End::Whole, cx);
        if length.is_some_and(|length| length != bytes) {
            Oddities::LENGTH_OF_OTHER.tell(cx);
        }
        self.half(direction).has_ended = true;
        if direction == Direction::ToResponder && self.exchange.request.is_some() {
            self.exchange.request_end = Some(cx.now);
        }
        if let Some(message) = self.message(direction) {
            message.has_ended = true;
        }
    }

    /// No more comes of the body in a direction.
    fn cut(&mut self, direction: Direction, end: End, cx: &mut Context<'_>) {
        let half = self.half(direction);
        let outcome = match half.body.take() {
            Some(body) => body.end(end, cx),
            None if half.carries == Carries::Tunnel => {
                Outcome { bytes: half.bytes, decoded: half.bytes, ..Outcome::default() }
            }
            None => return,
        };
        if let Some(message) = self.message(direction) {
            message.end(outcome);
        }
    }

    /// Whether nothing more comes.
    fn has_ended(&self) -> bool {
        let [request, response] = &self.halves;
        response.has_ended && (request.has_ended || self.exchange.request.is_none())
    }
}

/// The length that a head says.
fn length(framing: Framing) -> Option<u64> {
    if let Framing::Length(length) = framing { Some(length) } else { None }
}
