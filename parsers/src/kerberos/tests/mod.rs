//! Conversations, and the rows that come of them.

mod damage;
mod exchanges;
mod recognition;

use proptest::prelude::*;
use schemas::batch::Records;
use schemas::column::Names;
use schemas::envelope::{Envelope, Nanoseconds};
use schemas::json::debug_json;
use schemas::table::KERBEROS;
use serde_json::{Value, json};

use super::made::{self, Asks, Errs, Issues, ap_rep, ap_req, change, error, padata, record, ticket};
use super::{MAX_PENDING, OverTcp, OverUdp, REPEATED_WITHIN, REQUEST_TIMEOUT};
use crate::context::{Anomalies, Context};
use crate::protocol::Direction::{ToOriginator, ToResponder};
use crate::protocol::{Direction, Protocol, Session, Verdict};
use crate::services::Services;
use crate::settings::Settings;
use crate::stream::Stream;

const SECOND: Nanoseconds = 1_000_000_000;

/// A flow of datagrams.
struct Flow {
    session: Box<dyn Session>,
    envelope: Envelope,
    records: Records,
    anomalies: Anomalies,
    now: Nanoseconds,
    flipped: bool,
    /// The session was put away before.
    resumes: bool,
}

impl Flow {
    fn new() -> Self {
        Self {
            session: OverUdp.session(),
            envelope: Envelope { protocol: 17, src_port: 1024, dst_port: 88, ..Envelope::default() },
            records: Records::default(),
            anomalies: Anomalies::default(),
            now: 0,
            flipped: false,
            resumes: false,
        }
    }

    fn with(&mut self, act: impl FnOnce(&mut dyn Session, &mut Context<'_>)) {
        let (mut services, settings) = (Services::default(), Settings::default());
        let Self { envelope, records, anomalies, .. } = self;
        let mut cx = Context::new(envelope, records, anomalies, &mut services, &settings);
        (cx.now, cx.resumes) = (self.now, self.resumes);
        act(&mut *self.session, &mut cx);
        self.flipped |= cx.flip;
    }

    fn send(&mut self, direction: Direction, bytes: &[u8]) -> &mut Self {
        self.now += SECOND / 4;
        self.with(|session, cx| assert!(session.data(direction, bytes, cx).is_ok()));
        if self.session.is_idle() {
            (self.session, self.resumes) = (OverUdp.session(), true);
        }
        self
    }

    fn wait(&mut self, time: Nanoseconds) -> &mut Self {
        self.now += time;
        self.with(|session, cx| session.expire(cx));
        if self.session.is_idle() {
            (self.session, self.resumes) = (OverUdp.session(), true);
        }
        self
    }

    fn rows(&mut self) -> Vec<Value> {
        self.with(|session, cx| session.close(cx));
        rows(&self.records)
    }

    fn odd(&self) -> Vec<&'static str> {
        self.anomalies.entries().iter().map(|entry| entry.name.name()).collect()
    }
}

fn rows(records: &Records) -> Vec<Value> {
    let lines = debug_json(&KERBEROS, &records.kerberos, &Names::default());
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What comes of a connection in which these pieces go; a piece of nothing is a gap.
fn connection(port: u16, pieces: &[(Direction, &[u8])]) -> (Vec<Value>, Vec<String>) {
    let mut envelope = Envelope { protocol: 6, src_port: 1024, dst_port: port, ..Envelope::default() };
    let (mut records, mut anomalies) = (Records::default(), Anomalies::default());
    let (mut services, settings) = (Services::default(), Settings::default());
    let mut stream = Stream::default();
    let mut is_turned = false;
    for (direction, piece) in pieces {
        let mut cx = Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings);
        let direction = if is_turned { direction.reverse() } else { *direction };
        match piece {
            [] => stream.gap(direction, 100, &mut cx),
            _ => stream.data(direction, piece, &mut cx),
        }
        if cx.flip {
            stream.flip();
            is_turned = !is_turned;
        }
    }
    let mut cx = Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings);
    stream.close(&mut cx);
    let odd = anomalies.entries().iter().map(|entry| format!("{}: {}", entry.name.name(), entry.detail));
    (rows(&records), odd.collect())
}

/// The same, each part in pieces of so many bytes.
fn cut(port: u16, size: usize, parts: &[(Direction, Vec<u8>)]) -> (Vec<Value>, Vec<String>) {
    let pieces: Vec<(Direction, &[u8])> = parts
        .iter()
        .flat_map(|(direction, bytes)| bytes.chunks(size).map(move |piece| (*direction, piece)))
        .collect();
    connection(port, &pieces)
}

/// Of a row only what a test is about.
fn part(row: &Value, columns: &[&str]) -> Value {
    columns
        .iter()
        .map(|column| ((*column).to_owned(), row[*column].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// Messages of all kinds.
fn message() -> impl Strategy<Value = (Direction, Vec<u8>)> {
    (0_u8..7, 0_i64..4, 0_usize..3).prop_map(|(kind, nonce, name)| {
        let name = ["alice", "bob", "carol"][name];
        match kind {
            0 => (ToResponder, Asks::of_as(nonce, name).message()),
            1 => (ToResponder, Asks::of_tgs(nonce, &["cifs", name]).message()),
            2 => (ToOriginator, Issues::of_as(name).message()),
            3 => (ToOriginator, Issues::of_tgs(name).message()),
            4 => (ToOriginator, error(Errs { code: 25, client: Some(name), ..Errs::default() })),
            5 => (ToResponder, ap_req(&ticket("EXAMPLE.COM", &["cifs", name], 18, None))),
            _ => (ToOriginator, ap_rep(18)),
        }
    })
}
