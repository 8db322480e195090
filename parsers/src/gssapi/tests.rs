//! Logins, and the rows that come of them.

use proptest::prelude::*;
use schemas::batch::Records;
use schemas::column::Names;
use schemas::envelope::Envelope;
use schemas::json::debug_json;
use schemas::table::{KERBEROS, TLS};
use serde_json::{Value, json};

use super::made::{Of, bind, bound, ldap, packet, pdu, session_1, session_2, setup_2, smb_2};
use super::{MAX_MESSAGE, MAX_PENDING, QUIET};
use crate::context::{Anomalies, Context};
use crate::kerberos::REQUEST_TIMEOUT;
use crate::kerberos::made::{Errs, ap_rep, ap_req, element, error, field, gss, octets, seq, ticket};
use crate::protocol::Direction;
use crate::protocol::Direction::{ToOriginator, ToResponder};
use crate::services::Services;
use crate::settings::Settings;
use crate::stream::Stream;

const MORE: u32 = 0xc000_0016;
const LOGON_FAILURE: u32 = 0xc000_006d;

/// Pieces of a connection.
type Pieces = Vec<(Direction, Vec<u8>)>;

/// What came of a connection.
#[derive(Debug, PartialEq)]
struct Outcome {
    rows: Vec<Value>,
    odd: Vec<&'static str>,
    services: Vec<&'static str>,
    /// Nobody read on when the last piece had come.
    is_over: bool,
}

/// A connection to a port.
struct Flow {
    stream: Stream,
    envelope: Envelope,
    records: Records,
    anomalies: Anomalies,
    services: Services,
    now: i64,
}

impl Flow {
    fn to(port: u16) -> Self {
        Self {
            stream: Stream::default(),
            envelope: Envelope { protocol: 6, src_port: 1024, dst_port: port, ..Envelope::default() },
            records: Records::default(),
            anomalies: Anomalies::default(),
            services: Services::default(),
            now: 0,
        }
    }

    fn with(&mut self, act: impl FnOnce(&mut Stream, &mut Context<'_>)) {
        let settings = Settings::default();
        let Self { stream, envelope, records, anomalies, services, now } = self;
        let mut cx = Context::new(envelope, records, anomalies, services, &settings);
        cx.now = *now;
        act(stream, &mut cx);
    }

    fn send(&mut self, direction: Direction, bytes: &[u8]) {
        self.with(|stream, cx| stream.data(direction, bytes, cx));
    }

    fn rows(&self) -> Vec<Value> {
        let lines = debug_json(&KERBEROS, &self.records.kerberos, &Names::default());
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn outcome(mut self) -> Outcome {
        let is_over = self.stream.is_over();
        self.with(|stream, cx| stream.close(cx));
        Outcome {
            rows: self.rows(),
            odd: self.anomalies.entries().iter().map(|entry| entry.name.name()).collect(),
            services: self.services.names().collect(),
            is_over,
        }
    }
}

/// A connection in which pieces go in segments of these sizes, one after the other and over again; none: each whole.
fn cut(port: u16, pieces: &Pieces, sizes: &[usize]) -> Outcome {
    let mut flow = Flow::to(port);
    let mut sizes = sizes.iter().cycle();
    for (direction, bytes) in pieces {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (piece, more) = rest.split_at(sizes.next().map_or(rest.len(), |&size| size.min(rest.len())));
            flow.send(*direction, piece);
            rest = more;
        }
    }
    flow.outcome()
}

fn whole(port: u16, pieces: &Pieces) -> Outcome {
    cut(port, pieces, &[])
}

fn asks(bytes: Vec<u8>) -> (Direction, Vec<u8>) {
    (ToResponder, bytes)
}

fn says(bytes: Vec<u8>) -> (Direction, Vec<u8>) {
    (ToOriginator, bytes)
}

fn request_to(service: &str) -> Vec<u8> {
    ap_req(&ticket("EXAMPLE.COM", &[service, "host.example.com"], 18, Some(3)))
}

/// NegTokenInit that shows a ticket.
fn init(service: &str) -> Vec<u8> {
    let token = field(0, &seq(&[field(2, &octets(&gss(1, &request_to(service))))]));
    element(0x60, &[element(6, b"\x2b\x06\x01\x05\x05\x02"), token].concat())
}

/// NegTokenResp with a state and perhaps a token.
fn answer(state: u8, token: Option<&[u8]>) -> Vec<u8> {
    let token = token.map(|token| field(2, &octets(token))).unwrap_or_default();
    field(1, &seq(&[field(0, &element(0x0a, &[state])), token]))
}

fn replies() -> Vec<u8> {
    answer(0, Some(&gss(2, &ap_rep(17))))
}

fn refuses() -> Vec<u8> {
    answer(1, Some(&gss(3, &error(Errs { code: 37, ..Errs::default() }))))
}

fn ntlm() -> Vec<u8> {
    field(0, &seq(&[field(2, &octets(b"NTLMSSP\0\x01\0\0\0"))]))
}

/// Service, success, code and cipher of the reply of each row.
fn told(outcome: &Outcome) -> Vec<(String, Value, Value, Value)> {
    let of = |row: &Value| {
        assert_eq!(row["request_type"], "AP");
        let service = row["service"].as_str().unwrap().split('/').next().unwrap().to_owned();
        (service, row["success"].clone(), row["error_code"].clone(), row["reply_cipher"].clone())
    };
    outcome.rows.iter().map(of).collect()
}

/// A row as [`told`] has it.
fn row(
    service: &str,
    success: Option<bool>,
    code: Option<i32>,
    has_reply: bool,
) -> (String, Value, Value, Value) {
    let cipher = has_reply.then_some("aes128-cts-hmac-sha1-96");
    (service.to_owned(), json!(success), json!(code), json!(cipher))
}

fn login_2() -> Pieces {
    vec![
        asks(packet(0, &smb_2(0, Of::Request, 0, 0, 0, &[0x24; 40]))),
        says(packet(0, &smb_2(0, Of::Answer(0), 0, 0, 0, &[0x41; 100]))),
        asks(session_2(Of::Request, 1, 0, &init("cifs"))),
        says(session_2(Of::Answer(0), 1, 77, &replies())),
        asks(packet(0, &smb_2(3, Of::Request, 2, 77, 0, &[9; 60]))),
    ]
}

#[test]
fn a_ticket_that_is_shown_to_a_file_server_is_an_exchange() {
    let outcome = whole(445, &login_2());
    assert_eq!(outcome.services, ["kerberos", "smb"]);
    assert!(outcome.odd.is_empty() && !outcome.is_over);
    assert_eq!(outcome.rows.len(), 1);
    for (column, value) in [
        ("request_type", json!("AP")),
        ("service", json!("cifs/host.example.com")),
        ("realm", json!("EXAMPLE.COM")),
        ("client", json!(null)),
        ("cipher", json!("aes256-cts-hmac-sha1-96")),
        ("reply_cipher", json!("aes128-cts-hmac-sha1-96")),
        ("ticket_kvno", json!(3)),
        ("success", json!(true)),
        ("rtt", json!(0.0)),
    ] {
        assert_eq!(outcome.rows[0][column], value, "{column}");
    }
}

#[test]
fn what_came_of_a_session_of_smb_says_kerberos_else_its_status() {
    for (status, token, expected) in [
        (0, Vec::new(), row("cifs", Some(true), None, false)),
        (LOGON_FAILURE, Vec::new(), row("cifs", Some(false), None, false)),
        (MORE, refuses(), row("cifs", Some(false), Some(37), false)),
        (MORE, replies(), row("cifs", Some(true), None, true)),
        (MORE, answer(1, None), row("cifs", None, None, false)),
        // It will be answered later, and is not.
        (0x103, Vec::new(), row("cifs", None, None, false)),
    ] {
        let of_2 = vec![
            asks(session_2(Of::Request, 5, 0, &init("cifs"))),
            says(session_2(Of::Answer(status), 5, 9, &token)),
        ];
        let of_1 = vec![
            asks(session_1(Of::Request, 5, 0, &init("cifs"))),
            says(session_1(Of::Answer(status), 5, 9, &token)),
        ];
        assert_eq!(told(&whole(445, &of_2)), std::slice::from_ref(&expected), "{status:x}");
        assert_eq!(told(&whole(139, &of_1)), [expected], "{status:x}");
    }
}

#[test]
fn a_login_of_several_messages_ends_with_the_last() {
    for (status, success) in [(0, true), (LOGON_FAILURE, false)] {
        let pieces = vec![
            asks(session_2(Of::Request, 1, 0, &init("cifs"))),
            asks(session_2(Of::Request, 2, 0, &init("other"))),
            says(session_2(Of::Answer(MORE), 1, 70, &answer(1, None))),
            says(session_2(Of::Answer(MORE), 2, 80, &answer(1, None))),
            asks(session_2(Of::Request, 3, 80, &answer(1, None))),
            asks(session_2(Of::Request, 4, 70, &answer(1, None))),
            says(session_2(Of::Answer(status), 4, 70, b"")),
            says(session_2(Of::Answer(0), 3, 80, b"")),
        ];
        let expected = [row("cifs", Some(success), None, false), row("other", Some(true), None, false)];
        assert_eq!(told(&whole(445, &pieces)), expected);
    }
}

#[test]
fn sessions_stand_in_packets_of_netbios_and_in_chains() {
    let tree = smb_2(3, Of::Request, 0, 0, 72, &[7; 8]);
    let setup = smb_2(1, Of::Request, 1, 0, 0, &setup_2(Of::Request, &init("chained")));
    let pieces = vec![
        asks(packet(0x81, &[&b"\x20"[..], &[b'A'; 32], b"\0\x20", &[b'B'; 32], b"\0"].concat())),
        says(packet(0x82, b"")),
        asks(packet(0x85, b"")),
        // Encrypted, compressed, and chained by a length that leads nowhere.
        asks(packet(0, &[b"\xfdSMB", &session_2(Of::Request, 9, 0, &init("hidden"))[..]].concat())),
        asks(packet(0, &[b"\xfcSMB", &session_2(Of::Request, 9, 0, &init("hidden"))[..]].concat())),
        asks(packet(0, &smb_2(3, Of::Request, 0, 0, 7, &session_2(Of::Request, 9, 0, &init("hidden"))))),
        asks(packet(0, &[tree, setup].concat())),
        says(session_2(Of::Answer(0), 1, 5, b"")),
    ];
    let outcome = whole(139, &pieces);
    assert_eq!(told(&outcome), [row("chained", Some(true), None, false)]);
    assert_eq!(outcome.odd, [""; 0]);
}

fn login_ldap() -> Pieces {
    vec![
        asks(ldap(1, &element(0x63, &[0; 300]))),
        says(ldap(1, &element(0x64, &[0; 40]))),
        asks(bind(2, "GSS-SPNEGO", Some(&init("ldap")))),
        says(bound(2, 0, Some(&replies()))),
        // Signed from here on.
        asks([&[0, 0, 0, 40], &[0x17; 40][..]].concat()),
    ]
}

#[test]
fn a_directory_is_logged_into_by_spnego_or_by_kerberos_itself() {
    let outcome = whole(389, &login_ldap());
    assert_eq!(told(&outcome), [row("ldap", Some(true), None, true)]);
    assert_eq!((outcome.services, outcome.odd), (vec!["kerberos", "ldap"], vec![]));
    assert!(outcome.is_over);

    // RFC 4752: what is left to agree on comes after the ticket.
    for (result, success) in [(0, Some(true)), (49, Some(false)), (14, None)] {
        let pieces = vec![
            asks(bind(1, "GSSAPI", Some(&gss(1, &request_to("ldap"))))),
            says(bound(1, 14, None)),
            asks(bind(2, "GSSAPI", None)),
            says(bound(2, 14, Some(&[5; 32]))),
            asks(bind(3, "GSSAPI", Some(&[5; 32]))),
            says(bound(3, result, None)),
        ];
        assert_eq!(told(&whole(389, &pieces)), [row("ldap", success, None, false)], "{result}");
    }
}

#[test]
fn other_binds_are_none() {
    let simple = ldap(1, &element(0x60, &[&b"\x02\x01\x03\x04\0\x80"[..], &[2], b"pw"].concat()));
    for request in [
        simple,
        bind(1, "GSS-SPNEGO", Some(&ntlm())),
        bind(1, "GSS-SPNEGO", None),
        bind(1, "EXTERNAL", Some(&init("ldap"))),
    ] {
        let outcome = whole(389, &vec![asks(request), says(bound(1, 0, None))]);
        assert_eq!((outcome.rows.len(), outcome.services, outcome.odd), (0, vec!["ldap"], vec![]));
    }
}

#[test]
fn tls_begins_behind_messages_of_ldap() {
    let hello = b"\x16\x03\x01\0\x31\x01\0\0\x2d\x03\x03".iter().copied().chain([7; 32]);
    let hello = hello.chain(*b"\0\0\x06\x13\x01\x13\x02\0\x2f\x01\0").collect::<Vec<u8>>();
    for sizes in [&[][..], &[1], &[5, 3]] {
        let mut flow = Flow::to(389);
        let start = ldap(1, &element(0x77, &element(0x80, b"1.3.6.1.4.1.1466.20037")));
        let done = ldap(1, &element(0x78, b"\x0a\x01\0\x04\0\x04\0"));
        for (direction, bytes) in [(ToResponder, &start), (ToOriginator, &done), (ToResponder, &hello)] {
            for piece in bytes.chunks(sizes.first().copied().unwrap_or(bytes.len())) {
                flow.send(direction, piece);
            }
        }
        flow.with(|stream, cx| stream.close(cx));
        assert_eq!(flow.services.names().collect::<Vec<_>>(), ["ldap", "tls"]);
        assert!(!debug_json(&TLS, &flow.records.tls, &Names::default()).is_empty());
    }
}

fn login_dcerpc(is_little: bool) -> Pieces {
    let token = answer(1, Some(&ap_rep(17)));
    let third = answer(1, Some(&ap_rep(17)));
    vec![
        asks(pdu(11, is_little, 2, &[0xb8; 56], Some((9, &init("rpcss"))))),
        says(pdu(12, is_little, 2, &[0xb8; 44], Some((9, &token)))),
        asks(pdu(14, is_little, 2, &[0xb8; 56], Some((9, &third)))),
        says(pdu(15, is_little, 2, &[0xb8; 40], Some((9, &answer(0, None))))),
        asks(pdu(0, is_little, 3, &[1; 500], Some((9, &[4; 28])))),
        says(pdu(3, is_little, 3, &[1; 16], None)),
    ]
}

#[test]
fn three_legs_of_dce_rpc_are_one_exchange_in_either_order_of_bytes() {
    for is_little in [true, false] {
        let outcome = whole(135, &login_dcerpc(is_little));
        assert_eq!(told(&outcome), [row("rpcss", Some(true), None, true)]);
        assert_eq!((outcome.services, outcome.odd), (vec!["dcerpc", "kerberos"], vec![]));
    }
}

#[test]
fn what_came_of_a_bind_of_dce_rpc_says_kerberos_else_the_pdu() {
    let bare = request_to("ldap");
    let framed = gss(1, &bare);
    for (first, token) in [(11, &bare), (11, &framed), (14, &bare)] {
        for (kind, answer, expected) in [
            (12, Some((16, ap_rep(17))), row("ldap", Some(true), None, true)),
            (12, None, row("ldap", Some(true), None, false)),
            (15, Some((9, answer(2, None))), row("ldap", Some(false), None, false)),
            (15, Some((9, answer(1, None))), row("ldap", None, None, false)),
            (15, Some((9, refuses())), row("ldap", Some(false), Some(37), false)),
            (13, None, row("ldap", Some(false), None, false)),
            (3, None, row("ldap", Some(false), None, false)),
            (2, None, row("ldap", None, None, false)),
        ] {
            let answer = answer.as_ref().map(|(kind, token)| (*kind, &token[..]));
            let pieces = vec![
                asks(pdu(first, true, 1, &[0; 56], Some((16, token)))),
                says(pdu(kind, true, 1, &[0; 44], answer)),
            ];
            assert_eq!(told(&whole(49_664, &pieces)), [expected], "{first} {kind}");
        }
    }
    // A third leg has no answer, so a fault of its number is about something else.
    let pieces = vec![
        asks(pdu(16, true, 1, &[0; 4], Some((9, &init("late"))))),
        says(pdu(3, true, 1, &[0; 16], None)),
    ];
    assert_eq!(told(&whole(135, &pieces)), [row("late", None, None, false)]);
    // NTLM, and another provider.
    for kind in [10, 9, 68] {
        let pieces = vec![asks(pdu(11, true, 1, &[0; 56], Some((kind, &ntlm()))))];
        assert!(whole(135, &pieces).rows.is_empty());
    }
    let pieces = vec![asks(pdu(11, true, 1, &[0; 56], Some((10, &init("none")))))];
    assert!(whole(135, &pieces).rows.is_empty());
}

#[test]
fn an_answer_of_another_number_or_of_the_same_side_is_none() {
    for (direction, id) in [(ToOriginator, 2), (ToResponder, 1)] {
        let pieces = vec![
            asks(session_2(Of::Request, 1, 0, &init("cifs"))),
            (direction, session_2(Of::Answer(0), id, 0, &replies())),
        ];
        assert_eq!(told(&whole(445, &pieces)), [row("cifs", None, None, false)]);
    }
}

#[test]
fn a_ticket_waits_for_a_minute_and_few_at_a_time() {
    let mut flow = Flow::to(445);
    flow.send(ToResponder, &session_2(Of::Request, 1, 0, &init("cifs")));
    flow.now = REQUEST_TIMEOUT;
    flow.with(|stream, cx| stream.expire(cx));
    assert_eq!(flow.rows().len(), 0);
    flow.now += 1;
    flow.with(|stream, cx| stream.expire(cx));
    assert_eq!(flow.rows().len(), 1);

    let mut flow = Flow::to(445);
    for id in 0..=MAX_PENDING as u64 {
        assert_eq!(flow.rows().len(), 0);
        flow.send(ToResponder, &session_2(Of::Request, id, 0, &init("cifs")));
        assert!(flow.stream.held() < MAX_PENDING * MAX_MESSAGE);
    }
    assert_eq!(flow.rows().len(), 1);
    let outcome = flow.outcome();
    assert_eq!((outcome.rows.len(), outcome.odd), (MAX_PENDING + 1, vec!["kerberos_pending_shed"]));
}

#[test]
fn tickets_may_be_as_long_as_windows_makes_them_and_longer_ones_are_told() {
    let long = |length: usize| {
        let mut token = init("ldap");
        token.resize(length, 0);
        vec![asks(bind(1, "GSS-SPNEGO", Some(&token))), asks(bind(2, "GSS-SPNEGO", Some(&init("next"))))]
    };
    // `octets` writes lengths of two bytes.
    let outcome = whole(389, &long(65_000));
    assert_eq!((outcome.rows.len(), outcome.odd), (2, vec![]));

    let mut bytes = b"\x30\x84\x00\x02\x00\x00\x02\x01\x01\x60\x84\x00\x01\xff\xf7".to_vec();
    bytes.resize(6 + 0x2_0000, 0);
    assert!(bytes.len() > MAX_MESSAGE);
    let pieces = vec![asks(bytes), asks(bind(2, "GSS-SPNEGO", Some(&init("next"))))];
    let outcome = whole(389, &pieces);
    assert_eq!(
        (told(&outcome), outcome.odd.clone()),
        (vec![row("next", None, None, false)], vec!["kerberos_malformed"])
    );
    assert_eq!(cut(389, &pieces, &[1400]), outcome);
}

/// A message of SMB 2 that writes so many bytes.
fn writes(length: usize) -> Vec<u8> {
    packet(0, &smb_2(9, Of::Request, 5, 77, 0, &vec![0xfe; length]))
}

#[test]
fn files_are_passed_over_for_a_while_and_then_nobody_reads_any_more() {
    let again = || asks(session_2(Of::Request, 9, 0, &init("again")));
    for (copies, is_over) in [(QUIET / 65_536 - 1, false), (QUIET / 65_536 + 1, true)] {
        let mut pieces = login_2();
        pieces.extend((0..copies).map(|_| asks(writes(65_536))));
        let before = whole(445, &pieces);
        assert_eq!(before.is_over, is_over);
        pieces.push(again());
        // A token begins the count anew.
        pieces.extend((0..QUIET / 65_536 - 1).map(|_| asks(writes(65_536))));
        pieces.push(again());
        for sizes in [&[][..], &[1460], &[7, 65_537]] {
            let outcome = cut(445, &pieces, sizes);
            assert_eq!(outcome.rows.len(), if is_over { 1 } else { 3 });
        }
    }
}

#[test]
fn lost_bytes_of_a_file_do_no_harm_and_lost_messages_end_it() {
    for (missing, left, rows) in [(1000, 0, 2), (600, 400, 2), (1001, 0, 1)] {
        let mut flow = Flow::to(445);
        for (direction, bytes) in login_2() {
            flow.send(direction, &bytes);
        }
        let file = writes(1500);
        flow.send(ToResponder, &file[..file.len() - 1000]);
        flow.with(|stream, cx| stream.gap(ToResponder, missing, cx));
        flow.send(ToResponder, &vec![0; left]);
        flow.send(ToResponder, &session_2(Of::Request, 9, 0, &init("again")));
        assert_eq!(flow.outcome().rows.len(), rows, "{missing}");
    }
    // Within a message that is read.
    let mut flow = Flow::to(445);
    flow.send(ToResponder, &session_2(Of::Request, 9, 0, &init("cifs"))[..90]);
    flow.with(|stream, cx| stream.gap(ToResponder, 10, cx));
    assert!(flow.stream.is_over());
}

/// Logins of all kinds, with bulk between them.
fn logins() -> Vec<(u16, Pieces)> {
    let chained = [
        smb_2(3, Of::Request, 0, 0, 72, &[7; 8]),
        smb_2(1, Of::Request, 1, 0, 0, &setup_2(Of::Request, &init("c"))),
    ];
    vec![
        (445, login_2()),
        (
            445,
            vec![
                asks(writes(3000)),
                asks(packet(0, &chained.concat())),
                says(session_2(Of::Answer(MORE), 1, 5, &refuses())),
            ],
        ),
        (
            139,
            vec![
                asks(session_1(Of::Request, 5, 0, &init("cifs"))),
                says(session_1(Of::Answer(0), 5, 9, &replies())),
            ],
        ),
        (389, login_ldap()),
        (135, login_dcerpc(true)),
        (135, login_dcerpc(false)),
    ]
}

#[test]
fn how_a_login_is_cut_into_segments_does_not_matter() {
    for (port, pieces) in logins() {
        let expected = whole(port, &pieces);
        assert_eq!(expected.rows.len(), 1);
        for size in [1, 2, 3, 5, 17, 64, 100] {
            assert_eq!(cut(port, &pieces, &[size]), expected, "{port} {size}");
        }
    }
}

proptest! {
    #[test]
    fn how_damaged_logins_are_cut_does_not_matter_either(
        which in 0_usize..6,
        sizes in prop::collection::vec(1_usize..200, 1..20),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let (port, mut pieces) = logins().remove(which);
        // What the first bytes say stays, so that somebody reads.
        for (piece, place, byte) in damage {
            let piece = piece.index(pieces.len());
            let bytes = &mut pieces[piece].1;
            let place = place.index(bytes.len()).max(if piece == 0 { 64 } else { 0 });
            if let Some(damaged) = bytes.get_mut(place) {
                *damaged = byte;
            }
        }
        prop_assert_eq!(cut(port, &pieces, &sizes), whole(port, &pieces));
    }
}
