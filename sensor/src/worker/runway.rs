//! What packets that come up will read is asked for while those before them are worked on: a packet takes less time than the
//! memory takes to answer, and it reads in several places, of which each is known only by the one before.

use parsers::packet::{Layer, Transport};
use schemas::prefetch::{BURST, prefetch};

use crate::flow::Flow;
use crate::flow::table::FlowTable;
use crate::work::Work;

/// How far before the first packet that is worked on lie those that are looked at first: one burst for their payload and the
/// entries of their flows, one for the flows, one for what these point at.
const SIGHT: usize = 3 * BURST;

/// The packets of a batch that come up.
#[derive(Debug)]
pub(super) struct Runway {
    /// Where the flows of the second burst are, most likely.
    places: [Option<u32>; BURST],
}

impl Runway {
    /// The first packets of a batch come up.
    pub(super) fn new(work: &Work, flows: &FlowTable<Flow>) -> Self {
        let mut runway = Self { places: [None; BURST] };
        for first in (0..SIGHT).step_by(BURST) {
            runway.look(first, work, flows);
        }
        runway
    }

    /// Each burst comes one further; that which begins at this place of the batch is worked on now.
    #[inline]
    pub(super) fn advance(&mut self, place: usize, work: &Work, flows: &FlowTable<Flow>) {
        self.look(place + SIGHT, work, flows);
    }

    #[inline]
    fn look(&mut self, first: usize, work: &Work, flows: &FlowTable<Flow>) {
        for flow in self.places.iter().flatten().filter_map(|place| flows.flow(*place)) {
            flow.prefetch_state();
        }
        let second = first.checked_sub(BURST).and_then(|second| work.items.get(second..)).unwrap_or_default();
        self.places = [None; BURST];
        for (place, item) in self.places.iter_mut().zip(second) {
            *place = flows.guess(item.place.hash);
            if let Some(place) = *place {
                flows.prefetch(place);
            }
        }
        for item in work.items.get(first..).unwrap_or_default().iter().take(BURST) {
            flows.prefetch_entry(item.place.hash);
            prefetch_payload(&item.layer, work.bytes(item));
        }
    }
}

/// Asks for what is likely to be read of a packet: a short datagram whole, of a segment that is not full the beginning. What
/// is longer is bulk, of which nothing may be read at all.
#[inline]
fn prefetch_payload(layer: &Layer, bytes: &[u8]) {
    /// Datagrams up to this length are messages; longer ones carry data.
    const SHORT: usize = 512;
    /// Segments from this length on are those of a transfer.
    const FULL: usize = 1024;
    let payload = layer.payload(bytes);
    match layer.transport {
        Transport::Udp if payload.len() <= SHORT => prefetch(payload),
        Transport::Tcp if payload.len() < FULL => prefetch(payload.get(..1).unwrap_or_default()),
        _ => {}
    }
}
