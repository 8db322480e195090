//! Memory of a process that runs for long, and of one that follows as many flows as it may.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use etherparse::PacketBuilder;
use schemas::envelope::Nanoseconds;
use sensor::capture::{FrameBatch, Pool};
use sensor::config::Checksums;

use crate::made::{Made, NOVEMBER, SECOND, Step, ran, syn};

const ALONE: &str = "SPANLAKE_TEST_ALONE";

/// Runs a test again in a process of its own, where no other test takes memory: true there.
fn is_alone(test: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let program = std::env::current_exe().unwrap();
    let run = Command::new(program).args(["--exact", test, "--nocapture"]).env(ALONE, "1").output().unwrap();
    let told = [run.stdout, run.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    assert!(run.status.success() && told.contains("1 passed"), "{told}");
    false
}

/// Memory of this process, in MiB: `VmRSS` now, `VmHWM` at most so far.
fn mebibytes(of: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(of)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() >> 10
}

/// Frames of captures of each protocol, with times from the first one on.
fn frames() -> Vec<(Nanoseconds, Vec<u8>)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../pcaps");
    let names = [
        "dns/recursive.pcap",
        "http/pipelined.pcap",
        "http/uploads.pcap",
        "http/ranges_in_order.pcap",
        "tls/versions.pcap",
        "tls/client_certificate.pcap",
        "quic/browser.pcap",
        "ftp/active.pcap",
        "kerberos/rc4.pcap",
        "kerberos/aes.pcap",
        "flows/gap.pcap",
        "flows/loss_sender.pcap",
        "flows/midstream.pcap",
        "fragments/interleaved.pcap",
    ];
    let mut all = Vec::new();
    for name in names {
        let mut source =
            sensor::capture::open(&folder.join(name), &Pool::new(1 << 20, 64 << 20), None).unwrap();
        let (mut batch, mut first) = (FrameBatch::default(), None);
        while source.next(&mut batch) {
            for frame in &batch.frames {
                let begin = *first.get_or_insert(frame.ts);
                all.push((frame.ts - begin, frame.bytes(&batch.block).to_vec()));
            }
        }
    }
    all.sort_by_key(|(ts, _)| *ts);
    all
}

/// The same frame between other hosts: both addresses are changed alike.
fn between_others(frame: &[u8], part: u16) -> Vec<u8> {
    let mut frame = frame.to_vec();
    if frame.get(12..14) == Some(&[8, 0]) && frame.len() >= 34 {
        for address in [26, 30] {
            for (byte, other) in frame[address + 1..address + 3].iter_mut().zip(part.to_be_bytes()) {
                *byte ^= other;
            }
        }
    }
    frame
}

#[test]
fn a_day_of_packets_leaves_memory_as_it_was() {
    if !is_alone("memory::a_day_of_packets_leaves_memory_as_it_was") {
        return;
    }
    // Every 30 seconds four times all that the captures show, each time between other hosts, and a scan.
    const PARTS: u16 = 2880;
    const TIMES: u16 = 4;
    let seen = Arc::new([const { AtomicU64::new(0) }; PARTS as usize]);
    let told = Arc::clone(&seen);
    let frames = frames();
    let all = frames.len() as u64;
    let steps = (0..PARTS).flat_map(move |part| {
        told[usize::from(part)].store(mebibytes("VmRSS"), Ordering::Relaxed);
        let begin = NOVEMBER + Nanoseconds::from(part) * 30 * SECOND;
        let shown = frames.iter().flat_map(|(ts, frame)| {
            // Captures of minutes are shown faster.
            let ts = begin + (ts / 64).min(29 * SECOND);
            (0..TIMES).map(move |time| Step::Frame(ts, between_others(frame, part * TIMES + time)))
        });
        let scan = (0..100).map(|number| {
            Step::Frame(begin + 29 * SECOND + i64::from(number), syn(u32::from(part) * 100 + number))
        });
        shown.chain(scan).collect::<Vec<_>>()
    });
    let (_lake, report) = ran(vec![Made::new(steps)], |capture| {
        capture.config.checksums = Checksums::Ignore;
        // Published again and again in every hour, as it is in a real one.
        capture.rotate_bytes = 2 << 20;
    });
    assert_eq!(report.packets, u64::from(PARTS) * (all * u64::from(TIMES) + 100));
    for (table, a_part) in
        [("flows", 350), ("dns", 100), ("http", 100), ("tls", 40), ("kerberos", 32), ("file", 100)]
    {
        let rows = report.rows.get(table).copied().unwrap_or(0);
        assert!(rows >= u64::from(PARTS) * a_part, "{table}: {rows}");
    }
    // What is held at a moment depends on which files are just written, and on how busy the machine is: what stays is the
    // least of many hours. Tables fill within the first.
    let held = |hours: std::ops::Range<usize>| {
        let parts = seen[hours.start * 120..hours.end * 120].iter().map(|part| part.load(Ordering::Relaxed));
        (parts.clone().min().unwrap(), parts.max().unwrap())
    };
    let ((early, early_most), (late, late_most)) = (held(4..12), held(16..24));
    let told = format!("{early} to {early_most} MiB until noon, {late} to {late_most} in the evening");
    assert!(late <= early + early / 4 + 32 && late_most <= 450, "{told}");
    println!("{told}");
}

#[test]
fn a_million_idle_flows_take_600_mebibytes_at_most() {
    if !is_alone("memory::a_million_idle_flows_take_600_mebibytes_at_most") {
        return;
    }
    const FLOWS: u32 = 1_000_000;
    let packet = |number: u32| {
        let source = (0x0a00_0000 | number).to_be_bytes();
        let builder =
            PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(source, [192, 0, 2, 1], 64).udp(4500, 9999);
        let mut packet = Vec::new();
        builder.write(&mut packet, b"is anybody there").unwrap();
        packet
    };
    let open = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&open);
    // All within a time in which none is over.
    let steps = (0..FLOWS)
        .map(move |number| Step::Frame(NOVEMBER + i64::from(number) * 20_000, packet(number)))
        .chain(std::iter::once_with(move || {
            told.store(mebibytes("VmRSS"), Ordering::Relaxed);
            Step::Idle(Duration::from_nanos(1))
        }));
    let (_lake, report) = ran(vec![Made::new(steps)], |_| {});
    assert_eq!((report.flows, report.flows_evicted, report.rows["flows"]), (FLOWS.into(), 0, FLOWS.into()));
    let (open, peak) = (open.load(Ordering::Relaxed), mebibytes("VmHWM"));
    assert!(open <= 600 && peak <= 600, "{open} MiB while all are open, {peak} MiB when all have ended");
    println!("{open} MiB while all are open, {peak} MiB when all have ended");
}
