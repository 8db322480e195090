//! Numbers, times and values from the wire, as they stand in a sentence.

use chrono::DateTime;

use crate::output::escape;

/// More characters than this of one value help nobody who looks at a page.
const MOST_CHARACTERS: usize = 200;

/// `12345` is `12,345`.
pub(super) fn count(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if value < 0 {
        text.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number of things, in the singular where it is one.
pub(super) fn many(value: i64, one: &str, more: &str) -> String {
    format!("{} {}", count(value), if value == 1 { one } else { more })
}

/// `1234567` is `1.23 MB`.
pub(super) fn bytes(value: i64) -> String {
    let mut scaled = value as f64;
    let mut units = ["B", "kB", "MB", "GB", "TB", "PB", "EB"].iter();
    let mut unit = units.next();
    while scaled.abs() >= 999.5 {
        let Some(next) = units.next() else { break };
        scaled /= 1000.0;
        unit = Some(next);
    }
    format!("{} {}", short(scaled), unit.unwrap_or(&"B"))
}

/// A share of a whole in percent, never rounded to nothing or to all.
pub(super) fn share(part: f64, whole: f64) -> String {
    if whole <= 0.0 || part <= 0.0 {
        return "0%".to_owned();
    }
    let percent = 100.0 * part / whole;
    if percent < 0.01 {
        return "under 0.01%".to_owned();
    }
    if part < whole && percent >= 99.95 {
        return "nearly 100%".to_owned();
    }
    format!("{}%", short(percent))
}

/// Three digits that count, without zeros at the end.
fn short(value: f64) -> String {
    let text = match value.abs() {
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => return format!("{value:.0}"),
    };
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Microseconds since 1970 as a moment in UTC.
pub(super) fn moment(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros)
        .map_or_else(|| format!("{micros} µs"), |time| time.format("%-d %b %Y, %H:%M").to_string())
}

/// The same, as SQL has it.
pub(super) fn literal(micros: i64) -> String {
    DateTime::from_timestamp_micros(micros)
        .map_or_else(|| micros.to_string(), |time| time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string())
}

/// How long a span is, in its largest unit.
pub(super) fn span(micros: i64) -> String {
    let seconds = micros / 1_000_000;
    let (unit, one, more) = match seconds {
        0..120 => (1, "second", "seconds"),
        120..7_200 => (60, "minute", "minutes"),
        7_200..172_800 => (3_600, "hour", "hours"),
        172_800..94_608_000 => (86_400, "day", "days"),
        _ => (31_556_952, "year", "years"),
    };
    // A part of a unit is a unit begun.
    let whole = (micros + unit * 1_000_000 - 1) / (unit * 1_000_000);
    many(whole.max(1), one, more)
}

/// A value from the wire as it may be shown: nothing in it is invisible or turns the text around it, and it ends somewhere.
pub(super) fn visible(text: &str) -> String {
    let Some((end, _)) = text.char_indices().nth(MOST_CHARACTERS) else { return escape::escaped(text) };
    let length = text.chars().count();
    format!("{}… ({} characters)", escape::escaped(&text[..end]), count(length as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_that_count() {
        assert_eq!(
            [count(0), count(999), count(1_000), count(-1_234_567)],
            ["0", "999", "1,000", "-1,234,567"]
        );
        assert_eq!([bytes(0), bytes(999), bytes(1_000), bytes(999_600)], ["0 B", "999 B", "1 kB", "1 MB"]);
        assert_eq!(bytes(1_234_567_890_123), "1.23 TB");
        assert_eq!(bytes(i64::MAX), "9.22 EB");
    }

    #[test]
    fn a_share_is_not_rounded_to_nothing_or_to_all() {
        assert_eq!([share(0.0, 9.0), share(9.0, 9.0), share(1.0, 0.0)], ["0%", "100%", "0%"]);
        assert_eq!([share(1.0, 1e9), share(999_999.0, 1e6)], ["under 0.01%", "nearly 100%"]);
    }

    #[test]
    fn a_span_is_told_in_its_largest_unit() {
        assert_eq!(span(0), "1 second");
        assert_eq!(span(30 * 86_400 * 1_000_000), "30 days");
        assert_eq!(span(90 * 60 * 1_000_000), "90 minutes");
        assert_eq!(span(i64::MAX / 2), "146,139 years");
    }

    #[test]
    fn what_turns_or_hides_text_is_shown_as_its_number() {
        assert_eq!(visible("a\u{202e}b\u{0}c\u{200b}"), "a\\u{202e}b\\u{0}c\\u{200b}");
        assert_eq!(visible("Grüße, 日本"), "Grüße, 日本");
        let long = visible(&"x".repeat(10_240));
        assert!(long.ends_with("… (10,240 characters)") && long.chars().count() < 230, "{long}");
    }
}
