//! The loop that shows the bytes of a stream to a session: identification first, then the session, then nothing.
//!
//! In-order bytes are shown as they come. What a session does not take is kept here, and shown again in front of the next
//! bytes; how much may be kept is for the owner to say. A stream is a TCP flow, or a tunnel within another protocol.

use schemas::anomaly::AnomalyName;

use crate::PROTOCOLS;
use crate::carriers;
use crate::context::Context;
use crate::gssapi;
use crate::protocol::{Direction, Malformed, Progress, Protocol, Session, Transport, Verdict};
use crate::recognise::Found;
use crate::unread::Unread;

/// Most bytes of a direction that identification looks at before it gives up.
const IDENTIFIED_WITHIN: usize = 4096;

/// Most bytes of a direction that wait for a session to have enough: the longest message that a session may ask for
/// (a DNS message over TCP has 64 KiB and its length).
const PENDING: usize = 1 << 20;

/// Most bytes that are kept of a stream that nobody recognises, should it be claimed.
const CLAIMABLE: usize = 64 * 1024;

/// Protocols that may follow one another within the bytes of one segment: more is somebody playing.
const HANDOVERS: usize = 4;

/// What is known of the protocol of a stream.
#[derive(Default)]
pub struct Stream {
    state: State,
    pending: [Vec<u8>; 2],
    /// Bytes that have to be there before the session is called again.
    wanted: [usize; 2],
    /// Directions in which nothing more can be recognised: a gap at their beginning, or too many bytes.
    closed: [bool; 2],
    /// Somebody may come to say what this is ([`Stream::claim`]): bytes that nobody recognises are kept for a while.
    is_claimable: bool,
}

#[derive(Default)]
enum State {
    /// No protocol has been found yet.
    #[default]
    Identifying,
    /// A session reads.
    Reading { protocol: &'static dyn Protocol, session: Box<dyn Session> },
    /// Nobody wants to see more.
    Over,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Stream").field("over", &self.is_over()).finish_non_exhaustive()
    }
}

/// Whether the flow uses one of the protocol's ports.
fn is_hinted(protocol: &dyn Protocol, ports: (u16, u16)) -> bool {
    protocol.ports().iter().any(|port| *port == ports.0 || *port == ports.1)
}

/// The protocols of a transport, those first whose ports the flow uses: place in [`PROTOCOLS`], and whether a port hints
/// at it.
pub fn candidates(
    transport: Transport,
    ports: (u16, u16),
) -> impl Iterator<Item = (usize, &'static dyn Protocol, bool)> {
    let of_transport = move |hinted: bool| {
        PROTOCOLS
            .iter()
            .copied()
            .enumerate()
            .filter(move |(_, protocol)| {
                protocol.transport() == transport && is_hinted(*protocol, ports) == hinted
            })
            .map(move |(place, protocol)| (place, protocol, hinted))
    };
    of_transport(true).chain(of_transport(false))
}

/// What follows a protocol that is only recognised, for what it carries.
fn follower(name: &str) -> Option<&'static dyn Protocol> {
    match (carriers::of(name), gssapi::of(name)) {
        (Some(carrier), _) => Some(carrier),
        (None, Some(carrier)) => Some(carrier),
        (None, None) => None,
    }
}

impl Stream {
    /// Whether no more bytes are wanted: the flow then only counts them.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Bytes held here, by the session too.
    pub fn held(&self) -> usize {
        let session = match &self.state {
            State::Reading { session, .. } => session.held(),
            State::Identifying | State::Over => 0,
        };
        self.pending.iter().map(Vec::len).sum::<usize>() + session
    }

    /// Whether more waits than any message has: no session will take it.
    pub fn is_overfull(&self) -> bool {
        self.pending.iter().any(|pending| pending.len() > PENDING)
    }

    /// Shows the next bytes of a direction.
    pub fn data(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) {
        if self.is_over() || bytes.is_empty() {
            return;
        }
        let waiting = direction.of(&mut self.pending);
        if waiting.is_empty() {
            let taken = self.show(direction, bytes, cx);
            self.keep(direction, bytes.get(taken..).unwrap_or_default());
        } else {
            waiting.extend_from_slice(bytes);
            if waiting.len() >= *direction.of(&mut self.wanted) {
                let mut waiting = std::mem::take(waiting);
                let taken = self.show(direction, &waiting, cx);
                waiting.drain(..taken.min(waiting.len()));
                *direction.of(&mut self.pending) = waiting;
            }
        }
        self.settle();
    }

    /// `missing` bytes of a direction will not come.
    pub fn gap(&mut self, direction: Direction, missing: u64, cx: &mut Context<'_>) {
        self.leave(direction, cx);
        *direction.of(&mut self.wanted) = 0;
        match &mut self.state {
            State::Over => {}
            State::Identifying => {
                *direction.of(&mut self.closed) = true;
                self.is_claimable = false;
            }
            State::Reading { protocol, session } => {
                let progress = session.gap(cx.turned(direction), missing, cx);
                let name = protocol.name();
                self.react(progress, name, cx);
            }
        }
        self.settle();
    }

    /// Somebody may come to say what this is. To be said before its first byte.
    pub fn await_claim(&mut self) {
        self.is_claimable = true;
    }

    /// It is this protocol, somebody says who must know: identification has no say any more. Returns whether all that came
    /// before is still here and nobody else reads it.
    pub fn claim(
        &mut self,
        protocol: &'static dyn Protocol,
        session: Box<dyn Session>,
        cx: &mut Context<'_>,
    ) -> bool {
        let is_whole =
            self.is_claimable || self.pending.iter().all(Vec::is_empty) && !self.closed.contains(&true);
        if !matches!(self.state, State::Identifying) || !is_whole {
            return false;
        }
        self.is_claimable = false;
        self.closed = [false; 2];
        self.state = State::Reading { protocol, session };
        cx.services.confirm(protocol.name());
        for direction in [Direction::ToResponder, Direction::ToOriginator] {
            let waiting = std::mem::take(direction.of(&mut self.pending));
            self.data(direction, &waiting, cx);
        }
        true
    }

    /// Originator and responder changed places.
    pub fn flip(&mut self) {
        self.pending.swap(0, 1);
        self.wanted.swap(0, 1);
        self.closed.swap(0, 1);
    }

    /// Time has passed on a flow that lives on.
    pub fn expire(&mut self, cx: &mut Context<'_>) {
        if let State::Reading { session, .. } = &mut self.state {
            session.expire(cx);
        }
    }

    /// The stream is over.
    pub fn close(&mut self, cx: &mut Context<'_>) {
        for direction in [Direction::ToResponder, Direction::ToOriginator] {
            self.leave(direction, cx);
        }
        self.finish_session(cx);
        self.settle();
    }

    /// There is no room for what waits: ends the analysis, told.
    pub fn shed(&mut self, cx: &mut Context<'_>) {
        self.give_up("bytes that waited for the rest of a message", cx);
    }

    /// Ends the analysis and tells what is not analysed.
    pub fn give_up(&mut self, what: &'static str, cx: &mut Context<'_>) {
        cx.anomaly(AnomalyName::StreamShed, None, what);
        self.close(cx);
    }

    /// Shows bytes and says how many of them are dealt with.
    fn show(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) -> usize {
        // What was wanted was wanted for bytes before these, perhaps by another session.
        *direction.of(&mut self.wanted) = 0;
        let mut taken = 0;
        for _ in 0..=HANDOVERS {
            let rest = bytes.get(taken..).unwrap_or_default();
            if matches!(self.state, State::Identifying) {
                match self.identify(direction, rest, cx) {
                    Verdict::Yes => self.show_other_side(direction, cx),
                    Verdict::NeedMore => return taken,
                    Verdict::No if self.is_claimable => return taken,
                    Verdict::No => return bytes.len(),
                }
            }
            taken += self.read(direction, rest, cx);
            // What follows a handover in the same bytes is the next protocol's.
            if taken >= bytes.len() || !matches!(self.state, State::Identifying) {
                return taken;
            }
        }
        taken
    }

    /// Bytes of the other side that came before the protocol was known are its first ones.
    fn show_other_side(&mut self, direction: Direction, cx: &mut Context<'_>) {
        let other = direction.reverse();
        let waiting = std::mem::take(other.of(&mut self.pending));
        if !waiting.is_empty() {
            let taken = self.read(other, &waiting, cx).min(waiting.len());
            *other.of(&mut self.pending) = waiting.get(taken..).unwrap_or_default().to_vec();
        }
    }

    fn read(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) -> usize {
        let mut taken = 0;
        while let State::Reading { protocol, session } = &mut self.state {
            let rest = bytes.get(taken..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            let name = protocol.name();
            let progress = session.data(cx.turned(direction), rest, cx);
            match progress {
                Ok(Progress::Took(0)) => break,
                Ok(Progress::Took(count)) => taken += count.min(rest.len()),
                Ok(Progress::Need(count)) if count > rest.len() => {
                    *direction.of(&mut self.wanted) = count;
                    break;
                }
                // A session that needs what it has been shown would be called for ever.
                Ok(Progress::Need(_)) => break,
                other => {
                    self.react(other, name, cx);
                    if matches!(self.state, State::Over) {
                        taken = bytes.len();
                    }
                    break;
                }
            }
        }
        taken
    }

    /// What follows from an answer that is not about bytes.
    fn react(&mut self, progress: Result<Progress, Malformed>, protocol: &'static str, cx: &mut Context<'_>) {
        match progress {
            Ok(Progress::Took(_) | Progress::Need(_)) => {}
            Ok(Progress::Done) => self.finish_session(cx),
            Ok(Progress::Handover) => {
                self.finish_session(cx);
                self.state = State::Identifying;
                self.closed = [false; 2];
            }
            Err(Malformed(field)) => {
                cx.anomaly(AnomalyName::ProtocolMalformed, Some(protocol), field);
                self.finish_session(cx);
            }
        }
    }

    fn finish_session(&mut self, cx: &mut Context<'_>) {
        if let State::Reading { session, .. } = &mut self.state {
            session.close(cx);
        }
        self.state = State::Over;
    }

    /// Nothing will follow on what waits.
    fn leave(&mut self, direction: Direction, cx: &mut Context<'_>) {
        let waiting = std::mem::take(direction.of(&mut self.pending));
        if let State::Reading { session, .. } = &mut self.state
            && !waiting.is_empty()
        {
            session.unfinished(cx.turned(direction), &waiting, cx);
        }
    }

    fn identify(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) -> Verdict {
        if *direction.of(&mut self.closed) {
            return Verdict::No;
        }
        if cx.settings.unread {
            self.state = State::Reading { protocol: &Unread, session: Box::new(Unread) };
            return Verdict::Yes;
        }
        let ports = (cx.flow.src_port, cx.flow.dst_port);
        let mut undecided = false;
        for (_, protocol, hinted) in candidates(Transport::Tcp, ports) {
            match protocol.probe(cx.turned(direction), bytes, hinted) {
                Verdict::Yes => {
                    self.state = State::Reading { protocol, session: protocol.session() };
                    cx.services.confirm(protocol.name());
                    return Verdict::Yes;
                }
                Verdict::NeedMore => undecided = true,
                Verdict::No => {}
            }
        }
        match cx.services.recognise(Transport::Tcp, cx.turned(direction), ports, bytes) {
            Found::Name(name) => {
                if let Some(protocol) = follower(name) {
                    self.state = State::Reading { protocol, session: protocol.session() };
                    return Verdict::Yes;
                }
            }
            Found::More => undecided = true,
            Found::Nothing => {}
        }
        if undecided && bytes.len() < IDENTIFIED_WITHIN {
            return Verdict::NeedMore;
        }
        *direction.of(&mut self.closed) = true;
        Verdict::No
    }

    /// Keeps what was not taken.
    fn keep(&mut self, direction: Direction, rest: &[u8]) {
        if !rest.is_empty() && !self.is_over() {
            direction.of(&mut self.pending).extend_from_slice(rest);
        }
    }

    /// Lets go of what nobody wants any more.
    fn settle(&mut self) {
        self.is_claimable &= self.pending.iter().map(Vec::len).sum::<usize>() <= CLAIMABLE;
        if matches!(self.state, State::Identifying) && !self.is_claimable {
            for (pending, closed) in self.pending.iter_mut().zip(self.closed) {
                if closed {
                    pending.clear();
                }
            }
            if self.closed == [true, true] {
                self.state = State::Over;
            }
        }
        if self.is_over() {
            self.pending = Default::default();
        }
    }
}
