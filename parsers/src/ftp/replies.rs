//! Replies of a control connection: which command each is to, in order as far as they are (RFC 959, 5.4), and what it changes.

use schemas::anomaly::AnomalyName;

use super::channels::{Parameters, has_its_turn, learn};
use super::commands::Kind;
use super::exchange::{Exchange, Place, Reply};
use super::session::Ftp;
use super::{NAME, address, directory, wire};
use crate::context::Context;
use crate::transfers::Verdict as Judgement;

impl Ftp {
    /// A line of the server.
    pub(super) fn reply_line(&mut self, line: &[u8], first: Place, cx: &mut Context<'_>) {
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

    pub(super) fn end_reply(&mut self, cx: &mut Context<'_>) {
        if let Some(reply) = self.reply.take() {
            self.answer(reply, cx);
        }
    }

    /// A reply is there.
    fn answer(&mut self, reply: Reply, cx: &mut Context<'_>) {
        let is_first = !std::mem::replace(&mut self.was_heard, true);
        let ends_abort = std::mem::take(&mut self.was_cut_short) && matches!(reply.code, Some(225 | 226));
        if let Some(code @ 100..=199) = reply.code {
            let is_greeting = is_first && code == 120;
            let transfer = self.transferring(code, cx);
            let at = transfer.or(Some(0)).filter(|at| *at < self.pending.len() && !is_greeting);
            if let Some(exchange) = at.and_then(|at| self.pending.get_mut(at)) {
                has_its_turn(exchange, &mut self.channel, &mut self.parameters, cx);
                exchange.add(&reply, cx);
                learn(exchange, &reply, &self.parameters, cx);
            } else {
                let mut alone =
                    Exchange { first: reply.first, login: self.login.clone(), ..Exchange::default() };
                alone.add(&reply, cx);
                self.pending.push_front(alone);
            }
            return;
        }
        let at = if ends_abort {
            self.pending.iter().position(|one| one.kind == Kind::Abort)
        } else {
            self.answered(reply.code, is_first)
        };
        let Some(at) = at else {
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

    /// Which transfer a preliminary reply is to. One that begins tells that those before it have ended, where that was lost.
    fn transferring(&mut self, code: u16, cx: &mut Context<'_>) -> Option<usize> {
        let is_transfer = |one: &Exchange| one.kind.transfers() || one.verb.is_none();
        loop {
            let at = self.pending.iter().position(is_transfer)?;
            let one = self.pending.get(at)?;
            let has_begun = matches!(code, 125 | 150) && one.preliminary.iter().any(|one| *one != 120);
            let is_followed = self.pending.iter().skip(at + 1).any(|one| one.kind.transfers());
            if !has_begun || !(one.verb.is_none() || one.is_doubtful && is_followed) {
                return Some(at);
            }
            self.give_up(at, cx);
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
        next.or_else(|| self.pending.iter().position(|one| one.verb.is_some()))
    }

    /// A reply that no command was seen for.
    fn unasked(&mut self, reply: Reply, cx: &mut Context<'_>) {
        let exchange = Exchange { first: reply.first, login: self.login.clone(), ..Exchange::default() };
        self.complete(exchange, reply, cx);
    }

    /// A command has its final reply.
    fn complete(&mut self, mut exchange: Exchange, reply: Reply, cx: &mut Context<'_>) {
        has_its_turn(&mut exchange, &mut self.channel, &mut self.parameters, cx);
        exchange.add(&reply, cx);
        exchange.cwd = self.cwd.clone();
        let code = reply.code.unwrap_or_default();
        self.was_cut_short = code == 426;
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
                self.parameters = Parameters::default();
                self.go(None);
            }
            (Kind::Restart, 350) => {
                self.parameters.offset =
                    std::str::from_utf8(arg.trim_ascii()).ok().and_then(|arg| arg.parse().ok()).unwrap_or(0);
            }
            (Kind::Authenticate, 234) => {
                exchange.starts_tls = true;
                self.is_protected = true;
            }
            (Kind::Port | Kind::ExtendedPort | Kind::LongPort, 400..) => self.refused_channel(&exchange, cx),
            (Kind::Other, 213) if is_verb(b"SIZE") => {
                let size =
                    std::str::from_utf8(reply.text.trim_ascii()).ok().and_then(|size| size.parse().ok());
                self.parameters.size = size.map(|size| (arg.into(), size));
            }
            (Kind::Other, 200) if is_verb(b"MODE") => {
                self.parameters.is_encoded = !arg.eq_ignore_ascii_case(b"S");
            }
            (Kind::Other, 200) if is_verb(b"TYPE") => {
                self.parameters.is_binary =
                    matches!(arg.to_ascii_uppercase()[..], [b'I', ..] | [b'L', b' ', b'8', ..]);
            }
            _ => {}
        }
        if let Some(named) = address::of_reply(code, &reply.text) {
            self.announce(&mut exchange, named, true, cx);
        } else if matches!(code, 227..=229) {
            cx.anomaly(AnomalyName::FtpOdd, Some(NAME), "address that cannot be read");
        }
        learn(&mut exchange, &reply, &self.parameters, cx);
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
    pub(super) fn give_up(&mut self, place: usize, cx: &mut Context<'_>) {
        let Some(mut exchange) = self.pending.remove(place) else { return };
        exchange.cwd = self.cwd.clone();
        // Where it led is not known.
        if matches!(exchange.kind, Kind::ChangeDirectory | Kind::ParentDirectory) {
            self.cwd = None;
        }
        if exchange.kind.transfers() && !exchange.is_in_progress() {
            self.parameters.offset = 0;
        }
        self.settle(exchange, cx);
    }
}
