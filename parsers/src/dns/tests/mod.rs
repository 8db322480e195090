//! Conversations in, rows out.

mod oracles;
mod pairs;
mod streams;

use proptest::prelude::*;
use schemas::anomaly::AnomalyName;
use schemas::arena::{List, Text};
use schemas::batch::Records;
use schemas::dns::Dns;
use schemas::envelope::Envelope;

use super::wire::{self, Problem, Section};
use super::{MAX_PENDING, OverTcp, OverUdp, QUERY_TIMEOUT, rdata};
use crate::context::{Anomalies, Context};
use crate::protocol::Direction::{ToOriginator, ToResponder};
use crate::protocol::{Direction, Progress, Protocol, Session, Verdict};
use crate::services::Services;

/// A flow with a session, and what came out of it.
struct Flow {
    session: Box<dyn Session>,
    records: Records,
    envelope: Envelope,
    anomalies: Anomalies,
    services: Services,
    flipped: bool,
    now: i64,
    packet: u64,
}

const SECOND: i64 = 1_000_000_000;

impl Flow {
    fn new(protocol: &dyn Protocol) -> Self {
        let mut dst = [0; 16];
        dst[12..].copy_from_slice(&[192, 0, 2, 53]);
        Self {
            session: protocol.session(),
            records: Records::default(),
            envelope: Envelope { src_port: 40_000, dst_port: 53, dst, ..Envelope::default() },
            anomalies: Anomalies::default(),
            services: Services::default(),
            flipped: false,
            now: 0,
            packet: 0,
        }
    }

    fn udp() -> Self {
        Self::new(&OverUdp)
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut dyn Session, &mut Context<'_>) -> T) -> T {
        let settings = crate::settings::Settings::default();
        let Self { envelope, records, anomalies, services, .. } = self;
        let mut cx = Context {
            now: self.now,
            packet: self.packet,
            ..Context::new(envelope, records, anomalies, services, &settings)
        };
        let outcome = act(&mut *self.session, &mut cx);
        self.flipped |= cx.flip;
        outcome
    }

    /// A packet, a second after the last one.
    fn send(&mut self, direction: Direction, bytes: &[u8]) -> Progress {
        self.now += SECOND;
        self.packet += 1;
        self.with(|session, cx| session.data(direction, bytes, cx).unwrap())
    }

    fn close(&mut self) -> &[schemas::envelope::Row<Dns>] {
        self.with(|session, cx| session.close(cx));
        &self.records.dns.rows
    }

    fn row(&mut self, at: usize) -> Dns {
        self.close()[at].record
    }

    fn text(&self, text: Text) -> &str {
        self.records.dns.arena.bytes_of(text).map_or("-", |bytes| str::from_utf8(bytes).unwrap())
    }

    fn list(&self, list: List) -> Vec<String> {
        let records = self.records.dns.arena.resource_records_of(list).unwrap();
        records
            .iter()
            .map(|record| {
                let mut kind = Vec::new();
                rdata::record_type(record.record_type, &mut kind);
                let kind = String::from_utf8(kind).unwrap();
                format!("{} {} {kind} {}", self.text(record.name), record.ttl, self.text(record.data))
            })
            .collect()
    }

    fn odd(&self) -> Vec<AnomalyName> {
        self.anomalies.entries().iter().map(|entry| entry.name).collect()
    }
}

fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn header(id: u16, flags: u16, counts: [u16; 4]) -> Vec<u8> {
    [id, flags].into_iter().chain(counts).flat_map(u16::to_be_bytes).collect()
}

fn query(id: u16, host: &str, kind: u16) -> Vec<u8> {
    let mut bytes = header(id, 0x0100, [1, 0, 0, 0]);
    bytes.extend(name(host));
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes
}

/// A record of the name of the question, class IN, TTL 300.
fn record(kind: u16, rdata: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xc0, 12];
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1, 0, 0, 1, 44]);
    bytes.extend((rdata.len() as u16).to_be_bytes());
    bytes.extend(rdata);
    bytes
}

fn opt(size: u16, ttl: u32, options: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 41];
    bytes.extend(size.to_be_bytes());
    bytes.extend(ttl.to_be_bytes());
    bytes.extend((options.len() as u16).to_be_bytes());
    bytes.extend(options);
    bytes
}

fn response(id: u16, host: &str, kind: u16, answers: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = query(id, host, kind);
    bytes[2..4].copy_from_slice(&0x8180u16.to_be_bytes());
    bytes[7] = answers.len() as u8;
    bytes.extend(answers.concat());
    bytes
}

fn a(last: u8) -> Vec<u8> {
    record(1, &[192, 0, 2, last])
}

/// Messages over TCP, as one stream for each direction.
fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
    messages.iter().flat_map(|m| [(m.len() as u16).to_be_bytes().to_vec(), m.clone()].concat()).collect()
}
