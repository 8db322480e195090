//! A sensor on feeds that are made up: they set the clock, and say what was lost.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its own files has failed")]

mod made;
mod memory;
mod pressure;

/// The allocator of the program, so that memory is that of the program.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use etherparse::PacketBuilder;
use sensor::clock;
use sensor::live::run_with;

use made::{Made, NOVEMBER, SECOND, Step, Told, dns, ran, rows, settings, syn};

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
    assert_eq!(report.flows, 5000);
    // Of a full table some go at once.
    assert!((5000 - 4096..5000 - 4096 + 32).contains(&report.flows_evicted), "{}", report.flows_evicted);
}

#[test]
fn of_each_few_oldest_flows_the_one_goes_that_matters_least() {
    let (client, server) = ([10, 0, 0, 1], [192, 0, 2, 1]);
    let packet = |from, to, ports: (u16, u16)| {
        let mut packet = Vec::new();
        let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(from, to, 64).udp(ports.0, ports.1);
        builder.write(&mut packet, b"x").unwrap();
        packet
    };
    // Every eighth is never answered.
    let ports = 1000..1000 + 4096_u16;
    let questions = ports.clone().map(move |port| packet(client, server, (port, 9999)));
    let answers = ports.filter(|port| port % 8 != 0).map(move |port| packet(server, client, (9999, port)));
    let one_more = [packet(client, server, (9000, 9999))];
    let frames = questions.chain(answers).chain(one_more).zip(NOVEMBER..);
    let steps = frames.map(|(packet, ts)| Step::Frame(ts, packet));
    let (lake, report) = ran(vec![Made::new(steps)], |capture| {
        capture.config.limits.flows = 4096;
    });
    assert!((1..=32).contains(&report.flows_evicted), "{}", report.flows_evicted);
    let flows = rows(lake.path(), "flows", &["src_port", "end_reason"]);
    let evicted: Vec<u16> =
        flows.iter().filter(|row| row[1] == "evicted").map(|row| row[0].parse().unwrap()).collect();
    assert_eq!(evicted.len() as u64, report.flows_evicted);
    assert!(evicted.iter().all(|port| port % 8 == 0), "{evicted:?}");
}

#[test]
fn of_flows_that_nobody_answered_the_oldest_go() {
    let question = |port| {
        let mut packet = Vec::new();
        let builder = PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([10, 0, 0, 1], [192, 0, 2, 1], 64);
        builder.udp(port, 9999).write(&mut packet, b"x").unwrap();
        packet
    };
    let frames = (1000..1000 + 4096 + 100_u16).map(question).zip(NOVEMBER..);
    let steps = frames.map(|(packet, ts)| Step::Frame(ts, packet));
    let (lake, report) = ran(vec![Made::new(steps)], |capture| {
        capture.config.limits.flows = 4096;
    });
    assert!((100..100 + 32).contains(&report.flows_evicted), "{}", report.flows_evicted);
    let flows = rows(lake.path(), "flows", &["src_port", "end_reason"]);
    let evicted = flows.iter().filter(|row| row[1] == "evicted").map(|row| row[0].parse().unwrap());
    let oldest = 1000..1000 + report.flows_evicted as u16;
    assert_eq!(evicted.collect::<Vec<u16>>(), oldest.collect::<Vec<_>>());
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

#[test]
fn a_worker_that_has_seen_no_packet_has_statistics_of_today() {
    let (lake, _) = ran(vec![Made::new(std::iter::once(Step::Idle(Duration::from_secs(1))))], |_| {});
    let found = rows(lake.path(), "sensor_stats", &["ts", "worker"]);
    assert!(found.len() >= 2 && found.iter().all(|row| !row[0].starts_with("1970")), "{found:?}");
}

#[test]
fn what_waits_is_read_at_the_end_though_its_clock_is_ahead() {
    let (stop, ahead) = (Arc::new(AtomicBool::new(false)), clock::wall() + 37 * SECOND);
    let (told, count) = (Arc::clone(&stop), 256 * 80);
    let steps = (0..count).flat_map(move |number: u32| {
        if number.is_multiple_of(256) {
            thread::sleep(Duration::from_millis(5));
            told.fetch_or(number >= 256 * 10, Ordering::Relaxed);
        }
        let fill = if number + 1 == count { 0 } else { 10 };
        [Step::Fill(fill), Step::Frame(ahead + i64::from(number), dns([10, 4, 0, 1], number as u16, false))]
    });
    let lake = tempfile::tempdir().unwrap();
    let mut control = Told { stop, ..Told::default() };
    let report = run_with(&settings(lake.path()), vec![Made::new(steps)], 1, &mut control).unwrap();
    assert_eq!(report.packets, u64::from(count));
}
