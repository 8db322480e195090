//! What is Kerberos, on its port and elsewhere.

use super::*;

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
        crate::kerberos::spnego::read(&message);
        cut(88, 9, &[(direction, record(&message)), (direction, message)]);
    }
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
