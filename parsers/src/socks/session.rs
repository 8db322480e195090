//! SOCKS of one flow: each side by itself, until both have said what comes before the content.

use super::wire::{self, Command, Read, Stop};
use crate::context::Context;
use crate::protocol::{Direction, Malformed, Progress, Session};

/// What a side says behind its own messages waits for those of the other side, up to so many bytes.
pub(super) const MAX_WAITING: usize = 16 * 1024;

/// Both sides.
#[derive(Debug, Default)]
pub(super) struct Socks {
    sides: [Side; 2],
    command: Option<Command>,
    /// Whether nothing of what comes can be read.
    is_over: bool,
}

/// One side.
#[derive(Clone, Copy, Debug, Default)]
struct Side {
    state: State,
    was_heard: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// The first message.
    #[default]
    First,
    /// Of a client: a password, if that is what the server wants, or the request.
    PasswordOrRequest,
    /// Of a server: whether the password is right.
    Authenticated,
    /// The request, or its reply.
    Last,
    /// What is carried inside.
    Content,
}

impl Socks {
    /// Reads a message of a client; says how many bytes it has.
    fn client(&mut self, state: State, bytes: &[u8]) -> Result<(State, usize), Stop> {
        let (next, taken, command) = match (state, bytes.first()) {
            (State::First, Some(4)) => {
                let (request, taken) = wire::request_4(bytes)?;
                (State::Content, taken, Some(request.command))
            }
            (State::First, _) => after(wire::greeting(bytes), |_| State::PasswordOrRequest)?,
            (State::PasswordOrRequest, Some(1)) => after(wire::credentials(bytes), |_| State::Last)?,
            _ => {
                let (command, taken) = wire::request(bytes)?;
                (State::Content, taken, Some(command))
            }
        };
        self.command = command.or(self.command);
        Ok((next, taken))
    }

    /// Reads a message of a server; says how many bytes it has.
    fn server(&mut self, state: State, bytes: &[u8]) -> Result<(State, usize), Stop> {
        let (next, is_good, taken) = match (state, bytes.first()) {
            (State::First, Some(5)) => {
                let (method, taken) = wire::chosen(bytes)?;
                match method {
                    wire::method::NONE => (State::Last, true, taken),
                    wire::method::PASSWORD => (State::Authenticated, true, taken),
                    // What follows is as the method says.
                    _ => (State::Content, false, taken),
                }
            }
            (State::First, _) => {
                let (is_good, taken) = wire::reply_4(bytes)?;
                (State::Content, is_good, taken)
            }
            (State::Authenticated, _) => {
                let (is_good, taken) = wire::authenticated(bytes)?;
                (State::Last, is_good, taken)
            }
            _ => {
                let (is_good, taken) = wire::reply(bytes)?;
                (State::Content, is_good, taken)
            }
        };
        self.is_over |= !is_good;
        Ok((next, taken))
    }

    /// What is to be done with content.
    fn content(&self, direction: Direction, bytes: &[u8]) -> Progress {
        let mut sides = self.sides;
        let other = direction.reverse().of(&mut sides);
        // Of a side that is not heard nothing is to come: only one was captured.
        if other.state == State::Content || !other.was_heard || bytes.len() > MAX_WAITING {
            Progress::Handover
        } else {
            Progress::Need(bytes.len() + 1)
        }
    }
}

impl Session for Socks {
    fn data(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        _cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(Progress::Took(taken));
            }
            let side = direction.of(&mut self.sides);
            side.was_heard = true;
            let state = side.state;
            if state == State::Content {
                // Content is shown by itself.
                return Ok(if taken > 0 { Progress::Took(taken) } else { self.content(direction, rest) });
            }
            let read = match direction {
                Direction::ToResponder => self.client(state, rest),
                Direction::ToOriginator => self.server(state, rest),
            };
            match read {
                Ok((next, length)) => {
                    direction.of(&mut self.sides).state = next;
                    taken += length;
                }
                Err(Stop::Need(_)) if taken > 0 => return Ok(Progress::Took(taken)),
                Err(Stop::Need(wanted)) => return Ok(Progress::Need(wanted)),
                Err(Stop::Malformed(field)) => return Err(Malformed(field)),
            }
            let answered = self.sides.iter().all(|side| side.state == State::Content);
            if self.is_over || answered && self.command != Some(Command::Connect) {
                return Ok(Progress::Done);
            }
        }
    }

    fn gap(
        &mut self,
        direction: Direction,
        _missing: u64,
        _cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        // Content that is lost is for whoever reads it.
        let is_content = direction.of(&mut self.sides).state == State::Content;
        Ok(if is_content { Progress::Handover } else { Progress::Done })
    }
}

/// A message that is no request: the state behind it.
fn after<T>(read: Read<T>, state: impl FnOnce(T) -> State) -> Result<(State, usize, Option<Command>), Stop> {
    let (message, taken) = read?;
    Ok((state(message), taken, None))
}
