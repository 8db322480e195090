//! One live worker: its own frames, front end and flows, in one thread; shares nothing but what it is told to stop by.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use crossbeam_channel::{SendTimeoutError, Sender, TrySendError};
use parsers::context::Anomalies;
use schemas::batch::Records;
use schemas::envelope::{Envelope, Nanoseconds};
use schemas::sensor_stats::SensorStats;

use super::Shared;
use super::feed::{Fed, Feed};
use super::load::Load;
use super::machine;
use super::meters::Meters;
use crate::anomalies;
use crate::capture::merge::Merged;
use crate::clock;
use crate::front::{Front, FrontCounters};
use crate::local::LocalNetworks;
use crate::work::FinalSlice;
use crate::worker::{Pressure, Worker, WorkerCounters};

/// A worker and what feeds it.
pub(super) struct LiveWorker<F> {
    number: usize,
    feed: F,
    front: Front,
    worker: Worker,
    rows: Sender<Records>,
    /// Rows that the journal did not take yet.
    waiting: Option<Records>,
    shared: Arc<Shared>,
    meters: Arc<Meters>,
    /// Version of the settings that it follows.
    version: u64,
    /// Number of the source that stands for all interfaces.
    source: u16,
    load: Load,
    /// Time of the clock with the last frames.
    last: Nanoseconds,
    looked: Instant,
    took: Instant,
    reported: Reported,
}

/// What the last row of statistics said.
struct Reported {
    at: Instant,
    front: FrontCounters,
    dropped_ring: u64,
    rows: u64,
    cpu: u64,
}

/// What a worker is made of.
pub(super) struct Parts<F> {
    pub(super) number: usize,
    pub(super) feed: F,
    pub(super) front: Front,
    pub(super) worker: Worker,
    pub(super) rows: Sender<Records>,
    pub(super) shared: Arc<Shared>,
    pub(super) meters: Arc<Meters>,
    pub(super) source: u16,
}

/// What is left of a worker that has ended.
pub(super) struct Ended {
    pub(super) front: Front,
    pub(super) counters: WorkerCounters,
}

impl<F: Feed> LiveWorker<F> {
    pub(super) fn new(parts: Parts<F>) -> Self {
        let Parts { number, feed, front, worker, rows, shared, meters, source } = parts;
        let now = Instant::now();
        Self {
            number,
            feed,
            front,
            worker,
            rows,
            waiting: None,
            version: shared.version(),
            shared,
            meters,
            source,
            load: Load::default(),
            last: 0,
            looked: now,
            took: now,
            reported: Reported { at: now, front: FrontCounters::default(), dropped_ring: 0, rows: 0, cpu: 0 },
        }
    }

    /// Works until it is told to stop or no frames come any more; then ends all flows.
    ///
    /// # Errors
    /// Frames cannot be read any more, or nobody takes the rows.
    pub(super) fn run(mut self) -> Result<Ended> {
        let mut batch = Merged::default();
        while !self.shared.stops() {
            let fed = self.feed.read(&mut batch).context("waiting for packets")?;
            match fed {
                Fed::Frames => self.frames(&mut batch),
                Fed::Idle(passed) => self.pass(passed),
                Fed::Ended => break,
            }
            self.look()?;
        }
        self.drain(&mut batch)?;
        self.finish()
    }

    /// Takes what came before it was told to stop; what comes meanwhile is no reason to go on.
    fn drain(&mut self, batch: &mut Merged) -> Result<()> {
        let (told, until) = (clock::wall(), Instant::now() + DRAIN);
        // Time stamps of a card that counts in TAI do not say what came before: then the rings have to be empty.
        let is_ahead = self.last > told;
        while Instant::now() < until {
            match self.feed.read(batch).context("waiting for packets")? {
                Fed::Frames => self.frames(batch),
                Fed::Idle(passed) if passed < SILENT => {}
                Fed::Idle(_) | Fed::Ended => return Ok(()),
            }
            if self.last >= told && !(is_ahead && self.feed.fill() > 0) {
                return Ok(());
            }
        }
        tracing::warn!("worker {} leaves packets in its rings: it was told to stop", self.number);
        Ok(())
    }

    fn frames(&mut self, batch: &mut Merged) {
        let Self { front, worker, .. } = self;
        front.begin(&batch.block);
        for (frame, source) in &batch.frames {
            front.frame(&batch.block, frame, *source);
        }
        batch.block = Arc::default();
        front.end(false, |_, work| {
            worker.work(&work);
            true
        });
        self.last = front.now();
    }

    /// No packet has come for a while: time goes on, from where the last one left it.
    fn pass(&mut self, passed: Duration) {
        let Self { front, worker, last, .. } = self;
        let passed = Nanoseconds::try_from(passed.as_nanos()).unwrap_or(Nanoseconds::MAX);
        front.pass(last.saturating_add(passed));
        front.end(false, |_, work| {
            worker.work(&work);
            true
        });
    }

    /// What has to be done besides, some times a second.
    fn look(&mut self) -> Result<()> {
        let now = Instant::now();
        let pressure = self.load.level(self.feed.fill(), now).max(self.shared.pressure());
        self.worker.set_pressure(pressure);
        let is_full = self.worker.held_by_rows() >= ROWS_BYTES;
        if !is_full && now.duration_since(self.looked) < LOOK {
            return Ok(());
        }
        self.looked = now;
        self.measure(pressure);
        if is_full || now.duration_since(self.took) >= TAKE {
            self.took = now;
            if now.duration_since(self.reported.at) >= self.shared.interval {
                self.report(now);
            }
            self.hand_on()?;
        }
        if self.version != self.shared.version() {
            let (version, config) = self.shared.settings();
            self.version = version;
            self.front.reconfigure(&config);
            self.worker.reconfigure(&config, Arc::new(LocalNetworks::new(&config.local_networks)));
        }
        Ok(())
    }

    /// Tells the others what it counted.
    fn measure(&mut self, pressure: Pressure) {
        let (meters, front, worker) = (&*self.meters, self.front.counters(), self.worker.counters());
        Meters::add(&meters.dropped_ring, self.feed.dropped());
        Meters::add(&meters.beats, 1);
        for (meter, value) in [
            (&meters.packets, front.packets),
            (&meters.bytes, front.bytes),
            (&meters.dropped_queue, worker.refused),
            (&meters.undecodable, front.undecodable.values().sum()),
            (&meters.bad_checksums, front.bad_checksums),
            (&meters.duplicates, front.duplicates),
            (&meters.fragments, front.fragments),
            (&meters.flows_created, worker.flows),
            (&meters.flows_evicted, worker.evicted),
            (&meters.flows_active, self.worker.flows_active() as u64),
            (&meters.acked_unseen_segments, worker.unseen_segments),
            (&meters.acked_unseen_bytes, worker.unseen_bytes),
            (&meters.stream_bytes_held, self.worker.held_by_streams() as u64),
            (&meters.stream_bytes_shed, worker.shed_bytes + front.fragments_shed),
            (&meters.files_hashed, worker.files_hashed),
            (&meters.file_bytes, worker.file_bytes),
            (&meters.anomalies, worker.anomalies.values().sum()),
            (&meters.ring_fill_percent, self.feed.fill().into()),
            (&meters.pressure, pressure as u64),
            (&meters.cpu_nanoseconds, machine::thread_cpu()),
        ] {
            Meters::set(meter, value);
        }
    }

    /// Writes a row of `sensor_stats`, and those of frames that belong to no flow.
    fn report(&mut self, now: Instant) {
        // Before its first packet a worker has no time of its own.
        let ts = Some(self.front.now()).filter(|now| *now > 0).unwrap_or_else(clock::wall);
        let (meters, before) = (&*self.meters, &self.reported);
        let counters = self.front.counters();
        let since = |count: fn(&FrontCounters) -> u64| (count(counters) - count(&before.front)).cast_signed();
        let rows = Meters::get(&meters.rows);
        let dropped_ring = Meters::get(&meters.dropped_ring);
        let cpu = machine::thread_cpu();
        let record = SensorStats {
            interval: now.duration_since(before.at).as_secs_f64(),
            worker: self.number as i32,
            packets: since(|counters| counters.packets),
            bytes: since(|counters| counters.bytes),
            dropped_ring: (dropped_ring - before.dropped_ring).cast_signed(),
            undecodable: since(|counters| counters.undecodable.values().sum()),
            bad_checksums: since(|counters| counters.bad_checksums),
            duplicates: since(|counters| counters.duplicates),
            fragments: since(|counters| counters.fragments),
            rows_written: (rows - before.rows).cast_signed(),
            queue_depth: self.rows.len() as i64,
            resident_bytes: machine::resident().cast_signed(),
            cpu_seconds: cpu.saturating_sub(before.cpu) as f64 / 1e9,
            ..self.worker.interval(ts)
        };
        self.reported = Reported { at: now, front: counters.clone(), dropped_ring, rows, cpu };
        let records = self.worker.records_mut();
        let envelope = Envelope { ts, source: self.source, ..Envelope::default() };
        anomalies::emit(&envelope, self.front.stray(), &mut records.anomaly);
        *self.front.stray_mut() = Anomalies::default();
        records.sensor_stats.push(envelope, |_| record);
    }

    /// Hands the rows so far to the journal, which takes them at once unless it is very busy.
    fn hand_on(&mut self) -> Result<()> {
        if let Some(records) = self.waiting.take()
            && !self.offer(records)?
        {
            if self.worker.held_by_rows() >= ROWS_BYTES {
                let rows = self.worker.take_records().counts().iter().sum();
                Meters::add(&self.meters.rows_dropped, rows);
            }
            return Ok(());
        }
        let records = self.worker.take_records();
        self.offer(records)?;
        Ok(())
    }

    /// False where they have to wait.
    fn offer(&mut self, records: Records) -> Result<bool> {
        let rows: u64 = records.counts().iter().sum();
        if rows == 0 {
            return Ok(true);
        }
        match self.rows.try_send(records) {
            Ok(()) => {
                Meters::add(&self.meters.rows, rows);
                Ok(true)
            }
            Err(TrySendError::Full(records)) => {
                self.waiting = Some(records);
                Ok(false)
            }
            Err(TrySendError::Disconnected(_)) => bail!("nobody takes the rows any more"),
        }
    }

    /// Ends all flows, with their rows.
    fn finish(mut self) -> Result<Ended> {
        let end = Instant::now() + FINISH;
        self.worker.set_pressure(Pressure::None);
        self.front.finish();
        for slice in FinalSlice::all(self.front.counters().packets) {
            let Self { front, worker, .. } = &mut self;
            front.end_slice(slice, |_, work| {
                worker.work(&work);
                true
            });
            if slice.is_last() {
                self.measure(Pressure::None);
                self.report(Instant::now());
            }
            if slice.is_last() || self.worker.held_by_rows() >= ROWS_BYTES {
                let waited = self.waiting.take();
                for records in waited.into_iter().chain([self.worker.take_records()]) {
                    let rows = records.counts().iter().sum();
                    match self.rows.send_deadline(records, end) {
                        Ok(()) => Meters::add(&self.meters.rows, rows),
                        Err(SendTimeoutError::Timeout(_)) => Meters::add(&self.meters.rows_dropped, rows),
                        Err(SendTimeoutError::Disconnected(_)) => bail!("nobody takes the rows any more"),
                    }
                }
            }
        }
        Ok(Ended { counters: self.worker.counters().clone(), front: self.front })
    }
}

/// How often it is looked what else is to be done.
const LOOK: Duration = Duration::from_millis(50);

/// How often rows are handed on.
const TAKE: Duration = Duration::from_millis(250);

/// Bytes of rows after which they are handed on earlier.
const ROWS_BYTES: usize = 8 << 20;

/// How long what waits in rings may take at the end.
const DRAIN: Duration = Duration::from_secs(2);

/// Without frames for so long there are none that wait: longer than the kernel fills a block, or frames of one interface
/// wait for those of another.
const SILENT: Duration = Duration::from_millis(200);

/// How long the journal may take for the last rows.
const FINISH: Duration = Duration::from_secs(3);
