//! Sessions cut from captures: the packets of a conversation (of an FTP session all its connections), with what has to
//! be known to send them again between other ends.

use crate::frame::{Address, Side};

/// A session of a capture.
#[derive(Clone, Debug, Default)]
pub struct Clip {
    /// In the order of the capture.
    pub packets: Vec<ClipPacket>,
    /// Client and server, as captured.
    pub hosts: Option<[Address; 2]>,
    /// Port of the client of the first connection, the only one that is changed.
    pub client_port: u16,
    /// Port that the first connection leads to.
    pub server_port: u16,
    /// Whether it is TCP.
    pub is_tcp: bool,
    /// Where the first connection stands after the last packet.
    pub tail: Tail,
    /// Bytes of its frames.
    pub bytes: u64,
    /// Conversations in it.
    pub connections: u16,
}

/// A packet of a session, from the IP header on.
#[derive(Clone, Debug)]
pub struct ClipPacket {
    /// Nanoseconds after the one before.
    pub wait: u64,
    /// The host that sends it.
    pub from: Side,
    /// Which connection of the session it belongs to.
    pub connection: u16,
    /// Its bytes, without padding.
    pub bytes: Box<[u8]>,
    /// Where the transport header begins.
    pub transport: u16,
    /// Where the payload begins.
    pub payload: u16,
    /// TCP flags; 0 for UDP.
    pub flags: u8,
    /// Where addresses stand in the payload as text.
    pub texts: Vec<AddressText>,
}

impl ClipPacket {
    /// What is carried.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.bytes.get(usize::from(self.payload)..).unwrap_or_default()
    }
}

/// An address in the text of a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AddressText {
    /// Where it begins in the payload.
    pub at: u16,
    /// Whose it is.
    pub of: Side,
    /// What stands between its numbers.
    pub separator: u8,
}

/// How a connection stands: of client and server each.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tail {
    /// Next sequence numbers.
    pub next: [u32; 2],
    /// Last values of the time stamp option, if there are any.
    pub stamps: Option<[u32; 2]>,
    /// Last windows.
    pub windows: [u16; 2],
    /// Last identifications of IPv4.
    pub ids: [u16; 2],
}

impl Clip {
    /// Takes a packet as the last one.
    pub fn push(&mut self, packet: ClipPacket) {
        self.bytes += 14 + packet.bytes.len() as u64;
        self.connections = self.connections.max(packet.connection + 1);
        self.packets.push(packet);
    }

    /// Keeps the first `count` packets.
    pub fn truncate(&mut self, count: usize) {
        self.packets.truncate(count);
        self.bytes = self.packets.iter().map(|packet| 14 + packet.bytes.len() as u64).sum();
        self.find_tail();
    }

    /// Reads from the packets how the first connection stands at their end.
    pub fn find_tail(&mut self) {
        self.tail = Tail::default();
        for packet in self.packets.iter().filter(|packet| packet.connection == 0) {
            let side = packet.from as usize;
            let at = usize::from(packet.transport);
            let field = |at: usize| packet.bytes.get(at..at + 4).unwrap_or(&[0; 4]);
            if packet.bytes[0] >> 4 == 4 {
                let id = field(4);
                self.tail.ids[side] = u16::from_be_bytes([id[0], id[1]]);
            }
            if packet.flags == 0 {
                continue;
            }
            let sent = packet.payload().len() as u32
                + u32::from(packet.flags & 2 != 0)
                + u32::from(packet.flags & 1);
            self.tail.next[side] = seq(field(at + 4)).wrapping_add(sent);
            let window = field(at + 14);
            self.tail.windows[side] = u16::from_be_bytes([window[0], window[1]]);
            let header = packet.bytes.get(at + 20..usize::from(packet.payload)).unwrap_or_default();
            for (kind, at) in options(header) {
                if kind == TIMESTAMPS {
                    let value = seq(header.get(at + 2..at + 6).unwrap_or(&[0; 4]));
                    self.tail.stamps.get_or_insert([0; 2])[side] = value;
                }
            }
        }
    }
}

/// Kind of the option of time stamps (RFC 7323).
pub const TIMESTAMPS: u8 = 8;

/// Kind of the option of selective acknowledgements (RFC 2018).
pub const SACK: u8 = 5;

fn seq(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.first_chunk().copied().unwrap_or_default())
}

/// Kinds of the options of TCP, and where each begins; only whole ones.
pub fn options(bytes: &[u8]) -> impl Iterator<Item = (u8, usize)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        while bytes.get(at) == Some(&1) {
            at += 1;
        }
        let kind = *bytes.get(at).filter(|kind| **kind != 0)?;
        let length = usize::from(*bytes.get(at + 1)?);
        let option = (kind, at);
        at += length;
        (length >= 2 && at <= bytes.len()).then_some(option)
    })
}
