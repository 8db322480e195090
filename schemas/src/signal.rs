//! `signal`: what a rule found that somebody should look at; written by the hunter, not by a sensor.

use crate::arena::{Arena, List, Text};
use crate::column::{Column, Layout, Value};
use crate::envelope::{self, AddressBytes, Nanoseconds, Row};
use crate::table::Record;

/// The record of the table `signal`. The envelope tells `ts` alone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Signal {
    /// Hash of rule, key and window.
    pub signal_id: Text,
    /// Name of the rule.
    pub rule: Text,
    /// What it finds, in a line.
    pub title: Text,
    /// `info`, `low`, `medium`, `high`, `critical`.
    pub severity: Text,
    /// Technique of ATT&CK.
    pub technique: Text,
    /// Originator of what was found, where that is one.
    pub src: Option<Endpoint>,
    /// Responder of what was found, where that is one.
    pub dst: Option<Endpoint>,
    /// What the evidence has in common.
    pub key: Text,
    /// Begin of the window.
    pub window_start: Nanoseconds,
    /// End of the window, which is not in it.
    pub window_end: Nanoseconds,
    /// How often it occurred in the window.
    pub occurrences: i64,
    /// Text forms of the flows that are evidence.
    pub uids: List,
    /// What else the hunt tells of it.
    pub detail: Text,
}

/// An address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// In 16 bytes; that of IPv4 in the last four.
    pub address: AddressBytes,
    /// Whether it is of IPv6.
    pub ipv6: bool,
    /// Whether it is in the local networks.
    pub is_local: bool,
}

impl Signal {
    fn texts(&mut self) -> [&mut Text; 7] {
        [
            &mut self.signal_id,
            &mut self.rule,
            &mut self.title,
            &mut self.severity,
            &mut self.technique,
            &mut self.key,
            &mut self.detail,
        ]
    }
}

impl Record for Signal {
    fn relocate(&mut self, from: &Arena, to: &mut Arena) {
        self.uids = to.copy_texts(self.uids, from);
        for text in self.texts() {
            *text = to.copy_text(*text, from);
        }
    }

    fn held(&self, arena: &Arena) -> usize {
        let mut signal = *self;
        signal.texts().iter().map(|text| text.len()).sum::<usize>() + arena.held_by_texts(self.uids)
    }
}

type SignalRow = Row<Signal>;

/// The columns of `signal`.
pub(crate) fn columns() -> Vec<Column<SignalRow>> {
    vec![
        Column::new(
            "ts",
            Value::timestamp(|row: &SignalRow| Some(row.envelope.ts)),
            "Time of the first evidence.",
        )
        .required()
        .layout(Layout::Delta),
        Column::new(
            "signal_id",
            Value::text(|row: &SignalRow| row.record.signal_id),
            "Identifier: a hash of rule, key and window, so that the same evidence gives the same.",
        )
        .required()
        .layout(Layout::Unique)
        .bloom(),
        Column::new("rule", Value::text(|row: &SignalRow| row.record.rule), "Name of the rule: that of its hunt.")
            .required(),
        Column::new("title", Value::text(|row: &SignalRow| row.record.title), "What the rule finds, in a line."),
        Column::new(
            "severity",
            Value::text(|row: &SignalRow| row.record.severity),
            "`info`, `low`, `medium`, `high`, `critical`.",
        )
        .required(),
        Column::new(
            "technique",
            Value::text(|row: &SignalRow| row.record.technique),
            "Technique of ATT&CK, as `T1071.004`.",
        ),
        Column::parts(
            "src_ip",
            |row: &SignalRow| row.record.src.is_some(),
            envelope::address(
                |row: &SignalRow| row.record.src.map(|endpoint| (endpoint.address, endpoint.ipv6)),
                |row: &SignalRow| row.record.src.map(|endpoint| endpoint.is_local),
            ),
            "The originator (client) of what was found; null where that is no single one.",
        ),
        Column::parts(
            "dst_ip",
            |row: &SignalRow| row.record.dst.is_some(),
            envelope::address(
                |row: &SignalRow| row.record.dst.map(|endpoint| (endpoint.address, endpoint.ipv6)),
                |row: &SignalRow| row.record.dst.map(|endpoint| endpoint.is_local),
            ),
            "The responder (server) of what was found; null where that is no single one.",
        ),
        Column::new(
            "key",
            Value::text(|row: &SignalRow| row.record.key),
            "What the evidence has in common, as `client=10.1.1.7, server=10.1.1.2`: one signal for each such and window.",
        )
        .required(),
        Column::new(
            "window_start",
            Value::timestamp(|row: &SignalRow| Some(row.record.window_start)),
            "Begin of the window of time in which the evidence was counted.",
        )
        .required()
        .layout(Layout::Delta),
        Column::new(
            "window_end",
            Value::timestamp(|row: &SignalRow| Some(row.record.window_end)),
            "End of the window, which is not in it any more.",
        )
        .required()
        .layout(Layout::Delta),
        Column::new(
            "occurrences",
            Value::int64(|row: &SignalRow| Some(row.record.occurrences)),
            "How often it occurred in the window, as far as was known when the signal was raised.",
        )
        .required(),
        Column::texts(
            "uids",
            |row: &SignalRow| row.record.uids,
            "Flows that are evidence, up to 100: they join to `uid` of the other tables.",
        ),
        Column::new(
            "detail",
            Value::text(|row: &SignalRow| row.record.detail),
            "What else the hunt tells of the first evidence, as `column=value, …`.",
        ),
    ]
}
