//! Rows on their way from a worker to the lake: one batch a table, with the arena its values lie in.

use crate::anomaly::Anomaly;
use crate::arena::Arena;
use crate::dns::Dns;
use crate::envelope::{Envelope, Row};
use crate::flows::Flow;
use crate::sensor_stats::SensorStats;

/// Rows of one table and their variable-length values.
#[derive(Debug)]
pub struct Batch<R> {
    /// In the order of emission.
    pub rows: Vec<Row<R>>,
    /// What the rows' ranges point into.
    pub arena: Arena,
}

impl<R> Default for Batch<R> {
    fn default() -> Self {
        Self { rows: Vec::new(), arena: Arena::default() }
    }
}

impl<R> Batch<R> {
    /// Appends a row whose record is made with access to the arena.
    pub fn push(&mut self, envelope: Envelope, record: impl FnOnce(&mut Arena) -> R) {
        let record = record(&mut self.arena);
        self.rows.push(Row { envelope, record });
    }

    /// Bytes held by rows and values.
    pub fn held(&self) -> usize {
        self.rows.len() * size_of::<Row<R>>() + self.arena.held()
    }
}

/// One batch of every table: what a worker fills.
#[derive(Debug, Default)]
pub struct Records {
    /// Flows that ended.
    pub flows: Batch<Flow>,
    /// Flows that live on.
    pub flows_open: Batch<Flow>,
    /// DNS exchanges.
    pub dns: Batch<Dns>,
    /// What was odd.
    pub anomaly: Batch<Anomaly>,
    /// What the sensor did.
    pub sensor_stats: Batch<SensorStats>,
}
