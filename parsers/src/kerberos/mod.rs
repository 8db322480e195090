//! Kerberos 5 (RFC 4120) over UDP and TCP, changes of passwords (RFC 3244), and AP exchanges that other protocols carry.
//!
//! [`wire`] finds what a message is made of and `value` what its fields hold, `shape` whether one begins, `framing` what is around it, `session` pairs requests with answers, `row`
//! writes what both say, `pkinit` finds certificates, [`spnego`] messages in tokens of other protocols.

pub mod spnego;
pub mod wire;

mod error_text;
mod framing;
#[cfg(test)]
pub(crate) mod made;
#[cfg(test)]
mod oracle;
mod pkinit;
mod row;
mod session;
mod shape;
#[cfg(test)]
mod tests;
mod value;

use crate::protocol::{Direction, Protocol, Session, Transport, Verdict};

pub use framing::MAX_RECORD;
pub(crate) use row::{Answer, Asked, emit_carried};
pub use session::{MAX_LOST, MAX_PENDING, MAX_PENDING_BYTES, REPEATED_WITHIN, REQUEST_TIMEOUT};

pub(crate) const NAME: &str = "kerberos";

/// Of the KDC, and of the service that changes passwords.
const PORTS: &[u16] = &[88, 464];

/// Kerberos over UDP: a datagram, a message.
#[derive(Debug)]
pub struct OverUdp;

impl Protocol for OverUdp {
    fn name(&self) -> &'static str {
        NAME
    }

    fn transport(&self) -> Transport {
        Transport::Udp
    }

    fn ports(&self) -> &'static [u16] {
        PORTS
    }

    fn probe(&self, _direction: Direction, bytes: &[u8], hinted: bool) -> Verdict {
        if framing::probe_datagram(bytes, hinted) { Verdict::Yes } else { Verdict::No }
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(session::Datagrams::default())
    }
}

/// Kerberos over TCP: records behind their lengths.
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
        PORTS
    }

    fn probe(&self, _direction: Direction, bytes: &[u8], hinted: bool) -> Verdict {
        framing::probe_stream(bytes, hinted)
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(session::Stream::default())
    }
}
