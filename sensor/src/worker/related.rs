//! Flows that belong together: one announces another, and says what that will carry.

use parsers::context::Context;
use parsers::identity;
use parsers::transfers::{Begun, DATA, Handle};
use schemas::envelope::Nanoseconds;
use schemas::flows::EndReason;

use super::Worker;
use crate::flow::budget::Budget;
use crate::flow::segment::flags;
use crate::flow::{Shared, TcpFlow, TransportState};
use crate::front::Sighting;
use crate::work::Item;

impl Worker {
    /// A flow of TCP has begun: it may be one that was announced.
    #[inline]
    pub(super) fn relate(&mut self, index: u32, item: &Item) {
        let shard = usize::from(item.place.shard);
        if self.transfers.get(shard).is_some_and(|transfers| !transfers.is_empty()) {
            self.relate_to(shard, index, item);
        }
    }

    #[cold]
    fn relate_to(&mut self, shard: usize, index: u32, item: &Item) {
        let handle = self.handle(index);
        let (Some(transfers), Some(flow)) = (self.transfers.get_mut(shard), self.flows.flow_mut(index))
        else {
            return;
        };
        flow.look_at_attempt();
        let origin = flow.origin();
        let mut envelope = flow.envelope();
        identity::complete(&mut envelope, &origin);
        let has_roles = item.layer.flags & flags::SYN != 0;
        match transfers.begins(&envelope, origin.context, has_roles, handle) {
            Begun::Other => {}
            Begun::Candidate => {
                if let TransportState::Tcp(tcp) = &mut flow.state {
                    tcp.stream.get_or_insert_default().await_claim();
                }
            }
            Begun::Announced(ticket) => {
                self.with_tcp(shard, handle, (item.ts, item.number), |tcp, cx, [_, budget]| {
                    let stream = tcp.stream.get_or_insert_default();
                    stream.claim(&DATA, DATA.announced(ticket), cx, budget)
                });
            }
        }
    }

    /// Flows that had begun when they were announced are read from their beginning.
    #[inline]
    pub(super) fn claim(&mut self, shard: u8, item: &Item) {
        let transfers = self.transfers.get(usize::from(shard));
        if transfers.is_some_and(|transfers| transfers.has_claims()) {
            self.claim_all(usize::from(shard), (item.ts, item.number));
        }
    }

    #[cold]
    fn claim_all(&mut self, shard: usize, now: (Nanoseconds, u64)) {
        let claims = self.transfers.get_mut(shard).map(|transfers| transfers.take_claims());
        for (handle, ticket) in claims.into_iter().flatten() {
            let is_whole = self.with_tcp(shard, handle, now, |tcp, cx, [_, budget]| {
                let stream = tcp.stream.get_or_insert_default();
                tcp.content && stream.claim(&DATA, DATA.announced(ticket), cx, budget)
            });
            if is_whole != Some(true)
                && let Some(transfers) = self.transfers.get_mut(shard)
            {
                transfers.is_late(ticket);
            }
        }
    }

    /// A connection was made that is waited for here and followed elsewhere.
    pub(super) fn sighted(&mut self, sighting: &Sighting) {
        if let Some(transfers) = self.transfers.get_mut(usize::from(sighting.shard)) {
            transfers.sighted(sighting.listener, sighting.uid);
        }
    }

    /// The input is at its end. What data connections carried is known before those that announced them write their rows.
    pub(super) fn finish_transfers(&mut self) {
        for shard in 0..self.transfers.len() {
            let flows = self.transfers.get(shard).map(|transfers| transfers.flows()).unwrap_or_default();
            for handle in flows {
                let Some(flow) = self.flows.flow_mut(parts(handle).0) else { continue };
                let reason = flow.ended().unwrap_or(EndReason::Shutdown);
                let last = (flow.last, flow.packet);
                self.with_tcp(shard, handle, last, |tcp, cx, budgets| {
                    cx.end = Some(reason);
                    tcp.finish(budgets, cx);
                    tcp.stream = None;
                    tcp.content = false;
                });
            }
        }
    }

    /// Does something with a TCP flow, its way out to the rows, and the budgets of its shard: of segments out of order, and
    /// of sessions. None where the flow is gone.
    fn with_tcp<T>(
        &mut self,
        shard: usize,
        handle: Handle,
        now: (Nanoseconds, u64),
        work: impl FnOnce(&mut TcpFlow, &mut Context<'_>, [&mut Budget; 2]) -> T,
    ) -> Option<T> {
        let (index, generation) = parts(handle);
        let flow = self.flows.flow_of(index, generation)?;
        let budget = super::budget_of(shard as u8, &self.budgets);
        let [reassembly, sessions] = self.budgets.get_mut(budget)?;
        let shared = Shared {
            entities: self.entities.get_mut(shard),
            transfers: self.transfers.get_mut(shard),
            certificates: &mut self.certificates,
        };
        flow.look_at_attempt();
        let mut envelope = flow.envelope();
        flow.with_context(
            &mut envelope,
            &mut self.records,
            &self.settings.sessions,
            shared,
            now,
            |state, cx| match state {
                TransportState::Tcp(tcp) => Some(work(tcp, cx, [reassembly, sessions])),
                _ => None,
            },
        )
    }

    /// A name for the flow at a place, for as long as it lives.
    fn handle(&self, index: u32) -> Handle {
        u64::from(self.flows.generation(index)) << 32 | u64::from(index)
    }
}

/// The place and the generation of a flow.
fn parts(handle: Handle) -> (u32, u32) {
    (handle as u32, (handle >> 32) as u32)
}
