//! Those who are told: what they get, and what happens when they do not listen.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::scene::{NOVEMBER, Scene, complaints, query};

const EVIL: &str = "bad\u{202e}\u{1b}[31m\"]\\\n.example";

fn scene() -> Scene {
    let scene = Scene::new();
    scene.rule("bad-names", "severity = 'critical'\nwindow = '1h'\nkey = ['client', 'query']");
    scene
}

/// What was asked of a server: the head, and the body.
type Request = (String, String);

/// A server that answers each request in turn with these codes, the last for ever; 0 is no answer at all.
fn server(codes: &'static [u16]) -> (String, Receiver<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hooks/secret-token", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut codes = codes.iter().copied().peekable();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            // A connection may bring several requests.
            loop {
                let mut head = String::new();
                while !head.ends_with("\r\n\r\n") {
                    if reader.read_line(&mut head).unwrap_or_default() == 0 {
                        break;
                    }
                }
                if head.is_empty() {
                    break;
                }
                let length = head
                    .lines()
                    .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
                let mut body = vec![0; length.unwrap()];
                reader.read_exact(&mut body).unwrap();
                let code = *codes.peek().unwrap();
                if codes.len() > 1 {
                    codes.next();
                }
                if sender.send((head, String::from_utf8(body).unwrap())).is_err() || code == 0 {
                    break;
                }
                let moved = if code == 302 { "Location: /elsewhere\r\n" } else { "" };
                write!(stream, "HTTP/1.1 {code} X\r\n{moved}Content-Length: 0\r\n\r\n").unwrap();
            }
        }
    });
    (url, receiver)
}

#[test]
fn a_webhook_gets_each_signal_and_is_tried_again_until_it_takes_it() {
    let scene = scene();
    scene.publish(1, &[query(NOVEMBER, 1, EVIL)]);
    // It fails, says nothing, points elsewhere, and takes it then.
    let (url, requests) = server(&[503, 0, 302, 204]);
    let output = scene.run(&["bad-names", "--to", &url]);
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty());
    let requests: Vec<Request> = requests.try_iter().collect();
    assert_eq!(requests.len(), 4);
    let (head, body) = &requests[3];
    assert!(head.starts_with("POST /hooks/secret-token HTTP/1.1\r\n"), "{head}");
    let signal: serde_json::Value = serde_json::from_str(body).unwrap();
    let id = signal["signal_id"].as_str().unwrap();
    let head = head.to_lowercase();
    assert!(head.contains("content-type: application/json\r\n"), "{head}");
    assert!(head.contains(&format!("idempotency-key: {id}\r\n")), "{head}");
    assert_eq!(signal["key"], r#"client=10.1.1.1, query=bad\u{202e}\u{1b}[31m"]\\n.example"#);
    assert!(requests.iter().all(|request| request.1 == *body));
    // Where the webhook is, the path of which is a secret, is told by its host alone.
    assert!(complaints(&output).contains("webhook at 127.0.0.1: the answer is 503"), "{output:?}");
    assert!(!complaints(&output).contains("secret-token"), "{output:?}");
}

#[test]
fn what_a_webhook_did_not_take_waits_for_the_next_run() {
    let scene = scene();
    scene.publish(1, &[query(NOVEMBER, 1, "bad.a"), query(NOVEMBER, 2, "bad.b")]);
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let url = format!("http://{address}/");
    let mut runner =
        scene.command(&["bad-names", "--to", &url, "--to", "stdout", "--follow", "--every", "1"]);
    let mut runner =
        runner.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap();
    // The others are told meanwhile.
    let mut lines = BufReader::new(runner.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("CRITICAL bad-names"));
    assert!(lines.next().unwrap().unwrap().contains("query=bad.b"));
    runner.kill().unwrap();
    runner.wait().unwrap();
    let listener = TcpListener::bind(address).unwrap();
    let taken = std::thread::spawn(move || {
        let mut bodies = Vec::new();
        while bodies.len() < 2 {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let mut text = String::new();
            let mut buffer = [0; 4096];
            while !text.ends_with('}') {
                let length = stream.read(&mut buffer).unwrap();
                text.push_str(&String::from_utf8_lossy(&buffer[..length]));
            }
            bodies.push(text);
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n").unwrap();
        }
        bodies
    });
    // Nothing is new, but these wait; a signal that is refused for good is told, and holds up nobody.
    let output = scene.run(&["bad-names", "--to", &url]);
    assert!(output.status.success(), "{output:?}");
    let bodies = taken.join().unwrap();
    assert!(bodies[0].contains("bad.a") && bodies[1].contains("bad.b"), "{bodies:?}");
    let (url, requests) = server(&[400, 200]);
    scene.publish(2, &[query(NOVEMBER, 3, "bad.c"), query(NOVEMBER, 4, "bad.d")]);
    let output = scene.run(&["bad-names", "--to", &url]);
    assert!(output.status.success() && complaints(&output).contains("does not take signal"), "{output:?}");
    assert_eq!(requests.try_iter().count(), 2);
}

#[test]
fn syslog_gets_messages_as_its_standard_has_them() {
    let scene = scene();
    scene.publish(1, &[query(NOVEMBER + 1, 1, EVIL)]);
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let path = scene.path("log");
    let unix = UnixDatagram::bind(&path).unwrap();
    for timeout in [
        udp.set_read_timeout(Some(Duration::from_secs(5))),
        unix.set_read_timeout(Some(Duration::from_secs(5))),
    ] {
        timeout.unwrap();
    }
    let hosts = [format!("syslog://{}", udp.local_addr().unwrap()), format!("syslog:{}", path.display())];
    let output = scene.run(&["bad-names", "--to", &hosts[0], "--to", &hosts[1]]);
    assert!(output.status.success(), "{output:?}");
    let mut buffer = [0; 9000];
    let length = udp.recv(&mut buffer).unwrap();
    let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
    let length = unix.recv(&mut buffer).unwrap();
    assert_eq!(message.as_bytes(), &buffer[..length]);
    // Local use 0, critical.
    assert!(message.starts_with("<130>1 2026-11-01T00:00:01.000000Z "), "{message}");
    let parts: Vec<&str> = message.splitn(8, ' ').collect();
    assert_eq!((parts[3], parts[5]), ("spanlake-hunt", "signal"));
    assert!(message.contains(" signal [spanlake@32473 signal_id=\""), "{message}");
    assert!(
        message.contains(r#" rule="bad-names" severity="critical" technique="T1071.004" src_ip="10.1.1.1" "#)
    );
    assert!(
        message.contains(r#" key="client=10.1.1.1, query=bad\\u{202e}\\u{1b}[31m\"\]\\\\n.example" "#),
        "{message}"
    );
    assert!(!message.contains(['\u{202e}', '\u{1b}', '\n']), "{message}");
    // Once: not in the next run again.
    assert!(scene.run(&["bad-names", "--to", &hosts[0]]).status.success());
    udp.set_nonblocking(true).unwrap();
    assert!(udp.recv(&mut buffer).is_err());
}

#[test]
fn a_terminal_is_not_steered_by_what_is_on_the_wire() {
    let scene = scene();
    scene.publish(1, &[query(NOVEMBER + 1, 1, EVIL)]);
    let output = scene.run(&["bad-names"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        text.split(" (").next().unwrap(),
        "2026-11-01T00:00:01.000000Z CRITICAL bad-names: Bad names: client=10.1.1.1, \
         query=bad\\u{202e}\\u{1b}[31m\"]\\\\n.example, 1 in 2026-11-01T00:00:00.000000Z to 2026-11-01T01:00:00.000000Z"
    );
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn a_receiver_that_is_none_is_refused() {
    let scene = scene();
    for to in ["nowhere", "syslog://", "http://", "ftp://example.test/"] {
        let output = scene.run(&["bad-names", "--to", to]);
        assert_eq!(output.status.code(), Some(1), "{to}");
        assert_eq!(complaints(&output).lines().count(), 1, "{output:?}");
    }
    let output = scene.run(&["bad-names", "--to", "webhook"]);
    assert!(complaints(&output).contains("SPANLAKE_HUNT_WEBHOOK, which is not set"), "{output:?}");
}
