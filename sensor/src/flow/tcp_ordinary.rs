//! The segment that nearly all are: of an established flow, next in order or without payload, acknowledging what was seen.
//!
//! What [`Tcp::segment`] does about it is little, but it takes long to find out that there is nothing else to do. Here that
//! is asked first. Whatever does not fit is left to the rules, untouched.

use parsers::protocol::Direction;

use super::super::budget::Budget;
use super::super::endpoint::{State, TOO_LARGE_JUMP, distance};
use super::super::history::{Event, History};
use super::super::reassembly::Situation;
use super::oddities::{has_low_hop_limit, is_stale, note_timestamp};
use super::{Mark, Segment, Tcp, flags};

impl Tcp {
    /// Takes an ordinary segment that carries nothing or whose bytes nobody wants, as [`Tcp::segment`] would: nothing is
    /// odd about it, nothing is delivered, no state changes, and it counts for the duration. Else says no, and has done
    /// nothing.
    #[inline]
    pub fn ordinary(
        &mut self,
        direction: Direction,
        segment: &Segment<'_>,
        history: &mut History,
        budget: &mut Budget,
    ) -> bool {
        const DECISIVE: u8 = flags::FIN | flags::SYN | flags::RST | flags::ACK | flags::URG;
        if segment.flags & DECISIVE != flags::ACK
            || segment.window == 0
            || segment.acknowledgement == 0
            || self.seen != [true; 2]
            || self.mark_kind == Mark::Closed
        {
            return false;
        }
        let (endpoint, peer) = self.both_mut(direction);
        let (state, other) = (endpoint.state, peer.state);
        if (state, other) != (State::Established, State::Established)
            || endpoint.did_close
            || peer.did_close
            || endpoint.fin.is_some()
            || peer.fin.is_some()
        {
            return false;
        }
        let length = segment.payload_length;
        let position = endpoint.position(segment.sequence);
        let acknowledged = peer.acknowledged_position(segment.acknowledgement);
        if position.underflow || acknowledged.underflow {
            return false;
        }
        let end = position.relative.saturating_add(u64::from(length));
        let ahead = distance(segment.sequence, endpoint.last());
        // A segment that the capture cut short is counted by its sequence number alone.
        let is_whole = segment.payload.len() >= length as usize;
        let fits = if length == 0 {
            ahead <= 0
        } else {
            ahead == 0
                && length.cast_signed() > 0
                && !endpoint.reassembler.wants_content()
                && !(peer.has_window && distance(segment.sequence, peer.window_edge) > TOO_LARGE_JUMP)
                && !(is_whole
                    && (endpoint.nothing_acknowledged()
                        || !endpoint.reassembler.is_next(position.relative, end)))
        };
        if !fits
            || !peer.reassembler.has_delivered(acknowledged.relative)
            || has_low_hop_limit(endpoint, segment)
            || is_stale(endpoint, segment)
        {
            return false;
        }

        endpoint.flags |= segment.flags;
        endpoint.hop_limit = endpoint.hop_limit.max(segment.hop_limit);
        note_timestamp(endpoint, segment);
        endpoint.note_edge(segment.acknowledgement, u32::from(segment.window) << endpoint.window_scale);
        history.once(direction, if length > 0 { Event::Data } else { Event::Ack });
        if distance(segment.acknowledgement, peer.acknowledged()) > 0 {
            peer.update_acknowledged(segment.acknowledgement);
        }
        peer.reassembler.acknowledged(acknowledged.relative, Situation::default(), budget, &mut |_| {});
        if length > 0 {
            endpoint.update_last(segment.sequence.wrapping_add(length));
            if is_whole {
                endpoint.reassembler.count_next(end);
            }
        }
        self.last = segment.ts;
        true
    }
}

#[cfg(test)]
#[path = "tcp_ordinary_tests.rs"]
mod tests;
