//! DNS over UDP and TCP (RFC 1035, 7766), mDNS (RFC 6762) and LLMNR (RFC 4795).
//!
//! [`wire`] finds what a message is made of, [`name`] and [`rdata`] write its parts as text, `session` pairs queries
//! with responses. NetBIOS names (RFC 1002) look alike and are left out: they are no rows of `dns`.

pub mod name;
pub mod rdata;
pub mod wire;

mod edns;
mod presentation;
mod row;
mod session;
mod svcb;
#[cfg(test)]
mod tests;
mod waiting;

use schemas::dns_names;

use crate::protocol::{Direction, Protocol, Session, Transport, Verdict};
use wire::{Header, Message, Section};

pub use row::MAX_MESSAGE_TEXT;
pub use session::{MAX_PENDING, MAX_PENDING_BYTES, QUERY_TIMEOUT};

const NAME: &str = "dns";
const DNS_PORT: u16 = 53;
const MDNS_PORT: u16 = 5353;
const LLMNR_PORT: u16 = 5355;

/// DNS, mDNS and LLMNR over UDP.
#[derive(Debug)]
pub struct OverUdp;

impl Protocol for OverUdp {
    fn name(&self) -> &'static str {
        NAME
    }

    fn transport(&self) -> Transport {
        Transport::Udp
    }

    fn ports(&self) -> &'static [u16] {
        &[DNS_PORT, MDNS_PORT, LLMNR_PORT]
    }

    fn probe(&self, _direction: Direction, bytes: &[u8], hinted: bool) -> Verdict {
        judge(bytes, hinted)
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(session::Datagrams::default())
    }
}

/// DNS over TCP.
#[derive(Debug)]
pub struct OverTcp;

impl Protocol for OverTcp {
    fn name(&self) -> &'static str {
        NAME
    }

    fn transport(&self) -> Transport {
        Transport::Tcp
    }

    fn ports(&self) -> &'static [u16] {
        &[DNS_PORT, MDNS_PORT, LLMNR_PORT]
    }

    fn probe(&self, _direction: Direction, bytes: &[u8], hinted: bool) -> Verdict {
        let [high, low, rest @ ..] = bytes else { return Verdict::NeedMore };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        if length < wire::HEADER {
            return Verdict::No;
        }
        let Some(message) = rest.get(..length) else {
            return probe_partial(rest, hinted);
        };
        judge(message, hinted)
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(session::Stream::default())
    }
}

/// A whole message.
fn judge(bytes: &[u8], hinted: bool) -> Verdict {
    // What is nearly always there, and takes less, comes first.
    let found = hinted && has_one_question(bytes)
        || wire::parse(bytes).is_some_and(|message| hinted && is_lenient(&message) || is_strict(&message));
    if found { Verdict::Yes } else { Verdict::No }
}

/// The front of a message over TCP whose end is not there yet.
fn probe_partial(front: &[u8], hinted: bool) -> Verdict {
    let Some(header) = Header::parse(front) else {
        return Verdict::NeedMore;
    };
    if !(hinted || header_is_strict(&header)) || dns_names::opcode(header.opcode()).is_none() {
        return Verdict::No;
    }
    match wire::question(front, wire::HEADER) {
        Some(question) if header.questions() > 0 => {
            if !is_class(question.class) || !hinted && !is_host_like(front, question.name) {
                Verdict::No
            } else if hinted || wire::record(front, question.end).is_some_and(|record| is_class(record.class))
            {
                Verdict::Yes
            } else {
                Verdict::NeedMore
            }
        }
        // The longest question ends well before this.
        _ if front.len() > wire::HEADER + name::MAX_NAME + 4 => Verdict::No,
        _ => Verdict::NeedMore,
    }
}

/// Whether a message behind its length, or its front, stands at the front of `bytes`, where a stream was lost.
fn plausible_on_stream(bytes: &[u8]) -> bool {
    OverTcp.probe(Direction::ToResponder, bytes, false) == Verdict::Yes
}

/// On a port of DNS, where its one question cannot be read: the message is whole; or its opcode is assigned, and its first
/// question or record can be read and is of a class that is assigned, or it is a question that is cut off.
fn is_lenient(message: &Message<'_>) -> bool {
    if message.problem.is_none() {
        return true;
    }
    if dns_names::opcode(message.header.opcode()).is_none() {
        return false;
    }
    match message.question {
        Some(question) => is_class(question.class),
        None => {
            let header = &message.header;
            let front = wire::record(message.bytes, wire::HEADER);
            // A header that says "one question" and nothing else is hardly chance, so the question may be cut off.
            matches!(header.counts, [1, 0, 0, 0 | 1]) && !header.reserved()
                || header.questions() == 0 && front.is_some_and(|record| is_class(record.class))
        }
    }
}

/// A header that says "one question", with one behind it, is hardly chance; then opcode, question and records may be anything.
fn has_one_question(bytes: &[u8]) -> bool {
    Header::parse(bytes).is_some_and(|header| header.questions() == 1 && !header.reserved())
        && wire::question(bytes, wire::HEADER).is_some()
}

/// On any port: nothing about the message is odd. No other protocol is taken for DNS by this.
fn is_strict(message: &Message<'_>) -> bool {
    let header = &message.header;
    if message.problem.is_some() || !header_is_strict(header) {
        return false;
    }
    let sections = [Section::Answer, Section::Authority, Section::Additional];
    if !sections.into_iter().flat_map(|section| message.records(section)).all(|record| {
        record.record_type == wire::OPT && message.bytes.get(record.name) == Some(&0)
            || is_class(record.class) && dns_names::record_type(record.record_type).is_some()
    }) {
        return false;
    }
    match message.question {
        Some(question) => {
            is_class(question.class)
                && dns_names::record_type(question.record_type).is_some()
                && is_host_like(message.bytes, question.name)
                && !is_netbios(message.bytes, question.name)
        }
        None => message.records(Section::Answer).next().is_some_and(|record| {
            is_host_like(message.bytes, record.name) && !is_netbios(message.bytes, record.name)
        }),
    }
}

/// QUERY, NOTIFY or UPDATE with one question, and no bit of the other direction.
fn header_is_strict(header: &Header) -> bool {
    let [questions, answers, authorities, additionals] = header.counts;
    let update = matches!(header.opcode(), 4 | 5);
    if header.reserved() || !(update || header.opcode() == 0) {
        return false;
    }
    if header.is_response() {
        return dns_names::rcode(header.rcode().into()).is_some()
            && (questions == 1 || questions == 0 && answers > 0);
    }
    let quiet = !header.recursion_available() && !header.truncated() && header.rcode() == 0;
    quiet && questions == 1 && (update || answers == 0 && authorities <= 1 && additionals <= 2)
}

/// IN, CH, HS, NONE or ANY; the top bit has a meaning of its own in mDNS.
fn is_class(class: u16) -> bool {
    dns_names::class(class & 0x7fff).is_some()
}

/// Whether the labels of a name, up to its first pointer, are printable ASCII; at least one, or the root.
fn is_host_like(bytes: &[u8], mut at: usize) -> bool {
    loop {
        match bytes.get(at) {
            Some(0 | 0xc0..) => return true,
            Some(&length @ 1..=63) => {
                let label = bytes.get(at + 1..).and_then(|rest| rest.get(..usize::from(length)));
                if !label.is_some_and(|label| label.iter().all(|byte| (0x20..0x7f).contains(byte))) {
                    return false;
                }
                at += 1 + usize::from(length);
            }
            _ => return false,
        }
    }
}

/// A first label of 32 letters from A to P is how NetBIOS writes its names (RFC 1001, 14.1).
fn is_netbios(bytes: &[u8], at: usize) -> bool {
    matches!(bytes.get(at..), Some([32, rest @ ..])
        if rest.get(..32).is_some_and(|label| label.iter().all(|byte| (b'A'..=b'P').contains(byte))))
}
