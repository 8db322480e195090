//! What the front end hands to a worker: packets as plain descriptors into a shared block of bytes.

use std::ops::Deref;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender, bounded};
use parsers::packet::{Decoded, Layer, Link, Problem, Tunnel};
use schemas::envelope::Nanoseconds;
use smallvec::SmallVec;

use crate::capture::Block;
use crate::dispatch::Place;
use crate::front::Sighting;

/// One packet of one flow.
#[derive(Clone, Copy, Debug)]
pub struct Item {
    /// Its headers, with offsets into its bytes.
    pub layer: Layer,
    /// Its flow and shard.
    pub place: Place,
    /// When it was captured; of a datagram in fragments, when it was whole.
    pub ts: Nanoseconds,
    /// What time-outs of its flow are held against ([`crate::clock::Clock::judging`]).
    pub now: Nanoseconds,
    /// Its number in the capture.
    pub number: u64,
    /// Where its bytes begin, in the block or among the datagrams.
    pub offset: u32,
    /// How many there are.
    pub length: u32,
    /// Its link and tunnels, in [`Work::origins`].
    pub origin: u32,
    /// Index of its source.
    pub source: u16,
    /// What the front end found.
    pub marks: Marks,
}

/// What the front end found about a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Marks(u8);

impl Item {
    /// Nothing yet.
    const EMPTY: Self = Self {
        layer: Layer::EMPTY,
        place: Place::EMPTY,
        ts: 0,
        now: 0,
        number: 0,
        offset: 0,
        length: 0,
        origin: 0,
        source: 0,
        marks: Marks(0),
    };
}

impl Marks {
    /// The second copy of a packet.
    pub const DUPLICATE: Self = Self(1);
    /// Its checksum is wrong, and its sender does not leave checksums to its card.
    pub const BAD_CHECKSUM: Self = Self(2);
    /// It carries another packet: its own flow is counted, not read.
    pub const OUTER: Self = Self(4);
    /// With [`Marks::BAD_CHECKSUM`]: it is that of the IP header.
    pub const BAD_IP_HEADER: Self = Self(16);
    /// Its bytes are among the reassembled datagrams.
    pub const DATAGRAM: Self = Self(8);

    /// Adds a mark.
    pub fn set(&mut self, mark: Self) {
        self.0 |= mark.0;
    }

    /// Whether a mark is set.
    pub fn has(self, mark: Self) -> bool {
        self.0 & mark.0 != 0
    }
}

/// The link and the tunnels that packets came through; most packets of a block share a few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Addresses and tags of the outermost link.
    pub link: Link,
    /// Encapsulations, outermost first.
    pub tunnels: SmallVec<[Tunnel; 2]>,
}

/// Packets in a list whose memory goes back, when it is let go, to the front end that it came from: to have new memory for
/// each batch costs more than to fill it. What stands behind the packets is of earlier ones, and is written over: so each is
/// made where it stays.
#[derive(Debug, Default)]
pub struct Items {
    list: Vec<Item>,
    count: usize,
    home: Option<Sender<Vec<Item>>>,
}

impl Deref for Items {
    type Target = [Item];

    #[inline]
    fn deref(&self) -> &[Item] {
        self.list.get(..self.count).unwrap_or_default()
    }
}

impl Items {
    /// Adds a packet, which is to be written over the one that is returned.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "the list has grown where it was full")]
    pub(crate) fn add(&mut self) -> &mut Item {
        if self.count == self.list.len() {
            self.grow();
        }
        self.count += 1;
        &mut self.list[self.count - 1]
    }

    #[cold]
    fn grow(&mut self) {
        const FEWEST: usize = 64;
        self.list.resize((self.count * 2).max(FEWEST), Item::EMPTY);
    }
}

impl Drop for Items {
    fn drop(&mut self) {
        if let Some(home) = &self.home {
            // One too many is let go for good.
            let _ = home.try_send(std::mem::take(&mut self.list));
        }
    }
}

/// Where lists of packets come from.
#[derive(Debug)]
pub(crate) struct ItemPool {
    home: Sender<Vec<Item>>,
    spare: Receiver<Vec<Item>>,
}

impl ItemPool {
    /// Of which so many are kept.
    pub(crate) fn new(kept: usize) -> Self {
        let (home, spare) = bounded(kept);
        Self { home, spare }
    }

    /// An empty list.
    pub(crate) fn take(&self) -> Items {
        let list = self.spare.try_recv().unwrap_or_default();
        Items { list, count: 0, home: Some(self.home.clone()) }
    }
}

/// One of the equal parts of the time of the run: the flows that are left at the end and began in it end together, in an epoch
/// of their own. So the rows of millions of flows do not all wait at the same time, and still reach the lake in the order of
/// time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinalSlice {
    /// Its number, from 0.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

impl FinalSlice {
    /// All slices of a run of so many packets: no flow is left without a packet of its own, and each slice has all workers
    /// wait for one another.
    pub fn all(packets: u64) -> impl Iterator<Item = Self> {
        const PACKETS: u64 = 4096;
        const MOST: u64 = 256;
        let of = (packets / PACKETS).clamp(1, MOST) as usize;
        (0..of).map(move |number| Self { number, of })
    }

    /// Whether it is the last.
    pub fn is_last(self) -> bool {
        self.number + 1 == self.of
    }
}

/// A batch for one worker, in the order of the capture.
#[derive(Debug, Default)]
pub struct Work {
    /// The frames' bytes.
    pub block: Arc<Block>,
    /// Bytes of reassembled datagrams.
    pub datagrams: Vec<u8>,
    /// The packets.
    pub items: Items,
    /// What they came through.
    pub origins: Vec<Origin>,
    /// Time and number of the first fragment of each reassembled datagram, by [`Item::offset`], ascending.
    pub firsts: Vec<(u32, Nanoseconds, u64)>,
    /// What was wrong with packets, by their place in `items`.
    pub problems: Vec<(u32, Problem)>,
    /// The clock's ticks: each comes before the item with that place.
    pub ticks: Vec<(u32, Nanoseconds)>,
    /// Connections that were made elsewhere and are waited for in a shard of this worker: each comes before the item with
    /// that place.
    pub sightings: Vec<(u32, Sighting)>,
    /// The clock behind the last packet.
    pub now: Nanoseconds,
    /// At the end of the input: the slice of the flows that are left which ends now.
    pub ends_slice: Option<FinalSlice>,
    /// Least and greatest time of all packets so far, other workers' too.
    pub span: (Nanoseconds, Nanoseconds),
    /// Whether an epoch ends behind this batch: rows so far are sent on.
    pub ends_epoch: bool,
}

impl Work {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && self.ticks.is_empty() && self.sightings.is_empty() && !self.ends_epoch
    }

    /// The bytes of an item.
    #[inline]
    pub fn bytes(&self, item: &Item) -> &[u8] {
        let start = item.offset as usize;
        let all: &[u8] = if item.marks.has(Marks::DATAGRAM) { &self.datagrams } else { &self.block };
        all.get(start..start + item.length as usize).unwrap_or_default()
    }

    /// Time and number of the packet that an item began with: of a reassembled datagram the fragment that came first,
    /// while the item has those of the fragment that made it whole.
    #[inline]
    pub fn first_packet(&self, item: &Item) -> (Nanoseconds, u64) {
        let own = (item.ts, item.number);
        if !item.marks.has(Marks::DATAGRAM) {
            return own;
        }
        let place = self.firsts.binary_search_by_key(&item.offset, |first| first.0);
        place.ok().and_then(|place| self.firsts.get(place)).map_or(own, |&(_, ts, number)| (ts, number))
    }

    /// The place of a layer's origin in the list.
    #[inline]
    pub(crate) fn origin(&mut self, decoded: &Decoded, layer: &Layer) -> u32 {
        let tunnels = decoded.tunnels_of(layer);
        let same = |origin: &Origin| origin.link == decoded.link && origin.tunnels.as_slice() == tunnels;
        // The last few cover nearly every packet; a list that grows a little longer than needed is no harm.
        let newest = self.origins.iter().enumerate().rev().take(4);
        match newest.into_iter().find(|(_, origin)| same(origin)) {
            Some((place, _)) => place as u32,
            None => {
                self.origins.push(Origin { link: decoded.link, tunnels: tunnels.into() });
                (self.origins.len() - 1) as u32
            }
        }
    }
}
