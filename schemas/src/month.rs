//! Months in UTC, which partitions of the lake are named by.

use std::ops::Range;

use crate::envelope::Nanoseconds;

/// A month of a year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month {
    /// Year of the proleptic Gregorian calendar.
    pub year: i32,
    /// 1 to 12.
    pub month: u8,
}

const DAY: Nanoseconds = 86_400_000_000_000;

impl Month {
    /// The month that `ts` lies in.
    pub fn of(ts: Nanoseconds) -> Self {
        let (year, month, _) = date(ts.div_euclid(DAY));
        Self { year, month }
    }

    /// From the first nanosecond of the month to the first of the next, as far as an i64 reaches.
    pub fn range(self) -> Range<i128> {
        let next = if self.month >= 12 {
            Self { year: self.year + 1, month: 1 }
        } else {
            Self { month: self.month + 1, ..self }
        };
        let start = |month: Self| i128::from(first_day(month)) * i128::from(DAY);
        start(self)..start(next)
    }
}

/// Year, month and day of the day number `days` since 1970-01-01, by Howard Hinnant's `civil_from_days`: years begin
/// in March, so that the leap day is their last.
pub(crate) fn date(days: i64) -> (i32, u8, u8) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as i32, month as u8, day as u8)
}

/// Day number of the first of a month, since 1970-01-01.
fn first_day(month: Month) -> i64 {
    let year = i64::from(month.year) - i64::from(month.month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let shifted = (i64::from(month.month) + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_begin_and_end_where_the_calendar_says() {
        let month = |year, month| Month { year, month };
        assert_eq!(Month::of(0), month(1970, 1));
        assert_eq!(Month::of(-1), month(1969, 12));
        assert_eq!(Month::of(951_782_399_999_999_999), month(2000, 2));
        assert_eq!(Month::of(951_868_800_000_000_000), month(2000, 3));
        assert_eq!(Month::of(i64::MAX), month(2262, 4));
        assert_eq!(Month::of(i64::MIN), month(1677, 9));
        assert_eq!(date(19_782), (2024, 2, 29));
    }

    #[test]
    fn every_time_lies_in_the_range_of_its_month() {
        for ts in (i64::MIN..=i64::MAX).step_by(100 * DAY as usize + 12_345) {
            assert!(Month::of(ts).range().contains(&i128::from(ts)));
            let range = Month::of(ts).range();
            if let (Ok(start), Ok(end)) = (i64::try_from(range.start), i64::try_from(range.end)) {
                assert_eq!(Month::of(start), Month::of(ts));
                assert_ne!(Month::of(start - 1), Month::of(ts));
                assert_ne!(Month::of(end), Month::of(ts));
            }
        }
    }
}
