//! For tests: one flow, and what a stream does for the session that reads it.

use schemas::batch::Records;
use schemas::column::Names;
use schemas::envelope::Envelope;
use schemas::flows::EndReason;
use schemas::json::debug_json;
use schemas::table::{FILE, HTTP};
use serde_json::Value;

use crate::context::{Anomalies, Context};
use crate::entities::Entities;
use crate::protocol::{Direction, Progress, Protocol, Session};
use crate::services::Services;
use crate::settings::Settings;

/// A flow on port 80, whose segments come in order.
pub(super) struct Flow {
    pub(super) session: Box<dyn Session>,
    pub(super) envelope: Envelope,
    pub(super) records: Records,
    pub(super) anomalies: Anomalies,
    pub(super) settings: Settings,
    pub(super) entities: Entities,
    pub(super) pending: [Vec<u8>; 2],
    pub(super) has_handshake: bool,
    pub(super) handed_over: bool,
    pub(super) flipped: bool,
    pub(super) exchanges: u32,
}

impl Flow {
    pub(super) fn of(protocol: &dyn Protocol) -> Self {
        Self {
            session: protocol.session(),
            envelope: Envelope { protocol: 6, src_port: 1024, dst_port: 80, ..Envelope::default() },
            records: Records::default(),
            anomalies: Anomalies::default(),
            settings: Settings::default(),
            entities: Entities::new(1 << 20),
            pending: Default::default(),
            has_handshake: false,
            handed_over: false,
            flipped: false,
            exchanges: 0,
        }
    }

    /// Calls the session as a stream does.
    pub(super) fn with<T>(&mut self, act: impl FnOnce(&mut dyn Session, &mut Context<'_>) -> T) -> T {
        let Self { envelope, records, anomalies, settings, entities, .. } = self;
        let mut services = Services::default();
        let mut cx = Context {
            has_handshake: self.has_handshake,
            entities: Some(entities),
            exchanges: self.exchanges,
            ..Context::new(envelope, records, anomalies, &mut services, settings)
        };
        let outcome = act(&mut *self.session, &mut cx);
        self.flipped |= cx.flip;
        self.exchanges = cx.exchanges;
        outcome
    }

    /// A segment: all of it is shown with one context.
    pub(super) fn send(&mut self, direction: Direction, bytes: &[u8]) {
        let mut pending = std::mem::take(&mut self.pending[direction.index()]);
        pending.extend_from_slice(bytes);
        let mut handed_over = self.handed_over;
        let taken = self.with(|session, cx| {
            let mut taken = 0;
            while taken < pending.len() && !handed_over {
                match session.data(cx.turned(direction), &pending[taken..], cx).unwrap() {
                    Progress::Took(0) | Progress::Need(_) => break,
                    Progress::Took(count) => taken += count,
                    Progress::Handover => handed_over = true,
                    Progress::Done => panic!("it wants no more"),
                }
            }
            taken
        });
        self.handed_over = handed_over;
        self.pending[direction.index()] = pending.split_off(taken);
    }

    pub(super) fn gap(&mut self, direction: Direction, missing: usize) {
        let waiting = std::mem::take(&mut self.pending[direction.index()]);
        self.with(|session, cx| session.unfinished(direction, &waiting, cx));
        self.with(|session, cx| session.gap(direction, missing as u64, cx)).unwrap();
    }

    /// The rows of both tables.
    pub(super) fn end(&mut self, end: EndReason) -> (Vec<Value>, Vec<Value>) {
        let waiting = std::mem::take(&mut self.pending);
        self.with(|session, cx| {
            cx.end = Some(end);
            for (direction, waiting) in
                [Direction::ToResponder, Direction::ToOriginator].into_iter().zip(waiting)
            {
                session.unfinished(direction, &waiting, cx);
            }
            session.close(cx);
        });
        self.entities.close(&mut self.records);
        let lines = |text: String| text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let names = Names::default();
        (
            lines(debug_json(&HTTP, &self.records.http, &names)),
            lines(debug_json(&FILE, &self.records.file, &names)),
        )
    }

    /// Names and details of what was odd.
    pub(super) fn odd(&self) -> Vec<(&'static str, &str)> {
        self.anomalies.entries().iter().map(|entry| (entry.name.name(), &*entry.detail)).collect()
    }
}
