//! What a worker leaves undone when packets come faster than it can follow: what matters least goes first.

use parsers::packet::{Layer, Transport};

use super::Worker;

/// How much is left undone. Each level includes those before it; what is left undone is counted and told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// Nothing.
    #[default]
    None,
    /// Streams that have carried much are read no further: downloads and uploads.
    Bulk,
    /// Streams that begin are not read: their flows are.
    Streams,
    /// Flows begin with a handshake only.
    Flows,
}

/// IP bytes of a flow, of both directions, from which on its stream is bulk. Handshakes, logins and most requests are over
/// by then.
const BULK: u64 = 256 << 10;

/// SYN and ACK of a TCP header.
const SYN_ACK: u8 = 0x12;
const SYN: u8 = 0x02;

impl Pressure {
    /// All levels, the mildest first.
    pub const ALL: [Self; 4] = [Self::None, Self::Bulk, Self::Streams, Self::Flows];

    /// The level with this number; the last one for larger numbers.
    pub fn of(level: usize) -> Self {
        Self::ALL.get(level).copied().unwrap_or(Self::Flows)
    }

    /// What is left undone, for people.
    pub fn what(self) -> &'static str {
        match self {
            Self::None => "nothing is left undone",
            Self::Bulk => "bulk content is not read",
            Self::Streams => "bulk content and new streams are not read",
            Self::Flows => "no new streams are read, and flows without a handshake are not followed",
        }
    }

    /// Whether the stream of a flow is not to be read any more: `begins` where none of it was read yet, after so many bytes
    /// of the flow.
    #[inline]
    pub(super) fn gives_up(self, begins: bool, carried: u64) -> bool {
        match self {
            Self::None => false,
            Self::Bulk => carried > BULK,
            Self::Streams | Self::Flows => begins || carried > BULK,
        }
    }

    /// Whether a packet begins no flow.
    #[inline]
    pub(super) fn refuses(self, layer: &Layer) -> bool {
        self == Self::Flows && !(layer.transport == Transport::Tcp && layer.flags & SYN_ACK == SYN)
    }
}

impl Worker {
    /// From now on so much is left undone.
    pub fn set_pressure(&mut self, pressure: Pressure) {
        self.pressure = pressure;
    }
}
