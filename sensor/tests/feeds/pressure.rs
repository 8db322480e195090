//! What is left undone when packets come too fast, or memory is short: what matters least goes first.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use etherparse::PacketBuilder;
use schemas::envelope::Nanoseconds;
use sensor::counters::Report;

use crate::made::{Made, NOVEMBER, Step, dns, ran, rows, syn};

/// A connection to a web server, as its packets come by.
struct Connection {
    client: [u8; 4],
    sent: [u32; 2],
}

impl Connection {
    fn new(client: [u8; 4]) -> Self {
        Self { client, sent: [1000, 5000] }
    }

    fn segment(&mut self, is_answer: bool, flags: &str, payload: &[u8]) -> Vec<u8> {
        let server = [192, 0, 2, 80];
        let (from, to, ports) = match is_answer {
            false => (self.client, server, (40_000, 80)),
            true => (server, self.client, (80, 40_000)),
        };
        let [own, other] = [self.sent[usize::from(is_answer)], self.sent[usize::from(!is_answer)]];
        let mut builder =
            PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4(from, to, 64).tcp(ports.0, ports.1, own, 64_000);
        if flags.contains('S') {
            builder = builder.syn();
        }
        if flags.contains('A') {
            builder = builder.ack(other);
        }
        if flags.contains('F') {
            builder = builder.fin();
        }
        let takes = payload.len() as u32 + u32::from(flags.contains(['S', 'F']));
        self.sent[usize::from(is_answer)] = own.wrapping_add(takes);
        let mut packet = Vec::new();
        builder.write(&mut packet, payload).unwrap();
        packet
    }

    /// Handshake and request.
    fn asks(&mut self) -> Vec<Vec<u8>> {
        vec![
            self.segment(false, "S", b""),
            self.segment(true, "SA", b""),
            self.segment(false, "A", b""),
            self.segment(false, "A", b"GET /a.bin HTTP/1.1\r\nHost: a.test\r\n\r\n"),
        ]
    }

    /// Head of the response, and as many kilobytes of the body.
    fn answers(&mut self, length: usize, kilobytes: usize) -> Vec<Vec<u8>> {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", length * 1000);
        let mut packets = vec![self.segment(true, "A", head.as_bytes())];
        packets.extend(self.body(kilobytes));
        packets
    }

    fn body(&mut self, kilobytes: usize) -> Vec<Vec<u8>> {
        (0..kilobytes)
            .flat_map(|_| [self.segment(true, "A", &[b'x'; 1000]), self.segment(false, "A", b"")])
            .collect()
    }

    fn ends(&mut self) -> Vec<Vec<u8>> {
        vec![self.segment(true, "FA", b""), self.segment(false, "FA", b""), self.segment(true, "A", b"")]
    }
}

const BULK: [u8; 4] = [10, 3, 0, 1];
const BEGUN: [u8; 4] = [10, 3, 0, 2];
const NEW: [u8; 4] = [10, 3, 0, 3];

/// A download that has carried much, and a request, both half done; then a ring so full; then the rest of both, a new
/// request with its response, a question in a datagram, and a handshake.
fn under(fill: u8) -> Seen {
    let [mut bulk, mut begun, mut new] = [BULK, BEGUN, NEW].map(Connection::new);
    let before = [bulk.asks(), bulk.answers(600, 300), begun.asks()].concat();
    let after = [
        bulk.body(300),
        bulk.ends(),
        begun.answers(1, 1),
        begun.ends(),
        new.asks(),
        new.answers(1, 1),
        new.ends(),
        vec![dns([10, 3, 0, 4], 1, false), dns([10, 3, 0, 4], 1, true), syn(5)],
    ]
    .concat();
    let frame = |(number, packet)| Step::Frame(NOVEMBER + number as Nanoseconds * 1_000_000, packet);
    let count = before.len();
    let steps = before
        .into_iter()
        .enumerate()
        .map(frame)
        // It is looked at behind the frames that wait.
        .chain([Step::Fill(fill), Step::Idle(Duration::from_nanos(1))])
        .chain(after.into_iter().enumerate().map(move |(number, packet)| frame((count + number, packet))));
    let (lake, report) = ran(vec![Made::new(steps)], |_| {});
    let by_client = |table: &str, column: &str| -> BTreeMap<String, String> {
        rows(lake.path(), table, &["src_ip.address", column])
            .into_iter()
            .map(|row| (row[0].clone(), row[1].clone()))
            .collect()
    };
    let shed = rows(lake.path(), "anomaly", &["name", "src_ip.address"])
        .into_iter()
        .filter(|row| row[0] == "stream_shed")
        .map(|row| row[1].clone())
        .collect();
    Seen {
        requests: by_client("http", "response.status_code"),
        files: by_client("file", "complete"),
        questions: rows(lake.path(), "dns", &["id"]).len(),
        shed,
        report,
    }
}

/// What became of it.
struct Seen {
    requests: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
    questions: usize,
    /// Clients whose streams were shed.
    shed: Vec<String>,
    report: Report,
}

fn map<const N: usize>(pairs: [([u8; 4], &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(client, value)| (std::net::Ipv4Addr::from(client).to_string(), value.to_owned())).into()
}

#[test]
fn what_matters_least_is_left_undone_first() {
    let queue = |seen: &Seen| seen.report.lost.as_ref().unwrap().queue;
    let calm = under(20);
    assert_eq!(calm.requests, map([(BULK, "200"), (BEGUN, "200"), (NEW, "200")]));
    assert_eq!(calm.files, map([(BULK, "true"), (BEGUN, "true"), (NEW, "true")]));
    assert_eq!((calm.questions, calm.shed.len(), calm.report.flows, queue(&calm)), (1, 0, 5, 0));

    let bulk = under(55);
    assert_eq!(bulk.requests, calm.requests, "requests are read, also of the download");
    assert_eq!(bulk.files, map([(BULK, "false"), (BEGUN, "true"), (NEW, "true")]));
    assert_eq!((bulk.questions, bulk.report.flows, queue(&bulk)), (1, 5, 0));
    assert_eq!(bulk.shed, ["10.3.0.1"]);

    let streams = under(80);
    assert_eq!(streams.requests, map([(BULK, "200"), (BEGUN, "200")]));
    assert_eq!(streams.files, map([(BULK, "false"), (BEGUN, "true")]));
    assert_eq!((streams.questions, streams.report.flows, queue(&streams)), (1, 5, 0), "flows are followed");
    assert_eq!(streams.shed, ["10.3.0.1", "10.3.0.3"]);

    let flows = under(95);
    assert_eq!(
        (&flows.requests, &flows.files, &flows.shed),
        (&streams.requests, &streams.files, &streams.shed)
    );
    // Both packets of the question.
    assert_eq!((flows.questions, flows.report.flows, queue(&flows)), (0, 4, 2), "handshakes come last");
}

#[test]
fn memory_that_is_short_is_as_a_ring_that_is_full() {
    let packets = (0..10_u8).map(|number| dns([10, 3, 1, number], 1, false));
    let steps = std::iter::once(syn(1)).chain(packets).enumerate().map(|(number, packet)| {
        if number == 1 {
            // What is in use is looked at once a second.
            thread::sleep(Duration::from_millis(2500));
        }
        [Step::Frame(NOVEMBER + number as Nanoseconds, packet), Step::Idle(Duration::from_nanos(1))]
    });
    let (_lake, report) = ran(vec![Made::new(steps.flatten())], |capture| capture.memory = Some(1 << 20));
    // The level is taken over behind the first packet that comes then.
    assert_eq!((report.flows, report.lost.unwrap().queue), (2, 9));
}
