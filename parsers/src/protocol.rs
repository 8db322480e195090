//! What a protocol is: how to recognise it, and how to read it.

use crate::context::Context;

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Direction {
    /// From the originator.
    ToResponder = 0,
    /// From the responder.
    ToOriginator = 1,
}

impl Direction {
    /// The other one.
    pub fn reverse(self) -> Self {
        match self {
            Self::ToResponder => Self::ToOriginator,
            Self::ToOriginator => Self::ToResponder,
        }
    }

    /// What belongs to it in a pair: the first for the originator's bytes, the second for the responder's.
    pub fn of<T>(self, [to_responder, to_originator]: &mut [T; 2]) -> &mut T {
        match self {
            Self::ToResponder => to_responder,
            Self::ToOriginator => to_originator,
        }
    }

    /// 0 for the originator's bytes, 1 for the responder's: an index into pairs.
    pub fn index(self) -> usize {
        self as usize
    }
}

/// The transport that carries a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A stream.
    Tcp,
    /// Datagrams.
    Udp,
}

/// What a look at the first bytes says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is this protocol.
    Yes,
    /// It is not.
    No,
    /// More bytes are needed to say.
    NeedMore,
}

/// How far a session came with the bytes it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// So many bytes from the front are dealt with. Fewer than shown: the rest is shown again, with more behind it.
    Took(usize),
    /// Nothing can be done before at least so many bytes are there.
    Need(usize),
    /// The session wants no more of this flow.
    Done,
    /// What follows on this flow is another protocol: identification starts again, under the same uid.
    Handover,
}

/// What broke, by the name of the field. Ends the session, not the flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// A protocol: how to recognise it, and how to start reading it. Implementations hold no state.
pub trait Protocol: Sync {
    /// As it stands in `flows.service` and as the name of its table.
    fn name(&self) -> &'static str;

    /// What carries it.
    fn transport(&self) -> Transport;

    /// Ports (of the responder, or either side for datagrams) worth probing first; a hint, never a verdict.
    fn ports(&self) -> &'static [u16];

    /// Looks at the first bytes of a direction (TCP) or at a datagram (UDP). Must be cheap and must not guess: what
    /// answers [`Verdict::Yes`] is written into `flows.service`. `hinted`: the flow uses one of [`Protocol::ports`], so
    /// what is damaged may still be recognised; on other ports nothing about the bytes may be odd.
    fn probe(&self, direction: Direction, bytes: &[u8], hinted: bool) -> Verdict;

    /// The state for one flow.
    fn session(&self) -> Box<dyn Session>;
}

/// The state of one protocol on one flow.
pub trait Session: Send {
    /// Reads from the front of `bytes`. TCP: they start where the last call for this direction stopped. UDP: one call
    /// a datagram, and what is not taken is dropped.
    ///
    /// # Errors
    /// The protocol was broken in a way that the session cannot go on from.
    fn data(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed>;

    /// `missing` bytes of this direction will never come. By default the session gives up.
    ///
    /// # Errors
    /// As for `data`.
    fn gap(
        &mut self,
        direction: Direction,
        missing: u64,
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        let _ = (direction, missing, cx);
        Ok(Progress::Done)
    }

    /// Bytes that were shown and not taken, and that nothing will follow: those before a gap, or the last of the flow.
    /// Called before [`Session::gap`] and [`Session::close`]. By default they are dropped.
    fn unfinished(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) {
        let _ = (direction, bytes, cx);
    }

    /// Time has passed: rows for what will not be completed any more may be written. Called at fixed packet positions,
    /// about once a second of packet time for flows that have a session.
    fn expire(&mut self, cx: &mut Context<'_>) {
        let _ = cx;
    }

    /// The flow is over: emit what is still pending.
    fn close(&mut self, cx: &mut Context<'_>) {
        let _ = cx;
    }

    /// Bytes of memory that it holds beyond a few hundred: they count against the memory of the streams.
    fn held(&self) -> usize {
        0
    }

    /// Whether there is nothing to remember. A session of datagrams that is idle is put away, and a new one is shown the
    /// flow's next datagram with [`Context::resumes`] set: most flows live on long after their last message, and there
    /// are millions.
    fn is_idle(&self) -> bool {
        false
    }
}
