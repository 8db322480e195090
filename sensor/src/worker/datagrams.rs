//! Datagrams of a flow: which protocol they are of, and the session that reads them.

use parsers::PROTOCOLS;
use parsers::context::Context;
use parsers::protocol::{self, Direction, Progress, Verdict};
use parsers::recognise;
use parsers::services::Services;
use parsers::stream::candidates;
use schemas::anomaly::AnomalyName;

use super::Worker;
use crate::flow::session;
use crate::flow::{Flow, Identification, TransportState};
use crate::work::Item;

/// Datagrams that no protocol recognised, after which a flow's are not looked at any more.
const UNRECOGNISED: u8 = 4;

/// The same where all that was recognised is known to make way for others.
const UNRECOGNISED_IN_FRONT: u8 = 32;

impl Worker {
    /// A UDP datagram.
    #[inline]
    pub(super) fn datagram(
        &mut self,
        index: u32,
        direction: Direction,
        item: &Item,
        bytes: &[u8],
    ) -> Option<u32> {
        let flow = self.flows.flow_mut(index)?;
        let layer = &item.layer;
        flow.count(direction, layer);
        flow.payload_bytes[direction.index()] += u64::from(layer.payload_length);
        flow.last = item.ts;
        flow.history.once(direction, crate::flow::history::Event::Data);
        if bytes.is_empty() {
            return Some(index);
        }
        if flow.identification == Identification::Over {
            return Some(index);
        }
        let mut envelope = flow.envelope();
        let origin = flow.origin();
        let Flow { anomalies, services, state, identification, .. } = flow;
        let TransportState::Datagrams(reader) = state else { return Some(index) };
        let mut cx = Context {
            now: item.ts,
            packet: item.number,
            origin,
            certificates: Some(&mut self.certificates),
            resumes: reader.is_none() && matches!(identification, Identification::Protocol(_)),
            ..Context::new(&mut envelope, &mut self.records, anomalies, services, &self.settings.sessions)
        };
        if let Identification::Unrecognised(count) = *identification {
            *identification = match identify(direction, bytes, count == 0, &mut cx) {
                _ if self.settings.sessions.unread => Identification::Over,
                Some(protocol) => Identification::Protocol(protocol),
                None if count + 1 >= patience(cx.services) => Identification::Over,
                None => Identification::Unrecognised(count + 1),
            };
        }
        let Identification::Protocol(place) = *identification else {
            if cx.flip {
                flow.flip();
            }
            return Some(index);
        };
        let protocol = PROTOCOLS.get(usize::from(place))?;
        reader.get_or_insert_with(|| protocol.session());
        let budget = super::budget_of(item.place.shard, &self.budgets);
        let [_, budget] = self.budgets.get_mut(budget)?;
        let goes_on = session::work(reader, budget, &mut cx, |session, cx| {
            match session.data(direction, bytes, cx) {
                Ok(Progress::Took(_) | Progress::Need(_)) => true,
                Ok(Progress::Done | Progress::Handover) => false,
                Err(protocol::Malformed(field)) => {
                    // A broken datagram costs only itself.
                    cx.anomaly(AnomalyName::ProtocolMalformed, Some(protocol.name()), field);
                    true
                }
            }
        });
        if !goes_on {
            *identification = Identification::Over;
        }
        if cx.flip {
            flow.flip();
        }
        Some(index)
    }
}

/// How many datagrams may be of nothing that a session reads.
fn patience(services: &Services) -> u8 {
    if services.make_way() { UNRECOGNISED_IN_FRONT } else { UNRECOGNISED }
}

/// Finds the protocol of a datagram: its place in [`PROTOCOLS`]. `first`: the flow has shown nothing before it.
fn identify(direction: Direction, bytes: &[u8], first: bool, cx: &mut Context<'_>) -> Option<u8> {
    let ports = (cx.flow.src_port, cx.flow.dst_port);
    for (place, protocol, hinted) in candidates(protocol::Transport::Udp, ports) {
        if protocol.probe(direction, bytes, hinted) == Verdict::Yes {
            cx.services.confirm(protocol.name());
            return u8::try_from(place).ok();
        }
    }
    if cx.services.is_empty() {
        cx.services.recognise(protocol::Transport::Udp, direction, ports, bytes);
        let known = cx.services.names().next();
        // A flow that begins with an answer was seen from its middle on.
        cx.flip |= first
            && direction == Direction::ToResponder
            && known.is_some_and(|name| recognise::is_answer(name, bytes));
    }
    None
}
