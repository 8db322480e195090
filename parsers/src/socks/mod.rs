//! SOCKS 4, 4a and 5 (RFC 1928, RFC 1929), on any port: what is carried inside is read under the same uid.
//!
//! [`wire`] reads messages, `session` follows both sides until what they asked for begins.

pub mod wire;

mod session;
#[cfg(test)]
mod tests;

use crate::http;
use crate::protocol::{Direction, Protocol, Session, Transport, Verdict};

const NAME: &str = "socks";

/// SOCKS.
#[derive(Debug)]
pub struct Socks;

impl Protocol for Socks {
    fn name(&self) -> &'static str {
        NAME
    }

    fn transport(&self) -> Transport {
        Transport::Tcp
    }

    fn ports(&self) -> &'static [u16] {
        &[1080]
    }

    fn probe(&self, direction: Direction, bytes: &[u8], hinted: bool) -> Verdict {
        match direction {
            Direction::ToResponder => wire::looks_like_client(bytes, hinted, is_known),
            Direction::ToOriginator => wire::looks_like_server(bytes, hinted),
        }
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(session::Socks::default())
    }
}

/// Whether bytes are the beginning of something that a client says first.
fn is_known(bytes: &[u8]) -> Verdict {
    let protocols: [&dyn Protocol; 2] = [&http::Http1, &http::h2::Http2];
    let mut verdict = Verdict::No;
    for protocol in protocols {
        match protocol.probe(Direction::ToResponder, bytes, false) {
            Verdict::Yes => return Verdict::Yes,
            Verdict::NeedMore => verdict = Verdict::NeedMore,
            Verdict::No => {}
        }
    }
    match crate::recognise::first_bytes(bytes) {
        Verdict::No => verdict,
        Verdict::NeedMore if verdict == Verdict::No => Verdict::NeedMore,
        Verdict::NeedMore => verdict,
        Verdict::Yes => Verdict::Yes,
    }
}
