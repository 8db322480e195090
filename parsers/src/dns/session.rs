//! DNS messages of one flow, paired: the queries that wait, and the way into and out of the waiting.

use schemas::anomaly::AnomalyName;
use schemas::envelope::Nanoseconds;

use super::row::{Seen, emit};
use super::waiting::{Queue, Waiting};
use super::wire::{self, DSO, Message, Problem};
use super::{DNS_PORT, LLMNR_PORT, MDNS_PORT, NAME, has_one_question, plausible_on_stream};
use crate::context::Context;
use crate::protocol::{Direction, Malformed, Progress, Session};

/// Most queries of one flow that wait for their response; the oldest is written without one when another comes.
pub const MAX_PENDING: usize = 1000;

/// Most bytes of waiting queries of one flow, with the same consequence.
pub const MAX_PENDING_BYTES: usize = 256 * 1024;

/// How long a query waits on a flow that lives on. Resolvers give up earlier; a response that is later still is no
/// answer to anyone, and identifiers are used again.
pub const QUERY_TIMEOUT: Nanoseconds = 60 * 1_000_000_000;

/// Most messages in a row on a TCP flow that cannot be DNS before the flow is given up.
const MAX_STRAY: u8 = 8;

/// Queries and responses of one flow.
#[derive(Debug, Default)]
struct Exchanges {
    waiting: Queue,
    /// Whether there was a message.
    begun: bool,
}

impl Waiting<'_> {
    fn seen(&self) -> Option<Seen<'_>> {
        Some(Seen { message: wire::parse(self.message)?, ts: self.ts, packet: self.packet })
    }
}

impl Exchanges {
    /// Deals with a message; says whether it could be one.
    fn message(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) -> bool {
        let Some(message) = wire::parse(bytes) else {
            cx.anomaly(AnomalyName::DnsMalformed, Some(NAME), "message shorter than its header");
            return false;
        };
        match message.problem {
            None => {}
            Some(Problem::Malformed(item)) => cx.anomaly(AnomalyName::DnsMalformed, Some(NAME), item),
            Some(Problem::CountMismatch(item)) => {
                cx.anomaly(AnomalyName::DnsCountMismatch, Some(NAME), item);
            }
            Some(Problem::TrailingBytes) => cx.anomaly(AnomalyName::DnsTrailingBytes, Some(NAME), ""),
        }
        let assigned = schemas::dns_names::opcode(message.header.opcode()).is_some();
        if !assigned && message.problem.is_some() && !has_one_question(bytes) {
            return false;
        }
        let now = Seen { message, ts: cx.now, packet: cx.packet };
        // A flow whose first message is a response was seen from its middle on: its sender is the server.
        let first = !std::mem::replace(&mut self.begun, true) && !cx.resumes;
        if first && message.header.is_response() && direction == Direction::ToResponder && !is_multicast(cx) {
            cx.flip = true;
        }
        let mdns = is_mdns(cx);
        if mdns || is_llmnr(cx) || is_multicast(cx) || is_one_way(&message) {
            let (query, response) =
                if message.header.is_response() { (None, Some(now)) } else { (Some(now), None) };
            emit(query, response, mdns, cx);
        } else if message.header.is_response() {
            self.response(direction, now, cx);
        } else {
            self.query(direction, now, cx);
        }
        true
    }

    fn query(&mut self, direction: Direction, query: Seen<'_>, cx: &mut Context<'_>) {
        let message = query.message.bytes;
        while self.waiting.len() >= MAX_PENDING
            || self.waiting.held() + message.len() > MAX_PENDING_BYTES && !self.waiting.is_empty()
        {
            cx.anomaly(AnomalyName::DnsPendingShed, Some(NAME), "");
            self.write_oldest(cx);
        }
        self.waiting.push(Waiting { ts: query.ts, packet: query.packet, direction, message });
    }

    fn response(&mut self, direction: Direction, response: Seen<'_>, cx: &mut Context<'_>) {
        let place = self.place(direction, &response.message);
        let query = place.and_then(|place| self.waiting.at(place));
        emit(query.as_ref().and_then(Waiting::seen), Some(response), false, cx);
        if let Some(place) = place {
            self.waiting.remove(place);
        }
    }

    /// Where the query of a response waits: the oldest of its identifier that asks the same question; where the
    /// response repeats none, or all differ, the oldest of its identifier.
    fn place(&self, direction: Direction, response: &Message<'_>) -> Option<usize> {
        let id = response.header.id.to_be_bytes();
        let candidates = || {
            self.waiting
                .iter()
                .filter(|(_, query)| query.direction == direction.reverse() && query.message.starts_with(&id))
        };
        candidates()
            .find(|(_, query)| same_question(query.message, response))
            .or_else(|| candidates().next())
            .map(|(place, _)| place)
    }

    fn write_oldest(&mut self, cx: &mut Context<'_>) {
        if let Some(query) = self.waiting.first() {
            emit(query.seen(), None, false, cx);
        }
        self.waiting.remove(0);
    }

    fn expire(&mut self, cx: &mut Context<'_>) {
        while self.waiting.first().is_some_and(|oldest| cx.now.saturating_sub(oldest.ts) > QUERY_TIMEOUT) {
            self.write_oldest(cx);
        }
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        for (_, query) in std::mem::take(&mut self.waiting).iter() {
            emit(query.seen(), None, false, cx);
        }
    }
}

/// Whether `response` repeats the question of the query in `query`.
fn same_question(query: &[u8], response: &Message<'_>) -> bool {
    let Some(answered) = response.question else { return true };
    let Some(asked) = wire::question(query, wire::HEADER) else { return false };
    match (query.get(asked.name..asked.end), response.bytes.get(answered.name..answered.end)) {
        (Some(asked), Some(answered)) => asked.eq_ignore_ascii_case(answered),
        _ => false,
    }
}

/// DSO messages with the identifier 0 want no response (RFC 8490, 5.4.1).
fn is_one_way(message: &Message<'_>) -> bool {
    message.header.opcode() == DSO && message.header.id == 0
}

fn is_mdns(cx: &Context<'_>) -> bool {
    is_on(MDNS_PORT, cx)
}

fn is_llmnr(cx: &Context<'_>) -> bool {
    is_on(LLMNR_PORT, cx)
}

/// Whether the flow is about `port`: a client of a name server may use any port, this one too.
fn is_on(port: u16, cx: &Context<'_>) -> bool {
    let ports = [cx.flow.src_port, cx.flow.dst_port];
    ports.contains(&port) && !ports.contains(&DNS_PORT)
}

fn is_multicast(cx: &Context<'_>) -> bool {
    match cx.flow.dst {
        [0xff, ..] if cx.flow.ipv6 => true,
        [.., 224..=239, _, _, _] => !cx.flow.ipv6,
        _ => false,
    }
}

/// DNS over UDP: a datagram, a message.
#[derive(Debug, Default)]
pub(super) struct Datagrams(Exchanges);

impl Session for Datagrams {
    fn data(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        self.0.message(direction, bytes, cx);
        Ok(Progress::Took(bytes.len()))
    }

    fn expire(&mut self, cx: &mut Context<'_>) {
        self.0.expire(cx);
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        self.0.close(cx);
    }

    fn is_idle(&self) -> bool {
        self.0.waiting.is_empty()
    }
}

/// DNS over TCP: messages behind their lengths (RFC 7766, 8).
#[derive(Debug, Default)]
pub(super) struct Stream {
    exchanges: Exchanges,
    /// By direction: bytes were lost, so where a message begins must be found again.
    lost: [bool; 2],
    stray: u8,
}

impl Session for Stream {
    fn data(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        if let Some(lost) = self.lost.get_mut(direction.index())
            && *lost
        {
            // Senders begin a segment with a message far more often than not.
            if !plausible_on_stream(bytes) {
                return Ok(Progress::Took(bytes.len()));
            }
            *lost = false;
        }
        let mut rest = bytes;
        while let [high, low, after @ ..] = rest {
            let Some((message, after)) =
                after.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))
            else {
                break;
            };
            rest = after;
            if self.exchanges.message(direction, message, cx) {
                self.stray = 0;
            } else {
                self.stray += 1;
                if self.stray >= MAX_STRAY {
                    return Err(Malformed("message"));
                }
            }
        }
        let took = bytes.len() - rest.len();
        Ok(match rest {
            _ if took > 0 => Progress::Took(took),
            [high, low, ..] => Progress::Need(2 + usize::from(u16::from_be_bytes([*high, *low]))),
            _ => Progress::Need(2),
        })
    }

    fn gap(
        &mut self,
        direction: Direction,
        _missing: u64,
        _cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        if let Some(lost) = self.lost.get_mut(direction.index()) {
            *lost = true;
        }
        Ok(Progress::Took(0))
    }

    fn expire(&mut self, cx: &mut Context<'_>) {
        self.exchanges.expire(cx);
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        self.exchanges.close(cx);
    }
}
