//! The packet that is being made: an Ethernet frame with IP and TCP or UDP, checksums last.
//!
//! ```text
//! 0         14          transport          payload               end
//! | Ethernet | IP header | TCP/UDP header   | payload             |  padding to 60
//! ```

use etherparse::checksum::Sum16BitWords;

use crate::clip::{TIMESTAMPS, options};

/// Bytes of an Ethernet header.
pub const ETHERNET: usize = 14;

/// Shortest Ethernet frame, its check sequence apart.
const SHORTEST: usize = 60;

/// An IP address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Address {
    /// Version 4.
    V4([u8; 4]),
    /// Version 6.
    V6([u8; 16]),
}

impl Address {
    /// Whether it is one of version 6.
    #[must_use]
    pub const fn is_v6(self) -> bool {
        matches!(self, Self::V6(_))
    }

    /// Its bytes.
    #[must_use]
    pub const fn bytes(&self) -> &[u8] {
        match self {
            Self::V4(bytes) => bytes,
            Self::V6(bytes) => bytes,
        }
    }
}

/// An end of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that begins.
    Client,
    /// The one that is called.
    Server,
}

impl Side {
    /// The opposite end.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }

    /// Chooses out of what belongs to the client and to the server.
    #[must_use]
    pub const fn of<T: Copy>(self, pair: [T; 2]) -> T {
        pair[self as usize]
    }
}

/// The two ends of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Addresses of client and server, of the same version.
    pub hosts: [Address; 2],
    /// Their ports.
    pub ports: [u16; 2],
}

/// What a TCP header says, ports apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpHead<'a> {
    /// Sequence number.
    pub seq: u32,
    /// Acknowledgement number; 0 without [`flag::ACK`].
    pub ack: u32,
    /// See [`flag`].
    pub flags: u8,
    /// Window, not scaled.
    pub window: u16,
    /// Options, a multiple of four bytes.
    pub options: &'a [u8],
}

/// Bits of the flags of TCP.
pub mod flag {
    /// No more data.
    pub const FIN: u8 = 0x01;
    /// Begins a connection.
    pub const SYN: u8 = 0x02;
    /// Gives up a connection.
    pub const RST: u8 = 0x04;
    /// To be delivered at once.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement number counts.
    pub const ACK: u8 = 0x10;
}

/// A frame, and what may happen to it on its way. Kept and overwritten.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    bytes: Vec<u8>,
    transport: usize,
    payload: usize,
    /// Where padding begins.
    end: usize,
    /// Whether it is a TCP segment with payload.
    pub is_data: bool,
    /// Whether it may get lost.
    pub may_be_lost: bool,
    /// How much later it would come behind the next packet of its sender; 0 if that is not known.
    pub overtaken_after: u64,
}

impl Frame {
    /// Begins a frame with an IP header before `length` bytes of transport header and payload.
    pub fn begin_ip(&mut self, ends: &Ends, from: Side, protocol: u8, id: u16, length: usize) {
        let (src, dst) = (from.of(ends.hosts), from.other().of(ends.hosts));
        let hops = from.of([63, 55]);
        self.transport = ETHERNET + if src.is_v6() { 40 } else { 20 };
        self.begin(from, src.is_v6(), self.transport + length);
        let header = &mut self.bytes[ETHERNET..];
        if let (Address::V4(src), Address::V4(dst)) = (src, dst) {
            let [high, low] = ((20 + length) as u16).to_be_bytes();
            let [id_high, id_low] = id.to_be_bytes();
            header[..12]
                .copy_from_slice(&[0x45, 0, high, low, id_high, id_low, 0x40, 0, hops, protocol, 0, 0]);
            header[12..16].copy_from_slice(&src);
            header[16..20].copy_from_slice(&dst);
        } else {
            let [high, low] = (length as u16).to_be_bytes();
            header[..8].copy_from_slice(&[0x60, 0, 0, 0, high, low, protocol, hops]);
            header[8..24].copy_from_slice(src.bytes());
            header[24..40].copy_from_slice(dst.bytes());
        }
    }

    /// Begins a TCP segment; [`Self::payload`] is to be filled, then the frame to be sealed.
    pub fn begin_tcp(&mut self, ends: &Ends, from: Side, id: u16, head: &TcpHead<'_>, length: usize) {
        let header = 20 + head.options.len();
        self.begin_ip(ends, from, 6, id, header + length);
        self.payload = self.transport + header;
        let tcp = &mut self.bytes[self.transport..];
        tcp[..2].copy_from_slice(&from.of(ends.ports).to_be_bytes());
        tcp[2..4].copy_from_slice(&from.other().of(ends.ports).to_be_bytes());
        tcp[4..8].copy_from_slice(&head.seq.to_be_bytes());
        tcp[8..12].copy_from_slice(&head.ack.to_be_bytes());
        tcp[12..14].copy_from_slice(&[(header as u8 / 4) << 4, head.flags]);
        tcp[14..16].copy_from_slice(&head.window.to_be_bytes());
        tcp[16..20].fill(0);
        tcp[20..header].copy_from_slice(head.options);
        self.is_data = length > 0;
        self.may_be_lost = self.is_data;
    }

    /// Begins a datagram; [`Self::payload`] is to be filled, then the frame to be sealed.
    pub fn begin_udp(&mut self, ends: &Ends, from: Side, id: u16, length: usize) {
        self.begin_ip(ends, from, 17, id, 8 + length);
        self.payload = self.transport + 8;
        let udp = &mut self.bytes[self.transport..];
        udp[..2].copy_from_slice(&from.of(ends.ports).to_be_bytes());
        udp[2..4].copy_from_slice(&from.other().of(ends.ports).to_be_bytes());
        udp[4..6].copy_from_slice(&((8 + length) as u16).to_be_bytes());
        udp[6..8].fill(0);
    }

    /// A copy of an IP packet that was captured, whose transport header and payload begin there.
    pub fn copy_ip(&mut self, from: Side, packet: &[u8], transport: usize, payload: usize) {
        let v6 = packet.first().is_some_and(|first| first >> 4 == 6);
        self.begin(from, v6, ETHERNET + packet.len());
        self.bytes[ETHERNET..].copy_from_slice(packet);
        self.transport = ETHERNET + transport;
        self.payload = ETHERNET + payload;
    }

    fn begin(&mut self, from: Side, v6: bool, length: usize) {
        self.is_data = false;
        self.may_be_lost = false;
        self.overtaken_after = 0;
        self.bytes.resize(length, 0);
        self.end = length;
        let (client, server) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        self.bytes[..6].copy_from_slice(&from.of([server, client]));
        self.bytes[6..12].copy_from_slice(&from.of([client, server]));
        self.bytes[12..14].copy_from_slice(if v6 { &[0x86, 0xdd] } else { &[0x08, 0x00] });
    }

    /// The IP packet: header, transport header, payload.
    pub fn ip(&mut self) -> &mut [u8] {
        &mut self.bytes[ETHERNET..]
    }

    /// Transport header and payload.
    pub fn transport(&mut self) -> &mut [u8] {
        &mut self.bytes[self.transport..]
    }

    /// The payload.
    pub fn payload(&mut self) -> &mut [u8] {
        &mut self.bytes[self.payload..]
    }

    /// The frame as it goes over the wire.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Puts the checksums in, and pads it.
    pub fn seal(&mut self) {
        self.seal_ip();
        let (ip, transport) = self.bytes[ETHERNET..self.end].split_at_mut(self.transport - ETHERNET);
        let (protocol, addresses) = if ip[0] >> 4 == 4 { (ip[9], &ip[12..20]) } else { (ip[6], &ip[8..40]) };
        let (at, zero) = if protocol == 6 { (16, 0) } else { (6, 0xffff) };
        transport[at..at + 2].fill(0);
        let sum = Sum16BitWords::new()
            .add_slice(addresses)
            .add_2bytes([0, protocol])
            .add_2bytes((transport.len() as u16).to_be_bytes())
            .add_slice(transport)
            .ones_complement();
        let sum = if sum == 0 { zero } else { sum };
        transport[at..at + 2].copy_from_slice(&sum.to_ne_bytes());
        if self.bytes.len() < SHORTEST {
            self.bytes.resize(SHORTEST, 0);
            self.bytes[self.end..].fill(0);
        }
    }

    /// The same payload in a TCP segment that is sent again, so many ticks later: another identification, a later
    /// time stamp.
    pub fn renew(&mut self, id: u16, ticks: u32) {
        if self.bytes[ETHERNET] >> 4 == 4 {
            self.bytes[ETHERNET + 4..ETHERNET + 6].copy_from_slice(&id.to_be_bytes());
        }
        let head = &mut self.bytes[self.transport + 20..self.payload];
        let stamp = options(head).find_map(|(kind, at)| (kind == TIMESTAMPS).then_some(at + 2));
        if let Some(value) = stamp.and_then(|at| head.get_mut(at..)).and_then(|rest| rest.first_chunk_mut()) {
            *value = u32::from_be_bytes(*value).wrapping_add(ticks).to_be_bytes();
        }
        self.seal();
    }

    fn seal_ip(&mut self) {
        let header = &mut self.bytes[ETHERNET..self.transport];
        if header[0] >> 4 == 4 {
            header[10..12].fill(0);
            let sum = Sum16BitWords::new().add_slice(header).ones_complement();
            header[10..12].copy_from_slice(&sum.to_ne_bytes());
        }
    }
}
