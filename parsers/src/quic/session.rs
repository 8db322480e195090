//! The Initial packets of both sides of a flow, until the handshake is over.

use schemas::anomaly::AnomalyName;

use super::NAME;
use super::connection::Connection;
use super::initial::{Budget, Keys, Opened};
use super::packet::{Long, Packet, take};
use super::version::LongType;
use crate::context::Context;
use crate::protocol::{Direction, Malformed, Progress, Session};
use crate::roles::Roles;

/// Datagrams after which the end of a handshake is not waited for any more: the other side is not seen.
const MAX_DATAGRAMS: u32 = 512;

/// The shortest connection id that a client invents (RFC 9000, 7.2).
const SHORTEST_FIRST_ID: usize = 8;

/// Packets that wait for the client's first one.
const MAX_WAITING: usize = 4;

/// Bytes that all of them may have.
const MAX_WAITING_BYTES: usize = 8 * 1024;

/// The connections of one flow, one behind the other.
#[derive(Debug, Default)]
pub(super) struct Connections {
    /// The one whose keys are known.
    connection: Option<Connection>,
    roles: Roles,
    /// Initial packets that came before the client's first one.
    waiting: Vec<(Direction, Box<[u8]>)>,
    /// The last connection id of each direction whose keys opened nothing.
    refused: [Option<Box<[u8]>>; 2],
    budget: Budget,
    datagrams: u32,
}

impl Connections {
    /// An Initial packet.
    fn initial(&mut self, direction: Direction, packet: &Long<'_>, cx: &mut Context<'_>) {
        if packet.is_cut {
            return;
        }
        let direction = cx.turned(direction);
        let sender = self.roles.of(direction);
        if let Some(connection) = &mut self.connection {
            if sender == Direction::ToResponder && connection.is_before_retry(packet) {
                return;
            }
            if let Some(opened) = connection.open(sender, packet, &mut self.budget) {
                connection.packet(sender, packet, &opened, cx);
                return;
            }
            if sender == Direction::ToOriginator || connection.has_keys_of(packet) {
                return;
            }
        }
        match self.with_own_keys(direction, packet) {
            Some((keys, opened)) => self.first_of_client(direction, packet, (keys, &opened), cx),
            None if self.connection.is_none() => self.keep(direction, packet.bytes),
            None => {}
        }
    }

    /// Opens a packet with the keys of its own connection id, as only the first ones of a client are protected.
    fn with_own_keys(&mut self, direction: Direction, packet: &Long<'_>) -> Option<(Keys, Opened)> {
        let id = packet.destination;
        let refused = direction.of(&mut self.refused);
        // A server that asked for a token chose the id, and it may be short; so may that of a client that breaks the rule.
        let is_short = id.len() < SHORTEST_FIRST_ID && packet.token.is_empty();
        if is_short && self.connection.is_some() || refused.as_deref() == Some(id) {
            return None;
        }
        let mut keys = self.budget.derive(packet.version, id, Direction::ToResponder)?;
        let opened = self.budget.open(&mut keys, packet);
        if opened.is_none() {
            *refused = Some(id.into());
        }
        Some((keys, opened?))
    }

    /// The first packet of a client with these keys: of a new connection, or of one that goes on with them, behind a Retry
    /// (RFC 9000, 8.1.2) or in another version (RFC 9000, 6.2).
    fn first_of_client(
        &mut self,
        direction: Direction,
        packet: &Long<'_>,
        (keys, opened): (Keys, &Opened),
        cx: &mut Context<'_>,
    ) {
        let sender = self.roles.settle(direction, cx, || direction == Direction::ToOriginator);
        let connection = match &mut self.connection {
            Some(connection) if connection.is_retried_by(packet) => {
                connection.retry(packet, keys, opened);
                connection
            }
            Some(connection) if connection.compare(opened) == Some(true) => {
                connection.change_keys(packet, keys);
                connection
            }
            before => {
                if let Some(before) = before {
                    before.close(cx);
                }
                before.insert(Connection::new(packet, keys))
            }
        };
        connection.packet(sender, packet, opened, cx);
        for (other, bytes) in std::mem::take(&mut self.waiting) {
            if other == direction {
                continue;
            }
            if let Some((Packet::Long(packet), _)) = take(&bytes)
                && let Some(opened) = connection.open(Direction::ToOriginator, &packet, &mut self.budget)
            {
                connection.packet(Direction::ToOriginator, &packet, &opened, cx);
            }
        }
    }

    /// Keeps a packet until there are keys.
    fn keep(&mut self, direction: Direction, bytes: &[u8]) {
        let held: usize = self.waiting.iter().map(|(_, bytes)| bytes.len()).sum();
        if self.waiting.len() < MAX_WAITING && held + bytes.len() <= MAX_WAITING_BYTES {
            self.waiting.push((direction, bytes.into()));
        }
    }
}

impl Session for Connections {
    fn data(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        cx: &mut Context<'_>,
    ) -> Result<Progress, Malformed> {
        self.datagrams += 1;
        let mut rest = bytes;
        while let Some((packet, behind)) = take(rest) {
            match packet {
                Packet::Long(packet) if packet.kind == LongType::Initial => {
                    self.initial(direction, &packet, cx);
                }
                Packet::Short(packet) => {
                    let sender = self.roles.of(cx.turned(direction));
                    if let Some(connection) = &mut self.connection {
                        connection.one_rtt(sender, packet);
                    }
                }
                Packet::Long(_) | Packet::Negotiation { .. } | Packet::OtherVersion => {}
            }
            rest = behind;
        }
        if self.budget.take_refusal() {
            cx.anomaly(
                AnomalyName::QuicShed,
                Some(NAME),
                "keys of Initial packets, or what they do not open",
            );
        }
        let is_over = self.connection.as_ref().is_some_and(Connection::is_established);
        Ok(if is_over || self.datagrams >= MAX_DATAGRAMS {
            Progress::Done
        } else {
            Progress::Took(bytes.len())
        })
    }

    fn close(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection {
            connection.close(cx);
        }
    }

    fn held(&self) -> usize {
        let waiting: usize = self.waiting.iter().map(|(_, bytes)| bytes.len()).sum();
        waiting + self.connection.as_ref().map_or(0, Connection::held)
    }
}
