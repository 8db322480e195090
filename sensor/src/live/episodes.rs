//! Things that go wrong for a while: told when they begin and when they are over, with how much it was, never in between.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What goes wrong now.
#[derive(Debug, Default)]
pub(super) struct Episodes(BTreeMap<String, Episode>);

#[derive(Debug)]
struct Episode {
    began: Instant,
    last: Instant,
    count: u64,
}

/// A beginning or an end.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It begins, with so many.
    Begins(u64),
    /// It is over: so many in so long.
    Over(u64, Duration),
}

/// Without anything for so long it is over.
const QUIET: Duration = Duration::from_secs(5);

impl Episodes {
    /// Notes that `count` more of something went wrong. Says what is to be told.
    pub(super) fn note(&mut self, what: &str, count: u64, now: Instant) -> Option<Told> {
        if count > 0 {
            if let Some(episode) = self.0.get_mut(what) {
                episode.last = now;
                episode.count += count;
                return None;
            }
            self.0.insert(what.to_owned(), Episode { began: now, last: now, count });
            return Some(Told::Begins(count));
        }
        let over = self.0.get(what).is_some_and(|episode| now.duration_since(episode.last) >= QUIET);
        if !over {
            return None;
        }
        let Episode { began, last, count } = self.0.remove(what)?;
        Some(Told::Over(count, last.duration_since(began)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_told_when_it_begins_and_when_it_is_over() {
        let (mut episodes, start) = (Episodes::default(), Instant::now());
        let mut at = |seconds, what, count| episodes.note(what, count, start + Duration::from_secs(seconds));
        assert_eq!(at(0, "ring", 0), None);
        assert_eq!(at(1, "ring", 5), Some(Told::Begins(5)));
        assert_eq!(at(2, "ring", 7), None);
        assert_eq!(at(3, "queue", 1), Some(Told::Begins(1)));
        assert_eq!(at(6, "ring", 0), None);
        assert_eq!(at(6, "ring", 3), None);
        assert_eq!(at(10, "ring", 0), None);
        assert_eq!(at(11, "ring", 0), Some(Told::Over(15, Duration::from_secs(5))));
        assert_eq!(at(12, "ring", 0), None);
        assert_eq!(at(13, "ring", 1), Some(Told::Begins(1)));
    }
}
