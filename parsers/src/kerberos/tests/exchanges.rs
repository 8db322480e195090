//! Requests and their answers.

use super::*;

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
    assert!(held > MAX_PENDING * 100 && held < crate::kerberos::MAX_PENDING_BYTES);
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
