//! The period that a report is about, and the bins that it is cut into.

use anyhow::{Context as _, Result, bail};
use chrono::{DateTime, Datelike as _, NaiveDate, NaiveDateTime, NaiveTime};

use super::words;

const SECOND: i64 = 1_000_000;

/// No chart has more bars than this over time: more cannot be told apart, or touched with a finger.
const MOST_BINS: i64 = 96;

/// From a moment to another, which is not part of it, in microseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Period {
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Period {
    /// The condition that rows of it fulfil; by month as well, so that files of other months are not opened.
    pub(super) fn condition(self) -> String {
        let month = |micros: i64| {
            DateTime::from_timestamp_micros(micros)
                .map_or(0, |time| i64::from(time.year()) * 100 + i64::from(time.month()))
        };
        format!(
            "ts >= '{}' and ts < '{}' and year * 100 + month between {} and {}",
            words::literal(self.from),
            words::literal(self.to),
            month(self.from),
            month(self.to - 1),
        )
    }

    /// The period as long as this one that ends where it begins.
    pub(super) fn before(self) -> Self {
        Self { from: self.from.saturating_sub(self.to - self.from), to: self.from }
    }

    pub(super) fn bin(self) -> Bin {
        let span = (self.to - self.from).max(1);
        let fits = |bin: &&Bin| span / bin.length() <= MOST_BINS;
        BINS.iter().find(fits).copied().unwrap_or(Bin::Unit("year"))
    }
}

/// How long a bin is: what divides a day, or a unit of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bin {
    Seconds(i64),
    Unit(&'static str),
}

const BINS: &[Bin] = &[
    Bin::Seconds(1),
    Bin::Seconds(5),
    Bin::Seconds(15),
    Bin::Seconds(60),
    Bin::Seconds(300),
    Bin::Seconds(900),
    Bin::Seconds(3_600),
    Bin::Seconds(10_800),
    Bin::Seconds(21_600),
    Bin::Unit("day"),
    Bin::Unit("week"),
    Bin::Unit("month"),
    Bin::Unit("quarter"),
    Bin::Unit("year"),
];

impl Bin {
    const fn length(self) -> i64 {
        match self {
            Self::Seconds(seconds) => seconds * SECOND,
            Self::Unit(unit) => {
                let days = match unit.as_bytes() {
                    b"day" => 1,
                    b"week" => 7,
                    b"month" => 30,
                    b"quarter" => 91,
                    _ => 365,
                };
                days * 86_400 * SECOND
            }
        }
    }

    /// The start of the bin of a row, in SQL.
    pub(super) fn sql(self) -> String {
        match self {
            Self::Seconds(seconds) => format!("date_bin(interval '{seconds}' second, ts)"),
            Self::Unit(unit) => format!("date_trunc('{unit}', ts)"),
        }
    }

    /// As the page has it: seconds, or the name of what has no fixed length.
    pub(super) fn step(self) -> serde_json::Value {
        match self {
            Self::Seconds(seconds) => seconds.into(),
            Self::Unit("day") => 86_400.into(),
            Self::Unit("week") => 604_800.into(),
            Self::Unit(unit) => unit.into(),
        }
    }
}

/// A moment as people write it: a day, a day and a time, or RFC 3339.
pub(super) fn moment(text: &str) -> Result<i64> {
    let text = text.trim();
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(time.timestamp_micros());
    }
    for form in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"] {
        if let Ok(time) = NaiveDateTime::parse_from_str(text, form) {
            return Ok(time.and_utc().timestamp_micros());
        }
    }
    let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").with_context(|| {
        format!("{text}: no time; write 2026-11-28, 2026-11-28T13:00 or 2026-11-28T13:00:00Z")
    })?;
    Ok(day.and_time(NaiveTime::MIN).and_utc().timestamp_micros())
}

/// A span as people write it: `30d`, `12h`, `8w`.
pub(super) fn span(text: &str) -> Result<i64> {
    let text = text.trim();
    let split = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let seconds = match unit {
        "m" | "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => bail!("{text}: no span of time; write 30d, 12h, 8w or 90m"),
    };
    let span = digits.parse::<i64>().ok().and_then(|number| number.checked_mul(seconds * SECOND));
    match span {
        Some(span) if span > 0 => Ok(span),
        _ => bail!("{text}: no span of time; write 30d, 12h, 8w or 90m"),
    }
}

/// A month of a table: how many rows it has, and from when to when.
#[derive(Clone, Copy, Debug)]
pub(super) struct Month {
    pub(super) rows: i64,
    pub(super) first: i64,
    pub(super) last: i64,
}

/// The period of the rows, and how many are left out: those of a clock that was wrong lie years away from all others, and
/// a chart that has room for them has none for the rest.
pub(super) fn of(months: &[Month]) -> Option<(Period, i64)> {
    const FAR: i64 = 183 * 86_400 * SECOND;
    let all: i64 = months.iter().map(|month| month.rows).sum();
    let few = |rows: i64| rows.saturating_mul(100) < all;
    let mut rest = months;
    let mut left_out = 0;
    while let [first, second, ..] = rest {
        if !few(left_out + first.rows) || second.first - first.last < FAR {
            break;
        }
        left_out += first.rows;
        rest = &rest[1..];
    }
    while let [.., second, last] = rest {
        if !few(left_out + last.rows) || last.first - second.last < FAR {
            break;
        }
        left_out += last.rows;
        rest = &rest[..rest.len() - 1];
    }
    let (first, last) = (rest.first()?, rest.last()?);
    Some((Period { from: first.first, to: last.last + 1 }, left_out))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400 * SECOND;

    #[test]
    fn bins_follow_the_span() {
        let bin = |span: i64| Period { from: 0, to: span }.bin();
        assert_eq!(bin(1), Bin::Seconds(1));
        assert_eq!(bin(3_600 * SECOND), Bin::Seconds(60));
        assert_eq!(bin(DAY), Bin::Seconds(900));
        assert_eq!(bin(30 * DAY), Bin::Unit("day"));
        assert_eq!(bin(180 * DAY), Bin::Unit("week"));
        assert_eq!(bin(3 * 365 * DAY), Bin::Unit("month"));
        assert_eq!(bin(400 * 365 * DAY), Bin::Unit("year"));
    }

    #[test]
    fn a_condition_names_the_months() {
        let period =
            Period { from: moment("2026-10-31T23:00").unwrap_or(0), to: moment("2026-12-01").unwrap_or(0) };
        assert_eq!(
            period.condition(),
            "ts >= '2026-10-31T23:00:00.000000Z' and ts < '2026-12-01T00:00:00.000000Z' \
             and year * 100 + month between 202610 and 202611"
        );
    }

    #[test]
    fn times_are_read_as_people_write_them() {
        let want = moment("2026-11-28T13:00:00Z").ok();
        assert!(want.is_some());
        for text in ["2026-11-28 13:00", "2026-11-28T13:00:00", "2026-11-28T15:00:00+02:00"] {
            assert_eq!(moment(text).ok(), want, "{text}");
        }
        assert!(moment("yesterday").is_err_and(|error| error.to_string().starts_with("yesterday: no time")));
        assert_eq!(span("30d").ok(), Some(30 * DAY));
        for text in ["", "d", "0d", "-1d", "1y", "99999999999999999999d"] {
            assert!(span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rows_of_a_clock_that_was_wrong_are_left_out() {
        let month = |rows, at: i64| Month { rows, first: at * DAY, last: at * DAY + DAY };
        let (period, left_out) =
            of(&[month(10, 0), month(5_000, 20_000), month(5_000, 20_031), month(3, 49_000)])
                .unwrap_or((Period { from: 0, to: 0 }, 0));
        assert_eq!((period, left_out), (Period { from: 20_000 * DAY, to: 20_032 * DAY + 1 }, 13));
        // Not where they are many, nor where they are near.
        let (period, left_out) =
            of(&[month(500, 0), month(5_000, 20_000)]).unwrap_or((Period { from: 9, to: 9 }, 9));
        assert_eq!((period.from, left_out), (0, 0));
        let (_, left_out) =
            of(&[month(1, 19_990), month(5_000, 20_000)]).unwrap_or((Period { from: 9, to: 9 }, 9));
        assert_eq!(left_out, 0);
        assert!(of(&[]).is_none());
    }
}
