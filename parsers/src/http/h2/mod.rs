//! HTTP/2 in clear (RFC 9113), on any port.
//!
//! [`frame`] reads frames and recognises connections, [`hpack`] reads header blocks with their [`huffman`] code into
//! [`fields`], and [`head`] shows these as the heads of HTTP/1. `session` follows the frames of both directions, `streams`
//! makes exchanges of them, `tunnel` reads what is inside of one.

pub mod fields;
pub mod frame;
pub mod head;
pub mod hpack;
pub mod huffman;

mod session;
mod streams;
#[cfg(test)]
mod tests;
mod tunnel;

use super::NAME;
use crate::protocol::{Direction, Protocol, Session, Transport, Verdict};

pub(super) use session::Http2 as Connection;
pub use streams::MAX_STREAMS;

/// HTTP/2.
#[derive(Debug)]
pub struct Http2;

impl Protocol for Http2 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn transport(&self) -> Transport {
        Transport::Tcp
    }

    fn ports(&self) -> &'static [u16] {
        &[80, 8080, 50051]
    }

    fn probe(&self, _direction: Direction, bytes: &[u8], _hinted: bool) -> Verdict {
        // A flow that was caught in its middle may have its roles the wrong way round.
        match frame::looks_like_client(bytes) {
            Verdict::No => frame::looks_like_server(bytes),
            verdict => verdict,
        }
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(Connection::default())
    }
}
