//! What a run counted: every number of the summary, in one place.

use std::collections::BTreeMap;
use std::time::Duration;

use schemas::anomaly::AnomalyName;
use schemas::envelope::Nanoseconds;

use crate::retention::Removed;
use crate::store::Extracted;

/// What a run did, read and lost. Reports of several captures add up with [`Report::add`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Captures read to their end, or to where they were damaged.
    pub captures: u64,
    /// Packets read that passed the filter.
    pub packets: u64,
    /// Their bytes on the wire, also those that the capture left out.
    pub bytes: u64,
    /// Time of the earliest packet.
    pub first: Option<Nanoseconds>,
    /// Time of the latest packet.
    pub last: Option<Nanoseconds>,
    /// How long the run took, by the clock on the wall.
    pub wall: Duration,
    /// Rows written, by table. A table with none may be left out.
    pub rows: BTreeMap<&'static str, u64>,
    /// Occurrences of what was odd, by its name.
    pub anomalies: BTreeMap<AnomalyName, u64>,
    /// Packets of which no flow could be made, by what stopped the decoder.
    pub undecodable: BTreeMap<&'static str, u64>,
    /// Packets of a link type that is not decoded, by the type's number.
    pub unknown_link_types: BTreeMap<u16, u64>,
    /// Packets with a wrong checksum, counted and not analysed.
    pub bad_checksums: u64,
    /// Second copies of packets, left out of all other counts.
    pub duplicates: u64,
    /// Rows of certificates left out because they had one not long before.
    pub certificate_repeats: u64,
    /// IP fragments.
    pub fragments: u64,
    /// Flows that began.
    pub flows: u64,
    /// Flows that ended because the table was full.
    pub flows_evicted: u64,
    /// Bytes of streams and fragments given up because their memory was full.
    pub shed_bytes: u64,
    /// What was put into the store, where there is one.
    pub extracted: Option<Extracted>,
    /// What retention removed, where something is asked of it.
    pub removed: Option<Removed>,
    /// What a live sensor lost, by where.
    pub lost: Option<Lost>,
    /// Inputs that were not whole; rows for all the rest were written.
    pub damaged: Vec<Damage>,
}

/// What a live sensor lost, by where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// Packets that the interfaces dropped.
    pub interface: u64,
    /// Packets that found no room in the rings.
    pub ring: u64,
    /// Packets of flows that were not begun for want of time.
    pub queue: u64,
    /// Bytes that were acknowledged and never seen: lost before the sensor.
    pub unseen_bytes: u64,
    /// Rows that neither reached the lake nor the journal.
    pub rows: u64,
    /// Segments of the journal that are published at the next start.
    pub segments: u64,
}

/// An input that was not whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Which: its path, or `-`.
    pub path: String,
    /// What is wrong with it: `cut short after packet 12`.
    pub what: String,
}

impl Report {
    /// Adds what another run counted; the wall clock stays, because captures may be read side by side, and what was put
    /// into the store or removed, which is the same for all of them.
    pub fn add(&mut self, other: Self) {
        self.captures += other.captures;
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
        add(&mut self.rows, other.rows);
        add(&mut self.anomalies, other.anomalies);
        add(&mut self.undecodable, other.undecodable);
        add(&mut self.unknown_link_types, other.unknown_link_types);
        self.bad_checksums += other.bad_checksums;
        self.duplicates += other.duplicates;
        self.certificate_repeats += other.certificate_repeats;
        self.fragments += other.fragments;
        self.flows += other.flows;
        self.flows_evicted += other.flows_evicted;
        self.shed_bytes += other.shed_bytes;
        self.damaged.extend(other.damaged);
    }
}

/// Adds counts by name.
fn add<K: Ord>(sum: &mut BTreeMap<K, u64>, more: BTreeMap<K, u64>) {
    for (name, count) in more {
        *sum.entry(name).or_default() += count;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_add_up_and_keep_the_widest_time_span() {
        let mut sum = Report { packets: 1, first: Some(5), last: Some(6), ..Report::default() };
        sum.rows.insert("dns", 2);
        let mut other = Report { packets: 2, first: Some(3), last: Some(4), ..Report::default() };
        other.rows.insert("dns", 3);
        sum.add(other);
        sum.add(Report::default());
        assert_eq!((sum.packets, sum.first, sum.last), (3, Some(3), Some(6)));
        assert_eq!(sum.rows.get("dns"), Some(&5));
    }
}
