//! `flows` and `flows_open`: one row for each flow, when it ends; and what lives on, at each interval.

use crate::arena::{List, Text};
use crate::envelope::Nanoseconds;

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
