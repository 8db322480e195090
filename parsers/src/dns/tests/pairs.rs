//! Queries and their responses.

use super::*;

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
    assert!(flow.records.dns.arena.held() < crate::dns::MAX_MESSAGE_TEXT + 100_000);
    assert_eq!(flow.odd(), [AnomalyName::ValueCut]);
}
