//! `sensor_stats`: what each worker did in each interval, and what was lost where.

/// The record of the table `sensor_stats`. The reader is worker -1, and what it alone sees stands in its rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the columns are documented where they are declared")]
pub struct SensorStats {
    pub interval: f64,
    pub worker: i32,
    pub packets: i64,
    pub bytes: i64,
    pub dropped_interface: i64,
    pub dropped_ring: i64,
    pub dropped_queue: i64,
    pub undecodable: i64,
    pub bad_checksums: i64,
    pub duplicates: i64,
    pub fragments: i64,
    pub flows_active: i64,
    pub flows_created: i64,
    pub flows_evicted: i64,
    pub acked_unseen_segments: i64,
    pub acked_unseen_bytes: i64,
    pub stream_bytes_held: i64,
    pub stream_bytes_shed: i64,
    pub rows_written: i64,
    pub files_hashed: i64,
    pub file_bytes: i64,
    pub anomalies: i64,
    pub queue_depth: i64,
    pub resident_bytes: i64,
    pub cpu_seconds: f64,
    pub write_seconds: f64,
}
