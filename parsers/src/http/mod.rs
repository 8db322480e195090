//! HTTP/1 (RFC 9110, RFC 9112), on any port; HTTP/2 is in [`h2`].
//!
//! [`head`] reads the heads of messages, [`framing`] says where their bodies end and [`chunked`] takes chunks apart,
//! [`fields`] reads values of headers, [`recognition`] finds messages among other bytes. `session` puts the messages of
//! both directions together, `body` leads bodies through their codings into files, those of a multipart body and of a mail too,
//! `row` writes the rows, `negotiate` those of Kerberos within headers.

pub mod chunked;
pub mod fields;
pub mod framing;
pub mod h2;
pub mod head;
pub mod multipart;
pub mod oddities;
pub mod recognition;

mod body;
mod content;
#[cfg(test)]
mod conversation;
mod exchange;
mod facts;
mod kept;
mod negotiate;
#[cfg(test)]
mod ranges_tests;
mod row;
mod session;
#[cfg(test)]
mod tests;
mod texts;

use crate::protocol::{Direction, Protocol, Session, Transport, Verdict};

pub use session::{MAX_HEAD, MAX_PENDING};

const NAME: &str = "http";

/// HTTP/1.
#[derive(Debug)]
pub struct Http1;

impl Protocol for Http1 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn transport(&self) -> Transport {
        Transport::Tcp
    }

    fn ports(&self) -> &'static [u16] {
        &[80, 3128, 8000, 8080, 8888]
    }

    fn probe(&self, _direction: Direction, bytes: &[u8], hinted: bool) -> Verdict {
        // A flow that was caught in its middle may have its roles the wrong way round.
        let found = match recognition::looks_like_request(bytes) {
            Verdict::No => recognition::looks_like_response(bytes),
            verdict => verdict,
        };
        let is_2 = h2::frame::looks_like_client(bytes) != Verdict::No;
        if found == Verdict::No && hinted && !is_2 {
            return recognition::may_be_request(bytes);
        }
        found
    }

    fn session(&self) -> Box<dyn Session> {
        Box::new(session::Http::default())
    }
}
