//! What was made, as a table.

use std::fmt::{Display, Formatter, Result};

use crate::impair::Impairments;
use crate::lane::Lane;

/// What was made.
#[derive(Clone, Debug)]
pub struct Report {
    /// By kind.
    pub lanes: Vec<Lane>,
    /// What happened to packets.
    pub impairments: Impairments,
    /// Time from the beginning to the last packet.
    pub nanoseconds: u64,
    /// Most sessions side by side.
    pub most_active: usize,
}

impl Report {
    /// The sum of something over all kinds.
    pub fn total(&self, of: impl Fn(&Lane) -> u64) -> u64 {
        self.lanes.iter().map(of).sum()
    }
}

/// A part of a whole, in percent with a decimal.
fn percent(part: u64, whole: u64) -> String {
    let parts = u128::from(part) * 1_000 / u128::from(whole.max(1));
    format!("{}.{} %", parts / 10, parts % 10)
}

/// The same with three decimals.
fn fine_percent(part: u64, whole: u64) -> String {
    let parts = u128::from(part) * 100_000 / u128::from(whole.max(1));
    format!("{}.{:03} %", parts / 1_000, parts % 1_000)
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let [bytes, packets, flows] =
            [self.total(|lane| lane.bytes), self.total(|lane| lane.packets), self.total(|lane| lane.flows)];
        writeln!(
            f,
            "{:<11}{:>14}{:>9}{:>12}{:>9}{:>11}{:>9}",
            "kind", "bytes", "", "packets", "", "flows", ""
        )?;
        for lane in self.lanes.iter().filter(|lane| lane.packets > 0) {
            writeln!(
                f,
                "{:<11}{:>14}{:>9}{:>12}{:>9}{:>11}{:>9}",
                lane.kind.name(),
                lane.bytes,
                percent(lane.bytes, bytes),
                lane.packets,
                percent(lane.packets, packets),
                lane.flows,
                percent(lane.flows, flows),
            )?;
        }
        writeln!(f, "{:<11}{bytes:>14}{:>9}{packets:>12}{:>9}{flows:>11}", "all", "", "")?;
        let Impairments { data, segments, retransmitted, reordered, lost, .. } = self.impairments;
        for (name, count, of, what) in [
            ("retransmitted", retransmitted, segments, "TCP segments with data"),
            ("reordered", reordered, data, "packets with data"),
            ("lost", lost, data, "packets with data"),
        ] {
            writeln!(f, "{name:<14}{count:>11}{:>9} of {of} {what}", fine_percent(count, of))?;
        }
        let milliseconds = self.nanoseconds / 1_000_000;
        let mbit = u128::from(bytes) * 8_000 / u128::from(self.nanoseconds.max(1));
        write!(
            f,
            "{}.{:03} s at {mbit} Mbit/s, {} bytes a packet, up to {} sessions at once",
            milliseconds / 1_000,
            milliseconds % 1_000,
            bytes / packets.max(1),
            self.most_active,
        )
    }
}
