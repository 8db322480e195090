//! How fast captures are read, stage by stage: each does what those before it do, and its own on top.

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use anyhow::Result;
use crossbeam_channel::bounded;
use parsers::packet::{self, Decoded};
use serde_json::{Value, json};

use crate::capture::{self, Filter, FrameBatch, Pool, Source};
use crate::config::{Config, Replay};
use crate::dispatch::REPLAY_SEED;
use crate::front::Front;
use crate::local::LocalNetworks;
use crate::pipeline::{self, Unobserved};
use crate::progress::rate;
use crate::work::Work;
use crate::worker::Worker;

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
    follow(Stage::Walk, replay)?;
    let mut measured = Vec::new();
    for stage in Stage::ALL {
        let start = Instant::now();
        let (packets, bytes) = follow(stage, replay)?;
        let seconds = start.elapsed().as_secs_f64();
        measured.push(Measured { stage, packets, bytes, seconds });
    }
    Ok(measured)
}

/// Reads all captures with packets followed to a stage; how many there were and their bytes on the wire.
fn follow(stage: Stage, replay: &Replay) -> Result<(u64, u64)> {
    if stage == Stage::All {
        let report = pipeline::run(replay, &Unobserved)?;
        return Ok((report.packets, report.bytes));
    }
    let mut sum = (0, 0);
    for path in &replay.captures {
        let filter = replay.config.filter.as_deref().map(Filter::new).transpose()?;
        let capture = capture::open(path, &Pool::default(), filter)?;
        let (packets, bytes) = match stage {
            Stage::Flows => follow_flows(capture, &replay.config),
            _ => walk(capture, stage == Stage::Decode),
        };
        sum = (sum.0 + packets, sum.1 + bytes);
    }
    Ok(sum)
}

/// Reads every header of a capture, and decodes the packets where that is wanted.
fn walk(mut capture: Box<dyn Source>, decodes: bool) -> (u64, u64) {
    let (mut packets, mut bytes) = (0, 0);
    let mut batch = FrameBatch::default();
    let mut decoded = Decoded::default();
    while capture.next(&mut batch) {
        for frame in &batch.frames {
            packets += 1;
            bytes += u64::from(frame.wire);
            if decodes {
                let captured =
                    batch.block.get(frame.offset as usize..).and_then(|b| b.get(..frame.captured as usize));
                packet::decode(frame.link, captured.unwrap_or_default(), frame.wire, &mut decoded);
                black_box(&decoded);
            }
        }
    }
    (packets, bytes)
}

/// Does with a capture what a run does up to its rows, which are thrown away.
fn follow_flows(mut capture: Box<dyn Source>, config: &Config) -> (u64, u64) {
    let local = Arc::new(LocalNetworks::new(&config.local_networks));
    let mut front = Front::new(config, REPLAY_SEED);
    thread::scope(|scope| {
        let to_workers: Vec<_> = (0..config.workers)
            .map(|number| {
                let (to_worker, works) = bounded::<Work>(QUEUE);
                let mut worker = Worker::new(number, config, Arc::clone(&local));
                scope.spawn(move || {
                    for work in works {
                        worker.work(&work);
                        if work.ends_epoch {
                            black_box(worker.take_records());
                        }
                    }
                    worker.finish();
                    black_box(worker.take_records());
                });
                to_worker
            })
            .collect();
        let mut batch = FrameBatch::default();
        let mut in_epoch = 0;
        while capture.next(&mut batch) {
            front.begin(&batch.block);
            for frame in &batch.frames {
                front.frame(&batch.block, frame, 0);
            }
            in_epoch += batch.frames.len();
            let ends_epoch = in_epoch >= EPOCH_PACKETS;
            if ends_epoch {
                in_epoch = 0;
            }
            batch.block = Arc::default();
            front.end(ends_epoch, |worker, work| {
                to_workers.get(worker).is_some_and(|to| to.send(work).is_ok())
            });
        }
    });
    (front.counters.packets, front.counters.bytes)
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

/// As in a run: how much waits for a worker, and how often rows are handed on.
const QUEUE: usize = 8;
const EPOCH_PACKETS: usize = 1 << 16;

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
