//! Finding the flow of a packet: a hash of small entries over a paged slab, and a queue of flows for each shard.
//!
//! Caps belong to shards (the same for any number of workers), so each shard knows its flows in the order of their
//! creation; a victim is found among the oldest.

use std::collections::VecDeque;

use hashbrown::HashTable;

/// Shards of a run, whatever the number of workers: the unit that caps and eviction order belong to.
pub const SHARDS: usize = 256;

/// Flows in a page: pages are allocated one by one and never moved.
const PAGE: usize = 1024;

/// No flow.
const NONE: u32 = u32::MAX;

/// Places of flows that are gone which a queue may hold besides one for each flow.
const STALE: usize = 64;

/// A place in the slab.
#[derive(Debug)]
struct Slot<F> {
    generation: u32,
    shard: u8,
    tag: u32,
    flow: Option<F>,
}

/// The flows of a shard.
#[derive(Clone, Debug, Default)]
struct Shard {
    /// Their places, oldest first. One whose flow is gone stays until it comes up, or there are too many of them: to take a
    /// flow out touches no other one.
    queue: VecDeque<Queued>,
    flows: u32,
}

/// A place, and the generation that it had.
#[derive(Clone, Copy, Debug)]
struct Queued {
    index: u32,
    generation: u32,
}

/// Half of a flow's hash, and where the flow is: what the hash table needs to grow without reading flows.
#[derive(Clone, Copy, Debug)]
struct Entry {
    tag: u32,
    index: u32,
}

/// The half of a hash that is kept.
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// A hash made of its half: the table takes buckets from the low bits and fingerprints from the high ones.
fn spread(tag: u32) -> u64 {
    u64::from(tag) << 32 | u64::from(tag)
}

/// The flows of a worker. The key of a flow is part of the flow itself.
#[derive(Debug)]
pub struct FlowTable<F> {
    entries: HashTable<Entry>,
    pages: Vec<Vec<Slot<F>>>,
    /// Flows in each page.
    used: Vec<u16>,
    /// No flow is put in any more: pages without flows are let go.
    drains: bool,
    free: Vec<u32>,
    shards: Vec<Shard>,
    length: usize,
}

impl<F> Default for FlowTable<F> {
    fn default() -> Self {
        Self {
            entries: HashTable::new(),
            pages: Vec::new(),
            used: Vec::new(),
            drains: false,
            free: Vec::new(),
            shards: vec![Shard::default(); SHARDS],
            length: 0,
        }
    }
}

impl<F> FlowTable<F> {
    /// The place of the flow that has this hash and `is_it`.
    #[inline]
    pub fn find(&self, hash: u64, is_it: impl Fn(&F) -> bool) -> Option<u32> {
        let tag = tag(hash);
        let is_it = |entry: &Entry| {
            entry.tag == tag && self.slot(entry.index).and_then(|slot| slot.flow.as_ref()).is_some_and(&is_it)
        };
        self.entries.find(spread(tag), is_it).map(|entry| entry.index)
    }

    /// Brings what [`FlowTable::find`] and its caller will read for these hashes near the processor: first all entries,
    /// then all flows, then what they point at, so that it waits for the memory of many at the same time. `read` and
    /// `read_behind` read of a flow what will be needed.
    #[inline]
    pub fn warm<const N: usize>(
        &self,
        hashes: &[u64; N],
        read: impl Fn(&F) -> u64,
        read_behind: impl Fn(&F) -> u64,
    ) {
        let entries = hashes.map(|hash| {
            let tag = tag(hash);
            self.entries.find(spread(tag), |entry| entry.tag == tag).map_or(NONE, |entry| entry.index)
        });
        self.warm_at(entries.into_iter(), read, read_behind);
    }

    /// The same for flows whose places are known.
    #[inline]
    pub fn warm_at(
        &self,
        places: impl Iterator<Item = u32> + Clone,
        read: impl Fn(&F) -> u64,
        read_behind: impl Fn(&F) -> u64,
    ) {
        let flow_at = |index| self.slot(index).and_then(|slot| slot.flow.as_ref());
        for index in places.clone() {
            std::hint::black_box(flow_at(index).map_or(0, &read));
        }
        for index in places {
            std::hint::black_box(flow_at(index).map_or(0, &read_behind));
        }
    }

    /// Puts a flow in; its key must not be there yet. Returns its place.
    pub fn insert(&mut self, hash: u64, shard: u8, flow: F) -> u32 {
        let tag = tag(hash);
        let index = self.free.pop().unwrap_or_else(|| self.grow());
        let generation = self.generation(index);
        if let Some(slot) = self.slot_mut(index) {
            *slot = Slot { generation, shard, tag, flow: Some(flow) };
        }
        self.queue(shard, Queued { index, generation });
        self.shards[usize::from(shard)].flows += 1;
        self.count(index, 1);
        self.entries.insert_unique(spread(tag), Entry { tag, index }, |entry| spread(entry.tag));
        self.length += 1;
        index
    }

    /// Takes a flow out.
    pub fn remove(&mut self, index: u32) -> Option<F> {
        let slot = self.slot_mut(index)?;
        let flow = slot.flow.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        let (tag, shard) = (slot.tag, slot.shard);
        // Nobody looks for a flow any more when the table drains.
        if !self.drains
            && let Ok(entry) = self.entries.find_entry(spread(tag), |entry| entry.index == index)
        {
            entry.remove();
        }
        self.shards[usize::from(shard)].flows -= 1;
        if self.count(index, -1) == 0 && self.drains {
            self.pages[index as usize / PAGE] = Vec::new();
        } else if !self.drains {
            self.free.push(index);
        }
        self.length -= 1;
        Some(flow)
    }

    /// The flow at a place.
    #[inline]
    pub fn flow_mut(&mut self, index: u32) -> Option<&mut F> {
        self.slot_mut(index)?.flow.as_mut()
    }

    /// The flow at a place, if the place still has that generation.
    pub fn flow_of(&mut self, index: u32, generation: u32) -> Option<&mut F> {
        let slot = self.slot_mut(index)?;
        if slot.generation == generation { slot.flow.as_mut() } else { None }
    }

    /// The generation of a place: it changes when its flow is taken out. It comes round after 2^32 flows.
    pub fn generation(&self, index: u32) -> u32 {
        self.slot(index).map_or(0, |slot| slot.generation)
    }

    /// The shard of the flow at a place.
    pub fn shard_of(&self, index: u32) -> u8 {
        self.slot(index).map_or(0, |slot| slot.shard)
    }

    /// The flows that a shard has now.
    pub fn shard_flows(&self, shard: u8) -> usize {
        self.shards[usize::from(shard)].flows as usize
    }

    /// The shard that has most flows.
    pub fn fullest_shard(&self) -> u8 {
        let fullest = self.shards.iter().enumerate().max_by_key(|(_, list)| list.flows);
        fullest.map_or(0, |(shard, _)| shard as u8)
    }

    /// All flows.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Takes a shard's oldest flows (by creation) out of its queue, at most `most`, and returns their places: each is now
    /// to be taken out, or spared.
    pub fn oldest(&mut self, shard: u8, most: usize) -> Vec<u32> {
        let mut oldest = Vec::with_capacity(most);
        while oldest.len() < most
            && let Some(queued) = self.shards[usize::from(shard)].queue.pop_front()
        {
            if self.is_there(queued) {
                oldest.push(queued.index);
            }
        }
        oldest
    }

    /// Makes a flow the youngest of its shard: it was looked at for eviction and stays.
    pub fn spare(&mut self, index: u32) {
        self.queue(self.shard_of(index), Queued { index, generation: self.generation(index) });
    }

    /// Puts a place at the end of a shard's queue, and has it forget those whose flows are gone where they are as many as
    /// the others.
    fn queue(&mut self, shard: u8, queued: Queued) {
        let Shard { queue, flows } = &mut self.shards[usize::from(shard)];
        if queue.len() >= 2 * *flows as usize + STALE {
            let mut kept = std::mem::take(queue);
            kept.retain(|queued| self.is_there(*queued));
            self.shards[usize::from(shard)].queue = kept;
        }
        self.shards[usize::from(shard)].queue.push_back(queued);
    }

    /// Whether the flow that was put in a queue is still there.
    fn is_there(&self, Queued { index, generation }: Queued) -> bool {
        self.slot(index).is_some_and(|slot| slot.generation == generation && slot.flow.is_some())
    }

    /// All flows with their places, in the order of the slab.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &F)> {
        let slots = self.pages.iter().flatten().zip(0..);
        slots.filter_map(|(slot, index)| Some((index, slot.flow.as_ref()?)))
    }

    #[inline]
    fn slot(&self, index: u32) -> Option<&Slot<F>> {
        self.pages.get(index as usize / PAGE)?.get(index as usize % PAGE)
    }

    #[inline]
    fn slot_mut(&mut self, index: u32) -> Option<&mut Slot<F>> {
        self.pages.get_mut(index as usize / PAGE)?.get_mut(index as usize % PAGE)
    }

    /// From now on flows are only taken out, by their places, and memory is let go with them.
    pub fn drain(&mut self) {
        self.drains = true;
        self.entries = HashTable::new();
        self.free = Vec::new();
        self.shards.iter_mut().for_each(|shard| shard.queue = VecDeque::new());
    }

    /// Counts a flow in, or out, of its page; returns how many are left there.
    fn count(&mut self, index: u32, by: i16) -> u16 {
        let Some(used) = self.used.get_mut(index as usize / PAGE) else { return 0 };
        *used = used.wrapping_add_signed(by);
        *used
    }

    fn grow(&mut self) -> u32 {
        if self.pages.last().is_none_or(|page| page.len() == PAGE) {
            self.pages.push(Vec::with_capacity(PAGE));
            self.used.push(0);
        }
        let pages = self.pages.len();
        let slot = Slot { generation: 0, shard: 0, tag: 0, flow: None };
        match self.pages.last_mut() {
            Some(page) => {
                page.push(slot);
                ((pages - 1) * PAGE + page.len() - 1) as u32
            }
            None => NONE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hash that many ports share.
    fn hash(port: u16) -> u64 {
        u64::from(port % 7) << 32
    }

    #[test]
    fn finds_what_was_put_in_until_it_is_taken_out() {
        let mut table = FlowTable::default();
        let places: Vec<u32> = (0..5000).map(|port| table.insert(hash(port), 3, port)).collect();
        for port in 0..5000 {
            assert_eq!(table.find(hash(port), |flow| *flow == port), Some(places[usize::from(port)]));
        }
        let generation = table.generation(places[17]);
        assert_eq!(table.remove(places[17]), Some(17));
        assert_eq!(table.find(hash(17), |flow| *flow == 17), None);
        assert_eq!(table.remove(places[17]), None);
        let again = table.insert(hash(6000), 3, 6000);
        assert_eq!(again, places[17]);
        assert!(table.flow_of(again, generation).is_none());
        assert_eq!(table.len(), 5000);
    }

    #[test]
    fn lets_go_of_pages_when_it_drains() {
        let mut table = FlowTable::default();
        let places: Vec<u32> = (0..5000).map(|port| table.insert(hash(port), 3, port)).collect();
        table.drain();
        for (port, place) in (0..5000).zip(places) {
            assert_eq!(table.remove(place), Some(port));
            assert_eq!(table.remove(place), None);
        }
        assert!(table.is_empty());
        assert!(table.pages.iter().all(Vec::is_empty));
    }

    #[test]
    fn a_shard_names_its_flows_oldest_first() {
        let mut table = FlowTable::default();
        let places: Vec<u32> = (0..6).map(|port| table.insert(hash(port), (port % 2) as u8, port)).collect();
        assert_eq!(table.oldest(0, 2), [places[0], places[2]]);
        assert_eq!(table.oldest(0, 2), [places[4]]);
        for place in [places[2], places[0], places[4]] {
            table.spare(place);
        }
        table.remove(places[0]);
        assert_eq!(table.oldest(0, 10), [places[2], places[4]]);
        table.remove(places[2]);
        table.remove(places[4]);
        assert_eq!((table.oldest(0, 10).len(), table.shard_flows(0), table.shard_flows(1)), (0, 0, 3));
        // The place of one that is gone, taken by another of its shard, is that of the youngest.
        table.insert(hash(7), 1, 7);
        assert_eq!(table.oldest(1, 10), [places[1], places[3], places[5], places[4]]);
    }

    #[test]
    fn a_queue_does_not_grow_with_the_flows_that_were() {
        let mut table = FlowTable::default();
        let kept = table.insert(hash(1), 0, 1);
        for port in 0..10_000 {
            let place = table.insert(hash(port), 0, port);
            table.remove(place);
        }
        assert!(table.shards[0].queue.len() <= STALE + 3);
        assert_eq!(table.oldest(0, 10), [kept]);
    }
}
