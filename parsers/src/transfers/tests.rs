//! Connections that are announced on one flow and made as another one, and the files that they carry.

use schemas::batch::Records;
use schemas::flows::EndReason;

use super::*;
use crate::context::Anomalies;
use crate::protocol::{Direction, Progress, Protocol};
use crate::services::Services;
use crate::settings::Settings;
use crate::stream::Stream;

const CLIENT: u8 = 1;
const SERVER: u8 = 2;
const SECOND: i64 = 1_000_000_000;

fn address(host: u8) -> AddressBytes {
    let mut bytes = AddressBytes::default();
    bytes[15] = host;
    bytes
}

fn flow(src: u8, src_port: u16, dst: u8, dst_port: u16) -> Envelope {
    let uid = u128::from(src_port) << 16 | u128::from(dst_port);
    Envelope {
        uid,
        src: address(src),
        src_port,
        dst: address(dst),
        dst_port,
        protocol: 6,
        ..Envelope::default()
    }
}

/// The server says that it listens; `host` is where it believes to be.
fn passive(host: u8, port: u16) -> Announcement {
    let listener = Listener { network: 0, address: address(host), port };
    Announcement { listener, behalf: address(SERVER), passive: true }
}

/// With a control connection between client and server.
fn open() -> Transfers {
    let mut transfers = Transfers::default();
    transfers.open(&flow(CLIENT, 40_000, SERVER, 21));
    transfers
}

fn made(outcome: Outcome) -> Option<u128> {
    match outcome {
        Outcome::Made(made) => Some(made.uid),
        Outcome::Waited | Outcome::Late => None,
    }
}

#[test]
fn a_flow_to_the_announced_listener_is_what_was_announced_once() {
    let mut transfers = open();
    let ticket = transfers.announce(passive(SERVER, 5001), 0);
    let data = flow(CLIENT, 40_001, SERVER, 5001);
    assert_eq!(transfers.begins(&flow(CLIENT, 40_001, SERVER, 5002), 0, true, 1), Begun::Candidate);
    assert_eq!(transfers.begins(&data, 7, true, 1), Begun::Candidate, "another network");
    assert_eq!(transfers.begins(&data, 0, true, 2), Begun::Announced(ticket));
    assert_eq!(made(transfers.outcome(ticket)), Some(data.uid));
    assert_eq!(transfers.begins(&flow(CLIENT, 40_002, SERVER, 5001), 0, true, 3), Begun::Candidate);
    assert_eq!(transfers.flows(), [2]);
}

#[test]
fn the_listener_is_found_under_the_address_it_has_and_the_one_it_says() {
    for host in [SERVER, 9] {
        let mut transfers = open();
        let ticket = transfers.announce(passive(9, 5001), 0);
        assert_eq!(transfers.begins(&flow(CLIENT, 1, host, 5001), 0, true, 1), Begun::Announced(ticket));
        // The other one is not waited for any more.
        assert!(transfers.awaited.is_empty() && transfers.order.is_empty());
    }
}

#[test]
fn who_listened_is_only_in_doubt_where_the_beginning_was_not_seen() {
    let back = flow(SERVER, 5001, CLIENT, 40_001);
    let mut transfers = open();
    let ticket = transfers.announce(passive(SERVER, 5001), 0);
    assert_eq!(transfers.begins(&back, 0, true, 1), Begun::Candidate);
    assert_eq!(transfers.begins(&back, 0, false, 1), Begun::Announced(ticket));
}

#[test]
fn a_flow_that_was_there_before_is_claimed_if_it_is_not_too_old() {
    for (age, is_claimed) in [(0, true), (29 * SECOND, true), (31 * SECOND, false)] {
        let mut transfers = open();
        assert_eq!(transfers.begins(&flow(CLIENT, 40_001, SERVER, 5001), 0, true, 7), Begun::Candidate);
        let ticket = transfers.announce(passive(SERVER, 5001), age);
        assert_eq!(transfers.has_claims(), is_claimed);
        assert_eq!(transfers.take_claims(), if is_claimed { vec![(7, ticket)] } else { vec![] });
        if is_claimed {
            transfers.is_late(ticket);
            assert_eq!(transfers.outcome(ticket), Outcome::Late);
        }
    }
}

#[test]
fn flows_between_other_hosts_are_nothing_here() {
    let mut transfers = open();
    assert_eq!(transfers.begins(&flow(CLIENT, 1, 3, 80), 0, true, 1), Begun::Other);
    transfers.close(&flow(SERVER, 21, CLIENT, 40_000));
    assert_eq!(transfers.begins(&flow(CLIENT, 1, SERVER, 80), 0, true, 1), Begun::Other);
    assert!(transfers.is_empty());
}

#[test]
fn a_million_announcements_take_bounded_memory() {
    let mut transfers = open();
    let tickets: Vec<_> =
        (0..1_000_000).map(|at| transfers.announce(passive((at >> 16) as u8, at as u16), 0)).collect();
    assert!(transfers.order.len() <= MAX_ANNOUNCED);
    assert!(transfers.awaited.len() <= 2 * MAX_ANNOUNCED);
    assert_eq!(transfers.take_shed(), 1_000_000 - MAX_ANNOUNCED as u64);
    for ticket in tickets {
        transfers.release(ticket);
    }
    assert!(transfers.entries.is_empty() && transfers.awaited.is_empty() && transfers.order.is_empty());
    for at in 0..1000 {
        transfers.begins(&flow(CLIENT, at, SERVER, 80), 0, true, u64::from(at));
    }
    assert_eq!(transfers.candidates.len(), MAX_CANDIDATES);
}

#[test]
fn what_is_let_go_of_is_kept_for_the_connection_that_was_made() {
    let mut transfers = open();
    let ticket = transfers.announce(passive(SERVER, 5001), 0);
    transfers.begins(&flow(CLIENT, 40_001, SERVER, 5001), 0, true, 1);
    transfers.describe(ticket, Carried { filename: Some((*b"a.txt").into()), ..Carried::default() });
    transfers.release(ticket);
    assert!(transfers.known(ticket).is_some_and(|(_, carried, _)| carried.is_some()));
    transfers.ended(ticket, None);
    assert!(transfers.entries.is_empty());
}

#[test]
fn a_sighting_elsewhere_names_the_flow_and_nothing_else() {
    let mut transfers = open();
    let ticket = transfers.announce(passive(SERVER, 5001), 0);
    transfers.sighted(passive(9, 5001).listener, 5);
    assert_eq!(transfers.outcome(ticket), Outcome::Waited);
    transfers.sighted(passive(SERVER, 5001).listener, 5);
    let made = Made { uid: 5, ended: true, ..Made::default() };
    assert_eq!(transfers.outcome(ticket), Outcome::Made(made));
}

/// What a data connection gives: the rows of its file as name, upload, bytes and completeness; and what it speaks.
struct Given {
    files: Vec<(Option<String>, bool, u64, bool)>,
    services: Vec<&'static str>,
    outcome: Outcome,
}

fn table<'a>(cx: &'a mut Context<'_>) -> &'a mut Transfers {
    cx.transfers.as_deref_mut().unwrap()
}

/// A connection to an announced listener that carries these pieces. The announcement comes before the piece of that number,
/// and with it what is carried; `verdict` comes behind all.
fn carried(
    announcement: Announcement,
    announced: usize,
    pieces: &[(Direction, &[u8])],
    verdict: Verdict,
    end: EndReason,
) -> Given {
    let what = Carried { filename: Some((*b"a.bin").into()), ..Carried::default() };
    carried_as(&what, announcement, announced, pieces, verdict, end)
}

/// The same of what is known to be carried.
fn carried_as(
    what: &Carried,
    announcement: Announcement,
    announced: usize,
    pieces: &[(Direction, &[u8])],
    verdict: Verdict,
    end: EndReason,
) -> Given {
    let mut transfers = open();
    let mut envelope = flow(CLIENT, 40_001, SERVER, 5001);
    let (mut records, mut anomalies) = (Records::default(), Anomalies::default());
    let (mut services, settings) = (Services::default(), Settings::default());
    let mut stream = Stream::default();
    let mut ticket = None;
    let begun = envelope;
    let mut cx = Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings);
    cx.transfers = Some(&mut transfers);
    for at in 0..=pieces.len() {
        if at == announced {
            let it = table(&mut cx).announce(announcement, 0);
            table(&mut cx).describe(it, what.clone());
            ticket = Some(it);
            for (_, it) in table(&mut cx).take_claims() {
                if !stream.claim(&DATA, DATA.announced(it), &mut cx) {
                    table(&mut cx).is_late(it);
                }
            }
        }
        if at == 0 {
            match table(&mut cx).begins(&begun, 0, true, 1) {
                Begun::Candidate => stream.await_claim(),
                Begun::Announced(it) => assert!(stream.claim(&DATA, DATA.announced(it), &mut cx)),
                Begun::Other => panic!("between the hosts of the control connection"),
            }
        }
        if let Some((direction, bytes)) = pieces.get(at) {
            stream.data(*direction, bytes, &mut cx);
        }
    }
    let ticket = ticket.unwrap();
    table(&mut cx).judge(ticket, verdict);
    cx.end = Some(end);
    stream.close(&mut cx);
    let text = |text: schemas::arena::Text| {
        records.file.arena.bytes_of(text).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    };
    let files = records.file.rows.iter().map(|row| {
        let file = &row.record;
        assert_eq!(file.protocol, "ftp-data");
        (text(file.filename), file.is_request, file.seen_bytes, file.complete)
    });
    Given { files: files.collect(), services: services.names().collect(), outcome: transfers.outcome(ticket) }
}

const UP: Direction = Direction::ToResponder;
const DOWN: Direction = Direction::ToOriginator;

#[test]
fn what_is_carried_is_one_file_whenever_it_was_announced() {
    let pieces: [(Direction, &[u8]); 3] =
        [(DOWN, b"a file of"), (DOWN, b" plain\r\nno request"), (DOWN, b"!")];
    for announced in 0..=3 {
        let given = carried(passive(SERVER, 5001), announced, &pieces, Verdict::Complete, EndReason::Closed);
        assert_eq!(
            given.files,
            [(Some("a.bin".into()), false, 28, true)],
            "announced before piece {announced}"
        );
        assert_eq!(given.services, ["ftp-data"]);
        let Outcome::Made(made) = given.outcome else { panic!("{:?}", given.outcome) };
        assert_eq!((made.ended, made.bytes, made.mime_type), (true, Some(28), Some("text/plain")));
    }
}

#[test]
fn what_was_announced_is_not_taken_for_what_it_looks_like() {
    let page: [(Direction, &[u8]); 1] = [(DOWN, b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx")];
    let given = carried(passive(SERVER, 5001), 0, &page, Verdict::Complete, EndReason::Closed);
    assert_eq!(given.files, [(Some("a.bin".into()), false, 39, true)]);
    assert_eq!(given.services, ["ftp-data"]);
}

#[test]
fn who_uploads_follows_from_who_connects() {
    let up: [(Direction, &[u8]); 1] = [(UP, b"upload")];
    let given = carried(passive(SERVER, 5001), 0, &up, Verdict::Unknown, EndReason::Closed);
    assert_eq!(given.files, [(Some("a.bin".into()), true, 6, true)]);
    let active = Announcement { passive: false, ..passive(SERVER, 5001) };
    let given = carried(active, 0, &up, Verdict::Unknown, EndReason::Closed);
    assert_eq!(given.files, [(Some("a.bin".into()), false, 6, true)]);
}

#[test]
fn a_transfer_that_failed_is_never_whole() {
    let down: [(Direction, &[u8]); 1] = [(DOWN, b"half")];
    for (verdict, end, complete) in [
        (Verdict::Failed, EndReason::Closed, false),
        (Verdict::Unknown, EndReason::Reset, false),
        (Verdict::Complete, EndReason::Reset, true),
        (Verdict::Complete, EndReason::Timeout, false),
        (Verdict::Unknown, EndReason::Shutdown, false),
    ] {
        let given = carried(passive(SERVER, 5001), 0, &down, verdict, end);
        assert_eq!(given.files, [(Some("a.bin".into()), false, 4, complete)], "{verdict:?} {end:?}");
    }
}

#[test]
fn what_came_to_its_last_byte_is_whole_however_it_ended() {
    let down: [(Direction, &[u8]); 1] = [(DOWN, b"file")];
    for (total, offset, complete) in [(4, 0, true), (5, 0, false), (3, 0, false), (4, 4, false)] {
        let what = Carried { filename: None, total: Some(total), offset };
        for (verdict, end) in [
            (Verdict::Failed, EndReason::Closed),
            (Verdict::Unknown, EndReason::Reset),
            (Verdict::Failed, EndReason::Timeout),
            (Verdict::Unknown, EndReason::Shutdown),
        ] {
            let given = carried_as(&what, passive(SERVER, 5001), 0, &down, verdict, end);
            assert_eq!(
                given.files,
                [(None, false, 4, complete)],
                "{total} from {offset}: {verdict:?} {end:?}"
            );
        }
    }
}

#[test]
fn tls_on_a_data_connection_is_read_as_that_however_it_is_cut() {
    let hello =
        b"\x16\x03\x01\0\x2f\x01\0\0\x2b\x03\x03AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\0\0\x02\x13\x01\x01\0\0\0";
    for size in [1, 3, 100] {
        let pieces: Vec<_> = hello.chunks(size).map(|piece| (UP, piece)).collect();
        let given = carried(passive(SERVER, 5001), 0, &pieces, Verdict::Unknown, EndReason::Closed);
        assert_eq!(given.services, ["ftp-data", "tls"], "pieces of {size}");
        assert!(given.files.is_empty());
    }
    // What only begins like it is a file all the same.
    let given =
        carried(passive(SERVER, 5001), 0, &[(DOWN, b"\x16\x03")], Verdict::Unknown, EndReason::Closed);
    assert_eq!(given.files, [(Some("a.bin".into()), false, 2, true)]);
}

#[test]
fn more_than_is_kept_without_an_announcement_is_late() {
    let bulk = vec![b'x'; 40_000];
    let pieces = [(DOWN, &bulk[..]), (DOWN, &bulk[..])];
    let given = carried(passive(SERVER, 5001), 2, &pieces, Verdict::Complete, EndReason::Closed);
    assert_eq!((given.files.len(), given.outcome), (0, Outcome::Late));
    let given = carried(passive(SERVER, 5001), 1, &pieces, Verdict::Complete, EndReason::Closed);
    assert_eq!(given.files, [(Some("a.bin".into()), false, 80_000, true)]);
}

#[test]
fn is_recognised_nowhere() {
    assert_eq!(DATA.probe(UP, b"anything", true), crate::protocol::Verdict::No);
    let mut session = DATA.session();
    let mut envelope = Envelope::default();
    let (mut records, mut anomalies) = (Records::default(), Anomalies::default());
    let (mut services, settings) = (Services::default(), Settings::default());
    let mut cx = Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings);
    assert_eq!(session.data(UP, b"anything", &mut cx), Ok(Progress::Took(8)));
}
