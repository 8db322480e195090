//! Rows of all workers on their way into row groups: merged by epoch, cut by count, month and bytes.

use std::sync::Arc;

use crate::anomaly::Anomaly;
use crate::batch::{Batch, Records, every_table, held};
use crate::column::microseconds;
use crate::dns::Dns;
use crate::envelope::Row;
use crate::file::File;
use crate::flows::Flow;
use crate::ftp::Ftp;
use crate::http::Http;
use crate::identifier::UID_BITS;
use crate::kerberos::Kerberos;
use crate::month::Month;
use crate::prefetch::{ahead, prefetch};
use crate::repeats::Repeats;
use crate::row_group::{Group, Place, RowGroup};
use crate::sensor_stats::SensorStats;
use crate::table::{
    ANOMALY, DNS, FILE, FLOWS, FLOWS_OPEN, FTP, HTTP, KERBEROS, Record, SENSOR_STATS, TLS, TypedTable, X509,
};
use crate::tls::Tls;
use crate::x509::X509;

/// Rows of a row group: 1 M gains 7 % of the size for eight times the memory.
pub const GROUP_ROWS: usize = 128 * 1024;

/// Bytes of rows and texts after which a month's rows are cut although they are few.
pub const GROUP_BYTES: usize = 16 << 20;

/// Bytes that all months of a table hold together; the largest month is cut early beyond it.
pub const TABLE_BYTES: usize = 32 << 20;

/// Months of a table that rows wait for at the same time; more come only of time stamps that jump.
pub const OPEN_MONTHS: usize = 16;

macro_rules! merger {
    ($($table:ident: $record:ty, $columns:ident, $doc:literal;)*) => {
        /// Rows of all tables that wait for their row group.
        #[derive(Debug)]
        pub struct Merger {
            $($table: Pending<$record>,)*
            repeats: Option<Repeats>,
        }

        impl Default for Merger {
            fn default() -> Self {
                Self { $($table: Pending::new(&$columns),)* repeats: None }
            }
        }

        impl Merger {
            /// The same without rows of certificates that are repeats.
            #[must_use]
            pub fn without(self, repeats: Option<Repeats>) -> Self {
                Self { repeats, ..self }
            }

            /// Rows left out as repeats.
            pub fn left_out(&self) -> u64 {
                self.repeats.as_ref().map_or(0, Repeats::left_out)
            }

            /// Takes what all workers emitted in one epoch and gives back the row groups that are full with it. How the
            /// rows are spread over `epoch` does not matter as long as rows of one flow stay in order.
            pub fn add(&mut self, epoch: impl IntoIterator<Item = Records>) -> Vec<RowGroup> {
                let mut epoch: Vec<Records> = epoch.into_iter().collect();
                if let Some(repeats) = &mut self.repeats {
                    repeats.leave_out(epoch.iter_mut().map(|records| &mut records.x509));
                }
                let mut groups = Vec::new();
                $(let mut $table = Vec::new();)*
                for records in epoch {
                    $($table.push(records.$table);)*
                }
                $(groups.extend(self.$table.add($table));)*
                groups
            }

            /// Cuts all that is left: at the end, or because it has waited long enough.
            pub fn finish(&mut self) -> Vec<RowGroup> {
                let mut groups = Vec::new();
                $(groups.extend(self.$table.finish());)*
                groups
            }

            /// Rows that wait.
            pub fn rows(&self) -> usize {
                [$(self.$table.rows(),)*].iter().sum()
            }

            /// Bytes that they hold.
            pub fn held(&self) -> usize {
                [$(self.$table.held(),)*].iter().sum()
            }
        }
    };
}
every_table!(merger);

/// Rows of one table that wait for their row group.
#[derive(Debug)]
pub struct Pending<R: 'static> {
    table: &'static TypedTable<R>,
    limits: Limits,
    /// In the order of the calendar.
    months: Vec<Waiting<R>>,
    epoch: u64,
}

/// When row groups are cut.
#[derive(Clone, Copy, Debug)]
struct Limits {
    rows: usize,
    bytes: usize,
    table_bytes: usize,
    months: usize,
}

/// Rows of one month.
#[derive(Debug)]
struct Waiting<R> {
    month: Month,
    batches: Vec<Arc<Batch<R>>>,
    /// In the order of the epochs.
    places: Vec<Place>,
    /// Where the rows of the current epoch begin in `places`.
    epoch_start: usize,
    /// The last epoch that brought rows.
    epoch: u64,
    held: usize,
}

impl<R: Record> Pending<R> {
    /// Nothing waits yet.
    pub fn new(table: &'static TypedTable<R>) -> Self {
        let limits =
            Limits { rows: GROUP_ROWS, bytes: GROUP_BYTES, table_bytes: TABLE_BYTES, months: OPEN_MONTHS };
        Self { table, limits, months: Vec::new(), epoch: 0 }
    }

    /// Takes what all workers emitted in one epoch; see [`Merger::add`].
    pub fn add(&mut self, epoch: impl IntoIterator<Item = Batch<R>>) -> Vec<RowGroup> {
        self.epoch += 1;
        for waiting in &mut self.months {
            waiting.epoch_start = waiting.places.len();
        }
        for batch in epoch {
            self.add_batch(batch);
        }
        let mut groups = Vec::new();
        for waiting in &mut self.months {
            waiting.cut_full(self.table, self.limits, &mut groups);
        }
        while self.held() > self.limits.table_bytes || self.months.len() > self.limits.months {
            // Of the months that no rows came for, the one that waits longest; else the one that holds most. What
            // decides is the same however the rows were spread.
            let too_many = self.months.len() > self.limits.months;
            let Some(waiting) = self.months.iter_mut().max_by_key(|waiting| {
                let age = if too_many { u64::MAX - waiting.epoch } else { 0 };
                (age, waiting.held, std::cmp::Reverse(waiting.month))
            }) else {
                break;
            };
            groups.push(waiting.cut(self.table, waiting.places.len()));
            self.months.retain(|waiting| !waiting.places.is_empty());
        }
        self.months.retain(|waiting| !waiting.places.is_empty());
        groups
    }

    /// Cuts all that is left.
    pub fn finish(&mut self) -> Vec<RowGroup> {
        let months = std::mem::take(&mut self.months);
        months.into_iter().map(|mut waiting| waiting.cut(self.table, waiting.places.len())).collect()
    }

    /// Rows that wait.
    pub fn rows(&self) -> usize {
        self.months.iter().map(|waiting| waiting.places.len()).sum()
    }

    /// Bytes that they hold.
    pub fn held(&self) -> usize {
        self.months.iter().map(|waiting| waiting.held).sum()
    }

    fn add_batch(&mut self, batch: Batch<R>) {
        if batch.rows.is_empty() {
            return;
        }
        let (least, greatest) = batch.summary().ts;
        let month = Month::of(least);
        if month == Month::of(greatest) {
            self.month(month).add(Arc::new(batch));
            return;
        }
        // Each month's rows get an arena of their own, so that none of them keeps the others' alive.
        let mut months: Vec<(Month, Batch<R>)> = Vec::new();
        for row in &batch.rows {
            let month = Month::of(row.envelope.ts);
            let at = months.binary_search_by_key(&month, |(month, _)| *month).unwrap_or_else(|at| {
                months.insert(at, (month, Batch::default()));
                at
            });
            if let Some((_, of_month)) = months.get_mut(at) {
                let mut row: Row<R> = *row;
                row.record.relocate(&batch.arena, &mut of_month.arena);
                of_month.rows.push(row);
            }
        }
        for (month, batch) in months {
            self.month(month).add(Arc::new(batch));
        }
    }

    #[expect(clippy::indexing_slicing, reason = "the place was found, or made, on the line before")]
    fn month(&mut self, month: Month) -> &mut Waiting<R> {
        let at = self.months.binary_search_by_key(&month, |waiting| waiting.month).unwrap_or_else(|at| {
            self.months.insert(
                at,
                Waiting { month, batches: Vec::new(), places: Vec::new(), epoch_start: 0, epoch: 0, held: 0 },
            );
            at
        });
        self.months[at].epoch = self.epoch;
        &mut self.months[at]
    }
}

impl<R: Record> Waiting<R> {
    /// Takes a batch of rows of this month.
    fn add(&mut self, batch: Arc<Batch<R>>) {
        let number = self.batches.len() as u32;
        self.held += batch.summary().held;
        self.places.extend((0..batch.rows.len() as u32).map(|row| Place { batch: number, row }));
        self.batches.push(batch);
    }

    /// Cuts row groups while there are enough rows or bytes.
    fn cut_full(&mut self, table: &'static TypedTable<R>, limits: Limits, groups: &mut Vec<RowGroup>) {
        if self.places.len() >= limits.rows {
            // Which of the epoch's rows come first must not depend on who emitted them.
            let epoch = self.places.get_mut(self.epoch_start..).unwrap_or_default();
            sort(&self.batches, epoch);
        }
        while self.places.len() >= limits.rows {
            groups.push(self.cut(table, limits.rows));
        }
        if self.held > limits.bytes {
            groups.push(self.cut(table, self.places.len()));
        }
    }

    /// Cuts the first `rows` rows.
    fn cut(&mut self, table: &'static TypedTable<R>, rows: usize) -> RowGroup {
        let rest = self.places.split_off(rows.min(self.places.len()));
        let mut places = std::mem::replace(&mut self.places, rest);
        let mut batches = self.batches.clone();
        self.batches.retain_used(&mut self.places);
        batches.retain_used(&mut places);
        sort(&batches, &mut places);
        let rest = held_by(&self.batches, &self.places);
        let held = self.held.saturating_sub(rest);
        self.held = rest;
        Group { table, batches, places }.erase(self.month, held)
    }
}

/// Bytes of the rows at `places`.
fn held_by<R: Record>(batches: &[Arc<Batch<R>>], places: &[Place]) -> usize {
    places
        .iter()
        .filter_map(|place| {
            let batch = batches.get(place.batch as usize)?;
            Some(held(batch.rows.get(place.row as usize)?, &batch.arena))
        })
        .sum()
}

/// Drops batches that no place is in.
trait RetainUsed {
    fn retain_used(&mut self, places: &mut [Place]);
}

impl<R> RetainUsed for Vec<Arc<Batch<R>>> {
    fn retain_used(&mut self, places: &mut [Place]) {
        let mut used = vec![false; self.len()];
        for place in places.iter() {
            if let Some(used) = used.get_mut(place.batch as usize) {
                *used = true;
            }
        }
        let mut next = 0;
        let numbers: Vec<u32> = used
            .iter()
            .map(|&used| {
                let number = next;
                next += u32::from(used);
                number
            })
            .collect();
        for place in places {
            place.batch = numbers.get(place.batch as usize).copied().unwrap_or_default();
        }
        let mut used = used.into_iter();
        self.retain(|_| used.next().unwrap_or_default());
    }
}

/// Sorts by what the lake promises, (`ts`, `uid`) as they are written, then `packet`; rows that are equal in these
/// stay in the order of their emission.
fn sort<R: Record>(batches: &[Arc<Batch<R>>], places: &mut [Place]) {
    let row = |place: &Place| batches.get(place.batch as usize)?.rows.get(place.row as usize);
    let ts = |place: &Place| row(place).map_or(0, |row| microseconds(row.envelope.ts));
    let rest = |place: &Place| row(place).map(|row| (row.envelope.uid & UID_BITS, row.envelope.packet));
    let ask = |place| {
        if let Some(row) = row(place) {
            prefetch(&row.envelope.ts);
        }
    };
    let mut keys: Vec<(i64, Place)> = ahead(places.iter(), ask).map(|place| (ts(place), *place)).collect();
    sort_by_time(&mut keys);
    for equal in keys.chunk_by_mut(|a, b| a.0 == b.0).filter(|equal| equal.len() > 1) {
        equal.sort_by_key(|(_, place)| rest(place));
    }
    places.iter_mut().zip(keys).for_each(|(place, (_, sorted))| *place = sorted);
}

/// Sorts by time, stably: by digits of 11 bits from the last to the first, as many as the times differ in. Rows come
/// nearly sorted and within minutes, which is three digits.
fn sort_by_time(keys: &mut Vec<(i64, Place)>) {
    const DIGIT: u32 = 11;
    let Some(least) = keys.iter().map(|key| key.0).min() else { return };
    let range = keys.iter().map(|key| key.0.wrapping_sub(least) as u64).max().unwrap_or_default();
    let digits = crate::encoding::bits(range).div_ceil(DIGIT);
    if keys.len() < 1 << DIGIT || digits > 4 {
        keys.sort_by_key(|key| key.0);
        return;
    }
    let mut sorted = keys.clone();
    for digit in 0..digits {
        let place_of = |ts: i64| (ts.wrapping_sub(least) as u64 >> (digit * DIGIT)) as usize % (1 << DIGIT);
        let mut next = [0u32; 1 << DIGIT];
        for key in keys.iter() {
            if let Some(next) = next.get_mut(place_of(key.0)) {
                *next += 1;
            }
        }
        let mut start = 0;
        for next in &mut next {
            start += std::mem::replace(next, start);
        }
        for key in keys.iter() {
            if let Some(next) = next.get_mut(place_of(key.0)) {
                if let Some(place) = sorted.get_mut(*next as usize) {
                    *place = *key;
                }
                *next += 1;
            }
        }
        std::mem::swap(keys, &mut sorted);
    }
}

#[cfg(test)]
mod tests;
