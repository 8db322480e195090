//! Handshakes, and the rows that come of them.

use proptest::prelude::*;
use schemas::batch::Records;
use schemas::column::Names;
use schemas::envelope::Envelope;
use schemas::flows::EndReason;
use schemas::json::debug_json;
use schemas::table::TLS;
use serde_json::Value;

use super::Dtls;
use crate::context::{Anomalies, Context};
use crate::protocol::Direction::{self, ToOriginator, ToResponder};
use crate::protocol::{Protocol, Verdict};
use crate::services::Services;
use crate::settings::Settings;
use crate::stream::Stream;

/// What a flow is shown.
#[derive(Clone, Debug)]
enum Part {
    Bytes(Direction, Vec<u8>),
    Gap(Direction, u64),
}

/// What came of a flow.
#[derive(Debug, PartialEq)]
struct Outcome {
    rows: Vec<Value>,
    services: Vec<u8>,
    odd: Vec<&'static str>,
    is_over: bool,
    is_flipped: bool,
}

impl Outcome {
    fn row(&self) -> &Value {
        assert_eq!(self.rows.len(), 1, "{self:#?}");
        &self.rows[0]
    }
}

fn rows(records: &Records) -> Vec<Value> {
    let text = debug_json(&TLS, &records.tls, &Names::default());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What comes of a TCP flow.
fn flow(parts: &[Part]) -> Outcome {
    let mut stream = Stream::default();
    let mut envelope = Envelope { protocol: 6, src_port: 1024, dst_port: 443, ..Envelope::default() };
    let (mut records, mut anomalies) = (Records::default(), Anomalies::default());
    let (mut services, settings) = (Services::default(), Settings::default());
    let (mut is_over, mut is_flipped) = (false, false);
    for part in parts {
        let turned = |direction: Direction| if is_flipped { direction.reverse() } else { direction };
        let mut cx = Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings);
        match part {
            Part::Bytes(direction, bytes) => stream.data(turned(*direction), bytes, &mut cx),
            Part::Gap(direction, missing) => stream.gap(turned(*direction), *missing, &mut cx),
        }
        if cx.flip {
            stream.flip();
            is_flipped = true;
        }
        is_over = stream.is_over();
    }
    let mut cx = Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings);
    cx.end = Some(EndReason::Closed);
    stream.close(&mut cx);
    let mut names: Vec<&str> = services.names().collect();
    names.sort_unstable();
    Outcome {
        rows: rows(&records),
        services: names.join(",").into(),
        odd: anomalies.entries().iter().map(|entry| entry.name.name()).collect(),
        is_over,
        is_flipped,
    }
}

/// What comes of a conversation without losses.
fn talk(parts: &[(Direction, Vec<u8>)]) -> Outcome {
    let parts: Vec<Part> =
        parts.iter().map(|(direction, bytes)| Part::Bytes(*direction, bytes.clone())).collect();
    flow(&parts)
}

fn vector<const N: usize>(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u32).to_be_bytes()[4 - N..], bytes].concat()
}

fn record(content: u8, body: &[u8]) -> Vec<u8> {
    [&[content, 3, 3][..], &vector::<2>(body)].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &vector::<3>(body)].concat()
}

fn extension(kind: u16, data: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &vector::<2>(data)].concat()
}

fn server_name(name: &str) -> Vec<u8> {
    extension(0, &vector::<2>(&[&[0][..], &vector::<2>(name.as_bytes())].concat()))
}

fn protocols(names: &[&str]) -> Vec<u8> {
    let names: Vec<u8> = names.iter().flat_map(|name| vector::<1>(name.as_bytes())).collect();
    extension(16, &vector::<2>(&names))
}

/// The hello of a client in a message.
fn client_hello(session: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
    let suites = [0x1a, 0x1a, 0x13, 0x01, 0xc0, 0x2f];
    let body = [
        &[3, 3][..],
        &[7; 32],
        &vector::<1>(session),
        &vector::<2>(&suites),
        &[1, 0],
        &vector::<2>(&extensions.concat()),
    ];
    message(1, &body.concat())
}

fn server_hello(random: &[u8; 32], session: &[u8], suite: u16, extensions: &[Vec<u8>]) -> Vec<u8> {
    let body = [
        &[3, 3][..],
        random,
        &vector::<1>(session),
        &suite.to_be_bytes(),
        &[0],
        &vector::<2>(&extensions.concat()),
    ];
    message(2, &body.concat())
}

fn certificate(der: &[&[u8]]) -> Vec<u8> {
    let list: Vec<u8> = der.iter().flat_map(|der| vector::<3>(der)).collect();
    message(11, &vector::<3>(&list))
}

const CCS: &[u8] = &[1];

/// A handshake of TLS 1.2 with everything in clear that can be.
fn tls_1_2() -> Vec<(Direction, Vec<u8>)> {
    let hello = client_hello(&[5; 32], &[server_name("WWW.Example.test"), protocols(&["h2", "http/1.1"])]);
    let answer = [
        server_hello(&[8; 32], &[6; 32], 0xc02f, &[protocols(&["h2"])]),
        certificate(&[b"leaf", b"root"]),
        message(12, &[3, 0, 29, 1, 9]),
        message(14, &[]),
    ];
    let key = [record(22, &message(16, &[1, 2])), record(20, CCS), record(22, &[9; 40])].concat();
    let end = [record(22, &message(4, &[0; 8])), record(20, CCS), record(22, &[9; 40])].concat();
    vec![
        (ToResponder, record(22, &hello)),
        (ToOriginator, record(22, &answer.concat())),
        (ToResponder, key),
        (ToOriginator, end),
        (ToResponder, record(23, &[3; 100])),
    ]
}

const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// The server's part of TLS 1.3 that chose this group.
fn of_1_3(random: &[u8; 32], extensions: &[Vec<u8>]) -> Vec<u8> {
    let chosen = [extension(43, &[3, 4]), extension(51, &[0x11, 0xec, 0, 1, 9])];
    server_hello(random, &[5; 32], 0x1301, &[&chosen[..], extensions].concat())
}

fn hello_of_1_3(extensions: &[Vec<u8>]) -> Vec<u8> {
    client_hello(&[5; 32], &[&[extension(43, &[4, 3, 4, 3, 3])][..], extensions].concat())
}

fn tls_1_3(extensions: &[Vec<u8>], chosen: &[Vec<u8>]) -> Vec<(Direction, Vec<u8>)> {
    let encrypted = record(23, &[9; 60]);
    vec![
        (ToResponder, record(22, &hello_of_1_3(extensions))),
        (ToOriginator, [record(22, &of_1_3(&[8; 32], chosen)), record(20, CCS), encrypted.clone()].concat()),
        (ToResponder, [record(20, CCS), encrypted].concat()),
    ]
}

#[test]
fn a_handshake_of_tls_1_2_is_told_message_by_message() {
    let outcome = talk(&tls_1_2());
    let row = outcome.row();
    assert_eq!(row["version"], "TLSv1.2");
    assert_eq!(row["cipher"], "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
    assert_eq!(row["curve"], "x25519");
    assert_eq!(row["server_name"], "www.example.test");
    assert_eq!(row["alpn"], "h2");
    assert_eq!(row["client_alpn"], serde_json::json!(["h2", "http/1.1"]));
    assert_eq!(
        row["client_ciphers"],
        serde_json::json!(["TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"])
    );
    assert_eq!(row["handshake"], "CsxknGIti");
    assert_eq!((&row["established"], &row["resumed"]), (&true.into(), &false.into()));
    assert_eq!(row["certificate_hidden"], false);
    assert_eq!(row["cert_chain"].as_array().unwrap().len(), 2);
    assert_eq!(outcome.services, b"tls");
    assert!(outcome.is_over);
}

#[test]
fn tls_1_3_hides_certificates_and_ends_with_encrypted_data_of_both() {
    let outcome = talk(&tls_1_3(&[], &[]));
    let row = outcome.row();
    assert_eq!(row["version"], "TLSv1.3");
    assert_eq!(row["client_version"], "TLSv1.2");
    assert_eq!(row["client_versions"], serde_json::json!(["TLSv1.3", "TLSv1.2"]));
    assert_eq!(row["curve"], "X25519MLKEM768");
    assert_eq!(row["handshake"], "CsiI");
    assert_eq!((&row["established"], &row["certificate_hidden"]), (&true.into(), &true.into()));
    // The echo of a session id means nothing here.
    assert_eq!(row["resumed"], false);
    assert!(outcome.is_over);
}

#[test]
fn early_data_of_a_client_ends_no_handshake() {
    let mut parts = tls_1_3(&[], &[]);
    parts[0].1.extend([record(20, CCS), record(23, &[9; 90])].concat());
    parts.truncate(2);
    let outcome = talk(&parts);
    assert_eq!(outcome.row()["handshake"], "CIsi");
    assert_eq!(outcome.row()["established"], false);
}

#[test]
fn a_second_hello_follows_a_request_to_retry() {
    let mut parts = tls_1_3(&[], &[]);
    let retry = [record(22, &of_1_3(&RETRY, &[])), record(20, CCS)].concat();
    let again = [record(20, CCS), record(22, &hello_of_1_3(&[]))].concat();
    parts.splice(1..1, [(ToOriginator, retry), (ToResponder, again)]);
    let row = talk(&parts).row().clone();
    assert_eq!(row["handshake"], "CjiICsiI");
    assert_eq!((&row["established"], &row["curve"]), (&true.into(), &"X25519MLKEM768".into()));
}

#[test]
fn sessions_go_on_by_id_by_ticket_and_by_key() {
    let finished = |direction| (direction, [record(20, CCS), record(22, &[9; 40])].concat());
    let resumed = |hello: Vec<u8>, answer: Vec<u8>| {
        let parts = [
            (ToResponder, record(22, &hello)),
            (ToOriginator, record(22, &answer)),
            finished(ToOriginator),
            finished(ToResponder),
        ];
        let row = talk(&parts).row().clone();
        assert_eq!(row["established"], true);
        row["resumed"].as_bool().unwrap()
    };
    let ticket = extension(35, b"ticket");
    assert!(resumed(client_hello(&[5; 32], &[]), server_hello(&[8; 32], &[5; 32], 0xc02f, &[])));
    assert!(resumed(client_hello(&[], &[ticket]), server_hello(&[8; 32], &[], 0xc02f, &[])));
    assert!(!resumed(client_hello(&[], &[extension(35, b"")]), server_hello(&[8; 32], &[], 0xc02f, &[])));
    assert!(!resumed(client_hello(&[5; 32], &[]), server_hello(&[8; 32], &[6; 32], 0xc02f, &[])));
    let key = extension(41, &[0, 0]);
    let row = |hello: &[Vec<u8>], answer: &[Vec<u8>]| talk(&tls_1_3(hello, answer)).row()["resumed"].clone();
    assert_eq!(row(std::slice::from_ref(&key), std::slice::from_ref(&key)), true);
    assert_eq!(row(&[key], &[]), false);
}

#[test]
fn the_last_alert_in_clear_is_told() {
    let parts = [
        (ToResponder, record(22, &client_hello(&[], &[]))),
        (ToOriginator, record(21, &[1, 112])),
        (ToOriginator, record(21, &[2, 40])),
    ];
    let row = talk(&parts).row().clone();
    assert_eq!((&row["handshake"], &row["last_alert"]), (&"Cll".into(), &"handshake failure".into()));
    assert_eq!(row.get("version"), None);
    assert_eq!(row.get("certificate_hidden"), None);
}

#[test]
fn a_hello_of_ssl_2_goes_on_in_what_both_know() {
    let hello = [&[3, 1, 0, 6, 0, 0, 0, 16][..], &[1, 0, 0x80, 0, 0, 5], &[7; 16]].concat();
    let hello = [&[0x80, hello.len() as u8 + 1, 1][..], &hello].concat();
    let mut parts = tls_1_2();
    parts[0].1 = hello;
    let row = talk(&parts).row().clone();
    assert_eq!((&row["handshake"], &row["established"]), (&"CsxknGIti".into(), &true.into()));
    assert_eq!(row["client_version"], "TLSv1.0");
    assert_eq!(
        row["client_ciphers"],
        serde_json::json!(["SSL_CK_RC4_128_WITH_MD5", "TLS_RSA_WITH_RC4_128_SHA"])
    );
}

#[test]
fn one_side_is_enough_for_a_row_and_is_not_waited_with_for_ever() {
    let client: Vec<_> = tls_1_2().into_iter().filter(|(direction, _)| *direction == ToResponder).collect();
    let row = talk(&client).row().clone();
    assert_eq!((&row["handshake"], &row["established"]), (&"CGI".into(), &false.into()));
    let bulk = (ToResponder, record(23, &[9; 16_000]));
    let outcome = talk(&[client, vec![bulk; 5]].concat());
    assert!(outcome.is_over);
    assert_eq!(outcome.row()["handshake"], "CGI");
    let server: Vec<_> = tls_1_2().into_iter().filter(|(direction, _)| *direction == ToOriginator).collect();
    assert_eq!(talk(&server).row()["handshake"], "sxknti");
}

#[test]
fn a_flow_whose_roles_are_the_wrong_way_round_is_turned() {
    let turned: Vec<_> =
        tls_1_2().into_iter().map(|(direction, bytes)| (direction.reverse(), bytes)).collect();
    let outcome = talk(&turned);
    assert!(outcome.is_flipped);
    assert_eq!(outcome.row()["handshake"], "CsxknGIti");
}

#[test]
fn lost_bytes_of_a_certificate_cost_only_it() {
    let parts = tls_1_2();
    let (front, rest) = parts[1].1.split_at(100);
    let (lost, rest) = rest.split_at(20);
    let mut all: Vec<Part> =
        parts.iter().map(|(direction, bytes)| Part::Bytes(*direction, bytes.clone())).collect();
    all.splice(
        1..2,
        [
            Part::Bytes(ToOriginator, front.to_vec()),
            Part::Gap(ToOriginator, lost.len() as u64),
            Part::Bytes(ToOriginator, rest.to_vec()),
        ],
    );
    let outcome = flow(&all);
    assert_eq!(outcome.row()["established"], true);
    assert!(outcome.row()["handshake"].as_str().unwrap().ends_with("GIti"), "{outcome:#?}");
    assert!(outcome.odd.contains(&"tls_malformed"));
}

#[test]
fn behind_a_gap_over_records_the_next_one_is_found() {
    let mut parts: Vec<Part> =
        tls_1_2().into_iter().map(|(direction, bytes)| Part::Bytes(direction, bytes)).collect();
    let Part::Bytes(_, answer) = &parts[1] else { panic!() };
    let missing = answer.len() as u64;
    parts[1] = Part::Gap(ToOriginator, missing);
    let outcome = flow(&parts);
    // Nothing of the server is known before the gap, so its side is given up.
    assert_eq!(outcome.row()["server_name"], "www.example.test");
    assert!(outcome.row()["handshake"].as_str().unwrap().starts_with("CGI"), "{outcome:#?}");
}

#[test]
fn a_server_that_does_not_know_tls_is_read_in_what_it_speaks() {
    let parts = [
        (ToResponder, record(22, &client_hello(&[], &[server_name("a.test")]))),
        (ToOriginator, b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec()),
    ];
    let outcome = talk(&parts);
    assert_eq!((&outcome.row()["handshake"], &outcome.row()["server_name"]), (&"C".into(), &"a.test".into()));
    assert_eq!(outcome.services, b"http,tls");
    assert_eq!(outcome.odd.len(), 0, "{outcome:#?}");
}

#[test]
fn tls_begins_within_a_conversation_about_mail() {
    let mut parts = vec![
        (ToOriginator, b"220 mail.example.test ESMTP\r\n".to_vec()),
        (ToResponder, b"EHLO client\r\n".to_vec()),
        (ToOriginator, b"250-mail\r\n250 STARTTLS\r\n".to_vec()),
        (ToResponder, b"STARTTLS\r\n".to_vec()),
        (ToOriginator, b"220 Ready\r\n".to_vec()),
    ];
    parts.extend(tls_1_2());
    let outcome = talk(&parts);
    assert_eq!(outcome.row()["handshake"], "CsxknGIti");
    assert_eq!(outcome.services, b"smtp,tls");
}

/// A record of DTLS with a fragment of a message.
fn datagram(kind: u8, sequence: u16, body: &[u8], from: usize, to: usize) -> Vec<u8> {
    let fragment = [
        &[kind][..],
        &(body.len() as u32).to_be_bytes()[1..],
        &sequence.to_be_bytes(),
        &(from as u32).to_be_bytes()[1..],
        &vector::<3>(&body[from..to]),
    ];
    of_dtls(22, 0, &fragment.concat())
}

fn of_dtls(content: u8, epoch: u16, body: &[u8]) -> Vec<u8> {
    [&[content, 0xfe, 0xfd][..], &epoch.to_be_bytes(), &[0; 6], &vector::<2>(body)].concat()
}

/// The row of a flow of datagrams.
fn datagrams(parts: &[(Direction, Vec<u8>)]) -> Vec<Value> {
    let mut session = Dtls.session();
    let mut envelope = Envelope { protocol: 17, src_port: 1024, dst_port: 4433, ..Envelope::default() };
    let (mut records, mut anomalies) = (Records::default(), Anomalies::default());
    let (mut services, settings) = (Services::default(), Settings::default());
    let mut cx = Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings);
    for (direction, bytes) in parts {
        let _ = session.data(*direction, bytes, &mut cx);
    }
    session.close(&mut cx);
    rows(&records)
}

/// The hello of a client of DTLS 1.2.
fn dtls_hello() -> Vec<u8> {
    let block = vector::<2>(&server_name("a.test"));
    [&[0xfe, 0xfd][..], &[7; 32], &[0], &[0], &vector::<2>(&[0xc0, 0x2f]), &[1, 0], &block].concat()
}

#[test]
fn fragments_of_dtls_are_put_together_in_any_order() {
    let hello = dtls_hello();
    let answer = server_hello(&[8; 32], &[], 0xc02f, &[])[4..].to_vec();
    let answer = [&[0xfe, 0xfd][..], &answer[2..]].concat();
    assert_eq!(Dtls.probe(ToResponder, &datagram(1, 0, &hello, 0, 20), false), Verdict::Yes);
    let parts = [
        (ToResponder, datagram(1, 0, &hello, 0, hello.len())),
        (ToOriginator, datagram(3, 0, &[0xfe, 0xff, 0], 0, 3)),
        (ToResponder, datagram(1, 1, &hello, 30, hello.len())),
        (ToResponder, datagram(1, 1, &hello, 0, 40)),
        (ToOriginator, datagram(14, 2, &[], 0, 0)),
        (ToOriginator, datagram(2, 1, &answer, 0, answer.len())),
        (ToOriginator, datagram(2, 1, &answer, 0, answer.len())),
        (ToResponder, [of_dtls(20, 0, &[1]), of_dtls(22, 1, &[9; 40])].concat()),
        (ToOriginator, [of_dtls(20, 0, &[1]), of_dtls(22, 1, &[9; 40])].concat()),
    ];
    let rows = datagrams(&parts);
    assert_eq!(rows.len(), 1);
    let row = &rows[0];
    assert_eq!(row["version"], "DTLSv1.2");
    assert_eq!((&row["handshake"], &row["server_name"]), (&"CvCsnIi".into(), &"a.test".into()));
    assert_eq!(row["established"], true);
    assert!(row["ja4"].as_str().unwrap().starts_with("dd2d01"));
}

/// A conversation of which any record may be spoiled.
fn spoiled() -> impl Strategy<Value = Vec<Part>> {
    let known = prop::sample::select(vec![tls_1_2(), tls_1_3(&[], &[])]);
    let spoils = prop::collection::vec(
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()),
        0..6,
    );
    let gap = prop::option::of((any::<prop::sample::Index>(), 1..3000_u64, any::<bool>()));
    (known, spoils, gap).prop_map(|(parts, spoils, gap)| {
        let mut parts: Vec<Part> =
            parts.into_iter().map(|(direction, bytes)| Part::Bytes(direction, bytes)).collect();
        for (part, at, byte) in spoils {
            let count = parts.len();
            if let Part::Bytes(_, bytes) = &mut parts[part.index(count)] {
                let count = bytes.len();
                bytes[at.index(count)] = byte;
            }
        }
        if let Some((at, missing, to_originator)) = gap {
            let direction = if to_originator { ToOriginator } else { ToResponder };
            parts.insert(at.index(parts.len() + 1), Part::Gap(direction, missing));
        }
        parts
    })
}

proptest! {
    #[test]
    fn pieces_do_not_matter_whatever_is_spoiled(parts in spoiled(), size in 1..50_usize) {
        let pieces: Vec<Part> = parts
            .iter()
            .flat_map(|part| match part {
                Part::Bytes(direction, bytes) => {
                    bytes.chunks(size).map(|piece| Part::Bytes(*direction, piece.to_vec())).collect()
                }
                gap @ Part::Gap(..) => vec![gap.clone()],
            })
            .collect();
        prop_assert_eq!(flow(&pieces), flow(&parts));
    }

    #[test]
    fn any_datagrams_give_at_most_one_row(
        parts in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..80), 0..4_u8), 0..8),
    ) {
        let hello = dtls_hello();
        let parts: Vec<_> = parts
            .into_iter()
            .map(|(to_originator, bytes, kind)| {
                let direction = if to_originator { ToOriginator } else { ToResponder };
                let bytes = match kind {
                    0 => bytes,
                    1 => of_dtls(22, 0, &bytes),
                    2 => of_dtls(20 + bytes.len() as u8 % 7, 0, &bytes),
                    _ => datagram(1, u16::from(bytes.len() as u8 % 3), &hello, bytes.len().min(hello.len()), hello.len()),
                };
                (direction, bytes)
            })
            .collect();
        prop_assert!(datagrams(&parts).len() <= 1);
    }
}
