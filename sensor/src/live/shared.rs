//! What the threads of a live sensor know of one another: whether to stop, how little memory is left, and settings that
//! may change.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::config::Config;
use crate::worker::Pressure;

/// See the module.
#[derive(Debug)]
pub(super) struct Shared {
    stop: AtomicBool,
    /// Workers that have not ended.
    running: AtomicUsize,
    pressure: AtomicUsize,
    version: AtomicU64,
    settings: Mutex<Arc<Config>>,
    /// How often each worker has a row of `sensor_stats`.
    pub(super) interval: Duration,
}

impl Shared {
    pub(super) fn new(config: Config, workers: usize, interval: Duration) -> Self {
        Self {
            stop: AtomicBool::new(false),
            running: AtomicUsize::new(workers),
            pressure: AtomicUsize::new(0),
            version: AtomicU64::new(0),
            settings: Mutex::new(Arc::new(config)),
            interval,
        }
    }

    /// A worker has ended. True where it was the last one.
    pub(super) fn ended(&self) -> bool {
        self.running.fetch_sub(1, Ordering::Relaxed) == 1
    }

    /// Tells all threads to come to their end.
    pub(super) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether they are to.
    #[inline]
    pub(super) fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// How much every worker leaves undone at least.
    #[inline]
    pub(super) fn pressure(&self) -> Pressure {
        Pressure::of(self.pressure.load(Ordering::Relaxed))
    }

    pub(super) fn set_pressure(&self, pressure: Pressure) {
        self.pressure.store(pressure as usize, Ordering::Relaxed);
    }

    /// Grows with each change of the settings.
    #[inline]
    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The settings, and a version that is not newer than they are.
    pub(super) fn settings(&self) -> (u64, Arc<Config>) {
        let version = self.version();
        (version, Arc::clone(&self.settings.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    pub(super) fn set_settings(&self, config: Config) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        self.version.fetch_add(1, Ordering::Release);
    }
}
