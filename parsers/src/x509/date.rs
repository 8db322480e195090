//! Dates of certificates, and times of Kerberos: UTCTime and GeneralizedTime (RFC 5280, 4.1.2.5).

use schemas::envelope::Microseconds;
use schemas::month::Month;

use crate::der::{Element, tag};

const SECOND: Microseconds = 1_000_000;

/// A date, and whether it is written as RFC 5280 asks for: with seconds, without fractions, in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    pub(crate) microseconds: Microseconds,
    pub(crate) is_strict: bool,
}

/// Reads a date; none where it is none.
pub(crate) fn read(element: &Element<'_>) -> Option<Date> {
    let mut digits = Digits(element.content);
    let year = match element.tag {
        // Years of the next century begin where those of the last one end.
        tag::UTC_TIME => match digits.number(2)? {
            year @ 0..50 => 2000 + year,
            year => 1900 + year,
        },
        tag::GENERALIZED_TIME => digits.number(4)?,
        _ => return None,
    };
    let (month, day, hour) = (digits.number(2)?, digits.number(2)?, digits.number(2)?);
    let mut is_strict = true;
    let mut optional = |digits: &mut Digits<'_>| match digits.0.first() {
        Some(b'0'..=b'9') => digits.number(2),
        _ => {
            is_strict = false;
            Some(0)
        }
    };
    let (minute, second) = (optional(&mut digits)?, optional(&mut digits)?);
    let fraction = digits.fraction();
    let offset = digits.offset()?;
    is_strict &= fraction.is_none() && offset == Some(0) && element.content.ends_with(b"Z");
    if !digits.0.is_empty() || hour > 23 || minute > 59 || second > 60 || !(1..=12).contains(&month) {
        return None;
    }
    let month = Month { year: i32::try_from(year).ok()?, month: u8::try_from(month).ok()? }.range();
    let midnight = month.start / 1000 + i128::from(day.checked_sub(1)?) * 86_400 * i128::from(SECOND);
    if midnight >= month.end / 1000 {
        return None;
    }
    let of_day = (i64::from(hour) * 60 + i64::from(minute) - offset.unwrap_or(0)) * 60 + i64::from(second);
    let microseconds = i64::try_from(midnight).ok()? + of_day * SECOND + fraction.unwrap_or(0);
    Some(Date { microseconds, is_strict })
}

/// What is left of a date.
struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    fn number(&mut self, digits: usize) -> Option<u32> {
        let (number, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        number.iter().try_fold(0, |number, digit| Some(number * 10 + char::from(*digit).to_digit(10)?))
    }

    /// The microseconds behind a point or a comma.
    fn fraction(&mut self) -> Option<Microseconds> {
        let Some((b'.' | b',', mut rest)) = self.0.split_first() else { return None };
        let mut fraction = 0;
        let mut unit = SECOND / 10;
        while let Some((digit @ b'0'..=b'9', after)) = rest.split_first() {
            fraction += Microseconds::from(digit - b'0') * unit;
            unit /= 10;
            rest = after;
        }
        self.0 = rest;
        Some(fraction)
    }

    /// Minutes that local time is ahead of UTC; inner none where no zone is given: local time of nobody knows whom.
    #[expect(clippy::option_option, reason = "one is that it cannot be read, the other that there is none")]
    fn offset(&mut self) -> Option<Option<i64>> {
        let Some((&zone, rest)) = self.0.split_first() else { return Some(None) };
        self.0 = rest;
        let sign = match zone {
            b'Z' => return Some(Some(0)),
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        let (hours, minutes) = (self.number(2)?, self.number(2)?);
        Some(Some(sign * (i64::from(hours) * 60 + i64::from(minutes))))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn date(tag: u8, text: &str) -> Option<(i64, bool)> {
        let element = Element { tag, content: text.as_bytes(), whole: text.as_bytes() };
        let date = read(&element)?;
        assert_eq!(date.microseconds % SECOND, 0);
        Some((date.microseconds / SECOND, date.is_strict))
    }

    #[test]
    fn dates_are_read_from_the_year_0_to_9999() {
        assert_eq!(date(tag::UTC_TIME, "700101000000Z"), Some((0, true)));
        assert_eq!(date(tag::UTC_TIME, "500101000000Z"), Some((-631_152_000, true)));
        assert_eq!(date(tag::UTC_TIME, "491231235959Z"), Some((2_524_607_999, true)));
        assert_eq!(date(tag::GENERALIZED_TIME, "20240229120000Z"), Some((1_709_208_000, true)));
        assert_eq!(date(tag::GENERALIZED_TIME, "99991231235959Z"), Some((253_402_300_799, true)));
        assert_eq!(date(tag::GENERALIZED_TIME, "00000101000000Z"), Some((-62_167_219_200, true)));
    }

    #[test]
    fn sloppy_dates_are_read_and_told() {
        assert_eq!(date(tag::UTC_TIME, "7001010000Z"), Some((0, false)));
        assert_eq!(date(tag::UTC_TIME, "700101010000+0100"), Some((0, false)));
        assert_eq!(date(tag::UTC_TIME, "700101000000-0030"), Some((1800, false)));
        assert_eq!(date(tag::GENERALIZED_TIME, "1970010101"), Some((3600, false)));
        assert_eq!(date(tag::GENERALIZED_TIME, "19700101000000.000Z"), Some((0, false)));
        let element = Element { tag: tag::GENERALIZED_TIME, content: b"19700101000000.25Z", whole: b"" };
        assert_eq!(read(&element), Some(Date { microseconds: 250_000, is_strict: false }));
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "Z",
            "700101",
            "701301000000Z",
            "700001000000Z",
            "700100000000Z",
            "700132000000Z",
            "990229000000Z",
            "700101240000Z",
            "700101006000Z",
            "700101000061Z",
            "700101000000X",
            "700101000000ZZ",
            "7001010000001",
            "70010100000\0Z",
            "7001010000+1",
            "-00101000000Z",
        ] {
            assert_eq!(date(tag::UTC_TIME, text), None, "{text}");
        }
        assert_eq!(date(tag::UTF8_STRING, "700101000000Z"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_a_date_or_none(text in "[0-9+\\-.Z]{0,24}") {
            date(tag::UTC_TIME, &text.replace('.', ""));
            let element = Element { tag: tag::GENERALIZED_TIME, content: text.as_bytes(), whole: b"" };
            read(&element);
        }
    }
}
