//! A run from its captures to the lake: the threads and how they are wired. The file to read first.
//!
//! ```text
//!  this thread                   workers (N, nothing shared)        lake
//!  blocks of frames ─► front ─┬─► flows, streams, sessions ─► rows ─┬─► collector ─► encoders ─► writer
//!                             ├─► …                                 │
//!                             └─► …   (and the reader's own rows) ──┘
//! ```
//!
//! Where there are more than two cores a thread reads blocks ahead of this one ([`capture::Ahead`]).
//!
//! All channels are bounded: whoever is fast waits for whoever is slow. Errors travel along them too: a writer that
//! fails drops its receiver, the workers' sends fail, then the reader's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use crossbeam_channel::{Sender, bounded};
use schemas::batch::Records;
use schemas::column::Names;
use schemas::envelope::Envelope;
use schemas::sensor_stats::SensorStats;
use sha2::{Digest, Sha256};

use crate::anomalies;
use crate::capture::{self, Ahead, Filter, FrameBatch, Identity, Pool, Source};
use crate::clock;
use crate::config::{Config, IfExists, Replay, Retention};
use crate::counters::{Damage, Report};
use crate::dispatch::REPLAY_SEED;
use crate::front::Front;
use crate::local::LocalNetworks;
use crate::output::{self, Epoch, Lake};
use crate::progress::Progress;
use crate::retention;
use crate::store::Store;
use crate::work::{FinalSlice, Work};
use crate::worker::{Reach, Worker, WorkerCounters};

/// Packets of an epoch: rows of one epoch are put into one order before they are written. Large enough that workers
/// are not held up by each other, small enough that the rows that wait are few.
const EPOCH_PACKETS: u64 = 1 << 14;

/// Bytes of the packets of an epoch: hundreds of requests fit into a large one, and each may be a row of a kilobyte.
const EPOCH_BYTES: u64 = 4 << 20;

/// Captures of one run: a row names its source in 16 bits.
const MAX_SOURCES: usize = 1 << 16;

/// Blocks that wait for a worker: enough to ride out a stall of the other, few enough to stay in the cache.
const QUEUE: usize = 8;

/// Replays captures into a lake.
///
/// # Errors
/// A capture cannot be opened, or the lake cannot be written; what had been published is whole.
pub fn run(replay: &Replay, progress: &Progress) -> Result<Report> {
    let started = Instant::now();
    let mut report = Report::default();
    let store = Store::open(&replay.config.files)?;
    if replay.continuous {
        let mut captures = Vec::new();
        for path in &replay.captures {
            captures.push((capture::first_timestamp(path)?, path.clone()));
        }
        captures.sort();
        let captures: Vec<PathBuf> = captures.into_iter().map(|(_, path)| path).collect();
        report.add(run_together(replay, &captures, store.as_ref(), progress)?);
    } else {
        for path in &replay.captures {
            report.add(run_together(replay, std::slice::from_ref(path), store.as_ref(), progress)?);
        }
    }
    if Retention::default() != replay.config.retention {
        let (keep, now) = (&replay.config.retention, clock::wall());
        let removed =
            retention::run(&replay.lake, store.as_ref(), keep, now, &mut retention::Cache::default());
        report.removed = Some(removed?);
    }
    report.extracted = store.map(|store| store.extracted());
    report.wall = started.elapsed();
    Ok(report)
}

/// Replays captures one behind the other, as one.
fn run_together(
    replay: &Replay,
    captures: &[PathBuf],
    store: Option<&Store>,
    progress: &Progress,
) -> Result<Report> {
    let config = &replay.config;
    if captures.len() > MAX_SOURCES {
        bail!("{} captures are more than {MAX_SOURCES} at a time; replay them in parts", captures.len());
    }
    let pool = Pool::default();
    // The first is opened before anything is made, so that a wrong path leaves no trace; the others when their turn
    // comes, for there may be thousands.
    let mut identities = Vec::new();
    let mut opened = Vec::new();
    for path in captures {
        let capture = open(path, &pool, config)?;
        identities.push(capture.identity());
        // What is no file (a pipe, standard input) gives its bytes only once.
        opened.push((captures.len() == 1 || !path.is_file()).then_some(capture));
    }
    let names = Names {
        sensor: config.sensor.clone(),
        sources: captures.iter().map(|path| source_name(path)).collect(),
    };
    let workers = config.workers.max(1);
    let lake = output::Config {
        lake: replay.lake.clone(),
        names,
        input_hash: input_hash(&config.sensor, &identities),
        if_exists: match replay.if_exists {
            IfExists::Replace => output::IfExists::Replace,
            IfExists::Refuse => output::IfExists::Refuse,
            IfExists::Append => output::IfExists::Append,
        },
        bounds: output::Bounds::default(),
        certificate_interval: certificate_interval(config),
    };
    let (rows, lake) = Lake::start(lake, workers + 1, encoders())?;
    let input = Input { captures, opened };
    let passed = match pass(config, input, rows, store, progress, Reach::default()) {
        Ok(passed) => passed,
        Err(error) => {
            lake.abandon();
            return Err(error);
        }
    };
    if let Some(store) = store {
        store.sync();
    }
    let written = lake.finish()?;
    Ok(Report { rows: written.rows, certificate_repeats: written.repeats, ..passed })
}

/// What is read one behind the other, as one.
pub(crate) struct Input<'a> {
    /// Their paths.
    pub(crate) captures: &'a [PathBuf],
    /// Those that are open already.
    pub(crate) opened: Vec<Option<Box<dyn Source>>>,
}

/// Reads captures and has workers follow their packets as far as `reach` says; what these emit goes to `rows`, an
/// epoch at a time. Returns when all is read and followed.
///
/// # Errors
/// A capture cannot be opened.
pub(crate) fn pass(
    config: &Config,
    Input { captures, opened }: Input<'_>,
    rows: Sender<Epoch>,
    store: Option<&Store>,
    progress: &Progress,
    reach: Reach,
) -> Result<Report> {
    let pool = Pool::default();
    let local = Arc::new(LocalNetworks::new(&config.local_networks));
    let mut reader = Reader::new(config, rows.clone(), progress);
    // On two cores the workers and the encoders keep both busy as it is.
    let reads_ahead = encoders() > 2;
    let counted = thread::scope(|scope| {
        let mut to_workers = Vec::new();
        let mut handles = Vec::new();
        for number in 0..config.workers.max(1) {
            let (to_worker, work) = bounded::<Work>(QUEUE);
            let (rows, local) = (rows.clone(), Arc::clone(&local));
            let worker =
                Worker::new(number, config, local).with_store(store.map(Store::shared)).reaching(reach);
            to_workers.push(to_worker);
            handles.push(
                thread::Builder::new()
                    .name(format!("worker-{number}"))
                    .spawn_scoped(scope, move || worker.run(&work, &rows))
                    .context("starting a worker thread")?,
            );
        }
        drop(rows);
        for (source, (path, opened)) in captures.iter().zip(opened).enumerate() {
            let capture = match opened {
                Some(capture) => capture,
                None => open(path, &pool, config)?,
            };
            let capture = if reads_ahead {
                Box::new(Ahead::new(capture).context("starting the thread that reads")?)
            } else {
                capture
            };
            progress.begin(&path.display().to_string());
            let going_on = reader.read(capture, path, source as u16, &to_workers);
            if !going_on {
                break;
            }
        }
        reader.finish(&to_workers);
        drop(to_workers);
        let counted: Vec<WorkerCounters> = handles
            .into_iter()
            .map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect();
        anyhow::Ok(counted)
    });
    let Reader { front, damaged, rows, .. } = reader;
    drop(rows);
    let report = report_of(&front, &counted?);
    Ok(Report { captures: captures.len() as u64, damaged, ..report })
}

/// Opens a capture with the filter of the configuration.
pub(crate) fn open(path: &Path, pool: &Pool, config: &Config) -> Result<Box<dyn Source>> {
    let filter = config.filter.as_deref().map(Filter::new).transpose()?;
    Ok(capture::open(path, pool, filter)?)
}

/// Threads that turn rows into Parquet.
pub(crate) fn encoders() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// How long after its last row a certificate has one again, in nanoseconds.
pub(crate) fn certificate_interval(config: &Config) -> Option<u64> {
    let interval = config.certificate_interval?;
    Some(u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX))
}

/// The thread that reads: blocks of frames in, work for the workers out.
struct Reader<'a> {
    front: Front,
    rows: Sender<Epoch>,
    progress: &'a Progress,
    contributor: usize,
    epoch: u64,
    packets_in_epoch: u64,
    bytes_in_epoch: u64,
    damaged: Vec<Damage>,
}

impl<'a> Reader<'a> {
    fn new(config: &Config, rows: Sender<Epoch>, progress: &'a Progress) -> Self {
        Self {
            front: Front::new(config, REPLAY_SEED),
            rows,
            progress,
            contributor: config.workers.max(1),
            epoch: 0,
            packets_in_epoch: 0,
            bytes_in_epoch: 0,
            damaged: Vec::new(),
        }
    }

    /// Reads a capture to its end. False when nobody takes the work any more.
    fn read(
        &mut self,
        mut capture: Box<dyn Source>,
        path: &Path,
        source: u16,
        to_workers: &[Sender<Work>],
    ) -> bool {
        let mut batch = FrameBatch::default();
        let file = capture.progress();
        let (mut file_bytes, mut packets, mut bytes) =
            (0, self.front.counters().packets, self.front.counters().bytes);
        while capture.next(&mut batch) {
            self.front.begin(&batch.block);
            for frame in &batch.frames {
                self.front.frame(&batch.block, frame, source);
            }
            self.packets_in_epoch += batch.frames.len() as u64;
            self.bytes_in_epoch += batch.frames.iter().map(|frame| u64::from(frame.captured)).sum::<u64>();
            let ends_epoch = self.packets_in_epoch >= EPOCH_PACKETS || self.bytes_in_epoch >= EPOCH_BYTES;
            batch.block = Arc::default();
            let handed_out = self.front.end(ends_epoch, |worker, work| {
                to_workers.get(worker).is_some_and(|to_worker| to_worker.send(work).is_ok())
            });
            if !handed_out || ends_epoch && !self.end_epoch(Records::default()) {
                return false;
            }
            let read = file.read();
            let counters = self.front.counters();
            self.progress.advance(read - file_bytes, counters.packets - packets, counters.bytes - bytes);
            (file_bytes, packets, bytes) = (read, counters.packets, counters.bytes);
        }
        self.damaged.extend(damage_of(&*capture, path));
        for damage in capture.damage() {
            let name = match damage.kind {
                capture::DamageKind::LinkType(_) | capture::DamageKind::SnoopLink(_) => continue,
                _ => schemas::anomaly::AnomalyName::CaptureDamaged,
            };
            let (now, packet) = (self.front.now(), damage.packets_before.max(1));
            self.front.stray_mut().note(name, None, &damage.to_string(), now, packet);
        }
        true
    }

    fn end_epoch(&mut self, records: Records) -> bool {
        self.packets_in_epoch = 0;
        self.bytes_in_epoch = 0;
        let number = self.epoch;
        self.epoch += 1;
        self.rows.send(Epoch { number, contributor: self.contributor, records }).is_ok()
    }

    /// Ends the run: what is left, and the reader's own rows.
    fn finish(&mut self, to_workers: &[Sender<Work>]) {
        self.front.finish();
        // Slice by slice, so that no worker gets far ahead of another with rows that then have to wait.
        for slice in FinalSlice::all(self.front.counters().packets) {
            let handed_out = self.front.end_slice(slice, |worker, work| {
                to_workers.get(worker).is_some_and(|to_worker| to_worker.send(work).is_ok())
            });
            let records = if slice.is_last() { self.own_records() } else { Records::default() };
            // If nobody takes them, the lake says why.
            if !handed_out || !self.end_epoch(records) {
                return;
            }
        }
    }

    /// The reader's own rows: what was wrong with frames that have no flow, and its statistics.
    fn own_records(&self) -> Records {
        let mut records = Records::default();
        let now = self.front.now();
        anomalies::emit(
            &Envelope { ts: now, ..Envelope::default() },
            self.front.stray(),
            &mut records.anomaly,
        );
        let counters = self.front.counters();
        let (first, last) = counters.span.unwrap_or((now, now));
        let stats = SensorStats {
            interval: (last - first) as f64 / 1e9,
            worker: -1,
            packets: counters.packets.cast_signed(),
            bytes: counters.bytes.cast_signed(),
            undecodable: counters.undecodable.values().sum::<u64>().cast_signed(),
            bad_checksums: counters.bad_checksums.cast_signed(),
            duplicates: counters.duplicates.cast_signed(),
            fragments: counters.fragments.cast_signed(),
            ..SensorStats::default()
        };
        if counters.packets > 0 {
            records.sensor_stats.push(Envelope { ts: now, ..Envelope::default() }, |_| stats);
        }
        records
    }
}

/// What was counted, in one report.
pub(crate) fn report_of(front: &Front, workers: &[WorkerCounters]) -> Report {
    let counters = front.counters();
    let mut anomalies = BTreeMap::new();
    for entry in front.stray().entries() {
        *anomalies.entry(entry.name).or_default() += entry.occurrences.unsigned_abs();
    }
    let mut report = Report {
        packets: counters.packets,
        bytes: counters.bytes,
        first: counters.span.map(|(first, _)| first),
        last: counters.span.map(|(_, last)| last),
        undecodable: counters.undecodable.clone(),
        unknown_link_types: counters.unknown_link_types.clone(),
        bad_checksums: counters.bad_checksums,
        duplicates: counters.duplicates,
        fragments: counters.fragments,
        shed_bytes: counters.fragments_shed,
        ..Report::default()
    };
    for worker in workers {
        report.flows += worker.flows;
        report.flows_evicted += worker.evicted;
        report.shed_bytes += worker.shed_bytes;
        for (name, count) in &worker.anomalies {
            *anomalies.entry(*name).or_default() += count;
        }
    }
    report.anomalies = anomalies;
    report
}

/// What was wrong with a capture, read to its end, as the summary names it.
pub(crate) fn damage_of(capture: &dyn Source, path: &Path) -> Vec<Damage> {
    let name = |what: &capture::Damage| Damage { path: path.display().to_string(), what: what.to_string() };
    capture.damage().iter().map(name).collect()
}

/// The name of a capture as the column `source` has it.
pub(crate) fn source_name(path: &Path) -> String {
    path.file_name().map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned())
}

/// Names files of the lake after what went in: the sensor's name and the content of the captures.
fn input_hash(sensor: &str, identities: &[Identity]) -> String {
    let mut hash = Sha256::new();
    hash.update((sensor.len() as u64).to_le_bytes());
    hash.update(sensor);
    for identity in identities {
        hash.update(identity);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_packets_end_an_epoch_by_their_bytes() {
        let mut capture =
            vec![0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 101, 0, 0, 0];
        let (packets, length) = (3 * EPOCH_BYTES / 60_000, 60_000_u32);
        for _ in 0..packets {
            capture.extend([[0; 8], [length.to_le_bytes(); 2].concat().try_into().unwrap()].concat());
            capture.resize(capture.len() + length as usize, 0);
        }
        let capture = capture::of_stream(std::io::Cursor::new(capture), &Pool::default(), None).unwrap();
        let (rows, epochs) = crossbeam_channel::unbounded();
        let (to_worker, work) = crossbeam_channel::unbounded();
        let (config, progress) = (Config::default(), Progress::default());
        let mut reader = Reader::new(&config, rows, &progress);
        assert!(reader.read(capture, Path::new("-"), 0, &vec![to_worker; config.workers.max(1)]));
        assert_eq!(reader.front.counters().packets, packets);
        // A block may go beyond the bound.
        assert_eq!(epochs.try_iter().count(), 2);
        assert!(work.try_iter().any(|work| work.ends_epoch));
    }
}
