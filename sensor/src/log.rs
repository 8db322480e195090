//! The log: what goes where, and no more of the same than anyone wants to read.

use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// How lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// For whoever waits for a command to end.
    Brief,
    /// With time stamps.
    Text,
    /// An object a line.
    Json,
}

/// Sends the log to standard error: `level` and what is more urgent, unless `SPANLAKE_LOG` chooses by module.
pub fn start(level: &str, style: Style) {
    let chosen = std::env::var("SPANLAKE_LOG").unwrap_or_else(|_| level.to_owned());
    let lines = fmt::layer().with_writer(io::stderr).with_target(false).with_ansi(io::stderr().is_terminal());
    let lines = match style {
        Style::Brief => lines.without_time().boxed(),
        Style::Text => lines.boxed(),
        Style::Json => lines.json().flatten_event(true).boxed(),
    };
    let filter = EnvFilter::builder().parse_lossy(chosen);
    // Fails only where a log was set up before, as in tests that run several commands in one process.
    let _ = tracing_subscriber::registry().with(lines.with_filter(Sparing)).with(filter).try_init();
}

/// Says which lines were left out since the last call because there were too many of them, and how many. Whoever runs for
/// long calls it now and then.
pub fn tell_left_out() {
    let left_out = REPEATS.lock().unwrap_or_else(PoisonError::into_inner).take(Instant::now());
    for (place, lines) in left_out {
        tracing::warn!(lines, "too many lines of the same kind; left out: those of {place}");
    }
}

/// Lines of one place that are written in each [`SPAN`].
const MOST: u64 = 20;

/// See [`MOST`].
const SPAN: Duration = Duration::from_secs(60);

/// What was written of late, by place in the code: there are only so many places.
static REPEATS: LazyLock<Mutex<Repeats>> = LazyLock::new(Mutex::default);

#[derive(Debug, Default)]
struct Repeats(HashMap<Identifier, Place>);

#[derive(Debug)]
struct Place {
    name: String,
    since: Instant,
    lines: u64,
    left_out: u64,
    /// Of spans that are over, not yet told.
    to_tell: u64,
}

impl Repeats {
    /// Whether one more line of a place is written.
    fn takes(&mut self, metadata: &Metadata<'_>, now: Instant) -> bool {
        let place = self.0.entry(metadata.callsite()).or_insert_with(|| Place {
            name: metadata.name().to_owned(),
            since: now,
            lines: 0,
            left_out: 0,
            to_tell: 0,
        });
        if now.duration_since(place.since) >= SPAN {
            (place.since, place.lines) = (now, 0);
            place.to_tell += std::mem::take(&mut place.left_out);
        }
        place.lines += 1;
        let takes = place.lines <= MOST;
        place.left_out += u64::from(!takes);
        takes
    }

    /// Places of which lines were left out in a span that is over, and how many.
    fn take(&mut self, now: Instant) -> Vec<(String, u64)> {
        let told = |place: &mut Place| {
            let mut lines = std::mem::take(&mut place.to_tell);
            if now.duration_since(place.since) >= SPAN {
                lines += std::mem::take(&mut place.left_out);
            }
            (lines > 0).then(|| (place.name.clone(), lines))
        };
        self.0.values_mut().filter_map(told).collect()
    }
}

/// Leaves out what repeats too often.
struct Sparing;

impl<S: Subscriber> Filter<S> for Sparing {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        REPEATS.lock().unwrap_or_else(PoisonError::into_inner).takes(event.metadata(), Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use tracing_core::callsite::DefaultCallsite;
    use tracing_core::field::FieldSet;
    use tracing_core::{Kind, Level};

    use super::*;

    #[test]
    fn a_place_that_says_much_is_cut_short_and_told() {
        static CALLSITE: DefaultCallsite = DefaultCallsite::new(&METADATA);
        static METADATA: Metadata<'static> = Metadata::new(
            "event sensor/src/x.rs:7",
            "x",
            Level::WARN,
            None,
            None,
            None,
            FieldSet::new(&[], Identifier(&CALLSITE)),
            Kind::EVENT,
        );
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        let written = (0..1000).filter(|_| repeats.takes(&METADATA, start)).count() as u64;
        assert_eq!(written, MOST);
        assert_eq!(repeats.take(start + SPAN / 2), []);
        assert_eq!(repeats.take(start + SPAN), [("event sensor/src/x.rs:7".to_owned(), 1000 - MOST)]);
        assert_eq!(repeats.take(start + SPAN), []);
        assert!(repeats.takes(&METADATA, start + SPAN));
        // One that never rests begins the next span before anyone asks about the last.
        assert_eq!((0..999).filter(|_| repeats.takes(&METADATA, start + SPAN)).count() as u64, MOST - 1);
        assert!(repeats.takes(&METADATA, start + SPAN * 2));
        let told = [("event sensor/src/x.rs:7".to_owned(), 1000 - MOST)];
        assert_eq!(repeats.take(start + SPAN * 2 + SPAN / 2), told);
    }
}
