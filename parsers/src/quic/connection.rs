//! One connection: the keys of its Initial packets, and the handshake that these carry.

use schemas::anomaly::AnomalyName;
use smallvec::SmallVec;

use super::NAME;
use super::crypto_stream::{Added, CryptoStream};
use super::frames::{Frame, Frames};
use super::initial::{Budget, KEYS_HELD, Keys, Opened};
use super::packet::Long;
use super::version::Version;
use crate::context::Context;
use crate::protocol::{Direction, Malformed};
use crate::tls::fingerprint::Carrier;
use crate::tls::handshake::{Handshake, Message};
use crate::tls::messages::{Found, Messages};
use crate::tls::row;

/// Errors that are alerts of TLS (RFC 9001, 4.8).
const CRYPTO_ERRORS: std::ops::RangeInclusive<u64> = 0x100..=0x1ff;

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    handshake: Handshake,
    /// The connection id that the client sent to first, of which all keys follow.
    id: SmallVec<[u8; 20]>,
    /// That the keys are of: another one once the ends have agreed on it (RFC 9368).
    version: Version,
    /// That the server answered in; before that the client's.
    answered: Version,
    sides: [Side; 2],
    /// The client sends what only an end of the handshake allows.
    has_one_rtt: bool,
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
            id: SmallVec::new(),
            version: packet.version,
            answered: packet.version,
            sides: Default::default(),
            has_one_rtt: false,
        };
        connection.change_keys(packet, keys);
        connection
    }

    /// The client begins anew with these keys, and the same handshake.
    pub(super) fn change_keys(&mut self, packet: &Long<'_>, keys: Keys) {
        self.id = packet.destination.into();
        self.version = packet.version;
        let [client, server] = &mut self.sides;
        client.keys = Some(Box::new(keys));
        server.keys = None;
    }

    /// Opens a packet. None where it is not of this connection.
    pub(super) fn open(
        &mut self,
        sender: Direction,
        packet: &Long<'_>,
        budget: &mut Budget,
    ) -> Option<Opened> {
        let mut derive = || budget.derive(packet.version, &self.id, sender).map(Box::new);
        let side = sender.of(&mut self.sides);
        if packet.version == self.version {
            if side.keys.is_none() {
                side.keys = derive();
            }
            return side.keys.as_mut()?.open(packet);
        }
        let mut keys = derive()?;
        let opened = keys.open(packet)?;
        self.version = packet.version;
        self.sides.iter_mut().for_each(|side| side.keys = None);
        sender.of(&mut self.sides).keys = Some(keys);
        Some(opened)
    }

    /// Whether what a client sends with other keys may be of the same handshake: as far as it was seen before, it is the same.
    pub(super) fn goes_on_with(&self, opened: &Opened) -> bool {
        let [client, _] = &self.sides;
        Frames::new(&opened.payload).all(|frame| match frame {
            Ok(Frame::Crypto { offset, bytes }) => client.stream.agrees(offset, bytes),
            Ok(Frame::Close { .. }) | Err(_) => true,
        })
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
        if packet.has_token && sender == Direction::ToOriginator {
            malformed("token of a server");
        }
        if opened.payload.is_empty() {
            malformed("packet without frames");
        }
        if sender == Direction::ToOriginator || !self.handshake.has_server_hello() {
            self.answered = packet.version;
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

    /// A packet with a short header.
    pub(super) fn one_rtt(&mut self, sender: Direction) {
        self.has_one_rtt |= sender == Direction::ToResponder;
        self.settle();
    }

    fn settle(&mut self) {
        if self.has_one_rtt && self.handshake.has_server_hello() {
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
