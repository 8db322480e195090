//! What an administrator and systemd see: signals, notifications, metrics, and loss that is told.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::process::Signal;

use super::load::Load;
use super::net::{SERVER, Wire};
use super::packets;
use super::process::{SPANLAKE, Sensor, metric, wait_until};
use super::rows::{assert_whole, rows};
use super::servers::{NAMED, NGINX, Named, Nginx};
use super::turn;

#[test]
#[ignore = "needs root"]
fn a_signal_ends_it_within_ten_seconds_with_open_flows_written() {
    let Some(_turn) = turn(&[NAMED, NGINX].concat()) else { return };
    for signal in [Signal::TERM, Signal::INT] {
        let folder = tempfile::tempdir().unwrap();
        let lake = folder.path().join("lake");
        let wire = Wire::mirrored();
        let _servers = (Named::start(&wire, folder.path()), Nginx::start(&wire, folder.path()));
        let sensor = Sensor::start(&wire, "mon0", &lake, &["--workers", "2"]);
        let port = 7777;
        let server = wire.server.spawn(move || {
            let (mut stream, _) = TcpListener::bind((SERVER, port)).unwrap().accept().unwrap();
            stream.read_exact(&mut [0; 5]).unwrap();
            stream
        });
        let open = wire.client.spawn(move || {
            wait_until("the server listens", || {
                let mut stream = TcpStream::connect((SERVER, port)).ok()?;
                stream.write_all(b"hello").unwrap();
                Some(stream)
            })
        });
        let _ends = (open.join().unwrap(), server.join().unwrap());
        let load = Load::start(&wire, "signal", Duration::from_millis(2));
        std::thread::sleep(Duration::from_secs(1));
        let (summary, took) = sensor.stop_by(signal);
        load.stop();
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert!(summary["packets"].as_u64().unwrap() > 100, "{summary}");
        let flows = rows(&lake, "flows");
        let open = flows.iter().filter(|row| row["dst_port"] == port.to_string());
        // An attempt before the server listened was refused.
        let open: Vec<_> = open.filter(|row| row["conn_state"] != "REJ").collect();
        assert_eq!(open.len(), 1);
        assert_eq!((open[0]["end_reason"].as_str(), open[0]["conn_state"].as_str()), ("shutdown", "S1"));
        assert_whole(&lake);
    }
}

#[test]
#[ignore = "needs root"]
fn systemd_hears_that_it_is_ready_alive_and_about_to_stop() {
    let Some(_turn) = turn(&[]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let address = folder.path().join("notify");
    let systemd = UnixDatagram::bind(&address).unwrap();
    systemd.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let wire = Wire::mirrored();
    let mut command = wire.sensor.command(SPANLAKE);
    command.env("NOTIFY_SOCKET", &address).env("WATCHDOG_USEC", "400000");
    let sensor = Sensor::start_as(command, "mon0", &folder.path().join("lake"), &[]);
    let wait_for = |word: &str| {
        let mut buffer = [0; 4096];
        for _ in 0..200 {
            let length = systemd.recv(&mut buffer).unwrap_or_else(|error| panic!("no {word}: {error}"));
            if String::from_utf8_lossy(&buffer[..length]).lines().any(|line| line == word) {
                return;
            }
        }
        panic!("no {word} in 200 messages");
    };
    wait_for("READY=1");
    for _ in 0..5 {
        wait_for("WATCHDOG=1");
    }
    sensor.process.signal(Signal::TERM);
    wait_for("STOPPING=1");
}

#[test]
#[ignore = "needs root"]
fn a_changed_configuration_is_taken_up_and_told() {
    let Some(_turn) = turn(&[]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("spanlake.toml");
    fs::write(&file, "keep-days = 30\nworkers = 1\n").unwrap();
    let wire = Wire::mirrored();
    let config = file.display().to_string();
    let mut sensor = Sensor::start(&wire, "mon0", &folder.path().join("lake"), &["--config", &config]);
    fs::write(&file, "keep-days = 20\nworkers = 2\n").unwrap();
    sensor.process.signal(Signal::HUP);
    // One can be changed while it runs, the other cannot.
    sensor.process.wait_for("those that have changed count now");
    sensor.process.wait_for("--workers has changed and counts from the next start on");
    fs::write(&file, "keep-days = \"never\"\n").unwrap();
    sensor.process.signal(Signal::HUP);
    sensor.process.wait_for("the settings are as they were");
    assert!(sensor.process.said().contains("keep-days"));
    assert!(sensor.process.is_running());
    eprintln!("{}", sensor.process.said());
    sensor.stop();
}

#[test]
#[ignore = "needs root"]
fn metrics_grow_with_what_is_captured() {
    let Some(_turn) = turn(&[NAMED, NGINX].concat()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let wire = Wire::mirrored();
    let _servers = (Named::start(&wire, folder.path()), Nginx::start(&wire, folder.path()));
    let sensor = Sensor::start(&wire, "mon0", &folder.path().join("lake"), &["--workers", "2"]);
    let load = Load::start(&wire, "metrics", Duration::from_millis(5));
    let mut before = 0.0;
    for _ in 0..3 {
        before = wait_until("packets are counted", || {
            let now = sensor.metric(&wire.sensor, "spanlake_packets_total");
            (now > before + 50.0).then_some(now)
        });
    }
    load.stop();
    let text = sensor.metrics(&wire.sensor);
    eprintln!("{text}");
    // Each sample has its help and its type.
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let name = line.split(['{', ' ']).next().unwrap();
        let of = |kind: &str| text.lines().any(|line| line.starts_with(&format!("# {kind} {name} ")));
        assert!(of("HELP") && of("TYPE"), "{line}");
    }
    assert!(metric(&text, "spanlake_packets_total") >= before);
    sensor.stop();
}

#[test]
#[ignore = "needs root"]
fn loss_by_a_ring_that_is_too_small_is_told_when_it_begins_and_ends() {
    let Some(_turn) = turn(&["tcpreplay"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (lake, capture) = (folder.path().join("lake"), folder.path().join("flood.pcap"));
    let count = 50_000;
    packets::write(&capture, packets::flow_flood(count));
    let wire = Wire::mirrored();
    let mut sensor = Sensor::start(&wire, "mon0", &lake, &["--workers", "1", "--ring-size", "1MiB"]);
    sensor.process.signal(Signal::STOP);
    wire.send(&capture, &["-t", "-K"]);
    sensor.process.signal(Signal::CONT);
    sensor.process.wait_for("the ring of worker 0 is full and drops packets");
    let dropped = wait_until("the metric tells the loss", || {
        let dropped = sensor.metric(&wire.sensor, "spanlake_dropped_ring_total");
        (dropped > 0.0).then_some(dropped)
    });
    sensor.process.wait_for("no more: the ring of worker 0 is full");
    let summary = sensor.stop();
    let stats = rows(&lake, "sensor_stats");
    let sum = |column: &str| stats.iter().map(|row| row[column].parse::<u64>().unwrap()).sum::<u64>();
    assert_eq!(sum("dropped_ring"), dropped as u64, "{summary}");
    assert_eq!(sum("packets") + sum("dropped_ring"), u64::from(count), "{summary}");
}

#[test]
#[ignore = "needs root"]
fn what_came_before_the_signal_is_counted() {
    let Some(_turn) = turn(&["tcpreplay"]) else { return };
    let folder = tempfile::tempdir().unwrap();
    let (lake, capture) = (folder.path().join("lake"), folder.path().join("flood.pcap"));
    let count = 50_000;
    packets::write(&capture, packets::flow_flood(count));
    let wire = Wire::mirrored();
    let sensor = Sensor::start(&wire, "mon0", &lake, &["--workers", "2"]);
    // What is sent while it cannot read waits in the rings.
    sensor.process.signal(Signal::STOP);
    wire.send(&capture, &["-t", "-K"]);
    sensor.process.signal(Signal::TERM);
    let summary = sensor.stop_by(Signal::CONT).0;
    assert_eq!(summary["packets"], count, "{summary}");
    assert_eq!(rows(&lake, "flows").len(), count as usize);
}
