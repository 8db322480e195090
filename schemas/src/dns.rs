//! `dns`: one row for each query, paired with its response where one was seen.

use crate::arena::{Arena, List, ResourceRecord, Text};
use crate::column::{Column, Layout, Value};
use crate::envelope::{self, Nanoseconds, Row};
use crate::packed::packed;
use crate::symbols;
use crate::table::Record;

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

packed!(Dns {
    id,
    opcode,
    query,
    qtype,
    qclass,
    question_count,
    rcode,
    authoritative,
    truncated,
    recursion_available,
    authentic_data,
    recursion_desired,
    checking_disabled,
    rejected,
    answers as resource_records,
    authorities as resource_records,
    additionals as resource_records,
    rtt,
    query_bytes,
    response_bytes,
    edns,
    registered_domain,
    tld,
});
packed!(Edns { udp_size, version, dnssec_ok, client_subnet, cookie, nsid });

impl Record for Dns {
    fn relocate(&mut self, from: &Arena, to: &mut Arena) {
        self.query = to.copy_text(self.query, from);
        self.answers = to.copy_resource_records(self.answers, from);
        self.authorities = to.copy_resource_records(self.authorities, from);
        self.additionals = to.copy_resource_records(self.additionals, from);
        self.registered_domain = to.copy_text(self.registered_domain, from);
        self.tld = to.copy_text(self.tld, from);
        if let Some(edns) = &mut self.edns {
            edns.client_subnet = to.copy_text(edns.client_subnet, from);
            edns.cookie = to.copy_text(edns.cookie, from);
            edns.nsid = to.copy_text(edns.nsid, from);
        }
    }

    fn held(&self, arena: &Arena) -> usize {
        let edns = self.edns.unwrap_or_default();
        let texts =
            [self.query, self.registered_domain, self.tld, edns.client_subnet, edns.cookie, edns.nsid];
        let lists = [self.answers, self.authorities, self.additionals];
        texts.iter().map(|text| text.len()).sum::<usize>()
            + lists.iter().map(|&list| arena.held_by_resource_records(list)).sum::<usize>()
    }
}

/// The columns of `dns`.
pub(crate) fn columns() -> Vec<Column<Row<Dns>>> {
    let mut columns = envelope::columns();
    columns.extend([
        Column::new("id", Value::int32(|row: &Row<Dns>| Some(row.record.id.into())), "Transaction id.")
            .required(),
        Column::new(
            "opcode",
            Value::symbol(|row: &Row<Dns>| Some(row.record.opcode.into()), symbols::dns_opcode),
            "Kind of message: `QUERY`, `NOTIFY`, `UPDATE`, …, else `OPCODE7`.",
        )
        .required(),
        Column::new(
            "query",
            Value::text(|row: &Row<Dns>| row.record.query),
            "The first question's name, lower-cased, without the final dot; the root is `.`.",
        )
        .bloom(),
        Column::new(
            "qtype",
            Value::symbol(|row: &Row<Dns>| row.record.qtype, symbols::dns_type),
            "Type asked for, as mnemonic (`A`, `HTTPS`), else `TYPE65280`.",
        ),
        Column::new(
            "qclass",
            Value::symbol(|row: &Row<Dns>| row.record.qclass, symbols::dns_class),
            "Class asked for, as mnemonic (`IN`), else `CLASS7`.",
        ),
        Column::new(
            "question_count",
            Value::int32(|row: &Row<Dns>| Some(row.record.question_count.into())),
            "Number of questions by the header.",
        )
        .required(),
        Column::new(
            "rcode",
            Value::symbol(|row: &Row<Dns>| row.record.rcode, symbols::dns_rcode),
            "Response code: `NOERROR`, `NXDOMAIN`, …, extended by EDNS, else `RCODE12`; null without a response.",
        ),
        Column::new(
            "authoritative",
            Value::bool(|row: &Row<Dns>| row.record.authoritative),
            "AA of the response, also where it has no answers; null without a response.",
        ),
        Column::new(
            "truncated",
            Value::bool(|row: &Row<Dns>| row.record.truncated),
            "TC of the response; null without a response.",
        ),
        Column::new(
            "recursion_available",
            Value::bool(|row: &Row<Dns>| row.record.recursion_available),
            "RA of the response; null without a response.",
        ),
        Column::new(
            "authentic_data",
            Value::bool(|row: &Row<Dns>| row.record.authentic_data),
            "AD of the response; null without a response.",
        ),
        Column::new(
            "recursion_desired",
            Value::bool(|row: &Row<Dns>| row.record.recursion_desired),
            "RD of the query, else of the response.",
        ),
        Column::new(
            "checking_disabled",
            Value::bool(|row: &Row<Dns>| row.record.checking_disabled),
            "CD of the query, else of the response.",
        ),
        Column::new(
            "rejected",
            Value::bool(|row: &Row<Dns>| row.record.rejected),
            "The rcode is REFUSED, SERVFAIL, NOTIMP or FORMERR and no section holds a record.",
        ),
        Column::resource_records(
            "answers",
            |row: &Row<Dns>| row.record.answers,
            parts(),
            "The answer section.",
        ),
        Column::resource_records(
            "authorities",
            |row: &Row<Dns>| row.record.authorities,
            parts(),
            "The authority section.",
        ),
        Column::resource_records(
            "additionals",
            |row: &Row<Dns>| row.record.additionals,
            parts(),
            "The additional section without the OPT record.",
        ),
        Column::new(
            "rtt",
            Value::seconds(|row: &Row<Dns>| row.record.rtt),
            "Seconds from query to response.",
        )
        .layout(Layout::Unique),
        Column::new(
            "query_bytes",
            Value::int32(|row: &Row<Dns>| {
                row.record.query_bytes.map(|bytes| i32::try_from(bytes).unwrap_or(i32::MAX))
            }),
            "Size of the query message.",
        ),
        Column::new(
            "response_bytes",
            Value::int32(|row: &Row<Dns>| {
                row.record.response_bytes.map(|bytes| i32::try_from(bytes).unwrap_or(i32::MAX))
            }),
            "Size of the response message.",
        ),
        Column::parts(
            "edns",
            |row: &Row<Dns>| row.record.edns.is_some(),
            vec![
                Column::new(
                    "udp_size",
                    Value::int32(|row: &Row<Dns>| row.record.edns.map(|edns| edns.udp_size.into())),
                    "UDP payload size that the sender takes.",
                )
                .required(),
                Column::new(
                    "version",
                    Value::int32(|row: &Row<Dns>| row.record.edns.map(|edns| edns.version.into())),
                    "Version of EDNS.",
                )
                .required(),
                Column::new(
                    "dnssec_ok",
                    Value::bool(|row: &Row<Dns>| row.record.edns.map(|edns| edns.dnssec_ok)),
                    "The DO bit.",
                )
                .required(),
                Column::new(
                    "client_subnet",
                    Value::text(|row: &Row<Dns>| {
                        row.record.edns.map_or(Text::NULL, |edns| edns.client_subnet)
                    }),
                    "Client subnet, `192.0.2.0/24` (RFC 7871).",
                ),
                Column::new(
                    "cookie",
                    Value::text(|row: &Row<Dns>| row.record.edns.map_or(Text::NULL, |edns| edns.cookie)),
                    "Cookie in hex (RFC 7873).",
                ),
                Column::new(
                    "nsid",
                    Value::text(|row: &Row<Dns>| row.record.edns.map_or(Text::NULL, |edns| edns.nsid)),
                    "Name server identifier (RFC 5001).",
                ),
            ],
            "EDNS of the query, else of the response; null without an OPT record.",
        ),
        Column::new(
            "registered_domain",
            Value::text(|row: &Row<Dns>| row.record.registered_domain),
            "Registered domain of `query`, by the public suffix list.",
        ),
        Column::new("tld", Value::text(|row: &Row<Dns>| row.record.tld), "Public suffix of `query`."),
    ]);
    columns
}

/// The parts of a resource record.
fn parts() -> Vec<Column<ResourceRecord>> {
    vec![
        Column::new("name", Value::text(|record: &ResourceRecord| record.name), "Owner name."),
        Column::new(
            "type",
            Value::symbol(|record: &ResourceRecord| Some(record.record_type), symbols::dns_type),
            "Type as mnemonic, else `TYPE65280`.",
        )
        .required(),
        Column::new(
            "ttl",
            Value::int32(|record: &ResourceRecord| Some(record.ttl)),
            "Time to live in seconds.",
        )
        .required(),
        Column::new(
            "data",
            Value::text(|record: &ResourceRecord| record.data),
            "The data in presentation form of its type, else `\\# length hex` (RFC 3597).",
        ),
    ]
}
