//! One measurement: one stage, once, in a process that does nothing else.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::stage::Stage;
use crate::config::Replay;
use crate::counters::Damage;
use crate::live::machine::process_cpu;

/// What one stage took.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Packets read.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Rows that came out of it.
    pub rows: u64,
    /// Time on the wall, in seconds.
    pub wall: f64,
    /// Time of processors, all threads together, in seconds.
    pub cpu: f64,
    /// Most memory that was resident, in bytes.
    pub memory: f64,
}

/// Measures a stage, and says which inputs were not whole.
///
/// # Errors
/// A capture cannot be opened, or the lake cannot be written.
pub fn measure(stage: Stage, replay: &Replay) -> Result<(Measured, Vec<Damage>)> {
    let (start, cpu) = (Instant::now(), process_cpu());
    let report = stage.run(replay)?;
    let (wall, cpu) = (start.elapsed(), process_cpu().saturating_sub(cpu));
    let measured = Measured {
        packets: report.packets,
        bytes: report.bytes,
        rows: if stage >= Stage::Rows { report.rows.values().sum() } else { 0 },
        wall: wall.as_secs_f64(),
        cpu: cpu as f64 / 1e9,
        memory: peak_memory().unwrap_or_default() as f64,
    };
    Ok((measured, report.damaged))
}

impl Measured {
    pub(super) fn packets_per_second(&self) -> f64 {
        ratio(self.packets as f64, self.wall)
    }

    pub(super) fn gbit_per_second(&self) -> f64 {
        8e-9 * ratio(self.bytes as f64, self.wall)
    }

    pub(super) fn rows_per_second(&self) -> f64 {
        ratio(self.rows as f64, self.wall)
    }

    /// Nanoseconds of a processor for each packet.
    pub(super) fn nanoseconds_per_packet(&self) -> f64 {
        1e9 * ratio(self.cpu, self.packets as f64)
    }

    /// For programs, and for the process that asked for it.
    pub fn json(&self, stage: Stage) -> Value {
        json!({
            "stage": stage.name(),
            "packets": self.packets,
            "bytes": self.bytes,
            "rows": self.rows,
            "seconds": self.wall,
            "cpu_seconds": self.cpu,
            "packets_per_second": self.packets_per_second(),
            "gbit_per_second": self.gbit_per_second(),
            "rows_per_second": self.rows_per_second(),
            "cpu_ns_per_packet": self.nanoseconds_per_packet(),
            "peak_memory_bytes": self.memory,
        })
    }

    /// What [`Measured::json`] says.
    pub(super) fn of_json(value: &Value) -> Option<Self> {
        let whole = |key: &str| value.get(key)?.as_u64();
        let number = |key: &str| value.get(key)?.as_f64();
        Some(Self {
            packets: whole("packets")?,
            bytes: whole("bytes")?,
            rows: whole("rows")?,
            wall: number("seconds")?,
            cpu: number("cpu_seconds")?,
            memory: number("peak_memory_bytes")?,
        })
    }

    /// The median of each quantity. What was read is the same in each run.
    pub(super) fn median(runs: &[Self]) -> Self {
        let Some(first) = runs.first() else { return Self::default() };
        let of = |quantity: fn(&Self) -> f64| median(runs.iter().map(quantity).collect());
        Self {
            wall: of(|run| run.wall),
            cpu: of(|run| run.cpu),
            memory: of(|run| run.memory),
            ..first.clone()
        }
    }
}

/// The middle one, or half-way between the two in the middle; 0 of none.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let upper = values.len() / 2;
    let lower = values.len().saturating_sub(1) / 2;
    match (values.get(lower), values.get(upper)) {
        (Some(lower), Some(upper)) => f64::midpoint(*lower, *upper),
        _ => 0.0,
    }
}

/// A quotient; 0 where there is nothing to divide by.
pub(super) fn ratio(of: f64, by: f64) -> f64 {
    if by > 0.0 { of / by } else { 0.0 }
}

/// Most memory of this process that was resident at a time, in bytes.
fn peak_memory() -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM is missing")?;
    let kibibytes: u64 = peak.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kibibytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle_whatever_the_order() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(vec![7.0]), 7.0);
        assert_eq!(median(Vec::new()), 0.0);
    }

    #[test]
    fn each_quantity_has_a_median_of_its_own() {
        let run = |wall, cpu, memory| Measured { packets: 9, wall, cpu, memory, ..Measured::default() };
        let median = Measured::median(&[run(1.0, 6.0, 5.0), run(2.0, 4.0, 9.0), run(3.0, 5.0, 1.0)]);
        assert_eq!(median, run(2.0, 5.0, 5.0));
    }

    #[test]
    fn rates_are_of_the_wall_and_costs_of_the_processors() {
        let measured = Measured {
            packets: 3_000_000,
            bytes: 1_000_000_000,
            rows: 500_000,
            wall: 2.0,
            cpu: 3.0,
            memory: 0.0,
        };
        assert_eq!(measured.packets_per_second(), 1.5e6);
        assert_eq!(measured.gbit_per_second(), 4.0);
        assert_eq!(measured.rows_per_second(), 250_000.0);
        assert_eq!(measured.nanoseconds_per_packet(), 1000.0);
        assert_eq!(Measured::default().packets_per_second(), 0.0);
    }

    #[test]
    fn a_measurement_goes_from_process_to_process_unchanged() {
        let measured = Measured { packets: 7, bytes: 420, rows: 3, wall: 0.1, cpu: 0.3, memory: 4096.0 };
        let text = measured.json(Stage::Rows).to_string();
        assert_eq!(Measured::of_json(&serde_json::from_str(&text).unwrap()), Some(measured));
        assert_eq!(Measured::of_json(&json!({ "packets": 7 })), None);
    }

    #[test]
    fn a_process_has_had_memory() {
        assert!(peak_memory().unwrap() > 1 << 20);
    }
}
