//! FTP (RFC 959 and its extensions): control connections, on any port. Data connections are read by [`crate::transfers`].
//!
//! [`wire`] reads lines, [`commands`] knows what they do, [`address`] reads where a data connection is to lead,
//! `directory` follows the client through the file system, `recognition` looks at first bytes. `session` reads commands,
//! `replies` puts replies to them, `channels` links data connections; `exchange` is a command with its reply, `row` writes it.

pub mod address;
pub mod commands;
pub mod wire;

mod channels;
mod directory;
mod exchange;
mod recognition;
mod replies;
mod row;
mod session;
#[cfg(test)]
mod tests;

use crate::protocol::{Direction, Protocol, Session, Transport, Verdict};

pub use channels::MAX_WAITING;
pub use session::{MAX_JUNK, MAX_PENDING};

const NAME: &str = "ftp";

/// Control connections of FTP.
#[derive(Debug)]
pub struct Ftp;

impl Protocol for Ftp {
    fn name(&self) -> &'static str {
        NAME
    }

    fn transport(&self) -> Transport {
        Transport::Tcp
    }

    fn ports(&self) -> &'static [u16] {
        &[21, 2121]
    }

    fn probe(&self, _direction: Direction, bytes: &[u8], hinted: bool) -> Verdict {
        // A flow that was caught in its middle may have its roles the wrong way round.
        recognition::probe(bytes, hinted)
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(session::Ftp::default())
    }
}
