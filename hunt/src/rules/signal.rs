//! A signal on its way: from a rule's hit to a row of the table and to those who want to be told.

use std::fmt::Write;
use std::net::IpAddr;

use schemas::arena::Arena;
use schemas::batch::Batch;
use schemas::envelope::Envelope;
use schemas::month::Month;
use schemas::signal::{Endpoint, Signal as Record};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::ask::Hit;
use super::rule::{Rule, Severity};
use crate::output::escape::escaped;

/// A signal. Times are microseconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Signal {
    /// Time of the first evidence.
    pub(super) ts: i64,
    /// Hash of rule, key and window.
    pub(super) signal_id: String,
    /// Name of the rule.
    pub(super) rule: String,
    /// What it finds.
    pub(super) title: String,
    /// How bad that is.
    pub(super) severity: Severity,
    /// Technique of ATT&CK.
    pub(super) technique: String,
    /// Address of the originator.
    pub(super) src_ip: Option<IpAddr>,
    /// Address of the responder.
    pub(super) dst_ip: Option<IpAddr>,
    /// What the evidence has in common.
    pub(super) key: String,
    /// The window.
    pub(super) window_start: i64,
    /// The end of the window.
    pub(super) window_end: i64,
    /// How often it occurred.
    pub(super) occurrences: i64,
    /// Flows that are evidence.
    pub(super) uids: Vec<String>,
    /// What else the hunt tells.
    pub(super) detail: String,
}

/// Hash of rule, key and window, and a shorter one of rule and key.
pub(super) fn identify(rule: &Rule, key: &[Option<String>], window: i64) -> (String, String) {
    let values: Vec<(&String, &Option<String>)> = rule.key.iter().zip(key).collect();
    let hex = |bytes: &[u8]| {
        bytes.iter().fold(String::new(), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
    };
    let mut hash = Sha256::new();
    // As JSON, in which no two lists of values look alike.
    hash.update(json!([rule.name, values]).to_string());
    let group = hash.clone().finalize();
    hash.update(window.to_le_bytes());
    hash.update(rule.window.to_le_bytes());
    (hex(&hash.finalize()[..16]), hex(&group[..8]))
}

impl Signal {
    pub(super) fn of(rule: &Rule, hit: Hit, signal_id: String) -> Self {
        let address = |text: Option<String>| text.and_then(|text| text.parse().ok());
        let pairs = rule.key.iter().zip(&hit.key);
        let key: Vec<String> =
            pairs.map(|(name, value)| format!("{name}={}", value.as_deref().unwrap_or("null"))).collect();
        Self {
            ts: hit.ts.unwrap_or(hit.window),
            signal_id,
            rule: rule.name.clone(),
            title: rule.title.clone(),
            severity: rule.severity,
            technique: rule.technique.clone(),
            src_ip: address(hit.src),
            dst_ip: address(hit.dst),
            key: cut(key.join(", "), MOST_KEY),
            window_start: hit.window,
            window_end: hit.window + rule.window,
            occurrences: hit.occurrences,
            uids: hit.uids.into_iter().map(|(_, uid)| uid).collect(),
            detail: cut(hit.detail, MOST_DETAIL),
        }
    }

    /// Appends it as a row of the table.
    pub(super) fn push(&self, batch: &mut Batch<Record>) {
        let nanoseconds = |ts: i64| ts.saturating_mul(1000);
        batch.push(Envelope { ts: nanoseconds(self.ts), ..Envelope::default() }, |arena| {
            // What comes from the lake is in its escaped form already.
            let text =
                |text: &str, arena: &mut Arena| arena.text_with(|out| out.extend_from_slice(text.as_bytes()));
            let uids: Vec<_> = self.uids.iter().map(|uid| text(uid, arena)).collect();
            Record {
                signal_id: text(&self.signal_id, arena),
                rule: text(&self.rule, arena),
                title: text(&self.title, arena),
                severity: text(self.severity.name(), arena),
                technique: text(&self.technique, arena),
                src: self.src_ip.map(endpoint),
                dst: self.dst_ip.map(endpoint),
                key: text(&self.key, arena),
                window_start: nanoseconds(self.window_start),
                window_end: nanoseconds(self.window_end),
                occurrences: self.occurrences,
                uids: arena.texts(&uids),
                detail: text(&self.detail, arena),
            }
        });
    }

    /// As a program reads it. Control characters and those that turn text around are escaped: receivers show it to people.
    pub(super) fn json(&self) -> Value {
        json!({
            "ts": time(self.ts),
            "signal_id": self.signal_id,
            "rule": escaped(&self.rule),
            "title": escaped(&self.title),
            "severity": self.severity,
            "technique": escaped(&self.technique),
            "src_ip": self.src_ip,
            "dst_ip": self.dst_ip,
            "key": escaped(&self.key),
            "window_start": time(self.window_start),
            "window_end": time(self.window_end),
            "occurrences": self.occurrences,
            "uids": self.uids.iter().map(|uid| escaped(uid)).collect::<Vec<_>>(),
            "detail": escaped(&self.detail),
        })
    }

    /// As people read it: a line.
    pub(super) fn line(&self) -> String {
        let detail = if self.detail.is_empty() { String::new() } else { format!(" ({})", self.detail) };
        escaped(&format!(
            "{} {} {}: {}: {}, {} in {} to {}{detail}",
            time(self.ts),
            self.severity.name().to_uppercase(),
            self.rule,
            self.title,
            self.key,
            self.occurrences,
            time(self.window_start),
            time(self.window_end),
        ))
    }
}

fn endpoint(address: IpAddr) -> Endpoint {
    let is_local = match address {
        IpAddr::V4(address) => address.is_private() || address.is_loopback() || address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_unique_local() || address.is_loopback() || address.is_unicast_link_local()
        }
    };
    let mut bytes = [0; 16];
    match address {
        IpAddr::V4(address) => bytes[12..].copy_from_slice(&address.octets()),
        IpAddr::V6(address) => bytes = address.octets(),
    }
    Endpoint { address: bytes, ipv6: address.is_ipv6(), is_local }
}

/// `2026-11-28T13:00:00.000000Z`.
pub(super) fn time(ts: i64) -> String {
    let (days, of_day) = (ts.div_euclid(DAY), ts.rem_euclid(DAY));
    let month = Month::of(ts.saturating_mul(1000));
    let first = month.range().start / i128::from(DAY * 1000);
    let day = i128::from(days) - first + 1;
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{:04}-{:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z", month.year, month.month)
}

/// A text of no more than so many bytes.
pub(super) fn cut(mut text: String, most: usize) -> String {
    if text.len() > most {
        let mut end = most;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

const DAY: i64 = super::rule::DAY;

/// Bytes of a key and of a detail.
const MOST_KEY: usize = 2048;
const MOST_DETAIL: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_of_the_calendar() {
        for (ts, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (1_709_210_096_123_456, "2024-02-29T12:34:56.123456Z"),
            (1_798_761_600_000_000, "2027-01-01T00:00:00.000000Z"),
        ] {
            assert_eq!(time(ts), text);
        }
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("aß".to_owned(), 3), "aß");
        assert_eq!(cut("aßb".to_owned(), 2), "a…");
    }
}
