//! What was lost, is no command, or does not end.

use super::*;

#[test]
fn lost_bytes_cost_what_they_held() {
    let mut flow = Flow::new();
    flow.client("USER a\r\n");
    flow.server("331 x\r\n");
    flow.client("PASS b\r\nCW");
    flow.gap(ToResponder);
    flow.client("of a name\r\nTYPE I\r\n");
    flow.server("230 b\r\n550 no\r\n200 c\r\n");
    assert_eq!(
        brief(&flow.end()),
        [
            row("USER", "a", 331, "x"),
            row("PASS", "<masked>", 230, "b"),
            row("TYPE", "I", 550, "no"),
            row("", "", 200, "c"),
        ]
    );
    let mut flow = Flow::new();
    for (command, reply) in [("PWD", ""), ("TYPE I", ""), ("NOOP", "e\r\n200 ok\r\n"), ("SYST", "215 x\r\n")]
    {
        flow.client(&format!("{command}\r\n"));
        if command == "NOOP" {
            flow.gap(ToOriginator);
        }
        flow.server(reply);
    }
    let codes: Vec<_> = flow.end().iter().map(|row| row["reply_code"].clone()).collect();
    assert_eq!(codes, [json!(null), json!(null), json!(200), json!(215)]);
}

#[test]
fn a_transfer_whose_command_was_lost_takes_what_ends_transfers_alone() {
    let mut flow = Flow::new();
    flow.client("PWD\r\n");
    flow.server("257 \"/\"\r\n");
    flow.gap(ToResponder);
    flow.server("150 a\r\n");
    flow.client("SIZE x\r\n");
    flow.server("213 19\r\n226 b\r\n");
    flow.client("MDTM x\r\n");
    flow.server("213 20260102030405\r\n150 c\r\n");
    flow.client("RETR x\r\n");
    flow.server("150 d\r\n226 e\r\n");
    let expected = [
        row("PWD", "", 257, "\"/\""),
        row("", "", 226, "a\nb"),
        row("SIZE", "x", 213, "19"),
        row("MDTM", "x", 213, "20260102030405"),
        row("", "", 0, "c"),
        row("RETR", "x", 226, "d\ne"),
    ];
    assert_eq!(brief(&flow.end()), expected);
}

#[test]
fn a_transfer_whose_reply_was_lost_has_ended_when_the_next_one_begins() {
    let mut flow = Flow::new();
    flow.client("STOR a\r\n");
    flow.server("150 a\r\n");
    flow.gap(ToOriginator);
    flow.client("SIZE b\r\n");
    flow.server("213 19\r\n");
    flow.client("RETR b\r\n");
    flow.server("150 b\r\n226 c\r\n");
    let expected = [row("STOR", "a", 0, "a"), row("SIZE", "b", 213, "19"), row("RETR", "b", 226, "b\nc")];
    assert_eq!(brief(&flow.end()), expected);
    // 226 may be to the transfer that was begun before bytes were lost.
    let mut flow = Flow::new();
    flow.client("STOR a\r\n");
    flow.server("150 a\r\n");
    flow.gap(ToOriginator);
    flow.server("226 b\r\n");
    assert_eq!(brief(&flow.end()), [row("STOR", "a", 226, "a\nb")]);
}

#[test]
fn a_reply_whose_end_is_lost_ends_with_the_next_one() {
    let mut flow = Flow::new();
    flow.client("FEAT\r\n");
    flow.server("211-Features:\r\n EPSV\r\n");
    flow.gap(ToOriginator);
    flow.server("D\r\n226 done\r\n");
    assert_eq!(brief(&flow.end()), [row("FEAT", "", 211, "Features:\n EPSV"), row("", "", 226, "done")]);
}

#[test]
fn commands_that_nobody_knows_are_rows() {
    let mut flow = Flow::new();
    flow.client("xevil rm -rf\nls -la\n\n  noop\r\nQU\u{7f}\r\n");
    flow.send(ToResponder, b"SI\xff\xf1TE EXEC id\r\n");
    let rows = flow.end();
    let commands: Vec<_> =
        rows.iter().map(|row| (row["command"].as_str().unwrap(), row["arg"].as_str())).collect();
    let expected = [
        ("XEVIL", Some("rm -rf")),
        ("LS", Some("-la")),
        ("NOOP", None),
        ("QU\\x7f", None),
        ("SITE", Some("EXEC id")),
    ];
    assert_eq!(commands, expected);
    let odd = flow.odd();
    for expected in [("ftp_odd", "line ends with LF alone"), ("ftp_malformed", "line that is no command")] {
        assert!(odd.contains(&expected), "{odd:?}");
    }
}

#[test]
fn a_line_without_end_costs_itself_alone() {
    let mut flow = Flow::new();
    flow.client("RETR ");
    for _ in 0..100 {
        flow.client(&"A".repeat(1000));
    }
    flow.client("\r\nNOOP\r\n");
    flow.server("550 x\r\n200 y\r\n");
    let rows = flow.end();
    assert_eq!(rows.len(), 2);
    assert_eq!(rows[0]["arg"].as_str().map(str::len), Some(wire::MAX_LINE - 5));
    assert_eq!(rows[1]["reply_code"], 200);
    assert_eq!(flow.odd(), [("ftp_malformed", "line longer than 64 KiB")]);
}

#[test]
fn the_last_line_counts_without_its_end() {
    let mut flow = Flow::new();
    flow.client("NOOP\r\nQUIT\r");
    flow.server("200 a\r\n221 Good");
    flow.end_of_bytes();
    assert_eq!(brief(&flow.end()), [row("NOOP", "", 200, "a"), row("QUIT", "", 221, "Good")]);
    assert_eq!(flow.odd(), []);

    let mut flow = Flow::new();
    flow.client(&"A".repeat(40_000));
    flow.end_of_bytes();
    assert_eq!(flow.end()[0]["arg"].as_str().map(str::len), Some(40_000 - wire::MAX_VERB));
    assert_eq!(flow.odd(), [("ftp_malformed", "line that is no command")]);

    // The beginning of a hello is no line, nor is the rest of one that was lost or too long.
    for (before, rest) in [("", &b"\x16\x03"[..]), (&"A".repeat(wire::MAX_LINE + 1), b"rest")] {
        let mut flow = Flow::new();
        flow.client("AUTH TLS\r\n");
        flow.client(before);
        flow.send(ToResponder, rest);
        flow.end_of_bytes();
        assert_eq!(flow.end().len(), 1 + usize::from(!before.is_empty()));
    }
    let mut flow = Flow::new();
    flow.client("NOOP\r\n");
    flow.gap(ToResponder);
    flow.client("of a name");
    flow.end_of_bytes();
    assert_eq!(flow.end().len(), 1);
}

#[test]
fn bytes_that_are_no_lines_do_not_become_rows_without_end() {
    let mut flow = Flow::new();
    for _ in 0..20 {
        flow.send(ToResponder, &b"\x01\x02\n".repeat(100));
    }
    flow.client("QUIT\r\n");
    let rows = flow.end();
    assert_eq!(rows.len() as u32, MAX_JUNK + 1);
    let odd = flow.anomalies.entries();
    assert!(odd.iter().any(|entry| entry.name == AnomalyName::FtpMalformed && entry.occurrences == 2000));
    assert!(odd.iter().any(|entry| entry.name == AnomalyName::FtpShed));
}

#[test]
fn commands_without_replies_take_no_more_room_than_is_given() {
    let mut flow = Flow::new();
    let one = format!("CWD {}\r\n", "a".repeat(1000));
    for _ in 0..10 * MAX_PENDING {
        flow.client(&one);
        assert!(flow.session.held() < MAX_PENDING * 2000);
    }
    assert_eq!(flow.end().len(), 10 * MAX_PENDING);
    assert!(flow.odd().contains(&("ftp_shed", "commands without replies")));
}

#[test]
fn a_flow_caught_in_its_middle_is_turned_where_the_server_speaks_first() {
    let mut flow = Flow::new();
    flow.has_handshake = false;
    flow.send(ToResponder, b"226 done\r\n");
    assert!(flow.is_turned);
    assert_eq!(brief(&flow.end()), [row("", "", 226, "done")]);
}

#[test]
fn a_server_that_connects_to_its_client_is_heard_as_one() {
    let mut flow = Flow::new();
    flow.send(ToResponder, b"220 ready\r\n");
    flow.send(ToOriginator, b"PORT 10,0,0,2,0,9\r\n");
    assert!(!flow.is_turned);
    let rows = flow.end();
    assert_eq!(rows[1]["data_channel"]["src_ip"], "10.0.0.1");
    assert_eq!(rows[1]["bounce"], false);
}

#[test]
fn a_transfer_that_is_asked_for_before_its_channel_is_known_takes_that_one() {
    let mut flow = Flow::new();
    flow.client(
        "TYPE I\r\nSIZE 01\r\nPASV\r\nREST 3\r\nRETR 01\r\nSIZE 02\r\nPASV\r\nRETR 02\r\nPASV\r\nLIST\r\n",
    );
    flow.server("200 x\r\n213 10\r\n227 (10,0,0,2,7,208)\r\n");
    let first = flow.connect(2000);
    flow.server("350 x\r\n150 x\r\n");
    assert_eq!(flow.carried(first), (Some("01".into()), Some(10), 3, Verdict::Unknown));
    flow.server("226 x\r\n213 20\r\n227 (10,0,0,2,7,209)\r\n");
    let second = flow.connect(2001);
    flow.server("150 x\r\n226 x\r\n227 (10,0,0,2,7,210)\r\n");
    assert_eq!(flow.carried(first).3, Verdict::Complete);
    assert_eq!(flow.carried(second), (Some("02".into()), Some(20), 0, Verdict::Complete));
    let third = flow.connect(2002);
    flow.server("150 x\r\n426 x\r\n");
    assert_eq!(flow.carried(third), (None, None, 0, Verdict::Failed));
    let rows = flow.end();
    let carriers = rows.iter().filter(|row| row["data_uid"].is_string());
    let carriers: Vec<_> = carriers.map(|row| (row["command"].as_str(), row["arg"].as_str())).collect();
    let expected = [(Some("RETR"), Some("01")), (Some("RETR"), Some("02")), (Some("LIST"), None)];
    assert_eq!(carriers, expected);
}

#[test]
fn the_size_of_a_file_is_that_of_a_transfer_where_it_travels_as_it_is() {
    for (agreed, total) in [
        ("TYPE I", Some(7)),
        ("TYPE A", None),
        ("MODE Z", None),
        ("MODE B", None),
        ("mode s", Some(7)),
        ("REIN", None),
    ] {
        let mut flow = Flow::new();
        for (command, reply) in
            [("TYPE I", "200 x"), (agreed, "200 x"), ("SIZE a", "213 7"), ("PASV", "227 (10,0,0,2,7,208)")]
        {
            flow.client(&format!("{command}\r\n"));
            flow.server(if command == "REIN" { "220 x\r\n" } else { reply });
            flow.server(if command == "REIN" { "" } else { "\r\n" });
        }
        let ticket = flow.connect(2000);
        flow.client("RETR a\r\n");
        assert_eq!(flow.carried(ticket).1, total, "SIZE after {agreed}");
        flow.server("150 Opening for a (7 bytes)\r\n");
        assert_eq!(flow.carried(ticket).1, total, "150 after {agreed}");
    }
}

#[test]
fn a_transfer_whose_channel_was_refused_takes_none_of_another() {
    let mut flow = Flow::new();
    flow.client("PASV\r\nRETR a\r\nPASV\r\nRETR b\r\n");
    flow.server("500 x\r\n425 x\r\n227 (10,0,0,2,7,208)\r\n150 x\r\n");
    let ticket = flow.connect(2000);
    assert_eq!(flow.carried(ticket).0.as_deref(), Some("b"));
    // The client says at once that it listens elsewhere, when the first place is refused.
    let mut flow = Flow::new();
    flow.client("EPRT |1|10.0.0.1|2000|\r\nPORT 10,0,0,1,7,208\r\n");
    flow.server("500 x\r\n200 x\r\n");
    flow.client("STOR a\r\n");
    let to_client =
        Envelope { src: flow.envelope.dst, dst: flow.envelope.src, dst_port: 2000, ..flow.envelope };
    assert!(matches!(flow.transfers.begins(&to_client, 0, true, 1), Begun::Announced(_)));
}

proptest! {
    #[test]
    fn how_a_connection_is_cut_does_not_change_its_rows(parts in parts(), cuts in prop::collection::vec(1_usize..9, 1..9)) {
        let whole = outcome(&parts, &[]);
        prop_assert_eq!(&outcome(&parts, &[1]), &whole);
        prop_assert_eq!(&outcome(&parts, &cuts), &whole);
    }
}
