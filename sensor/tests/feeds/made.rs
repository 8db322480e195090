//! Feeds that are made up, and what a sensor made of them.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use etherparse::PacketBuilder;
use parsers::link_type::LinkType;
use schemas::envelope::Nanoseconds;
use sensor::capture::merge::{Frames, Merge, Merged};
use sensor::capture::ring::{Received, Timestamps};
use sensor::config::{Capture, Config};
use sensor::counters::Report;
use sensor::live::feed::{Fed, Feed};
use sensor::live::{Control, run_with};
use sensor::output::read;

pub(crate) const SECOND: Nanoseconds = 1_000_000_000;

/// The first of November 2026.
pub(crate) const NOVEMBER: Nanoseconds = 1_793_491_200 * SECOND;

/// Made frames, one for each time that it is asked; packet time goes as it says.
pub(crate) struct Made {
    merge: Merge<Frame>,
    left: Box<dyn Iterator<Item = Step> + Send>,
    fill: u8,
    dropped: u64,
}

/// What comes next.
pub(crate) enum Step {
    /// A frame.
    Frame(Nanoseconds, Vec<u8>),
    /// Nothing for so long.
    Idle(Duration),
    /// So many packets were lost.
    Dropped(u64),
    /// From now on so many per cent of the room for frames are taken.
    Fill(u8),
}

/// A frame that waits.
#[derive(Default)]
struct Frame(VecDeque<(Nanoseconds, Vec<u8>)>);

impl Frames for Frame {
    fn peek(&mut self) -> Option<Received<'_>> {
        let (ts, bytes) = self.0.front()?;
        Some(Received {
            ts: *ts,
            wire: bytes.len() as u32,
            vlan: None,
            bytes,
            link: LinkType::ETHERNET,
            outgoing: false,
            checksum_partial: false,
        })
    }

    fn advance(&mut self) {
        self.0.pop_front();
    }

    fn fill(&self) -> u8 {
        0
    }
}

impl Made {
    /// A feed of these steps.
    pub(crate) fn new(steps: impl Iterator<Item = Step> + Send + 'static) -> Self {
        let merge = Merge::new(vec![Frame::default()], Duration::ZERO);
        Self { merge, left: Box::new(steps), fill: 0, dropped: 0 }
    }
}

impl Feed for Made {
    fn read(&mut self, batch: &mut Merged) -> io::Result<Fed> {
        loop {
            let step = self.left.next();
            match step {
                Some(Step::Frame(ts, bytes)) => {
                    self.merge.rings_mut()[0].0.push_back((ts, bytes));
                    if self.merge.rings()[0].0.len() < 256 {
                        continue;
                    }
                }
                Some(Step::Dropped(packets)) => {
                    self.dropped += packets;
                    continue;
                }
                Some(Step::Fill(per_cent)) => {
                    self.fill = per_cent;
                    continue;
                }
                Some(Step::Idle(time)) if self.merge.rings()[0].0.is_empty() => return Ok(Fed::Idle(time)),
                Some(Step::Idle(time)) => {
                    let rest = std::mem::replace(&mut self.left, Box::new(std::iter::empty()));
                    self.left = Box::new([Step::Idle(time)].into_iter().chain(rest));
                }
                None if self.merge.rings()[0].0.is_empty() => return Ok(Fed::Ended),
                None => {}
            }
            return Ok(if self.merge.next(0, batch) { Fed::Frames } else { Fed::Ended });
        }
    }

    fn dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    fn fill(&self) -> u8 {
        self.fill
    }
}

/// Runs until its feeds have ended, or until it is told.
#[derive(Default)]
pub(crate) struct Told {
    /// Whether it is to stop.
    pub(crate) stop: Arc<AtomicBool>,
    /// Settings that it is to take over.
    pub(crate) reload: Option<Capture>,
}

impl Control for Told {
    fn stops(&mut self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn reloads(&mut self) -> bool {
        self.reload.is_some()
    }

    fn settings(&mut self) -> Result<Capture> {
        self.reload.take().context("asked for once")
    }
}

pub(crate) fn settings(lake: &Path) -> Capture {
    Capture {
        interfaces: vec!["span0".to_owned()],
        lake: lake.to_owned(),
        ring_bytes: 0,
        snap_length: 65_535,
        promiscuous: true,
        timestamps: Timestamps::Kernel,
        cores: Vec::new(),
        merge_window: Duration::from_millis(50),
        metrics: None,
        rotate_every: Duration::from_secs(300),
        rotate_bytes: 128 << 20,
        memory: None,
        stats_interval: Duration::from_secs(60),
        interface_counters: PathBuf::from("/nowhere"),
        config: Config { sensor: "edge".to_owned(), ..Config::default() },
    }
}

/// A lake that a sensor with these feeds has written, and its report.
pub(crate) fn ran(feeds: Vec<Made>, change: impl FnOnce(&mut Capture)) -> (tempfile::TempDir, Report) {
    let lake = tempfile::tempdir().unwrap();
    let mut capture = settings(lake.path());
    capture.config.workers = feeds.len();
    change(&mut capture);
    let report = run_with(&capture, feeds, 1, &mut Told::default()).unwrap();
    (lake, report)
}

/// Cells of some columns of all rows of a table.
pub(crate) fn rows(lake: &Path, table: &str, columns: &[&str]) -> Vec<Vec<String>> {
    let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
    let rows = read::newest(lake, table, 100_000, Some(&columns), None).unwrap();
    let cell = |cell: &Option<String>| cell.clone().unwrap_or_default();
    let mut all: Vec<Vec<String>> = rows.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    all.sort();
    all
}

/// A DNS query, or its answer, between two hosts.
pub(crate) fn dns(client: [u8; 4], id: u16, is_answer: bool) -> Vec<u8> {
    let mut message = [id.to_be_bytes(), if is_answer { [0x81, 0x80] } else { [1, 0] }].concat();
    message.extend(b"\0\x01\0\0\0\0\0\0\x01a\x04test\0\0\x01\0\x01");
    let server = [10, 0, 0, 53];
    let (from, to, ports) =
        if is_answer { (server, client, (53, 5353)) } else { (client, server, (5353, 53)) };
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(from, to, 64).udp(ports.0, ports.1);
    let mut packet = Vec::new();
    builder.write(&mut packet, &message).unwrap();
    packet
}

/// A SYN from one of many hosts.
pub(crate) fn syn(number: u32) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4((0x0a00_0000 | number).to_be_bytes(), [192, 0, 2, 1], 64)
        .tcp(1024, 80, 7, 1024)
        .syn();
    let mut packet = Vec::new();
    builder.write(&mut packet, &[]).unwrap();
    packet
}
