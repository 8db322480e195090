//! What a worker counts, and its rows of `sensor_stats`.

use parsers::entities::Entities;
use schemas::anomaly::AnomalyName;
use schemas::envelope::{Envelope, Nanoseconds};
use schemas::sensor_stats::SensorStats;

use super::Worker;
use crate::flow::budget::Budget;

/// Most `sensor_stats` intervals are this far apart, in packet time.
const STATS_INTERVAL: Nanoseconds = 60_000_000_000;

/// What a worker counts; sums over the run.
#[derive(Clone, Debug, Default)]
pub struct WorkerCounters {
    /// Packets of flows, each encapsulation's too.
    pub packets: u64,
    /// Their bytes by IP length.
    pub bytes: u64,
    /// Packets with a wrong checksum.
    pub bad_checksums: u64,
    /// Second copies.
    pub duplicates: u64,
    /// Flows begun.
    pub flows: u64,
    /// Flows ended for want of room.
    pub evicted: u64,
    /// Acknowledged bytes that were never seen: lost before the sensor.
    pub unseen_bytes: u64,
    /// How often.
    pub unseen_segments: u64,
    /// Stream bytes given up for want of room or time.
    pub shed_bytes: u64,
    /// Packets that would have begun a flow when there was no time for it.
    pub refused: u64,
    /// Files that were hashed whole.
    pub files_hashed: u64,
    /// Bytes of files, after decoding.
    pub file_bytes: u64,
    /// Occurrences of each anomaly of a flow.
    pub anomalies: std::collections::BTreeMap<AnomalyName, u64>,
}

impl Worker {
    /// Writes a row if one is due at `now`.
    pub(super) fn statistics_at(&mut self, now: Nanoseconds) {
        if !self.keeps_statistics {
            return;
        }
        let due = *self.stats_due.get_or_insert(now.saturating_add(STATS_INTERVAL));
        if self.stats_since == 0 {
            self.stats_since = now;
        }
        if now >= due {
            self.statistics(now);
            self.stats_due = Some(now.saturating_add(STATS_INTERVAL));
        }
    }

    /// Counts the files whose rows have come since the last call.
    pub(super) fn count_files(&mut self) {
        let rows = &self.records.file.rows;
        for row in rows.get(self.files_counted..).unwrap_or_default() {
            self.counters.files_hashed += u64::from(row.record.complete);
            self.counters.file_bytes += row.record.seen_bytes;
        }
        self.files_counted = rows.len();
    }

    /// Writes a row about the time since the last one.
    pub(super) fn statistics(&mut self, now: Nanoseconds) {
        if !self.keeps_statistics {
            return;
        }
        let record = self.interval(now);
        self.records.sensor_stats.push(Envelope { ts: now, ..Envelope::default() }, |_| record);
    }

    /// What the flows hold in memory for the rest of messages and files.
    pub fn held_by_streams(&self) -> usize {
        let streams: usize = self.budgets.iter().flatten().map(Budget::used).sum();
        streams + self.entities.iter().map(Entities::held).sum::<usize>()
    }

    /// Flows that it follows now.
    pub fn flows_active(&self) -> usize {
        self.flows.len()
    }

    /// A record of `sensor_stats` about the time since the last one.
    pub fn interval(&mut self, now: Nanoseconds) -> SensorStats {
        self.count_files();
        let held = self.held_by_streams();
        let (sum, before) = (&self.counters, &self.reported);
        let since = |count: fn(&WorkerCounters) -> u64| (count(sum) - count(before)).cast_signed();
        let record = SensorStats {
            interval: now.saturating_sub(self.stats_since).max(0) as f64 / 1e9,
            worker: self.number as i32,
            packets: since(|counters| counters.packets),
            bytes: since(|counters| counters.bytes),
            bad_checksums: since(|counters| counters.bad_checksums),
            dropped_queue: since(|counters| counters.refused),
            duplicates: since(|counters| counters.duplicates),
            flows_active: self.flows.len() as i64,
            flows_created: since(|counters| counters.flows),
            flows_evicted: since(|counters| counters.evicted),
            acked_unseen_segments: since(|counters| counters.unseen_segments),
            acked_unseen_bytes: since(|counters| counters.unseen_bytes),
            stream_bytes_held: held as i64,
            stream_bytes_shed: since(|counters| counters.shed_bytes),
            files_hashed: since(|counters| counters.files_hashed),
            file_bytes: since(|counters| counters.file_bytes),
            anomalies: since(|counters| counters.anomalies.values().sum()),
            ..SensorStats::default()
        };
        self.reported = self.counters.clone();
        self.stats_since = now;
        record
    }
}
