//! QUIC on any port (RFC 9000, RFC 9001, RFC 9369, their drafts): what its Initial packets say, whose keys everybody can
//! derive.
//!
//! [`packet`] reads headers, [`version`] knows in what versions differ, `initial` removes the protection of Initial packets,
//! [`frames`] reads what is in them, [`crypto_stream`] puts the handshake in order, `connection` and
//! `session` follow both sides. The messages are those of TLS: their row is one of `tls`.

pub mod crypto_stream;
pub mod frames;
pub mod packet;
pub mod version;

mod connection;
mod initial;
#[cfg(test)]
#[expect(unreachable_pub, reason = "the fuzz targets share it")]
mod sealing;
mod session;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

use crate::protocol::{Direction, Protocol, Session, Transport, Verdict};
use crate::tls::reader::Reader;

const NAME: &str = "quic";

/// QUIC.
#[derive(Debug)]
pub struct Quic;

impl Protocol for Quic {
    fn name(&self) -> &'static str {
        NAME
    }

    fn transport(&self) -> Transport {
        Transport::Udp
    }

    fn ports(&self) -> &'static [u16] {
        &[443, 853, 4433, 8443]
    }

    fn probe(&self, _direction: Direction, bytes: &[u8], _hinted: bool) -> Verdict {
        // A server's too: where both sides are captured apart, it may come first.
        if packet::begins_with_initial(bytes) { Verdict::Yes } else { Verdict::No }
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(session::Connections::default())
    }
}

/// A number whose first two bits say how long it is (RFC 9000, 16).
fn number(reader: &mut Reader<'_>) -> Option<u64> {
    let first = *reader.rest().first()?;
    let bytes = reader.bytes(1 << (first >> 6))?;
    Some(bytes.iter().skip(1).fold(u64::from(first & 0x3f), |number, byte| number << 8 | u64::from(*byte)))
}

/// The same as a length: one that no datagram has is as good as any other.
fn length(reader: &mut Reader<'_>) -> Option<usize> {
    number(reader).map(|length| usize::try_from(length).unwrap_or(usize::MAX))
}
