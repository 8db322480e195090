//! How far a worker follows packets: all the way but in benchmarks, whose stages end earlier.
//!
//! What decides stands outside of the loop over packets: at the start of a thread, where a stream or a datagram is
//! identified, and where a row is made.

use crossbeam_channel::Receiver;
use schemas::batch::Records;

use super::Worker;
use crate::work::Work;

/// How far packets are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// Work is taken and dropped.
    Nothing,
    /// Flows and TCP are followed and segments put in order; nobody reads what they carry, and flows have no rows.
    Flows,
    /// What flows carry is read; rows are not made.
    Sessions,
    /// All the way.
    #[default]
    Rows,
}

impl Reach {
    /// Whether all work was dropped, to the last of it, because nothing is to be done with any.
    pub(super) fn drops(self, work: &Receiver<Work>) -> bool {
        if self == Self::Nothing {
            work.iter().for_each(drop);
        }
        self == Self::Nothing
    }
}

impl Worker {
    /// The same worker, which goes only so far.
    #[must_use]
    pub fn reaching(mut self, reach: Reach) -> Self {
        self.reach = reach;
        self.settings.sessions.unread = reach == Reach::Flows;
        if reach != Reach::Rows {
            self.records = Records::unkept();
        }
        self
    }
}
