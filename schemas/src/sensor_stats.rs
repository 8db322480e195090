//! `sensor_stats`: what each worker did in each interval, and what was lost where.

use crate::arena::Arena;
use crate::column::{Column, Value};
use crate::envelope::{self, Row};
use crate::packed::packed;
use crate::table::Record;

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

packed!(SensorStats {
    interval,
    worker,
    packets,
    bytes,
    dropped_interface,
    dropped_ring,
    dropped_queue,
    undecodable,
    bad_checksums,
    duplicates,
    fragments,
    flows_active,
    flows_created,
    flows_evicted,
    acked_unseen_segments,
    acked_unseen_bytes,
    stream_bytes_held,
    stream_bytes_shed,
    rows_written,
    files_hashed,
    file_bytes,
    anomalies,
    queue_depth,
    resident_bytes,
    cpu_seconds,
    write_seconds,
});

impl Record for SensorStats {
    fn relocate(&mut self, _: &Arena, _: &mut Arena) {}

    fn held(&self, _: &Arena) -> usize {
        0
    }
}

/// A count, which is never unknown.
fn count(
    name: &'static str,
    read: fn(&Row<SensorStats>) -> Option<i64>,
    doc: &'static str,
) -> Column<Row<SensorStats>> {
    Column::new(name, Value::int64(read), doc).required()
}

/// The columns of `sensor_stats`.
pub(crate) fn columns() -> Vec<Column<Row<SensorStats>>> {
    let seconds = |name, read: fn(&Row<SensorStats>) -> Option<f64>, doc| {
        Column::new(name, Value::double(read), doc).required()
    };
    vec![
        envelope::ts(),
        seconds(
            "interval",
            |row: &Row<SensorStats>| Some(row.record.interval),
            "Length of the interval that ends at `ts`, in seconds.",
        ),
        envelope::sensor(),
        envelope::source(),
        Column::new(
            "worker",
            Value::int32(|row: &Row<SensorStats>| Some(row.record.worker)),
            "Number of the worker; -1 is the reader.",
        )
        .required(),
        count("packets", |row: &Row<SensorStats>| Some(row.record.packets), "Packets taken in."),
        count(
            "bytes",
            |row: &Row<SensorStats>| Some(row.record.bytes),
            "Bytes of those packets on the wire.",
        ),
        count(
            "dropped_interface",
            |row: &Row<SensorStats>| Some(row.record.dropped_interface),
            "Packets that the interface dropped.",
        ),
        count(
            "dropped_ring",
            |row: &Row<SensorStats>| Some(row.record.dropped_ring),
            "Packets that found no room between kernel and sensor.",
        ),
        count(
            "dropped_queue",
            |row: &Row<SensorStats>| Some(row.record.dropped_queue),
            "Packets that found no room between the reader and this worker.",
        ),
        count(
            "undecodable",
            |row: &Row<SensorStats>| Some(row.record.undecodable),
            "Packets whose headers could not be read.",
        ),
        count(
            "bad_checksums",
            |row: &Row<SensorStats>| Some(row.record.bad_checksums),
            "Packets with a wrong checksum.",
        ),
        count(
            "duplicates",
            |row: &Row<SensorStats>| Some(row.record.duplicates),
            "Second copies of a packet.",
        ),
        count("fragments", |row: &Row<SensorStats>| Some(row.record.fragments), "Fragments of IP datagrams."),
        count(
            "flows_active",
            |row: &Row<SensorStats>| Some(row.record.flows_active),
            "Flows in the table at the end of the interval.",
        ),
        count("flows_created", |row: &Row<SensorStats>| Some(row.record.flows_created), "Flows that began."),
        count(
            "flows_evicted",
            |row: &Row<SensorStats>| Some(row.record.flows_evicted),
            "Flows that ended because room was needed.",
        ),
        count(
            "acked_unseen_segments",
            |row: &Row<SensorStats>| Some(row.record.acked_unseen_segments),
            "Times that bytes were acknowledged which were never seen: loss before the sensor.",
        ),
        count(
            "acked_unseen_bytes",
            |row: &Row<SensorStats>| Some(row.record.acked_unseen_bytes),
            "Bytes acknowledged and never seen.",
        ),
        count(
            "stream_bytes_held",
            |row: &Row<SensorStats>| Some(row.record.stream_bytes_held),
            "Out-of-order stream bytes held at the end of the interval.",
        ),
        count(
            "stream_bytes_shed",
            |row: &Row<SensorStats>| Some(row.record.stream_bytes_shed),
            "Stream bytes given up because their memory was full.",
        ),
        count(
            "rows_written",
            |row: &Row<SensorStats>| Some(row.record.rows_written),
            "Rows handed on to be written.",
        ),
        count("files_hashed", |row: &Row<SensorStats>| Some(row.record.files_hashed), "Files hashed."),
        count("file_bytes", |row: &Row<SensorStats>| Some(row.record.file_bytes), "Bytes of those files."),
        count("anomalies", |row: &Row<SensorStats>| Some(row.record.anomalies), "Anomalies noted."),
        count(
            "queue_depth",
            |row: &Row<SensorStats>| Some(row.record.queue_depth),
            "Batches waiting for this worker at the end of the interval.",
        ),
        count(
            "resident_bytes",
            |row: &Row<SensorStats>| Some(row.record.resident_bytes),
            "Memory of the whole process at the end of the interval.",
        ),
        seconds(
            "cpu_seconds",
            |row: &Row<SensorStats>| Some(row.record.cpu_seconds),
            "Processor time in the interval.",
        ),
        seconds(
            "write_seconds",
            |row: &Row<SensorStats>| Some(row.record.write_seconds),
            "Time spent writing in the interval.",
        ),
    ]
}
