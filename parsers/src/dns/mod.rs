//! DNS (RFC 1034, 1035), over UDP and TCP, with mDNS (RFC 6762) and LLMNR (RFC 4795).
//!
//! [`wire`] walks a message, [`name`] and [`rdata`] write its parts as text, [`session`] pairs queries with responses.
//! Left out: DNS over TLS, HTTPS and QUIC, whose messages are not in the clear; NetBIOS name service (RFC 1002), which
//! only looks alike.

pub mod name;
mod presentation;
mod probe;
pub mod rdata;
mod session;
mod svcb;
pub mod wire;

#[cfg(test)]
mod tests;

use crate::protocol::{Direction, Protocol, Session, Transport, Verdict};
use session::{Exchanges, OverTcpSession, OverUdpSession};

/// DNS in datagrams, mDNS and LLMNR included.
#[derive(Debug)]
pub struct OverUdp;

impl Protocol for OverUdp {
    fn name(&self) -> &'static str {
        "dns"
    }

    fn transport(&self) -> Transport {
        Transport::Udp
    }

    fn ports(&self) -> &'static [u16] {
        &[53, 5353, 5355]
    }

    fn probe(&self, _: Direction, bytes: &[u8], hinted: bool) -> Verdict {
        if probe::is_message(bytes, hinted) { Verdict::Yes } else { Verdict::No }
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(OverUdpSession::default())
    }
}

/// DNS in streams (RFC 7766): each message behind its length.
#[derive(Debug)]
pub struct OverTcp;

impl Protocol for OverTcp {
    fn name(&self) -> &'static str {
        "dns"
    }

    fn transport(&self) -> Transport {
        Transport::Tcp
    }

    fn ports(&self) -> &'static [u16] {
        &[53, 5353, 5355]
    }

    fn probe(&self, _: Direction, bytes: &[u8], hinted: bool) -> Verdict {
        probe::stream(bytes, hinted)
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(OverTcpSession { exchanges: Exchanges::default() })
    }
}
