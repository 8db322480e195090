//! The whole engine in one thread: a capture in, rows out, nothing on disk.

use std::io::Cursor;

use schemas::batch::Records;
use sensor::capture::{self, Pool};
use sensor::config::Config;
use sensor::inline::Inline;

/// Hands `rows` all rows of a capture, in parts; none if it is no capture.
pub fn replay(file: Vec<u8>, config: &Config, mut rows: impl FnMut(Records)) {
    let pool = Pool::new(4 << 10, 1 << 20);
    let Ok(mut capture) = capture::of_stream(Cursor::new(file), &pool, None) else { return };
    let mut engine = Inline::new(config);
    engine.read(&mut *capture, &mut rows);
    engine.finish(&mut rows);
}
