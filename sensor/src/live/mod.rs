//! A live sensor: rings of interfaces in, the lake out, until it is told to stop.
//!
//! ```text
//!  kernel                     workers (N, nothing shared)              journal ─► lake
//!  fan-out by ─► ring 0 ─► merge ─► front ─► flows, sessions ─► rows ─┐
//!  host pair     of each                                              ├─► once a second
//!            ─► ring N  ─► …                                        ──┘
//!  this thread: signals, what was lost where, memory, metrics, retention, the service manager
//! ```
//!
//! Each worker has a ring of every interface, and both directions of a pair of hosts and their fragments are in the rings
//! of one worker, so none of them waits for another. Time is that of packets; without packets it goes on by itself.

mod episodes;
pub mod feed;
mod load;
pub(crate) mod machine;
pub mod meters;
mod metrics;
mod retained;
mod shared;
mod watch;
mod worker;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use schemas::batch::{Counts, TABLE_NAMES};
use schemas::column::Names;

use crate::capture::ring;
use crate::config::{Capture, Config, Limits};
use crate::counters::{Lost, Report};
use crate::front::Front;
use crate::journal::{self, Keeper};
use crate::local::LocalNetworks;
use crate::store::Store;
use crate::worker::Worker;

use feed::{Feed, Rings};
use meters::Meters;
use shared::Shared;
use watch::{Watch, Watched};
use worker::{Ended, LiveWorker, Parts};

pub use watch::Control;

/// Captures until `control` says to stop.
///
/// # Errors
/// An interface cannot be read, the lake cannot be written, or a thread broke; rows that had been journalled are safe.
pub fn run(capture: &Capture, control: &mut dyn Control) -> Result<Report> {
    let workers = capture.config.workers.max(1);
    let seed = seed();
    let mut feeds: Vec<Vec<ring::Ring>> = (0..workers).map(|_| Vec::new()).collect();
    for interface in &capture.interfaces {
        let options = ring::Options {
            interface: interface.clone(),
            snap_length: capture.snap_length,
            ring_bytes: capture.ring_bytes,
            promiscuous: capture.promiscuous,
            timestamps: capture.timestamps,
            filter: capture.config.filter.clone(),
            seed: seed as u32,
        };
        for (rings, ring) in feeds.iter_mut().zip(ring::open(&options, workers)?) {
            if capture.timestamps == ring::Timestamps::Hardware
                && ring.timestamps() == ring::Timestamps::Kernel
                && rings.is_empty()
            {
                tracing::warn!("{interface} has no time stamps of its own; the kernel's are used");
            }
            rings.push(ring);
        }
    }
    let feeds = feeds.into_iter().map(|rings| Rings::new(rings, capture.merge_window)).collect();
    run_with(capture, feeds, seed, control)
}

/// Captures from these feeds, one a worker.
///
/// # Errors
/// As [`run`].
pub fn run_with<F: Feed>(
    capture: &Capture,
    feeds: Vec<F>,
    seed: u64,
    control: &mut dyn Control,
) -> Result<Report> {
    let started = Instant::now();
    let store = Store::open(&capture.config.files)?;
    let names = Names { sensor: capture.config.sensor.clone(), sources: sources(&capture.interfaces) };
    let all_interfaces = (names.sources.len() - 1) as u16;
    let journal = journal::Config {
        rotate_every: capture.rotate_every,
        rotate_bytes: capture.rotate_bytes,
        // With what waits for it in workers and rings, a crash costs less than a second.
        sync_every: Duration::from_millis(500),
        certificate_interval: capture
            .config
            .certificate_interval
            .map(|interval| u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX)),
        encoders: thread::available_parallelism().map_or(1, usize::from),
        before_publish: store
            .clone()
            .map(|store| Arc::new(move || store.sync()) as Arc<dyn Fn() + Send + Sync>),
        ..journal::Config::new(capture.lake.clone(), names)
    };
    let (rows, keeper) = Keeper::start(journal)?;
    let shared = Arc::new(Shared::new(capture.config.clone(), feeds.len(), capture.stats_interval));
    let own = share_of(&capture.config, feeds.len());
    let local = Arc::new(LocalNetworks::new(&own.local_networks));
    let meters: Vec<Arc<Meters>> = feeds.iter().map(|_| Arc::default()).collect();
    let ended = thread::scope(|scope| {
        // Whoever leaves early, because a thread cannot be started, leaves none that runs on.
        let stops = Stops(&shared);
        let mut threads = Vec::new();
        for (number, feed) in feeds.into_iter().enumerate() {
            let meters = Arc::clone(meters.get(number).context("every worker has meters")?);
            let worker = Worker::new(number, &own, Arc::clone(&local))
                .live(&own)
                .with_store(store.as_ref().map(Store::shared));
            let live = LiveWorker::new(Parts {
                number,
                feed,
                front: Front::new(&own, seed),
                worker,
                rows: rows.clone(),
                shared: Arc::clone(&shared),
                meters,
                source: all_interfaces,
            });
            let core = match capture.cores.len() {
                0 => None,
                cores => capture.cores.get(number % cores).copied(),
            };
            let stopping = Arc::clone(&shared);
            let run = move || {
                let mut ends = Ends { shared: stopping, failed: true };
                if let Some(core) = core {
                    pin(core)?;
                }
                let ended = live.run();
                ends.failed = ended.is_err();
                ended
            };
            let thread = thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn_scoped(scope, run)
                .context("starting a worker thread")?;
            threads.push(thread);
        }
        let watched = Watched {
            capture,
            shared: &shared,
            meters: &meters,
            keeper: &keeper,
            store: store.as_ref(),
            rows: &rows,
        };
        let watched = Watch::new(watched, control).and_then(Watch::run);
        drop(stops);
        let mut ended = Vec::new();
        for thread in threads {
            ended.push(thread.join().unwrap_or_else(|_| Err(anyhow!("a worker broke"))));
        }
        watched.map(|watched| (watched, ended))
    });
    drop(rows);
    if let Some(store) = &store {
        store.sync();
    }
    let summary = keeper.finish(PUBLISH)?;
    let (watched, ended) = ended?;
    let ended = ended.into_iter().collect::<Result<Vec<Ended>>>()?;
    let mut report =
        Report { rows: by_table(&summary.published), wall: started.elapsed(), ..Report::default() };
    for worker in &ended {
        report.add(crate::pipeline::report_of(&worker.front, std::slice::from_ref(&worker.counters)));
    }
    let sum = |meter: fn(&Meters) -> &AtomicU64| {
        meters.iter().map(|meters| meter(meters).load(Ordering::Relaxed)).sum::<u64>()
    };
    report.lost = Some(Lost {
        interface: watched.dropped_interface,
        ring: sum(|meters| &meters.dropped_ring),
        queue: sum(|meters| &meters.dropped_queue),
        unseen_bytes: sum(|meters| &meters.acked_unseen_bytes),
        rows: summary.dropped.iter().sum::<u64>() + summary.lost + sum(|meters| &meters.rows_dropped),
        segments: summary.segments,
    });
    report.certificate_repeats = summary.repeats;
    report.removed = watched.removed;
    report.extracted = store.map(|store| store.extracted());
    Ok(report)
}

/// Tells all threads to stop when it is let go.
struct Stops<'a>(&'a Shared);

impl Drop for Stops<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The end of a worker. One that fails or breaks ends all others: half a sensor would look like a whole one.
struct Ends {
    shared: Arc<Shared>,
    failed: bool,
}

impl Drop for Ends {
    fn drop(&mut self) {
        if self.shared.ended() || self.failed {
            self.shared.stop();
        }
    }
}

/// Names of the sources: each interface, and one for all of them where there are several.
fn sources(interfaces: &[String]) -> Vec<String> {
    let mut sources = interfaces.to_vec();
    if sources.len() != 1 {
        sources.push(interfaces.join(","));
    }
    sources
}

/// What one of several workers may hold: bounds are those of the whole.
fn share_of(config: &Config, workers: usize) -> Config {
    let workers = workers.max(1);
    let Limits { flows, stream_bytes, fragment_bytes } = config.limits;
    let limits = Limits {
        flows: flows / workers,
        stream_bytes: stream_bytes / workers as u64,
        fragment_bytes: fragment_bytes / workers as u64,
    };
    // Each has a front end of its own, which has nobody to share packets out to.
    Config { workers: 1, limits, ..config.clone() }
}

/// Rows by table, tables without rows left out.
fn by_table(counts: &Counts) -> BTreeMap<&'static str, u64> {
    TABLE_NAMES.into_iter().zip(*counts).filter(|(_, rows)| *rows > 0).collect()
}

/// Nobody who sends packets can know which of them meet in one place.
fn seed() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}

/// Lets this thread run on one core only.
fn pin(core: usize) -> Result<()> {
    let mut cores = rustix::thread::CpuSet::new();
    cores.set(core);
    rustix::thread::sched_setaffinity(None, &cores)
        .with_context(|| format!("--cores: running on core {core}"))
}

/// How long publishing may take at the end; what is left then stays in the journal.
const PUBLISH: Duration = Duration::from_secs(5);
