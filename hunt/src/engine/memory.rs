//! Who may hold how much. The engine's own fair pool gives each part of a query that could use the disk an equal share,
//! though most of them need next to nothing: grouping then goes to the disk while two thirds of the memory lie idle, and takes five times as long.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::error::{DataFusionError, Result};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation};

/// A pool from which each that can use the disk takes what the others leave. A quarter is for those that cannot; another is
/// shared out evenly, so that none is left without anything to begin with.
#[derive(Debug)]
pub(super) struct Pool {
    size: usize,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    /// Bytes by consumer, of those that can use the disk.
    spillable: HashMap<usize, usize>,
    /// Of all others.
    fixed: usize,
}

impl Held {
    fn all(&self) -> usize {
        self.spillable.values().sum::<usize>() + self.fixed
    }
}

impl Pool {
    pub(super) fn new(size: usize) -> Self {
        Self { size, held: Mutex::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        // Sums are whole between any two statements.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What each that can use the disk is sure of.
    fn sure(&self, held: &Held) -> usize {
        self.size / 4 / held.spillable.len().max(1)
    }

    /// Bytes that a consumer may have in all.
    fn most(&self, held: &Held, consumer: &MemoryConsumer) -> usize {
        if !consumer.can_spill() {
            return self.size.saturating_sub(held.all());
        }
        let sure = self.sure(held);
        let others = held.spillable.iter().filter(|(id, _)| **id != consumer.id());
        let others =
            others.map(|(_, bytes)| *bytes.max(&sure)).sum::<usize>() + held.fixed.max(self.size / 4);
        self.size.saturating_sub(others).max(sure)
    }

    fn add(held: &mut Held, consumer: &MemoryConsumer, bytes: usize) {
        if consumer.can_spill() {
            *held.spillable.entry(consumer.id()).or_default() += bytes;
        } else {
            held.fixed += bytes;
        }
    }
}

impl MemoryPool for Pool {
    fn name(&self) -> &str {
        "shared"
    }

    fn register(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            self.held().spillable.entry(consumer.id()).or_default();
        }
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        if consumer.can_spill() {
            self.held().spillable.remove(&consumer.id());
        }
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        Self::add(&mut self.held(), reservation.consumer(), additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        let (mut held, consumer) = (self.held(), reservation.consumer());
        if !consumer.can_spill() {
            held.fixed = held.fixed.saturating_sub(shrink);
        } else if let Some(bytes) = held.spillable.get_mut(&consumer.id()) {
            *bytes = bytes.saturating_sub(shrink);
        }
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        let (mut held, consumer) = (self.held(), reservation.consumer());
        let has =
            if consumer.can_spill() { held.spillable.get(&consumer.id()).copied().unwrap_or(0) } else { 0 };
        let most = self.most(&held, consumer);
        if has.saturating_add(additional) > most {
            return Err(DataFusionError::ResourcesExhausted(format!(
                "{} needs {} more than the {} that it may have of {}",
                consumer.name(),
                mebibytes((has + additional).saturating_sub(most)),
                mebibytes(most),
                mebibytes(self.size),
            )));
        }
        Self::add(&mut held, consumer, additional);
        Ok(())
    }

    fn reserved(&self) -> usize {
        self.held().all()
    }

    fn memory_limit(&self) -> MemoryLimit {
        MemoryLimit::Finite(self.size)
    }
}

impl fmt::Display for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.name(), mebibytes(self.size))
    }
}

fn mebibytes(bytes: usize) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn consumer(pool: &Arc<dyn MemoryPool>, can_spill: bool) -> MemoryReservation {
        MemoryConsumer::new("one").with_can_spill(can_spill).register(pool)
    }

    #[test]
    fn one_takes_what_the_others_leave_and_each_is_sure_of_some() {
        let pool: Arc<dyn MemoryPool> = Arc::new(Pool::new(1600));
        let [large, idle] = [true, true].map(|can_spill| consumer(&pool, can_spill));
        // A quarter is for those that cannot use the disk, an eighth for the idle one.
        large.try_grow(1000).unwrap();
        large.try_grow(1).unwrap_err();
        idle.try_grow(200).unwrap();
        idle.try_grow(1).unwrap_err();
        assert_eq!(pool.reserved(), 1200);
        let fixed = consumer(&pool, false);
        fixed.try_grow(400).unwrap();
        fixed.try_grow(1).unwrap_err();
        // One that comes late has its part, though all is taken.
        let late = consumer(&pool, true);
        late.try_grow(133).unwrap();
        late.try_grow(1).unwrap_err();
        large.shrink(600);
        late.try_grow(400).unwrap();
        drop(late);
        drop(fixed);
        large.try_grow(600).unwrap();
        drop((large, idle));
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn what_cannot_use_the_disk_takes_more_than_its_quarter_where_it_is_left() {
        let pool: Arc<dyn MemoryPool> = Arc::new(Pool::new(1600));
        let [spilling, fixed] = [true, false].map(|can_spill| consumer(&pool, can_spill));
        fixed.try_grow(1500).unwrap();
        spilling.try_grow(400).unwrap();
        spilling.try_grow(1).unwrap_err();
        fixed.try_grow(1).unwrap_err();
        drop(spilling);
        fixed.try_grow(100).unwrap();
    }
}
