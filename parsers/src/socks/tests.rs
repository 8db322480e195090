//! Conversations, and where they hand over.

use proptest::prelude::*;
use schemas::batch::Records;
use schemas::envelope::Envelope;

use super::session::MAX_WAITING;
use super::*;
use crate::context::{Anomalies, Context};
use crate::protocol::Direction::{self, ToOriginator, ToResponder};
use crate::protocol::{Malformed, Progress};
use crate::services::Services;
use crate::settings::Settings;

/// How a conversation went.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// It goes on, and these bytes of both sides wait.
    Waits(Vec<u8>, Vec<u8>),
    /// It was handed over with these bytes of both sides.
    Over(Vec<u8>, Vec<u8>),
    /// Nothing more is read.
    Done,
    Broken(&'static str),
}

fn talk<'p>(parts: impl IntoIterator<Item = (Direction, &'p [u8])>) -> Outcome {
    let (mut envelope, mut records) = (Envelope::default(), Records::default());
    let (mut anomalies, mut services) = (Anomalies::default(), Services::default());
    let settings = Settings::default();
    let mut cx = Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings);
    let mut session = Socks.session();
    let mut pending: [Vec<u8>; 2] = Default::default();
    let mut is_over = false;
    for (direction, bytes) in parts {
        let waiting = &mut pending[direction.index()];
        waiting.extend_from_slice(bytes);
        while !is_over && !waiting.is_empty() {
            match session.data(direction, waiting, &mut cx) {
                Ok(Progress::Took(0) | Progress::Need(_)) => break,
                Ok(Progress::Took(count)) => drop(waiting.drain(..count)),
                Ok(Progress::Done) => return Outcome::Done,
                Ok(Progress::Handover) => is_over = true,
                Err(Malformed(field)) => return Outcome::Broken(field),
            }
        }
    }
    let [client, server] = pending;
    if is_over { Outcome::Over(client, server) } else { Outcome::Waits(client, server) }
}

/// A conversation that ends in `GET`, by what it shows.
const GOOD: [&[(Direction, &[u8])]; 6] = [
    // No authentication, a name.
    &[
        (ToResponder, b"\x05\x01\0"),
        (ToOriginator, b"\x05\0"),
        (ToResponder, b"\x05\x01\0\x03\x06a.test\0\x50"),
        (ToOriginator, b"\x05\0\0\x01\x0a\x01\x01\x02\x04\xd2"),
        (ToResponder, b"GET"),
    ],
    // A password, IPv6, a reply with a name.
    &[
        (ToResponder, b"\x05\x02\0\x02"),
        (ToOriginator, b"\x05\x02"),
        (ToResponder, b"\x01\x04user\x08password"),
        (ToOriginator, b"\x01\0"),
        (ToResponder, b"\x05\x01\0\x04\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\0\x50"),
        (ToOriginator, b"\x05\0\0\x03\x01a\0\0"),
        (ToResponder, b"GET"),
    ],
    // A password is offered and not asked for.
    &[
        (ToResponder, b"\x05\x03\0\x01\x02"),
        (ToOriginator, b"\x05\0"),
        (ToResponder, b"\x05\x01\0\x01\x0a\x01\x01\x02\0\x50"),
        (ToOriginator, b"\x05\0\0\x01\0\0\0\0\0\0"),
        (ToResponder, b"GET"),
    ],
    // All that the client has to say before the server says anything.
    &[
        (ToResponder, b"\x05\x01\0\x05\x01\0\x01\x0a\x01\x01\x02\0\x50"),
        (ToOriginator, b"\x05\0"),
        (ToOriginator, b"\x05\0\0\x01\0\0\0\0\0\0"),
        (ToResponder, b"GET"),
    ],
    // SOCKS 4, 4a.
    &[
        (ToResponder, b"\x04\x01\0\x50\x0a\x01\x01\x02user\0"),
        (ToOriginator, b"\0\x5a\0\x50\x0a\x01\x01\x02"),
        (ToResponder, b"GET"),
    ],
    &[
        (ToResponder, b"\x04\x01\0\x50\0\0\0\x01\0a.test\0"),
        (ToOriginator, b"\0\x5a\0\0\0\0\0\0"),
        (ToResponder, b"GET"),
    ],
];

#[test]
fn hands_over_what_follows_the_handshake() {
    for parts in GOOD {
        assert_eq!(talk(parts.iter().copied()), Outcome::Over(b"GET".into(), Vec::new()), "{parts:?}");
        // The same if the server is the first to speak inside.
        let parts = parts.split_last().unwrap().1.iter().copied();
        let greeting: (Direction, &[u8]) = (ToOriginator, b"220 ");
        assert_eq!(talk(parts.chain([greeting])), Outcome::Over(Vec::new(), b"220 ".into()));
    }
}

#[test]
fn content_waits_for_the_reply_and_is_handed_over_with_it() {
    let parts: [(Direction, &[u8]); 5] = [
        (ToResponder, b"\x05\x01\0"),
        (ToOriginator, b"\x05\0"),
        (ToResponder, b"\x05\x01\0\x01\x0a\x01\x01\x02\0\x50GET / "),
        (ToResponder, b"HTTP/1.1"),
        (ToOriginator, b"\x05\0\0\x01\0\0\0\0\0\0HTTP"),
    ];
    assert_eq!(talk(parts[..4].iter().copied()), Outcome::Waits(b"GET / HTTP/1.1".into(), Vec::new()));
    assert_eq!(talk(parts), Outcome::Over(b"GET / HTTP/1.1".into(), b"HTTP".into()));
    // A reply that never comes costs so much, and no more.
    let much = vec![b'x'; MAX_WAITING];
    let more = parts[..3].iter().copied().chain([(ToResponder, &*much)]);
    assert!(matches!(talk(more), Outcome::Over(..)));
}

#[test]
fn one_side_alone_is_enough() {
    for parts in GOOD {
        for direction in [ToResponder, ToOriginator] {
            let parts = parts.iter().copied().filter(|(of, _)| *of == direction);
            let outcome = talk(parts.chain([(direction, &b"more"[..])]));
            let expected = if direction == ToResponder {
                Outcome::Over(b"GETmore".into(), Vec::new())
            } else {
                Outcome::Over(Vec::new(), b"more".into())
            };
            assert_eq!(outcome, expected);
        }
    }
}

#[test]
fn nothing_is_read_behind_a_refusal_or_another_command() {
    let no_method: [(Direction, &[u8]); 2] = [(ToResponder, b"\x05\x01\0"), (ToOriginator, b"\x05\xff")];
    let gssapi: [(Direction, &[u8]); 2] = [(ToResponder, b"\x05\x01\x01"), (ToOriginator, b"\x05\x01")];
    let bad_password: [(Direction, &[u8]); 4] = [
        (ToResponder, b"\x05\x01\x02"),
        (ToOriginator, b"\x05\x02"),
        (ToResponder, b"\x01\x01a\x01b"),
        (ToOriginator, b"\x01\x01"),
    ];
    let refused: [(Direction, &[u8]); 2] =
        [(ToResponder, b"\x04\x01\0\x50\x0a\x01\x01\x02\0"), (ToOriginator, b"\0\x5b\0\0\0\0\0\0")];
    for parts in [&no_method[..], &gssapi, &bad_password, &refused] {
        assert_eq!(talk(parts.iter().copied()), Outcome::Done, "{parts:?}");
    }
    for command in [2, 3] {
        let request = [5, command, 0, 1, 0, 0, 0, 0, 0, 0];
        let parts: [(Direction, &[u8]); 4] = [
            (ToResponder, b"\x05\x01\0"),
            (ToOriginator, b"\x05\0"),
            (ToResponder, &request),
            (ToOriginator, b"\x05\0\0\x01\x0a\x01\x01\x02\x04\xd2"),
        ];
        assert_eq!(talk(parts), Outcome::Done);
    }
}

#[test]
fn what_breaks_it_is_told() {
    let long = [&b"\x04\x01\0\x50\x0a\x01\x01\x02"[..], &[b'a'; 300]].concat();
    for (bytes, field) in [
        (&b"\x05\0"[..], "number of methods"),
        (b"\x06\x01", "version"),
        (b"\x05\x01\0\x05\x04\0\x01", "command"),
        (b"\x05\x01\0\x05\x01\0\x02", "type of address"),
        (b"\x05\x01\0\x04\x01\0\x01", "version"),
        (b"\x04\x03\0\x50", "command"),
        (&long, "user"),
    ] {
        assert_eq!(talk([(ToResponder, bytes)]), Outcome::Broken(field), "{}", bytes.escape_ascii());
    }
    assert_eq!(talk([(ToOriginator, &b"\0\x01"[..])]), Outcome::Broken("status"));
}

#[test]
fn a_client_is_known_on_any_port_by_what_nothing_else_begins_with() {
    let probe = |bytes: &[u8], hinted| Socks.probe(ToResponder, bytes, hinted);
    for parts in GOOD {
        let client: Vec<&[u8]> = parts
            .iter()
            .filter(|(direction, _)| *direction == ToResponder)
            .map(|(_, bytes)| *bytes)
            .collect();
        let (first, all) = (client[0], [&client.concat()[..], b" / HTTP/1.1\r\n"].concat());
        assert_eq!(probe(first, true), Verdict::Yes);
        assert_eq!(probe(&all, false), Verdict::Yes, "{}", all.escape_ascii());
        // Less is never more.
        let first_yes = (0..=all.len()).find(|&length| probe(&all[..length], false) == Verdict::Yes).unwrap();
        for length in 0..first_yes {
            assert_eq!(probe(&all[..length], false), Verdict::NeedMore, "{length}");
        }
    }
    for other in [
        &b"GET / HTTP/1.1\r\n"[..],
        // DCE/RPC 5.0 and 5.1.
        b"\x05\0\x0b\x03\x10\0\0\0\x48\0\0\0\x01\0\0\0",
        b"\x05\x01\0\x03\x10\0\0\0\x48\0\0\0\x01\0\0\0",
        b"\x05\x02\0\0\x05\x01\0\x01",
        b"\x05\x01\0\x05\x01\x01\x01\0\0\0\0\0\0",
        b"\x05\x01\x02\x01\0\x01b",
        b"\x05\x01\x02\x01\x01\x07\x01b",
        // An answer of TDS.
        b"\x04\x01\x01\x8e\0\x34\x01\0\x81\x02\0",
        b"\x04\x01\0\x50\x0a\x01\x01\x02\0\xff\xfe\xfd and this goes on for as long as it takes to show that it is nothing.",
        b"\x04\x01\0\0\0\0\0\x01\0a.test\0",
        b"\x04\x01\0\x50\0\0\0\x01\0 \xff \0",
    ] {
        assert_eq!(probe(other, false), Verdict::No, "{}", other.escape_ascii());
    }
}

#[test]
fn a_server_without_its_client_is_known_by_two_messages() {
    let probe = |bytes: &[u8], hinted| Socks.probe(ToOriginator, bytes, hinted);
    assert_eq!(probe(b"\x05\0\x05\0\0\x01", false), Verdict::Yes);
    assert_eq!(probe(b"\x05\x02\x01\0\x05\0\0\x03", false), Verdict::Yes);
    assert_eq!(probe(b"\x05\0", false), Verdict::NeedMore);
    assert_eq!(probe(b"\x05\0", true), Verdict::Yes);
    assert_eq!(probe(b"\x05\0\x0c\x03\x10\0\0\0", false), Verdict::No);
    assert_eq!(probe(b"\0\x5a\0\0\0\0\0\0", true), Verdict::Yes);
    assert_eq!(probe(b"\0\x5a\0\0\0\0\0\0", false), Verdict::No);
}

proptest! {
    #[test]
    fn any_pieces_give_the_same(parts in prop::sample::select(GOOD.to_vec()), sizes in prop::collection::vec(1..9usize, 7)) {
        let pieces = parts.iter().zip(sizes).flat_map(|((direction, bytes), size)| {
            bytes.chunks(size).map(move |piece| (*direction, piece))
        });
        prop_assert_eq!(talk(pieces), talk(parts.iter().copied()));
    }

    #[test]
    fn no_bytes_panic(parts in prop::collection::vec((any::<bool>(), prop::collection::vec(0..6u8, 0..20)), 0..6)) {
        let direction = |to_responder| if to_responder { ToResponder } else { ToOriginator };
        talk(parts.iter().map(|(to_responder, bytes)| (direction(*to_responder), bytes.as_slice())));
        for (to_responder, bytes) in &parts {
            for hinted in [false, true] {
                Socks.probe(direction(*to_responder), bytes, hinted);
            }
        }
    }
}
