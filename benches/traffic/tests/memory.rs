//! Memory does not grow with what is made. Alone in its process, for memory is that of all tests of one.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot make traffic has failed")]

use std::io::{self, Write};
use std::path::Path;

use traffic::generator::{Generator, Order};
use traffic::library::Library;
use traffic::mix::Mix;
use traffic::pcap::START;

/// Counts bytes, and keeps none.
struct Nowhere(u64);

impl Write for Nowhere {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Bytes of the process that are in memory.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4_096
}

#[test]
fn memory_does_not_grow_with_the_size() {
    let library = Library::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../pcaps")).unwrap();
    let order = |bytes| Order {
        mix: Mix::named("small").unwrap(),
        bytes,
        seed: 1,
        rate: 1_000_000_000,
        flows: 0,
        start: START,
        nanoseconds: false,
    };
    let mut to = Nowhere(0);
    Generator::new(&library, order(30_000_000)).write(&mut to).unwrap();
    let before = resident();
    let report = Generator::new(&library, order(300_000_000)).write(&mut to).unwrap();
    assert!(to.0 > 320_000_000);
    assert!(report.most_active < 50_000, "{} sessions at once", report.most_active);
    let grown = resident().saturating_sub(before);
    assert!(grown < 64_000_000, "{grown} bytes more");
}
