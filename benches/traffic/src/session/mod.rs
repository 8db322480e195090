//! Sessions: each makes its packets one after the other and says when the next is due.

mod dns;
mod http;
mod noise;
mod quic;
mod replay;
mod scan;
mod tls;
pub mod transfer;

pub use dns::Dns;
pub use http::{Http, HttpSizes};
pub use noise::Noise;
pub use quic::Quic;
pub use replay::Replay;
pub use scan::Scanner;
pub use tls::Tls;

use crate::frame::Frame;

/// When the next packet of a session is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many nanoseconds after this one.
    After(u64),
    /// When its share of the bandwidth allows for so many bytes since it was last so.
    Paced(u64),
    /// There is none.
    End,
}

/// A session under way.
#[derive(Clone, Debug)]
pub enum Session<'a> {
    /// One that was captured.
    Replay(Replay<'a>),
    /// TLS with bulk data.
    Tls(Box<Tls<'a>>),
    /// QUIC with bulk data.
    Quic(Box<Quic<'a>>),
    /// HTTP that is made.
    Http(Box<Http>),
    /// A question and its answer.
    Dns(Box<Dns>),
    /// Datagrams of no protocol, and those of NTP.
    Noise(Box<Noise>),
}

impl Session<'_> {
    /// Makes the packet that is due `now`.
    pub fn next(&mut self, now: u64, frame: &mut Frame) -> Step {
        match self {
            Self::Replay(session) => session.next(frame),
            Self::Tls(session) => session.next(now, frame),
            Self::Quic(session) => session.next(frame),
            Self::Http(session) => session.next(now, frame),
            Self::Dns(session) => session.next(frame),
            Self::Noise(session) => session.next(frame),
        }
    }
}
