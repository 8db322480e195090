//! Scans: one host asks many others for a port, or one other for many ports. Nobody answers.

use crate::endpoints::Endpoints;
use crate::frame::{Address, Ends, Frame, Side, TcpHead, flag};
use crate::random::Random;

/// Ports that are looked for on many hosts.
const WANTED: [u16; 12] = [22, 23, 80, 443, 445, 1433, 3306, 3389, 5900, 6379, 8080, 8443];

/// A host that scans.
#[derive(Clone, Debug)]
pub struct Scanner {
    source: Address,
    target: Target,
    left: u64,
    random: Random,
    /// The port it sends from, as tools for scanning do.
    port: u16,
    with_options: bool,
}

#[derive(Clone, Copy, Debug)]
enum Target {
    /// One port on hosts whose numbers begin with this one.
    Hosts(u32, u16),
    /// The ports of a host, from this one on.
    Ports([u8; 4], u16),
}

impl Scanner {
    /// Another one: three of four look for one port.
    pub fn new(endpoints: &mut Endpoints) -> Self {
        let mut random = Random::new(endpoints.seed());
        let source = if random.happens(700_000) {
            endpoints.server(u64::from(random.bits() as u32), 1, false)
        } else {
            endpoints.client(false)
        };
        let target = if random.happens(750_000) {
            let first = 0x0a20_0000 | random.below(1 << 19) as u32;
            let port = if random.happens(800_000) {
                WANTED[random.below(WANTED.len() as u64) as usize]
            } else {
                random.within(1, 65_535) as u16
            };
            Target::Hosts(first, port)
        } else {
            let Address::V4(host) = endpoints.client(false) else { return Self::new(endpoints) };
            Target::Ports(host, random.within(1, 1024) as u16)
        };
        let left = random.heavy_tailed(64, 16_384);
        let (port, with_options) = (random.within(1_024, 65_535) as u16, random.happens(500_000));
        Self { source, target, left, random, port, with_options }
    }

    /// Whether it has asked for all it wanted.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        self.left == 0
    }

    /// The next SYN.
    pub fn next(&mut self, frame: &mut Frame) {
        self.left = self.left.saturating_sub(1);
        let (host, port) = match &mut self.target {
            Target::Hosts(host, port) => {
                let asked = host.to_be_bytes();
                *host = 0x0a20_0000 | (host.wrapping_add(1) & 0x7_ffff);
                (asked, *port)
            }
            Target::Ports(host, port) => {
                let asked = *port;
                *port = port.wrapping_add(1).max(1);
                (*host, asked)
            }
        };
        let ends = Ends { hosts: [self.source, Address::V4(host)], ports: [self.port, port] };
        let bits = self.random.bits();
        let options: &[u8] = if self.with_options { &[2, 4, 5, 0xb4] } else { &[] };
        let head = TcpHead { seq: bits as u32, ack: 0, flags: flag::SYN, window: 1_024, options };
        frame.begin_tcp(&ends, Side::Client, (bits >> 32) as u16, &head, 0);
        frame.seal();
    }
}
