//! What the system says of this process and of its interfaces.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::time::{ClockId, clock_gettime};

/// Processor time of this thread, in nanoseconds.
pub(super) fn thread_cpu() -> u64 {
    nanoseconds(ClockId::ThreadCPUTime)
}

/// Processor time of this process, in nanoseconds.
pub(crate) fn process_cpu() -> u64 {
    nanoseconds(ClockId::ProcessCPUTime)
}

fn nanoseconds(clock: ClockId) -> u64 {
    let time = clock_gettime(clock);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// Memory of this process that is in use now, in bytes; 0 where the system does not tell.
pub(super) fn resident() -> u64 {
    let pages = fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_ascii_whitespace().nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

/// Memory that there is for this process: the machine's, or what its control group may have.
pub(super) fn memory() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? << 10)
    });
    let group = fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| {
        let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
        let limit = Path::new("/sys/fs/cgroup").join(path).join("memory.max");
        fs::read_to_string(limit).ok()?.trim().parse::<u64>().ok()
    });
    [machine, group].into_iter().flatten().min()
}

/// Counts of interfaces, as the system keeps them in files.
#[derive(Debug)]
pub(super) struct Interfaces {
    root: PathBuf,
    /// Name, and what it had dropped when it was last asked.
    names: Vec<(String, Option<u64>)>,
}

impl Interfaces {
    /// Of these names, in the folder where the system has them (`/sys/class/net`).
    pub(super) fn new(root: &Path, names: &[String]) -> Self {
        let mut interfaces =
            Self { root: root.to_owned(), names: names.iter().map(|name| (name.clone(), None)).collect() };
        interfaces.dropped();
        interfaces
    }

    /// Packets that each has dropped since the last call.
    pub(super) fn dropped(&mut self) -> Vec<u64> {
        let root = &self.root;
        let since = |(name, before): &mut (String, Option<u64>)| {
            // An interface that has gone, or come back with counters at zero, has dropped nothing that is known.
            let now = total(&root.join(name.as_str()).join("statistics"));
            let dropped = now.zip(*before).map_or(0, |(now, before)| now.saturating_sub(before));
            *before = now;
            dropped
        };
        self.names.iter_mut().map(since).collect()
    }
}

/// Packets that came and were not given to anyone: for want of buffers in the card (some drivers say so in one counter, some
/// in the other, some in both) and in the kernel.
fn total(statistics: &Path) -> Option<u64> {
    let read = |name: &str| fs::read_to_string(statistics.join(name)).ok()?.trim().parse::<u64>().ok();
    let card = read("rx_missed_errors").unwrap_or(0).max(read("rx_fifo_errors").unwrap_or(0));
    Some(card + read("rx_dropped")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_of_an_interface_are_those_since_the_last_time() {
        let root = tempfile::tempdir().unwrap();
        let set = |interface: &str, counts: [u64; 3]| {
            let folder = root.path().join(interface).join("statistics");
            fs::create_dir_all(&folder).unwrap();
            for (name, count) in ["rx_missed_errors", "rx_fifo_errors", "rx_dropped"].iter().zip(counts) {
                fs::write(folder.join(name), format!("{count}\n")).unwrap();
            }
        };
        set("span0", [100, 100, 5]);
        let mut interfaces = Interfaces::new(root.path(), &["span0".to_owned(), "span1".to_owned()]);
        assert_eq!(interfaces.dropped(), [0, 0]);
        set("span0", [107, 100, 6]);
        set("span1", [9, 0, 0]);
        assert_eq!(interfaces.dropped(), [8, 0], "what span1 had dropped before it was there is not known");
        set("span0", [107, 120, 6]);
        set("span1", [9, 0, 3]);
        assert_eq!(interfaces.dropped(), [13, 3]);
        set("span0", [1, 0, 0]);
        fs::remove_dir_all(root.path().join("span1")).unwrap();
        assert_eq!(interfaces.dropped(), [0, 0], "a driver was loaded anew, an interface has gone");
        set("span0", [2, 0, 0]);
        assert_eq!(interfaces.dropped(), [1, 0]);
    }

    #[test]
    fn this_process_has_memory_and_uses_time() {
        assert!(resident() > 1 << 20 && memory().unwrap() > resident());
        let before = (thread_cpu(), process_cpu());
        let spent = (0..1_000_000_u64).fold(0, |sum, number| std::hint::black_box(sum ^ number));
        assert!(
            std::hint::black_box(spent) < u64::MAX && thread_cpu() > before.0 && process_cpu() > before.1
        );
    }
}
