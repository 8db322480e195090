//! Which flow goes when a shard is full.

use schemas::envelope::Nanoseconds;
use schemas::flows::EndReason;

use super::Worker;
use super::settings::Bound;
use crate::flow::Flow;

/// Of this many oldest flows of a full shard the one goes that matters least.
const VICTIMS: usize = 8;

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

    /// Makes room in a shard: of each few of its oldest flows the one goes that matters least, the rest become its youngest.
    #[cold]
    fn evict(&mut self, shard: u8, cap: usize, now: Nanoseconds) {
        let at_once = (cap / CAP_FOR_EACH).clamp(1, MOST_AT_ONCE);
        let oldest = self.flows.oldest(shard, VICTIMS * at_once);
        self.flows.warm_at(oldest.iter().copied(), Flow::warm, Flow::warm_state);
        for few in oldest.chunks(VICTIMS) {
            let victim = few.iter().copied().min_by_key(|index| {
                self.flows
                    .flow_mut(*index)
                    .map_or((u8::MAX, Nanoseconds::MAX), |flow| (flow.importance(), flow.last))
            });
            for &index in few {
                if Some(index) != victim {
                    self.flows.spare(index);
                }
            }
            if let Some(victim) = victim {
                self.make_way(victim, now);
            }
        }
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
