//! `dns`: one row for each query, paired with its response where one was seen.

use crate::arena::{List, Text};
use crate::envelope::Nanoseconds;

/// The record of the table `dns`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Dns {
    /// Transaction id.
    pub id: u16,
    /// OPCODE as on the wire.
    pub opcode: u8,
    /// The first question's name, lower-cased, without the final dot; `.` is the root.
    pub query: Text,
    /// QTYPE of the first question.
    pub qtype: Option<u16>,
    /// QCLASS of the first question.
    pub qclass: Option<u16>,
    /// QDCOUNT.
    pub question_count: u16,
    /// RCODE, extended by EDNS; null without a response.
    pub rcode: Option<u16>,
    /// AA of the response.
    pub authoritative: Option<bool>,
    /// TC of the response.
    pub truncated: Option<bool>,
    /// RA of the response.
    pub recursion_available: Option<bool>,
    /// AD of the response.
    pub authentic_data: Option<bool>,
    /// RD of the query, else of the response.
    pub recursion_desired: Option<bool>,
    /// CD of the query, else of the response.
    pub checking_disabled: Option<bool>,
    /// The rcode is REFUSED, SERVFAIL, NOTIMP or FORMERR and no section holds a record; null without a response.
    pub rejected: Option<bool>,
    /// The answer section (resource records of the arena); null without a response.
    pub answers: List,
    /// The authority section.
    pub authorities: List,
    /// The additional section without OPT.
    pub additionals: List,
    /// From query to response.
    pub rtt: Option<Nanoseconds>,
    /// Size of the query message.
    pub query_bytes: Option<u32>,
    /// Size of the response message.
    pub response_bytes: Option<u32>,
    /// EDNS of the query, else of the response.
    pub edns: Option<Edns>,
    /// The registered domain of `query` by the public suffix list.
    pub registered_domain: Text,
    /// The public suffix of `query`.
    pub tld: Text,
}

/// The OPT record of a message (RFC 6891).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Edns {
    /// UDP payload size.
    pub udp_size: u16,
    /// Version.
    pub version: u8,
    /// The DO bit.
    pub dnssec_ok: bool,
    /// Client subnet, `192.0.2.0/24` (RFC 7871).
    pub client_subnet: Text,
    /// Cookie in hex (RFC 7873).
    pub cookie: Text,
    /// Name server identifier (RFC 5001).
    pub nsid: Text,
}
