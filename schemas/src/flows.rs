//! `flows` and `flows_open`: one row for each flow, when it ends; and what lives on, at each interval.

use crate::arena::{Arena, List, Text};
use crate::column::{Column, Layout, Value};
use crate::envelope::{self, Nanoseconds, Row};
use crate::packed::{packed, packed_names};
use crate::symbols;
use crate::table::Record;

/// The record of the tables `flows` and `flows_open`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Flow {
    /// Nanoseconds from the first to the last packet that counts.
    pub duration: Nanoseconds,
    /// Time of the last packet.
    pub end_ts: Nanoseconds,
    /// Protocols confirmed by content, sorted and comma-joined; null where none.
    pub service: Text,
    /// State by Zeek's rule.
    pub conn_state: ConnState,
    /// State history in Zeek's letters.
    pub history: Text,
    /// Payload bytes by direction (originator, responder).
    pub bytes: [i64; 2],
    /// Packets by direction.
    pub packets: [i64; 2],
    /// Bytes at the IP level by direction.
    pub ip_bytes: [i64; 2],
    /// Bytes in content gaps.
    pub missed_bytes: i64,
    /// TCP flags seen by direction, as the bits of the TCP header (FIN 1, SYN 2, RST 4, PSH 8, ACK 16, URG 32, ECE 64, CWR 128).
    pub flags: [u8; 2],
    /// Hardware address of the originator and the responder; null where the link has none.
    pub mac: [Option<[u8; 6]>; 2],
    /// Outer VLAN id.
    pub vlan: Option<u16>,
    /// Inner VLAN id.
    pub inner_vlan: Option<u16>,
    /// Encapsulations, outermost first (texts of the arena).
    pub tunnels: List,
    /// Nanoseconds between SYN and SYN+ACK.
    pub handshake_rtt: Option<Nanoseconds>,
    /// ICMP type and code.
    pub icmp: Option<(u8, u8)>,
    /// Second copies of a packet, left out of all other counts.
    pub duplicate_packets: i64,
    /// Number of the interval row; null in `flows`.
    pub sequence: Option<i32>,
    /// Why the row was written; null in `flows_open`.
    pub end_reason: Option<EndReason>,
}

/// `conn_state`: Zeek's thirteen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum ConnState {
    /// Attempt without an answer.
    S0,
    /// Established, not closed.
    S1,
    /// Established, closed by both.
    SF,
    /// Attempt refused.
    REJ,
    /// Established, closed by the originator alone.
    S2,
    /// Established, closed by the responder alone.
    S3,
    /// Reset by the originator.
    RSTO,
    /// Reset by the responder.
    RSTR,
    /// SYN, then RST by the originator.
    RSTOS0,
    /// SYN+ACK, then RST by the responder; no SYN seen.
    RSTRH,
    /// SYN, then FIN by the originator; no answer seen.
    SH,
    /// SYN+ACK, then FIN by the responder; no SYN seen.
    SHR,
    /// None of these.
    #[default]
    OTH,
}

/// Why a flow's row was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum EndReason {
    /// Both sides closed.
    Closed,
    /// A side reset.
    Reset,
    /// Nothing came for the time-out.
    Timeout,
    /// Room was needed.
    Evicted,
    /// The sensor ended.
    Shutdown,
}

impl ConnState {
    /// All of them, in the order of their numbers.
    pub const ALL: &'static [Self] = &[
        Self::S0,
        Self::S1,
        Self::SF,
        Self::REJ,
        Self::S2,
        Self::S3,
        Self::RSTO,
        Self::RSTR,
        Self::RSTOS0,
        Self::RSTRH,
        Self::SH,
        Self::SHR,
        Self::OTH,
    ];

    /// As it stands in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::S0 => "S0",
            Self::S1 => "S1",
            Self::SF => "SF",
            Self::REJ => "REJ",
            Self::S2 => "S2",
            Self::S3 => "S3",
            Self::RSTO => "RSTO",
            Self::RSTR => "RSTR",
            Self::RSTOS0 => "RSTOS0",
            Self::RSTRH => "RSTRH",
            Self::SH => "SH",
            Self::SHR => "SHR",
            Self::OTH => "OTH",
        }
    }
}

impl EndReason {
    /// All of them, in the order of their numbers.
    pub const ALL: &'static [Self] =
        &[Self::Closed, Self::Reset, Self::Timeout, Self::Evicted, Self::Shutdown];

    /// As it stands in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Reset => "reset",
            Self::Timeout => "timeout",
            Self::Evicted => "evicted",
            Self::Shutdown => "shutdown",
        }
    }
}

packed!(Flow {
    duration,
    end_ts,
    service,
    conn_state,
    history,
    bytes,
    packets,
    ip_bytes,
    missed_bytes,
    flags,
    mac,
    vlan,
    inner_vlan,
    tunnels as texts,
    handshake_rtt,
    icmp,
    duplicate_packets,
    sequence,
    end_reason,
});
packed_names!(ConnState);
packed_names!(EndReason);

impl Record for Flow {
    fn relocate(&mut self, from: &Arena, to: &mut Arena) {
        self.service = to.copy_text(self.service, from);
        self.history = to.copy_text(self.history, from);
        self.tunnels = to.copy_texts(self.tunnels, from);
    }

    fn held(&self, arena: &Arena) -> usize {
        self.service.len() + self.history.len() + arena.held_by_texts(self.tunnels)
    }
}

/// The columns of `flows`.
pub(crate) fn columns() -> Vec<Column<Row<Flow>>> {
    let mut columns = envelope::columns();
    columns.extend(own());
    columns
}

/// The columns of `flows_open`: the same, and `sequence`.
pub(crate) fn open_columns() -> Vec<Column<Row<Flow>>> {
    let mut columns = columns();
    let reason = columns.pop();
    columns.push(
        Column::new(
            "sequence",
            Value::int32(|row: &Row<Flow>| Some(row.record.sequence.unwrap_or_default())),
            "Number of the interval: 0, 1, 2, … for the rows of one flow.",
        )
        .required(),
    );
    columns.extend(reason);
    columns
}

/// A count, which is never unknown.
fn count(name: &'static str, read: fn(&Row<Flow>) -> Option<i64>, doc: &'static str) -> Column<Row<Flow>> {
    Column::new(name, Value::int64(read), doc).required()
}

fn own() -> Vec<Column<Row<Flow>>> {
    vec![
        Column::new(
            "duration",
            Value::seconds(|row: &Row<Flow>| Some(row.record.duration)),
            "Seconds from the first to the last packet that counts: trailing packets after both sides closed do not, as \
             in Zeek; 0 for a single packet.",
        )
        .required()
        .layout(Layout::Unique),
        Column::new("end_ts", Value::timestamp(|row: &Row<Flow>| Some(row.record.end_ts)), "Time of the last packet.")
            .required()
            .layout(Layout::Delta),
        Column::new(
            "service",
            Value::text(|row: &Row<Flow>| row.record.service),
            "Protocols confirmed by their content, not their port, sorted and comma-joined; null where none was recognised.",
        ),
        Column::new(
            "conn_state",
            Value::symbol(|row: &Row<Flow>| Some(row.record.conn_state as u16), symbols::conn_state),
            "State of the flow by Zeek's rule: `S0 S1 SF REJ S2 S3 RSTO RSTR RSTOS0 RSTRH SH SHR OTH`.",
        )
        .required(),
        Column::new(
            "history",
            Value::text(|row: &Row<Flow>| row.record.history),
            "State history in Zeek's letters and by its repeat rules; upper case is the originator.",
        ),
        count(
            "src_bytes",
            |row: &Row<Flow>| Some(row.record.bytes[0]),
            "Payload bytes of the originator; for TCP by sequence numbers, as Zeek counts.",
        ),
        count(
            "dst_bytes",
            |row: &Row<Flow>| Some(row.record.bytes[1]),
            "Payload bytes of the responder; for TCP by sequence numbers, as Zeek counts.",
        ),
        count("src_packets", |row: &Row<Flow>| Some(row.record.packets[0]), "Packets of the originator."),
        count("dst_packets", |row: &Row<Flow>| Some(row.record.packets[1]), "Packets of the responder."),
        count(
            "src_ip_bytes",
            |row: &Row<Flow>| Some(row.record.ip_bytes[0]),
            "Bytes of the originator at the IP level, by the length in the IP header.",
        ),
        count(
            "dst_ip_bytes",
            |row: &Row<Flow>| Some(row.record.ip_bytes[1]),
            "Bytes of the responder at the IP level, by the length in the IP header.",
        ),
        count("missed_bytes", |row: &Row<Flow>| Some(row.record.missed_bytes), "Bytes in content gaps."),
        Column::new(
            "src_flags",
            Value::symbol(|row: &Row<Flow>| flags(row, row.record.flags[0]), symbols::tcp_flags),
            "TCP flags seen from the originator, as letters of `SFRPAUEC`; null where the transport is not TCP.",
        ),
        Column::new(
            "dst_flags",
            Value::symbol(|row: &Row<Flow>| flags(row, row.record.flags[1]), symbols::tcp_flags),
            "TCP flags seen from the responder, as letters of `SFRPAUEC`; null where the transport is not TCP.",
        ),
        Column::new("src_mac", Value::mac(|row: &Row<Flow>| row.record.mac[0]), "Hardware address of the originator."),
        Column::new("dst_mac", Value::mac(|row: &Row<Flow>| row.record.mac[1]), "Hardware address of the responder."),
        Column::new("vlan", Value::int32(|row: &Row<Flow>| row.record.vlan.map(i32::from)), "VLAN id (the outer one)."),
        Column::new("inner_vlan", Value::int32(|row: &Row<Flow>| row.record.inner_vlan.map(i32::from)), "Inner VLAN id (QinQ)."),
        Column::texts(
            "tunnels",
            |row: &Row<Flow>| row.record.tunnels,
            "Encapsulations, outermost first: `vxlan:42`, `gre`, `mpls:17`, `geneve:7`.",
        ),
        Column::new(
            "handshake_rtt",
            Value::seconds(|row: &Row<Flow>| row.record.handshake_rtt),
            "Seconds between SYN and SYN+ACK.",
        )
        .layout(Layout::Unique),
        Column::new(
            "ip_protocol",
            Value::int32(|row: &Row<Flow>| row.envelope.has_endpoints.then_some(row.envelope.protocol.into())),
            "IP protocol number.",
        ),
        Column::new(
            "icmp_type",
            Value::int32(|row: &Row<Flow>| row.record.icmp.map(|(icmp_type, _)| icmp_type.into())),
            "ICMP type of the flow's first packet.",
        ),
        Column::new(
            "icmp_code",
            Value::int32(|row: &Row<Flow>| row.record.icmp.map(|(_, code)| code.into())),
            "ICMP code of the flow's first packet.",
        ),
        count(
            "duplicate_packets",
            |row: &Row<Flow>| Some(row.record.duplicate_packets),
            "Second copies of a packet (the same bytes from the IP header on, hop limit apart, within 1 ms), left out of \
             all other counts.",
        ),
        Column::new(
            "end_reason",
            Value::symbol(|row: &Row<Flow>| row.record.end_reason.map(|reason| reason as u16), symbols::end_reason),
            "Why the flow ended: `closed`, `reset`, `timeout`, `evicted`, `shutdown`; null while it lives on.",
        ),
    ]
}

/// TCP flags of a TCP flow.
fn flags(row: &Row<Flow>, flags: u8) -> Option<u16> {
    (row.envelope.protocol == 6).then_some(flags.into())
}
