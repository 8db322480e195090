//! What a segment does wrong, judged before it changes anything. The counts and states stay as Zeek has them.

use parsers::protocol::Direction;
use schemas::anomaly::AnomalyName;

use super::super::endpoint::{Endpoint, State, TOO_LARGE_JUMP, distance};
use super::{Oddities, Segment, Tcp, flags};

/// A hop limit this low may run out on the way.
const LOW_HOP_LIMIT: u8 = 32;

/// How far it must be below that of the flow's other packets.
const HOP_LIMIT_DROP: u8 = 16;

impl Tcp {
    /// Judges a segment. `underflow`: its sequence number lies before the start of the flow.
    pub(super) fn look_for_oddities(
        &mut self,
        direction: Direction,
        segment: &Segment<'_>,
        underflow: bool,
        oddities: &mut Oddities,
    ) {
        let (syn, fin, rst) = (segment.has(flags::SYN), segment.has(flags::FIN), segment.has(flags::RST));
        oddities.note_if(syn && (fin || rst), AnomalyName::TcpSynWithFlags);
        oddities.note_if(fin && rst, AnomalyName::TcpFinWithReset);
        oddities.note_if(syn && segment.payload_length > 0, AnomalyName::TcpDataOnSyn);
        let urgent = segment.has(flags::URG) && segment.urgent > 0 && segment.payload_length > 0;
        oddities.note_if(urgent, AnomalyName::TcpUrgent);
        let (endpoint, peer) = self.both_mut(direction);
        oddities.note_if(has_low_hop_limit(endpoint, segment), AnomalyName::TcpLowHopLimit);
        endpoint.hop_limit = endpoint.hop_limit.max(segment.hop_limit);
        if syn {
            endpoint.has_timestamp = false;
        }
        if is_stale(endpoint, segment) {
            oddities.note(AnomalyName::TcpPaws);
        } else {
            note_timestamp(endpoint, segment);
        }
        if syn || !peer.has_window || endpoint.state == State::Inactive {
            return;
        }
        // What a receiver has room for: from its last acknowledgement to the edge of the widest window it offered.
        let low = endpoint.acknowledged();
        let above_edge = distance(segment.sequence, peer.window_edge);
        if rst {
            let outside = underflow || distance(segment.sequence, low) < 0 || above_edge > 0;
            oddities.note_if(outside, AnomalyName::TcpResetOutOfWindow);
        } else if fin {
            let end = segment.sequence.wrapping_add(segment.sequence_length());
            let stale = endpoint.fin.is_none() && distance(end, low) <= 0;
            oddities.note_if(underflow || stale || above_edge > 0, AnomalyName::TcpFinOutOfWindow);
        } else if segment.payload_length > 0 {
            oddities.note_if(above_edge > TOO_LARGE_JUMP, AnomalyName::TcpSequenceJump);
        }
    }
}

/// Whether a segment's hop limit is low, though those of others were not.
pub(super) fn has_low_hop_limit(endpoint: &Endpoint, segment: &Segment<'_>) -> bool {
    let hop_limit = segment.hop_limit;
    hop_limit < LOW_HOP_LIMIT && hop_limit.saturating_add(HOP_LIMIT_DROP) < endpoint.hop_limit
}

/// Protection against wrapped sequence numbers, as a receiver does it (RFC 7323, 5.3): whether the time stamp is an old one.
pub(super) fn is_stale(endpoint: &Endpoint, segment: &Segment<'_>) -> bool {
    segment.timestamps.is_some_and(|(value, _)| {
        endpoint.has_timestamp && !segment.has(flags::RST) && distance(value, endpoint.timestamp) < 0
    })
}

/// Keeps a time stamp that is not an old one.
pub(super) fn note_timestamp(endpoint: &mut Endpoint, segment: &Segment<'_>) {
    let Some((value, _)) = segment.timestamps else { return };
    // Only a segment that the receiver has been waiting for moves the time stamp on.
    let expected = distance(segment.sequence, endpoint.acknowledged()) <= 0;
    if !endpoint.has_timestamp || expected {
        endpoint.timestamp = value;
        endpoint.has_timestamp = true;
    }
}
