//! TLS from SSL 2.0 to TLS 1.3 (RFC 8446, 5246, 6101) on any port, and DTLS (RFC 9147, 6347): what is said until all is
//! encrypted.
//!
//! [`hello`] and [`extensions`] read messages, `messages` and `fragments` put them together, `handshake` gathers what they
//! say, `session` and `dtls` follow the records of both sides, [`fingerprint`] condenses hellos. QUIC carries the same
//! messages and shares `handshake`.

pub mod extensions;
pub mod fingerprint;
pub mod hello;
pub mod reader;
pub mod record;

mod dtls;
mod fragments;
pub(crate) mod handshake;
pub(crate) mod messages;
pub(crate) mod row;
mod session;
mod ssl2;
#[cfg(test)]
mod tests;

use crate::protocol::{Direction, Protocol, Session, Transport, Verdict};

const NAME: &str = "tls";

/// TLS over TCP.
#[derive(Debug)]
pub struct OverTcp;

impl Protocol for OverTcp {
    fn name(&self) -> &'static str {
        NAME
    }

    fn transport(&self) -> Transport {
        Transport::Tcp
    }

    fn ports(&self) -> &'static [u16] {
        &[443, 465, 563, 636, 853, 989, 990, 992, 993, 995, 5061, 5223, 6697, 8443]
    }

    fn probe(&self, _direction: Direction, bytes: &[u8], _hinted: bool) -> Verdict {
        // A flow that was caught in its middle may have its roles the wrong way round.
        begins(bytes)
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(session::Tls::default())
    }
}

/// Whether bytes are the hello of a client or a server.
pub(crate) fn begins(bytes: &[u8]) -> Verdict {
    match (record::looks_like_client(bytes), record::looks_like_server(bytes)) {
        (Verdict::Yes, _) | (_, Verdict::Yes) => Verdict::Yes,
        (Verdict::NeedMore, _) | (_, Verdict::NeedMore) => Verdict::NeedMore,
        (Verdict::No, Verdict::No) => Verdict::No,
    }
}

/// TLS over datagrams.
#[derive(Debug)]
pub struct Dtls;

impl Protocol for Dtls {
    fn name(&self) -> &'static str {
        NAME
    }

    fn transport(&self) -> Transport {
        Transport::Udp
    }

    fn ports(&self) -> &'static [u16] {
        &[443, 853, 2083, 3391, 5061, 5349, 5684]
    }

    fn probe(&self, _direction: Direction, bytes: &[u8], _hinted: bool) -> Verdict {
        if dtls::hello(bytes).is_some() { Verdict::Yes } else { Verdict::No }
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(dtls::Datagrams::default())
    }
}
