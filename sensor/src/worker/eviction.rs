//! Which flow goes when a shard is full.

use schemas::envelope::Nanoseconds;
use schemas::flows::EndReason;
use smallvec::SmallVec;

use super::Worker;
use super::settings::Bound;
use crate::flow::Flow;
use crate::flow::table::Queued;

/// Of this many oldest flows of a full shard the one goes that matters least.
const FEW: usize = 8;

/// Flows that go at once, of a cap of many: what is looked at lies anywhere in memory, and to wait for much of it together
/// takes hardly longer than to wait for a little. Up to so many places of a cap stay free, one in [`CAP_FOR_EACH`].
const MOST_AT_ONCE: usize = 32;
const CAP_FOR_EACH: usize = 256;

impl Worker {
    /// Makes room for a flow of a shard, where there is none.
    #[inline]
    pub(super) fn make_room(&mut self, shard: u8, now: Nanoseconds) {
        match self.settings.bound {
            Bound::FlowsOfShard(most) if self.flows.shard_flows(shard) >= most => {
                self.evict(shard, most, now);
            }
            Bound::Flows(most) if self.flows.len() >= most => {
                self.evict(self.flows.fullest_shard(), most, now);
            }
            _ => {}
        }
    }

    /// Makes room in a shard. Its oldest flows are looked at one after the other: one goes that is over or was never
    /// answered, and where there are none among a few, of these the one that matters least. Those that stay become the
    /// youngest.
    #[cold]
    fn evict(&mut self, shard: u8, cap: usize, now: Nanoseconds) {
        let wanted = (cap / CAP_FOR_EACH).clamp(1, MOST_AT_ONCE);
        let mut victims = SmallVec::<[u32; MOST_AT_ONCE]>::new();
        let mut few = SmallVec::<[Queued; FEW]>::new();
        while victims.len() < wanted {
            // Any of them may go, so there are never too many.
            let oldest = self.flows.oldest(shard, wanted - victims.len());
            if oldest.is_empty() {
                break;
            }
            self.flows.prefetch_all(oldest.iter().map(|queued| queued.index), Flow::prefetch_state);
            for &queued in &oldest {
                few.push(queued);
                if few.len() == FEW || self.flows.flow(queued.index).is_none_or(Flow::is_dispensable) {
                    victims.extend(self.least_of(shard, &mut few));
                }
            }
        }
        victims.extend(self.least_of(shard, &mut few));
        for victim in victims {
            self.make_way(victim, now);
        }
    }

    /// Empties a list of flows: returns the one that matters least, and spares the others.
    fn least_of(&mut self, shard: u8, few: &mut SmallVec<[Queued; FEW]>) -> Option<u32> {
        let victim = few.iter().map(|queued| queued.index).min_by_key(|index| {
            self.flows.flow(*index).map_or((u8::MAX, Nanoseconds::MAX), |flow| (flow.importance(), flow.last))
        });
        for queued in few.drain(..) {
            if Some(queued.index) != victim {
                self.flows.queue(shard, queued);
            }
        }
        victim
    }

    /// Ends a flow before its time, unless that has come.
    fn make_way(&mut self, index: u32, now: Nanoseconds) {
        let Some(flow) = self.flows.flow_mut(index) else { return };
        if flow.deadline(&self.settings.timeouts) <= now {
            let reason = flow.ended().unwrap_or(EndReason::Timeout);
            self.end(index, reason);
        } else {
            self.counters.evicted += 1;
            self.end(index, EndReason::Evicted);
        }
    }
}
