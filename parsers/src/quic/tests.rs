//! Flows of QUIC, made packet by packet, and the rows that come of them.

use proptest::prelude::*;
use schemas::batch::Records;
use schemas::column::Names;
use schemas::envelope::Envelope;
use schemas::json::debug_json;
use schemas::table::TLS;
use serde_json::Value;

use super::Quic;
use super::sealing::{Initial, SALT_DRAFT_29, crypto};
use super::vectors::{CLIENT_INITIAL, SERVER_INITIAL, hex};
use crate::context::{Anomalies, Context};
use crate::protocol::Direction::{self, ToOriginator, ToResponder};
use crate::protocol::{Progress, Protocol, Session, Verdict};
use crate::services::Services;
use crate::settings::Settings;

/// A connection id that a client invented.
const ID: &[u8] = b"the first";

/// A flow with its session.
struct Flow {
    session: Box<dyn Session>,
    envelope: Envelope,
    records: Records,
    anomalies: Anomalies,
    services: Services,
    is_flipped: bool,
    is_over: bool,
    packet: u64,
}

impl Flow {
    fn new() -> Self {
        Self {
            session: Quic.session(),
            envelope: Envelope {
                protocol: 17,
                src_port: 1024,
                dst_port: 443,
                has_endpoints: true,
                ..Envelope::default()
            },
            records: Records::default(),
            anomalies: Anomalies::default(),
            services: Services::default(),
            is_flipped: false,
            is_over: false,
            packet: 0,
        }
    }

    /// What the session makes of these datagrams.
    fn of(datagrams: &[(Direction, Vec<u8>)]) -> Self {
        let mut flow = Self::new();
        for (direction, datagram) in datagrams {
            flow.show(*direction, datagram);
        }
        flow.close();
        flow
    }

    fn with(&mut self, act: impl FnOnce(&mut dyn Session, &mut Context<'_>)) {
        let settings = Settings::default();
        let Self { session, envelope, records, anomalies, services, .. } = self;
        let mut cx = Context {
            packet: self.packet,
            ..Context::new(envelope, records, anomalies, services, &settings)
        };
        act(&mut **session, &mut cx);
        if cx.flip {
            // As a flow does.
            self.is_flipped = !self.is_flipped;
            std::mem::swap(&mut self.envelope.src_port, &mut self.envelope.dst_port);
        }
    }

    fn show(&mut self, direction: Direction, datagram: &[u8]) {
        if self.is_over {
            return;
        }
        self.packet += 1;
        let direction = if self.is_flipped { direction.reverse() } else { direction };
        let mut is_over = false;
        self.with(|session, cx| {
            is_over = session.data(direction, datagram, cx).expect("nothing breaks it") == Progress::Done;
        });
        if is_over {
            self.close();
        }
    }

    fn close(&mut self) {
        if !std::mem::replace(&mut self.is_over, true) {
            self.with(|session, cx| session.close(cx));
        }
    }

    fn rows(&self) -> Vec<Value> {
        let text = debug_json(&TLS, &self.records.tls, &Names::default());
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn row(&self) -> Value {
        let mut rows = self.rows();
        assert_eq!(rows.len(), 1, "{rows:#?}");
        rows.remove(0)
    }

    fn odd(&self) -> Vec<(&'static str, &str)> {
        self.anomalies.entries().iter().map(|entry| (entry.name.name(), &*entry.detail)).collect()
    }
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&(u32::from(kind) << 24 | body.len() as u32).to_be_bytes()[..], body].concat()
}

/// The hello of a client that asks for this name.
fn client_hello(random: u8, name: &str) -> Vec<u8> {
    let length = name.len() as u8;
    let sni = [&[0, 0, 0, length + 5, 0, length + 3, 0, 0, length], name.as_bytes()].concat();
    let versions = [0, 43, 0, 3, 2, 3, 4];
    let extensions = [&sni[..], &versions].concat();
    let head = [&[3, 3][..], &[random; 32], &[0, 0, 2, 0x13, 0x01, 1, 0, 0, extensions.len() as u8]].concat();
    message(1, &[head, extensions].concat())
}

fn server_hello() -> Vec<u8> {
    let body =
        [&[3, 3][..], &[9; 32], &[0, 0x13, 0x01, 0, 0, 14, 0, 43, 0, 2, 3, 4, 0, 51, 0, 4, 0, 29, 0, 0]];
    message(2, &body.concat())
}

fn hello() -> Vec<u8> {
    crypto(0, &client_hello(7, "a.test"))
}

fn answer() -> Vec<u8> {
    crypto(0, &server_hello())
}

/// A packet with a short header, to this connection id.
fn one_rtt_to(id: &[u8]) -> Vec<u8> {
    [&[0x4a][..], id, &[0x5a; 60]].concat()
}

/// What a client sends when the handshake is over.
fn one_rtt() -> Vec<u8> {
    one_rtt_to(b"server")
}

/// Texts of some columns, a list a row.
fn columns<const N: usize>(flow: &Flow, names: [&str; N]) -> Vec<[String; N]> {
    let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
    flow.rows().iter().map(|row| names.map(|name| text(&row[name]))).collect()
}

/// A connection as most go.
fn connection() -> Vec<(Direction, Vec<u8>)> {
    vec![
        (ToResponder, Initial::of_client(ID).seal(&hello())),
        (ToOriginator, Initial::of_server(ID).seal(&answer())),
        (ToResponder, one_rtt()),
    ]
}

#[test]
fn the_examples_of_the_rfcs_become_rows() {
    for ((client, server), version) in CLIENT_INITIAL.iter().zip(SERVER_INITIAL).zip(["1", "2"]) {
        let (client, server) = (hex(client.packet), hex(server.packet));
        assert_eq!(Quic.probe(ToResponder, &client, true), Verdict::Yes);
        let flow = Flow::of(&[(ToResponder, client), (ToOriginator, server), (ToResponder, one_rtt())]);
        let row = flow.row();
        assert_eq!(row["quic_version"], version);
        assert_eq!(row["handshake"], "Cs");
        assert_eq!(row["version"], "TLSv1.3");
        assert_eq!(row["server_name"], "example.com");
        assert_eq!(row["cipher"], "TLS_AES_128_GCM_SHA256");
        assert_eq!(row["client_alpn"][0], "alpn");
        assert_eq!(row["established"], true);
        assert!(row["ja4"].as_str().unwrap().starts_with("q13d0211an_"), "{row}");
        assert!(flow.services.has("tls") && flow.odd().is_empty());
    }
}

#[test]
fn drafts_are_read_with_their_keys() {
    let draft = |packet: Initial<'static>| Initial { version: 0xff00_001d, salt: SALT_DRAFT_29, ..packet };
    let flow = Flow::of(&[
        (ToResponder, draft(Initial::of_client(ID)).seal(&hello())),
        (ToOriginator, draft(Initial::of_server(ID)).seal(&answer())),
    ]);
    assert_eq!(flow.row()["quic_version"], "draft-29");
    assert_eq!(flow.row()["handshake"], "Cs");
}

#[test]
fn a_handshake_is_established_when_the_client_sends_behind_it() {
    let flow = Flow::of(&connection());
    assert_eq!(flow.row()["established"], true);
    assert_eq!(flow.row()["packet"], 1);
    // What the server sends may come before the client's Finished (RFC 9001, 5.7).
    let [client, server, last] = connection().try_into().unwrap();
    let flow = Flow::of(&[client.clone(), server.clone(), (ToOriginator, one_rtt())]);
    assert_eq!(flow.row()["established"], false);
    let flow = Flow::of(&[client.clone(), last.clone()]);
    assert_eq!(flow.row()["established"], false);
    // Captured in another order than it was sent.
    let flow = Flow::of(&[client, last, server]);
    assert_eq!(flow.row()["established"], true);
}

#[test]
fn what_ends_a_handshake_is_known_by_the_id_of_the_server() {
    let [client, server, _] = connection().try_into().unwrap();
    let established = |datagrams: &[(Direction, Vec<u8>)]| Flow::of(datagrams).row()["established"].clone();
    // The server gave out another one, which the client uses.
    assert_eq!(established(&[client.clone(), server.clone(), (ToResponder, one_rtt_to(b"other"))]), true);
    // Before the answer it was of an earlier connection.
    assert_eq!(established(&[client.clone(), (ToResponder, one_rtt_to(b"other")), server.clone()]), false);
    // Without the fixed bit there is nothing else to know it by: this is STUN.
    let stun = [&[0, 1, 0, 0x2c][..], &[0x21; 56]].concat();
    assert_eq!(established(&[client.clone(), server.clone(), (ToResponder, stun)]), false);
    let mut greased = one_rtt();
    greased[0] = 0x0a;
    assert_eq!(established(&[client, server, (ToResponder, greased)]), true);
}

#[test]
fn a_server_that_is_captured_first_is_read_when_the_keys_are_known() {
    let [client, server, last] = connection().try_into().unwrap();
    let flow = Flow::of(&[server, client, last]);
    assert_eq!(flow.row()["handshake"], "Cs");
    assert_eq!(flow.row()["established"], true);
    assert!(!flow.is_flipped);
}

#[test]
fn the_client_is_who_made_the_keys() {
    let turned: Vec<_> =
        connection().into_iter().map(|(direction, datagram)| (direction.reverse(), datagram)).collect();
    let flow = Flow::of(&turned);
    assert!(flow.is_flipped);
    assert_eq!(flow.row()["handshake"], "Cs");
    assert_eq!((&flow.row()["src_port"], &flow.row()["dst_port"]), (&443.into(), &1024.into()));
    // The server came first, and in the same datagram as others.
    let [client, server, last] = turned.try_into().unwrap();
    let flow = Flow::of(&[server, client, last]);
    assert!(flow.is_flipped);
    assert_eq!(flow.row()["established"], true);
}

#[test]
fn a_hello_goes_over_as_many_packets_as_it_likes() {
    let hello = client_hello(7, "a.test");
    let piece = |number: u32, begin: usize, end: usize| {
        let packet = Initial { number, ..Initial::of_client(ID) };
        packet.seal(&[&[1, 0, 0][..], &crypto(begin as u32, &hello[begin..end])].concat())
    };
    let [one, two, three] = [piece(0, 0, 20), piece(1, 20, 50), piece(2, 50, hello.len())];
    for order in [[&one, &two, &three], [&three, &two, &one], [&two, &three, &one], [&three, &one, &two]] {
        let datagrams: Vec<_> = order.iter().map(|piece| (ToResponder, piece.to_vec())).collect();
        assert_eq!(Flow::of(&datagrams).row()["server_name"], "a.test");
        let coalesced = order.map(Vec::as_slice).concat();
        assert_eq!(Flow::of(&[(ToResponder, coalesced)]).row()["server_name"], "a.test");
    }
    // What is lost is told, and the front is read.
    let flow = Flow::of(&[(ToResponder, one), (ToResponder, two)]);
    assert_eq!(flow.row()["handshake"], "C");
    assert_eq!(flow.odd()[0].0, "tls_malformed");
}

#[test]
fn keys_stay_those_of_the_first_id_when_the_server_has_chosen_another() {
    let later = Initial { destination: b"server", number: 1, ..Initial::of_client(ID) };
    // The server does not know the client's certificate authority.
    let [client, server, _] = connection().try_into().unwrap();
    let flow = Flow::of(&[client, server, (ToResponder, later.seal(b"\x1c\x41\x30\x06\0"))]);
    assert_eq!(flow.row()["last_alert"], "unknown ca");
    assert_eq!(flow.row()["handshake"], "CsL");
}

#[test]
fn a_retry_changes_the_keys_and_not_the_handshake() {
    let id = b"chosen";
    let again = Initial { token: b"token", number: 1, ..Initial::of_client(id) };
    let flow = Flow::of(&[
        (ToResponder, Initial::of_client(ID).seal(&hello())),
        (ToOriginator, b"\xf0\0\0\0\x01\x06client\x06chosentoken0123456789abcdef".to_vec()),
        (ToResponder, again.seal(&hello())),
        (ToOriginator, Initial::of_server(id).seal(&answer())),
        (ToResponder, one_rtt()),
    ]);
    assert_eq!(flow.row()["handshake"], "Cs");
    assert_eq!(flow.row()["established"], true);
    assert_eq!(flow.odd(), []);
}

#[test]
fn the_hello_that_follows_a_retry_is_the_one_that_counts() {
    let id = b"chosen";
    let other = crypto(0, &client_hello(8, "b.test"));
    let again = Initial { token: b"token", number: 1, ..Initial::of_client(id) };
    let retry = (ToOriginator, b"\xf0\0\0\0\x01\x06client\x06chosentoken0123456789abcdef".to_vec());
    let first = (ToResponder, Initial::of_client(ID).seal(&hello()));
    let rest = [
        (ToResponder, again.seal(&other)),
        // Late, and sent before the Retry.
        (ToResponder, Initial { number: 2, ..Initial::of_client(ID) }.seal(&hello())),
        (ToOriginator, Initial::of_server(id).seal(&answer())),
        (ToResponder, one_rtt()),
    ];
    let expected = [["b.test", "Cs", "true", "1"]];
    for before in [vec![first.clone(), retry], vec![first]] {
        let flow = Flow::of(&[before, rest.to_vec()].concat());
        assert_eq!(columns(&flow, ["server_name", "handshake", "established", "packet"]), expected);
        assert_eq!(flow.odd(), []);
    }
}

#[test]
fn a_token_of_an_earlier_connection_is_none_of_a_retry() {
    let of = |id: &'static [u8], token: &'static [u8], name: &str| {
        let packet = Initial { token, source: id, ..Initial::of_client(id) };
        (ToResponder, packet.seal(&crypto(0, &client_hello(id[0], name))))
    };
    let flow = Flow::of(&[of(b"the first", b"one", "a.test"), of(b"the second", b"two", "b.test")]);
    assert_eq!(columns(&flow, ["server_name"]), [["a.test"], ["b.test"]]);
}

#[test]
fn ends_may_agree_on_another_version_on_the_way() {
    let flow = Flow::of(&[
        (ToResponder, Initial::of_client(ID).seal(&hello())),
        (ToOriginator, Initial::of_server(ID).in_version_2().seal(&answer())),
        // Sent again before the answer came.
        (ToResponder, Initial { number: 1, ..Initial::of_client(ID) }.seal(&hello())),
        (ToResponder, Initial { number: 2, ..Initial::of_client(ID).in_version_2() }.seal(b"\x02\0\0\0\0")),
        (ToResponder, one_rtt()),
    ]);
    assert_eq!(flow.row()["quic_version"], "2");
    assert_eq!(flow.row()["handshake"], "Cs");
    assert_eq!(flow.row()["established"], true);
}

#[test]
fn a_client_that_begins_anew_with_another_hello_begins_another_row() {
    let other = b"the second";
    let datagrams = [
        (ToResponder, Initial::of_client(ID).in_version_2().seal(&hello())),
        (ToOriginator, b"\x80\0\0\0\0\x06client\x09the first\0\0\0\x01".to_vec()),
        (ToResponder, Initial::of_client(other).seal(&crypto(0, &client_hello(8, "b.test")))),
        (ToOriginator, Initial::of_server(other).seal(&answer())),
        (ToResponder, one_rtt()),
    ];
    let names = ["server_name", "quic_version", "established", "packet"];
    let expected = [["a.test", "2", "false", "1"], ["b.test", "1", "true", "3"]];
    assert_eq!(columns(&Flow::of(&datagrams), names), expected);
    // The id need not be another one.
    let mut datagrams = datagrams;
    datagrams[2].1 = Initial::of_client(ID).seal(&crypto(0, &client_hello(8, "b.test")));
    datagrams[3].1 = Initial::of_server(ID).seal(&answer());
    assert_eq!(columns(&Flow::of(&datagrams), names), expected);
    // With the same hello it is the same handshake.
    datagrams[2].1 = Initial::of_client(other).seal(&hello());
    datagrams[3].1 = Initial::of_server(other).seal(&answer());
    assert_eq!(columns(&Flow::of(&datagrams), names), [["a.test", "1", "true", "1"]]);
}

#[test]
fn what_is_coalesced_with_initial_packets_is_passed_over() {
    // Behind the length of a long header comes what nobody can read; 0-RTT of the client, Handshake of the server.
    let long = |first: u8, to: &[u8]| {
        [&[first, 0, 0, 0, 1, to.len() as u8][..], to, &[0, 0x40, 100], &[0x33; 100]].concat()
    };
    let [client, server, _] = connection().try_into().unwrap();
    let flow = Flow::of(&[
        (ToResponder, [client.1, long(0xd0, ID)].concat()),
        (ToOriginator, [server.1, long(0xe0, b"client"), one_rtt_to(b"client")].concat()),
        (ToResponder, [long(0xe0, b"server"), one_rtt()].concat()),
    ]);
    assert_eq!(columns(&flow, ["handshake", "established"]), [["Cs", "true"]]);
    assert_eq!(flow.odd(), []);
}

#[test]
fn ids_of_twenty_bytes_and_of_none_are_read() {
    for (client_id, server_id) in [(&[7; 20][..], &b""[..]), (b"", &[8; 20])] {
        let first = [9; 20];
        let client = Initial { source: client_id, ..Initial::of_client(&first) };
        let server = Initial { destination: client_id, source: server_id, ..Initial::of_server(&first) };
        let flow = Flow::of(&[
            (ToResponder, client.seal(&hello())),
            (ToOriginator, server.seal(&answer())),
            (ToResponder, one_rtt_to(server_id)),
        ]);
        assert_eq!(columns(&flow, ["handshake", "established"]), [["Cs", "true"]]);
    }
}

#[test]
fn what_an_initial_packet_may_not_have_is_told() {
    let good = hello();
    for (packet, frames, expected) in [
        (
            Initial::of_client(ID),
            [&good, &b"\x08\0"[..]].concat(),
            "frame that an Initial packet may not have",
        ),
        (Initial { other_bits: 0x0c, ..Initial::of_client(ID) }, good.clone(), "reserved bits of a header"),
        (
            Initial::of_client(ID),
            [&good, &crypto(0, b"\x02")[..]].concat(),
            "other bytes in a copy of a CRYPTO frame",
        ),
    ] {
        let flow = Flow::of(&[(ToResponder, packet.seal(&frames))]);
        assert_eq!(flow.odd(), [("quic_malformed", expected)]);
        assert_eq!(flow.row()["server_name"], "a.test");
    }
    let token = Initial { token: b"token", ..Initial::of_server(ID) };
    let [client, _, _] = connection().try_into().unwrap();
    let flow = Flow::of(&[client.clone(), (ToOriginator, token.seal(&answer()))]);
    assert_eq!(flow.odd(), [("quic_malformed", "token of a server")]);
    let far = Initial { number: 1, ..Initial::of_client(ID) }.seal(&crypto(1 << 20, b"far"));
    let flow = Flow::of(&[client, (ToResponder, far)]);
    assert_eq!(flow.odd(), [("stream_shed", "CRYPTO frames of a handshake")]);
}

#[test]
fn what_cannot_be_decrypted_is_nothing() {
    let mut broken = Initial::of_client(ID).seal(&hello());
    *broken.last_mut().unwrap() ^= 1;
    assert_eq!(Quic.probe(ToResponder, &broken, false), Verdict::Yes);
    let cut = Initial::of_client(ID).seal(&hello());
    let cut = cut[..cut.len() - 1].to_vec();
    for datagrams in [
        vec![(ToResponder, broken)],
        vec![(ToResponder, cut)],
        // Only the server is seen.
        vec![connection()[1].clone(); 3],
        vec![(ToResponder, one_rtt())],
    ] {
        let flow = Flow::of(&datagrams);
        assert_eq!(flow.rows(), Vec::<Value>::new());
        assert!(flow.services.is_empty() && flow.odd().is_empty() && !flow.is_flipped);
    }
}

#[test]
fn ids_without_end_cost_a_bounded_number_of_keys_and_bytes() {
    let mut flow = Flow::new();
    for id in 0..100_u64 {
        let id = id.to_be_bytes();
        let mut broken = Initial::of_client(&id).seal(&[0; 1162]);
        *broken.last_mut().unwrap() ^= 1;
        flow.show(ToResponder, &broken);
        assert!(flow.session.held() < 10_000, "{}", flow.session.held());
    }
    assert_eq!(flow.odd(), [SHED]);
    // Real ones: as many connections as there are keys for.
    let mut flow = Flow::new();
    for id in 0..100_u64 {
        let id = id.to_be_bytes();
        flow.show(ToResponder, &Initial::of_client(&id).seal(&crypto(0, &client_hello(id[7], "a.test"))));
        assert!(flow.session.held() < 10_000, "{}", flow.session.held());
    }
    flow.close();
    assert_eq!(flow.rows().len(), 16);
    assert_eq!(flow.odd(), [SHED]);
}

#[test]
fn packets_that_no_key_opens_are_tried_so_often_and_no_more() {
    let mut broken = Initial::of_client(ID).seal(&hello());
    *broken.last_mut().unwrap() ^= 1;
    let good = connection();
    // As many as fit into a datagram, behind the client's hello.
    let many: Vec<u8> = broken.iter().copied().cycle().take(broken.len() * 255).collect();
    let flow = Flow::of(&[good[0].clone(), (ToResponder, many.clone()), good[1].clone()]);
    assert_eq!((flow.row()["handshake"].clone(), flow.odd()), ("Cs".into(), vec![]));
    let flow = Flow::of(&[good[0].clone(), (ToResponder, [many, broken].concat()), good[1].clone()]);
    assert_eq!((flow.row()["handshake"].clone(), flow.odd()), ("C".into(), vec![SHED]));
}

/// What is said where more was to be done than is.
const SHED: (&str, &str) = ("quic_shed", "keys of Initial packets, or what they do not open");

#[test]
fn a_handshake_without_end_is_given_up() {
    let mut flow = Flow::new();
    flow.show(ToResponder, &connection()[0].1);
    for _ in 0..600 {
        flow.show(ToResponder, &one_rtt());
    }
    assert!(flow.is_over);
    assert_eq!(flow.row()["established"], false);
}

#[test]
fn bytes_far_ahead_are_held_to_a_bound() {
    let mut flow = Flow::new();
    for number in 0..500 {
        let packet = Initial { number, ..Initial::of_client(ID) };
        flow.show(ToResponder, &packet.seal(&crypto(number * 2000 + 1, &[0; 1100])));
    }
    assert!(flow.session.held() < 128 * 1024, "{}", flow.session.held());
    assert_eq!(flow.odd(), [("stream_shed", "CRYPTO frames of a handshake")]);
}

proptest! {
    #[test]
    fn any_order_and_cuts_give_the_same_row(
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..40),
        in_one_datagram: bool,
    ) {
        let hello = client_hello(7, "any.order.test");
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(hello.len())).collect();
        places.extend([0, hello.len()]);
        places.sort_unstable();
        places.dedup();
        let mut pieces: Vec<(usize, usize)> = places.windows(2).map(|pair| (pair[0], pair[1])).collect();
        // Some come twice.
        let again: Vec<_> = order.iter().map(|index| pieces[index.index(pieces.len())]).collect();
        pieces.splice(0..0, again);
        let packets: Vec<Vec<u8>> = pieces.iter().enumerate().map(|(number, (begin, end))| {
            let packet = Initial { number: number as u32, ..Initial::of_client(ID) };
            packet.seal(&crypto(*begin as u32, &hello[*begin..*end]))
        }).collect();
        let datagrams = if in_one_datagram { vec![packets.concat()] } else { packets };
        let datagrams: Vec<_> = datagrams.into_iter().map(|datagram| (ToResponder, datagram)).collect();
        let flow = Flow::of(&datagrams);
        let expected = Flow::of(&[(ToResponder, Initial::of_client(ID).seal(&crypto(0, &hello)))]);
        prop_assert_eq!(flow.odd(), []);
        prop_assert_eq!(flow.row()["ja4"].clone(), expected.row()["ja4"].clone());
        prop_assert_eq!(flow.row()["handshake"].clone(), expected.row()["handshake"].clone());
        prop_assert_eq!(flow.row()["packet"].clone(), expected.row()["packet"].clone());
    }

    #[test]
    fn any_frames_and_bytes_break_nothing(
        datagrams in prop::collection::vec(
            (any::<bool>(), any::<bool>(), 0..3_u32, prop::collection::vec(prop_oneof![0..8_u8, any::<u8>()], 0..80)),
            0..20,
        ),
    ) {
        let datagrams: Vec<_> = datagrams.into_iter().map(|(from_client, is_sealed, number, bytes)| {
            let packet = if from_client { Initial::of_client(ID) } else { Initial::of_server(ID) };
            let direction = if from_client { ToResponder } else { ToOriginator };
            (direction, if is_sealed { Initial { number, ..packet }.seal(&bytes) } else { bytes })
        }).collect();
        let flow = Flow::of(&datagrams);
        prop_assert!(flow.rows().len() <= 1);
    }
}
