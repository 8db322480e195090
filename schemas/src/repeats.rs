//! Rows of certificates that are seen again soon: left out where the user wants that. It happens where the rows of all
//! workers come together, so that what is left out does not depend on how many there are.

use std::collections::HashMap;

use crate::batch::{Batch, Records};
use crate::column::microseconds;
use crate::envelope::Nanoseconds;
use crate::identifier::UID_BITS;
use crate::x509::X509;

/// Certificates that are remembered at least; of more the ones that had no row for longest are forgotten, and get one
/// again.
pub const MAX_REMEMBERED: usize = 64 * 1024;

/// Digits of a fingerprint, which is what it is remembered by.
type Fingerprint = [u8; 64];

/// What is remembered of certificates that had a row.
#[derive(Debug)]
pub struct Repeats {
    interval: u64,
    /// Time of the last row. When this one is full it becomes the old one.
    young: HashMap<Fingerprint, Nanoseconds>,
    old: HashMap<Fingerprint, Nanoseconds>,
    /// Entries of each.
    most: usize,
    left_out: u64,
}

impl Repeats {
    /// A certificate has a row again when its last one is so many nanoseconds ago.
    pub fn new(interval: u64) -> Self {
        Self { interval, young: HashMap::new(), old: HashMap::new(), most: MAX_REMEMBERED, left_out: 0 }
    }

    /// Rows left out so far.
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Leaves out repeats.
    pub fn leave_out_of(&mut self, records: &mut Records) {
        self.leave_out(std::iter::once(&mut records.x509));
    }

    /// Leaves out repeats of one epoch, however its rows are spread.
    pub(crate) fn leave_out<'a>(&mut self, batches: impl Iterator<Item = &'a mut Batch<X509>>) {
        let mut batches: Vec<_> = batches.filter(|batch| !batch.rows.is_empty()).collect();
        let mut rows = Vec::new();
        for (at, batch) in batches.iter().enumerate() {
            for (row, (envelope, fingerprint)) in
                batch.rows.iter().map(|row| (row.envelope, row.record.fingerprint)).enumerate()
            {
                let fingerprint = batch.arena.bytes_of(fingerprint).and_then(|text| text.try_into().ok());
                let order = (microseconds(envelope.ts), envelope.uid & UID_BITS, envelope.packet);
                rows.push((order, (at, row), envelope.ts, fingerprint));
            }
        }
        // As they will stand in the lake; those of one packet in the order of their emission.
        rows.sort_by_key(|(order, ..)| *order);
        let mut repeats: Vec<Vec<bool>> = batches.iter().map(|batch| vec![false; batch.rows.len()]).collect();
        for (_, (at, row), ts, fingerprint) in rows {
            let is_repeat = fingerprint.is_some_and(|fingerprint| self.is_repeat(fingerprint, ts));
            if let Some(repeat) = repeats.get_mut(at).and_then(|repeats| repeats.get_mut(row)) {
                *repeat = is_repeat;
            }
        }
        for (batch, repeats) in batches.iter_mut().zip(repeats) {
            let mut repeats = repeats.into_iter();
            let before = batch.rows.len();
            batch.rows.retain(|_| !repeats.next().unwrap_or_default());
            self.left_out += (before - batch.rows.len()) as u64;
        }
    }

    /// Whether a certificate had a row lately; if not it has one now.
    fn is_repeat(&mut self, fingerprint: Fingerprint, ts: Nanoseconds) -> bool {
        let last = self.young.get(&fingerprint).or_else(|| self.old.get(&fingerprint));
        // Captures may go back in time.
        if last.is_some_and(|last| last.abs_diff(ts) < self.interval) {
            return true;
        }
        if self.young.len() >= self.most {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(fingerprint, ts);
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::Envelope;

    const SECOND: i64 = 1_000_000_000;

    /// Rows of certificates: second, number of the flow, number of the certificate.
    fn batch(rows: &[(i64, u128, u64)]) -> Batch<X509> {
        let mut batch = Batch::default();
        for (second, uid, certificate) in rows {
            let envelope = Envelope { ts: second * SECOND, uid: *uid, ..Envelope::default() };
            batch.push(envelope, |arena| X509 {
                fingerprint: arena.plain(&format!("{certificate:064x}")),
                ..X509::default()
            });
        }
        batch
    }

    /// Seconds and flows of the rows that are left, in order.
    fn left(batches: &[Batch<X509>]) -> Vec<(i64, u128)> {
        let rows = batches.iter().flat_map(|batch| &batch.rows);
        let mut left: Vec<_> = rows.map(|row| (row.envelope.ts / SECOND, row.envelope.uid)).collect();
        left.sort_unstable();
        left
    }

    fn leave_out(repeats: &mut Repeats, batches: &mut [Batch<X509>]) -> Vec<(i64, u128)> {
        repeats.leave_out(batches.iter_mut());
        left(batches)
    }

    #[test]
    fn a_certificate_has_a_row_again_when_its_last_one_is_long_enough_ago() {
        let mut repeats = Repeats::new(10 * SECOND.cast_unsigned());
        let rows = [(0, 1, 7), (0, 1, 8), (5, 2, 7), (9, 3, 7), (10, 4, 7), (11, 5, 8), (19, 6, 7)];
        assert_eq!(leave_out(&mut repeats, &mut [batch(&rows)]), [(0, 1), (0, 1), (10, 4), (11, 5)]);
        assert_eq!(repeats.left_out(), 3);
        // Also in a later epoch, and where time goes back a little.
        assert_eq!(
            leave_out(&mut repeats, &mut [batch(&[(8, 7, 7), (20, 8, 7), (0, 9, 7)])]),
            [(0, 9), (20, 8)]
        );
    }

    #[test]
    fn it_does_not_matter_how_rows_are_spread() {
        let rows: Vec<_> = (0..60).map(|at| (at / 3, u128::from(at as u64 % 7), at as u64 % 4)).collect();
        let expected = leave_out(&mut Repeats::new(4 * SECOND.cast_unsigned()), &mut [batch(&rows)]);
        for workers in [2, 5] {
            let of = |worker| {
                let rows: Vec<_> =
                    rows.iter().copied().filter(|(_, uid, _)| uid % workers == worker).collect();
                batch(&rows)
            };
            let mut batches: Vec<_> = (0..workers).rev().map(of).collect();
            let mut repeats = Repeats::new(4 * SECOND.cast_unsigned());
            assert_eq!(leave_out(&mut repeats, &mut batches), expected);
        }
        assert!(expected.len() < 60);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut repeats = Repeats { most: 10, ..Repeats::new(u64::MAX) };
        for certificate in 0..100 {
            leave_out(&mut repeats, &mut [batch(&[(0, 1, certificate)])]);
            assert!(repeats.young.len() + repeats.old.len() <= 20);
        }
        assert_eq!(leave_out(&mut repeats, &mut [batch(&[(0, 2, 99), (0, 3, 0)])]), [(0, 3)]);
    }
}
