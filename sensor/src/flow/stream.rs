//! The stream of a TCP flow: what waits in it counts against the memory of its shard.

use parsers::context::Context;
use parsers::protocol::{Direction, Protocol, Session};
use parsers::stream;

use super::budget::Budget;

/// What an anomaly says of a stream that was not read, or not to its end, because there was no time for it.
pub const NO_TIME: &str = "not read: the sensor could not keep up";

/// What is known of the protocol of a stream.
#[derive(Debug, Default)]
pub struct Stream {
    inner: stream::Stream,
    /// Bytes taken from the shard's budget.
    accounted: usize,
    /// Exchanges that its sessions have numbered.
    exchanges: u32,
}

impl Stream {
    /// Whether no more bytes are wanted: the flow then only counts them.
    pub fn is_over(&self) -> bool {
        self.inner.is_over()
    }

    /// Bytes held here, by the session too.
    pub fn held(&self) -> usize {
        self.inner.held()
    }

    /// Shows the next bytes of a direction.
    pub fn data(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>, budget: &mut Budget) {
        if self.is_over() || bytes.is_empty() {
            return;
        }
        cx.exchanges = self.exchanges;
        self.inner.data(direction, bytes, cx);
        self.account(cx, budget);
    }

    /// `missing` bytes of a direction will not come.
    pub fn gap(&mut self, direction: Direction, missing: u64, cx: &mut Context<'_>, budget: &mut Budget) {
        cx.exchanges = self.exchanges;
        self.inner.gap(direction, missing, cx);
        self.account(cx, budget);
    }

    /// Somebody may come to say what this is: what nobody recognises is kept for a while.
    pub fn await_claim(&mut self) {
        self.inner.await_claim();
    }

    /// It is this protocol, somebody says who must know. Returns whether all that came before is still here.
    pub fn claim(
        &mut self,
        protocol: &'static dyn Protocol,
        session: Box<dyn Session>,
        cx: &mut Context<'_>,
        budget: &mut Budget,
    ) -> bool {
        cx.exchanges = self.exchanges;
        let is_whole = self.inner.claim(protocol, session, cx);
        self.account(cx, budget);
        is_whole
    }

    /// Originator and responder changed places.
    pub fn flip(&mut self) {
        self.inner.flip();
    }

    /// Time has passed on a flow that lives on.
    pub fn expire(&mut self, cx: &mut Context<'_>) {
        cx.exchanges = self.exchanges;
        self.inner.expire(cx);
        self.exchanges = cx.exchanges;
    }

    /// The flow is over.
    pub fn close(&mut self, cx: &mut Context<'_>, budget: &mut Budget) {
        cx.exchanges = self.exchanges;
        self.inner.close(cx);
        self.account(cx, budget);
    }

    /// Ends the analysis of this flow, told: there is no time for it.
    pub fn give_up(&mut self, cx: &mut Context<'_>, budget: &mut Budget) {
        cx.exchanges = self.exchanges;
        budget.release(std::mem::take(&mut self.accounted));
        self.inner.give_up(NO_TIME, cx);
        self.exchanges = cx.exchanges;
    }

    /// Holds what waits to the budget: what does not fit ends the analysis of this flow, told.
    fn account(&mut self, cx: &mut Context<'_>, budget: &mut Budget) {
        let held = self.held();
        budget.release(self.accounted);
        if self.inner.is_overfull() || !budget.take(held) {
            budget.shed(held);
            self.inner.shed(cx);
            self.accounted = 0;
        } else {
            self.accounted = held;
        }
        self.exchanges = cx.exchanges;
    }
}

#[cfg(test)]
mod tests {
    use parsers::context::Anomalies;
    use parsers::services::Services;
    use parsers::settings::Settings;
    use schemas::batch::Records;
    use schemas::envelope::Envelope;

    use super::*;

    /// A query over TCP for a name of so many labels.
    fn query(id: u8, labels: usize) -> Vec<u8> {
        let name = [&b"\x07example"[..]].repeat(labels).concat();
        let message = [&[0, id, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], name.as_slice(), &[0, 0, 1, 0, 1]].concat();
        [&(message.len() as u16).to_be_bytes()[..], &message].concat()
    }

    /// The rows of `dns` and `http` of a flow in which these pieces go.
    fn rows(pieces: &[(Direction, &[u8])]) -> (usize, usize) {
        rows_on(53, pieces)
    }

    /// The same on another port.
    fn rows_on(port: u16, pieces: &[(Direction, &[u8])]) -> (usize, usize) {
        let (records, _) = read(port, pieces);
        (records.dns.rows.len(), records.http.rows.len())
    }

    /// What comes of a flow on a port in which these pieces go: its rows, and what it speaks.
    fn read(port: u16, pieces: &[(Direction, &[u8])]) -> (Records, Vec<&'static str>) {
        let mut envelope = Envelope { protocol: 6, dst_port: port, ..Envelope::default() };
        let (mut records, mut anomalies) = (Records::default(), Anomalies::default());
        let (mut services, settings) = (Services::default(), Settings::default());
        let (mut stream, mut budget) = (Stream::default(), Budget::new(1 << 20));
        let mut cx = Context::new(&mut envelope, &mut records, &mut anomalies, &mut services, &settings);
        for (direction, piece) in pieces {
            stream.data(*direction, piece, &mut cx, &mut budget);
        }
        stream.close(&mut cx, &mut budget);
        assert_eq!(budget.used(), 0);
        (records, services.names().collect())
    }

    #[test]
    fn a_short_message_does_not_wait_for_as_much_as_a_long_one_before_it() {
        let (long, short) = (query(1, 20), query(2, 1));
        let (front, back) = long.split_at(100);
        let (start, end) = short.split_at(10);
        let pieces = [&query(0, 1), front, &[back, start].concat(), end];
        assert_eq!(rows(&pieces.map(|piece| (Direction::ToResponder, piece))), (3, 0));
    }

    #[test]
    fn what_follows_a_handover_in_the_same_segment_is_identified_anew() {
        let both = b"HTTP/1.1 200 Connected\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        let pieces: [(Direction, &[u8]); 2] = [
            (Direction::ToResponder, b"CONNECT a.test:80 HTTP/1.1\r\n\r\n"),
            (Direction::ToOriginator, both),
        ];
        assert_eq!(rows(&pieces), (0, 2));
    }

    /// What a client and a server of HTTP/2 say: the preface, SETTINGS, a request and its response.
    const CLIENT: &[u8] =
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0\0\0\x03\x01\x05\0\0\0\x01\x82\x86\x84";
    const SERVER: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64\0\0\x01\x01\x05\0\0\0\x01\x88";

    #[test]
    fn http2_is_recognised_whoever_begins_and_however_it_is_cut() {
        for port in [80, 81] {
            for size in [1, 5, 16, 100] {
                let client = CLIENT.chunks(size).map(|piece| (Direction::ToResponder, piece));
                let server = SERVER.chunks(size).map(|piece| (Direction::ToOriginator, piece));
                let client_first: Vec<_> = client.clone().chain(server.clone()).collect();
                assert_eq!(rows_on(port, &client_first), (0, 1), "pieces of {size} on {port}");
                // The server says its SETTINGS at once, and the rest when it has been asked.
                let (settings, answer) = SERVER.split_at(15);
                let settings = settings.chunks(size).map(|piece| (Direction::ToOriginator, piece));
                let answer = answer.chunks(size).map(|piece| (Direction::ToOriginator, piece));
                let server_first: Vec<_> = settings.chain(client).chain(answer).collect();
                assert_eq!(rows_on(port, &server_first), (0, 1), "pieces of {size} on {port}");
                assert_eq!(rows_on(port, &server.collect::<Vec<_>>()), (0, 1));
            }
        }
    }

    #[test]
    fn http2_within_a_tunnel_is_read() {
        let pieces: [(Direction, &[u8]); 4] = [
            (Direction::ToResponder, b"CONNECT a.test:80 HTTP/1.1\r\n\r\n"),
            (Direction::ToOriginator, b"HTTP/1.1 200 Connected\r\n\r\n"),
            (Direction::ToResponder, CLIENT),
            (Direction::ToOriginator, SERVER),
        ];
        assert_eq!(rows(&pieces), (0, 2));
    }

    /// A request for a tunnel and its response, then two exchanges with files inside.
    const TUNNEL: [(Direction, &[u8]); 4] = [
        (Direction::ToResponder, b"CONNECT a.test:80 HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"),
        (Direction::ToOriginator, b"HTTP/1.1 200 Connected\r\n\r\n"),
        (Direction::ToResponder, b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhiGET /2 HTTP/1.1\r\n\r\n"),
        (
            Direction::ToOriginator,
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        ),
    ];

    #[test]
    fn exchanges_and_files_within_a_tunnel_are_not_those_around_it() {
        let (records, _) = read(80, &TUNNEL);
        let numbers: Vec<u32> = records.http.rows.iter().map(|row| row.record.transaction).collect();
        assert_eq!(numbers, [1, 2, 3]);
        let mut files: Vec<u128> = records.file.rows.iter().map(|row| row.record.file_id).collect();
        files.sort_unstable();
        files.dedup();
        assert_eq!(files.len(), 4);
    }

    #[test]
    fn what_socks_carries_is_read_on_any_port_however_it_is_cut() {
        let socks: [(Direction, &[u8]); 4] = [
            (Direction::ToResponder, b"\x05\x02\0\x02"),
            (Direction::ToOriginator, b"\x05\x02"),
            (Direction::ToResponder, b"\x01\x04user\x08password\x05\x01\0\x03\x06a.test\0\x50"),
            (Direction::ToOriginator, b"\x01\0\x05\0\0\x01\x0a\x01\x01\x02\x04\xd2"),
        ];
        let [.., request, response] = TUNNEL;
        for port in [1080, 9050] {
            for size in [1, 3, 7, 1000] {
                let pieces: Vec<(Direction, &[u8])> = socks
                    .into_iter()
                    .chain([request, response])
                    .flat_map(|(direction, bytes)| bytes.chunks(size).map(move |piece| (direction, piece)))
                    .collect();
                let (records, services) = read(port, &pieces);
                assert_eq!(records.http.rows.len(), 2, "pieces of {size} on {port}");
                assert_eq!(services, ["http", "socks"]);
            }
        }
    }
}
