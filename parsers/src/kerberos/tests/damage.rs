//! What is lost, cut, or no message.

use super::*;

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
