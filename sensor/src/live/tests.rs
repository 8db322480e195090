//! A live sensor on sources that are made up: they set the clock, and say what was lost.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use etherparse::PacketBuilder;
use schemas::envelope::Nanoseconds;

use super::feed::{Fed, Feed};
use super::*;
use crate::capture::merge::{Frames, Merge, Merged};
use crate::capture::ring::{Received, Timestamps};
use crate::output::read;

const SECOND: Nanoseconds = 1_000_000_000;

/// The first of November 2026.
const NOVEMBER: Nanoseconds = 1_793_491_200 * SECOND;

/// Made frames, one for each time that it is asked; packet time goes as it says.
struct Made {
    merge: Merge<Frame>,
    left: Box<dyn Iterator<Item = Step> + Send>,
    fill: Arc<AtomicU64>,
    dropped: u64,
}

/// What comes next.
enum Step {
    /// A frame.
    Frame(Nanoseconds, Vec<u8>),
    /// Nothing for so long.
    Idle(Duration),
    /// So many packets were lost.
    Dropped(u64),
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
            link: parsers::link_type::LinkType::ETHERNET,
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
    fn new(steps: impl Iterator<Item = Step> + Send + 'static) -> Self {
        let merge = Merge::new(vec![Frame::default()], Duration::ZERO);
        Self { merge, left: Box::new(steps), fill: Arc::default(), dropped: 0 }
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
        self.fill.load(Ordering::Relaxed) as u8
    }
}

/// Runs until its feeds have ended, or until it is told.
#[derive(Default)]
struct Told {
    stop: Arc<AtomicBool>,
    reload: Option<Capture>,
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

fn settings(lake: &Path) -> Capture {
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
fn ran(feeds: Vec<Made>, change: impl FnOnce(&mut Capture)) -> (tempfile::TempDir, Report) {
    let lake = tempfile::tempdir().unwrap();
    let mut capture = settings(lake.path());
    capture.config.workers = feeds.len();
    change(&mut capture);
    let report = run_with(&capture, feeds, 1, &mut Told::default()).unwrap();
    (lake, report)
}

/// Cells of some columns of all rows of a table.
fn rows(lake: &Path, table: &str, columns: &[&str]) -> Vec<Vec<String>> {
    let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
    let rows = read::newest(lake, table, 100_000, Some(&columns), None).unwrap();
    let cell = |cell: &Option<String>| cell.clone().unwrap_or_default();
    let mut all: Vec<Vec<String>> = rows.rows.iter().map(|row| row.iter().map(cell).collect()).collect();
    all.sort();
    all
}

/// A DNS query, or its answer, between two hosts.
fn dns(client: [u8; 4], id: u16, is_answer: bool) -> Vec<u8> {
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
fn syn(number: u32) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4((0x0a00_0000 | number).to_be_bytes(), [192, 0, 2, 1], 64)
        .tcp(1024, 80, 7, 1024)
        .syn();
    let mut packet = Vec::new();
    builder.write(&mut packet, &[]).unwrap();
    packet
}

#[test]
fn rows_of_all_workers_reach_the_lake() {
    let feed = |worker: u8| {
        Made::new((0..1000_u16).flat_map(move |id| {
            let (ts, client) = (NOVEMBER + i64::from(id) * SECOND / 100, [10, 1, worker, (id % 250) as u8]);
            [false, true].map(|is_answer| Step::Frame(ts + i64::from(is_answer), dns(client, id, is_answer)))
        }))
    };
    let (lake, report) = ran(vec![feed(1), feed(2)], |_| {});
    assert_eq!((report.packets, report.rows["dns"], report.flows), (4000, 2000, 500));
    let found = rows(lake.path(), "dns", &["id", "src_ip.address", "source", "packet"]);
    assert_eq!(found.len(), 2000);
    assert!(found.iter().all(|row| row[2] == "span0" && row[3].is_empty()), "{:?}", found.first());
    let reasons = rows(lake.path(), "flows", &["end_reason"]);
    assert_eq!(reasons.len(), 500);
    assert!(reasons.iter().all(|row| row[0] == "shutdown"));
}

#[test]
fn two_hosts_may_have_all_flows_that_there_may_be() {
    let flow = |port: u16| {
        let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, 0, 0, 1], [192, 0, 2, 1], 64);
        let mut packet = Vec::new();
        builder.udp(port, 9999).write(&mut packet, b"x").unwrap();
        Step::Frame(NOVEMBER + i64::from(port), packet)
    };
    let (_lake, report) = ran(vec![Made::new((1000..6000).map(flow))], |capture| {
        capture.config.limits.flows = 4096;
    });
    assert_eq!((report.flows, report.flows_evicted), (5000, 5000 - 4096));
}

#[test]
fn flows_end_without_another_packet() {
    let steps = [
        Step::Frame(NOVEMBER, syn(1)),
        Step::Idle(Duration::from_secs(4)),
        Step::Idle(Duration::from_millis(5_600)),
        Step::Frame(NOVEMBER + 6 * SECOND, syn(2)),
    ];
    let (lake, _) = ran(vec![Made::new(steps.into_iter())], |_| {});
    let found = rows(lake.path(), "flows", &["src_ip.address", "end_reason"]);
    assert_eq!(found, [["10.0.0.1", "timeout"], ["10.0.0.2", "shutdown"]]);
}

#[test]
fn a_clock_that_jumps_costs_no_flow_and_no_row() {
    // Three hours on, and back again, as when a clock is set wrongly and mended.
    let hours = [0, 0, 3, 3, 0, 0];
    let steps = hours.into_iter().enumerate().flat_map(|(part, hour)| {
        (0..200_u16).flat_map(move |id| {
            let ts = NOVEMBER + hour * 3600 * SECOND + i64::from(id) * SECOND / 1000 + part as i64 * SECOND;
            let client = [10, 2, part as u8, (id % 100) as u8];
            [false, true].map(|is_answer| Step::Frame(ts + i64::from(is_answer), dns(client, id, is_answer)))
        })
    });
    let (lake, report) = ran(vec![Made::new(steps)], |_| {});
    // A time that lies hours back is doubted for 64 packets, and they do not find their flows.
    assert!((1200..=1232).contains(&report.rows["dns"]), "{:?}", report.rows);
    assert!((600..=632).contains(&report.flows), "{}", report.flows);
    let mut found = rows(lake.path(), "dns", &["ts", "id"]);
    found.dedup();
    assert!(found.len() >= 1200, "every exchange has a row");
}

#[test]
fn what_was_lost_stands_where_it_was_lost() {
    let counters = tempfile::tempdir().unwrap();
    let statistics = counters.path().join("span0/statistics");
    fs::create_dir_all(&statistics).unwrap();
    for name in ["rx_missed_errors", "rx_fifo_errors", "rx_dropped"] {
        fs::write(statistics.join(name), "1000\n").unwrap();
    }
    let missed = statistics.join("rx_missed_errors");
    let steps = [Step::Frame(NOVEMBER, syn(1)), Step::Dropped(17)].into_iter().chain(std::iter::from_fn({
        let mut asked = 0;
        move || {
            asked += 1;
            // Long enough that the numbers are looked at in between.
            thread::sleep(Duration::from_millis(20));
            if asked == 5 {
                fs::write(&missed, "1042\n").unwrap();
            }
            (asked < 20).then_some(Step::Idle(Duration::from_millis(1)))
        }
    }));
    let (lake, report) = ran(vec![Made::new(steps)], |capture| {
        capture.interface_counters = counters.path().to_owned();
        capture.stats_interval = Duration::from_millis(100);
    });
    let lost = report.lost.unwrap();
    assert_eq!((lost.interface, lost.ring, lost.queue, lost.rows), (42, 17, 0, 0));
    let found = rows(lake.path(), "sensor_stats", &["worker", "dropped_interface", "dropped_ring"]);
    let sum = |column: usize, worker: &str| -> i64 {
        found.iter().filter(|row| row[0] == worker).map(|row| row[column].parse::<i64>().unwrap()).sum()
    };
    assert_eq!((sum(1, "-1"), sum(1, "0"), sum(2, "-1"), sum(2, "0")), (42, 0, 0, 17));
}

#[test]
fn what_matters_least_is_left_undone_first() {
    // One at a time, so that the level can be set in between.
    let followed = |fill: u64, packets: Vec<Vec<u8>>| {
        let steps = packets.into_iter().enumerate().flat_map(|(number, packet)| {
            [Step::Frame(NOVEMBER + number as i64, packet), Step::Idle(Duration::from_nanos(1))]
        });
        let feed = Made::new(steps);
        feed.fill.store(fill, Ordering::Relaxed);
        ran(vec![feed], |_| {}).1
    };
    // The level is set behind the first packet.
    let packets =
        || (0..10).map(|number| dns([10, 3, 0, number], 1, false)).chain((0..10).map(syn)).collect();
    let calm = followed(10, packets());
    assert_eq!((calm.flows, calm.lost.unwrap().queue), (20, 0));
    let busy = followed(95, packets());
    assert_eq!(
        (busy.flows, busy.lost.unwrap().queue),
        (11, 9),
        "flows without a handshake are left out, and counted"
    );
}

#[test]
fn settings_that_may_change_do_and_others_are_named() {
    let lake = tempfile::tempdir().unwrap();
    let old = settings(lake.path());
    let mut new = old.clone();
    new.config.timeouts.tcp_attempt = Duration::from_secs(1);
    new.config.workers = 77;
    new.ring_bytes = 1;
    assert_eq!(old.needs_restart(&new), ["ring-size", "workers"]);
    let config = old.config.with_reloadable(&new.config);
    assert_eq!((config.timeouts.tcp_attempt, config.workers), (Duration::from_secs(1), old.config.workers));
    // Ends with the new time-out: after two seconds, not after five.
    let steps = std::iter::once(Step::Frame(NOVEMBER, syn(1))).chain((0..15).map(|_| {
        thread::sleep(Duration::from_millis(50));
        Step::Idle(Duration::from_secs(2))
    }));
    let mut control = Told { reload: Some(new), ..Told::default() };
    run_with(&old, vec![Made::new(steps)], 1, &mut control).unwrap();
    assert_eq!(rows(lake.path(), "flows", &["end_reason"]), [["timeout"]]);
}

/// Resident memory after a part of the run, in MiB.
fn resident_mebibytes() -> u64 {
    machine::resident() >> 20
}

#[test]
fn eight_hours_of_packets_leave_memory_as_it_was() {
    // Every 30 seconds of packet time some hundreds of flows that end; 960 times.
    let seen = Arc::new(AtomicU64::new(0));
    let early = Arc::clone(&seen);
    let steps = (0..960_i64).flat_map(move |part| {
        if part == 100 {
            early.store(resident_mebibytes(), Ordering::Relaxed);
        }
        (0..300_u32).map(move |number| {
            let ts = NOVEMBER + part * 30 * SECOND + i64::from(number) * SECOND / 20;
            Step::Frame(ts, syn((part as u32 * 300 + number) % 0x00ff_ffff))
        })
    });
    let (lake, report) = ran(vec![Made::new(steps)], |_| {});
    assert_eq!(report.rows["flows"], 288_000);
    let (early, late) = (seen.load(Ordering::Relaxed), resident_mebibytes());
    assert!(late < early + 64, "{early} MiB after 50 minutes, {late} MiB after eight hours");
    drop(lake);
}

#[test]
fn a_worker_that_has_seen_no_packet_has_statistics_of_today() {
    let (lake, _) = ran(vec![Made::new(std::iter::once(Step::Idle(Duration::from_secs(1))))], |_| {});
    let found = rows(lake.path(), "sensor_stats", &["ts", "worker"]);
    assert!(found.len() >= 2 && found.iter().all(|row| !row[0].starts_with("1970")), "{found:?}");
}

#[test]
fn what_waits_is_read_at_the_end_though_its_clock_is_ahead() {
    let (stop, ahead) = (Arc::new(AtomicBool::new(false)), crate::clock::wall() + 37 * SECOND);
    let (told, count) = (Arc::clone(&stop), 256 * 80);
    let mut feed = Made::new(std::iter::empty());
    let fill = Arc::clone(&feed.fill);
    fill.store(10, Ordering::Relaxed);
    feed.left = Box::new((0..count).map(move |number: u32| {
        if number % 256 == 0 {
            thread::sleep(Duration::from_millis(5));
            told.fetch_or(number >= 256 * 10, Ordering::Relaxed);
        }
        if number + 1 == count {
            fill.store(0, Ordering::Relaxed);
        }
        Step::Frame(ahead + i64::from(number), dns([10, 4, 0, 1], number as u16, false))
    }));
    let lake = tempfile::tempdir().unwrap();
    let mut control = Told { stop, ..Told::default() };
    let report = run_with(&settings(lake.path()), vec![feed], 1, &mut control).unwrap();
    assert_eq!(report.packets, u64::from(count));
}
