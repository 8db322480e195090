//! The loop that shows the bytes of a TCP flow to a session: identification first, then the session, then nothing.
//!
//! In-order bytes are shown as the very slice of the packet. What a session does not take is kept here, under the cap of
//! the flow's shard, and shown again in front of the next bytes.

use parsers::PROTOCOLS;
use parsers::context::Context;
use parsers::protocol::{Direction, Malformed, Progress, Protocol, Session, Transport, Verdict};
use schemas::anomaly::AnomalyName;

use super::budget::Budget;

/// Most bytes of a direction that identification looks at before it gives up.
const IDENTIFIED_WITHIN: usize = 4096;

/// Most bytes of a direction that wait for a session to have enough: the longest message that a session may ask for
/// (a DNS message over TCP has 64 KiB and its length).
const PENDING: usize = 1 << 20;

/// Protocols that may follow one another within the bytes of one segment: more is somebody playing.
const HANDOVERS: usize = 4;

/// What is known of the protocol of a stream.
#[derive(Default)]
pub struct Stream {
    state: State,
    pending: [Vec<u8>; 2],
    /// Bytes that have to be there before the session is called again.
    wanted: [usize; 2],
    /// Bytes taken from the shard's budget.
    accounted: usize,
    /// Directions in which nothing more can be recognised: a gap at their beginning, or too many bytes.
    closed: [bool; 2],
    /// Exchanges that its sessions have numbered.
    exchanges: u32,
}

#[derive(Default)]
enum State {
    /// No protocol has been found yet.
    #[default]
    Identifying,
    /// A session reads.
    Reading { protocol: &'static dyn Protocol, session: Box<dyn Session> },
    /// Nobody wants to see more.
    Over,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Stream").field("over", &self.is_over()).finish_non_exhaustive()
    }
}

/// Whether the flow uses one of the protocol's ports.
fn is_hinted(protocol: &dyn Protocol, ports: (u16, u16)) -> bool {
    protocol.ports().iter().any(|port| *port == ports.0 || *port == ports.1)
}

/// The protocols of a transport, those first whose ports the flow uses: place in [`PROTOCOLS`], and whether a port hints
/// at it.
pub(crate) fn candidates(
    transport: Transport,
    ports: (u16, u16),
) -> impl Iterator<Item = (usize, &'static dyn Protocol, bool)> {
    let of_transport = move |hinted: bool| {
        PROTOCOLS
            .iter()
            .copied()
            .enumerate()
            .filter(move |(_, protocol)| {
                protocol.transport() == transport && is_hinted(*protocol, ports) == hinted
            })
            .map(move |(place, protocol)| (place, protocol, hinted))
    };
    of_transport(true).chain(of_transport(false))
}

impl Stream {
    /// Whether no more bytes are wanted: the flow then only counts them.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Bytes held here, by the session too.
    pub fn held(&self) -> usize {
        let session = match &self.state {
            State::Reading { session, .. } => session.held(),
            State::Identifying | State::Over => 0,
        };
        self.pending.iter().map(Vec::len).sum::<usize>() + session
    }

    /// Shows the next bytes of a direction.
    pub fn data(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>, budget: &mut Budget) {
        if self.is_over() || bytes.is_empty() {
            return;
        }
        cx.exchanges = self.exchanges;
        let index = direction.index();
        if self.pending[index].is_empty() {
            let taken = self.show(direction, bytes, cx);
            self.keep(direction, bytes.get(taken..).unwrap_or_default());
        } else {
            self.pending[index].extend_from_slice(bytes);
            if self.pending[index].len() >= self.wanted[index] {
                let mut pending = std::mem::take(&mut self.pending[index]);
                let taken = self.show(direction, &pending, cx);
                pending.drain(..taken.min(pending.len()));
                self.pending[index] = pending;
            }
        }
        self.account(cx, budget);
    }

    /// `missing` bytes of a direction will not come.
    pub fn gap(&mut self, direction: Direction, missing: u64, cx: &mut Context<'_>, budget: &mut Budget) {
        cx.exchanges = self.exchanges;
        let index = direction.index();
        self.pending[index].clear();
        self.wanted[index] = 0;
        match &mut self.state {
            State::Over => {}
            State::Identifying => self.closed[index] = true,
            State::Reading { protocol, session } => {
                let progress = session.gap(cx.turned(direction), missing, cx);
                let name = protocol.name();
                self.react(progress, name, cx);
            }
        }
        self.account(cx, budget);
    }

    /// Originator and responder changed places.
    pub fn flip(&mut self) {
        self.pending.swap(0, 1);
        self.wanted.swap(0, 1);
        self.closed.swap(0, 1);
    }

    /// Time has passed on a flow that lives on.
    pub fn expire(&mut self, cx: &mut Context<'_>) {
        cx.exchanges = self.exchanges;
        if let State::Reading { session, .. } = &mut self.state {
            session.expire(cx);
        }
        self.exchanges = cx.exchanges;
    }

    /// The flow is over.
    pub fn close(&mut self, cx: &mut Context<'_>, budget: &mut Budget) {
        cx.exchanges = self.exchanges;
        self.finish_session(cx);
        self.account(cx, budget);
    }

    /// Shows bytes and says how many of them are dealt with.
    fn show(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) -> usize {
        // What was wanted was wanted for bytes before these, perhaps by another session.
        self.wanted[direction.index()] = 0;
        let mut taken = 0;
        for _ in 0..=HANDOVERS {
            let rest = bytes.get(taken..).unwrap_or_default();
            if matches!(self.state, State::Identifying) {
                match self.identify(direction, rest, cx) {
                    Verdict::Yes => self.show_other_side(direction, cx),
                    Verdict::NeedMore => return taken,
                    Verdict::No => return bytes.len(),
                }
            }
            taken += self.read(direction, rest, cx);
            // What follows a handover in the same bytes is the next protocol's.
            if taken >= bytes.len() || !matches!(self.state, State::Identifying) {
                return taken;
            }
        }
        taken
    }

    /// Bytes of the other side that came before the protocol was known are its first ones.
    fn show_other_side(&mut self, direction: Direction, cx: &mut Context<'_>) {
        let other = direction.reverse();
        let waiting = std::mem::take(&mut self.pending[other.index()]);
        if !waiting.is_empty() {
            let taken = self.read(other, &waiting, cx).min(waiting.len());
            self.pending[other.index()] = waiting.get(taken..).unwrap_or_default().to_vec();
        }
    }

    fn read(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) -> usize {
        let mut taken = 0;
        while let State::Reading { protocol, session } = &mut self.state {
            let rest = bytes.get(taken..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let name = protocol.name();
            let progress = session.data(cx.turned(direction), rest, cx);
            match progress {
                Ok(Progress::Took(0)) => break,
                Ok(Progress::Took(count)) => taken += count.min(rest.len()),
                Ok(Progress::Need(count)) if count > rest.len() => {
                    self.wanted[direction.index()] = count;
                    break;
                }
                // A session that needs what it has been shown would be called for ever.
                Ok(Progress::Need(_)) => break,
                other => {
                    self.react(other, name, cx);
                    if matches!(self.state, State::Over) {
                        taken = bytes.len();
                    }
                    break;
                }
            }
        }
        taken
    }

    /// What follows from an answer that is not about bytes.
    fn react(&mut self, progress: Result<Progress, Malformed>, protocol: &'static str, cx: &mut Context<'_>) {
        match progress {
            Ok(Progress::Took(_) | Progress::Need(_)) => {}
            Ok(Progress::Done) => self.finish_session(cx),
            Ok(Progress::Handover) => {
                self.finish_session(cx);
                self.state = State::Identifying;
                self.closed = [false; 2];
            }
            Err(Malformed(field)) => {
                cx.anomaly(AnomalyName::ProtocolMalformed, Some(protocol), field);
                self.finish_session(cx);
            }
        }
    }

    fn finish_session(&mut self, cx: &mut Context<'_>) {
        if let State::Reading { session, .. } = &mut self.state {
            session.close(cx);
        }
        self.state = State::Over;
    }

    fn identify(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) -> Verdict {
        if self.closed[direction.index()] {
            return Verdict::No;
        }
        let ports = (cx.flow.src_port, cx.flow.dst_port);
        let mut undecided = false;
        for (_, protocol, hinted) in candidates(Transport::Tcp, ports) {
            match protocol.probe(cx.turned(direction), bytes, hinted) {
                Verdict::Yes => {
                    self.state = State::Reading { protocol, session: protocol.session() };
                    cx.services.confirm(protocol.name());
                    return Verdict::Yes;
                }
                Verdict::NeedMore => undecided = true,
                Verdict::No => {}
            }
        }
        if cx.services.recognise(Transport::Tcp, cx.turned(direction), ports, bytes) == Verdict::NeedMore {
            undecided = true;
        }
        if undecided && bytes.len() < IDENTIFIED_WITHIN {
            return Verdict::NeedMore;
        }
        self.closed[direction.index()] = true;
        Verdict::No
    }

    /// Keeps what was not taken.
    fn keep(&mut self, direction: Direction, rest: &[u8]) {
        let index = direction.index();
        if !rest.is_empty() && !self.is_over() {
            self.pending[index].extend_from_slice(rest);
        }
    }

    /// What follows from every look. Holds what waits to the budget: what does not fit ends the analysis of this flow,
    /// told. Lets go of everything once nobody wants more.
    fn account(&mut self, cx: &mut Context<'_>, budget: &mut Budget) {
        self.exchanges = cx.exchanges;
        if matches!(self.state, State::Identifying) {
            for index in [0, 1] {
                if self.closed[index] {
                    self.pending[index].clear();
                }
            }
            if self.closed == [true, true] {
                self.state = State::Over;
            }
        }
        let held = if self.is_over() { 0 } else { self.held() };
        budget.release(self.accounted);
        if self.pending.iter().any(|pending| pending.len() > PENDING) || !budget.take(held) {
            budget.shed(held);
            cx.anomaly(AnomalyName::StreamShed, None, "bytes that waited for the rest of a message");
            self.finish_session(cx);
            self.accounted = 0;
        } else {
            self.accounted = held;
        }
        if self.is_over() {
            self.pending = Default::default();
        }
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
