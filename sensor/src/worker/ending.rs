//! Flows that end: each when its time is over, all that are left at the end of the input.

use parsers::entities::Entities;
use schemas::anomaly::AnomalyName;
use schemas::envelope::Nanoseconds;
use schemas::flows::EndReason;

use super::{Worker, budget_of};
use crate::anomalies;
use crate::flow::session;
use crate::flow::wheel::Scheduled;
use crate::flow::{Flow, Identification, Shared, TransportState};
use crate::work::FinalSlice;

/// Flows whose memory is asked for together.
const TOGETHER: usize = 32;

impl Worker {
    /// Ends what is over at `now`.
    pub(super) fn tick(&mut self, now: Nanoseconds) {
        if now < self.now {
            self.wheel.restart(now);
            let mut all: Vec<_> = self.flows.iter().map(|(index, flow)| (flow.beginning(), index)).collect();
            all.sort_unstable();
            for (_, index) in all {
                self.look_again(index, now);
            }
        }
        self.now = now;
        while let Some((bucket, list)) = self.wheel.due(now) {
            for some in list.chunks(TOGETHER) {
                self.flows.prefetch_all(some.iter().map(|entry| entry.index), Flow::prefetch_state);
                for entry in some {
                    let is_current = self
                        .flows
                        .flow_of(entry.index, entry.generation)
                        .is_some_and(|flow| flow.bucket == bucket);
                    if is_current {
                        self.look_again(entry.index, now);
                    }
                }
            }
            self.wheel.recycle(bucket, list);
        }
        for entities in self.entities.iter_mut().filter(|entities| !entities.is_empty()) {
            entities.expire(now, &mut self.records);
        }
        self.statistics_at(now);
    }

    /// Ends a flow whose time is over, shows one that lives on, and puts it into the wheel again.
    fn look_again(&mut self, index: u32, now: Nanoseconds) {
        let interval = self.settings.flow_interval;
        let Some(flow) = self.flows.flow_mut(index) else { return };
        let shard = flow.shard;
        let deadline = flow.deadline(&self.settings.timeouts);
        if deadline <= now {
            let reason = flow.ended().unwrap_or(EndReason::Timeout);
            self.end(index, reason);
            return;
        }
        flow.show_open(&mut self.records, now, interval);
        let budget = budget_of(shard, &self.budgets);
        if flow.has_session()
            && let Some([_, budget]) = self.budgets.get_mut(budget)
        {
            let mut is_over = false;
            let mut envelope = flow.envelope();
            flow.with_context(
                &mut envelope,
                &mut self.records,
                &self.settings.sessions,
                Shared {
                    entities: self.entities.get_mut(usize::from(shard)),
                    transfers: self.transfers.get_mut(usize::from(shard)),
                    certificates: &mut self.certificates,
                },
                (now, 0),
                |state, cx| match state {
                    TransportState::Tcp(tcp) => {
                        if let Some(stream) = &mut tcp.stream {
                            stream.expire(cx);
                        }
                    }
                    TransportState::Datagrams(reader) => {
                        is_over |= !session::work(reader, budget, cx, |session, cx| {
                            session.expire(cx);
                            true
                        });
                    }
                    TransportState::Other | TransportState::Attempt(_) => {}
                },
            );
            if is_over {
                flow.identification = Identification::Over;
            }
        }
        let deadline = deadline.min(flow.next_interval(interval));
        self.schedule(index, deadline, now);
    }

    pub(super) fn schedule(&mut self, index: u32, deadline: Nanoseconds, now: Nanoseconds) {
        let generation = self.flows.generation(index);
        let bucket = self.wheel.schedule(Scheduled { index, generation }, deadline, now);
        if let Some(flow) = self.flows.flow_mut(index) {
            flow.bucket = bucket;
        }
    }

    /// Writes a flow's rows and forgets it.
    pub(super) fn end(&mut self, index: u32, reason: EndReason) {
        let Some(shard) = self.flows.flow(index).map(|flow| flow.shard) else { return };
        let Some(mut flow) = self.flows.remove(index, shard) else { return };
        let budget = budget_of(shard, &self.budgets);
        let Some([reassembly, sessions]) = self.budgets.get_mut(budget) else { return };
        let (last, packet) = (flow.last, flow.packet);
        // One for all its rows, so that the identifiers are computed once.
        let mut envelope = flow.envelope();
        flow.with_context(
            &mut envelope,
            &mut self.records,
            &self.settings.sessions,
            Shared {
                entities: self.entities.get_mut(usize::from(shard)),
                transfers: self.transfers.get_mut(usize::from(shard)),
                certificates: &mut self.certificates,
            },
            (last, packet),
            |state, cx| match state {
                TransportState::Tcp(tcp) => {
                    cx.end = Some(reason);
                    tcp.finish([reassembly, sessions], cx);
                }
                TransportState::Datagrams(reader) => {
                    session::work(reader, sessions, cx, |_, _| false);
                }
                TransportState::Other | TransportState::Attempt(_) => {}
            },
        );
        if flow.is_tagged_on_one_side() {
            flow.anomalies.note(AnomalyName::VlanOneSided, None, "", flow.ts, flow.packet);
        }
        flow.emit(&mut envelope, &mut self.records.flows, None, Some(reason));
        let entities = self.entities.get_mut(usize::from(shard)).map_or(0, Entities::take_shed);
        self.counters.shed_bytes += reassembly.take_shed() + sessions.take_shed() + entities;
        for entry in flow.anomalies.entries() {
            *self.counters.anomalies.entry(entry.name).or_default() += entry.occurrences.unsigned_abs();
        }
        anomalies::emit(&envelope, &flow.anomalies, &mut self.records.anomaly);
    }

    /// The input is at its end: ends a slice of the flows that are left. In which slice a flow is does not depend on the
    /// other flows of this worker. With the last one it writes the last statistics.
    pub(super) fn end_slice(&mut self, slice: FinalSlice, (first, last): (Nanoseconds, Nanoseconds)) {
        if slice.number == 0 {
            self.finish_transfers();
            self.flows.drain();
            self.remaining = vec![Vec::new(); slice.of];
            let width = (last.saturating_sub(first) / slice.of as i64).max(1);
            for (index, flow) in self.flows.iter() {
                let number = flow.ts.saturating_sub(first) / width;
                let number = usize::try_from(number).unwrap_or(0).min(slice.of - 1);
                self.remaining[number].push(index);
            }
            for indices in &mut self.remaining {
                // What flows leave to one another must not depend on where they lie in the table.
                indices.sort_by_cached_key(|index| self.flows.flow_mut(*index).map(|flow| flow.beginning()));
            }
        }
        let remaining = self.remaining.get_mut(slice.number).map(std::mem::take).unwrap_or_default();
        for some in remaining.chunks(TOGETHER) {
            self.flows.prefetch_all(some.iter().copied(), Flow::prefetch_state);
            for &index in some {
                let Some(flow) = self.flows.flow_mut(index) else { continue };
                let silent = flow.deadline(&self.settings.timeouts) <= self.now;
                let otherwise = if silent { EndReason::Timeout } else { EndReason::Shutdown };
                let reason = flow.ended().unwrap_or(otherwise);
                self.end(index, reason);
            }
        }
        if slice.is_last() {
            for entities in &mut self.entities {
                entities.close(&mut self.records);
                self.counters.shed_bytes += entities.take_shed();
            }
            self.statistics(self.now);
        }
    }
}
