//! Is it DNS? On its ports what begins like a message; elsewhere only what is one from its first byte to its last.

use schemas::dns_names;

use super::wire::{self, HEADER, Header, Section};
use crate::protocol::Verdict;

/// Types of the NetBIOS name service (RFC 1002), whose messages look like DNS.
const NETBIOS: [u16; 2] = [32, 33];

/// The top bit of a class is a flag in mDNS.
const CLASS: u16 = 0x7fff;

/// Whether a datagram is a message. `hinted`: it comes from or goes to a port of DNS.
pub(super) fn is_message(bytes: &[u8], hinted: bool) -> bool {
    let Some(message) = wire::parse(bytes) else { return false };
    let header = message.header;
    let questions = header.questions();
    if hinted {
        // What follows may be cut or broken; the session says so.
        return message.question.is_some()
            || questions == 0 && (header.is_response() || message.holds_records());
    }
    let Some(question) = message.question else { return false };
    let known = |record_type: u16, class: u16| {
        !NETBIOS.contains(&record_type)
            && dns_names::record_type(record_type).is_some()
            && matches!(class & CLASS, 1 | 3 | 4 | 254 | 255)
    };
    let plausible = matches!(header.opcode(), 0 | 4 | 5)
        && !header.reserved()
        && questions == 1
        && (header.is_response() || header.rcode() == 0)
        && known(question.record_type, question.class);
    plausible
        && message.problem.is_none()
        && [Section::Answer, Section::Authority, Section::Additional].into_iter().all(|section| {
            message.records(section).all(|record| {
                record.record_type == wire::OPT
                    || !NETBIOS.contains(&record.record_type) && record.class & CLASS <= 255
            })
        })
}

/// Whether a stream begins with a message behind its length.
pub(super) fn stream(bytes: &[u8], hinted: bool) -> Verdict {
    let Some((length, rest)) = bytes.split_first_chunk::<2>() else { return Verdict::NeedMore };
    let length = usize::from(u16::from_be_bytes(*length));
    if length < HEADER {
        return Verdict::No;
    }
    let Some(header) = Header::parse(rest) else { return Verdict::NeedMore };
    let plausible =
        header.questions() <= 1 && header.opcode() <= 6 && (header.is_response() || header.rcode() == 0);
    if !plausible {
        return Verdict::No;
    }
    match rest.get(..length) {
        Some(message) if is_message(message, hinted) => Verdict::Yes,
        Some(_) => Verdict::No,
        // A long message need not be waited for where its first question says enough.
        None if hinted && wire::question(rest, HEADER).is_some() => Verdict::Yes,
        None => Verdict::NeedMore,
    }
}
