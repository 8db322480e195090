//! Which reply answers which command.

use super::*;

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
