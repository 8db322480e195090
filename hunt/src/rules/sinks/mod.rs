//! Those who are told of signals: standard output, syslog, a webhook. What is told comes from the wire in part: control
//! characters, and those that turn text around, are escaped in all of them.

mod stdout;
mod syslog;
mod webhook;

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Error, Result, bail};
use sha2::{Digest, Sha256};

use super::outbox::Outbox;
use super::signal::Signal;
use super::state::{State, reached};

use stdout::Stdout;
use syslog::Syslog;
use webhook::Webhook;

/// Why a signal was not delivered.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It may go better later.
    Later(Error),
    /// This one will never be taken.
    Never(Error),
}

impl<E: Into<Error>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Later(error.into())
    }
}

/// Somebody who is told.
trait Sink {
    /// Tells of a signal.
    fn send(&mut self, signal: &Signal) -> Result<(), Refusal>;

    /// What was told is out of our hands.
    fn flush(&mut self) -> Result<()> {
        Ok(())
    }

    /// How many may be told before that is noted: after a kill they are told once more.
    fn unnoted(&self) -> usize {
        1
    }
}

/// A receiver with its outbox.
pub(super) struct Receiver {
    /// As it is called in messages.
    name: String,
    outbox: String,
    sink: Box<dyn Sink>,
    /// How long to wait after the last failure, and since when.
    pause: Option<(Duration, Instant)>,
    /// Signals that were given up, as far as that was told.
    given_up: u64,
}

impl Receiver {
    /// The receiver that `--to` names.
    pub(super) fn parse(text: &str, as_json: bool) -> Result<Self> {
        let (name, sink): (String, Box<dyn Sink>) = match text {
            "stdout" => ("standard output".to_owned(), Box::new(Stdout::new(as_json))),
            "syslog" => ("syslog".to_owned(), Box::new(Syslog::local(syslog::LOCAL))),
            "webhook" => {
                let Ok(url) = std::env::var(WEBHOOK) else {
                    bail!(
                        "--to webhook takes its URL from the environment variable {WEBHOOK}, which is not set"
                    );
                };
                return Self::parse_webhook(&url);
            }
            _ if text.starts_with("http://") || text.starts_with("https://") => {
                return Self::parse_webhook(text);
            }
            _ => match text.strip_prefix("syslog:") {
                Some(place) => match place.strip_prefix("//").filter(|rest| !rest.starts_with('/')) {
                    Some(host) => (format!("syslog at {host}"), Box::new(Syslog::at(host)?)),
                    None => {
                        let path = place.strip_prefix("//").unwrap_or(place);
                        (format!("syslog at {path}"), Box::new(Syslog::local(path)))
                    }
                },
                None => bail!(
                    "--to {text} is none of stdout, syslog, syslog:SOCKET, syslog://HOST:PORT, webhook and a URL of HTTP"
                ),
            },
        };
        Ok(Self::new(name, text, sink))
    }

    fn parse_webhook(url: &str) -> Result<Self> {
        let webhook = Webhook::new(url)?;
        // The path of a URL often is a secret.
        Ok(Self::new(format!("webhook at {}", webhook.host()), url, Box::new(webhook)))
    }

    fn new(name: String, text: &str, sink: Box<dyn Sink>) -> Self {
        let hash = Sha256::digest(text);
        let outbox = hash.iter().take(8).fold(String::new(), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        });
        Self { name, outbox, sink, pause: None, given_up: 0 }
    }

    /// The name of its outbox.
    pub(super) fn outbox(&self) -> &str {
        &self.outbox
    }

    /// Tells what waits, unless the last try failed a short while ago; says what went wrong, and whether all was told.
    pub(super) fn tell(&mut self, state: &State, tell: &mut dyn FnMut(&str)) -> Result<bool> {
        if self.pause.is_some_and(|(pause, since)| since.elapsed() < pause) {
            return Ok(false);
        }
        let mut outbox = Outbox::open(state, &self.outbox)?;
        if outbox.given_up() > self.given_up {
            tell(&format!(
                "{}: {} signals that waited were given up since there were too many; they stand in the table",
                self.name,
                outbox.given_up() - self.given_up
            ));
            self.given_up = outbox.given_up();
        }
        let mut unnoted = 0;
        let mut failed = None;
        while let Some(signal) = outbox.next() {
            match self.sink.send(signal) {
                Ok(()) => {}
                Err(Refusal::Never(error)) => {
                    tell(&format!("{} does not take signal {}: {error:#}", self.name, signal.signal_id));
                }
                Err(Refusal::Later(error)) => {
                    failed = Some(error);
                    break;
                }
            }
            reached("delivered");
            outbox.pass();
            unnoted += 1;
            if unnoted >= self.sink.unnoted() {
                self.sink.flush()?;
                outbox.note()?;
                reached("noted");
                unnoted = 0;
            }
        }
        if unnoted > 0 {
            match self.sink.flush() {
                Ok(()) => outbox.note()?,
                Err(error) => failed = Some(error),
            }
        }
        let Some(error) = failed else {
            self.pause = None;
            return Ok(true);
        };
        let pause = self.pause.map_or(FIRST_PAUSE, |(pause, _)| (2 * pause).min(LONGEST_PAUSE));
        self.pause = Some((pause, Instant::now()));
        tell(&format!("{}: {error:#}; {} signals wait", self.name, outbox.len()));
        Ok(false)
    }

    /// Until when to wait before the next try.
    pub(super) fn pause(&self) -> Duration {
        self.pause.map(|(pause, since)| pause.saturating_sub(since.elapsed())).unwrap_or_default()
    }
}

/// How long to wait after a failure, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(300);

/// The variable with the URL of a webhook: on the command line everybody on the machine could read it.
const WEBHOOK: &str = "SPANLAKE_HUNT_WEBHOOK";
