//! A control connection: commands of one side and replies of the other, paired in order as far as they are (RFC 959, 5.4).

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use memchr::memchr;
use schemas::anomaly::AnomalyName;
use schemas::envelope::{AddressBytes, Nanoseconds};
use schemas::ftp::DataChannel;

use super::commands::{self, Kind};
use super::exchange::{Exchange, Login, Place, Reply, Transfer};
use super::wire::{self, Line};
use super::{NAME, address, directory, recognition, row};
use crate::context::Context;
use crate::protocol::{Direction, Malformed, Progress, Session, Verdict};
use crate::roles::Roles;
use crate::tls;
use crate::transfers::{Announcement, Carried, Listener, Outcome, Ticket, Verdict as Judgement};

/// Most commands of a flow that wait for their replies; the oldest is written without one when another comes. Clients that
/// do not wait send a handful.
pub const MAX_PENDING: usize = 100;

/// Most transfers of a flow that were answered and wait for what their data connections carried; then the oldest is written
/// with what is known. Most connections end before the reply comes.
pub const MAX_WAITING: usize = 64;

/// Most lines of a flow that are no commands, or no replies, and get a row nevertheless: somebody may have typed them. Of
/// bytes that only happen to hold line feeds there is no end.
pub const MAX_JUNK: u32 = 100;

/// So long after the reply a transfer waits for a data connection that was not seen yet.
const MAX_WAIT: Nanoseconds = 10 * 1_000_000_000;

/// Longest name and password that go with every row; what is longer is cut there, and whole in the rows of USER and PASS.
const MAX_NAME: usize = 256;

/// The two sides.
#[derive(Debug, Default)]
pub(super) struct Ftp {
    sides: [Side; 2],
    roles: Roles,
    /// Commands without their final replies, in order.
    pending: VecDeque<Exchange>,
    /// Transfers that were answered, and whose data connections have not ended.
    waiting: VecDeque<Exchange>,
    /// A reply of which more lines are to come.
    reply: Option<Reply>,
    login: Option<Arc<Login>>,
    cwd: Option<Arc<[u8]>>,
    /// The data connection that was agreed on last, and that no transfer has used.
    channel: Option<Ticket>,
    /// Where in the file the next transfer begins (REST).
    offset: u64,
    /// Files travel as they are (TYPE I).
    is_binary: bool,
    /// What SIZE said last.
    size: Option<(Box<[u8]>, u64)>,
    /// A reply was seen.
    was_heard: bool,
    /// Commands were lost: a reply may be to one that nobody saw.
    has_lost_commands: bool,
    /// Lines that were no commands or no replies.
    junk: u32,
    /// TLS was agreed on.
    is_protected: bool,
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
        Progress::Took(length)
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
            exchange.channel = Some(self.announce(named, false, cx));
        } else if matches!(kind, Kind::Port | Kind::ExtendedPort | Kind::LongPort) {
            cx.anomaly(AnomalyName::FtpOdd, Some(NAME), "address that cannot be read");
        }
        if kind.transfers() {
            self.begin_transfer(&mut exchange, cx);
        }
        self.pending.push_back(exchange);
    }

    /// Counts a line that is none; whether there were so many that they get no rows any more.
    fn is_too_much(&mut self, what: &'static str, cx: &mut Context<'_>) -> bool {
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

    /// A line of the server.
    fn reply_line(&mut self, line: &[u8], first: Place, cx: &mut Context<'_>) {
        let read = wire::reply_line(line);
        if let Some(reply) = &mut self.reply {
            match read {
                Some(last) if Some(last.code) == reply.code => {
                    reply.add(last.text);
                    if !last.has_more {
                        self.end_reply(cx);
                    }
                    return;
                }
                Some(_) if reply.may_be_over => {
                    cx.anomaly(AnomalyName::FtpOdd, Some(NAME), "reply without its last line");
                    self.end_reply(cx);
                }
                _ => {
                    reply.add(line);
                    return;
                }
            }
        }
        match read {
            Some(begun) => {
                self.reply = Some(Reply::new(first, Some(begun.code), begun.text));
                if !begun.has_more {
                    self.end_reply(cx);
                }
            }
            None if line.is_empty() => {}
            None => {
                if self.is_too_much("line that is no reply", cx) {
                    return;
                }
                let reply = Reply::new(first, None, line);
                if wire::is_attempt(line) {
                    self.answer(reply, cx);
                } else {
                    self.unasked(reply, cx);
                }
            }
        }
    }

    fn end_reply(&mut self, cx: &mut Context<'_>) {
        if let Some(reply) = self.reply.take() {
            self.answer(reply, cx);
        }
    }

    /// A reply is there.
    fn answer(&mut self, reply: Reply, cx: &mut Context<'_>) {
        let is_first = !std::mem::replace(&mut self.was_heard, true);
        if let Some(code @ 100..=199) = reply.code {
            let is_greeting = is_first && code == 120;
            let transfer = self.pending.iter().position(|one| one.kind.transfers() || one.verb.is_none());
            let at = transfer.or(Some(0)).filter(|at| *at < self.pending.len() && !is_greeting);
            if let Some(exchange) = at.and_then(|at| self.pending.get_mut(at)) {
                exchange.add(&reply, cx);
                learn(exchange, &reply, self.is_binary, cx);
            } else {
                let mut alone =
                    Exchange { first: reply.first, login: self.login.clone(), ..Exchange::default() };
                alone.add(&reply, cx);
                self.pending.push_front(alone);
            }
            return;
        }
        let Some(at) = self.answered(reply.code, is_first) else {
            self.unasked(reply, cx);
            return;
        };
        // A server answers in order, but for what it is asked during a transfer.
        let mut before = at;
        for place in (0..at).rev() {
            if self.pending.get(place).is_some_and(|one| !one.is_in_progress()) {
                self.give_up(place, cx);
                before -= 1;
            }
        }
        if let Some(exchange) = self.pending.remove(before) {
            self.complete(exchange, reply, cx);
        }
    }

    /// Which command a final reply is to.
    fn answered(&mut self, code: Option<u16>, is_first: bool) -> Option<usize> {
        let is_greeting = is_first && code == Some(220);
        if is_greeting
            && self.pending.front().is_some_and(|one| one.verb.is_some() && one.kind != Kind::Reinitialise)
        {
            return None;
        }
        let fitting = self.pending.iter().position(|one| code.is_some_and(|code| one.may_get(code)));
        if fitting.is_some() {
            return fitting;
        }
        if std::mem::take(&mut self.has_lost_commands) {
            return None;
        }
        let next = self.pending.iter().position(|one| !one.is_in_progress());
        next.or(Some(0)).filter(|at| *at < self.pending.len())
    }

    /// A reply that no command was seen for.
    fn unasked(&mut self, reply: Reply, cx: &mut Context<'_>) {
        let exchange = Exchange { first: reply.first, login: self.login.clone(), ..Exchange::default() };
        self.complete(exchange, reply, cx);
    }

    /// A command has its final reply.
    fn complete(&mut self, mut exchange: Exchange, reply: Reply, cx: &mut Context<'_>) {
        exchange.add(&reply, cx);
        exchange.cwd = self.cwd.clone();
        let code = reply.code.unwrap_or_default();
        let arg = exchange.arg.as_deref().unwrap_or_default();
        let is_verb =
            |name: &[u8]| exchange.verb.as_deref().is_some_and(|verb| verb.eq_ignore_ascii_case(name));
        match (exchange.kind, code) {
            (Kind::ChangeDirectory, 200 | 250) => {
                let named = directory::named(&reply.text);
                self.go(named.or_else(|| directory::join(self.cwd.as_deref(), arg)));
            }
            (Kind::ParentDirectory, 200 | 250) => {
                let named = directory::named(&reply.text);
                self.go(named.or_else(|| directory::join(self.cwd.as_deref(), b"..")));
            }
            (Kind::PrintDirectory, 257) => self.go(directory::named(&reply.text)),
            (Kind::User | Kind::Password | Kind::Account, 230 | 232) => {
                self.go(Some(directory::named(&reply.text).unwrap_or_else(|| directory::OF_LOGIN.into())));
            }
            (Kind::Reinitialise, 200..=299) => {
                self.login = None;
                self.go(None);
            }
            (Kind::Restart, 350) => {
                self.offset =
                    std::str::from_utf8(arg.trim_ascii()).ok().and_then(|arg| arg.parse().ok()).unwrap_or(0);
            }
            (Kind::Authenticate, 234) => {
                exchange.starts_tls = true;
                self.is_protected = true;
            }
            (Kind::Port | Kind::ExtendedPort | Kind::LongPort, 400..) => self.forget_channel(cx),
            (Kind::Other, 213) if is_verb(b"SIZE") => {
                let size =
                    std::str::from_utf8(reply.text.trim_ascii()).ok().and_then(|size| size.parse().ok());
                self.size = size.map(|size| (arg.into(), size));
            }
            (Kind::Other, 200) if is_verb(b"TYPE") => {
                self.is_binary = matches!(arg.to_ascii_uppercase()[..], [b'I', ..] | [b'L', b' ', b'8', ..]);
            }
            _ => {}
        }
        if let Some(named) = address::of_reply(code, &reply.text) {
            exchange.channel = Some(self.announce(named, true, cx));
        } else if matches!(code, 227..=229) {
            cx.anomaly(AnomalyName::FtpOdd, Some(NAME), "address that cannot be read");
        }
        learn(&mut exchange, &reply, self.is_binary, cx);
        if let (Some(transfer), Some(transfers)) = (&exchange.transfer, cx.transfers.as_deref_mut()) {
            transfers
                .judge(transfer.ticket, if code < 400 { Judgement::Complete } else { Judgement::Failed });
        }
        self.settle(exchange, cx);
    }

    /// The client is in another directory.
    fn go(&mut self, to: Option<Box<[u8]>>) {
        self.cwd = to.map(Into::into);
    }

    /// A command is written without a reply, or with what there was of it.
    fn give_up(&mut self, place: usize, cx: &mut Context<'_>) {
        let Some(mut exchange) = self.pending.remove(place) else { return };
        exchange.cwd = self.cwd.clone();
        // Where it led is not known.
        if matches!(exchange.kind, Kind::ChangeDirectory | Kind::ParentDirectory) {
            self.cwd = None;
        }
        self.settle(exchange, cx);
    }

    /// Somebody says where he listens.
    fn announce(
        &mut self,
        named: address::Named,
        passive: bool,
        cx: &mut Context<'_>,
    ) -> (DataChannel, bool) {
        let flow = cx.envelope(cx.now, cx.packet);
        let (client, server) =
            if self.roles.is_reversed() { (flow.dst, flow.src) } else { (flow.src, flow.dst) };
        let (opener, behalf) = if passive { (client, server) } else { (server, client) };
        let listener = named.address.unwrap_or((behalf, flow.ipv6));
        self.forget_channel(cx);
        let announcement = Announcement {
            listener: Listener { network: cx.origin.context, address: listener.0, port: named.port },
            behalf,
            passive,
        };
        self.channel = cx.announce(announcement);
        let channel = DataChannel { passive, src: (opener, flow.ipv6), dst: listener, dst_port: named.port };
        (channel, listener != (behalf, flow.ipv6) && !is_unspecified(listener))
    }

    /// The data connection that was agreed on will not be used.
    fn forget_channel(&mut self, cx: &mut Context<'_>) {
        if let (Some(ticket), Some(transfers)) = (self.channel.take(), cx.transfers.as_deref_mut()) {
            transfers.release(ticket);
        }
    }

    /// Something is to travel: says what.
    fn begin_transfer(&mut self, exchange: &mut Exchange, cx: &mut Context<'_>) {
        let offset = std::mem::take(&mut self.offset);
        let Some(ticket) = self.channel.take() else { return };
        let name = exchange.arg.as_deref().filter(|_| exchange.kind != Kind::List);
        let is_whole = exchange.kind == Kind::Retrieve && self.is_binary;
        let total =
            self.size.as_ref().filter(|(of, _)| is_whole && Some(&**of) == name).map(|(_, size)| *size);
        let carried = Carried { filename: name.map(Into::into), total, offset };
        if let Some(transfers) = cx.transfers.as_deref_mut() {
            transfers.describe(ticket, carried.clone());
        }
        exchange.transfer = Some(Transfer { ticket, carried });
    }

    /// Writes an exchange, or lets it wait for its data connection.
    fn settle(&mut self, exchange: Exchange, cx: &mut Context<'_>) {
        if exchange.transfer.is_none() || is_settled(&exchange, cx) {
            write(&exchange, cx);
            return;
        }
        if self.waiting.len() >= MAX_WAITING {
            cx.anomaly(AnomalyName::FtpShed, Some(NAME), "transfers that have not ended");
            if let Some(oldest) = self.waiting.pop_front() {
                write(&oldest, cx);
            }
        }
        self.waiting.push_back(exchange);
    }

    /// Writes those whose data connections have ended.
    fn write_settled(&mut self, cx: &mut Context<'_>) {
        self.waiting.retain(|exchange| {
            let is_settled = is_settled(exchange, cx);
            if is_settled {
                write(exchange, cx);
            }
            !is_settled
        });
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

/// Takes from a reply what it says about the file.
fn learn(exchange: &mut Exchange, reply: &Reply, is_binary: bool, cx: &mut Context<'_>) {
    let kind = exchange.kind;
    let Some(transfer) = &mut exchange.transfer else { return };
    let carried = &mut transfer.carried;
    let before = carried.clone();
    if kind == Kind::StoreUnique
        && reply.code.is_some_and(|code| code < 300)
        && let Some(name) = wire::stored_name(&reply.text)
    {
        carried.filename = Some(name.into());
    }
    if kind == Kind::Retrieve && is_binary && carried.offset == 0 && reply.code == Some(150) {
        carried.total = carried.total.or_else(|| wire::announced_size(&reply.text));
    }
    if *carried != before
        && let Some(transfers) = cx.transfers.as_deref_mut()
    {
        transfers.describe(transfer.ticket, carried.clone());
    }
}

/// Whether all is known of the data connection that will be.
fn is_settled(exchange: &Exchange, cx: &Context<'_>) -> bool {
    let (Some(transfer), Some(transfers)) = (&exchange.transfer, cx.transfers.as_deref()) else {
        return true;
    };
    match transfers.outcome(transfer.ticket) {
        Outcome::Made(made) => made.ended,
        Outcome::Late => true,
        Outcome::Waited => {
            let failed = exchange.code.is_none_or(|code| code >= 400);
            failed || cx.now.saturating_sub(exchange.answered) > MAX_WAIT
        }
    }
}

/// Writes the row of an exchange, and lets go of its data connection.
fn write(exchange: &Exchange, cx: &mut Context<'_>) {
    let mut outcome = Outcome::Waited;
    if let (Some(transfer), Some(transfers)) = (&exchange.transfer, cx.transfers.as_deref_mut()) {
        outcome = transfers.outcome(transfer.ticket);
        transfers.release(transfer.ticket);
    }
    row::emit(exchange, outcome, cx);
}

/// Whether a line behind lost bytes is a command from its beginning on.
fn begins_command(line: &[u8]) -> bool {
    wire::command(line).is_some_and(|command| commands::kind(command.verb) != Kind::Unknown)
}

/// Whether an address names no host: then it is that of the control connection.
fn is_unspecified((address, is_ipv6): (AddressBytes, bool)) -> bool {
    let [.., a, b, c, d] = address;
    let address = if is_ipv6 { IpAddr::from(address) } else { IpAddr::from([a, b, c, d]) };
    address.is_unspecified()
}
