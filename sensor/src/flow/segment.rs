//! A TCP segment as the flow sees it, and what may be odd about one.

use schemas::anomaly::AnomalyName;
use schemas::envelope::Nanoseconds;

/// The flags of the TCP header (RFC 9293, 3.1).
pub mod flags {
    /// No more data from the sender.
    pub const FIN: u8 = 1;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 2;
    /// Reset the connection.
    pub const RST: u8 = 4;
    /// The acknowledgement is valid.
    pub const ACK: u8 = 16;
    /// The urgent pointer is valid.
    pub const URG: u8 = 32;
    /// Of ECN: the sender was told of congestion, or speaks ECN (RFC 3168, 6.1).
    pub const ECE: u8 = 64;
    /// Of ECN: the sender has slowed down.
    pub const CWR: u8 = 128;
}

/// A segment. Plain data; `payload` may be shorter than `payload_length` where the capture cut it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Segment<'a> {
    /// Time of the packet.
    pub ts: Nanoseconds,
    /// Sequence number.
    pub sequence: u32,
    /// Acknowledgement number.
    pub acknowledgement: u32,
    /// Flags, as the bits of the header.
    pub flags: u8,
    /// Window, not scaled.
    pub window: u16,
    /// Urgent pointer.
    pub urgent: u16,
    /// The window scale option.
    pub window_scale: Option<u8>,
    /// The time stamps option: value and echo reply.
    pub timestamps: Option<(u32, u32)>,
    /// Hop limit of the packet.
    pub hop_limit: u8,
    /// Bytes of payload by the IP header.
    pub payload_length: u32,
    /// Those that were captured.
    pub payload: &'a [u8],
}

impl<'a> Segment<'a> {
    /// Of a decoded packet and its payload, as far as that was captured.
    #[inline]
    pub fn new(layer: &parsers::packet::Layer, ts: Nanoseconds, payload: &'a [u8]) -> Self {
        Self {
            ts,
            sequence: layer.seq,
            acknowledgement: layer.ack,
            flags: layer.flags,
            window: layer.window,
            urgent: layer.urgent,
            window_scale: layer.window_scale,
            timestamps: layer.timestamps,
            hop_limit: layer.hop_limit,
            payload_length: layer.payload_length,
            payload,
        }
    }
}

impl Segment<'_> {
    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// What it takes of the sequence space. The payload of a RST is not part of the stream.
    pub(super) fn sequence_length(&self) -> u32 {
        let payload = if self.has(flags::RST) { 0 } else { self.payload_length };
        payload.wrapping_add(u32::from(self.has(flags::SYN))).wrapping_add(u32::from(self.has(flags::FIN)))
    }
}

/// What was odd about a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Oddities(u16);

/// The oddities by bit.
const ODDITIES: [AnomalyName; 14] = [
    AnomalyName::TcpOverlapConflict,
    AnomalyName::TcpResetOutOfWindow,
    AnomalyName::TcpFinOutOfWindow,
    AnomalyName::TcpDataOnSyn,
    AnomalyName::TcpUrgent,
    AnomalyName::TcpPaws,
    AnomalyName::TcpLowHopLimit,
    AnomalyName::TcpSynWithFlags,
    AnomalyName::TcpFinWithReset,
    AnomalyName::TcpSequenceJump,
    AnomalyName::TcpOriginatorSynAck,
    AnomalyName::TcpAckUnseen,
    AnomalyName::StreamShed,
    AnomalyName::TransportMalformed,
];

impl Oddities {
    /// Whether there is none, as with nearly all segments.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Their names.
    pub fn names(self) -> impl Iterator<Item = AnomalyName> {
        ODDITIES
            .into_iter()
            .enumerate()
            .filter_map(move |(bit, name)| (self.0 & (1 << bit) != 0).then_some(name))
    }

    pub(super) fn note(&mut self, name: AnomalyName) {
        if let Some(bit) = ODDITIES.iter().position(|known| *known == name) {
            self.0 |= 1 << bit;
        }
    }

    pub(super) fn note_if(&mut self, odd: bool, name: AnomalyName) {
        if odd {
            self.note(name);
        }
    }
}
