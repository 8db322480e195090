//! Whole control connections, and the rows they give.

mod damage;
mod replies;
mod rows;
mod transfers;

use proptest::prelude::*;
use schemas::anomaly::AnomalyName;
use schemas::batch::Records;
use schemas::column::Names;
use schemas::envelope::Envelope;
use schemas::flows::EndReason;
use schemas::json::debug_json;
use schemas::table::FTP;
use serde_json::{Value, json};

use super::{Ftp, MAX_JUNK, MAX_PENDING, wire};
use crate::context::{Anomalies, Context};
use crate::protocol::Direction::{self, ToOriginator, ToResponder};
use crate::protocol::{Progress, Protocol, Session};
use crate::services::Services;
use crate::settings::Settings;
use crate::transfers::{Begun, Carried, Ticket, Transfers, Verdict};

/// One flow on port 21, from 10.0.0.1 to 10.0.0.2, whose segments come in order.
struct Flow {
    session: Box<dyn Session>,
    envelope: Envelope,
    records: Records,
    anomalies: Anomalies,
    settings: Settings,
    transfers: Transfers,
    pending: [Vec<u8>; 2],
    has_handshake: bool,
    is_turned: bool,
    handed_over: bool,
}

impl Flow {
    fn new() -> Self {
        let address = |last| {
            let mut address = [0; 16];
            address[12..].copy_from_slice(&[10, 0, 0, last]);
            address
        };
        let envelope = Envelope {
            protocol: 6,
            src: address(1),
            dst: address(2),
            src_port: 1024,
            dst_port: 21,
            has_endpoints: true,
            ..Envelope::default()
        };
        Self {
            session: Ftp.session(),
            envelope,
            records: Records::default(),
            anomalies: Anomalies::default(),
            settings: Settings::default(),
            transfers: Transfers::default(),
            pending: Default::default(),
            has_handshake: true,
            is_turned: false,
            handed_over: false,
        }
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut dyn Session, &mut Context<'_>) -> T) -> T {
        let Self { envelope, records, anomalies, settings, transfers, .. } = self;
        envelope.ts += 1_000_000;
        envelope.packet += 1;
        let mut services = Services::default();
        let mut cx = Context {
            has_handshake: self.has_handshake,
            transfers: Some(transfers),
            ..Context::new(envelope, records, anomalies, &mut services, settings)
        };
        let outcome = act(&mut *self.session, &mut cx);
        self.is_turned |= cx.flip;
        outcome
    }

    fn send(&mut self, direction: Direction, bytes: &[u8]) {
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

    fn client(&mut self, text: &str) {
        self.send(ToResponder, text.as_bytes());
    }

    fn server(&mut self, text: &str) {
        self.send(ToOriginator, text.as_bytes());
    }

    fn gap(&mut self, direction: Direction) {
        self.pending[direction.index()].clear();
        self.with(|session, cx| session.gap(direction, 10, cx)).unwrap();
    }

    /// The client connects to this port of the server.
    fn connect(&mut self, port: u16) -> Ticket {
        let flow = Envelope { src_port: 2000, dst_port: port, uid: port.into(), ..self.envelope };
        match self.transfers.begins(&flow, 0, true, port.into()) {
            Begun::Announced(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    /// What is known of what a connection carries.
    fn carried(&self, ticket: Ticket) -> (Option<String>, Option<u64>, u64, Verdict) {
        let (_, carried, verdict) = self.transfers.known(ticket).unwrap();
        let Carried { filename, total, offset } = carried.as_deref().cloned().unwrap_or_default();
        (filename.map(|name| String::from_utf8_lossy(&name).into_owned()), total, offset, verdict)
    }

    /// Both ends close, with what has not become a line on its way.
    fn end_of_bytes(&mut self) {
        for direction in [ToResponder, ToOriginator] {
            let rest = std::mem::take(&mut self.pending[direction.index()]);
            if !rest.is_empty() && !self.handed_over {
                self.with(|session, cx| {
                    cx.end = Some(EndReason::Closed);
                    session.unfinished(cx.turned(direction), &rest, cx);
                });
            }
        }
    }

    /// The rows, in the order of their commands.
    fn end(&mut self) -> Vec<Value> {
        self.with(|session, cx| session.close(cx));
        let text = debug_json(&FTP, &self.records.ftp, &Names::default());
        let mut rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        rows.sort_by_key(|row| row["packet"].as_u64());
        rows
    }

    fn odd(&self) -> Vec<(&'static str, &str)> {
        self.anomalies.entries().iter().map(|entry| (entry.name.name(), &*entry.detail)).collect()
    }
}

/// What lines that begin with `> ` and `< ` give, as command, argument, code and text.
fn talk(lines: &str) -> Vec<(Value, Value, Value, Value)> {
    let mut flow = Flow::new();
    for line in lines.lines().map(str::trim_start) {
        match line.split_at(2) {
            ("> ", text) => flow.client(&format!("{text}\r\n")),
            ("< ", text) => flow.server(&format!("{text}\r\n")),
            _ => panic!("{line}"),
        }
    }
    brief(&flow.end())
}

fn brief(rows: &[Value]) -> Vec<(Value, Value, Value, Value)> {
    let part = |row: &Value, name: &str| row[name].clone();
    rows.iter()
        .map(|row| (part(row, "command"), part(row, "arg"), part(row, "reply_code"), part(row, "reply_text")))
        .collect()
}

fn row(command: &str, arg: &str, code: u16, text: &str) -> (Value, Value, Value, Value) {
    let some = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    (some(command), some(arg), if code == 0 { Value::Null } else { json!(code) }, some(text))
}

const SESSION: &str = "< 220 ready
    > USER bob
    < 331 Password required
    > PASS hunter2
    < 230 Logged in
    > CWD pub
    < 250 OK
    > TYPE I
    < 200 OK
    > PASV
    < 227 Entering Passive Mode (10,0,0,2,7,138).
    > RETR a b
    < 150 Opening
    < 226 Done
    > QUIT
    < 221 Bye";

fn columns(lines: &str, name: &str) -> Vec<Value> {
    rows(lines).iter().map(|row| row[name].clone()).collect()
}

fn rows(lines: &str) -> Vec<Value> {
    let mut flow = Flow::new();
    for line in lines.lines().map(str::trim_start) {
        match line.split_at(2) {
            ("> ", text) => flow.client(&format!("{text}\r\n")),
            (_, text) => flow.server(&format!("{text}\r\n")),
        }
    }
    flow.end()
}

fn parts() -> impl Strategy<Value = Vec<(bool, Vec<u8>)>> {
    let client = prop::sample::select(vec![
        &b"USER a\r\n"[..],
        b"PASS b\r\n",
        b"RETR x\r\n",
        b"\xff\xf4\xff\xf2ABOR\r\n",
        b"PASV\r\n",
        b"PORT 1,2,3,4,5,6\r\n",
        b"CWD y\n",
        b"CDUP\r\n",
        b"AUTH TLS\r\n",
        b"\r\n",
        b"STAT\r\n",
        b"\x01\xe4 z\n",
        b"NO",
        b"OP\r\n",
        b" ",
        b"\x16\x03",
        b"\r",
    ]);
    let server = prop::sample::select(vec![
        &b"220 x\r\n"[..],
        b"331 x\r\n",
        b"230-x\r\n",
        b"230 x\n",
        b"150 x\r\n",
        b"226 x\r\n",
        b"426 x\r\n",
        b"250 x\r\n",
        b"227 (1,2,3,4,5,6)\r\n",
        b"257 \"/q\"\r\n",
        b"211-a\r\n b\r\n211 c\r\n",
        b"234 x\r\n",
        b"99 x\r\n",
        b"junk\r\n",
        b"2",
        b"\r\n",
        b"500 x\r\n",
    ]);
    prop::collection::vec(
        prop_oneof![
            client.prop_map(|part| (false, part.to_vec())),
            server.prop_map(|part| (true, part.to_vec()))
        ],
        0..40,
    )
}

fn outcome(parts: &[(bool, Vec<u8>)], cuts: &[usize]) -> (String, String, bool) {
    let mut flow = Flow::new();
    let mut cuts = cuts.iter().cycle();
    for (part, (to_originator, bytes)) in parts.iter().enumerate() {
        let direction = if *to_originator { ToOriginator } else { ToResponder };
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(cuts.next().map_or(rest.len(), |cut| *cut).min(rest.len()));
            // The number of the packet is that of the part, however often it is cut.
            (flow.envelope.ts, flow.envelope.packet) = (part as i64 * 1_000_000, part as u64);
            flow.send(direction, now);
            rest = later;
        }
    }
    flow.envelope.packet = parts.len() as u64;
    flow.end_of_bytes();
    let rows = flow.end();
    let odd = flow.anomalies.entries().iter().map(|entry| (entry.name, &entry.detail, entry.occurrences));
    (format!("{rows:?}"), format!("{:?}", odd.collect::<Vec<_>>()), flow.handed_over)
}
