//! One worker: follows the flows of its shards through the packets it is handed, and fills rows.

use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use parsers::context::Context;
use parsers::entities::Entities;
use parsers::extract::Store;
use parsers::packet::{Problem, Transport};
use parsers::protocol::Direction;
use parsers::transfers::Transfers;
use parsers::x509::Certificates;
use schemas::anomaly::AnomalyName;
use schemas::batch::Records;
use schemas::envelope::{Envelope, Nanoseconds};
use schemas::prefetch::BURST;

use crate::config::Config;
use crate::flow::budget::Budget;
use crate::flow::reassembly::Delivered;
use crate::flow::stream::NO_TIME;
use crate::flow::table::{FlowTable, SHARDS};
use crate::flow::tcp::{Ports, Segment};
use crate::flow::wheel::Wheel;
use crate::flow::{Flow, TcpFlow, TransportState, roles};
use crate::local::LocalNetworks;
use crate::output::Epoch;
use crate::work::{Item, Marks, Work};

mod datagrams;
mod ending;
mod eviction;
mod pressure;
mod reach;
mod related;
mod runway;
mod settings;
mod statistics;

pub use pressure::Pressure;
pub use reach::Reach;
pub use statistics::WorkerCounters;

use runway::Runway;
use settings::Settings;

/// The state of one worker.
pub struct Worker {
    number: usize,
    settings: Settings,
    flows: FlowTable<Flow>,
    wheel: Wheel,
    /// For segments out of order, and for sessions: of each shard, or of all together.
    budgets: Vec<[Budget; 2]>,
    /// Of each shard: parts of files that wait for the others.
    entities: Vec<Entities>,
    /// Of each shard: data connections and those that announce them.
    transfers: Vec<Transfers>,
    /// Those that were read already.
    certificates: Certificates,
    records: Records,
    /// Of the rows of files those that are in the counters.
    files_counted: usize,
    counters: WorkerCounters,
    reported: WorkerCounters,
    /// What is left undone for want of time.
    pressure: Pressure,
    /// How far packets are followed; all the way but in benchmarks.
    reach: Reach,
    /// Whether it writes its own rows of `sensor_stats`, by packet time.
    keeps_statistics: bool,
    stats_due: Option<Nanoseconds>,
    stats_since: Nanoseconds,
    epoch: u64,
    now: Nanoseconds,
    /// Flows that are left at the end of the input, by slice.
    remaining: Vec<Vec<u32>>,
}

impl Worker {
    /// Worker `number` of a run.
    pub fn new(number: usize, config: &Config, local: Arc<LocalNetworks>) -> Self {
        let per_shard = (config.limits.stream_bytes as usize / SHARDS).max(1 << 10);
        Self {
            number,
            settings: Settings::new(config, local),
            flows: FlowTable::default(),
            wheel: Wheel::default(),
            budgets: vec![[Budget::new(per_shard / 8 * 3); 2]; SHARDS],
            entities: (0..SHARDS).map(|_| Entities::new(per_shard / 4)).collect(),
            transfers: (0..SHARDS).map(|_| Transfers::default()).collect(),
            certificates: Certificates::default(),
            records: Records::default(),
            files_counted: 0,
            counters: WorkerCounters::default(),
            reported: WorkerCounters::default(),
            pressure: Pressure::default(),
            reach: Reach::default(),
            keeps_statistics: true,
            stats_due: None,
            stats_since: 0,
            epoch: 0,
            now: 0,
            remaining: Vec::new(),
        }
    }

    /// The same worker with a place for files.
    #[must_use]
    pub fn with_store(mut self, store: Option<Arc<dyn Store>>) -> Self {
        self.settings.sessions.store = store;
        self
    }

    /// Works until there is no more work, then ends all flows. Returns what was counted; rows go to `lake`, one message
    /// an epoch. Ends early when nobody takes the rows any more.
    pub fn run(mut self, work: &Receiver<Work>, lake: &Sender<Epoch>) -> WorkerCounters {
        if self.reach.drops(work) {
            return self.counters;
        }
        for work in work {
            self.work(&work);
            if work.ends_epoch && !self.send(lake) {
                return self.counters;
            }
        }
        self.counters
    }

    /// Takes in a batch.
    pub fn work(&mut self, work: &Work) {
        let mut ticks = work.ticks.iter().peekable();
        let mut problems = work.problems.iter().peekable();
        let mut sightings = work.sightings.iter().peekable();
        let mut runway = Runway::new(work, &self.flows);
        for (place, item) in work.items.iter().enumerate() {
            if place % BURST == 0 {
                runway.advance(place, work, &self.flows);
            }
            while let Some((_, now)) = ticks.next_if(|(before, _)| *before as usize <= place) {
                self.tick(*now);
            }
            while let Some((_, sighting)) = sightings.next_if(|(before, _)| *before as usize <= place) {
                self.sighted(sighting);
            }
            let flow = self.packet(item, work);
            while let Some((_, problem)) = problems.next_if(|(of, _)| *of as usize <= place) {
                self.problem(flow, *problem, item);
            }
        }
        for (_, now) in ticks {
            self.tick(*now);
        }
        for (_, sighting) in sightings {
            self.sighted(sighting);
        }
        self.now = self.now.max(work.now);
        if let Some(slice) = work.ends_slice {
            self.end_slice(slice, work.span);
        }
    }

    /// The rows so far, taken.
    pub fn take_records(&mut self) -> Records {
        self.count_files();
        self.files_counted = 0;
        self.records.take()
    }

    /// Bytes that the rows so far hold.
    pub fn held_by_rows(&self) -> usize {
        self.records.held()
    }

    /// The rows so far, for whoever adds some of another origin.
    pub fn records_mut(&mut self) -> &mut Records {
        &mut self.records
    }

    /// What was counted so far.
    pub fn counters(&self) -> &WorkerCounters {
        &self.counters
    }

    fn send(&mut self, lake: &Sender<Epoch>) -> bool {
        let records = self.take_records();
        let number = self.epoch;
        self.epoch += 1;
        lake.send(Epoch { number, contributor: self.number, records }).is_ok()
    }

    /// Takes in a packet and returns the place of its flow.
    #[inline]
    fn packet(&mut self, item: &Item, work: &Work) -> Option<u32> {
        let layer = &item.layer;
        self.counters.packets += 1;
        self.counters.bytes += u64::from(layer.ip_length);
        let mut found = self.flows.find(item.place.hash, |flow| flow.takes(item));
        if item.marks.has(Marks::DUPLICATE) {
            self.counters.duplicates += 1;
            if let Some(flow) = found.and_then(|index| self.flows.flow_mut(index)) {
                flow.duplicate();
            }
            return found;
        }
        let bytes = if item.marks.has(Marks::OUTER) { &[] } else { layer.payload(work.bytes(item)) };
        let segment = (layer.transport == Transport::Tcp).then(|| Segment::new(layer, item.ts, bytes));
        // The flags of a header that cannot be right begin nothing.
        let begins = segment.filter(|_| !layer.truncated_header);
        let mut tie_break = 0;
        if let Some(index) = found {
            let over = self.flows.flow_mut(index).and_then(|flow| {
                flow.look_at_attempt();
                flow.is_over(item.now, &self.settings.timeouts, begins.as_ref())
            });
            if let Some(reason) = over {
                tie_break =
                    self.flows.flow_mut(index).map_or(0, |flow| flow.ties_at(work.first_packet(item).0));
                self.end(index, reason);
                found = None;
            }
        }
        let index = match found {
            Some(index) => index,
            None if self.pressure.refuses(layer) => {
                self.counters.refused += 1;
                return None;
            }
            None => self.begin(item, work, tie_break),
        };
        let flow = self.flows.flow_mut(index)?;
        let direction = flow.direction(item);
        if self.settings.flow_interval < item.ts.saturating_sub(flow.ts) {
            flow.show_open(&mut self.records, item.ts, self.settings.flow_interval);
        }
        if let Some(origin) = work.origins.get(item.origin as usize) {
            flow.note_origin(direction, origin);
        }
        if item.marks.has(Marks::BAD_CHECKSUM) {
            flow.bad_checksum(direction);
            let name = if item.marks.has(Marks::BAD_IP_HEADER) {
                AnomalyName::IpChecksum
            } else {
                AnomalyName::TransportChecksum
            };
            flow.anomalies.note(name, None, "", item.ts, item.number);
            self.counters.bad_checksums += 1;
            if layer.transport != Transport::Tcp {
                flow.count(direction, layer);
                flow.last = item.ts;
            }
            return Some(index);
        }
        match layer.transport {
            Transport::Tcp => self.segment(index, direction, item, segment.as_ref()),
            Transport::Udp => self.datagram(index, direction, item, bytes),
            _ => {
                flow.count(direction, layer);
                flow.payload_bytes[direction.index()] += u64::from(layer.payload_length);
                flow.last = item.ts;
                Some(index)
            }
        }
    }

    /// A new flow.
    fn begin(&mut self, item: &Item, work: &Work, tie_break: u32) -> u32 {
        let shard = item.place.shard;
        self.make_room(shard, item.ts);
        let origin = work.origins.get(item.origin as usize);
        let flipped = roles::flips(&item.layer);
        let (ts, number) = work.first_packet(item);
        let first = Item { ts, number, ..*item };
        let flow = match origin {
            Some(origin) => Flow::new(&first, origin, &self.settings.local, flipped, tie_break),
            None => return u32::MAX,
        };
        let deadline =
            flow.deadline(&self.settings.timeouts).min(flow.next_interval(self.settings.flow_interval));
        let index = self.flows.insert(item.place.hash, shard, flow);
        self.schedule(index, deadline, item.now);
        self.counters.flows += 1;
        if item.layer.transport == Transport::Tcp {
            self.relate(index, item);
        }
        index
    }

    /// A TCP segment.
    #[inline]
    fn segment(
        &mut self,
        index: u32,
        direction: Direction,
        item: &Item,
        segment: Option<&Segment<'_>>,
    ) -> Option<u32> {
        let flow = self.flows.flow_mut(index)?;
        let shard = flow.shard;
        let segment = segment?;
        if item.layer.truncated_header {
            // Its header says nothing that could be trusted.
            return Some(index);
        }
        if flow.is_attempt() {
            flow.count(direction, &item.layer);
            self.claim(shard, item);
            return Some(index);
        }
        let budget = budget_of(shard, &self.budgets);
        let [reassembly, sessions] = self.budgets.get_mut(budget)?;
        if flow.takes_ordinary(direction, segment, reassembly) {
            flow.count(direction, &item.layer);
            flow.last = item.ts;
            return Some(index);
        }
        let entities = self.entities.get_mut(usize::from(shard));
        let transfers = self.transfers.get_mut(usize::from(shard));
        let mut wants_bytes = !item.marks.has(Marks::OUTER);
        // Only whoever reads the content wants to know whose it is.
        let mut envelope = match &flow.state {
            TransportState::Tcp(tcp) if tcp.content => flow.envelope(),
            _ => Envelope::default(),
        };
        let origin = flow.origin();
        let Flow { endpoints, anomalies, services, history, state, .. } = flow;
        let TransportState::Tcp(tcp) = state else { return Some(index) };
        let TcpFlow { tcp, stream, content, given_up } = &mut **tcp;
        // Only who reads can announce another flow.
        let was_read = *content;
        let ports = Ports { originator: endpoints.src_port, responder: endpoints.dst_port };
        let missed = tcp.missed_bytes();
        let known = *services;
        let was_closed = tcp.is_closed() || tcp.is_reset();
        let records = &mut self.records;
        let mut cx = Context {
            now: item.ts,
            packet: item.number,
            origin,
            entities,
            transfers,
            certificates: Some(&mut self.certificates),
            has_handshake: tcp.has_handshake(),
            ..Context::new(&mut envelope, records, anomalies, services, &self.settings.sessions)
        };
        if *content && wants_bytes && item.layer.payload_length > 0 {
            let carried = flow.ip_bytes.iter().sum();
            if self.pressure.gives_up(stream.is_none(), carried) {
                match stream {
                    Some(stream) => stream.give_up(&mut cx, sessions),
                    None => cx.anomaly(AnomalyName::StreamShed, None, NO_TIME),
                }
                *given_up = true;
            }
        }
        wants_bytes &= !*given_up;
        let outcome =
            tcp.segment(direction, segment, ports, history, reassembly, &mut |direction, part| match part {
                Delivered::Data(bytes) if wants_bytes => {
                    stream.get_or_insert_default().data(direction, bytes, &mut cx, sessions);
                }
                Delivered::Gap(missing) if wants_bytes => {
                    stream.get_or_insert_default().gap(direction, missing, &mut cx, sessions);
                }
                _ => {}
            });
        if !outcome.oddities.is_empty() {
            for name in outcome.oddities.names() {
                cx.anomaly(name, None, "");
            }
        }
        let flip = cx.flip;
        if *services != known && services.are_interactive() {
            tcp.set_interactive();
        }
        if *content && (stream.as_ref().is_some_and(|stream| stream.is_over()) || !wants_bytes) {
            *content = false;
            *stream = None;
            tcp.set_content(Direction::ToResponder, false, reassembly);
            tcp.set_content(Direction::ToOriginator, false, reassembly);
        }
        if *given_up {
            self.counters.shed_bytes += u64::from(item.layer.payload_length);
        }
        let missed = tcp.missed_bytes() - missed;
        let closes = !was_closed && (tcp.is_closed() || tcp.is_reset());
        flow.count(direction, &item.layer);
        if outcome.counts_time {
            flow.last = item.ts;
        }
        if outcome.flipped {
            flow.roles_were_swapped();
        } else if flip {
            flow.flip();
        }
        if missed > 0 {
            self.counters.unseen_bytes += missed;
            self.counters.unseen_segments += 1;
        }
        if closes {
            let deadline = flow.deadline(&self.settings.timeouts);
            self.schedule(index, deadline, item.now);
        }
        if was_read {
            self.claim(shard, item);
        }
        Some(index)
    }

    /// Something was wrong with a packet that has a flow.
    fn problem(&mut self, index: Option<u32>, problem: Problem, item: &Item) {
        if let Some(flow) = index.and_then(|index| self.flows.flow_mut(index)) {
            flow.anomalies.note(problem.name, None, problem.what, item.ts, item.number);
        }
    }
}

/// Which of the budgets is that of a shard.
#[inline]
fn budget_of(shard: u8, budgets: &[[Budget; 2]]) -> usize {
    usize::from(shard) % budgets.len().max(1)
}
