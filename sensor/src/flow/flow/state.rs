//! What the flow of a transport remembers besides its counts.

use parsers::context::Context;
use parsers::protocol::Session;

use super::attempt::Attempt;
use crate::flow::budget::Budget;
use crate::flow::reassembly::Delivered;
use crate::flow::stream::Stream;
use crate::flow::tcp::Tcp;

/// What a flow's transport needs to remember.
pub enum TransportState {
    /// TCP of which a SYN was seen and nothing else; see [`super::Flow::look_at_attempt`].
    Attempt(Attempt),
    /// TCP, and what reads its stream.
    Tcp(Box<TcpFlow>),
    /// Datagrams, and the session that reads them: only while it has something to remember.
    Datagrams(Option<Box<dyn Session>>),
    /// Counted only.
    Other,
}

/// TCP and the reading of its stream.
#[derive(Debug)]
pub struct TcpFlow {
    /// Sequence numbers and states.
    pub tcp: Tcp,
    /// Who reads: made with the first bytes, gone when nobody wants more. Most flows of a scan never have one.
    pub stream: Option<Box<Stream>>,
    /// Whether bytes are still delivered, not only counted.
    pub content: bool,
    /// They are not, because there was no time for it.
    pub given_up: bool,
}

impl TcpFlow {
    /// A flow whose bytes are wanted; nobody reads them yet.
    pub(super) fn new(tcp: Tcp) -> Self {
        Self { tcp, stream: None, content: true, given_up: false }
    }

    /// No more packets come: shows what waited for others, and ends the reading. `budgets`: of segments out of order, and of
    /// sessions.
    pub fn finish(&mut self, [reassembly, sessions]: [&mut Budget; 2], cx: &mut Context<'_>) {
        let Self { tcp, stream, .. } = self;
        tcp.finish(reassembly, &mut |direction, part| match part {
            Delivered::Data(bytes) => {
                stream.get_or_insert_default().data(direction, bytes, cx, sessions);
            }
            Delivered::Gap(missing) => {
                stream.get_or_insert_default().gap(direction, missing, cx, sessions);
            }
        });
        tcp.discard(reassembly);
        if let Some(stream) = stream {
            stream.close(cx, sessions);
        }
    }
}

/// How far it is known what reads the datagrams of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identification {
    /// So many datagrams that no protocol recognised.
    Unrecognised(u8),
    /// The protocol with this place in [`parsers::PROTOCOLS`] reads them.
    Protocol(u8),
    /// Nobody wants to see more.
    Over,
}

impl Default for Identification {
    fn default() -> Self {
        Self::Unrecognised(0)
    }
}

impl std::fmt::Debug for TransportState {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Attempt(attempt) => formatter.debug_tuple("Attempt").field(attempt).finish(),
            Self::Tcp(flow) => formatter.debug_tuple("Tcp").field(flow).finish(),
            Self::Datagrams(session) => formatter.debug_tuple("Datagrams").field(&session.is_some()).finish(),
            Self::Other => formatter.write_str("Other"),
        }
    }
}
