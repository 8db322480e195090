//! SOCKS 4, 4a and 5 (RFC 1928, RFC 1929), on any port: what is carried inside is read under the same uid.
//!
//! [`wire`] reads messages, `session` follows both sides until what they asked for begins.

pub mod wire;

mod session;
#[cfg(test)]
mod tests;

use crate::PROTOCOLS;
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
    let others = PROTOCOLS.iter().filter(|other| other.transport() == Transport::Tcp && other.name() != NAME);
    let verdicts = others.map(|other| other.probe(Direction::ToResponder, bytes, false));
    verdicts.fold(crate::recognise::first_bytes(bytes), |best, verdict| match (best, verdict) {
        (Verdict::Yes, _) | (_, Verdict::Yes) => Verdict::Yes,
        (Verdict::NeedMore, _) | (_, Verdict::NeedMore) => Verdict::NeedMore,
        (Verdict::No, Verdict::No) => Verdict::No,
    })
}
