//! Conversations in, rows out.

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

#[test]
fn pairs_a_query_with_its_response() {
    let mut flow = Flow::udp();
    let asked = query(7, "WWW.Example.co.uk", 1);
    let answered = response(7, "WWW.Example.co.uk", 1, &[a(1), a(200)]);
    flow.send(ToResponder, &asked);
    flow.send(ToOriginator, &answered);
    let row = flow.row(0);
    assert_eq!(flow.records.dns.rows.len(), 1);
    assert_eq!(flow.text(row.query), "www.example.co.uk");
    assert_eq!(flow.text(row.registered_domain), "example.co.uk");
    assert_eq!(flow.text(row.tld), "co.uk");
    assert_eq!((row.id, row.opcode, row.qtype, row.qclass), (7, 0, Some(1), Some(1)));
    assert_eq!((row.rcode, row.rtt), (Some(0), Some(SECOND)));
    assert_eq!((row.authoritative, row.recursion_available), (Some(false), Some(true)));
    assert_eq!((row.recursion_desired, row.rejected), (Some(true), Some(false)));
    assert_eq!(row.query_bytes, Some(asked.len() as u32));
    assert_eq!(row.response_bytes, Some(answered.len() as u32));
    assert_eq!(
        flow.list(row.answers),
        ["WWW.Example.co.uk 300 A 192.0.2.1", "WWW.Example.co.uk 300 A 192.0.2.200"]
    );
    assert_eq!(flow.list(row.authorities), [""; 0]);
    let envelope = flow.records.dns.rows[0].envelope;
    assert_eq!((envelope.ts, envelope.packet), (SECOND, 1));
    assert_eq!(flow.odd(), []);
}

#[test]
fn an_unanswered_query_and_an_unasked_response_have_rows_of_their_own() {
    let mut flow = Flow::udp();
    flow.send(ToResponder, &query(1, "a.example", 28));
    flow.send(ToOriginator, &response(2, "b.example", 1, &[a(1)]));
    assert_eq!(flow.close().len(), 2);
    let unasked = flow.row(0);
    assert_eq!(flow.text(unasked.query), "b.example");
    assert_eq!((unasked.query_bytes, unasked.rtt, unasked.rcode), (None, None, Some(0)));
    let unanswered = flow.row(1);
    assert_eq!(flow.text(unanswered.query), "a.example");
    assert_eq!((unanswered.rcode, unanswered.authoritative, unanswered.rejected), (None, None, None));
    assert!(unanswered.answers.is_null());
    assert_eq!(flow.records.dns.rows[1].envelope.ts, SECOND);
}

#[test]
fn queries_of_one_identifier_are_answered_first_in_first_out() {
    let mut flow = Flow::udp();
    flow.send(ToResponder, &query(1, "a.example", 1));
    flow.send(ToResponder, &query(1, "a.example", 1));
    flow.send(ToOriginator, &response(1, "a.example", 1, &[a(1)]));
    flow.send(ToOriginator, &response(1, "a.example", 1, &[a(2)]));
    assert_eq!((flow.row(0).rtt, flow.row(1).rtt), (Some(2 * SECOND), Some(2 * SECOND)));
}

#[test]
fn a_response_goes_to_the_query_that_asked_its_question() {
    let mut flow = Flow::udp();
    flow.send(ToResponder, &query(1, "a.example", 1));
    flow.send(ToResponder, &query(1, "a.example", 28));
    flow.send(ToOriginator, &response(1, "A.EXAMPLE", 28, &[]));
    let row = flow.row(0);
    assert_eq!((row.qtype, row.rtt), (Some(28), Some(SECOND)));
    assert_eq!(flow.row(1).rcode, None);
}

#[test]
fn a_response_does_not_pair_with_a_query_of_its_own_direction() {
    let mut flow = Flow::udp();
    flow.send(ToResponder, &query(1, "a.example", 1));
    flow.send(ToResponder, &response(1, "a.example", 1, &[a(1)]));
    assert_eq!(flow.close().len(), 2);
}

#[test]
fn a_flow_that_begins_with_a_response_is_turned_round() {
    let mut flow = Flow::udp();
    flow.send(ToResponder, &response(1, "a.example", 1, &[a(1)]));
    assert!(flow.flipped);
    let envelope = flow.records.dns.rows[0].envelope;
    assert_eq!((envelope.src_port, envelope.dst_port), (53, 40_000));
    let mut flow = Flow::udp();
    flow.send(ToOriginator, &response(1, "a.example", 1, &[a(1)]));
    flow.send(ToResponder, &response(2, "a.example", 1, &[a(1)]));
    assert!(!flow.flipped);
}

#[test]
fn an_unanswered_update_shows_its_changes() {
    let mut flow = Flow::udp();
    let mut bytes = response(1, "example.com", 6, &[]);
    bytes[2..4].copy_from_slice(&0x2800u16.to_be_bytes());
    bytes[9] = 1;
    bytes.extend(a(1));
    flow.send(ToResponder, &bytes);
    let row = flow.row(0);
    assert_eq!(row.rcode, None);
    assert_eq!(flow.list(row.authorities), ["example.com 300 A 192.0.2.1"]);
}

#[test]
fn each_message_of_mdns_is_a_row() {
    let mut flow = Flow::udp();
    flow.envelope.dst_port = 5353;
    let mut asked = query(0, "printer.local", 12);
    let class = asked.len() - 2;
    asked[class] = 0x80;
    flow.send(ToResponder, &asked);
    assert_eq!(flow.records.dns.rows.len(), 1);
    flow.send(ToOriginator, &response(0, "printer.local", 12, &[record(12, &[0xc0, 12])]));
    assert_eq!(flow.row(0).qclass, Some(1));
    assert_eq!(flow.row(1).rtt, None);
    let answers = flow.row(1).answers;
    assert_eq!(flow.list(answers), ["printer.local 300 PTR printer.local"]);
}

#[test]
fn a_client_of_a_name_server_may_use_the_port_of_mdns() {
    let mut flow = Flow::udp();
    flow.envelope.src_port = 5353;
    flow.send(ToResponder, &query(1, "a.example", 1));
    flow.send(ToOriginator, &response(1, "a.example", 1, &[a(1)]));
    assert_eq!(flow.close().len(), 1);
}

#[test]
fn a_response_older_than_its_query_has_no_round_trip_time() {
    let mut flow = Flow::udp();
    flow.send(ToResponder, &query(1, "a.example", 1));
    flow.now -= 5 * SECOND;
    flow.send(ToOriginator, &response(1, "a.example", 1, &[a(1)]));
    let row = flow.row(0);
    assert_eq!((row.rcode, row.rtt), (Some(0), None));
}

#[test]
fn a_query_without_response_is_written_after_its_time() {
    let mut flow = Flow::udp();
    flow.send(ToResponder, &query(1, "a.example", 1));
    flow.now += QUERY_TIMEOUT;
    flow.with(|session, cx| session.expire(cx));
    assert_eq!(flow.records.dns.rows.len(), 0);
    flow.now += 1;
    flow.with(|session, cx| session.expire(cx));
    assert_eq!(flow.records.dns.rows.len(), 1);
}

#[test]
fn the_oldest_query_gives_way_when_too_many_wait() {
    let mut flow = Flow::udp();
    for id in 0..MAX_PENDING as u16 + 2 {
        flow.send(ToResponder, &query(id, "a.example", 1));
    }
    assert_eq!(flow.records.dns.rows.len(), 2);
    assert_eq!(flow.odd(), [AnomalyName::DnsPendingShed]);
    assert_eq!(flow.close().len(), MAX_PENDING + 2);
    assert_eq!(flow.row(1).id, 1);
}

#[test]
fn extended_rcode_and_options_come_from_edns() {
    let mut flow = Flow::udp();
    let mut asked = query(1, "a.example", 1);
    asked[11] = 1;
    asked.extend(opt(
        1232,
        0x8000,
        b"\0\x08\0\x07\0\x01\x18\0\xc6\x33\x64\0\x0a\0\x08\x01\x02\x03\x04\x05\x06\x07\x08\0\x03\0\0",
    ));
    let mut answered = response(1, "a.example", 1, &[]);
    answered[11] = 1;
    answered.extend(opt(4096, 0x0100_0000, b"\0\x03\0\x04ns1a"));
    flow.send(ToResponder, &asked);
    flow.send(ToOriginator, &answered);
    let row = flow.row(0);
    let edns = row.edns.unwrap();
    assert_eq!((edns.udp_size, edns.version, edns.dnssec_ok), (1232, 0, true));
    assert_eq!(flow.text(edns.client_subnet), "198.51.100.0/24");
    assert_eq!(flow.text(edns.cookie), "0102030405060708");
    assert_eq!(flow.text(edns.nsid), "ns1a");
    assert_eq!(row.rcode, Some(16));
    assert_eq!(flow.list(row.additionals), [""; 0]);
    assert_eq!(flow.odd(), []);
}

#[test]
fn a_refusal_is_rejected_only_without_records() {
    for (rcode, answers, rejected) in
        [(5, 0, true), (2, 0, true), (3, 0, false), (5, 1, false), (0, 0, false)]
    {
        let mut flow = Flow::udp();
        let mut bytes = response(1, "a.example", 1, &vec![a(1); answers]);
        bytes[3] = 0x80 | rcode;
        flow.send(ToOriginator, &bytes);
        assert_eq!(flow.row(0).rejected, Some(rejected), "{rcode} {answers}");
    }
}

#[test]
fn what_is_wrong_is_an_anomaly_and_what_could_be_read_a_row() {
    let whole = response(1, "a.example", 1, &[a(1), a(2)]);
    let mut counted = whole.clone();
    counted[7] = 3;
    let mut trailing = whole.clone();
    trailing.push(0);
    let mut looped = whole.clone();
    let owner = looped.len() - 16;
    looped[owner + 1] = owner as u8;
    let mut short = response(1, "a.example", 1, &[record(1, &[192, 0, 2])]);
    for (bytes, odd, answers) in [
        (&counted, AnomalyName::DnsCountMismatch, 2),
        (&trailing, AnomalyName::DnsTrailingBytes, 2),
        (&whole[..whole.len() - 1].to_vec(), AnomalyName::DnsMalformed, 1),
        (&looped, AnomalyName::DnsNameLoop, 2),
        (&short, AnomalyName::DnsMalformed, 1),
    ] {
        let mut flow = Flow::udp();
        assert_eq!(OverUdp.probe(ToOriginator, bytes, true), Verdict::Yes);
        flow.send(ToOriginator, bytes);
        let row = flow.row(0);
        assert_eq!((flow.odd(), flow.list(row.answers).len()), (vec![odd], answers), "{odd:?}");
    }
    let mut flow = Flow::udp();
    flow.send(ToOriginator, &short);
    let row = flow.row(0);
    assert_eq!(flow.list(row.answers), [r"a.example 300 A \# 3 C00002"]);
    short.truncate(5);
    flow.send(ToOriginator, &short);
    assert_eq!(flow.close().len(), 1);
}

#[test]
fn the_text_of_one_message_is_bounded() {
    let mut bytes = response(1, &["x".repeat(63), "y".repeat(63), "z".repeat(63)].join("."), 1, &[]);
    let soa = record(6, &[&[0xc0, 12, 0xc0, 12][..], &[0; 20]].concat());
    for _ in 0..1000 {
        bytes.extend(&soa);
    }
    bytes[6..8].copy_from_slice(&1000u16.to_be_bytes());
    let mut second = bytes[bytes.len() - 1000 * soa.len()..].to_vec();
    bytes[8..10].copy_from_slice(&1000u16.to_be_bytes());
    bytes.append(&mut second);
    let mut flow = Flow::new(&OverTcp);
    let mut framed = (bytes.len() as u16).to_be_bytes().to_vec();
    framed.extend(&bytes[..]);
    assert!(bytes.len() > 65_535 || flow.send(ToOriginator, &framed) == Progress::Took(framed.len()));
    let mut flow = Flow::udp();
    flow.send(ToOriginator, &bytes);
    assert!(flow.records.dns.arena.held() < super::MAX_MESSAGE_TEXT + 100_000);
    assert_eq!(flow.odd(), [AnomalyName::ValueCut]);
}

/// Messages over TCP, as one stream for each direction.
fn framed(messages: &[Vec<u8>]) -> Vec<u8> {
    messages.iter().flat_map(|m| [(m.len() as u16).to_be_bytes().to_vec(), m.clone()].concat()).collect()
}

/// Feeds a stream in two parts, as the sensor does: what was not taken is shown again with more behind it.
fn feed(flow: &mut Flow, direction: Direction, stream: &[u8], cuts: &[usize]) {
    let mut from = 0;
    for &to in cuts.iter().chain([&stream.len()]) {
        loop {
            match flow.with(|session, cx| session.data(direction, &stream[from..to], cx).unwrap()) {
                Progress::Took(0) | Progress::Need(_) => break,
                Progress::Took(count) => from += count,
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(from, stream.len());
}

#[test]
fn a_stream_gives_the_same_rows_wherever_it_is_cut() {
    let asked = framed(&[query(1, "a.example", 1), query(2, "b.example", 28)]);
    let answered = framed(&[response(2, "b.example", 28, &[]), response(1, "a.example", 1, &[a(1), a(2)])]);
    let rows = |cuts: &[usize]| {
        let mut flow = Flow::new(&OverTcp);
        let within = |length: usize| cuts.iter().copied().filter(|&cut| cut <= length).collect::<Vec<_>>();
        feed(&mut flow, ToResponder, &asked, &within(asked.len()));
        feed(&mut flow, ToOriginator, &answered, &within(answered.len()));
        flow.close();
        assert_eq!(flow.odd(), []);
        format!("{:?}", flow.records.dns)
    };
    let whole = rows(&[]);
    for cut in 0..=answered.len() {
        assert_eq!(rows(&[cut]), whole, "{cut}");
    }
    assert_eq!(rows(&(0..answered.len()).collect::<Vec<_>>()), whole);
}

#[test]
fn a_stream_goes_on_after_a_gap_with_the_next_message() {
    let mut flow = Flow::new(&OverTcp);
    feed(&mut flow, ToOriginator, &framed(&[response(1, "a.example", 1, &[a(1)])]), &[]);
    flow.with(|session, cx| session.gap(ToOriginator, 100, cx).unwrap());
    feed(&mut flow, ToOriginator, b"the end of a message that was lost", &[]);
    feed(&mut flow, ToOriginator, &framed(&[response(2, "b.example", 1, &[a(1)])]), &[]);
    let rows: Vec<_> = flow.close().iter().map(|row| row.record.id).collect();
    assert_eq!(rows, [1, 2]);
}

#[test]
fn recognises_dns_on_any_port() {
    for bytes in [query(1, "www.example.com", 1), response(1, "www.example.com", 1, &[a(1)])] {
        assert_eq!(OverUdp.probe(ToResponder, &bytes, false), Verdict::Yes);
        let stream = framed(&[bytes]);
        assert_eq!(OverTcp.probe(ToResponder, &stream, false), Verdict::Yes);
        for end in 0..stream.len() {
            assert_ne!(OverTcp.probe(ToResponder, &stream[..end], false), Verdict::No, "{end}");
        }
    }
}

#[test]
fn a_question_that_is_cut_off_is_dns_on_its_port_only() {
    let whole = query(1, "www.example.com", 1);
    for end in wire::HEADER..whole.len() {
        assert_eq!(OverUdp.probe(ToResponder, &whole[..end], true), Verdict::Yes, "{end}");
        assert_eq!(OverUdp.probe(ToResponder, &whole[..end], false), Verdict::No, "{end}");
    }
    let mut flow = Flow::udp();
    flow.send(ToResponder, &whole[..20]);
    let row = flow.row(0);
    assert!(row.query.is_null() && row.qtype.is_none());
    assert_eq!((row.question_count, flow.odd()), (1, vec![AnomalyName::DnsMalformed]));
}

#[test]
fn one_question_of_any_class_and_opcode_is_dns_on_its_port_only() {
    let mut bytes = query(1, "padding", 1);
    let class = bytes.len() - 2;
    bytes[class..].fill(0);
    // Says that it has answers, which are not there, and an opcode that nobody has defined.
    bytes[6] = 0xec;
    bytes[2] = 9 << 3;
    assert_eq!(OverUdp.probe(ToResponder, &bytes, true), Verdict::Yes);
    assert_eq!(OverUdp.probe(ToResponder, &bytes, false), Verdict::No);
    let mut flow = Flow::udp();
    flow.send(ToResponder, &bytes);
    assert_eq!((flow.row(0).opcode, flow.row(0).question_count), (9, 1));
    // Two questions say less.
    bytes[5] = 2;
    assert_eq!(OverUdp.probe(ToResponder, &bytes, true), Verdict::No);
}

#[test]
fn leaves_netbios_names_alone() {
    let mut bytes = query(1, "FHEPFCELEHFCEPFFFACACACACACACABM", 33);
    assert_eq!(OverUdp.probe(ToResponder, &bytes, false), Verdict::No);
    let class = bytes.len() - 3;
    bytes[class] = 32;
    assert_eq!(OverUdp.probe(ToResponder, &bytes, false), Verdict::No);
}

#[test]
fn rejects_other_protocols() {
    let texts: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaaaaaaaaaa",
        b"\x1b\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        &[0; 12],
        &[0; 64],
    ];
    for bytes in texts {
        assert_eq!(OverUdp.probe(ToResponder, bytes, false), Verdict::No, "{bytes:?}");
        assert_eq!(OverTcp.probe(ToResponder, bytes, false), Verdict::No, "{bytes:?}");
    }
}

/// RDATA in, presentation form out.
fn presented(kind: u16, data: &[u8]) -> String {
    let bytes = response(1, "a.example", kind, &[record(kind, data)]);
    let message = wire::parse(&bytes).unwrap();
    let record = message.records(Section::Answer).next().unwrap();
    let mut out = Vec::new();
    let outcome = rdata::write(&bytes, &record, &mut out);
    assert_eq!(outcome.is_err(), out.starts_with(br"\# ") && schemas::dns_names::record_type(kind).is_some());
    String::from_utf8(out).unwrap()
}

#[test]
fn presents_rdata_as_dig_does() {
    for (kind, data, text) in [
        (1, &b"\x7f\0\0\x01"[..], "127.0.0.1"),
        (28, b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", "2001:db8::1"),
        (5, b"\x03WWW\xc0\x0c", "WWW.a.example"),
        (2, b"\0", "."),
        (15, b"\0\x0a\x04mail\xc0\x0c", "10 mail.a.example"),
        (6, b"\x01m\0\x01r\0\0\0\0\x01\0\0\0\x02\0\0\0\x03\0\0\0\x04\xff\xff\xff\xff", "m r 1 2 3 4 4294967295"),
        (33, b"\0\x01\0\x02\x13\xc4\x03sip\0", "1 2 5060 sip"),
        (16, b"\x03a\"b\x00\x02cd", r#""a\"b" "" "cd""#),
        (13, b"\x03x86\x05Linux", r#""x86" "Linux""#),
        (257, b"\0\x05issueletsencrypt.org", r#"0 issue "letsencrypt.org""#),
        (43, b"\xec\x45\x05\x01\xab\xcd", "60485 5 1 ABCD"),
        (48, b"\x01\x01\x03\x08\x03\x01\0\x01", "257 3 8 AwEAAQ=="),
        (
            46,
            b"\0\x01\x08\x02\0\0\x0e\x10\x60\0\0\0\x5f\0\0\0\x12\x34\x07example\0\xff",
            "A 8 2 3600 20210114082536 20200704040520 4660 example /w==",
        ),
        (47, b"\x04host\0\0\x06\x40\x01\0\0\0\x03\x01\x01\x40", "host A MX RRSIG NSEC CAA"),
        (50, b"\x01\x01\0\x0c\x02\xaa\xbb\x05foobX\0\x01\x40", "1 1 12 AABB CPNMUOIO A"),
        (51, b"\x01\0\0\0\0", "1 0 0 -"),
        (52, b"\x03\x01\x01\xd2\xab", "3 1 1 D2AB"),
        (44, b"\x02\x01\x12\x34", "2 1 1234"),
        (35, b"\0\x64\0\x32\x01s\x07SIP+D2U\0\x04_sip\0", r#"100 50 "s" "SIP+D2U" "" _sip"#),
        (11, b"\x0a\0\0\x01\x06\0\0\x04\x40", "10.0.0.1 6 21 25"),
        (
            29,
            b"\0\x12\x16\x13\x89\x17\x2d\xd0\x70\xbe\x15\xf0\0\x98\x8d\x20",
            "42 21 54.000 N 71 6 18.000 W -24.00m 1m 10000m 10m",
        ),
        (256, b"\0\x0a\0\x01https://a/", r#"10 1 "https://a/""#),
        (108, b"\0\0\x5e\0\x53\x2a", "00-00-5e-00-53-2a"),
        (104, b"\0\x0a\0\x14\x4f\xff\xff\x20\xee\x64", "10 0014:4fff:ff20:ee64"),
        (42, b"\0\x01\x15\x03\xc0\xa8\x20\0\x01\x1c\x83\xc0\xa8\x26", "1:192.168.32.0/21 !1:192.168.38.0/28"),
        (63, b"\0\0\0\x01\x01\x01\xff", "1 1 1 FF"),
        (250, b"\x04hmac\0\0\0\0\0\0\x01\x01\x2c\0\x01\xff\0\x07\0\0\0\0", "hmac 1 300 1 /w== 7 0 0"),
        (65280, b"\x0a\0\0\x01", r"\# 4 0A000001"),
        (1, b"\x7f\0\0", r"\# 3 7F0000"),
        (1, b"\x7f\0\0\x01\x02", r"\# 5 7F00000102"),
        (65, b"\0\x01\0", "1 ."),
        (
            65,
            b"\0\x01\0\0\x01\0\x06\x02h3\x02h2\0\x04\0\x08\x01\x01\x01\x01\x08\x08\x08\x08",
            r#"1 . alpn="h3,h2" ipv4hint=1.1.1.1,8.8.8.8"#,
        ),
        (
            64,
            b"\0\x01\x03svc\0\0\0\0\x04\0\x01\0\x03\0\x02\0\0\0\x03\0\x02\x01\xbb\0\x05\0\x01\xff\0\x07\0\x02/q\
              \x02\x9b\0\x02a\"",
            r#"1 svc mandatory=alpn,port no-default-alpn port=443 ech=/w== dohpath="/q" key667="a\"""#,
        ),
        (64, b"\0\x01\0\0\x01\0\x09\x03h,2\x04f\\oo", r#"1 . alpn="h\\,2,f\\\\oo""#),
        (65, b"\0\x01\0\0\x03\0\x01\x01", r"\# 8 0001000003000101"),
    ] {
        assert_eq!(presented(kind, data), text);
    }
}

#[test]
fn rdata_of_no_fixed_form_is_written_as_bytes_and_is_not_odd() {
    let bytes = response(1, "a.example", 10, &[record(10, &[1, 2])]);
    let mut flow = Flow::udp();
    flow.send(ToOriginator, &bytes);
    let row = flow.row(0);
    assert_eq!(flow.list(row.answers), [r"a.example 300 NULL \# 2 0102"]);
    assert_eq!(flow.odd(), []);
}

#[test]
fn a_name_in_rdata_may_not_reach_past_its_end() {
    assert_eq!(presented(5, b"\x03abc"), r"\# 4 03616263");
}

/// Messages of all kinds, for cutting and spoiling.
fn specimens() -> Vec<Vec<u8>> {
    let mut with_opt = response(3, "www.example.com", 65, &[record(65, b"\0\x01\0\0\x01\0\x03\x02h2"), a(9)]);
    with_opt[11] = 1;
    with_opt.extend(opt(1232, 0x8000, b"\0\x08\0\x07\0\x01\x18\0\xc6\x33\x64"));
    vec![
        query(1, "www.example.com", 1),
        response(1, "www.example.com", 1, &[record(5, b"\x03cdn\xc0\x10"), a(1)]),
        response(
            2,
            "example.com",
            6,
            &[record(6, &[&b"\x02ns\xc0\x0c\x01r\xc0\x0c"[..], &[7; 20]].concat())],
        ),
        response(2, "example.com", 16, &[record(16, b"\x03abc\x01d")]),
        response(2, "example.com", 15, &[record(15, b"\0\x05\x02mx\xc0\x0c")]),
        response(2, "example.com", 47, &[record(47, b"\x01z\xc0\x0c\0\x01\x40")]),
        with_opt,
    ]
}

#[test]
fn truncation_at_every_byte_is_noticed() {
    for bytes in specimens() {
        for end in 0..bytes.len() {
            let mut flow = Flow::udp();
            flow.send(ToOriginator, &bytes[..end]);
            flow.close();
            assert_ne!(flow.odd(), [], "{end}");
        }
    }
}

/// What another decoder makes of a message: id, rcode, question, and of each answer its owner, type, TTL.
type Reading = (u16, u16, Option<(String, u16)>, Vec<(String, u16, u32)>);

fn ours(bytes: &[u8]) -> Option<Reading> {
    let message = wire::parse(bytes)?;
    let text = |at| {
        let mut out = Vec::new();
        super::name::write(bytes, at, super::name::Case::Lower, &mut out).ok()?;
        String::from_utf8(out).ok()
    };
    let question = match message.question {
        Some(question) => Some((text(question.name)?, question.record_type)),
        None => None,
    };
    let answers = message.records(Section::Answer).map(|r| Some((text(r.name)?, r.record_type, r.ttl)));
    Some((message.header.id, message.header.rcode().into(), question, answers.collect::<Option<_>>()?))
}

fn as_domain(bytes: &[u8]) -> Option<Reading> {
    use domain::base::{Message, ParsedRecord};
    fn text(name: impl domain::base::name::ToName) -> String {
        let text = name.to_vec().to_string().to_ascii_lowercase();
        if text.is_empty() { ".".into() } else { text }
    }
    let message = Message::from_octets(bytes).ok()?;
    let mut questions = message.question();
    let question = questions.next().transpose().ok()?;
    let question = question.map(|question| (text(question.qname()), question.qtype().to_int()));
    let mut answers = Vec::new();
    for answer in message.answer().ok()? {
        let answer: ParsedRecord<'_, &[u8]> = answer.ok()?;
        answers.push((text(answer.owner()), answer.rtype().to_int(), answer.ttl().as_secs()));
    }
    Some((message.header().id(), message.header().rcode().to_int().into(), question, answers))
}

fn as_dns_parser(bytes: &[u8]) -> Option<Reading> {
    let packet = dns_parser::Packet::parse(bytes).ok()?;
    let text = |name: &dns_parser::Name<'_>| match name.to_string().to_ascii_lowercase() {
        name if name.is_empty() => ".".into(),
        name => name,
    };
    let question = packet.questions.first().map(|question| (text(&question.qname), question.qtype as u16));
    let kind = |data: &dns_parser::RData<'_>| match data {
        dns_parser::RData::A(_) => 1,
        dns_parser::RData::CNAME(_) => 5,
        dns_parser::RData::SOA(_) => 6,
        dns_parser::RData::MX(_) => 15,
        dns_parser::RData::TXT(_) => 16,
        _ => 0,
    };
    let answers = packet.answers.iter().map(|answer| (text(&answer.name), kind(&answer.data), answer.ttl));
    // It takes a TTL with its top bit set for 0, as RFC 2181, 8 has it; a sensor shows what was sent.
    let rcode: u8 = packet.header.response_code.into();
    Some((packet.header.id, rcode.into(), question, answers.collect()))
}

/// Only names that need no escape are written alike by all.
fn is_plain(reading: &Reading) -> bool {
    let names = reading.2.iter().map(|question| &question.0).chain(reading.3.iter().map(|answer| &answer.0));
    names.flat_map(|name| name.bytes()).all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_bytes_do_no_harm(bytes: Vec<u8>, direction: bool) {
        let direction = if direction { ToResponder } else { ToOriginator };
        for protocol in [&OverUdp as &dyn Protocol, &OverTcp] {
            protocol.probe(direction, &bytes, true);
            prop_assert_ne!(protocol.probe(direction, &bytes, false), Verdict::Yes);
            let mut flow = Flow::new(protocol);
            let _ = flow.with(|session, cx| session.data(direction, &bytes, cx));
            flow.close();
        }
    }

    #[test]
    fn any_rdata_is_written_as_text(
        kind in prop_oneof![0..=66_u16, 99..=110_u16, 249..=260_u16, any::<u16>()],
        data in prop::collection::vec(
            prop_oneof![Just(0_u8), Just(0xc0), Just(12), 1..5_u8, any::<u8>()], 0..80,
        ),
    ) {
        let bytes = response(1, "a.example", kind, &[record(kind, &data)]);
        let message = wire::parse(&bytes).unwrap();
        let record = message.records(Section::Answer).next().unwrap();
        let mut out = Vec::new();
        let outcome = rdata::write(&bytes, &record, &mut out);
        let text = String::from_utf8(out).unwrap();
        prop_assert!(!text.contains(char::is_control), "{}", text);
        if outcome.is_err() {
            // What cannot be read is shown as it is (RFC 3597, 5).
            let hex: String = data.iter().map(|byte| format!("{byte:02X}")).collect();
            let expected = format!("\\# {} {hex}", data.len());
            prop_assert_eq!(text.trim_end(), expected.trim_end());
        }
    }

    #[test]
    fn spoiled_messages_do_no_harm(which in 0..7usize, at: prop::sample::Index, value: u8, second: prop::sample::Index) {
        let mut bytes = specimens().swap_remove(which);
        *at.get_mut(&mut bytes) = value;
        *second.get_mut(&mut bytes) ^= 0xc0;
        let mut flow = Flow::udp();
        flow.send(ToOriginator, &bytes);
        flow.send(ToResponder, &bytes);
        for row in flow.close().to_vec() {
            flow.text(row.record.query);
            if !row.record.answers.is_null() {
                flow.list(row.record.answers);
            }
        }
    }
}

/// Whether a pointer of the name at `at`, of those that lead there from it, does not point back: RFC 1035, 4.1.4 has it
/// point to a prior occurrence of a name.
fn has_forward_pointer(bytes: &[u8], mut at: usize) -> bool {
    while let Some(&kind @ 1..) = bytes.get(at) {
        if kind < 0xc0 {
            at += 1 + usize::from(kind);
            continue;
        }
        let Some(&low) = bytes.get(at + 1) else { return false };
        let target = usize::from(u16::from_be_bytes([kind & 0x3f, low]));
        if target >= at {
            return true;
        }
        at = target;
    }
    false
}

#[test]
fn reads_what_other_decoders_read() {
    let mut forward = 0;
    for (specimen, at) in specimens().iter().flat_map(|s| (0..s.len()).map(move |at| (s, at))) {
        for value in 0..=255 {
            let mut bytes = specimen.clone();
            bytes[at] = value;
            let own = ours(&bytes);
            if !own.as_ref().is_none_or(is_plain) {
                continue;
            }
            for (other, reading) in [("domain", as_domain(&bytes)), ("dns-parser", as_dns_parser(&bytes))] {
                let Some(reading) = reading.filter(is_plain) else { continue };
                // dns-parser knows few types.
                if other == "dns-parser" && reading.3.iter().any(|answer| answer.1 == 0) {
                    continue;
                }
                if other == "dns-parser" && own.is_none() {
                    // It also follows pointers forward.
                    let message = wire::parse(&bytes).unwrap();
                    let owners = message.records(Section::Answer).map(|record| record.name);
                    let mut names = message.question.iter().map(|question| question.name).chain(owners);
                    assert!(names.any(|name| has_forward_pointer(&bytes, name)), "{at} {value} {reading:?}");
                    forward += 1;
                    continue;
                }
                let own = own.clone().map(|(id, rcode, question, mut answers)| {
                    let big = answers
                        .iter_mut()
                        .filter(|answer| other == "dns-parser" && answer.2 > i32::MAX as u32);
                    big.for_each(|answer| answer.2 = 0);
                    (id, rcode, question, answers)
                });
                assert_eq!(own.as_ref(), Some(&reading), "{other} {at} {value}");
            }
        }
    }
    assert!(forward > 0);
}

#[test]
fn other_decoders_accept_the_specimens() {
    let accepted = |read: fn(&[u8]) -> Option<Reading>| specimens().iter().filter_map(|s| read(s)).count();
    assert_eq!(accepted(as_domain), specimens().len());
    assert!(accepted(as_dns_parser) >= 4);
}

#[test]
fn a_message_that_is_whole_has_no_problem() {
    for bytes in specimens() {
        assert_eq!(wire::parse(&bytes).unwrap().problem, None);
    }
    let mut dso = header(0, 6 << 11, [0; 4]);
    dso.extend([0, 1, 0, 0]);
    assert_eq!(wire::parse(&dso).unwrap().problem, None);
    let counted = header(0, 0, [1, 0, 0, 0]);
    assert_eq!(wire::parse(&counted).unwrap().problem, Some(Problem::CountMismatch("question")));
}
