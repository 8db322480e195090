//! Finding the flow of a packet: entries by hash over a paged slab, and a queue of flows for each shard.
//!
//! Caps belong to shards (the same for any number of workers), so each shard knows its flows in the order of their
//! creation; a victim is found among the oldest.

use std::collections::VecDeque;

use schemas::prefetch::prefetch;

use super::entries::{Entries, NONE};

/// Shards of a run, whatever the number of workers: the unit that caps and eviction order belong to.
pub const SHARDS: usize = 256;

/// Flows in a page: pages are allocated one by one and never moved.
const PAGE: usize = 1024;

/// Places of flows that are gone which a queue may hold besides one for each flow.
const STALE: usize = 64;

/// Places that are allocated together. What the table itself knows of each lies apart: so flows take no more lines of the
/// cache than they are long, and to look whether one is still there reads none of it.
#[derive(Debug)]
struct Page<F> {
    heads: Vec<Head>,
    flows: Vec<Option<F>>,
    /// How many there are.
    used: u16,
}

/// What the table knows of a place. The generation changes with each flow that is taken out.
#[derive(Clone, Copy, Debug)]
struct Head {
    generation: u32,
    tag: u32,
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
pub struct Queued {
    /// The place.
    pub index: u32,
    generation: u32,
}

/// The half of a hash that is kept.
fn tag(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// The flows of a worker. The key of a flow is part of the flow itself.
#[derive(Debug)]
pub struct FlowTable<F> {
    entries: Entries,
    pages: Vec<Page<F>>,
    /// No flow is put in any more: pages without flows are let go.
    drains: bool,
    free: Vec<u32>,
    shards: Vec<Shard>,
    length: usize,
}

impl<F> Default for FlowTable<F> {
    fn default() -> Self {
        Self {
            entries: Entries::default(),
            pages: Vec::new(),
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
        self.entries.find(tag(hash), |index| self.flow(index).is_some_and(&is_it))
    }

    /// Asks for what tells where the flow with this hash is.
    #[inline]
    pub fn prefetch_entry(&self, hash: u64) {
        self.entries.prefetch(tag(hash));
    }

    /// The place of a flow that most likely has this hash, without reading it.
    #[inline]
    pub fn guess(&self, hash: u64) -> Option<u32> {
        self.entries.find(tag(hash), |_| true)
    }

    /// Asks for the flow at a place.
    #[inline]
    pub fn prefetch(&self, index: u32) {
        if let Some(page) = self.pages.get(index as usize / PAGE)
            && let Some(flow) = page.flows.get(index as usize % PAGE)
        {
            prefetch(flow);
        }
    }

    /// Asks for all that is read when these flows end; `behind` asks for what they point at.
    #[inline]
    pub fn prefetch_all(&self, places: impl Iterator<Item = u32> + Clone, behind: impl Fn(&F)) {
        for index in places.clone() {
            self.prefetch_head(index);
            self.prefetch(index);
        }
        for index in places {
            if let Some(head) = self.head(index) {
                self.entries.prefetch(head.tag);
            }
            if let Some(flow) = self.flow(index) {
                behind(flow);
            }
        }
    }

    #[inline]
    fn prefetch_head(&self, index: u32) {
        if let Some(head) = self.head(index) {
            prefetch(head);
        }
    }

    /// Puts a flow in; its key must not be there yet. Returns its place.
    pub fn insert(&mut self, hash: u64, shard: u8, flow: F) -> u32 {
        let tag = tag(hash);
        let index = self.free.pop().unwrap_or_else(|| self.grow());
        let generation = self.generation(index);
        if let Some(page) = self.pages.get_mut(index as usize / PAGE) {
            page.put(index as usize % PAGE, Head { generation, tag }, flow);
        }
        self.queue(shard, Queued { index, generation });
        self.shards[usize::from(shard)].flows += 1;
        self.entries.insert(tag, index);
        self.length += 1;
        index
    }

    /// Takes a flow out; `shard` is the one that it was put in.
    pub fn remove(&mut self, index: u32, shard: u8) -> Option<F> {
        let page = self.pages.get_mut(index as usize / PAGE)?;
        let (tag, flow) = page.take(index as usize % PAGE)?;
        let is_empty = page.used == 0;
        // Nobody looks for a flow any more when the table drains.
        if !self.drains {
            self.entries.remove(tag, index);
        }
        self.shards[usize::from(shard)].flows -= 1;
        if is_empty && self.drains {
            self.pages[index as usize / PAGE] = Page::default();
        } else if !self.drains {
            self.free.push(index);
        }
        self.length -= 1;
        Some(flow)
    }

    /// The flow at a place.
    #[inline]
    pub fn flow_mut(&mut self, index: u32) -> Option<&mut F> {
        self.pages.get_mut(index as usize / PAGE)?.flows.get_mut(index as usize % PAGE)?.as_mut()
    }

    /// The same, to look at.
    #[inline]
    pub fn flow(&self, index: u32) -> Option<&F> {
        self.pages.get(index as usize / PAGE)?.flows.get(index as usize % PAGE)?.as_ref()
    }

    /// The flow at a place, if the place still has that generation.
    pub fn flow_of(&mut self, index: u32, generation: u32) -> Option<&mut F> {
        if self.generation(index) == generation { self.flow_mut(index) } else { None }
    }

    /// The generation of a place: it changes when its flow is taken out. It comes round after 2^32 flows.
    pub fn generation(&self, index: u32) -> u32 {
        self.head(index).map_or(0, |head| head.generation)
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
    pub fn oldest(&mut self, shard: u8, most: usize) -> Vec<Queued> {
        for queued in self.shards[usize::from(shard)].queue.iter().take(most) {
            self.prefetch_head(queued.index);
        }
        let mut oldest = Vec::with_capacity(most);
        while oldest.len() < most
            && let Some(queued) = self.shards[usize::from(shard)].queue.pop_front()
        {
            if self.is_there(queued) {
                oldest.push(queued);
            }
        }
        oldest
    }

    /// Makes a flow the youngest of its shard: a new one, or one that was looked at for eviction and stays. Has the queue
    /// forget those that are gone where they are as many as the others.
    pub fn queue(&mut self, shard: u8, queued: Queued) {
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
        self.head(index).is_some_and(|head| head.generation == generation)
    }

    /// All flows with their places, in the order of the slab.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &F)> {
        let flows = self
            .pages
            .iter()
            .zip(0..)
            .flat_map(|(page, number)| page.flows.iter().zip(number * PAGE as u32..));
        flows.filter_map(|(flow, index)| Some((index, flow.as_ref()?)))
    }

    #[inline]
    fn head(&self, index: u32) -> Option<&Head> {
        self.pages.get(index as usize / PAGE)?.heads.get(index as usize % PAGE)
    }

    /// From now on flows are only taken out, by their places, and memory is let go with them.
    pub fn drain(&mut self) {
        self.drains = true;
        self.entries = Entries::default();
        self.free = Vec::new();
        self.shards.iter_mut().for_each(|shard| shard.queue = VecDeque::new());
    }

    fn grow(&mut self) -> u32 {
        if self.pages.last().is_none_or(|page| page.flows.len() == PAGE) {
            self.pages.push(Page::with_room());
        }
        let pages = self.pages.len();
        self.pages.last_mut().map_or(NONE, |page| ((pages - 1) * PAGE + page.grow()) as u32)
    }
}

impl<F> Default for Page<F> {
    fn default() -> Self {
        Self { heads: Vec::new(), flows: Vec::new(), used: 0 }
    }
}

impl<F> Page<F> {
    fn with_room() -> Self {
        Self { heads: Vec::with_capacity(PAGE), flows: Vec::with_capacity(PAGE), used: 0 }
    }

    /// A new place.
    fn grow(&mut self) -> usize {
        self.heads.push(Head { generation: 0, tag: 0 });
        self.flows.push(None);
        self.flows.len() - 1
    }

    fn put(&mut self, at: usize, head: Head, flow: F) {
        if let (Some(place), Some(place_of_head)) = (self.flows.get_mut(at), self.heads.get_mut(at)) {
            *place = Some(flow);
            *place_of_head = head;
            self.used += 1;
        }
    }

    /// Takes a flow out with its tag.
    fn take(&mut self, at: usize) -> Option<(u32, F)> {
        let flow = self.flows.get_mut(at)?.take()?;
        let head = self.heads.get_mut(at)?;
        head.generation = head.generation.wrapping_add(1);
        self.used -= 1;
        Some((head.tag, flow))
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
        assert_eq!(table.remove(places[17], 3), Some(17));
        assert_eq!(table.find(hash(17), |flow| *flow == 17), None);
        assert_eq!(table.remove(places[17], 3), None);
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
            assert_eq!(table.remove(place, 3), Some(port));
            assert_eq!(table.remove(place, 3), None);
        }
        assert!(table.is_empty());
        assert!(table.pages.iter().all(|page| page.flows.capacity() + page.heads.capacity() == 0));
    }

    #[test]
    fn a_shard_names_its_flows_oldest_first() {
        let oldest = |table: &mut FlowTable<_>, shard, most| -> Vec<u32> {
            table.oldest(shard, most).into_iter().map(|queued| queued.index).collect()
        };
        let mut table = FlowTable::default();
        let places: Vec<u32> = (0..6).map(|port| table.insert(hash(port), (port % 2) as u8, port)).collect();
        let [first, second] = table.oldest(0, 2)[..] else { panic!("two of three") };
        assert_eq!([first.index, second.index], [places[0], places[2]]);
        let [third] = table.oldest(0, 2)[..] else { panic!("the last") };
        assert_eq!(third.index, places[4]);
        for queued in [second, first, third] {
            table.queue(0, queued);
        }
        table.remove(places[0], 0);
        assert_eq!(oldest(&mut table, 0, 10), [places[2], places[4]]);
        table.remove(places[2], 0);
        table.remove(places[4], 0);
        assert_eq!((table.oldest(0, 10).len(), table.shard_flows(0), table.shard_flows(1)), (0, 0, 3));
        // The place of one that is gone, taken by another of its shard, is that of the youngest.
        table.insert(hash(7), 1, 7);
        assert_eq!(oldest(&mut table, 1, 10), [places[1], places[3], places[5], places[4]]);
    }

    #[test]
    fn a_queue_does_not_grow_with_the_flows_that_were() {
        let mut table = FlowTable::default();
        let kept = table.insert(hash(1), 0, 1);
        for port in 0..10_000 {
            let place = table.insert(hash(port), 0, port);
            table.remove(place, 0);
        }
        assert!(table.shards[0].queue.len() <= STALE + 3);
        assert_eq!(table.oldest(0, 10).into_iter().map(|queued| queued.index).collect::<Vec<_>>(), [kept]);
    }
}
