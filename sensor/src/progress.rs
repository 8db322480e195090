//! How far a run is: counters that readers add to, and a bar that is drawn from them where someone looks.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use crate::capture;
use crate::pipeline::Observer;

/// What has been read so far, over all captures.
#[derive(Debug, Default)]
pub struct Progress {
    over: AtomicBool,
    state: Mutex<State>,
}

/// Where a run stands.
#[derive(Clone, Debug, Default)]
struct State {
    /// The name of the capture that is being read.
    capture: String,
    /// How far that one is.
    reading: capture::Progress,
    /// Bytes of the captures before it.
    file_bytes_before: u64,
    /// What the run of captures before this one counted; captures that are treated alone count from 0.
    before: (u64, u64),
    /// Packets and their bytes, as told last.
    told: (u64, u64),
}

impl State {
    fn file_bytes(&self) -> u64 {
        self.file_bytes_before + self.reading.read()
    }

    fn packets(&self) -> u64 {
        self.before.0 + self.told.0
    }

    fn wire_bytes(&self) -> u64 {
        self.before.1 + self.told.1
    }
}

impl Progress {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn state(&self) -> State {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Observer for Progress {
    fn begins(&self, path: &Path, progress: capture::Progress) {
        self.change(|state| {
            state.file_bytes_before = state.file_bytes();
            state.reading = progress;
            state.capture = path.file_name().unwrap_or(path.as_os_str()).display().to_string();
        });
    }

    fn advanced(&self, packets: u64, bytes: u64) {
        self.change(|state| {
            if packets < state.told.0 {
                state.before = (state.packets(), state.wire_bytes());
            }
            state.told = (packets, bytes);
        });
    }
}

/// A bar on standard error, drawn by a thread of its own until it is dropped; nothing where that is no terminal.
#[derive(Debug)]
pub struct Bar {
    progress: Arc<Progress>,
    painter: Option<JoinHandle<()>>,
}

impl Bar {
    /// Starts to draw. `total` is how many bytes of files there are to read, where that is known.
    pub fn start(progress: Arc<Progress>, total: Option<u64>, wanted: bool) -> Self {
        let painter = (wanted && std::io::stderr().is_terminal()).then(|| {
            let progress = Arc::clone(&progress);
            thread::spawn(move || paint(&progress, total))
        });
        Self { progress, painter }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.progress.over.store(true, Ordering::Relaxed);
        if let Some(painter) = self.painter.take() {
            painter.thread().unpark();
            // A painter that panicked has no say in how the run ends.
            let _ = painter.join();
        }
    }
}

/// Draws until the run is over, and wipes the bar then.
fn paint(progress: &Progress, total: Option<u64>) {
    let template = match total {
        Some(_) => "{bar:24} {percent:>3}% {bytes}/{total_bytes}  {msg}  {eta} left",
        None => "{spinner} {bytes}  {msg}  {elapsed}",
    };
    let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut rates = Rates::new(Instant::now());
    while !progress.over.load(Ordering::Relaxed) {
        let state = progress.state();
        rates.measure(Instant::now(), state.packets(), state.wire_bytes());
        bar.set_position(state.file_bytes());
        bar.set_message(format!("{}  {}", rates.text(), state.capture));
        thread::park_timeout(EVERY);
    }
    bar.finish_and_clear();
}

/// Packets and bits a second, smoothed over the last few measurements.
#[derive(Debug)]
struct Rates {
    at: Instant,
    packets: u64,
    bytes: u64,
    packet_rate: f64,
    byte_rate: f64,
}

impl Rates {
    fn new(at: Instant) -> Self {
        Self { at, packets: 0, bytes: 0, packet_rate: 0.0, byte_rate: 0.0 }
    }

    /// Takes in the counters as they stand at a time.
    fn measure(&mut self, at: Instant, packets: u64, bytes: u64) {
        let seconds = at.duration_since(self.at).as_secs_f64();
        if seconds <= 0.0 {
            return;
        }
        let smooth = |old: f64, new: f64| if old == 0.0 { new } else { 0.8 * old + 0.2 * new };
        self.packet_rate = smooth(self.packet_rate, packets.saturating_sub(self.packets) as f64 / seconds);
        self.byte_rate = smooth(self.byte_rate, bytes.saturating_sub(self.bytes) as f64 / seconds);
        (self.at, self.packets, self.bytes) = (at, packets, bytes);
    }

    fn text(&self) -> String {
        rate(self.packet_rate, self.byte_rate)
    }
}

/// `1.25 M packets/s, 9.81 Gbit/s`.
pub(crate) fn rate(packets_per_second: f64, bytes_per_second: f64) -> String {
    let packets = match packets_per_second {
        rate if rate >= 1e6 => format!("{:.2} M", rate / 1e6),
        rate if rate >= 1e4 => format!("{:.0} k", rate / 1e3),
        rate => format!("{rate:.0}"),
    };
    let bits = 8.0 * bytes_per_second;
    let digits = if bits >= 1e8 { 2 } else { 4 };
    format!("{packets} packets/s, {:.digits$} Gbit/s", bits / 1e9)
}

/// `1.04 GiB`.
pub(crate) fn bytes(count: u64) -> String {
    HumanBytes(count).to_string()
}

/// Often enough to look alive, seldom enough to cost nothing.
const EVERY: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_follow_what_was_added_since_the_last_look() {
        let start = Instant::now();
        let mut rates = Rates::new(start);
        rates.measure(start + Duration::from_secs(1), 1_000_000, 1_000_000_000);
        assert_eq!(rates.text(), "1.00 M packets/s, 8.00 Gbit/s");
        rates.measure(start + Duration::from_secs(2), 1_000_000, 1_000_000_000);
        assert_eq!(rates.text(), "800 k packets/s, 6.40 Gbit/s");
    }

    #[test]
    fn counts_go_on_from_capture_to_capture() {
        let progress = Progress::default();
        progress.begins(Path::new("a/one.pcap"), capture::Progress::default());
        progress.advanced(10, 1000);
        progress.advanced(20, 2000);
        // Treated alone, the next one counts from 0; as a piece of the same capture it would go on from 20.
        progress.begins(Path::new("a/two.pcap"), capture::Progress::default());
        progress.advanced(5, 500);
        let state = progress.state();
        assert_eq!((state.packets(), state.wire_bytes(), state.capture.as_str()), (25, 2500, "two.pcap"));
    }

    #[test]
    fn a_bar_that_nobody_sees_ends_at_once() {
        let progress = Arc::new(Progress::default());
        drop(Bar::start(Arc::clone(&progress), Some(1), false));
        assert!(progress.over.load(Ordering::Relaxed));
    }
}
