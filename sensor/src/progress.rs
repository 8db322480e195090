//! How far a run is: counters that readers add to, and a bar that is drawn from them where someone looks.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

/// What has been read so far. Shared by all readers; adding to it costs two atomic additions, so readers add by the
/// block and not by the packet.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes of capture files, as they lie on disk.
    file_bytes: AtomicU64,
    packets: AtomicU64,
    wire_bytes: AtomicU64,
    over: AtomicBool,
    current: Mutex<String>,
}

impl Progress {
    /// Says which capture is read now.
    pub fn begin(&self, capture: &str) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        capture.clone_into(&mut current);
    }

    /// Says that so many more bytes of a capture file were read (before decompression), and how many packets of how
    /// many bytes on the wire were in them.
    pub fn advance(&self, file_bytes: u64, packets: u64, wire_bytes: u64) {
        self.file_bytes.fetch_add(file_bytes, Ordering::Relaxed);
        self.packets.fetch_add(packets, Ordering::Relaxed);
        self.wire_bytes.fetch_add(wire_bytes, Ordering::Relaxed);
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
        rates.measure(
            Instant::now(),
            progress.packets.load(Ordering::Relaxed),
            progress.wire_bytes.load(Ordering::Relaxed),
        );
        let current = progress.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let file = current.rsplit('/').next().unwrap_or_default();
        bar.set_position(progress.file_bytes.load(Ordering::Relaxed));
        bar.set_message(format!("{}  {file}", rates.text()));
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
    fn a_bar_that_nobody_sees_ends_at_once() {
        let progress = Arc::new(Progress::default());
        let bar = Bar::start(Arc::clone(&progress), Some(1), false);
        progress.advance(1, 1, 60);
        drop(bar);
        assert!(progress.over.load(Ordering::Relaxed));
    }
}
