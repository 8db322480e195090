//! One connection: the keys of its Initial packets, and the handshake that these carry.

use schemas::anomaly::AnomalyName;
use smallvec::SmallVec;

use super::NAME;
use super::crypto_stream::{Added, CryptoStream};
use super::frames::{Frame, Frames};
use super::initial::{Budget, KEYS_HELD, Keys, Opened};
use super::packet::{Long, MAX_ID, Short};
use super::version::Version;
use crate::context::Context;
use crate::protocol::{Direction, Malformed};
use crate::tls::fingerprint::Carrier;
use crate::tls::handshake::{Handshake, Message};
use crate::tls::messages::{Found, Messages};
use crate::tls::row;

/// Errors that are alerts of TLS (RFC 9001, 4.8).
const CRYPTO_ERRORS: std::ops::RangeInclusive<u64> = 0x100..=0x1ff;

/// A connection id.
type Id = SmallVec<[u8; 20]>;

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    handshake: Handshake,
    /// The connection id that the client sent to first, of which all keys follow.
    id: Id,
    /// The one before a Retry.
    id_before: Option<Id>,
    /// Token of the client's first packet with these keys.
    token: Box<[u8]>,
    /// What the client calls itself.
    client_id: Id,
    /// What the server calls itself, once it has answered.
    server_id: Id,
    /// That the keys are of: another one once the ends have agreed on it (RFC 9368).
    version: Version,
    /// That the server answered in; before that the client's.
    answered: Version,
    sides: [Side; 2],
    /// The client sends what only an end of the handshake allows.
    has_one_rtt: bool,
    /// Begin of such a packet that came before the server's answer, from its destination on.
    early: Option<Id>,
}

/// One side.
#[derive(Debug, Default)]
struct Side {
    keys: Option<Box<Keys>>,
    stream: CryptoStream,
    messages: Messages,
}

impl Connection {
    /// The connection that a client's first packet, opened with these keys, begins.
    pub(super) fn new(packet: &Long<'_>, keys: Keys) -> Self {
        let mut connection = Self {
            handshake: Handshake::new(Carrier::Quic),
            id: Id::new(),
            id_before: None,
            token: Box::default(),
            client_id: packet.source.into(),
            server_id: Id::new(),
            version: packet.version,
            answered: packet.version,
            sides: Default::default(),
            has_one_rtt: false,
            early: None,
        };
        connection.change_keys(packet, keys);
        connection
    }

    /// The client goes on with these keys, and the same handshake.
    pub(super) fn change_keys(&mut self, packet: &Long<'_>, keys: Keys) {
        self.id = packet.destination.into();
        self.token = packet.token.into();
        self.version = packet.version;
        let [client, server] = &mut self.sides;
        client.keys = Some(Box::new(keys));
        server.keys = None;
    }

    /// The client was asked for a token and brings it (RFC 9000, 8.1.2): its handshake goes on with these keys. That it
    /// sends the same hello again is a rule (17.2.5.3); where it does not, the one that counts is this one.
    pub(super) fn retry(&mut self, packet: &Long<'_>, keys: Keys, opened: &Opened) {
        if self.compare(opened) != Some(true) {
            let first = self.handshake.first();
            self.handshake = Handshake::new(Carrier::Quic);
            if let Some(first) = first {
                self.handshake.begin(first);
            }
            self.sides = Default::default();
        }
        self.id_before = Some(std::mem::take(&mut self.id));
        self.early = None;
        self.change_keys(packet, keys);
    }

    /// Whether a client's packet with other keys brings a token that it was asked for.
    pub(super) fn is_retried_by(&self, packet: &Long<'_>) -> bool {
        !packet.token.is_empty()
            && *packet.token != *self.token
            && *packet.source == *self.client_id
            && !self.handshake.has_server_hello()
    }

    /// Whether a client's packet was sent before a Retry that it has followed since: it is late, or a copy.
    pub(super) fn is_before_retry(&self, packet: &Long<'_>) -> bool {
        self.id_before.as_deref() == Some(packet.destination)
    }

    /// Whether the keys of a client's packet's own id are those that this connection has.
    pub(super) fn has_keys_of(&self, packet: &Long<'_>) -> bool {
        packet.version == self.version && *packet.destination == *self.id
    }

    /// Opens a packet. None where it is not of this connection.
    pub(super) fn open(
        &mut self,
        sender: Direction,
        packet: &Long<'_>,
        budget: &mut Budget,
    ) -> Option<Opened> {
        let side = sender.of(&mut self.sides);
        if packet.version == self.version {
            if side.keys.is_none() {
                side.keys = budget.derive(packet.version, &self.id, sender).map(Box::new);
            }
            return budget.open(side.keys.as_mut()?, packet);
        }
        // The ends may agree on another one on the way (RFC 9368, 2.3), and keep the handshake.
        let mut keys = budget.derive(packet.version, &self.id, sender)?;
        let opened = budget.open(&mut keys, packet)?;
        if sender == Direction::ToResponder && self.compare(&opened) == Some(false) {
            return None;
        }
        self.version = packet.version;
        self.sides.iter_mut().for_each(|side| side.keys = None);
        sender.of(&mut self.sides).keys = Some(Box::new(keys));
        Some(opened)
    }

    /// Whether what a client sends of its handshake is what it sent before; none where it sends nothing that it sent before.
    pub(super) fn compare(&self, opened: &Opened) -> Option<bool> {
        let [client, _] = &self.sides;
        let same = Frames::new(&opened.payload).filter_map(|frame| match frame {
            Ok(Frame::Crypto { offset, bytes }) => client.stream.agrees(offset, bytes),
            Ok(Frame::Close { .. }) | Err(_) => None,
        });
        same.reduce(|all, one| all && one)
    }

    /// What is in a packet.
    pub(super) fn packet(
        &mut self,
        sender: Direction,
        packet: &Long<'_>,
        opened: &Opened,
        cx: &mut Context<'_>,
    ) {
        let mut malformed = |what: &str| cx.anomaly(AnomalyName::QuicMalformed, Some(NAME), what);
        if opened.has_reserved_bits {
            malformed("reserved bits of a header");
        }
        if !packet.token.is_empty() && sender == Direction::ToOriginator {
            malformed("token of a server");
        }
        if opened.payload.is_empty() {
            malformed("packet without frames");
        }
        if sender == Direction::ToOriginator || !self.handshake.has_server_hello() {
            self.answered = packet.version;
        }
        if sender == Direction::ToOriginator {
            self.server_id = packet.source.into();
        }
        for frame in Frames::new(&opened.payload) {
            match frame {
                Ok(Frame::Crypto { offset, bytes }) => self.crypto(sender, (offset, bytes), cx),
                Ok(Frame::Close { error }) => {
                    if CRYPTO_ERRORS.contains(&error) {
                        // The lower byte is the alert.
                        let [.., description] = error.to_be_bytes();
                        self.handshake.alert(sender, description, cx);
                    }
                }
                Err(Malformed(what)) => cx.anomaly(AnomalyName::QuicMalformed, Some(NAME), what),
            }
        }
        self.read(sender, cx);
        self.settle();
    }

    fn crypto(&mut self, sender: Direction, (offset, bytes): (u64, &[u8]), cx: &mut Context<'_>) {
        self.handshake.begin((cx.now, cx.packet));
        match sender.of(&mut self.sides).stream.add(offset, bytes) {
            Added::Kept => {}
            Added::Conflict => {
                cx.anomaly(AnomalyName::QuicMalformed, Some(NAME), "other bytes in a copy of a CRYPTO frame");
            }
            Added::Shed => cx.anomaly(AnomalyName::StreamShed, Some(NAME), "CRYPTO frames of a handshake"),
        }
    }

    /// Reads the messages that are whole.
    fn read(&mut self, sender: Direction, cx: &mut Context<'_>) {
        let Self { handshake, sides, .. } = self;
        let Side { stream, messages, .. } = sender.of(sides);
        stream.read(&mut |bytes| {
            messages.feed(bytes, &mut |found| message(handshake, sender, found, cx));
        });
    }

    /// A packet with a short header. That of a client behind the server's hello says that it has the keys of the end of
    /// the handshake. Clients may send to another id than the server's first one (RFC 9000, 5.1.1), so it need not be that;
    /// what has nothing else to know it by, and what seems to come before the hello, has to be.
    pub(super) fn one_rtt(&mut self, sender: Direction, packet: Short<'_>) {
        if sender == Direction::ToOriginator {
            return;
        }
        let behind = packet.destination_and_rest();
        if self.handshake.has_server_hello() {
            self.has_one_rtt |= packet.has_fixed_bit() || self.is_for_server(behind);
        } else {
            self.early = behind.get(..behind.len().min(MAX_ID)).map(Id::from);
        }
        self.settle();
    }

    /// Whether bytes begin with the server's id.
    fn is_for_server(&self, bytes: &[u8]) -> bool {
        !self.server_id.is_empty() && bytes.starts_with(&self.server_id)
    }

    fn settle(&mut self) {
        if !self.handshake.has_server_hello() {
            return;
        }
        // They may be captured in another order than they were sent.
        self.has_one_rtt |= self.early.take().is_some_and(|early| self.is_for_server(&early));
        if self.has_one_rtt {
            self.handshake.establish();
        }
    }

    /// Whether the handshake came to its end.
    pub(super) fn is_established(&self) -> bool {
        self.handshake.is_established()
    }

    /// Nothing more comes: writes the row.
    pub(super) fn close(&mut self, cx: &mut Context<'_>) {
        let Self { handshake, sides, answered, .. } = self;
        handshake.set_quic_version(&answered.name());
        for sender in [Direction::ToResponder, Direction::ToOriginator] {
            let Side { messages, .. } = sender.of(sides);
            messages.finish(&mut |found| message(handshake, sender, found, cx));
        }
        row::emit(handshake, cx);
    }

    /// Bytes of memory that it holds.
    pub(super) fn held(&self) -> usize {
        let sides = self.sides.iter().map(|side| {
            let keys = side.keys.as_ref().map_or(0, |_| KEYS_HELD);
            keys + side.stream.held() + side.messages.held()
        });
        sides.sum::<usize>() + self.handshake.held()
    }
}

fn message(
    handshake: &mut Handshake,
    sender: Direction,
    Found { kind, body, is_whole }: Found<'_>,
    cx: &mut Context<'_>,
) {
    handshake.message(sender, Message { kind, body, is_whole }, cx);
    if handshake.has_hello() {
        cx.services.confirm("tls");
    }
}
