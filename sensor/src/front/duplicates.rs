//! Second copies of a packet: a span port often sends each packet as it comes in and as it goes out.

use schemas::envelope::Nanoseconds;

/// Copies come within a millisecond.
const WINDOW: Nanoseconds = 1_000_000;

/// Fingerprints kept. At ten million packets a second a window holds ten thousand of them; each has two places, and one
/// that was overwritten costs a copy counted as a packet.
const PLACES: usize = 1 << 14;

/// Remembers the fingerprints of the last packets, in fixed memory and without ever growing old.
#[derive(Debug)]
pub(super) struct Duplicates {
    places: Vec<(u64, Nanoseconds)>,
}

impl Default for Duplicates {
    fn default() -> Self {
        Self { places: vec![(0, Nanoseconds::MIN); PLACES] }
    }
}

impl Duplicates {
    /// Whether a packet with this fingerprint came within the last millisecond; it is remembered.
    #[inline]
    pub(super) fn seen(&mut self, fingerprint: u64, ts: Nanoseconds) -> bool {
        let first = fingerprint as usize % PLACES;
        let pair = [first, first ^ 1];
        for place in pair {
            let Some((known, at)) = self.places.get(place) else { continue };
            if *known == fingerprint && ts.abs_diff(*at) <= WINDOW.unsigned_abs() {
                return true;
            }
        }
        // The older of the two places makes room.
        let at = |place: usize| self.places.get(place).map_or(Nanoseconds::MIN, |(_, at)| *at);
        let place = if at(pair[0]) <= at(pair[1]) { pair[0] } else { pair[1] };
        if let Some(entry) = self.places.get_mut(place) {
            *entry = (fingerprint, ts);
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_within_a_millisecond_is_one_and_a_later_packet_is_not() {
        let mut duplicates = Duplicates::default();
        assert!(!duplicates.seen(7, 0));
        assert!(duplicates.seen(7, 999_999));
        assert!(duplicates.seen(7, 1_000_000));
        assert!(!duplicates.seen(7, 1_000_001));
        assert!(!duplicates.seen(8, 1_000_001));
    }

    #[test]
    fn two_fingerprints_of_one_place_do_not_drive_each_other_out() {
        let mut duplicates = Duplicates::default();
        let other = 7 + PLACES as u64;
        assert!(!duplicates.seen(7, 0));
        assert!(!duplicates.seen(other, 10));
        assert!(duplicates.seen(7, 20));
        assert!(duplicates.seen(other, 30));
    }
}
