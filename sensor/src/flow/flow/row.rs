//! The rows of a flow: of one that is over, and of one that lives on.

use parsers::identity;
use schemas::arena::{List, Text};
use schemas::batch::{Batch, Records};
use schemas::envelope::{Envelope, Nanoseconds};
use schemas::flows::{ConnState, EndReason, Flow as Record};

use super::attempt::Attempt;
use super::{Flow, TransportState};
use crate::flow::conn_state;

impl Flow {
    /// When the next row in `flows_open` is due.
    pub fn next_interval(&self, interval: Nanoseconds) -> Nanoseconds {
        let intervals = self.rare.as_ref().map_or(0, |rare| rare.intervals);
        self.ts.saturating_add(interval.saturating_mul(i64::from(intervals) + 1))
    }

    /// Writes the row in `flows_open` that is due at `now`; an interval in which nothing was looked at has none.
    pub fn show_open(&mut self, records: &mut Records, now: Nanoseconds, interval: Nanoseconds) {
        if self.next_interval(interval) > now {
            return;
        }
        let intervals = self.rare.as_ref().map_or(0, |rare| rare.intervals);
        let sequence = Some(i32::try_from(intervals).unwrap_or(i32::MAX));
        self.emit(&mut self.envelope(), &mut records.flows_open, sequence, None);
        let passed = now.saturating_sub(self.ts) / interval.max(1);
        self.rare.get_or_insert_default().intervals = u32::try_from(passed).unwrap_or(u32::MAX);
    }

    /// The state by Zeek's rule.
    pub fn conn_state(&self) -> ConnState {
        match (&self.state, self.endpoints.protocol) {
            (TransportState::Tcp(flow), _) => {
                conn_state::tcp(flow.tcp.states(), flow.tcp.bytes(), self.history.as_str())
            }
            (TransportState::Datagrams(_), _) => conn_state::udp(self.packets().map(|packets| packets > 0)),
            (TransportState::Attempt(_), _) => Attempt::CONN_STATE,
            (TransportState::Other, _) => conn_state::other(),
        }
    }

    /// Writes the row. `envelope` is that of the flow.
    pub fn emit(
        &mut self,
        envelope: &mut Envelope,
        batch: &mut Batch<Record>,
        sequence: Option<i32>,
        end_reason: Option<EndReason>,
    ) {
        identity::complete(envelope, &self.origin());
        let (bytes, missed_bytes, flags, handshake_rtt) = match &self.state {
            TransportState::Tcp(flow) => {
                (flow.tcp.bytes(), flow.tcp.missed_bytes(), flow.tcp.flags(), flow.tcp.handshake_rtt())
            }
            TransportState::Attempt(attempt) => ([0; 2], 0, [attempt.flags(), 0], None),
            TransportState::Datagrams(_) | TransportState::Other => (self.payload_bytes, 0, [0; 2], None),
        };
        let packets = self.packets();
        let conn_state = self.conn_state();
        batch.push(*envelope, |arena| {
            let history = match self.history.as_str() {
                "" if matches!(self.state, TransportState::Attempt(_)) => arena.plain(Attempt::HISTORY),
                "" if self.endpoints.protocol != 6 && self.endpoints.protocol != 17 => Text::NULL,
                letters => arena.plain(letters),
            };
            let service = if self.services.is_empty() {
                Text::NULL
            } else {
                arena.text_with(|out| self.services.write(out))
            };
            let rare = self.rare.as_deref();
            let tunnels = rare.map_or(&[][..], |rare| &rare.tunnels);
            let tunnels = if tunnels.is_empty() {
                List::EMPTY
            } else {
                let texts: Vec<Text> =
                    tunnels.iter().map(|tunnel| arena.text_with(|out| tunnel.write(out))).collect();
                arena.texts(&texts)
            };
            Record {
                duration: (self.last - self.ts).max(0),
                end_ts: self.last,
                service,
                conn_state,
                history,
                bytes: bytes.map(u64::cast_signed),
                packets: packets.map(u64::cast_signed),
                ip_bytes: self.ip_bytes.map(u64::cast_signed),
                missed_bytes: missed_bytes.cast_signed(),
                flags,
                mac: [self.link.src_mac(), self.link.dst_mac()],
                vlan: self.link.vlan(),
                inner_vlan: self.link.inner_vlan(),
                tunnels,
                handshake_rtt,
                icmp: self.icmp,
                duplicate_packets: rare.map_or(0, |rare| rare.duplicates.into()),
                sequence,
                end_reason,
            }
        });
    }
}
