//! Which flow goes when a shard is full.

use schemas::envelope::Nanoseconds;
use schemas::flows::EndReason;

use super::Worker;
use super::settings::Bound;

/// Of this many oldest flows of a full shard the one goes that matters least.
const VICTIMS: usize = 8;

impl Worker {
    /// Makes room for a flow of a shard, where there is none.
    #[inline]
    pub(super) fn make_room(&mut self, shard: u8, now: Nanoseconds) {
        match self.settings.bound {
            Bound::FlowsOfShard(most) if self.flows.shard_flows(shard) >= most => self.evict(shard, now),
            Bound::Flows(most) if self.flows.len() >= most => self.evict(self.flows.fullest_shard(), now),
            _ => {}
        }
    }

    /// Makes room in a shard: of its oldest flows the one goes that matters least, the rest become its youngest.
    #[cold]
    fn evict(&mut self, shard: u8, now: Nanoseconds) {
        let oldest: Vec<u32> = self.flows.oldest(shard, VICTIMS).collect();
        let victim = oldest.iter().copied().min_by_key(|index| {
            self.flows
                .flow_mut(*index)
                .map_or((u8::MAX, Nanoseconds::MAX), |flow| (flow.importance(), flow.last))
        });
        let Some(victim) = victim else { return };
        for index in oldest {
            if index != victim {
                self.flows.spare(index);
            }
        }
        let over =
            self.flows.flow_mut(victim).is_some_and(|flow| flow.deadline(&self.settings.timeouts) <= now);
        if over {
            let reason =
                self.flows.flow_mut(victim).and_then(|flow| flow.ended()).unwrap_or(EndReason::Timeout);
            self.end(victim, reason);
        } else {
            self.counters.evicted += 1;
            self.end(victim, EndReason::Evicted);
        }
    }
}
