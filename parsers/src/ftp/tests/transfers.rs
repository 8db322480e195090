//! Data connections and TLS.

use super::*;

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
