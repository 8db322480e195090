//! Floods: memory stays under what the options say, and what is real has its rows or its loss is told.

use std::path::Path;
use std::time::Duration;

use super::load::{Done, Load};
use super::net::Wire;
use super::packets;
use super::process::{Sensor, metric, wait_until};
use super::rows::{Row, assert_whole, rows};
use super::servers::{NAMED, NGINX, Named, Nginx};
use super::turn;

const MIB: u64 = 1 << 20;

/// `--memory`.
const MEMORY: u64 = 400 * MIB;
/// `--ring-size`, one for each of two workers.
const RING: u64 = 16 * MIB;
/// Code, stacks, and what the allocator holds back.
const BASE: u64 = 64 * MIB;

const OPTIONS: &[&str] = &[
    "--workers",
    "2",
    "--memory",
    "400MiB",
    "--ring-size",
    "16MiB",
    "--max-flows",
    "200000",
    "--stream-memory",
    "64MiB",
    "--fragment-memory",
    "8MiB",
    "--rotate-every",
    "10s",
];

/// Sends a flood beside real exchanges; gives the rows of `sensor_stats`.
fn survives(flood: impl Iterator<Item = Vec<u8>>, count: u64) -> Option<Vec<Row>> {
    let _turn = turn(&[NAMED, NGINX, &["tcpreplay"]].concat())?;
    let folder = tempfile::tempdir().unwrap();
    let (lake, capture) = (folder.path().join("lake"), folder.path().join("flood.pcap"));
    packets::write(&capture, flood);
    let wire = Wire::mirrored();
    let _servers = (Named::start(&wire, folder.path()), Nginx::start(&wire, folder.path()));
    let mut sensor = Sensor::start(&wire, "mon0", &lake, OPTIONS);
    let during = Load::start(&wire, "during", Duration::from_millis(10));
    let sent = wire.send(&capture, &["-t", "-K"]);
    let during = during.stop();
    let told = || {
        let metrics = sensor.metrics(&wire.sensor);
        let told =
            metric(&metrics, "spanlake_packets_total") + metric(&metrics, "spanlake_dropped_ring_total");
        (told >= count as f64).then_some(())
    };
    wait_until("all of the flood is counted", told);
    let after = Load::start(&wire, "after", Duration::from_millis(10));
    std::thread::sleep(Duration::from_secs(2));
    let after = after.stop();
    std::thread::sleep(Duration::from_secs(1));
    let peak = sensor.peak();
    assert!(sensor.process.is_running());
    let said = sensor.process.said();
    let summary = sensor.stop();
    assert_whole(&lake);
    let stats = rows(&lake, "sensor_stats");
    let lost = sum(&stats, &["dropped_ring", "dropped_queue", "dropped_interface", "flows_evicted"]);
    let rate = sent.lines().find(|line| line.starts_with("Rated")).unwrap_or_default();
    eprintln!("{rate}\npeak {} MiB, packets {}, lost {lost}, {summary}", peak / MIB, summary["packets"]);
    assert!(peak < MEMORY + 2 * RING + BASE, "{} MiB\n{said}", peak / MIB);
    let told = sum(&stats, &["packets", "dropped_ring"]);
    assert!(told >= count, "{told} of {count}");
    assert_there(&lake, &after, 0);
    assert!(after.dns.len() > 20 && after.http.len() > 20);
    assert_there(&lake, &during, lost);
    Some(stats)
}

/// As many exchanges lack a row as can lack one by what was told to be lost.
fn assert_there(lake: &Path, done: &Done, lost: u64) {
    for (table, name, done) in [("dns", "query", &done.dns), ("http", "request.uri", &done.http)] {
        let rows = rows(lake, table);
        let missing = done.iter().filter(|&done| !rows.iter().any(|row| row.get(name) == Some(done))).count();
        eprintln!("{table}: {missing} of {} have no row", done.len());
        assert!(missing as u64 <= lost, "{table} lacks {missing} of {}, {lost} were told", done.len());
    }
}

fn sum(stats: &[Row], columns: &[&str]) -> u64 {
    let numbers = stats.iter().flat_map(|row| columns.iter().filter_map(|&column| row.get(column)));
    numbers.map(|number| number.parse::<u64>().unwrap()).sum()
}

#[test]
#[ignore = "needs root"]
fn connections_from_a_million_addresses_stay_within_memory() {
    survives(packets::syn_flood(1_000_000), 1_000_000);
}

#[test]
#[ignore = "needs root"]
fn a_million_flows_stay_within_memory() {
    survives(packets::flow_flood(1_000_000), 1_000_000);
}

#[test]
#[ignore = "needs root"]
fn half_a_million_fragments_without_the_others_stay_within_memory() {
    let Some(stats) = survives(packets::fragment_flood(500_000), 500_000) else { return };
    assert!(sum(&stats, &["fragments"]) > 0);
}

#[test]
#[ignore = "needs root"]
fn half_open_requests_of_a_quarter_million_connections_stay_within_memory() {
    survives(packets::half_open_requests(250_000), 1_000_000);
}
