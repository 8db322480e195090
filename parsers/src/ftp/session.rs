//! A control connection: its lines, and what commands do. Replies are in `replies`, data connections in `channels`.

use std::collections::VecDeque;
use std::sync::Arc;

use memchr::memchr;
use schemas::anomaly::AnomalyName;

use super::channels::{Parameters, write};
use super::commands::{self, Kind};
use super::exchange::{Exchange, Login, Place, Reply};
use super::wire::{self, Line};
use super::{NAME, address, recognition};
use crate::context::Context;
use crate::protocol::{Direction, Malformed, Progress, Session, Verdict};
use crate::roles::Roles;
use crate::tls;
use crate::transfers::Ticket;

/// Most commands of a flow that wait for their replies; the oldest is written without one when another comes. Clients that
/// do not wait send a handful.
pub const MAX_PENDING: usize = 100;

/// Most lines of a flow that are no commands, or no replies, and get a row nevertheless: somebody may have typed them. Of
/// bytes that only happen to hold line feeds there is no end.
pub const MAX_JUNK: u32 = 100;

/// Longest name and password that go with every row; what is longer is cut there, and whole in the rows of USER and PASS.
const MAX_NAME: usize = 256;

/// The two sides.
#[derive(Debug, Default)]
pub(super) struct Ftp {
    sides: [Side; 2],
    pub(super) roles: Roles,
    /// Commands without their final replies, in order.
    pub(super) pending: VecDeque<Exchange>,
    /// Transfers that were answered, and whose data connections have not ended.
    pub(super) waiting: VecDeque<Exchange>,
    /// A reply of which more lines are to come.
    pub(super) reply: Option<Reply>,
    pub(super) login: Option<Arc<Login>>,
    pub(super) cwd: Option<Arc<[u8]>>,
    /// The data connection that was agreed on last, and that no transfer has used.
    pub(super) channel: Option<Ticket>,
    /// About the next file.
    pub(super) parameters: Parameters,
    /// A reply was seen.
    pub(super) was_heard: bool,
    /// The last reply was 426: another one that the transfer is over is to ABOR, if it is to anything (RFC 959, 4.1.3).
    pub(super) was_cut_short: bool,
    /// Commands were lost: a reply may be to one that nobody saw.
    pub(super) has_lost_commands: bool,
    /// Lines that were no commands or no replies.
    pub(super) junk: u32,
    /// TLS was agreed on.
    pub(super) is_protected: bool,
    /// This is known to those that link data connections.
    is_open: bool,
}

/// One side.
#[derive(Debug, Default)]
struct Side {
    state: State,
    /// When the line that is on its way began.
    begun: Option<Place>,
    /// How far its end has been looked for.
    scanned: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// A line begins.
    #[default]
    Line,
    /// The rest of a line that was too long.
    Rest,
    /// Behind lost bytes: perhaps the rest of a line.
    Lost,
}

impl Ftp {
    /// Takes what stands in front: a line, or part of one that is of no use.
    fn step(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) -> Progress {
        let side = direction.of(&mut self.sides);
        if side.state == State::Rest {
            let end = memchr(b'\n', bytes);
            if end.is_some() {
                side.state = State::Line;
            }
            return Progress::Took(end.map_or(bytes.len(), |end| end + 1));
        }
        match self.tls(direction, bytes) {
            Verdict::Yes => return Progress::Handover,
            Verdict::NeedMore => return Progress::Need(bytes.len() + 1),
            Verdict::No => {}
        }
        let side = direction.of(&mut self.sides);
        let begun = *side.begun.get_or_insert((cx.now, cx.packet));
        let (line, length) = match wire::line(bytes, &mut side.scanned) {
            Line::Unfinished => return Progress::Need(bytes.len() + 1),
            Line::Cut(line) => {
                cx.anomaly(AnomalyName::FtpMalformed, Some(NAME), "line longer than 64 KiB");
                (line, line.len())
            }
            Line::Whole { text, length, is_bare } => {
                if is_bare {
                    cx.anomaly(AnomalyName::FtpOdd, Some(NAME), "line ends with LF alone");
                }
                (text, length)
            }
        };
        let was_lost = side.state == State::Lost;
        side.begun = None;
        side.state = if line.len() == length { State::Rest } else { State::Line };
        self.line(direction, line, begun, was_lost, cx);
        Progress::Took(length)
    }

    /// A line of either side. `was_lost`: it may be the rest of one.
    fn line(
        &mut self,
        direction: Direction,
        line: &[u8],
        begun: Place,
        was_lost: bool,
        cx: &mut Context<'_>,
    ) {
        let stripped = wire::without_telnet(line);
        if stripped.as_ref().is_some_and(|stripped| stripped.splits_word) {
            cx.anomaly(AnomalyName::FtpOdd, Some(NAME), "Telnet within a command");
        }
        let line = stripped.as_ref().map_or(line, |stripped| &stripped.text);
        match direction {
            Direction::ToResponder if was_lost && !begins_command(line) => {}
            Direction::ToOriginator if was_lost && wire::reply_line(line).is_none() => {}
            Direction::ToResponder => self.command(line, begun, cx),
            Direction::ToOriginator => self.reply_line(line, begun, cx),
        }
    }

    /// Whether TLS begins here.
    fn tls(&mut self, direction: Direction, bytes: &[u8]) -> Verdict {
        let verdict = match bytes.first() {
            Some(0x14..=0x17 | 0x80..=0xfe) => tls::begins(bytes),
            _ => Verdict::No,
        };
        // What was agreed on comes, whether its beginning was lost or not.
        let is_text = bytes.first().is_some_and(|byte| matches!(byte, b'\r' | b'\n' | b' '..=b'~'));
        let side = direction.of(&mut self.sides);
        if verdict == Verdict::Yes
            || verdict == Verdict::No && self.is_protected && !is_text && side.state != State::Rest
        {
            if let Some(auth) = self.pending.iter_mut().rfind(|one| one.kind == Kind::Authenticate) {
                auth.starts_tls = true;
            }
            return Verdict::Yes;
        }
        verdict
    }

    /// A line of the client.
    fn command(&mut self, line: &[u8], first: Place, cx: &mut Context<'_>) {
        let Some(command) = wire::command(line) else { return };
        let (verb, arg) = (command.verb, command.arg);
        let kind = commands::kind(verb);
        if command.is_indented {
            cx.anomaly(AnomalyName::FtpOdd, Some(NAME), "blank before a command");
        }
        let is_junk = kind == Kind::Unknown && !commands::is_word(verb);
        let is_silent = is_junk && self.is_too_much("line that is no command", cx);
        if let Some(reply) = &mut self.reply {
            reply.may_be_over = true;
        }
        // A client that asks again has its answer, or waits for none.
        while self.pending.front().is_some_and(|front| front.is_doubtful && !front.is_in_progress()) {
            self.give_up(0, cx);
        }
        if self.pending.len() >= MAX_PENDING {
            cx.anomaly(AnomalyName::FtpShed, Some(NAME), "commands without replies");
            self.give_up(0, cx);
        }
        self.identify(kind, arg, cx);
        let mut exchange = Exchange {
            first,
            kind,
            verb: Some(verb.into()),
            arg: arg.map(Into::into),
            login: self.login.clone(),
            is_silent,
            ..Exchange::default()
        };
        if let Some(named) = address::of_command(verb, arg.unwrap_or_default()) {
            self.announce(&mut exchange, named, false, cx);
        } else if kind.is_active() {
            cx.anomaly(AnomalyName::FtpOdd, Some(NAME), "address that cannot be read");
        }
        if kind.transfers() {
            self.ask_for_transfer(&mut exchange, cx);
        }
        self.pending.push_back(exchange);
    }

    /// Counts a line that is none; whether there were so many that they get no rows any more.
    pub(super) fn is_too_much(&mut self, what: &'static str, cx: &mut Context<'_>) -> bool {
        cx.anomaly(AnomalyName::FtpMalformed, Some(NAME), what);
        self.junk = self.junk.saturating_add(1);
        if self.junk > MAX_JUNK {
            cx.anomaly(AnomalyName::FtpShed, Some(NAME), "lines that are no commands or no replies");
        }
        self.junk > MAX_JUNK
    }

    /// Notes who the client says it is.
    fn identify(&mut self, kind: Kind, arg: Option<&[u8]>, cx: &mut Context<'_>) {
        let mut kept = |text: &[u8]| -> Box<[u8]> {
            if text.len() > MAX_NAME {
                cx.anomaly(AnomalyName::ValueCut, Some(NAME), "name or password");
            }
            text.get(..MAX_NAME).unwrap_or(text).into()
        };
        match kind {
            Kind::User => {
                self.login = Some(Arc::new(Login { username: arg.map(kept), password: None }));
            }
            Kind::Password => {
                let username = self.login.as_ref().and_then(|login| login.username.clone());
                self.login = Some(Arc::new(Login { username, password: arg.map(&mut kept) }));
            }
            _ => {}
        }
    }
}

impl Session for Ftp {
    fn data(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        let direction = self.roles.settle(direction, cx, || match direction {
            Direction::ToResponder => recognition::is_server(bytes),
            Direction::ToOriginator => recognition::is_client(bytes),
        });
        if !self.is_open {
            self.is_open = true;
            let flow = cx.envelope(cx.now, cx.packet);
            if let Some(transfers) = cx.transfers.as_deref_mut() {
                transfers.open(&flow);
            }
        }
        if !self.waiting.is_empty() {
            self.write_settled(cx);
        }
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(Progress::Took(taken));
            }
            match self.step(direction, rest, cx) {
                Progress::Took(count) => taken += count,
                // What is another protocol's is shown by itself.
                _ if taken > 0 => return Ok(Progress::Took(taken)),
                other => return Ok(other),
            }
        }
    }

    fn gap(
        &mut self,
        direction: Direction,
        _missing: u64,
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        let direction = self.roles.of(direction);
        *direction.of(&mut self.sides) = Side { state: State::Lost, ..Side::default() };
        if let Some(reply) = &mut self.reply {
            reply.may_be_over = true;
        }
        match direction {
            Direction::ToResponder => {
                self.has_lost_commands = true;
                self.cwd = None;
                self.forget_channel(cx);
            }
            Direction::ToOriginator => {
                // Most clients wait for each reply: those to all commands but the last one are what was lost.
                while self.pending.len() > 1 && self.pending.front().is_some_and(|one| !one.is_in_progress())
                {
                    self.give_up(0, cx);
                }
                for one in &mut self.pending {
                    one.is_doubtful = true;
                }
            }
        }
        Ok(Progress::Took(0))
    }

    /// The last line may have no end. One before lost bytes goes on in them, and its front says nothing.
    fn unfinished(&mut self, direction: Direction, bytes: &[u8], cx: &mut Context<'_>) {
        let direction = self.roles.of(direction);
        if cx.end.is_none() || self.tls(direction, bytes) != Verdict::No {
            return;
        }
        let side = std::mem::take(direction.of(&mut self.sides));
        if side.state == State::Rest {
            return;
        }
        let carriage_returns = bytes.iter().rev().take_while(|byte| **byte == b'\r').count();
        let line = bytes.get(..bytes.len() - carriage_returns).unwrap_or_default();
        let begun = side.begun.unwrap_or((cx.now, cx.packet));
        self.line(direction, line, begun, side.state == State::Lost, cx);
    }

    fn expire(&mut self, cx: &mut Context<'_>) {
        self.write_settled(cx);
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        self.end_reply(cx);
        while !self.pending.is_empty() {
            self.give_up(0, cx);
        }
        for exchange in std::mem::take(&mut self.waiting) {
            write(&exchange, cx);
        }
        self.forget_channel(cx);
        if std::mem::take(&mut self.is_open) {
            let flow = cx.envelope(cx.now, cx.packet);
            if let Some(transfers) = cx.transfers.as_deref_mut() {
                transfers.close(&flow);
            }
        }
    }

    fn held(&self) -> usize {
        let exchanges = self.pending.iter().chain(&self.waiting).map(Exchange::held).sum::<usize>();
        exchanges + self.reply.as_ref().map_or(0, |reply| reply.text.len())
    }
}

/// Whether a line behind lost bytes is a command from its beginning on.
fn begins_command(line: &[u8]) -> bool {
    wire::command(line).is_some_and(|command| commands::kind(command.verb) != Kind::Unknown)
}
