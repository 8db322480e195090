//! The numbers of a live sensor as Prometheus reads them: text over HTTP, version 0.0.4 of the format.

use std::fmt::{Display, Write as _};
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use schemas::batch::{Counts, TABLE_NAMES};

use super::machine;
use super::meters::{Kind, Meters};
use super::shared::Shared;
use crate::journal;

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct View {
    pub(super) interfaces: Vec<String>,
    pub(super) workers: Vec<Arc<Meters>>,
    pub(super) journal: Arc<journal::Meters>,
    pub(super) totals: Totals,
    pub(super) started: Instant,
    /// Memory that workers try to stay below.
    pub(super) memory: u64,
}

/// What belongs to no worker.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// By interface.
    pub(super) dropped: Vec<AtomicU64>,
    /// In the last second.
    pub(super) packets_per_second: AtomicU64,
    pub(super) bits_per_second: AtomicU64,
    /// By retention.
    pub(super) removed_files: AtomicU64,
    pub(super) removed_bytes: AtomicU64,
}

/// Serves `view` at `address` until the sensor stops.
///
/// # Errors
/// The address cannot be had.
pub(super) fn serve(address: SocketAddr, view: Arc<View>, shared: Arc<Shared>) -> Result<JoinHandle<()>> {
    let cannot = || format!("--metrics: listening on {address}");
    let listener = TcpListener::bind(address).with_context(cannot)?;
    listener.set_nonblocking(true).with_context(cannot)?;
    let serve = move || {
        while !shared.stops() {
            let mut waits = [PollFd::new(&listener, PollFlags::IN)];
            let timeout = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
            if poll(&mut waits, Some(&timeout)).is_err() {
                thread::sleep(Duration::from_millis(200));
            }
            while !shared.stops()
                && let Ok((stream, _)) = listener.accept()
            {
                // Who asks and goes away is no trouble of ours.
                let _ = answer(stream, &view);
            }
        }
    };
    thread::Builder::new().name("metrics".to_owned()).spawn(serve).context("starting a thread")
}

/// Answers one request. One after the other: who asks slowly is cut off.
fn answer(mut stream: TcpStream, view: &View) -> io::Result<()> {
    const HEAD: usize = 8 << 10;
    stream.set_nonblocking(false)?;
    let (mut head, mut piece, until) = (Vec::new(), [0; 1024], Instant::now() + PATIENCE);
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        stream.set_read_timeout(Some(left(until)?))?;
        let read = stream.read(&mut piece)?;
        head.extend_from_slice(piece.get(..read).unwrap_or_default());
        if read == 0 || head.len() > HEAD {
            return Ok(());
        }
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = path.split(|byte| *byte == b'?').next().unwrap_or_default();
    let (status, kind, body) = match (method, path) {
        (b"GET" | b"HEAD", b"/metrics") => {
            ("200 OK", "text/plain; version=0.0.4; charset=utf-8", render(view))
        }
        (b"GET" | b"HEAD", _) => ("404 Not Found", "text/plain", "the metrics are at /metrics\n".to_owned()),
        _ => ("405 Method Not Allowed", "text/plain", "GET /metrics\n".to_owned()),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    send(&mut stream, head.as_bytes(), until)?;
    if method != b"HEAD" {
        send(&mut stream, body.as_bytes(), until)?;
    }
    stream.flush()
}

/// Sends all bytes, or fails when the time is over, however often a little of them was taken.
fn send(stream: &mut TcpStream, mut bytes: &[u8], until: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        stream.set_write_timeout(Some(left(until)?))?;
        match stream.write(bytes)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            sent => bytes = bytes.get(sent..).unwrap_or_default(),
        }
    }
    Ok(())
}

/// The time that is left; an error where none is.
fn left(until: Instant) -> io::Result<Duration> {
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

/// How long whoever asks may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// The text.
pub(super) fn render(view: &View) -> String {
    let mut text = Text::default();
    for meter in Meters::ALL {
        let (name, kind) = match (meter.kind, meter.name.strip_suffix("_nanoseconds")) {
            (_, Some(name)) => (format!("worker_{name}_seconds_total"), "counter"),
            (Kind::Counter, None) => (format!("{}_total", meter.name), "counter"),
            (Kind::Gauge, None) => (meter.name.to_owned(), "gauge"),
        };
        text.family(&name, kind, meter.meaning);
        for (number, worker) in view.workers.iter().enumerate() {
            let value = (meter.read)(worker);
            match meter.name.ends_with("_nanoseconds") {
                true => text.sample(&name, &[("worker", &number)], value as f64 / 1e9),
                false => text.sample(&name, &[("worker", &number)], value),
            }
        }
    }
    let totals = &view.totals;
    text.family("interface_dropped_total", "counter", "Packets that the interface dropped.");
    for (interface, dropped) in view.interfaces.iter().zip(&totals.dropped) {
        text.sample("interface_dropped_total", &[("interface", interface)], dropped.load(Ordering::Relaxed));
    }
    let journal = &view.journal;
    for (name, counts, meaning) in [
        ("rows_journalled_total", journal.journalled.get(), "Rows that are safe in the journal."),
        ("rows_published_total", journal.published.get(), "Rows in the lake."),
        ("journal_rows_dropped_total", journal.dropped.get(), "Rows given up because the disk took none."),
    ] {
        text.tables(name, meaning, &counts);
    }
    let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let seconds = |counter: &AtomicU64| load(counter) as f64 / 1e9;
    for (name, kind, value, meaning) in [
        (
            "packets_per_second",
            "gauge",
            load(&totals.packets_per_second) as f64,
            "Packets in the last second.",
        ),
        (
            "bits_per_second",
            "gauge",
            load(&totals.bits_per_second) as f64,
            "Bits of packets in the last second.",
        ),
        ("journal_segments", "gauge", load(&journal.segments) as f64, "Segments that wait to be published."),
        ("journal_bytes", "gauge", load(&journal.journal_bytes) as f64, "Bytes of the journal."),
        ("journal_held_bytes", "gauge", load(&journal.held_bytes) as f64, "Bytes of rows not yet on disk."),
        ("journal_held_rows", "gauge", load(&journal.held_rows) as f64, "Rows not yet on disk."),
        (
            "journal_seconds_total",
            "counter",
            seconds(&journal.journal_nanoseconds),
            "Time the journal waited for the disk.",
        ),
        (
            "publish_seconds_total",
            "counter",
            seconds(&journal.publish_nanoseconds),
            "Time that went into files of the lake.",
        ),
        ("files_published_total", "counter", load(&journal.files) as f64, "Files published in the lake."),
        ("file_bytes_published_total", "counter", load(&journal.bytes) as f64, "Bytes of those files."),
        (
            "disk_failing",
            "gauge",
            f64::from(u8::from(journal.failure().is_some())),
            "1 while the disk takes no rows.",
        ),
        (
            "removed_files_total",
            "counter",
            load(&totals.removed_files) as f64,
            "Files that retention removed.",
        ),
        ("removed_bytes_total", "counter", load(&totals.removed_bytes) as f64, "Bytes of those files."),
        ("resident_bytes", "gauge", machine::resident() as f64, "Memory of the process."),
        ("memory_limit_bytes", "gauge", view.memory as f64, "Memory that the process tries to stay below."),
        (
            "cpu_seconds_total",
            "counter",
            machine::process_cpu() as f64 / 1e9,
            "Processor time of the process.",
        ),
        ("uptime_seconds", "gauge", view.started.elapsed().as_secs_f64(), "Time since the start."),
    ] {
        text.family(name, kind, meaning);
        text.sample(name, &[], value);
    }
    text.0
}

/// Text in the format.
#[derive(Debug, Default)]
struct Text(String);

impl Text {
    fn family(&mut self, name: &str, kind: &str, meaning: &str) {
        // Writing to a String cannot fail.
        let _ = write!(self.0, "# HELP spanlake_{name} {meaning}\n# TYPE spanlake_{name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &dyn Display)], value: impl Display) {
        let _ = write!(self.0, "spanlake_{name}");
        for (place, (label, of)) in labels.iter().enumerate() {
            let value = of.to_string().replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{value}\"", if place == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn tables(&mut self, name: &str, meaning: &str, counts: &Counts) {
        self.family(name, "counter", meaning);
        for (table, count) in TABLE_NAMES.iter().zip(counts) {
            self.sample(name, &[("table", table)], count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> View {
        let worker = Meters::default();
        Meters::set(&worker.packets, 7);
        Meters::set(&worker.cpu_nanoseconds, 1_500_000_000);
        View {
            interfaces: vec!["a\"b".to_owned()],
            workers: vec![Arc::new(worker)],
            journal: Arc::default(),
            totals: Totals { dropped: vec![AtomicU64::new(3)], ..Totals::default() },
            started: Instant::now(),
            memory: 1 << 30,
        }
    }

    /// What is answered to a request.
    fn asked(request: &[u8]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        client.write_all(request).unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        answer(listener.accept().unwrap().0, &view()).unwrap();
        let mut answer = String::new();
        // Who sends too much is cut off.
        let _ = client.read_to_string(&mut answer);
        answer
    }

    #[test]
    fn every_number_has_a_meaning_a_kind_and_a_value() {
        let text = render(&view());
        for line in [
            "spanlake_packets_total{worker=\"0\"} 7",
            "# TYPE spanlake_packets_total counter",
            "spanlake_worker_cpu_seconds_total{worker=\"0\"} 1.5",
            "spanlake_interface_dropped_total{interface=\"a\\\"b\"} 3",
            "spanlake_rows_published_total{table=\"dns\"} 0",
            "spanlake_disk_failing 0",
        ] {
            assert!(text.lines().any(|is| is == line), "{line} is not in\n{text}");
        }
        let mut kinds = std::collections::BTreeSet::new();
        for line in text.lines() {
            match line.strip_prefix("# TYPE ") {
                Some(rest) => assert!(kinds.insert(rest.split(' ').next().unwrap()), "twice: {line}"),
                None if line.starts_with("# HELP ") => assert!(line.ends_with('.') || line.contains(": ")),
                None => assert!(kinds.contains(line.split(['{', ' ']).next().unwrap()), "{line}"),
            }
        }
    }

    #[test]
    fn only_what_is_there_is_answered() {
        assert!(
            asked(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").contains("\nspanlake_packets_total{worker")
        );
        assert!(asked(b"GET /metrics?x=1 HTTP/1.0\r\n\r\n").starts_with("HTTP/1.1 200 "));
        let head = asked(b"HEAD /metrics HTTP/1.1\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
        assert!(asked(b"GET / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
        assert!(asked(b"POST /metrics HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 405 "));
        assert_eq!(asked(b"GET /metrics HT"), "");
        assert_eq!(asked(&[b'a'; 20_000]), "");
    }

    #[test]
    fn clients_that_say_nothing_do_not_hold_up_the_end() {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let shared = Arc::new(Shared::new(crate::config::Config::default(), 1, Duration::from_secs(60)));
        let server = serve(address, Arc::new(view()), Arc::clone(&shared)).unwrap();
        let silent: Vec<TcpStream> = (0..4).map(|_| TcpStream::connect(address).unwrap()).collect();
        thread::sleep(Duration::from_millis(100));
        let told = Instant::now();
        shared.stop();
        server.join().unwrap();
        assert!(told.elapsed() < PATIENCE + Duration::from_secs(1), "{:?}", told.elapsed());
        drop(silent);
    }

    #[test]
    fn a_client_that_takes_its_answer_in_drops_is_cut_off() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let reader = thread::spawn(move || {
            let mut drops = vec![0; 256 << 10];
            while client.read(&mut drops).is_ok_and(|read| read > 0) {
                thread::sleep(Duration::from_millis(100));
            }
        });
        let (part, began) = (vec![b'x'; 1 << 20], Instant::now());
        let until = began + Duration::from_millis(500);
        let sent = (0..64).try_for_each(|_| send(&mut server, &part, until));
        assert!(sent.is_err() && began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        server.shutdown(std::net::Shutdown::Both).unwrap();
        drop(server);
        reader.join().unwrap();
    }
}
