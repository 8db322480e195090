//! HTTP/1.1: requests over one connection, each answered with a file.

use super::Step;
use super::transfer::{Close, Content, Transfer};
use crate::body::Body;
use crate::endpoints::Endpoints;
use crate::frame::{Frame, Side, flag};
use crate::random::Random;
use crate::tcp::Tcp;

/// Time between the packets of the handshake.
const ROUND_TRIP: u64 = 400_000;

/// Time that a server takes to answer.
const THINKING: u64 = 3_000_000;

const AGENTS: [&str; 4] = [
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
    "curl/8.14.1",
    "python-requests/2.32.4",
];

/// How many requests a connection has, and how large the files are.
#[derive(Clone, Copy, Debug)]
pub struct HttpSizes {
    /// Fewest and most requests.
    pub requests: (u64, u64),
    /// Least and most bytes of a body.
    pub body: (u64, u64),
}

/// A connection.
#[derive(Clone, Debug)]
pub struct Http {
    tcp: Tcp,
    random: Random,
    sizes: HttpSizes,
    requests: u64,
    phase: Phase,
    message: Message,
    host: u64,
}

#[derive(Clone, Debug)]
enum Phase {
    /// The handshake, after so many of its packets.
    Open(u8),
    Request(Transfer),
    Response(Transfer),
    Close(Close),
}

/// A head, and what comes behind it.
#[derive(Clone, Debug)]
struct Message {
    head: Vec<u8>,
    at: usize,
    body: Option<Body>,
}

impl Content for Message {
    fn fill(&mut self, bytes: &mut [u8]) {
        let head = self.head.get(self.at..).unwrap_or_default();
        let head = &head[..head.len().min(bytes.len())];
        let (of_head, of_body) = bytes.split_at_mut(head.len());
        of_head.copy_from_slice(head);
        self.at += head.len();
        if let Some(body) = &mut self.body
            && !of_body.is_empty()
        {
            body.fill(of_body);
        }
    }
}

impl Http {
    /// Another one.
    pub fn new(endpoints: &mut Endpoints, sizes: HttpSizes) -> Self {
        let mut random = Random::new(endpoints.seed());
        let host = random.skewed(4_000);
        let ends = endpoints.ends(0x80 << 32 | host, 2, 80);
        let requests = random.within(sizes.requests.0, sizes.requests.1);
        let message = Message { head: Vec::new(), at: 0, body: None };
        Self {
            tcp: Tcp::new(ends, &mut random),
            random,
            sizes,
            requests,
            phase: Phase::Open(0),
            message,
            host,
        }
    }

    /// The next packet.
    pub fn next(&mut self, now: u64, frame: &mut Frame) -> Step {
        match &mut self.phase {
            Phase::Open(sent) => {
                let (from, flags) = match *sent {
                    0 => (Side::Client, flag::SYN),
                    1 => (Side::Server, flag::SYN | flag::ACK),
                    _ => (Side::Client, flag::ACK),
                };
                *sent += 1;
                let is_open = *sent > 2;
                self.tcp.empty(frame, now, from, flags);
                if is_open {
                    self.request();
                }
                Step::After(ROUND_TRIP)
            }
            Phase::Request(transfer) => {
                let step = transfer.next(&mut self.tcp, &mut self.message, now, frame);
                if !transfer.is_over() {
                    return step;
                }
                self.respond();
                Step::After(self.random.within(THINKING / 10, THINKING))
            }
            Phase::Response(transfer) => {
                let step = transfer.next(&mut self.tcp, &mut self.message, now, frame);
                if transfer.is_over() {
                    self.requests -= 1;
                    if self.requests == 0 {
                        self.phase = Phase::Close(Close::default());
                    } else {
                        self.request();
                    }
                }
                step
            }
            Phase::Close(close) => close.next(&mut self.tcp, now, frame),
        }
    }

    fn request(&mut self) {
        let size = self.random.heavy_tailed(self.sizes.body.0, self.sizes.body.1);
        let body = Body::new(&mut self.random, size);
        let agent = AGENTS[(self.host % AGENTS.len() as u64) as usize];
        let head = format!(
            "GET /{}/{:x}.{} HTTP/1.1\r\nHost: host{}.example\r\nUser-Agent: {agent}\r\nAccept: */*\r\n\
             Accept-Encoding: gzip\r\nConnection: keep-alive\r\n\r\n",
            self.random.skewed(64),
            self.random.bits() >> 24,
            body.extension(),
            self.host,
        );
        self.phase = Phase::Request(Transfer::new(Side::Client, head.len() as u64));
        self.message = Message { head: head.into_bytes(), at: 0, body: Some(body) };
    }

    fn respond(&mut self) {
        let Some(body) = &self.message.body else { return };
        let head = format!(
            "HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Tue, 01 Sep 2026 08:00:00 GMT\r\n{}ETag: \"{:x}\"\r\nConnection: keep-alive\r\n\r\n",
            body.fields(),
            self.random.bits() >> 16,
        );
        self.phase = Phase::Response(Transfer::new(Side::Server, head.len() as u64 + body.size()));
        self.message.head = head.into_bytes();
        self.message.at = 0;
    }
}
