//! The pcapng format (draft-ietf-opsawg-pcapng): sections, interfaces, and three kinds of packet blocks.

use parsers::link_type::LinkType;

use super::{
    Frame,
    damage::DamageKind,
    reader::{MAX_PACKET, Order, Output, Step, Walker},
};

/// Reads a pcapng file from its first byte on.
#[derive(Clone, Debug, Default)]
pub(super) struct Pcapng {
    order: Order,
    /// Of this section, in the order of their numbers.
    interfaces: Vec<Interface>,
    /// Time of the section's last packet that had one; stands in for the time of simple packet blocks.
    last: i64,
}

impl Pcapng {
    /// The type of the section header block, which reads the same in both byte orders.
    pub(super) const MAGIC: [u8; 4] = SECTION_HEADER.to_le_bytes();

    /// Begins a section; an error says what is wrong with its header.
    fn section(&mut self, body: &[u8]) -> Result<(), &'static str> {
        if self.order.u16(body, 4) != 1 {
            return Err("unknown version of the pcapng format");
        }
        self.interfaces.clear();
        self.last = 0;
        Ok(())
    }

    /// Takes the description of the section's next interface.
    fn interface(&mut self, body: &[u8], at: usize, out: &mut Output<'_>) {
        if self.interfaces.len() >= MAX_INTERFACES {
            out.damage(DamageKind::SkippedPacket("more interfaces than are kept in a section"), at);
            return;
        }
        let mut interface = Interface {
            link: LinkType(self.order.u16(body, 0)),
            snap_length: self.order.u32(body, 4),
            resolution: Resolution::default(),
            offset: 0,
        };
        let mut options = body.get(8..).unwrap_or_default();
        while let Some((header, rest)) = options.split_first_chunk::<4>() {
            let (code, length) = (self.order.u16(header, 0), usize::from(self.order.u16(header, 2)));
            let Some(value) = rest.get(..length) else { break };
            match (code, value) {
                (END_OF_OPTIONS, _) => break,
                (IF_TSRESOL, [resolution]) => interface.resolution = Resolution::of(*resolution),
                (IF_TSOFFSET, [_, _, _, _, _, _, _, _]) => interface.offset = self.order.i64(value, 0),
                _ => {}
            }
            options = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        self.interfaces.push(interface);
    }

    /// Takes the packet of a packet block; `at` is where the block is.
    fn packet(&mut self, kind: u32, body: &[u8], at: usize, out: &mut Output<'_>) {
        let order = self.order;
        let (number, fixed) = match kind {
            ENHANCED_PACKET => (order.u32(body, 0) as usize, 20),
            OBSOLETE_PACKET => (usize::from(order.u16(body, 0)), 20),
            _ => (0, 4),
        };
        let Some((header, data)) = body.split_at_checked(fixed) else {
            out.damage(DamageKind::SkippedPacket("a packet block too short for its fields"), at);
            return;
        };
        let Some(interface) = self.interfaces.get(number) else {
            out.damage(DamageKind::SkippedPacket("a packet of an interface that was not described"), at);
            return;
        };
        let link = interface.link;
        let available = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let (ts, captured, wire) = if kind == SIMPLE_PACKET {
            // The block does not say how much was captured: all, or as much as the snap length allows.
            let wire = order.u32(header, 0);
            let snap_length = if interface.snap_length == 0 { u32::MAX } else { interface.snap_length };
            (self.last, wire.min(snap_length).min(available), wire)
        } else {
            let ticks = u64::from(order.u32(header, 4)) << 32 | u64::from(order.u32(header, 8));
            let (ts, possible) = interface.time(ticks);
            if !possible {
                out.damage(DamageKind::TimeStamp, at);
            }
            self.last = ts;
            (ts, order.u32(header, 12), order.u32(header, 16))
        };
        if captured > available {
            out.damage(DamageKind::SkippedPacket("a packet longer than its block"), at);
            return;
        }
        if link.known_name().is_none() {
            out.damage(DamageKind::LinkType(link), at);
        }
        let offset = (at + BLOCK_HEADER + fixed) as u32;
        out.push(Frame { ts, number: 0, offset, captured, wire: wire.max(captured), link });
    }
}

impl Walker for Pcapng {
    fn walk(&mut self, bytes: &[u8], out: &mut Output<'_>) -> Step {
        let mut rest = bytes;
        loop {
            let at = bytes.len() - rest.len();
            let stop = |out: &mut Output<'_>, what| {
                out.damage(DamageKind::Malformed(what), at);
                Step::stop(at)
            };
            let Some((header, body)) = rest.split_first_chunk::<BLOCK_HEADER>() else {
                return Step::need(at, BLOCK_HEADER, "block header");
            };
            let kind = self.order.u32(header, 0);
            let mut smallest = BLOCK_HEADER + TRAILER;
            if kind == SECTION_HEADER {
                self.order = match body.first_chunk::<4>() {
                    None => return Step::need(at, BLOCK_HEADER + 4, "block header"),
                    Some([0x4d, 0x3c, 0x2b, 0x1a]) => Order::Little,
                    Some([0x1a, 0x2b, 0x3c, 0x4d]) => Order::Big,
                    Some(_) => return stop(out, "a section header without its byte-order magic"),
                };
                smallest = BLOCK_HEADER + 16 + TRAILER;
            } else if kind == INTERFACE {
                smallest = BLOCK_HEADER + 8 + TRAILER;
            }
            let total = self.order.u32(header, 4);
            let size = total as usize;
            if size < smallest || !size.is_multiple_of(4) {
                return stop(out, "a block of an impossible length");
            }
            let taken = matches!(
                kind,
                SECTION_HEADER | INTERFACE | ENHANCED_PACKET | SIMPLE_PACKET | OBSOLETE_PACKET
            );
            if taken && total > MAX_BLOCK {
                out.damage(DamageKind::AbsurdLength { length: total, limit: MAX_BLOCK }, at);
                return Step::stop(at);
            }
            let Some((block, after)) = rest.split_at_checked(size) else {
                return if taken { Step::need(at, size, "block") } else { Step::skip(at, total.into()) };
            };
            if self.order.u32(block, size - TRAILER) != total {
                return stop(out, "a block whose lengths at start and end differ");
            }
            let body = block.get(BLOCK_HEADER..size - TRAILER).unwrap_or_default();
            match kind {
                SECTION_HEADER => {
                    if let Err(what) = self.section(body) {
                        return stop(out, what);
                    }
                }
                INTERFACE => self.interface(body, at, out),
                ENHANCED_PACKET | SIMPLE_PACKET | OBSOLETE_PACKET => self.packet(kind, body, at, out),
                _ => {}
            }
            rest = after;
        }
    }
}

/// What a section says of one of its interfaces.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    /// Zero is no limit.
    snap_length: u32,
    resolution: Resolution,
    /// Seconds to add to every time stamp.
    offset: i64,
}

impl Interface {
    /// Nanoseconds since 1970 of a time stamp, and whether it is one that can be; else the nearest that can.
    fn time(&self, ticks: u64) -> (i64, bool) {
        let time = self.resolution.nanoseconds(ticks) + i128::from(self.offset) * 1_000_000_000;
        let possible = time.clamp(0, i64::MAX.into());
        (possible as i64, possible == time)
    }
}

/// How long a tick of an interface's clock is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resolution {
    /// So many nanoseconds.
    Nanoseconds(u32),
    /// The so manieth part of a nanosecond.
    Parts(u128),
    /// Two to the minus so many seconds.
    Binary(u8),
}

impl Resolution {
    /// From the option if_tsresol: a power of ten, or of two where the highest bit is set.
    const fn of(option: u8) -> Self {
        match option {
            0..=9 => Self::Nanoseconds(10_u32.pow(9 - option as u32)),
            10..=47 => Self::Parts(10_u128.pow(option as u32 - 9)),
            // So fine that 64 bits of ticks are far less than a nanosecond.
            48..=0x7f => Self::Parts(u128::MAX),
            0x80.. => Self::Binary(option & 0x7f),
        }
    }

    fn nanoseconds(self, ticks: u64) -> i128 {
        match self {
            Self::Nanoseconds(length) => i128::from(ticks) * i128::from(length),
            // At most the ticks, so it fits.
            Self::Parts(parts) => (u128::from(ticks) / parts) as i128,
            // 64 bits of ticks and 30 of nanoseconds fit well into 127.
            Self::Binary(power) => (i128::from(ticks) * 1_000_000_000) >> power,
        }
    }
}

impl Default for Resolution {
    fn default() -> Self {
        Self::of(6)
    }
}

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

const END_OF_OPTIONS: u16 = 0;
const IF_TSRESOL: u16 = 9;
const IF_TSOFFSET: u16 = 14;

/// Type and length in front of a block's body, and the length again behind it.
const BLOCK_HEADER: usize = 8;
const TRAILER: usize = 4;

/// The largest block that is taken whole: a packet and its options.
const MAX_BLOCK: u32 = MAX_PACKET + (1 << 20);

/// More interfaces than a capturing host has; each costs memory until the section ends.
const MAX_INTERFACES: usize = 1 << 16;
