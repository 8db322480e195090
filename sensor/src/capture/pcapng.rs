//! The pcapng format (draft-ietf-opsawg-pcapng): sections in either byte order, interfaces with link types and clocks of
//! their own, and all three kinds of packet blocks.

use parsers::link_type::LinkType;

use super::{
    Frame,
    damage::DamageKind,
    reader::{MAX_PACKET, Order, Output, Step, Walker},
};

/// Reads a pcapng file from its first byte on.
#[derive(Clone, Debug)]
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    /// Simple packet blocks have no time: that of the packet before serves.
    last: i64,
    /// Bytes of a block that nobody reads, still to be passed over.
    skip: u64,
}

/// An interface of the current section.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    snap_length: u32,
    clock: Clock,
}

/// How an interface counts time.
#[derive(Clone, Copy, Debug)]
struct Clock {
    /// The exponent of if_tsresol.
    exponent: u8,
    /// Of 2, else of 10.
    binary: bool,
    /// if_tsoffset in seconds.
    offset: i64,
}

impl Clock {
    const MICROSECONDS: Self = Self { exponent: 6, binary: false, offset: 0 };

    /// Nanoseconds since 1970, and whether they had to be put to the nearest possible time.
    fn nanoseconds(self, ticks: u64) -> (i64, bool) {
        let ticks = i128::from(ticks);
        let since = match (self.binary, self.exponent) {
            (true, exponent) => ticks
                .checked_mul(SECOND)
                .map_or(i128::MAX, |scaled| scaled.checked_shr(u32::from(exponent)).unwrap_or(0)),
            (false, exponent @ 0..=9) => ticks * 10_i128.pow(u32::from(9 - exponent)),
            (false, exponent) => 10_i128.checked_pow(u32::from(exponent - 9)).map_or(0, |unit| ticks / unit),
        };
        let time = since.saturating_add(i128::from(self.offset) * SECOND);
        match i64::try_from(time) {
            Ok(time) if time >= 0 => (time, false),
            _ => (if time < 0 { 0 } else { i64::MAX }, true),
        }
    }
}

impl Default for Pcapng {
    fn default() -> Self {
        Self { order: Order::Little, interfaces: Vec::new(), last: 0, skip: 0 }
    }
}

impl Pcapng {
    /// The first bytes of every such file: the type of a section header block.
    pub(super) const MAGIC: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];

    /// The section header: the byte order, and no interfaces yet. Says whether it could be read.
    fn section(&mut self, body: &[u8], at: usize, out: &mut Output<'_>) -> bool {
        self.interfaces.clear();
        match self.order.u16(body, 4) {
            1 => true,
            _ => {
                out.damage(DamageKind::Malformed("unknown version of the pcapng format"), at);
                false
            }
        }
    }

    fn interface(&mut self, body: &[u8], at: usize, out: &mut Output<'_>) {
        if self.interfaces.len() >= MAX_INTERFACES {
            out.damage(DamageKind::SkippedPacket("more interfaces than are believed"), at);
            return;
        }
        let order = self.order;
        let mut clock = Clock::MICROSECONDS;
        let mut options = body.get(8..).unwrap_or_default();
        while options.len() >= 4 {
            let (code, length) = (order.u16(options, 0), usize::from(order.u16(options, 2)));
            let value = options.get(4..4 + length).unwrap_or_default();
            match (code, value) {
                (0, _) => break,
                (9, [resolution]) => {
                    clock.exponent = resolution & 0x7f;
                    clock.binary = resolution & 0x80 != 0;
                }
                (14, [_, _, _, _, _, _, _, _]) => {
                    let (first, second) = (order.u32(value, 0), order.u32(value, 4));
                    let (high, low) = if order == Order::Big { (first, second) } else { (second, first) };
                    clock.offset = (i64::from(high) << 32) | i64::from(low);
                }
                _ => {}
            }
            options = options.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
        }
        let link = LinkType(order.u16(body, 0));
        self.interfaces.push(Interface { link, snap_length: order.u32(body, 4), clock });
    }

    /// A packet block of any kind; `start` is where its body begins in the bytes shown.
    fn packet(&mut self, kind: u32, body: &[u8], start: usize, out: &mut Output<'_>) {
        let order = self.order;
        let (number, header) = match kind {
            ENHANCED_PACKET => (order.u32(body, 0) as usize, 20),
            OBSOLETE_PACKET => (usize::from(order.u16(body, 0)), 20),
            _ => (0, 4),
        };
        let Some(&interface) = self.interfaces.get(number) else {
            out.damage(DamageKind::SkippedPacket("a packet of an interface that was not described"), start);
            return;
        };
        let Some(data) = body.get(header..) else {
            out.damage(DamageKind::SkippedPacket("a packet block shorter than its header"), start);
            return;
        };
        let (captured, wire) = if kind == SIMPLE_PACKET {
            let wire = order.u32(body, 0);
            let snap = if interface.snap_length == 0 { u32::MAX } else { interface.snap_length };
            (wire.min(snap).min(data.len() as u32), wire)
        } else {
            let ticks = (u64::from(order.u32(body, 4)) << 32) | u64::from(order.u32(body, 8));
            let (time, clamped) = interface.clock.nanoseconds(ticks);
            if clamped {
                out.damage(DamageKind::TimeStamp, start);
            }
            self.last = time;
            (order.u32(body, 12), order.u32(body, 16))
        };
        if captured as usize > data.len() {
            out.damage(DamageKind::SkippedPacket("a packet longer than its block"), start);
            return;
        }
        if interface.link.known_name().is_none() {
            out.damage(DamageKind::LinkType(interface.link), start);
        }
        out.push(Frame {
            ts: self.last,
            number: 0,
            offset: (start + header) as u32,
            captured,
            wire: wire.max(captured),
            link: interface.link,
        });
    }
}

impl Walker for Pcapng {
    fn walk(&mut self, bytes: &[u8], out: &mut Output<'_>) -> Step {
        let mut at = 0;
        loop {
            if self.skip > 0 {
                let passed = self.skip.min((bytes.len() - at) as u64);
                self.skip -= passed;
                at += passed as usize;
                if self.skip > 0 {
                    return Step::need(at, 1, "block");
                }
            }
            let rest = bytes.get(at..).unwrap_or_default();
            if rest.len() < 12 {
                return Step::need(at, 12, "block header");
            }
            let is_section = rest.starts_with(&Self::MAGIC);
            if is_section {
                self.order = match rest.get(8..12) {
                    Some([0x4d, 0x3c, 0x2b, 0x1a]) => Order::Little,
                    Some([0x1a, 0x2b, 0x3c, 0x4d]) => Order::Big,
                    _ => {
                        out.damage(
                            DamageKind::Malformed("a section header without its byte-order magic"),
                            at,
                        );
                        return Step::stop(at);
                    }
                };
            }
            let (kind, length) = (self.order.u32(rest, 0), self.order.u32(rest, 4));
            if length < 12 || length % 4 != 0 {
                out.damage(DamageKind::Malformed("a block with an impossible length"), at);
                return Step::stop(at);
            }
            let is_read =
                is_section || matches!(kind, INTERFACE | ENHANCED_PACKET | OBSOLETE_PACKET | SIMPLE_PACKET);
            if !is_read {
                self.skip = u64::from(length);
                continue;
            }
            if length > MAX_PACKET {
                out.damage(DamageKind::AbsurdLength { length, limit: MAX_PACKET }, at);
                return Step::stop(at);
            }
            let Some(block) = rest.get(..length as usize) else {
                return Step::need(at, length as usize, "block");
            };
            let body = block.get(8..block.len() - 4).unwrap_or_default();
            match kind {
                _ if is_section => {
                    if !self.section(body, at, out) {
                        return Step::stop(at);
                    }
                }
                INTERFACE => self.interface(body, at, out),
                _ => self.packet(kind, body, at + 8, out),
            }
            at += length as usize;
        }
    }
}

const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;

/// A file with more interfaces than this is made up.
const MAX_INTERFACES: usize = 65_536;

const SECOND: i128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_resolution() {
        let time = |exponent, binary, offset, ticks| Clock { exponent, binary, offset }.nanoseconds(ticks);
        assert_eq!(time(6, false, 0, 1_500_000), (1_500_000_000, false));
        assert_eq!(time(9, false, 0, 7), (7, false));
        assert_eq!(time(0, false, 0, 7), (7_000_000_000, false));
        assert_eq!(time(12, false, 0, 7_000), (7, false));
        assert_eq!(time(127, false, 0, u64::MAX), (0, false));
        assert_eq!(time(10, true, 0, 512), (500_000_000, false));
        assert_eq!(time(127, true, 0, u64::MAX), (0, false));
        assert_eq!(time(6, false, 10, 1), (10_000_001_000, false));
        assert_eq!(time(6, false, -10, 1), (0, true));
        assert_eq!(time(0, false, 0, u64::MAX), (i64::MAX, true));
    }
}
