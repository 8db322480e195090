//! How fast captures are read, stage by stage: each does what those before it do, and its own on top.

use std::fmt::Write as _;
use std::time::Instant;

use anyhow::Result;
use serde_json::{Value, json};

use crate::config::Replay;
use crate::counters::Report;
use crate::progress::{Progress, rate};
use crate::replay;

/// How far packets are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The file is read, header after header.
    Walk,
    /// Packets are decoded from the link layer to the transport.
    Decode,
    /// Flows and streams are followed and sessions read; rows are made and thrown away.
    Flows,
    /// Rows are written to a lake.
    All,
}

impl Stage {
    /// In the order in which they build on each other.
    pub const ALL: [Self; 4] = [Self::Walk, Self::Decode, Self::Flows, Self::All];

    /// As it is called in the output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Walk => "walk",
            Self::Decode => "decode",
            Self::Flows => "flows",
            Self::All => "all",
        }
    }
}

/// What one stage took.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Which.
    pub stage: Stage,
    /// Packets read.
    pub packets: u64,
    /// Their bytes on the wire.
    pub bytes: u64,
    /// Time on the wall.
    pub seconds: f64,
}

impl Measured {
    fn packets_per_second(&self) -> f64 {
        self.packets as f64 / self.seconds.max(f64::MIN_POSITIVE)
    }

    fn bytes_per_second(&self) -> f64 {
        self.bytes as f64 / self.seconds.max(f64::MIN_POSITIVE)
    }
}

/// Runs every stage over the captures. They are walked once before, so that no stage pays for a cold disk.
pub fn run(replay: &Replay) -> Result<Vec<Measured>> {
    let read = |stage| -> Result<Report> { replay::until(stage, replay, &Progress::default()) };
    read(Stage::Walk)?;
    let mut measured = Vec::new();
    for stage in Stage::ALL {
        let start = Instant::now();
        let report = read(stage)?;
        let seconds = start.elapsed().as_secs_f64();
        measured.push(Measured { stage, packets: report.packets, bytes: report.bytes, seconds });
    }
    Ok(measured)
}

/// For people.
pub fn text(measured: &[Measured]) -> String {
    let mut text = String::from("stage    seconds  rate\n");
    for stage in measured {
        let rate = rate(stage.packets_per_second(), stage.bytes_per_second());
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:<6} {:>9.3}  {rate}", stage.stage.name(), stage.seconds);
    }
    text
}

/// For programs.
pub fn json(measured: &[Measured]) -> Value {
    let stage = |stage: &Measured| {
        json!({
            "stage": stage.stage.name(),
            "packets": stage.packets,
            "bytes": stage.bytes,
            "seconds": stage.seconds,
            "packets_per_second": stage.packets_per_second(),
            "gbit_per_second": 8e-9 * stage.bytes_per_second(),
        })
    };
    json!({ "stages": measured.iter().map(stage).collect::<Vec<_>>() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_rates_of_what_was_read() {
        let measured =
            [Measured { stage: Stage::Walk, packets: 3_000_000, bytes: 1_000_000_000, seconds: 2.0 }];
        assert_eq!(
            text(&measured),
            "stage    seconds  rate\nwalk       2.000  1.50 M packets/s, 4.00 Gbit/s\n"
        );
        assert_eq!(json(&measured)["stages"][0]["gbit_per_second"], 4.0);
    }
}
