//! The whole engine in one thread: a capture in, rows out, nothing on disk.

use std::io::Cursor;
use std::sync::Arc;

use schemas::batch::Records;
use sensor::capture::{self, FrameBatch, Pool};
use sensor::config::Config;
use sensor::dispatch::REPLAY_SEED;
use sensor::front::Front;
use sensor::local::LocalNetworks;
use sensor::worker::{FINAL_SLICES, Worker};

/// All rows of a capture; none if it is no capture.
pub fn replay(file: Vec<u8>, config: &Config) -> Option<Records> {
    let pool = Pool::new(4 << 10, 1 << 20);
    let mut source = capture::of_stream(Cursor::new(file), &pool, None).ok()?;
    let mut front = Front::new(config, REPLAY_SEED);
    let mut worker = Worker::new(0, config, Arc::new(LocalNetworks::new(&config.local_networks)));
    let mut batch = FrameBatch::default();
    while source.next(&mut batch) {
        front.begin(&batch.block);
        for frame in &batch.frames {
            front.frame(&batch.block, frame, 0);
        }
        batch.block = Arc::default();
        front.end(false, |_, work| {
            worker.work(&work);
            true
        });
    }
    front.finish();
    for slice in 0..FINAL_SLICES {
        front.end_slice(slice, |_, work| {
            worker.work(&work);
            true
        });
    }
    Some(worker.take_records())
}
