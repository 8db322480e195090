//! How much a worker has to leave undone, by how full its rings are.

use std::time::{Duration, Instant};

use crate::worker::Pressure;

/// Per cent of a ring from which on each level begins: what is left undone early is the least loss, and what is still free
/// then takes the next burst.
const BEGINS: [u8; 3] = [50, 75, 90];

/// Below so many per cent a level may end.
const ENDS: u8 = 25;

/// A level lasts so long at least, or it would come and go with every burst.
const LASTS: Duration = Duration::from_secs(1);

/// The level that a worker is at.
#[derive(Debug, Default)]
pub(super) struct Load {
    level: usize,
    /// Since when the ring has been nearly empty.
    calm: Option<Instant>,
}

impl Load {
    /// The level at a fill, in per cent.
    pub(super) fn level(&mut self, fill: u8, now: Instant) -> Pressure {
        let wanted = BEGINS.iter().filter(|begins| fill >= **begins).count();
        if wanted > self.level {
            self.level = wanted;
        }
        if fill >= ENDS || self.level == 0 {
            self.calm = None;
        } else if now.duration_since(*self.calm.get_or_insert(now)) >= LASTS {
            self.level -= 1;
            self.calm = Some(now);
        }
        Pressure::of(self.level)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_come_at_once_and_go_one_by_one() {
        let (mut load, start) = (Load::default(), Instant::now());
        let mut at = |fill, milliseconds| load.level(fill, start + Duration::from_millis(milliseconds));
        assert_eq!(at(49, 0), Pressure::None);
        assert_eq!(at(50, 1), Pressure::Bulk);
        assert_eq!(at(95, 2), Pressure::Flows);
        assert_eq!(at(30, 5_000), Pressure::Flows, "not calm yet");
        assert_eq!(at(10, 5_001), Pressure::Flows);
        assert_eq!(at(26, 5_900), Pressure::Flows, "not calm for long");
        assert_eq!(at(10, 6_000), Pressure::Flows);
        assert_eq!(at(10, 7_000), Pressure::Streams);
        assert_eq!(at(10, 7_999), Pressure::Streams);
        assert_eq!(at(10, 8_000), Pressure::Bulk);
        assert_eq!(at(10, 9_000), Pressure::None);
        assert_eq!(at(10, 99_000), Pressure::None);
    }
}
