//! What runs beside a test: servers, the recorder and the sensor.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::net::{Namespace, Wire};

const SOON: Duration = Duration::from_secs(30);
pub(crate) const SPANLAKE: &str = env!("CARGO_BIN_EXE_spanlake");
const METRICS: &str = "127.0.0.1:9477";

/// Waits until something is so.
pub(crate) fn wait_until<T>(what: &str, mut is_so: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + SOON;
    loop {
        if let Some(found) = is_so() {
            return found;
        }
        assert!(Instant::now() < end, "it never came to be: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A running program with what it says on standard error. It is killed when this goes.
pub(crate) struct Process {
    child: Child,
    said: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Mutex::new(String::new()));
        let (stderr, copy) = (child.stderr.take().unwrap(), Arc::clone(&said));
        let reader = thread::spawn(move || {
            let mut stderr = BufReader::new(stderr);
            let mut line = Vec::new();
            while stderr.read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
                copy.lock().unwrap().push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        Self { child, said, reader: Some(reader) }
    }

    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits until it said this; fails when it ended before that.
    pub(crate) fn wait_for(&mut self, words: &str) {
        wait_until(words, || {
            if self.said().contains(words) {
                return Some(());
            }
            assert!(self.is_running(), "it ended before it said '{words}':\n{}", self.said());
            None
        });
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it ended; gives how, and how long that took.
    pub(crate) fn ended(&mut self) -> (ExitStatus, Duration) {
        let start = Instant::now();
        let status = wait_until("the process ends", || self.child.try_wait().unwrap());
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        (status, start.elapsed())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A recording of what a mirror shows, with the kernel's stamps.
pub(crate) struct Recorder {
    tcpdump: Process,
    pub(crate) capture: PathBuf,
}

impl Recorder {
    pub(crate) fn start(wire: &Wire, mirror: &str, capture: &Path) -> Self {
        let mut command = wire.sensor.command("tcpdump");
        command.args(["-i", mirror, "-n", "-U", "-B", "65536", "-Z", "root"]);
        command.args(["--time-stamp-precision=nano", "-w"]).arg(capture);
        let mut tcpdump = Process::start(&mut command);
        tcpdump.wait_for("listening on");
        Self { tcpdump, capture: capture.to_owned() }
    }

    /// Ends it; nothing was lost.
    pub(crate) fn stop(mut self) -> PathBuf {
        // What waits in a block that is not full is shown to it after a second.
        thread::sleep(Duration::from_millis(1500));
        self.tcpdump.signal(Signal::INT);
        self.tcpdump.ended();
        let said = self.tcpdump.said();
        assert!(said.contains("\n0 packets dropped by kernel"), "{said}");
        std::mem::take(&mut self.capture)
    }
}

/// `spanlake capture` in its namespace.
pub(crate) struct Sensor {
    pub(crate) process: Process,
    stdout: Option<JoinHandle<String>>,
}

impl Sensor {
    /// Starts it and waits until its rings are open.
    pub(crate) fn start(wire: &Wire, interface: &str, lake: &Path, options: &[&str]) -> Self {
        Self::start_as(wire.sensor.command(SPANLAKE), interface, lake, options)
    }

    /// The same with what the command was given before, such as its environment.
    pub(crate) fn start_as(mut command: Command, interface: &str, lake: &Path, options: &[&str]) -> Self {
        command.args(["capture", "-i", interface, "--sensor", "edge", "--format", "json", "--lake"]);
        let process = Process::start(command.arg(lake).args(options).stdout(Stdio::piped()));
        let mut sensor = Self { process, stdout: None };
        let mut stdout = sensor.process.child.stdout.take().unwrap();
        sensor.stdout = Some(thread::spawn(move || {
            let mut printed = String::new();
            let _ = stdout.read_to_string(&mut printed);
            printed
        }));
        sensor.process.wait_for("capturing on");
        sensor
    }

    /// Ends it by a signal; gives its summary and how long that took.
    pub(crate) fn stop_by(mut self, signal: Signal) -> (Value, Duration) {
        self.process.signal(signal);
        let (status, took) = self.process.ended();
        let printed = self.stdout.take().unwrap().join().unwrap();
        let said = self.process.said();
        assert!(status.success(), "{status}\n{printed}\n{said}");
        (serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}")), took)
    }

    pub(crate) fn stop(self) -> Value {
        self.stop_by(Signal::TERM).0
    }

    pub(crate) fn kill(mut self) {
        self.process.signal(Signal::KILL);
        self.process.ended();
    }

    /// The most memory that it ever had, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    /// What `/metrics` says.
    pub(crate) fn metrics(&self, namespace: &Namespace) -> String {
        let answer = namespace.spawn(|| {
            let address: SocketAddr = METRICS.parse().unwrap();
            let mut stream = TcpStream::connect_timeout(&address, SOON).unwrap();
            stream.set_read_timeout(Some(SOON)).unwrap();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: sensor\r\nConnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        let answer = answer.join().unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        body.to_owned()
    }

    /// The sum of a metric over its labels; 0 where there is none yet.
    pub(crate) fn metric(&self, namespace: &Namespace, name: &str) -> f64 {
        metric(&self.metrics(namespace), name)
    }
}

/// The sum of a metric over its labels.
pub(crate) fn metric(text: &str, name: &str) -> f64 {
    let samples = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(name)?;
        rest.starts_with(['{', ' ']).then(|| rest.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
    });
    samples.sum()
}

/// Replays a recording into a lake.
pub(crate) fn replay(capture: &Path, lake: &Path, options: &[&str]) -> Value {
    let mut command = Command::new(SPANLAKE);
    command.args(["replay", "--sensor", "edge", "--format", "json", "--lake"]).arg(lake).arg(capture);
    let printed = super::net::succeeds(command.args(options));
    serde_json::from_str(&printed).unwrap()
}
