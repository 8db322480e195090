//! Conversations, and the rows that come of them.

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

#[test]
fn a_first_ticket_has_one_row_with_all_that_both_sides_say() {
    let asked = Asks {
        padata: &[(2, vec![0x30, 0]), (128, vec![0x30, 0])],
        etypes: &[18, 17, 23, -133],
        addresses: Some(&[(2, b"\x0a\0\0\x01"), (20, b"WORKSTATION     "), (24, &[0; 16]), (3, b"\x07")]),
        ..Asks::of_as(7, "alice")
    };
    let issued = Issues {
        etype: 18,
        ticket: ticket("EXAMPLE.COM", &["krbtgt", "EXAMPLE.COM"], 20, Some(3)),
        ..Issues::of_as("Alice")
    };
    let mut flow = Flow::new();
    let all = flow.send(ToResponder, &asked.message()).send(ToOriginator, &issued.message()).rows();
    assert_eq!(all.len(), 1, "{all:?}");
    let expected = json!({
        "request_type": "AS",
        "realm": "EXAMPLE.COM",
        "client": "alice/EXAMPLE.COM",
        "service": "krbtgt/EXAMPLE.COM",
        "success": true,
        "error_code": null, "error": null, "error_text": null,
        "cipher": "aes256-cts-hmac-sha384-192",
        "reply_cipher": "aes256-cts-hmac-sha1-96",
        "client_ciphers": ["aes256-cts-hmac-sha1-96", "aes128-cts-hmac-sha1-96", "rc4-hmac", "etype--133"],
        "preauth": ["PA-ENC-TIMESTAMP", "PA-PAC-REQUEST"],
        "requested_from": null,
        "requested_till": "2037-09-13T02:48:05.000000Z",
        "requested_renew_till": null,
        "forwardable": true, "renewable": true, "proxiable": false, "canonicalize": true, "enc_tkt_in_skey": false,
        "ticket_kvno": 3,
        "ticket_realm": null, "ticket_service": null,
        "client_addresses": ["10.0.0.1", "WORKSTATION", "::", "type-3:07"],
        "client_cert_subject": null, "server_cert_subject": null,
        "rtt": 0.25,
    });
    let columns: Vec<&str> = expected.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(part(&all[0], &columns), expected);
    assert!(flow.odd().is_empty());
}

#[test]
fn a_further_ticket_shows_the_one_before_and_who_is_meant() {
    let tgt = ap_req(&ticket("CORP.EXAMPLE", &["krbtgt", "EXAMPLE.COM"], 18, Some(2)));
    let asked = Asks {
        padata: &[(1, tgt), (129, vec![]), (167, vec![])],
        ..Asks::of_tgs(9, &["HTTP", "web.example.com"])
    };
    let issued = Issues {
        ticket: ticket("EXAMPLE.COM", &["HTTP", "web.example.com"], 23, Some(-1)),
        client_realm: "CORP.EXAMPLE",
        ..Issues::of_tgs("admin")
    };
    let (all, odd) =
        cut(88, 7, &[(ToResponder, record(&asked.message())), (ToOriginator, record(&issued.message()))]);
    assert_eq!(odd, [""; 0]);
    assert_eq!(all.len(), 1);
    assert_eq!(
        part(
            &all[0],
            &[
                "request_type",
                "client",
                "service",
                "cipher",
                "preauth",
                "ticket_kvno",
                "ticket_realm",
                "ticket_service",
                "realm"
            ]
        ),
        json!({
            "request_type": "TGS", "client": "admin/CORP.EXAMPLE", "service": "HTTP/web.example.com", "cipher": "rc4-hmac",
            "preauth": ["PA-TGS-REQ", "PA-FOR-USER", "PA-PAC-OPTIONS"], "ticket_kvno": -1, "ticket_realm": "CORP.EXAMPLE",
            "ticket_service": "krbtgt/EXAMPLE.COM", "realm": "EXAMPLE.COM",
        })
    );
}

#[test]
fn every_exchange_of_a_connection_has_its_row_pipelined_or_not() {
    let mut parts = Vec::new();
    let mut expected = Vec::new();
    for number in 0..20 {
        let client = format!("user{number}");
        parts.push((ToResponder, record(&Asks::of_as(number, &client).message())));
        if number % 2 == 1 {
            // Two questions, two answers.
            parts.push((
                ToOriginator,
                [
                    record(&error(Errs { code: 25, ..Errs::default() })),
                    record(&error(Errs { code: 6, ..Errs::default() })),
                ]
                .concat(),
            ));
        }
        expected.push((format!("{client}/EXAMPLE.COM"), [25, 6][usize::from(number % 2 == 1)]));
    }
    for size in [1, 3, 64, 10_000] {
        let (all, odd) = cut(4000, size, &parts);
        let found: Vec<(String, i64)> = all
            .iter()
            .map(|row| (row["client"].as_str().unwrap().to_owned(), row["error_code"].as_i64().unwrap()))
            .collect();
        assert_eq!(found, expected, "pieces of {size}");
        assert!(odd.is_empty(), "{odd:?}");
    }
}

#[test]
fn answers_that_come_out_of_order_find_their_requests_by_name() {
    let ask = |nonce, host| Asks::of_tgs(nonce, &["cifs", host]).message();
    let answer = |host: &str| {
        Issues { ticket: ticket("EXAMPLE.COM", &["CIFS", host], 18, None), ..Issues::of_tgs("a") }.message()
    };
    let mut flow = Flow::new();
    flow.send(ToResponder, &ask(1, "one")).send(ToResponder, &ask(2, "two"));
    flow.send(ToOriginator, &answer("TWO")).send(ToOriginator, &answer("one"));
    let all = flow.rows();
    let found: Vec<_> = all.iter().map(|row| (row["service"].as_str(), row["rtt"].as_f64())).collect();
    assert_eq!(found, [(Some("CIFS/TWO"), Some(0.25)), (Some("CIFS/one"), Some(0.75))]);
}

#[test]
fn a_request_that_comes_again_is_one_exchange_and_so_is_its_answer() {
    let (asked, issued) = (Asks::of_as(5, "alice").message(), Issues::of_as("alice").message());
    let anew = Issues { padata: &[(19, vec![0x30, 0])], ..Issues::of_as("alice") }.message();
    let again = Asks { padata: &[(2, vec![1])], ..Asks::of_as(5, "alice") }.message();
    // Before the answer, behind it, and answered by another reply each time.
    let orders: [&[(Direction, &[u8])]; 4] = [
        &[(ToResponder, &asked), (ToResponder, &asked), (ToOriginator, &issued), (ToOriginator, &issued)],
        &[(ToResponder, &asked), (ToOriginator, &issued), (ToResponder, &asked), (ToOriginator, &anew)],
        &[(ToResponder, &asked), (ToResponder, &again), (ToOriginator, &issued), (ToOriginator, &anew)],
        &[(ToResponder, &asked), (ToOriginator, &issued), (ToOriginator, &issued)],
    ];
    for order in orders {
        let mut flow = Flow::new();
        for (direction, bytes) in order {
            flow.send(*direction, bytes);
        }
        let all = flow.rows();
        assert_eq!(all.len(), 1, "{all:?}");
        assert_eq!((&all[0]["success"], &all[0]["preauth"]), (&json!(true), &json!([])));
    }
}

#[test]
fn an_error_that_comes_again_does_not_answer_the_next_request() {
    let first = Asks::of_as(5, "alice").message();
    let second = Asks { padata: &[(2, vec![1])], ..Asks::of_as(6, "alice") }.message();
    let refused = |second: &'static str| error(Errs { code: 25, text: Some(second), ..Errs::default() });
    let mut flow = Flow::new();
    flow.send(ToResponder, &first).send(ToResponder, &first).send(ToOriginator, &refused("1"));
    flow.send(ToResponder, &second)
        .send(ToOriginator, &refused("2"))
        .send(ToOriginator, &Issues::of_as("alice").message());
    let all = flow.rows();
    let found: Vec<_> =
        all.iter().map(|row| (row["error_code"].as_i64(), row["success"].as_bool())).collect();
    assert_eq!(found, [(Some(25), Some(false)), (None, Some(true))]);
}

#[test]
fn one_nonce_for_many_names_is_many_requests() {
    let mut flow = Flow::new();
    for name in ["alice", "bob", "carol"] {
        flow.send(ToResponder, &Asks::of_as(0, name).message());
    }
    assert_eq!(flow.rows().len(), 3);
}

#[test]
fn over_a_connection_nothing_comes_again() {
    let asked = record(&Asks::of_as(5, "alice").message());
    let (all, _) = connection(88, &[(ToResponder, &asked), (ToResponder, &asked)]);
    assert_eq!(all.len(), 2);
}

#[test]
fn what_is_not_answered_is_written_in_time_and_a_session_without_it_is_idle() {
    let mut flow = Flow::new();
    flow.send(ToResponder, &Asks::of_as(1, "alice").message());
    assert!(!flow.session.is_idle());
    flow.wait(REQUEST_TIMEOUT + 1);
    assert_eq!(rows(&flow.records).len(), 1);
    assert!(flow.session.is_idle());
    // A late answer is a row of its own, and does not turn the flow.
    flow.send(ToOriginator, &Issues::of_as("alice").message());
    let all = flow.rows();
    assert_eq!(all.iter().map(|row| row["success"].as_bool()).collect::<Vec<_>>(), [None, Some(true)]);
    assert!(!flow.flipped);
    // What was answered is remembered for a while only.
    let mut flow = Flow::new();
    flow.send(ToResponder, &Asks::of_as(1, "alice").message())
        .send(ToOriginator, &Issues::of_as("alice").message());
    assert!(!flow.session.is_idle() && !flow.resumes);
    flow.wait(REPEATED_WITHIN + 1);
    assert!(flow.resumes);
}

#[test]
fn too_many_unanswered_requests_are_written_and_told() {
    let mut flow = Flow::new();
    for nonce in 0..=MAX_PENDING as i64 {
        flow.send(ToResponder, &Asks::of_as(nonce + 1, "alice").message());
    }
    assert_eq!(rows(&flow.records).len(), 1);
    assert_eq!(flow.odd(), ["kerberos_pending_shed"]);
    let held = flow.session.held();
    assert!(held > MAX_PENDING * 100 && held < super::MAX_PENDING_BYTES);
    assert_eq!(flow.rows().len(), MAX_PENDING + 1);
}

#[test]
fn one_side_alone_is_told() {
    let mut flow = Flow::new();
    (flow.envelope.src_port, flow.envelope.dst_port) = (88, 1024);
    let refused = error(Errs { code: 24, client: Some("bob"), ..Errs::default() });
    // Who has the port of a server is no client, whatever it sends.
    let mut by_port = Flow::new();
    by_port.send(ToResponder, &refused);
    assert_eq!((by_port.flipped, by_port.rows().len()), (false, 1));
    flow.send(ToResponder, &Issues::of_tgs("alice").message()).send(ToResponder, &refused);
    assert!(flow.flipped);
    let all = flow.rows();
    let columns =
        ["request_type", "client", "service", "success", "error", "client_ciphers", "preauth", "forwardable"];
    assert_eq!(
        part(&all[0], &columns),
        json!({"request_type": "TGS", "client": "alice/EXAMPLE.COM", "service": "cifs/host.example.com", "success": true,
               "error": null, "client_ciphers": null, "preauth": null, "forwardable": null})
    );
    assert_eq!(
        part(&all[1], &columns),
        json!({"request_type": null, "client": "bob/EXAMPLE.COM", "service": "krbtgt/EXAMPLE.COM", "success": false,
               "error": "KDC_ERR_PREAUTH_FAILED", "client_ciphers": null, "preauth": null, "forwardable": null})
    );
}

#[test]
fn a_connection_that_begins_with_an_answer_is_turned_however_it_is_cut() {
    let parts = [
        (
            ToResponder,
            [record(&Issues::of_tgs("a").message()), record(&Issues::of_as("b").message())].concat(),
        ),
        (ToOriginator, record(&Asks::of_as(3, "c").message())),
        (ToResponder, record(&Issues::of_as("c").message())),
    ];
    let whole = cut(4444, 100_000, &parts);
    assert_eq!(whole.0.len(), 3);
    for size in [1, 5, 300] {
        assert_eq!(cut(4444, size, &parts), whole);
    }
}

#[test]
fn what_windows_sends_is_read() {
    // UTF-8 where ASCII is due, an empty part, a name of one part, and a nonce with its highest bit set.
    let asked = Asks { parts: &["jos\u{e9}", ""], ..Asks::of_as(-5, "x") }.message();
    let mut flow = Flow::new();
    assert_eq!(OverUdp.probe(ToResponder, &asked, false), Verdict::Yes);
    let all = flow.send(ToResponder, &asked).rows();
    assert_eq!(all[0]["client"], "jos\u{e9}//EXAMPLE.COM");
    assert!(flow.odd().is_empty());
    // Bytes that are no UTF-8 come through as well.
    let mut flow = Flow::new();
    let latin: Vec<u8> = made::replace(&Asks::of_as(1, "jos?").message(), b"jos?", b"jos\xe9");
    assert_eq!(flow.send(ToResponder, &latin).rows()[0]["client"], r"jos\xe9/EXAMPLE.COM");
}

#[test]
fn a_record_that_does_not_end_is_judged_by_as_many_bytes_however_they_come() {
    let whole = error(Errs { code: 25, ..Errs::default() });
    // It promises more than there is, and is none by its first bytes.
    let change = [&[0, 9, 0, 1, 0, 99][..], &whole].concat();
    let record =
        |content: &[u8], more: usize| [&((content.len() + more) as u32).to_be_bytes()[..], content].concat();
    let parts = [(ToOriginator, [record(&whole, 0), record(&change, 114)].concat())];
    let expected = cut(88, usize::MAX, &parts);
    assert_eq!((expected.0.len(), expected.1.len()), (1, 1));
    for size in [1, 3, 64, 70, 158] {
        assert_eq!(cut(88, size, &parts), expected, "pieces of {size}");
    }
}

#[test]
fn a_client_that_does_not_want_to_be_known_has_the_name_that_the_answer_gives_it() {
    let asks = Asks { parts: &["WELLKNOWN", "ANONYMOUS"], ..Asks::of_as(5, "") }.message();
    for (client, expected) in
        [(Some("alice"), "alice/EXAMPLE.COM"), (None, "WELLKNOWN/ANONYMOUS/EXAMPLE.COM")]
    {
        let mut flow = Flow::new();
        flow.send(ToResponder, &asks)
            .send(ToOriginator, &error(Errs { code: 25, client, ..Errs::default() }));
        assert_eq!(flow.rows()[0]["client"], expected);
        let mut flow = Flow::new();
        flow.send(ToResponder, &asks).send(ToOriginator, &Issues::of_as("alice").message());
        assert_eq!(flow.rows()[0]["client"], "alice/EXAMPLE.COM");
    }
}

#[test]
fn the_text_of_an_error_is_what_it_says_in_words_else_what_its_data_says() {
    let etype_info = made::seq(&[
        made::seq(&[made::field(0, &made::int(18)), made::field(1, &made::string("EXAMPLE.COMalice"))]),
        made::seq(&[made::field(0, &made::int(23))]),
    ]);
    let method = made::seq(&[padata(19, &etype_info), padata(2, b""), padata(16, b"")]);
    let status = [&0xc000_0234_u32.to_le_bytes()[..], &[0; 4], &[3, 0, 0, 0]].concat();
    let extended = made::seq(&[made::field(1, &made::int(3)), made::field(2, &made::octets(&status))]);
    let as_salt = made::seq(&[padata(3, &status)]);
    for (text, data, expected) in [
        (Some("NEEDED_PREAUTH"), Some(&method), json!("NEEDED_PREAUTH")),
        (
            None,
            Some(&method),
            json!(
                "PA-ETYPE-INFO2 aes256-cts-hmac-sha1-96 \"EXAMPLE.COMalice\", rc4-hmac; PA-ENC-TIMESTAMP; PA-PK-AS-REQ"
            ),
        ),
        (None, Some(&extended), json!("NTSTATUS 0xc0000234")),
        (None, Some(&as_salt), json!("NTSTATUS 0xc0000234")),
        (None, Some(&vec![1, 2, 3]), json!(null)),
        (Some(""), None, json!("")),
        (None, None, json!(null)),
    ] {
        let message = error(Errs { code: 18, text, data: data.map(Vec::as_slice), ..Errs::default() });
        let all = Flow::new().send(ToOriginator, &message).rows();
        assert_eq!(all[0]["error_text"], expected);
        assert_eq!(all[0]["error"], "KDC_ERR_CLIENT_REVOKED");
    }
}

#[test]
fn a_change_of_password_is_an_ap_exchange() {
    let shown = ap_req(&ticket("EXAMPLE.COM", &["kadmin", "changepw"], 18, Some(1)));
    let refused = error(Errs {
        code: 60,
        data: Some(b"\0\x04too short"),
        service: &["kadmin", "changepw"],
        ..Errs::default()
    });
    let cases = [
        (1, change(1, &ap_rep(17), b"\x75\0"), json!(true), json!(null)),
        (
            0xff80,
            [&change(1, b"", &refused)[..]].concat(),
            json!(false),
            json!("KRB5_KPASSWD_SOFTERROR: too short"),
        ),
    ];
    for (version, answer, success, text) in cases {
        let asked = change(version, &shown, b"\x75\x03abc");
        for hinted in [true, false] {
            assert_eq!(OverUdp.probe(ToResponder, &asked, hinted), Verdict::Yes);
            assert_eq!(OverUdp.probe(ToOriginator, &answer, hinted), Verdict::Yes);
        }
        let by_datagrams = Flow::new().send(ToResponder, &asked).send(ToOriginator, &answer).rows();
        let (by_stream, odd) = cut(464, 3, &[(ToResponder, record(&asked)), (ToOriginator, record(&answer))]);
        assert!(odd.is_empty(), "{odd:?}");
        for all in [by_datagrams, by_stream] {
            assert_eq!(all.len(), 1, "{all:?}");
            assert_eq!(
                part(
                    &all[0],
                    &[
                        "request_type",
                        "service",
                        "success",
                        "error_text",
                        "client",
                        "cipher",
                        "ticket_service"
                    ]
                ),
                json!({"request_type": "AP", "service": "kadmin/changepw", "success": success, "error_text": text,
                       "client": null, "cipher": "aes256-cts-hmac-sha1-96", "ticket_service": "kadmin/changepw"})
            );
        }
    }
}

#[test]
fn user_to_user_and_fast_are_visible() {
    let asked = Asks {
        options: 0x0000_0008,
        padata: &[(1, vec![]), (136, vec![0xa0, 0])],
        ..Asks::of_tgs(1, &["alice"])
    };
    let all = Flow::new().send(ToResponder, &asked.message()).rows();
    assert_eq!(
        part(&all[0], &["enc_tkt_in_skey", "forwardable", "preauth", "service"]),
        json!({"enc_tkt_in_skey": true, "forwardable": false, "preauth": ["PA-TGS-REQ", "PA-FX-FAST"], "service": "alice"})
    );
}

#[test]
fn behind_lost_bytes_the_next_record_is_found() {
    let (one, two) = (record(&Asks::of_as(1, "one").message()), record(&Asks::of_as(2, "two").message()));
    let answer = record(&Issues::of_as("two").message());
    let tail = [&one[50..], &two].concat();
    for size in [1, 40, 10_000] {
        let mut pieces: Vec<(Direction, &[u8])> =
            vec![(ToResponder, &one), (ToResponder, &one[..30]), (ToResponder, &[])];
        pieces.extend(tail.chunks(size).map(|piece| (ToResponder, piece)));
        pieces.push((ToOriginator, &answer));
        let (all, odd) = connection(88, &pieces);
        let found: Vec<_> =
            all.iter().map(|row| (row["client"].as_str(), row["success"].as_bool())).collect();
        assert_eq!(
            found,
            [(Some("two/EXAMPLE.COM"), Some(true)), (Some("one/EXAMPLE.COM"), None)],
            "pieces of {size}"
        );
        assert!(odd.is_empty());
    }
}

#[test]
fn what_is_no_record_is_told_and_passed_over() {
    let asked = record(&Asks::of_as(1, "one").message());
    let parts = [(ToResponder, [&asked[..], b"GET / HTTP/1.1\r\n\r\n\0\0\x01\0\x6a\x10", &asked].concat())];
    for size in [1, 9, 10_000] {
        let (all, odd) = cut(88, size, &parts);
        assert_eq!(
            (all.len(), &odd[..]),
            (2, &["kerberos_malformed: what should be a record is none".to_owned()][..])
        );
    }
}

#[test]
fn a_message_that_is_cut_is_read_as_far_as_it_goes() {
    let asked = Asks::of_as(1, "alice").message();
    let mut names = Vec::new();
    for length in 0..asked.len() {
        let mut flow = Flow::new();
        let all = flow.send(ToResponder, &asked[..length]).rows();
        assert_eq!(all.len(), usize::from(length > 1), "{length}");
        assert!(flow.odd().contains(&"kerberos_malformed"), "{length}");
        names.extend(all.first().and_then(|row| row["client"].as_str().map(str::to_owned)));
    }
    assert!(names.contains(&"alice/EXAMPLE.COM".to_owned()));
}

#[test]
fn of_a_name_that_is_cut_nothing_is_taken() {
    let asked = Asks {
        padata: &[(128, vec![0x30, 0])],
        etypes: &[18, 17, 23],
        addresses: Some(&[(2, b"\x0a\0\0\x01")]),
        ..Asks::of_as(1, "alice")
    };
    let asked = asked.message();
    let issued = Issues {
        ticket: ticket("ISSUED.COM", &["krbtgt", "ISSUED.COM"], 20, Some(300)),
        client_realm: "ISSUED.COM",
        ..Issues::of_as("Alice")
    };
    let errs = Errs { code: 3000, client: Some("Alice"), text: Some("no"), ..Errs::default() };
    let (issued, refused) = (issued.message(), error(errs));
    let check = |row: &Value, length: usize| {
        for (column, said) in [
            (
                "client",
                &[json!("alice/EXAMPLE.COM"), json!("Alice/ISSUED.COM"), json!("Alice/EXAMPLE.COM")][..],
            ),
            ("service", &[json!("krbtgt/EXAMPLE.COM"), json!("krbtgt/ISSUED.COM")]),
            ("realm", &[json!("EXAMPLE.COM"), json!("ISSUED.COM")]),
            ("client_ciphers", &[json!(["aes256-cts-hmac-sha1-96", "aes128-cts-hmac-sha1-96", "rc4-hmac"])]),
            ("client_addresses", &[json!(["10.0.0.1"])]),
            ("preauth", &[json!(["PA-PAC-REQUEST"])]),
            ("requested_till", &[json!("2037-09-13T02:48:05.000000Z")]),
            ("ticket_kvno", &[json!(300)]),
            ("cipher", &[json!("aes256-cts-hmac-sha384-192")]),
            ("error_code", &[json!(3000)]),
            ("error_text", &[json!("no")]),
        ] {
            let value = &row[column];
            // A client whose realm is not there is known all the same.
            let is_without_realm = column == "client" && [json!("alice"), json!("Alice")].contains(value);
            assert!(
                value.is_null() || said.contains(value) || is_without_realm,
                "{column} {value} of {length}"
            );
        }
    };
    for message in [&asked, &issued, &refused] {
        for length in 0..message.len() {
            Flow::new()
                .send(ToResponder, &message[..length])
                .rows()
                .iter()
                .for_each(|row| check(row, length));
        }
    }
    // What was asked for stands where the answer does not say what was issued.
    for length in 2..issued.len() {
        let all = Flow::new().send(ToResponder, &asked).send(ToOriginator, &issued[..length]).rows();
        check(&all[0], length);
        assert!(!all[0]["service"].is_null() && !all[0]["realm"].is_null(), "{length}");
    }
}

#[test]
fn what_does_not_fit_in_a_request_is_told_and_no_option_is_denied_without_options() {
    let asked = Asks { etypes: &[18, 1 << 32], ..Asks::of_as(1, "alice") }.message();
    let mut flow = Flow::new();
    assert_eq!(
        flow.send(ToResponder, &asked).rows()[0]["client_ciphers"],
        json!(["aes256-cts-hmac-sha1-96"])
    );
    assert_eq!(flow.odd(), ["kerberos_malformed"]);
    // Padata whose type is none.
    let asked = Asks { padata: &[(1 << 40, vec![]), (2, vec![])], ..Asks::of_as(1, "alice") }.message();
    let mut flow = Flow::new();
    assert_eq!(flow.send(ToResponder, &asked).rows()[0]["preauth"], json!(["PA-ENC-TIMESTAMP"]));
    assert_eq!(flow.odd(), ["kerberos_malformed"]);
    // Options of no bits: the five bytes are there, but as an OCTET STRING around others.
    let asked = Asks::of_as(1, "alice").message();
    for options in [&b"\x04\x05\0\x40\x81\0\x10"[..], b"\x03\x05\0\x40\x81\0\x10"] {
        let is_there = options[0] == 3;
        let bytes = made::replace(&asked, b"\x03\x05\0\x40\x81\0\x10", options);
        let mut flow = Flow::new();
        let all = flow.send(ToResponder, &bytes).rows();
        let expected = if is_there { json!(true) } else { json!(null) };
        assert_eq!((&all[0]["forwardable"], flow.odd().is_empty()), (&expected, is_there));
    }
    // None of their bytes is there, at the same length of all.
    let none =
        made::replace(&asked, b"\xa0\x07\x03\x05\0\x40\x81\0\x10", b"\xa0\x03\x03\x01\0\xaf\x02\x05\0");
    let all = Flow::new().send(ToResponder, &none).rows();
    assert_eq!((&all[0]["proxiable"], &all[0]["client"]), (&json!(null), &json!("alice/EXAMPLE.COM")));
}

#[test]
fn a_version_of_a_key_is_the_same_with_and_without_a_sign() {
    // Of a read-only domain controller: its number, and the version.
    let version = (40_000_i64 << 16) + 1;
    for (sent, expected) in [
        (version, version - (1 << 32)),
        (version - (1 << 32), version - (1 << 32)),
        (0xffff_ffff, -1),
        (-1, -1),
        (0x1234_0001, 0x1234_0001),
    ] {
        let issued = Issues {
            ticket: ticket("EXAMPLE.COM", &["krbtgt", "EXAMPLE.COM"], 18, Some(sent)),
            ..Issues::of_as("alice")
        };
        let all = Flow::new().send(ToOriginator, &issued.message()).rows();
        assert_eq!(all[0]["ticket_kvno"], expected);
    }
}

#[test]
fn nothing_else_is_taken_for_kerberos() {
    let asked = Asks::of_as(1, "alice").message();
    let stream = record(&asked);
    for port_hint in [true, false] {
        assert_eq!(OverTcp.probe(ToResponder, &stream, port_hint), Verdict::Yes);
        for length in 0..5 {
            assert_eq!(OverTcp.probe(ToResponder, &stream[..length], port_hint), Verdict::NeedMore);
        }
        for other in [
            &b"\0\0\x10\x01\x6a\x05\x31"[..],
            b"\x80\0\0\x40\x6a",
            b"\0\0\0\x40\x30\x3e",
            b"\x16\x03\x01\x02\0\x01",
            b"GET ",
        ] {
            assert_eq!(OverTcp.probe(ToResponder, other, port_hint), Verdict::No, "{other:x?}");
        }
    }
    // On other ports nothing may be odd: another version, another type, a length that does not fit.
    for (from, to) in
        [(&[0xa1, 3, 2, 1, 5][..], &[0xa1, 3, 2, 1, 4][..]), (&[0xa2, 3, 2, 1, 10], &[0xa2, 3, 2, 1, 11])]
    {
        let odd = made::replace(&asked, from, to);
        assert_eq!(OverUdp.probe(ToResponder, &odd, false), Verdict::No);
        assert_eq!(OverUdp.probe(ToResponder, &odd, true), Verdict::Yes);
    }
    // Cut by the capture it is known on its own port alone.
    assert_eq!(OverUdp.probe(ToResponder, &asked[..asked.len() - 1], false), Verdict::No);
    assert_eq!(OverUdp.probe(ToResponder, &asked[..asked.len() - 1], true), Verdict::Yes);
}

/// What comes of a datagram that is the first one of its flow on a port of Kerberos: its row, and what is odd.
fn first_on_its_port(bytes: &[u8]) -> Option<(Value, Vec<String>)> {
    if OverUdp.probe(ToResponder, bytes, true) != Verdict::Yes {
        return None;
    }
    let mut flow = Flow::new();
    let mut all = flow.send(ToResponder, bytes).rows();
    let odd = flow.anomalies.entries().iter().map(|entry| entry.detail.to_string()).collect();
    (all.len() == 1).then(|| (all.remove(0), odd))
}

#[test]
fn bytes_behind_a_message_hide_nothing_on_a_port_of_kerberos() {
    let asked = Asks::of_as(1, "alice").message();
    let shown = ap_req(&ticket("EXAMPLE.COM", &["kadmin", "changepw"], 18, Some(1)));
    let asks_change = change(1, &shown, b"\x75\x03abc");
    for (message, behind, column, says, odd) in [
        (&asked, &b"\0"[..], "client", "alice/EXAMPLE.COM", "bytes behind the message"),
        (&asked, &asked, "client", "alice/EXAMPLE.COM", "bytes behind the message"),
        (&asks_change, b"behind", "service", "kadmin/changepw", "length of a change of password"),
    ] {
        let bytes = [message, behind].concat();
        let (row, told) = first_on_its_port(&bytes).unwrap();
        assert_eq!((row[column].as_str(), &told[..]), (Some(says), &[odd.to_owned()][..]));
        assert_eq!(OverUdp.probe(ToResponder, &bytes, false), Verdict::No);
    }
}

#[test]
fn a_datagram_that_is_cut_is_known_on_a_port_of_kerberos_by_what_is_there() {
    let asked = Asks { padata: &[(2, vec![1; 100])], ..Asks::of_as(1, "alice") }.message();
    let shown = ap_req(&ticket("EXAMPLE.COM", &["kadmin", "changepw"], 18, Some(1)));
    let asks_change = change(1, &shown, b"\x75\x03abc");
    // Its tag and two lengths that fit one another.
    for (message, least) in [(&asked, 6), (&Asks::of_as(1, "alice").message(), 4), (&asks_change, 6 + 6)] {
        for length in 1..message.len() {
            let found = first_on_its_port(&message[..length]);
            assert_eq!(found.is_some(), length >= least, "{length} of {message:x?}");
            assert!(found.is_none_or(|(_, odd)| odd.len() == 1), "{length}");
            // What is there speaks against it.
            let mut other = message[..length].to_vec();
            for at in least..length.min(least + 10) {
                other[at] ^= 0x10;
                assert_eq!(first_on_its_port(&other), None, "{at} of {length}");
                other[at] ^= 0x10;
            }
        }
    }
}

#[test]
fn the_indefinite_form_around_a_message_hides_nothing_on_a_port_of_kerberos() {
    let asked = Asks { padata: &[(149, vec![0; 40])], ..Asks::of_as(1, "alice") }.message();
    assert_eq!((asked[1], asked[3], asked[4]), (0x81, 0x30, 0x81));
    let outer = [&asked[..1], &[0x80], &asked[3..], &[0, 0]].concat();
    let both = [&asked[..1], &[0x80, 0x30, 0x80], &asked[6..], &[0; 4]].concat();
    for message in [&outer, &both] {
        let (row, odd) = first_on_its_port(message).unwrap();
        assert_eq!(
            (row["client"].as_str(), &odd[..]),
            (Some("alice/EXAMPLE.COM"), &["indefinite length".to_owned()][..])
        );
        assert_eq!(OverUdp.probe(ToResponder, message, false), Verdict::No);
        // Without lengths only version and type say what it is.
        assert_eq!(OverUdp.probe(ToResponder, &message[..12], true), Verdict::No);
        let (all, odd) = cut(88, 5, &[(ToResponder, record(message))]);
        assert_eq!(
            (all[0]["client"].as_str(), &odd[..]),
            (Some("alice/EXAMPLE.COM"), &["kerberos_malformed: indefinite length".to_owned()][..])
        );
    }
}

#[test]
fn other_traffic_on_its_port_is_not_taken_for_kerberos() {
    for other in [
        &b"\x6a"[..],
        b"\x6a\x00",
        b"\x6a\x81\x85",
        b"\x6a\x03abc",
        b"\x6a\x80\x30\x80",
        b"\x6a\x10\x30\x0f\xa1\x03\x02\x01\x05",
        b"\x6a\x20\x30\x1e\xa1\x03\x02\x01\x04",
        b"\x6a\x20\x30\x1e\xa0\x03\x02\x01\x05",
        b"\x30\x10\x02\x01\x01",
        b"\0\x10\0\x01\0\x10GET",
        b"\0\x10\0\x01\0\x10\x6e\x0e\x30\x0d",
    ] {
        assert_eq!(OverUdp.probe(ToResponder, other, true), Verdict::No, "{other:x?}");
    }
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

proptest! {
    #[test]
    fn how_a_connection_is_cut_changes_no_row(
        messages in prop::collection::vec(message(), 1..12),
        damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
        size in 1_usize..60,
        port in prop::sample::select(vec![88_u16, 4444]),
    ) {
        let mut parts: Vec<(Direction, Vec<u8>)> =
            messages.iter().map(|(direction, message)| (*direction, record(message))).collect();
        if let Some((place, byte)) = damage {
            let (_, bytes) = &mut parts[place.index(messages.len())];
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let whole = cut(port, 100_000, &parts);
        prop_assert_eq!(cut(port, size, &parts), whole);
    }

    #[test]
    fn every_request_and_every_answer_has_one_row(messages in prop::collection::vec(message(), 1..40)) {
        let parts: Vec<(Direction, Vec<u8>)> =
            messages.iter().map(|(direction, message)| (*direction, record(message))).collect();
        let (all, odd) = cut(88, 100_000, &parts);
        prop_assert!(odd.is_empty());
        let requests = all.iter().filter(|row| !row["ticket_service"].is_null() || !row["preauth"].is_null()).count();
        let answers = all.iter().filter(|row| !row["success"].is_null()).count();
        let asked = messages.iter().filter(|(direction, _)| *direction == ToResponder).count();
        prop_assert_eq!((requests, answers), (asked, messages.len() - asked));
    }

    #[test]
    fn any_bytes_are_survived(
        (direction, message) in message(),
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        end in any::<prop::sample::Index>(),
    ) {
        let mut message = message;
        for (place, byte) in places {
            let place = place.index(message.len());
            message[place] = byte;
        }
        message.truncate(end.index(message.len()) + 1);
        let mut flow = Flow::new();
        flow.send(direction, &message).send(direction.reverse(), &message);
        prop_assert!(flow.rows().len() <= 2);
        super::spnego::read(&message);
        cut(88, 9, &[(direction, record(&message)), (direction, message)]);
    }
}
