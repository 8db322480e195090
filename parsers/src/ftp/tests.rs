//! Whole control connections, and the rows they give.

use proptest::prelude::*;
use schemas::anomaly::AnomalyName;
use schemas::batch::Records;
use schemas::column::Names;
use schemas::envelope::Envelope;
use schemas::flows::EndReason;
use schemas::json::debug_json;
use schemas::table::FTP;
use serde_json::{Value, json};

use super::{Ftp, MAX_JUNK, MAX_PENDING, wire};
use crate::context::{Anomalies, Context};
use crate::protocol::Direction::{self, ToOriginator, ToResponder};
use crate::protocol::{Progress, Protocol, Session};
use crate::services::Services;
use crate::settings::Settings;
use crate::transfers::{Begun, Carried, Ticket, Transfers, Verdict};

/// One flow on port 21, from 10.0.0.1 to 10.0.0.2, whose segments come in order.
struct Flow {
    session: Box<dyn Session>,
    envelope: Envelope,
    records: Records,
    anomalies: Anomalies,
    settings: Settings,
    transfers: Transfers,
    pending: [Vec<u8>; 2],
    has_handshake: bool,
    is_turned: bool,
    handed_over: bool,
}

impl Flow {
    fn new() -> Self {
        let address = |last| {
            let mut address = [0; 16];
            address[12..].copy_from_slice(&[10, 0, 0, last]);
            address
        };
        let envelope = Envelope {
            protocol: 6,
            src: address(1),
            dst: address(2),
            src_port: 1024,
            dst_port: 21,
            has_endpoints: true,
            ..Envelope::default()
        };
        Self {
            session: Ftp.session(),
            envelope,
            records: Records::default(),
            anomalies: Anomalies::default(),
            settings: Settings::default(),
            transfers: Transfers::default(),
            pending: Default::default(),
            has_handshake: true,
            is_turned: false,
            handed_over: false,
        }
    }

    fn with<T>(&mut self, act: impl FnOnce(&mut dyn Session, &mut Context<'_>) -> T) -> T {
        let Self { envelope, records, anomalies, settings, transfers, .. } = self;
        envelope.ts += 1_000_000;
        envelope.packet += 1;
        let mut services = Services::default();
        let mut cx = Context {
            has_handshake: self.has_handshake,
            transfers: Some(transfers),
            ..Context::new(envelope, records, anomalies, &mut services, settings)
        };
        let outcome = act(&mut *self.session, &mut cx);
        self.is_turned |= cx.flip;
        outcome
    }

    fn send(&mut self, direction: Direction, bytes: &[u8]) {
        let mut pending = std::mem::take(&mut self.pending[direction.index()]);
        pending.extend_from_slice(bytes);
        let mut handed_over = self.handed_over;
        let taken = self.with(|session, cx| {
            let mut taken = 0;
            while taken < pending.len() && !handed_over {
                match session.data(cx.turned(direction), &pending[taken..], cx).unwrap() {
                    Progress::Took(0) | Progress::Need(_) => break,
                    Progress::Took(count) => taken += count,
                    Progress::Handover => handed_over = true,
                    Progress::Done => panic!("it wants no more"),
                }
            }
            taken
        });
        self.handed_over = handed_over;
        self.pending[direction.index()] = pending.split_off(taken);
    }

    fn client(&mut self, text: &str) {
        self.send(ToResponder, text.as_bytes());
    }

    fn server(&mut self, text: &str) {
        self.send(ToOriginator, text.as_bytes());
    }

    fn gap(&mut self, direction: Direction) {
        self.pending[direction.index()].clear();
        self.with(|session, cx| session.gap(direction, 10, cx)).unwrap();
    }

    /// The client connects to this port of the server.
    fn connect(&mut self, port: u16) -> Ticket {
        let flow = Envelope { src_port: 2000, dst_port: port, uid: port.into(), ..self.envelope };
        match self.transfers.begins(&flow, 0, true, port.into()) {
            Begun::Announced(ticket) => ticket,
            other => panic!("{other:?}"),
        }
    }

    /// What is known of what a connection carries.
    fn carried(&self, ticket: Ticket) -> (Option<String>, Option<u64>, u64, Verdict) {
        let (_, carried, verdict) = self.transfers.known(ticket).unwrap();
        let Carried { filename, total, offset } = carried.as_deref().cloned().unwrap_or_default();
        (filename.map(|name| String::from_utf8_lossy(&name).into_owned()), total, offset, verdict)
    }

    /// Both ends close, with what has not become a line on its way.
    fn end_of_bytes(&mut self) {
        for direction in [ToResponder, ToOriginator] {
            let rest = std::mem::take(&mut self.pending[direction.index()]);
            if !rest.is_empty() && !self.handed_over {
                self.with(|session, cx| {
                    cx.end = Some(EndReason::Closed);
                    session.unfinished(cx.turned(direction), &rest, cx);
                });
            }
        }
    }

    /// The rows, in the order of their commands.
    fn end(&mut self) -> Vec<Value> {
        self.with(|session, cx| session.close(cx));
        let text = debug_json(&FTP, &self.records.ftp, &Names::default());
        let mut rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        rows.sort_by_key(|row| row["packet"].as_u64());
        rows
    }

    fn odd(&self) -> Vec<(&'static str, &str)> {
        self.anomalies.entries().iter().map(|entry| (entry.name.name(), &*entry.detail)).collect()
    }
}

/// What lines that begin with `> ` and `< ` give, as command, argument, code and text.
fn talk(lines: &str) -> Vec<(Value, Value, Value, Value)> {
    let mut flow = Flow::new();
    for line in lines.lines().map(str::trim_start) {
        match line.split_at(2) {
            ("> ", text) => flow.client(&format!("{text}\r\n")),
            ("< ", text) => flow.server(&format!("{text}\r\n")),
            _ => panic!("{line}"),
        }
    }
    brief(&flow.end())
}

fn brief(rows: &[Value]) -> Vec<(Value, Value, Value, Value)> {
    let part = |row: &Value, name: &str| row[name].clone();
    rows.iter()
        .map(|row| (part(row, "command"), part(row, "arg"), part(row, "reply_code"), part(row, "reply_text")))
        .collect()
}

fn row(command: &str, arg: &str, code: u16, text: &str) -> (Value, Value, Value, Value) {
    let some = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
    (some(command), some(arg), if code == 0 { Value::Null } else { json!(code) }, some(text))
}

const SESSION: &str = "< 220 ready
    > USER bob
    < 331 Password required
    > PASS hunter2
    < 230 Logged in
    > CWD pub
    < 250 OK
    > TYPE I
    < 200 OK
    > PASV
    < 227 Entering Passive Mode (10,0,0,2,7,138).
    > RETR a b
    < 150 Opening
    < 226 Done
    > QUIT
    < 221 Bye";

fn columns(lines: &str, name: &str) -> Vec<Value> {
    rows(lines).iter().map(|row| row[name].clone()).collect()
}

fn rows(lines: &str) -> Vec<Value> {
    let mut flow = Flow::new();
    for line in lines.lines().map(str::trim_start) {
        match line.split_at(2) {
            ("> ", text) => flow.client(&format!("{text}\r\n")),
            (_, text) => flow.server(&format!("{text}\r\n")),
        }
    }
    flow.end()
}

#[test]
fn a_command_and_its_reply_are_a_row() {
    assert_eq!(
        talk(SESSION),
        [
            row("", "", 220, "ready"),
            row("USER", "bob", 331, "Password required"),
            row("PASS", "<masked>", 230, "Logged in"),
            row("CWD", "pub", 250, "OK"),
            row("TYPE", "I", 200, "OK"),
            row("PASV", "", 227, "Entering Passive Mode (10,0,0,2,7,138)."),
            row("RETR", "a b", 226, "Opening\nDone"),
            row("QUIT", "", 221, "Bye"),
        ]
    );
}

#[test]
fn rows_know_who_and_where() {
    let nulls = |count| vec![Value::Null; count];
    let with = |mut values: Vec<Value>, name: &str, count| {
        values.extend(vec![json!(name); count]);
        values
    };
    assert_eq!(columns(SESSION, "username"), with(nulls(1), "bob", 7));
    assert_eq!(columns(SESSION, "password"), nulls(8));
    assert_eq!(columns(SESSION, "cwd"), with(with(nulls(3), ".", 1), "./pub", 4));
    assert_eq!(rows(SESSION)[6]["preliminary"], json!([150]));
    assert_eq!(rows(SESSION)[0]["preliminary"], json!([]));
}

#[test]
fn cwd_follows_what_the_server_confirms() {
    let lines = "> CWD a
        < 250 OK
        > CWD /b
        < 250 OK
        > CWD c
        < 550 No
        > CDUP
        < 250 OK
        > PWD
        < 257 \"/d \"\"e\"\"\" is current
        > MKD f
        < 257 \"/d/f\" created
        > CWD x
        < 250 \"/y\" is current directory
        > NOOP
        < 200 OK";
    let cwd = columns(lines, "cwd");
    let expected = [
        json!(null),
        json!(null),
        json!("/b"),
        json!("/b"),
        json!("/"),
        json!("/d \"e\""),
        json!("/d \"e\""),
        json!("/y"),
    ];
    assert_eq!(cwd, expected);
}

#[test]
fn passwords_are_shown_to_who_asks_and_where_there_is_none() {
    for (passwords, user, password, arg) in [
        (false, "bob", json!(null), "<masked>"),
        (true, "bob", json!("x y"), "x y"),
        (false, "Anonymous", json!("x y"), "<masked>"),
        (false, "ftp", json!("x y"), "<masked>"),
    ] {
        let mut flow = Flow::new();
        flow.settings.passwords = passwords;
        flow.client(&format!("USER {user}\r\n"));
        flow.server("331 \r\n");
        flow.client("PASS x y\r\n");
        flow.server("230 \r\n");
        flow.client("ACCT z\r\n");
        flow.server("230 \r\n");
        let rows = flow.end();
        assert_eq!(rows[0]["password"], json!(null));
        assert_eq!((&rows[1]["password"], &rows[1]["arg"]), (&password, &json!(arg)));
        assert_eq!(rows[2]["password"], password);
        assert_eq!(rows[2]["arg"], if passwords { "z" } else { "<masked>" });
    }
}

#[test]
fn what_was_meant_to_be_a_password_is_masked_too() {
    let rows = talk(
        "> PASSWD hunter2
        < 500 'PASSWD HUNTER2': command not understood.
        > PASShunter2
        < 500 'PASSHUNTER2': command not understood.
        > PAS hunter2
        < 500 What?
        > SITE PSWD old new
        < 200 OK",
    );
    assert_eq!(
        rows,
        [
            row("PASSWD", "<masked>", 500, "<masked>"),
            row("PASS", "<masked>", 500, "<masked>"),
            row("PAS", "<masked>", 500, "What?"),
            row("SITE", "PSWD <masked>", 200, "OK"),
        ]
    );
}

#[test]
fn another_user_and_rein_forget_who_it_was() {
    let lines = "> USER ftp
        < 331 x
        > PASS a@b
        < 230 x
        > USER eve
        < 331 x
        > REIN
        < 220 x
        > NOOP
        < 530 x";
    assert_eq!(
        columns(lines, "username"),
        ["ftp", "ftp", "eve", "eve", ""].map(|name| match name {
            "" => Value::Null,
            name => json!(name),
        })
    );
    assert_eq!(columns(lines, "password")[..3], [json!(null), json!("a@b"), json!(null)]);
    assert_eq!(columns(lines, "cwd")[4], json!(null));
}

#[test]
fn replies_have_many_lines() {
    let rows = talk(
        "< 220-Welcome
        < 226 is a number
        < 220-to
        <   us
        < 220 ready
        > FEAT
        < 211-Features:
        <  EPSV
        < 211 End",
    );
    assert_eq!(
        rows,
        [
            row("", "", 220, "Welcome\n226 is a number\nto\n  us\nready"),
            row("FEAT", "", 211, "Features:\n EPSV\nEnd"),
        ]
    );
}

#[test]
fn a_reply_without_its_last_line_does_not_swallow_the_next() {
    let rows = talk(
        "> HELP
        < 214-Commands:
        < 214-QUIT
        > NOOP
        < 200 OK",
    );
    assert_eq!(rows, [row("HELP", "", 214, "Commands:\nQUIT"), row("NOOP", "", 200, "OK")]);
}

#[test]
fn text_that_is_no_text_can_be_had_back() {
    let mut flow = Flow::new();
    flow.send(ToResponder, b"RETR \xe4\0\xff\xff\\x41\r\n");
    flow.send(ToOriginator, b"550-\xe4\r\n\tb\r\n550 c\r\n");
    assert_eq!(brief(&flow.end()), [row("RETR", r"\xe4\x00\xff\x5cx41", 550, "\\xe4\n\\x09b\nc")]);
}

#[test]
fn an_abort_and_what_it_aborts_have_a_reply_each() {
    for (lines, codes) in [
        ("> RETR a\n< 150 x\n> ABOR\n< 426 x\n< 226 x", [426, 226]),
        ("> RETR a\n< 150 x\n> ABOR\n< 226 x\n< 225 x", [226, 225]),
        ("> RETR a\n< 150 x\n< 226 x\n> ABOR\n< 226 x", [226, 226]),
    ] {
        let rows = rows(lines);
        assert_eq!(
            [&rows[0]["reply_code"], &rows[1]["reply_code"]],
            [&json!(codes[0]), &json!(codes[1])],
            "{lines}"
        );
    }
    let mut flow = Flow::new();
    flow.client("RETR a\r\n");
    flow.server("150 x\r\n");
    flow.send(ToResponder, b"\xff\xf4\xff\xf2ABOR\r\n");
    flow.server("426 x\r\n226 x\r\n");
    assert_eq!(brief(&flow.end())[1], row("ABOR", "", 226, "x"));
    assert_eq!(flow.odd(), []);
}

#[test]
fn an_abort_that_is_not_answered_does_not_shift_what_follows() {
    let rows = talk("> RETR a\n< 150 x\n> ABOR\n< 426 y\n> NOOP\n< 200 z\n> QUIT\n< 221 q");
    let expected = [
        row("RETR", "a", 426, "x\ny"),
        row("ABOR", "", 0, ""),
        row("NOOP", "", 200, "z"),
        row("QUIT", "", 221, "q"),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn what_is_said_behind_426_is_to_no_other_transfer() {
    let rows = talk("> STOR a\n< 150 x\n< 426 y\n> RETR b\n< 226 z\n< 150 o\n< 226 d\n> NOOP\n< 200 n");
    let expected = [
        row("STOR", "a", 426, "x\ny"),
        row("RETR", "b", 226, "o\nd"),
        row("", "", 226, "z"),
        row("NOOP", "", 200, "n"),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn what_is_asked_during_a_transfer_is_answered_in_between() {
    let rows = talk(
        "> STOR a
        < 150 x
        > STAT
        < 211-Status
        < 211 so far
        > NOOP
        < 200 OK
        > NOPE
        < 500 What?
        < 226 Done",
    );
    let expected = [
        row("STOR", "a", 226, "x\nDone"),
        row("STAT", "", 211, "Status\nso far"),
        row("NOOP", "", 200, "OK"),
        row("NOPE", "", 500, "What?"),
    ];
    assert_eq!(rows, expected);
}

#[test]
fn pipelined_commands_are_answered_in_order() {
    let mut flow = Flow::new();
    flow.client("USER a\r\nPASS b\r\nTYPE I\r\nPWD\r\nCWD x\r\nQUIT\r\n");
    flow.server("220 hi\r\n331 a\r\n230 b\r\n200 c\r\n257 \"/\"\r\n250 e\r\n221 f\r\n");
    let rows = flow.end();
    let codes: Vec<_> =
        rows.iter().map(|row| (row["command"].as_str(), row["reply_code"].as_i64())).collect();
    let expected = [
        (Some("USER"), Some(331)),
        (Some("PASS"), Some(230)),
        (Some("TYPE"), Some(200)),
        (Some("PWD"), Some(257)),
        (Some("CWD"), Some(250)),
        (Some("QUIT"), Some(221)),
        (None, Some(220)),
    ];
    assert_eq!(codes, expected);
}

#[test]
fn either_side_alone_has_rows() {
    let client: String = SESSION.lines().filter(|line| line.contains("> ")).collect::<Vec<_>>().join("\n");
    let of_client = talk(&client);
    assert_eq!(of_client.len(), 7);
    assert_eq!(of_client[5], row("RETR", "a b", 0, ""));
    let server: String = SESSION.lines().filter(|line| line.contains("< ")).collect::<Vec<_>>().join("\n");
    let of_server = talk(&server);
    assert_eq!(of_server.len(), 8);
    assert_eq!(of_server[6], row("", "", 226, "Opening\nDone"));
    assert_eq!(rows(&server)[5]["data_channel"]["dst_port"], 1930);
}

#[test]
fn replies_that_nobody_asked_for_are_rows() {
    let rows = talk("< 120 wait\n< 220 ready\n> NOOP\n< 200 OK\n< 421 Timeout");
    assert_eq!(
        rows,
        [row("", "", 220, "wait\nready"), row("NOOP", "", 200, "OK"), row("", "", 421, "Timeout")]
    );
}

#[test]
fn data_connections_are_as_they_were_named() {
    let lines = "> PORT 10,0,0,1,7,138
        < 200 OK
        > EPRT |1|10.9.9.9|25|
        < 500 No
        > EPRT |2|2001:db8::1|26|
        < 200 OK
        > LPRT 4,4,10,0,0,1,2,0,27
        < 200 OK
        > PASV
        < 227 =10,0,0,2,7,138
        > PASV
        < 227 (192,168,0,9,7,138)
        > PASV
        < 227 (0,0,0,0,7,138)
        > EPSV
        < 229 (|||28|)
        > NOOP
        < 200 OK";
    let channel = |passive: bool, src: &str, dst: &str, port: u16| json!({"passive": passive, "src_ip": src, "dst_ip": dst, "dst_port": port});
    let expected = [
        (channel(false, "10.0.0.2", "10.0.0.1", 1930), json!(false)),
        (channel(false, "10.0.0.2", "10.9.9.9", 25), json!(true)),
        (channel(false, "10.0.0.2", "2001:db8::1", 26), json!(true)),
        (channel(false, "10.0.0.2", "10.0.0.1", 27), json!(false)),
        (channel(true, "10.0.0.1", "10.0.0.2", 1930), json!(false)),
        (channel(true, "10.0.0.1", "192.168.0.9", 1930), json!(true)),
        (channel(true, "10.0.0.1", "0.0.0.0", 1930), json!(false)),
        (channel(true, "10.0.0.1", "10.0.0.2", 28), json!(false)),
        (json!(null), json!(null)),
    ];
    let found: Vec<_> =
        rows(lines).iter().map(|row| (row["data_channel"].clone(), row["bounce"].clone())).collect();
    assert_eq!(found, expected);
}

#[test]
fn tls_is_handed_over_by_its_hello() {
    const HELLO: &[u8] = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03";
    for reply in ["234 Go ahead\r\n", ""] {
        let mut flow = Flow::new();
        flow.client("AUTH TLS\r\n");
        flow.server(reply);
        assert!(!flow.handed_over);
        for byte in HELLO {
            assert!(!flow.handed_over);
            flow.send(ToResponder, &[*byte]);
        }
        assert!(flow.handed_over);
        let rows = flow.end();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0]["tls"], true);
    }
    let lines = "> AUTH TLS\n< 500 What?\n> NOOP\n< 200 OK";
    assert_eq!(columns(lines, "tls"), [json!(false), json!(false)]);
}

#[test]
fn commands_behind_an_accepted_auth_are_read_where_they_come_in_clear() {
    let rows = rows("> AUTH TLS\n< 234 OK\n> USER bob\n< 331 x");
    assert_eq!(rows[1]["command"], "USER");
}

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

fn parts() -> impl Strategy<Value = Vec<(bool, Vec<u8>)>> {
    let client = prop::sample::select(vec![
        &b"USER a\r\n"[..],
        b"PASS b\r\n",
        b"RETR x\r\n",
        b"\xff\xf4\xff\xf2ABOR\r\n",
        b"PASV\r\n",
        b"PORT 1,2,3,4,5,6\r\n",
        b"CWD y\n",
        b"CDUP\r\n",
        b"AUTH TLS\r\n",
        b"\r\n",
        b"STAT\r\n",
        b"\x01\xe4 z\n",
        b"NO",
        b"OP\r\n",
        b" ",
        b"\x16\x03",
        b"\r",
    ]);
    let server = prop::sample::select(vec![
        &b"220 x\r\n"[..],
        b"331 x\r\n",
        b"230-x\r\n",
        b"230 x\n",
        b"150 x\r\n",
        b"226 x\r\n",
        b"426 x\r\n",
        b"250 x\r\n",
        b"227 (1,2,3,4,5,6)\r\n",
        b"257 \"/q\"\r\n",
        b"211-a\r\n b\r\n211 c\r\n",
        b"234 x\r\n",
        b"99 x\r\n",
        b"junk\r\n",
        b"2",
        b"\r\n",
        b"500 x\r\n",
    ]);
    prop::collection::vec(
        prop_oneof![
            client.prop_map(|part| (false, part.to_vec())),
            server.prop_map(|part| (true, part.to_vec()))
        ],
        0..40,
    )
}

fn outcome(parts: &[(bool, Vec<u8>)], cuts: &[usize]) -> (String, String, bool) {
    let mut flow = Flow::new();
    let mut cuts = cuts.iter().cycle();
    for (part, (to_originator, bytes)) in parts.iter().enumerate() {
        let direction = if *to_originator { ToOriginator } else { ToResponder };
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at(cuts.next().map_or(rest.len(), |cut| *cut).min(rest.len()));
            // The number of the packet is that of the part, however often it is cut.
            (flow.envelope.ts, flow.envelope.packet) = (part as i64 * 1_000_000, part as u64);
            flow.send(direction, now);
            rest = later;
        }
    }
    flow.envelope.packet = parts.len() as u64;
    flow.end_of_bytes();
    let rows = flow.end();
    let odd = flow.anomalies.entries().iter().map(|entry| (entry.name, &entry.detail, entry.occurrences));
    (format!("{rows:?}"), format!("{:?}", odd.collect::<Vec<_>>()), flow.handed_over)
}

proptest! {
    #[test]
    fn how_a_connection_is_cut_does_not_change_its_rows(parts in parts(), cuts in prop::collection::vec(1_usize..9, 1..9)) {
        let whole = outcome(&parts, &[]);
        prop_assert_eq!(&outcome(&parts, &[1]), &whole);
        prop_assert_eq!(&outcome(&parts, &cuts), &whole);
    }
}
