//! Who talks to whom: clients of a campus and the servers they call, some much more often than others.
//!
//! Clients are in 10.32.0.0/13 and 2001:db8:c0de::/48, servers in 198.18.0.0/15 (RFC 2544) and 2001:db8:5e00::/40.

use crate::frame::{Address, Ends};
use crate::random::{Random, mixed};

/// Clients of each version of IP.
const CLIENTS: u64 = 24_000;

/// First of the ports that clients take.
const FIRST_PORT: u64 = 32_768;

/// How many ports clients take.
const PORTS: u64 = 28_232;

/// A step through them that comes to each, for it has no divisor in common with their number.
const PORT_STEP: u64 = 7_919;

/// Chooses the ends of conversations.
#[derive(Clone, Debug)]
pub struct Endpoints {
    random: Random,
    conversations: u64,
}

impl Endpoints {
    /// Those of a seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { random: Random::new(mixed(seed ^ 0x0e4d)), conversations: 0 }
    }

    /// A client of the campus.
    pub fn client(&mut self, v6: bool) -> Address {
        client(self.random.skewed(CLIENTS), v6)
    }

    /// One of `servers` that a service has on the Internet.
    pub fn server(&mut self, service: u64, servers: u64, v6: bool) -> Address {
        let number = mixed(self.random.skewed(servers) ^ service << 32);
        if v6 {
            let [.., a, b, c, d, e, f] = number.to_be_bytes();
            Address::V6([0x20, 1, 0xd, 0xb8, 0x5e, a, b, c, 0, 0, 0, 0, 0, d, e, f | 1])
        } else {
            let [a, b, c, ..] = number.to_be_bytes();
            Address::V4([198, 18 | (a & 1), b, c | 1])
        }
    }

    /// One of the few servers that a service has on the campus.
    pub fn own_server(&mut self, service: u8, servers: u64, v6: bool) -> Address {
        let number = 10 + self.random.skewed(servers) as u8;
        if v6 {
            Address::V6([0x20, 1, 0xd, 0xb8, 0xc0, 0xde, 0, service, 0, 0, 0, 0, 0, 0, 0, number])
        } else {
            Address::V4([10, 1, service, number])
        }
    }

    /// A port for a client; each comes once before any comes again.
    pub fn port(&mut self) -> u16 {
        self.conversations += 1;
        (FIRST_PORT + self.conversations.wrapping_mul(PORT_STEP) % PORTS) as u16
    }

    /// Whether a conversation goes over IPv6: about a quarter do.
    pub fn is_v6(&mut self) -> bool {
        self.random.happens(250_000)
    }

    /// A client and a server on the Internet.
    pub fn ends(&mut self, service: u64, servers: u64, port: u16) -> Ends {
        let v6 = self.is_v6();
        let hosts = [self.client(v6), self.server(service, servers, v6)];
        Ends { hosts, ports: [self.port(), port] }
    }

    /// A seed for a session.
    pub fn seed(&mut self) -> u64 {
        self.random.bits()
    }

    /// The random numbers that choose.
    pub fn random(&mut self) -> &mut Random {
        &mut self.random
    }
}

/// The address of a client by its number, which the busiest have the lowest of: scattered over the campus.
fn client(number: u64, v6: bool) -> Address {
    // Odd and below 2¹⁹: no two numbers come out the same.
    let scattered = (number * 300_007) & 0x7_ffff;
    if v6 {
        let [.., a, b, c] = scattered.to_be_bytes();
        Address::V6([0x20, 1, 0xd, 0xb8, 0xc0, 0xde, 1, a, 2, b, c, 0xff, 0xfe, a, b, c])
    } else {
        let [.., a, b, c] = (0x0a20_0000 | scattered).to_be_bytes();
        Address::V4([10, a, b, c])
    }
}
