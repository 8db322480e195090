//! The engine in one thread and without a lake: for benchmarks of its stages, and for whoever wants the rows in memory.

use std::sync::Arc;

use schemas::batch::Records;

use crate::capture::{FrameBatch, Source};
use crate::config::Config;
use crate::dispatch::REPLAY_SEED;
use crate::front::Front;
use crate::local::LocalNetworks;
use crate::work::FinalSlice;
use crate::worker::Worker;

/// Front end and one worker, called in turn.
pub struct Inline {
    /// What decodes.
    pub front: Front,
    /// What follows flows, and has their rows.
    pub worker: Worker,
}

impl Inline {
    /// As a replay with one worker, whatever the configuration says of workers.
    pub fn new(config: &Config) -> Self {
        let config = Config { workers: 1, ..config.clone() };
        let local = Arc::new(LocalNetworks::new(&config.local_networks));
        Self { front: Front::new(&config, REPLAY_SEED), worker: Worker::new(0, &config, local) }
    }

    /// Reads a capture to its end; hands `rows` those of each block.
    pub fn read(&mut self, capture: &mut dyn Source, mut rows: impl FnMut(Records)) {
        let Self { front, worker } = self;
        let mut batch = FrameBatch::default();
        while capture.next(&mut batch) {
            front.begin(&batch.block);
            for frame in &batch.frames {
                front.frame(&batch.block, frame, 0);
            }
            batch.block = Arc::default();
            front.end(false, |_, work| {
                worker.work(&work);
                true
            });
            rows(worker.take_records());
        }
    }

    /// Ends the run, with all flows that are left; hands `rows` those of each slice of them.
    pub fn finish(&mut self, mut rows: impl FnMut(Records)) {
        let Self { front, worker } = self;
        front.finish();
        for slice in FinalSlice::all(front.counters().packets) {
            front.end_slice(slice, |_, work| {
                worker.work(&work);
                true
            });
            rows(worker.take_records());
        }
    }
}
