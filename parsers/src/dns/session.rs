//! Queries and responses of one flow, paired by id in the order of the queries, and their rows.

use std::collections::VecDeque;

use schemas::anomaly::AnomalyName;
use schemas::arena::{Arena, List, ResourceRecord, Text};
use schemas::dns::{Dns, Edns};
use schemas::envelope::Nanoseconds;
use smallvec::SmallVec;

use super::name::{self, Case, NameProblem};
use super::wire::{self, Message, Problem, Section};
use super::{presentation, rdata};
use crate::context::Context;
use crate::names;
use crate::protocol::{Direction, Malformed, Progress, Session};

/// Queries of one flow that may wait for their responses. A resolver behind one port may have thousands under way, but
/// what a second's worth has not answered is lost.
const PENDING: usize = 1_000;

/// Bytes of queries that may wait (an UPDATE can have 64 KiB).
const PENDING_BYTES: usize = 256 << 10;

/// The name of the protocol in anomalies.
const DNS: Option<&str> = Some("dns");

/// DNS over UDP.
#[derive(Default)]
pub(super) struct OverUdpSession {
    exchanges: Exchanges,
}

impl Session for OverUdpSession {
    fn data(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        self.exchanges.message(direction, bytes, cx)?;
        Ok(Progress::Took(bytes.len()))
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        self.exchanges.close(cx);
    }
}

/// DNS over TCP.
pub(super) struct OverTcpSession {
    pub(super) exchanges: Exchanges,
}

impl Session for OverTcpSession {
    fn data(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            let Some((length, rest)) = rest.split_first_chunk::<2>() else { break };
            let length = usize::from(u16::from_be_bytes(*length));
            let Some(message) = rest.get(..length) else {
                return Ok(if taken == 0 { Progress::Need(2 + length) } else { Progress::Took(taken) });
            };
            taken += 2 + length;
            if !message.is_empty() {
                self.exchanges.message(direction, message, cx)?;
            }
        }
        Ok(Progress::Took(taken))
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        self.exchanges.close(cx);
    }
}

/// A query that waits for its response.
struct Pending {
    id: u16,
    direction: Direction,
    ts: Nanoseconds,
    packet: u64,
    message: SmallVec<[u8; 96]>,
}

/// A message and when it came.
#[derive(Clone, Copy)]
struct Arrived<'a> {
    message: Message<'a>,
    ts: Nanoseconds,
    packet: u64,
}

/// What is under way on one flow.
#[derive(Default)]
pub(super) struct Exchanges {
    pending: VecDeque<Pending>,
    pending_bytes: usize,
    seen: bool,
    scratch: Vec<u8>,
    records: Vec<ResourceRecord>,
}

impl Exchanges {
    /// Takes in a message.
    fn message(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) -> Result<(), Malformed> {
        let message = wire::parse(bytes).ok_or(Malformed("header"))?;
        let arrived = Arrived { message, ts: cx.now, packet: cx.packet };
        let first = !std::mem::replace(&mut self.seen, true);
        let multicast = is_multicast(cx);
        report(&message, cx);
        if multicast {
            let (query, response) =
                if message.header.is_response() { (None, Some(arrived)) } else { (Some(arrived), None) };
            self.emit(query, response, cx);
            return Ok(());
        }
        if !message.header.is_response() {
            self.wait(direction, arrived, cx);
            return Ok(());
        }
        // A flow whose first message answers something was seen from its middle on: its sender is the server.
        if first && direction == Direction::ToResponder && self.pending.is_empty() {
            cx.flip = true;
        }
        match self.asked(direction, &message) {
            Some(query) => {
                self.pending_bytes -= query.message.len();
                let asked = wire::parse(&query.message);
                let asked = asked.map(|message| Arrived { message, ts: query.ts, packet: query.packet });
                self.emit(asked, Some(arrived), cx);
            }
            None => self.emit(None, Some(arrived), cx),
        }
        Ok(())
    }

    /// Takes the query out that a response answers: of those with its id the first that asked the same, else the first.
    fn asked(&mut self, direction: Direction, response: &Message<'_>) -> Option<Pending> {
        let id = response.header.id;
        let candidates = || {
            self.pending
                .iter()
                .enumerate()
                .filter(move |(_, query)| query.id == id && query.direction != direction)
        };
        let (first, _) = candidates().next()?;
        let question = question_bytes(response);
        let same = candidates().find(|(_, query)| {
            let asked = wire::parse(&query.message);
            question.is_some() && asked.is_some_and(|asked| same_question(question_bytes(&asked), question))
        });
        self.pending.remove(same.map_or(first, |(at, _)| at))
    }

    /// Keeps a query.
    fn wait(&mut self, direction: Direction, query: Arrived<'_>, cx: &mut Context<'_>) {
        let bytes = query.message.bytes;
        while self.pending.len() >= PENDING || self.pending_bytes + bytes.len() > PENDING_BYTES {
            let Some(oldest) = self.pending.pop_front() else { break };
            cx.anomaly(AnomalyName::DnsPendingShed, DNS, "");
            self.unanswered(&oldest, cx);
        }
        self.pending_bytes += bytes.len();
        self.pending.push_back(Pending {
            id: query.message.header.id,
            direction,
            ts: query.ts,
            packet: query.packet,
            message: SmallVec::from_slice(bytes),
        });
    }

    /// Writes the rows of queries that were not answered.
    fn close(&mut self, cx: &mut Context<'_>) {
        while let Some(query) = self.pending.pop_front() {
            self.unanswered(&query, cx);
        }
    }

    fn unanswered(&mut self, query: &Pending, cx: &mut Context<'_>) {
        self.pending_bytes = self.pending_bytes.saturating_sub(query.message.len());
        let Some(message) = wire::parse(&query.message) else { return };
        self.emit(Some(Arrived { message, ts: query.ts, packet: query.packet }), None, cx);
    }

    /// Writes a row.
    fn emit(&mut self, query: Option<Arrived<'_>>, response: Option<Arrived<'_>>, cx: &mut Context<'_>) {
        let Some(first) = query.or(response) else { return };
        let envelope = cx.envelope(first.ts, first.packet);
        let header = first.message.header;
        let asked =
            query.filter(|query| query.message.question.is_some()).or(response).unwrap_or(first).message;
        let class = if is_mdns(cx) { 0x7fff } else { 0xffff };
        let mut odd = Oddities::default();
        let Self { scratch, records, .. } = self;
        cx.records.dns.push(envelope, |arena| {
            let mut record = Dns {
                id: header.id,
                opcode: header.opcode(),
                question_count: asked.header.questions(),
                recursion_desired: Some(header.recursion_desired()),
                checking_disabled: Some(header.checking_disabled()),
                query_bytes: query.map(|query| query.message.bytes.len() as u32),
                ..Dns::default()
            };
            if let Some(question) = asked.question {
                record.qtype = Some(question.record_type);
                record.qclass = Some(question.class & class);
                scratch.clear();
                odd.name(name::write(asked.bytes, question.name, Case::Lower, scratch).err());
                record.query = arena.text_with(|out| out.extend_from_slice(scratch));
                if let Some(registered) = names::registered(scratch) {
                    let from = |at: usize| scratch.get(at..).unwrap_or_default();
                    record.tld = arena.text_with(|out| out.extend_from_slice(from(registered.suffix)));
                    if let Some(domain) = registered.domain {
                        record.registered_domain = arena.text_with(|out| out.extend_from_slice(from(domain)));
                    }
                }
            }
            if let Some(Arrived { message, ts, .. }) = response {
                let header = message.header;
                let rcode = message.rcode();
                record.rcode = Some(rcode);
                record.authoritative = Some(header.authoritative());
                record.truncated = Some(header.truncated());
                record.recursion_available = Some(header.recursion_available());
                record.authentic_data = Some(header.authentic_data());
                record.rejected = Some(matches!(rcode, 1 | 2 | 4 | 5) && !message.holds_records());
                record.rtt = query.map(|query| ts.saturating_sub(query.ts));
                record.response_bytes = Some(message.bytes.len() as u32);
            }
            // A query may carry records too: the serial of an IXFR, the changes of an UPDATE, what mDNS knows already.
            let holder = response.unwrap_or(first).message;
            if response.is_some() || holder.holds_records() {
                record.answers = section(&holder, Section::Answer, records, arena, &mut odd);
                record.authorities = section(&holder, Section::Authority, records, arena, &mut odd);
                record.additionals = section(&holder, Section::Additional, records, arena, &mut odd);
            }
            record.edns = edns(
                query.map(|query| query.message),
                response.map(|response| response.message),
                arena,
                &mut odd,
            );
            record
        });
        odd.report(cx);
    }
}

/// What was found odd while a row was written.
#[derive(Default)]
struct Oddities {
    looped: bool,
    malformed: Option<&'static str>,
}

impl Oddities {
    fn name(&mut self, problem: Option<NameProblem>) {
        match problem {
            None => {}
            Some(NameProblem::Loop) => self.looped = true,
            Some(NameProblem::Truncated) => self.malformed("name is cut off"),
            Some(NameProblem::LabelType) => self.malformed("label type"),
            Some(NameProblem::TooLong) => self.malformed("name is too long"),
        }
    }

    fn malformed(&mut self, what: &'static str) {
        self.malformed.get_or_insert(what);
    }

    fn report(self, cx: &mut Context<'_>) {
        if self.looped {
            cx.anomaly(AnomalyName::DnsNameLoop, DNS, "");
        }
        if let Some(what) = self.malformed {
            cx.anomaly(AnomalyName::DnsMalformed, DNS, what);
        }
    }
}

/// Writes the records of a section.
fn section(
    message: &Message<'_>,
    section: Section,
    records: &mut Vec<ResourceRecord>,
    arena: &mut Arena,
    odd: &mut Oddities,
) -> List {
    records.clear();
    for record in message
        .records(section)
        .filter(|record| record.record_type != wire::OPT || section != Section::Additional)
    {
        let name =
            arena.text_with(|out| odd.name(name::write(message.bytes, record.name, Case::Kept, out).err()));
        let data = arena.text_with(|out| match rdata::write(message.bytes, &record, out) {
            Ok(()) => {}
            Err(rdata::RdataProblem::Name(problem)) => odd.name(Some(problem)),
            Err(rdata::RdataProblem::Field) => odd.malformed("rdata"),
        });
        let ttl = i32::try_from(record.ttl).unwrap_or(i32::MAX);
        records.push(ResourceRecord { name, record_type: record.record_type, ttl, data });
    }
    arena.resource_records(records)
}

/// EDNS of the query, else of the response; the name server's identifier stands in the response only.
fn edns(
    query: Option<Message<'_>>,
    response: Option<Message<'_>>,
    arena: &mut Arena,
    odd: &mut Oddities,
) -> Option<Edns> {
    let of = |message: Option<Message<'_>>, arena: &mut Arena, odd: &mut Oddities| {
        message.and_then(|message| message.opt.map(|opt| read_opt(&message, &opt, arena, odd)))
    };
    let asked = of(query, arena, odd);
    if asked.as_ref().is_some_and(|(_, nsid)| !nsid) {
        return asked.map(|(edns, _)| edns);
    }
    let answered = of(response, arena, odd);
    match (asked, answered) {
        (Some((asked, _)), Some((answered, _))) => Some(Edns { nsid: answered.nsid, ..asked }),
        (asked, answered) => asked.or(answered).map(|(edns, _)| edns),
    }
}

/// An OPT record (RFC 6891), and whether it asks for the name server's identifier.
fn read_opt(
    message: &Message<'_>,
    opt: &wire::Record,
    arena: &mut Arena,
    odd: &mut Oddities,
) -> (Edns, bool) {
    let mut edns = Edns {
        udp_size: opt.class,
        version: (opt.ttl >> 16) as u8,
        dnssec_ok: opt.ttl & 0x8000 != 0,
        ..Edns::default()
    };
    let mut asks = false;
    let mut options = message.bytes.get(opt.rdata..opt.end).unwrap_or_default();
    while let Some((&[c, d, l, m], rest)) = options.split_first_chunk::<4>() {
        let Some((value, rest)) = rest.split_at_checked(usize::from(u16::from_be_bytes([l, m]))) else {
            odd.malformed("EDNS option");
            break;
        };
        match u16::from_be_bytes([c, d]) {
            3 => {
                asks = value.is_empty();
                edns.nsid = arena.text(value);
            }
            8 => match client_subnet(value, arena) {
                Some(subnet) => edns.client_subnet = subnet,
                None => odd.malformed("EDNS client subnet"),
            },
            10 => edns.cookie = arena.text_with(|out| presentation::hex_lower(value, out)),
            _ => {}
        }
        options = rest;
    }
    (edns, asks)
}

/// RFC 7871, section 6.
fn client_subnet(value: &[u8], arena: &mut Arena) -> Option<Text> {
    let (&[f, g, source, _], address) = value.split_first_chunk::<4>()?;
    let family = u16::from_be_bytes([f, g]);
    let mut text = Vec::with_capacity(48);
    rdata::prefix_of(family, address, &mut text).ok()?;
    text.push(b'/');
    presentation::number(source, &mut text);
    Some(arena.text_with(|out| out.extend_from_slice(&text)))
}

/// Tells what is wrong with a message as a whole.
fn report(message: &Message<'_>, cx: &mut Context<'_>) {
    match message.problem {
        None => {}
        // A truncated message ends where its sender's buffer did.
        Some(Problem::CountMismatch(_) | Problem::Malformed(_)) if message.header.truncated() => {}
        Some(Problem::Malformed(item)) => cx.anomaly(AnomalyName::DnsMalformed, DNS, item),
        Some(Problem::CountMismatch(item)) => cx.anomaly(AnomalyName::DnsCountMismatch, DNS, item),
        Some(Problem::TrailingBytes) => cx.anomaly(AnomalyName::DnsTrailingBytes, DNS, ""),
    }
}

/// The bytes of the first question.
fn question_bytes<'a>(message: &Message<'a>) -> Option<&'a [u8]> {
    message.question.and_then(|question| message.bytes.get(question.name..question.end))
}

/// Whether two questions ask the same; letters of either case are alike, and a name of a question is never compressed.
fn same_question(one: Option<&[u8]>, other: Option<&[u8]>) -> bool {
    matches!((one, other), (Some(one), Some(other)) if one.eq_ignore_ascii_case(other))
}

/// Whether the flow goes to a multicast group: then nobody answers it on this flow.
fn is_multicast(cx: &Context<'_>) -> bool {
    let dst = &cx.flow.dst;
    if cx.flow.ipv6 { dst.starts_with(&[0xff]) } else { matches!(dst, [.., a, _, _, _] if a >> 4 == 14) }
}

/// Whether the flow is of multicast DNS.
fn is_mdns(cx: &Context<'_>) -> bool {
    cx.flow.src_port == 5353 || cx.flow.dst_port == 5353
}
