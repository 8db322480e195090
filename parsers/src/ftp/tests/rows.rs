//! What a row says.

use super::*;

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
