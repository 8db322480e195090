//! Whoever watches over the workers: what is asked of the sensor, what is lost where, how much memory is left, and what
//! the service manager wants to know.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use crossbeam_channel::Sender;
use schemas::batch::Records;
use schemas::envelope::Envelope;
use schemas::sensor_stats::SensorStats;
use sd_notify::NotifyState;
use tracing::{error, info, warn};

use super::episodes::{Episodes, Told};
use super::machine::{self, Interfaces};
use super::meters::Meters;
use super::metrics::{self, Totals, View};
use super::retained::Retained;
use super::shared::Shared;
use crate::clock;
use crate::config::Capture;
use crate::journal::Keeper;
use crate::log;
use crate::retention::Removed;
use crate::store::Store;
use crate::worker::Pressure;

/// Who tells a live sensor what to do.
pub trait Control {
    /// Whether it is to come to its end.
    fn stops(&mut self) -> bool;

    /// Whether it is to read its settings again; true once for each time that this is asked.
    fn reloads(&mut self) -> bool;

    /// The settings, read again.
    ///
    /// # Errors
    /// They are wrong; the old ones stay.
    fn settings(&mut self) -> Result<Capture>;
}

/// What is watched.
pub(super) struct Watched<'a> {
    pub(super) capture: &'a Capture,
    pub(super) shared: &'a Arc<Shared>,
    pub(super) meters: &'a [Arc<Meters>],
    pub(super) keeper: &'a Keeper,
    pub(super) store: Option<&'a Store>,
    pub(super) rows: &'a Sender<Records>,
}

/// What was seen, at the end.
pub(super) struct Seen {
    pub(super) dropped_interface: u64,
    pub(super) removed: Option<Removed>,
}

/// The watch.
pub(super) struct Watch<'a> {
    watched: Watched<'a>,
    control: &'a mut dyn Control,
    view: Arc<View>,
    interfaces: Interfaces,
    retained: Retained,
    memory: u64,
    episodes: Episodes,
    metrics: Option<thread::JoinHandle<()>>,
    /// For each worker how often it has looked for packets, and when that last grew.
    beats: Vec<(u64, Instant)>,
    looked: Instant,
    /// Packets and bytes of all workers then.
    counted: [u64; 2],
    /// What each worker had lost then: ring and queue.
    lost: Vec<[u64; 2]>,
    pressure: Vec<u64>,
    reported: Reported,
    watchdog: Option<Duration>,
    pinged: Instant,
}

/// What the last row of statistics of the whole process said.
struct Reported {
    at: Instant,
    cpu: u64,
    rows: u64,
    writing: u64,
    /// By interface.
    dropped: Vec<u64>,
}

/// How often it is looked what is asked.
const SHORT: Duration = Duration::from_millis(100);

/// How often numbers are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// A worker that does not look for packets for so long hangs: the service manager may start the sensor anew.
const HANGS: Duration = Duration::from_secs(20);

/// Per cent of the memory from which on each level of leaving things undone begins.
const MEMORY: [u64; 3] = [85, 92, 97];

impl<'a> Watch<'a> {
    pub(super) fn new(watched: Watched<'a>, control: &'a mut dyn Control) -> Result<Self> {
        let Watched { capture, shared, meters, keeper, store, .. } = &watched;
        let now = Instant::now();
        let memory = capture.memory.or_else(|| Some(machine::memory()? / 10 * 8)).unwrap_or(u64::MAX);
        let view = Arc::new(View {
            interfaces: capture.interfaces.clone(),
            workers: meters.to_vec(),
            journal: Arc::clone(keeper.meters()),
            totals: Totals {
                dropped: capture.interfaces.iter().map(|_| AtomicU64::new(0)).collect(),
                ..Totals::default()
            },
            started: now,
            memory,
        });
        let metrics = match capture.metrics {
            Some(address) => Some(metrics::serve(address, Arc::clone(&view), Arc::clone(shared))?),
            None => None,
        };
        let store = store.cloned();
        Ok(Self {
            interfaces: Interfaces::new(&capture.interface_counters, &capture.interfaces),
            retained: Retained::start(capture.lake.clone(), store, Arc::clone(shared), capture.rotate_every)?,
            memory,
            episodes: Episodes::default(),
            metrics,
            beats: vec![(0, now); meters.len()],
            looked: now,
            counted: [0; 2],
            lost: vec![[0; 2]; meters.len()],
            pressure: vec![0; meters.len()],
            reported: Reported {
                at: now,
                cpu: machine::process_cpu(),
                rows: 0,
                writing: 0,
                dropped: vec![0; capture.interfaces.len()],
            },
            watchdog: sd_notify::watchdog_enabled(),
            pinged: now,
            view,
            watched,
            control,
        })
    }

    /// Watches until the sensor is to stop, or a worker has ended.
    pub(super) fn run(mut self) -> Result<Seen> {
        let Watched { capture, meters, shared, .. } = &self.watched;
        let (workers, shared) = (meters.len(), Arc::clone(shared));
        info!(
            "capturing on {} with {workers} worker{} into {}",
            capture.interfaces.join(", "),
            if workers == 1 { "" } else { "s" },
            capture.lake.display()
        );
        notify(&[NotifyState::Ready]);
        while !shared.stops() {
            if self.control.stops() {
                info!("stopping");
                break;
            }
            if self.control.reloads() {
                self.reload();
            }
            let now = Instant::now();
            if now.duration_since(self.looked) >= LOOK {
                self.look(now);
            }
            self.ping(now);
            thread::sleep(SHORT);
        }
        notify(&[NotifyState::Stopping]);
        shared.stop();
        let now = Instant::now();
        self.look(now);
        self.report(now);
        if let Some(metrics) = self.metrics {
            // It holds nothing that could be lost.
            let _ = metrics.join();
        }
        let dropped_interface =
            self.view.totals.dropped.iter().map(|dropped| dropped.load(Ordering::Relaxed)).sum();
        Ok(Seen { dropped_interface, removed: self.retained.finish() })
    }

    /// Tells the service manager that all is well, where it is.
    fn ping(&mut self, now: Instant) {
        let Some(watchdog) = self.watchdog else { return };
        if now.duration_since(self.pinged) < watchdog / 3 {
            return;
        }
        self.pinged = now;
        for ((beats, grew), meters) in self.beats.iter_mut().zip(self.watched.meters) {
            let beat = Meters::get(&meters.beats);
            if beat != *beats {
                (*beats, *grew) = (beat, now);
            }
        }
        match self.beats.iter().position(|(_, grew)| now.duration_since(*grew) >= HANGS) {
            None => notify(&[NotifyState::Watchdog]),
            Some(worker) => error!("worker {worker} has not looked for packets for {} s", HANGS.as_secs()),
        }
    }

    /// Looks at all numbers, tells what begins and ends, and what there is too much of.
    fn look(&mut self, now: Instant) {
        let seconds = now.duration_since(self.looked).as_secs_f64().max(1e-3);
        self.looked = now;
        let view = Arc::clone(&self.view);
        for ((name, dropped), total) in
            view.interfaces.iter().zip(self.interfaces.dropped()).zip(&view.totals.dropped)
        {
            total.fetch_add(dropped, Ordering::Relaxed);
            self.lost(&format!("interface {name} drops packets"), dropped, now);
        }
        let mut counted = [0; 2];
        for (number, meters) in view.workers.iter().enumerate() {
            counted[0] += Meters::get(&meters.packets);
            counted[1] += Meters::get(&meters.bytes);
            let lost = [Meters::get(&meters.dropped_ring), Meters::get(&meters.dropped_queue)];
            let before =
                self.lost.get_mut(number).map(|before| std::mem::replace(before, lost)).unwrap_or_default();
            let [ring, queue] = [lost[0].saturating_sub(before[0]), lost[1].saturating_sub(before[1])];
            self.lost(&format!("the ring of worker {number} is full and drops packets"), ring, now);
            self.lost(
                &format!("worker {number} has no time for new flows and leaves out packets"),
                queue,
                now,
            );
            let level = Meters::get(&meters.pressure);
            if let Some(before) = self.pressure.get_mut(number)
                && *before != level
            {
                let what = Pressure::of(usize::try_from(level).unwrap_or(usize::MAX)).what();
                match level > *before {
                    true => warn!("worker {number} cannot keep up: {what}"),
                    false => info!("worker {number}: {what}"),
                }
                *before = level;
            }
        }
        let per_second = |of: usize| (counted[of].saturating_sub(self.counted[of]) as f64 / seconds) as u64;
        view.totals.packets_per_second.store(per_second(0), Ordering::Relaxed);
        view.totals.bits_per_second.store(per_second(1).saturating_mul(8), Ordering::Relaxed);
        self.counted = counted;
        let (files, bytes) = self.retained.so_far();
        view.totals.removed_files.store(files, Ordering::Relaxed);
        view.totals.removed_bytes.store(bytes, Ordering::Relaxed);
        self.judge_memory();
        log::tell_left_out();
        if now.duration_since(self.reported.at) >= self.watched.shared.interval {
            self.report(now);
        }
    }

    /// Holds the memory in use against what there may be.
    fn judge_memory(&self) {
        let used = machine::resident() / (self.memory / 100).max(1);
        let pressure = Pressure::of(MEMORY.iter().filter(|begins| used >= **begins).count());
        let before = self.watched.shared.pressure();
        self.watched.shared.set_pressure(pressure);
        if pressure > before {
            warn!("{used} per cent of --memory {} are in use: {}", self.memory, pressure.what());
        } else if pressure < before {
            info!("{used} per cent of --memory {} are in use: {}", self.memory, pressure.what());
        }
    }

    fn lost(&mut self, what: &str, count: u64, now: Instant) {
        match self.episodes.note(what, count, now) {
            Some(Told::Begins(count)) => warn!(packets = count, "{what}"),
            Some(Told::Over(count, time)) => {
                info!(packets = count, seconds = time.as_secs(), "no more: {what}");
            }
            None => {}
        }
    }

    /// Rows of `sensor_stats` about the whole process, and about each interface where there are several.
    fn report(&mut self, now: Instant) {
        let (view, before) = (&self.view, &self.reported);
        let writing =
            Meters::get(&view.journal.journal_nanoseconds) + Meters::get(&view.journal.publish_nanoseconds);
        let (cpu, rows) = (machine::process_cpu(), view.journal.published.total());
        let dropped: Vec<u64> =
            view.totals.dropped.iter().map(|dropped| dropped.load(Ordering::Relaxed)).collect();
        let since: Vec<u64> =
            dropped.iter().zip(&before.dropped).map(|(now, before)| now.saturating_sub(*before)).collect();
        let interval = now.duration_since(before.at).as_secs_f64();
        let process = SensorStats {
            interval,
            worker: -1,
            queue_depth: Meters::get(&view.journal.segments).cast_signed(),
            rows_written: rows.saturating_sub(before.rows).cast_signed(),
            resident_bytes: machine::resident().cast_signed(),
            cpu_seconds: cpu.saturating_sub(before.cpu) as f64 / 1e9,
            write_seconds: writing.saturating_sub(before.writing) as f64 / 1e9,
            ..SensorStats::default()
        };
        let mut records = Records::default();
        let mut push = |source: usize, record: SensorStats| {
            let envelope = Envelope { ts: clock::wall(), source: source as u16, ..Envelope::default() };
            records.sensor_stats.push(envelope, |_| record);
        };
        match since.as_slice() {
            [dropped] => push(0, SensorStats { dropped_interface: dropped.cast_signed(), ..process }),
            several => {
                for (source, dropped) in several.iter().enumerate() {
                    let dropped_interface = dropped.cast_signed();
                    push(
                        source,
                        SensorStats { interval, worker: -1, dropped_interface, ..SensorStats::default() },
                    );
                }
                push(several.len(), process);
            }
        }
        self.reported = Reported { at: now, cpu, rows, writing, dropped };
        // Where nobody takes rows any more, the workers say so.
        let _ = self.watched.rows.send_timeout(records, LOOK);
    }

    /// Takes over what may change while it runs, and says what may not.
    fn reload(&mut self) {
        let new = match self.control.settings() {
            Ok(new) => new,
            Err(error) => {
                error!("the settings are as they were: {error:#}");
                return;
            }
        };
        let (_, old) = self.watched.shared.settings();
        for option in self.watched.capture.needs_restart(&new) {
            warn!("--{option} has changed and counts from the next start on");
        }
        let config = old.with_reloadable(&new.config);
        if config == *old {
            info!("read the settings again: nothing that counts now has changed");
        } else {
            info!("read the settings again: those that have changed count now");
            self.watched.shared.set_settings(config);
        }
    }
}

/// Tells the service manager something, where there is one.
fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!("the service manager cannot be told: {error}");
    }
}
