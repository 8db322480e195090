//! Spans of time: the minutes that rows lie in, and the windows of rules.

use std::collections::BTreeSet;

use schemas::month::Month;

use super::rule::MINUTE;

/// From its begin to its end, which is not in it; microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Span {
    /// Whether the two have a moment in common.
    pub(super) fn meets(self, other: Self) -> bool {
        self.from < other.to && other.from < self.to
    }

    /// The months that it lies in.
    pub(super) fn months(self) -> Vec<(i32, u8)> {
        let mut months = Vec::new();
        let (mut year, mut month) = month_of(self.from);
        let last = month_of((self.to - 1).max(self.from));
        while (year, month) <= last {
            months.push((year, month));
            (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        }
        months
    }
}

/// Year and month of a time in microseconds.
pub(super) fn month_of(ts: i64) -> (i32, u8) {
    let month = Month::of(ts.saturating_mul(1000));
    (month.year, month.month)
}

/// The minutes of some times, those that follow one another as one span.
#[derive(Clone, Debug, Default)]
pub(super) struct Minutes(BTreeSet<i64>);

impl Minutes {
    pub(super) fn add(&mut self, ts: i64) {
        self.0.insert(ts.div_euclid(MINUTE));
    }

    pub(super) fn spans(&self) -> Vec<Span> {
        joined(self.0.iter().map(|minute| Span { from: minute * MINUTE, to: (minute + 1) * MINUTE }))
    }
}

/// The windows of a length that spans touch, by the times of their begins.
pub(super) fn windows(spans: &[Span], length: i64, into: &mut BTreeSet<i64>) {
    for span in spans {
        let mut begin = span.from.div_euclid(length) * length;
        while begin < span.to {
            into.insert(begin);
            begin += length;
        }
    }
}

/// Spans in order, those that follow one another as one.
pub(super) fn joined(spans: impl Iterator<Item = Span>) -> Vec<Span> {
    let mut out: Vec<Span> = Vec::new();
    for span in spans {
        match out.last_mut() {
            Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
            _ => out.push(span),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::rule::DAY;
    use super::*;

    #[test]
    fn minutes_that_follow_one_another_are_one_span() {
        let mut minutes = Minutes::default();
        for ts in [-1, 0, MINUTE - 1, 5 * MINUTE, 3 * MINUTE, 4 * MINUTE + 7] {
            minutes.add(ts);
        }
        let span = |from, to| Span { from: from * MINUTE, to: to * MINUTE };
        assert_eq!(minutes.spans(), [span(-1, 1), span(3, 6)]);
        let mut found = BTreeSet::new();
        windows(&minutes.spans(), 5 * MINUTE, &mut found);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), [-5 * MINUTE, 0, 5 * MINUTE]);
    }

    #[test]
    fn a_span_lies_in_the_months_that_it_touches() {
        let new_year = 1_798_761_600_000_000; // 2027-01-01
        assert_eq!(Span { from: new_year - DAY, to: new_year }.months(), [(2026, 12)]);
        assert_eq!(Span { from: new_year - 1, to: new_year + 1 }.months(), [(2026, 12), (2027, 1)]);
        assert_eq!(Span { from: new_year, to: new_year + 40 * DAY }.months(), [(2027, 1), (2027, 2)]);
    }
}
