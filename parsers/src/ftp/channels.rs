//! Data connections as the control connection sees them: agreed on, used by a transfer, waited for at its end.

use std::net::IpAddr;

use schemas::anomaly::AnomalyName;
use schemas::envelope::{AddressBytes, Nanoseconds};
use schemas::ftp::DataChannel;

use super::commands::Kind;
use super::exchange::{Exchange, Reply, Transfer};
use super::session::Ftp;
use super::{NAME, address, directory, row, wire};
use crate::context::Context;
use crate::transfers::{Announcement, Carried, Listener, Outcome, Ticket};

/// Most transfers of a flow that were answered and wait for what their data connections carried; then the oldest is written
/// with what is known. Most connections end before the reply comes.
pub const MAX_WAITING: usize = 64;

/// So long after the reply a transfer waits for a data connection that was not seen yet.
const MAX_WAIT: Nanoseconds = 10 * 1_000_000_000;

impl Ftp {
    /// Somebody says where he listens, in this command or in a reply to it.
    pub(super) fn announce(
        &mut self,
        exchange: &mut Exchange,
        named: address::Named,
        passive: bool,
        cx: &mut Context<'_>,
    ) {
        let flow = cx.envelope(cx.now, cx.packet);
        let (client, server) =
            if self.roles.is_reversed() { (flow.dst, flow.src) } else { (flow.src, flow.dst) };
        let (opener, behalf) = if passive { (client, server) } else { (server, client) };
        let listener = named.address.unwrap_or((behalf, flow.ipv6));
        let channel = DataChannel { passive, src: (opener, flow.ipv6), dst: listener, dst_port: named.port };
        let is_bounce = listener != (behalf, flow.ipv6) && !is_unspecified(listener);
        exchange.channel = Some((channel, is_bounce));
        let announcement = Announcement {
            listener: Listener { network: cx.origin.context, address: listener.0, port: named.port },
            behalf,
            passive,
        };
        let announced = cx.announce(announcement);
        exchange.announced = announced;
        match announced {
            Some(ticket) if passive && self.hand_on(ticket, cx) => {}
            _ => {
                self.forget_channel(cx);
                self.channel = announced;
            }
        }
    }

    /// Gives a channel to the transfer that was asked for before the server had said where it listens; whether there is one.
    fn hand_on(&mut self, ticket: Ticket, cx: &mut Context<'_>) -> bool {
        let next = self.pending.iter_mut().find(|one| {
            !one.is_in_progress() && (one.kind.is_passive() || one.kind.is_active() || one.awaits_channel)
        });
        match next.filter(|one| one.awaits_channel) {
            Some(transfer) => {
                begin(transfer, ticket, &self.parameters, cx);
                true
            }
            None => false,
        }
    }

    /// A command was refused that announced a channel.
    pub(super) fn refused_channel(&mut self, exchange: &Exchange, cx: &mut Context<'_>) {
        if self.channel == exchange.announced {
            self.forget_channel(cx);
        }
    }

    /// The data connection that was agreed on will not be used.
    pub(super) fn forget_channel(&mut self, cx: &mut Context<'_>) {
        if let (Some(ticket), Some(transfers)) = (self.channel.take(), cx.transfers.as_deref_mut()) {
            transfers.release(ticket);
        }
    }

    /// Something is to travel: by the channel that was agreed on last. Where the client did not wait for the reply that
    /// agrees on it, that is still to come.
    pub(super) fn ask_for_transfer(&mut self, exchange: &mut Exchange, cx: &mut Context<'_>) {
        let before = self.pending.iter().rev().find(|one| {
            one.kind.is_passive() || one.kind.is_active() || one.kind.transfers() && !one.is_in_progress()
        });
        if before.is_some_and(|one| one.kind.is_passive() || one.awaits_channel) {
            exchange.awaits_channel = true;
        } else if let Some(ticket) = self.channel.take() {
            begin(exchange, ticket, &self.parameters, cx);
        }
    }

    /// Writes an exchange, or lets it wait for its data connection.
    pub(super) fn settle(&mut self, exchange: Exchange, cx: &mut Context<'_>) {
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
    pub(super) fn write_settled(&mut self, cx: &mut Context<'_>) {
        self.waiting.retain(|exchange| {
            let is_settled = is_settled(exchange, cx);
            if is_settled {
                write(exchange, cx);
            }
            !is_settled
        });
    }
}

/// What replies have said about the next file by now.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    /// Where in the file its transfer begins (REST).
    pub(super) offset: u64,
    /// It travels as it is (TYPE I).
    pub(super) is_binary: bool,
    /// It travels in another form: in blocks, or compressed (MODE).
    pub(super) is_encoded: bool,
    /// What SIZE said last.
    pub(super) size: Option<(Box<[u8]>, u64)>,
}

impl Parameters {
    /// Whether the size of a file is the number of bytes that such a command carries.
    fn tell_length(&self, kind: Kind) -> bool {
        kind == Kind::Retrieve && self.is_binary && !self.is_encoded
    }

    /// What a command will carry.
    fn carried(&self, exchange: &Exchange) -> Carried {
        let name = exchange.arg.as_deref().filter(|_| exchange.kind != Kind::List);
        let size =
            self.size.as_ref().filter(|(of, _)| self.tell_length(exchange.kind) && Some(&**of) == name);
        Carried {
            filename: name.map(|path| directory::last_name(path).into()),
            total: size.map(|(_, size)| *size),
            offset: self.offset,
        }
    }
}

/// A transfer has its channel: says what will travel by it.
fn begin(exchange: &mut Exchange, ticket: Ticket, parameters: &Parameters, cx: &mut Context<'_>) {
    exchange.awaits_channel = false;
    let carried = parameters.carried(exchange);
    if let Some(transfers) = cx.transfers.as_deref_mut() {
        transfers.describe(ticket, carried.clone());
    }
    exchange.transfer = Some(Transfer { ticket, carried });
}

/// The first reply to a transfer is there: all that was asked before it is answered, so what holds now is for it.
pub(super) fn has_its_turn(
    exchange: &mut Exchange,
    channel: &mut Option<Ticket>,
    parameters: &mut Parameters,
    cx: &mut Context<'_>,
) {
    if !exchange.kind.transfers() || exchange.is_in_progress() {
        return;
    }
    let own = exchange.transfer.as_ref().map(|transfer| transfer.ticket);
    let ticket = own.or_else(|| channel.take_if(|_| exchange.awaits_channel));
    exchange.awaits_channel = false;
    if let Some(ticket) = ticket {
        begin(exchange, ticket, parameters, cx);
    }
    parameters.offset = 0;
}

/// Takes from a reply what it says about the file.
pub(super) fn learn(exchange: &mut Exchange, reply: &Reply, parameters: &Parameters, cx: &mut Context<'_>) {
    let kind = exchange.kind;
    let Some(transfer) = &mut exchange.transfer else { return };
    let carried = &mut transfer.carried;
    let before = carried.clone();
    if kind == Kind::StoreUnique
        && reply.code.is_some_and(|code| code < 300)
        && let Some(name) = wire::stored_name(&reply.text)
    {
        carried.filename = Some(directory::last_name(name).into());
    }
    if parameters.tell_length(kind) && carried.offset == 0 && reply.code == Some(150) {
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
pub(super) fn write(exchange: &Exchange, cx: &mut Context<'_>) {
    let mut outcome = Outcome::Waited;
    if let (Some(transfer), Some(transfers)) = (&exchange.transfer, cx.transfers.as_deref_mut()) {
        outcome = transfers.outcome(transfer.ticket);
        transfers.release(transfer.ticket);
    }
    row::emit(exchange, outcome, cx);
}

/// Whether an address names no host: then it is that of the control connection.
fn is_unspecified((address, is_ipv6): (AddressBytes, bool)) -> bool {
    let [.., a, b, c, d] = address;
    let address = if is_ipv6 { IpAddr::from(address) } else { IpAddr::from([a, b, c, d]) };
    address.is_unspecified()
}
