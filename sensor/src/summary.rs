//! The summary of a run: what was read, what was written, what was lost and why.

use std::fmt::Write as _;
use std::time::Duration;

use arrow_array::temporal_conversions::timestamp_ns_to_datetime;
use schemas::envelope::Nanoseconds;
use serde_json::{Value, json};

use crate::counters::Report;
use crate::progress::{bytes, rate};
use crate::retention::{Count, Removed};
use crate::store::Extracted;

/// For people: aligned lines, those that would say 0 left out where 0 is what one expects.
pub fn text(report: &Report) -> String {
    let seconds = seconds(report);
    let mut lines = Lines::default();
    lines.add("packets", grouped(report.packets));
    lines.add("bytes", format!("{} ({})", grouped(report.bytes), bytes(report.bytes)));
    if let (Some(first), Some(last)) = (report.first, report.last) {
        let span = Duration::from_nanos(last.abs_diff(first));
        lines.add("captured", format!("{} to {} ({})", time(first), time(last), duration(span)));
    }
    let rate = rate(per_second(report.packets, seconds), per_second(report.bytes, seconds));
    lines.add("time", format!("{} ({rate})", duration(report.wall)));
    lines.add("flows", grouped(report.flows));
    if report.captures > 1 {
        lines.add("captures", grouped(report.captures));
    }
    let rows = report.rows.iter().map(|(table, count)| (*table, *count));
    lines.section("rows", rows);
    let anomalies = report.anomalies.iter().map(|(name, count)| (name.name(), *count));
    lines.section("anomalies", anomalies);
    let unknown: Vec<(String, u64)> = report
        .unknown_link_types
        .iter()
        .map(|(link, count)| (format!("unknown link type {link}"), *count))
        .collect();
    let undecodable = report.undecodable.iter().map(|(what, count)| (*what, *count));
    let undecodable = undecodable.chain(unknown.iter().map(|(what, count)| (what.as_str(), *count)));
    lines.section("undecodable packets", undecodable);
    let lost = [
        ("packets with a bad checksum, not analysed", report.bad_checksums),
        ("second copies of packets, not counted", report.duplicates),
        ("IP fragments", report.fragments),
        ("certificates without a row: repeats within --certificate-interval", report.certificate_repeats),
        ("flows evicted: more than --max-flows", report.flows_evicted),
        ("bytes given up: more than --stream-memory or --fragment-memory", report.shed_bytes),
    ];
    lines.section("also", lost.into_iter());
    if let Some(lost) = &report.lost {
        let lost = [
            ("packets dropped by the interface", lost.interface),
            ("packets dropped by full rings", lost.ring),
            ("packets of flows not begun for want of time", lost.queue),
            ("bytes acknowledged and never seen: lost before the sensor", lost.unseen_bytes),
            ("rows that the disk did not take", lost.rows),
            ("segments of the journal to be published at the next start", lost.segments),
        ];
        lines.section("lost", lost.into_iter());
    }
    if let Some(extracted) = &report.extracted {
        lines.extracted(extracted);
    }
    if let Some(removed) = &report.removed {
        lines.removed(removed);
    }
    lines.damaged(report);
    lines.text
}

/// For programs: the same as one object.
pub fn json(report: &Report) -> Value {
    let seconds = seconds(report);
    let anomalies: serde_json::Map<String, Value> =
        report.anomalies.iter().map(|(name, count)| (name.name().to_owned(), json!(count))).collect();
    let unknown: serde_json::Map<String, Value> =
        report.unknown_link_types.iter().map(|(link, count)| (link.to_string(), json!(count))).collect();
    let damaged: Vec<Value> =
        report.damaged.iter().map(|damage| json!({"path": damage.path, "what": damage.what})).collect();
    json!({
        "captures": report.captures,
        "packets": report.packets,
        "bytes": report.bytes,
        "first_ts": report.first.map(time),
        "last_ts": report.last.map(time),
        "capture_seconds": report.first.zip(report.last).map(|(first, last)| last.abs_diff(first) as f64 / 1e9),
        "wall_seconds": report.wall.as_secs_f64(),
        "packets_per_second": per_second(report.packets, seconds),
        "gbit_per_second": 8e-9 * per_second(report.bytes, seconds),
        "flows": report.flows,
        "rows": report.rows,
        "anomalies": anomalies,
        "undecodable": report.undecodable,
        "unknown_link_types": unknown,
        "bad_checksums": report.bad_checksums,
        "duplicates": report.duplicates,
        "fragments": report.fragments,
        "certificate_repeats": report.certificate_repeats,
        "flows_evicted": report.flows_evicted,
        "shed_bytes": report.shed_bytes,
        "extracted": report.extracted.as_ref().map(|extracted| json!({
            "folder": extracted.folder.display().to_string(),
            "files": extracted.stored,
            "bytes": extracted.bytes,
            "present": extracted.present,
            "too_large": extracted.too_large,
            "shed": extracted.shed,
            "failed": extracted.failed,
            "failure": extracted.failure,
            "evicted": extracted.evicted,
        })),
        "removed": report.removed.as_ref().map(removed),
        "lost": report.lost.map(|lost| json!({
            "dropped_interface": lost.interface,
            "dropped_ring": lost.ring,
            "dropped_queue": lost.queue,
            "acked_unseen_bytes": lost.unseen_bytes,
            "rows": lost.rows,
            "journal_segments": lost.segments,
        })),
        "damaged": damaged,
    })
}

/// What retention removed.
fn removed(removed: &Removed) -> Value {
    let count = |count: &Count| json!({"files": count.files, "bytes": count.bytes});
    let tables: serde_json::Map<String, Value> =
        removed.files.iter().map(|(table, files)| (table.clone(), count(files))).collect();
    json!({
        "tables": tables,
        "extracted": count(&removed.contents),
        "left_bytes": removed.left,
        "beyond_bytes": removed.beyond,
        "unreadable": removed.unreadable,
        "unreadable_first": removed.unreadable_first,
        "failed": removed.failed,
        "failure": removed.failure,
    })
}

/// Lines of a label and its value.
#[derive(Debug, Default)]
struct Lines {
    text: String,
}

impl Lines {
    fn add(&mut self, label: &str, value: impl std::fmt::Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{label:<10} {value}");
    }

    /// A heading and its counts below it, those of 0 left out; nothing where all are.
    fn section<'a>(&mut self, heading: &str, counts: impl Iterator<Item = (&'a str, u64)>) {
        let counts: Vec<(&str, String)> =
            counts.filter(|(_, count)| *count > 0).map(|(name, count)| (name, grouped(count))).collect();
        if counts.is_empty() {
            return;
        }
        let names = counts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        let numbers = counts.iter().map(|(_, count)| count.len()).max().unwrap_or_default();
        let _ = writeln!(self.text, "{heading}");
        for (name, count) in counts {
            let _ = writeln!(self.text, "  {name:<names$}  {count:>numbers$}");
        }
    }

    fn extracted(&mut self, extracted: &Extracted) {
        let heading = format!("extracted to {}", extracted.folder.display());
        let counts = [
            ("files", extracted.stored),
            ("bytes", extracted.bytes),
            ("files that were there already", extracted.present),
            (
                "files not kept: larger than --extract-file-bytes, or than the whole store",
                extracted.too_large,
            ),
            ("files not kept: those under way need more than --extract-bytes", extracted.shed),
            ("files not kept: the store failed", extracted.failed),
            ("files removed to make room: more than --extract-bytes", extracted.evicted),
        ];
        self.section(&heading, counts.into_iter());
    }

    fn removed(&mut self, removed: &Removed) {
        let mut counts = Vec::new();
        let mut sum = 0;
        for (table, files) in &removed.files {
            counts.push((format!("files of {table}"), files.files));
            sum += files.bytes;
        }
        counts.push(("extracted files".to_owned(), removed.contents.files));
        counts.push(("bytes".to_owned(), sum + removed.contents.bytes));
        counts.push(("files that cannot be read, and stay".to_owned(), removed.unreadable));
        counts.push(("files that could not be removed".to_owned(), removed.failed));
        counts.push(("bytes still beyond --keep-bytes: nothing else may go".to_owned(), removed.beyond));
        self.section(
            "removed by --keep-days or --keep-bytes",
            counts.iter().map(|(what, count)| (what.as_str(), *count)),
        );
    }

    fn damaged(&mut self, report: &Report) {
        if report.damaged.is_empty() {
            return;
        }
        let _ = writeln!(self.text, "damaged inputs (rows for all the rest were written)");
        for damage in &report.damaged {
            let _ = writeln!(self.text, "  {}: {}", damage.path, damage.what);
        }
    }
}

/// Seconds that the run took.
fn seconds(report: &Report) -> f64 {
    report.wall.as_secs_f64()
}

/// A rate; 0 where no time passed.
fn per_second(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

/// `2026-11-24T04:20:52.000001Z`.
pub(crate) fn time(ts: Nanoseconds) -> String {
    timestamp_ns_to_datetime(ts)
        .map_or_else(|| ts.to_string(), |t| t.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}

/// `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 h 02 min`, `3 min 05 s`, `4.21 s`, `312 ms`.
fn duration(duration: Duration) -> String {
    let whole = duration.as_secs();
    match whole {
        0 if duration < Duration::from_millis(10) => format!("{:.2} ms", 1e3 * duration.as_secs_f64()),
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.2} s", duration.as_secs_f64()),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        3600..86_400 => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
        _ => format!("{} d {:02} h", whole / 86_400, whole % 86_400 / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::Damage;
    use schemas::anomaly::AnomalyName;

    fn report() -> Report {
        Report {
            captures: 1,
            packets: 1_234_567,
            bytes: 1_000_000_000,
            first: Some(1_000_000_000),
            last: Some(3_500_000_000),
            wall: Duration::from_secs(2),
            rows: [("flows", 20_000), ("dns", 7)].into(),
            anomalies: [(AnomalyName::IpTruncated, 3)].into(),
            undecodable: [("IPv4 header", 2)].into(),
            unknown_link_types: [(147, 5)].into(),
            flows: 20_000,
            damaged: vec![Damage { path: "a.pcap".to_owned(), what: "cut short".to_owned() }],
            ..Report::default()
        }
    }

    #[test]
    fn text_says_what_was_read_written_and_lost() {
        let expected = "\
packets    1,234,567
bytes      1,000,000,000 (953.67 MiB)
captured   1970-01-01T00:00:01.000000Z to 1970-01-01T00:00:03.500000Z (2.50 s)
time       2.00 s (617 k packets/s, 4.00 Gbit/s)
flows      20,000
rows
  dns         7
  flows  20,000
anomalies
  ip_truncated  3
undecodable packets
  IPv4 header            2
  unknown link type 147  5
damaged inputs (rows for all the rest were written)
  a.pcap: cut short
";
        assert_eq!(text(&report()), expected);
    }

    #[test]
    fn json_says_the_same() {
        let json = json(&report());
        assert_eq!(json["packets"], 1_234_567);
        assert_eq!(json["rows"]["flows"], 20_000);
        assert_eq!(json["anomalies"]["ip_truncated"], 3);
        assert_eq!(json["undecodable"]["IPv4 header"], 2);
        assert_eq!(json["unknown_link_types"]["147"], 5);
        assert_eq!(json["gbit_per_second"], 4.0);
        assert_eq!(json["damaged"][0]["path"], "a.pcap");
        assert_eq!(json["last_ts"], "1970-01-01T00:00:03.500000Z");
    }

    #[test]
    fn a_store_is_named_with_what_it_took_and_what_it_did_not() {
        let extracted = Extracted {
            folder: "/data/files".into(),
            stored: 1_200,
            bytes: 34_567,
            present: 5,
            failed: 1,
            failure: Some("No space left on device".to_owned()),
            ..Extracted::default()
        };
        let report = Report { extracted: Some(extracted), ..Report::default() };
        let expected = "\
extracted to /data/files
  files                              1,200
  bytes                             34,567
  files that were there already          5
  files not kept: the store failed       1
";
        assert!(text(&report).ends_with(expected), "{}", text(&report));
        let json = &json(&report)["extracted"];
        assert_eq!(
            (&json["files"], &json["present"], &json["failed"]),
            (&1_200.into(), &5.into(), &1.into())
        );
        assert_eq!(json["failure"], "No space left on device");
    }

    #[test]
    fn a_run_that_read_nothing_has_a_summary() {
        assert!(text(&Report::default()).starts_with("packets    0\n"));
    }
}
