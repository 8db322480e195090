//! The pcap format: micro- and nanoseconds, both byte orders, the old and the "modified" record layouts.

use parsers::link_type::LinkType;

use super::{
    Frame,
    damage::DamageKind,
    reader::{MAX_PACKET, Order, Output, Step, Walker},
};

/// Reads a pcap file from its first byte on (draft-ietf-opsawg-pcap).
#[derive(Clone, Debug)]
pub(super) struct Pcap {
    order: Order,
    /// Nanoseconds in a unit of the fraction field.
    unit: i64,
    /// 16, or 24 in the "modified" format.
    record_header: usize,
    lengths: Lengths,
    /// The largest packet believed.
    limit: u32,
    /// Known after the file header.
    link: Option<LinkType>,
}

impl Pcap {
    /// The reader for a file with this magic number, if it is one of pcap's.
    pub(super) fn of(magic: [u8; 4]) -> Option<Self> {
        let recognise = |order: Order| {
            let (unit, record_header) = match order.u32(&magic, 0) {
                0xa1b2_c3d4 => (1000, 16),
                0xa1b2_3c4d => (1, 16),
                // Kuznetzov's patch of the nineties; a few phones' and routers' firmwares still write it.
                0xa1b2_cd34 => (1000, 24),
                _ => return None,
            };
            let limit = MIN_LIMIT;
            Some(Self { order, unit, record_header, lengths: Lengths::InOrder, limit, link: None })
        };
        recognise(Order::Little).or_else(|| recognise(Order::Big))
    }

    /// Reads the file header, `None` if it says what cannot be read.
    fn read_header(&mut self, header: &[u8; FILE_HEADER]) -> Option<LinkType> {
        let order = self.order;
        // The order of the two lengths of a record by the file's version, as in libpcap's sf-pcap.c.
        self.lengths = match (order.u16(header, 4), order.u16(header, 6)) {
            (2, 0..=2) | (543, 0) => Lengths::Swapped,
            (2, 3) => Lengths::SwappedIfLarger,
            (2, _) => Lengths::InOrder,
            _ => return None,
        };
        self.limit = order.u32(header, 16).clamp(MIN_LIMIT, MAX_PACKET);
        // The upper 16 bits are the length of a frame check sequence and its flag. The lengths in IP headers say
        // where a packet ends, so the bytes after it do no harm.
        let link = LinkType(order.u32(header, 20) as u16);
        self.link = Some(link);
        Some(link)
    }
}

impl Walker for Pcap {
    fn walk(&mut self, bytes: &[u8], out: &mut Output<'_>) -> Step {
        let mut rest = bytes;
        let link = match self.link {
            Some(link) => link,
            None => {
                let Some((header, after)) = bytes.split_first_chunk() else {
                    return Step::need(0, FILE_HEADER, "file header");
                };
                let Some(link) = self.read_header(header) else {
                    out.damage(DamageKind::Malformed("unknown version of the pcap format"), 4);
                    return Step::stop(0);
                };
                rest = after;
                link
            }
        };
        let order = self.order;
        let frames_before = out.frames.len();
        let step = loop {
            let at = bytes.len() - rest.len();
            let Some((header, after)) = rest.split_at_checked(self.record_header) else {
                break Step::need(at, self.record_header, "packet header");
            };
            let Some(header) = header.first_chunk::<16>() else { break Step::stop(at) };
            let (mut captured, mut wire) = (order.u32(header, 8), order.u32(header, 12));
            if self.lengths.swapped(captured, wire) {
                (captured, wire) = (wire, captured);
            }
            if captured > self.limit {
                out.damage(DamageKind::AbsurdLength { length: captured, limit: self.limit }, at);
                break Step::stop(at);
            }
            let Some((_, after_packet)) = after.split_at_checked(captured as usize) else {
                break Step::need(at, self.record_header + captured as usize, "packet");
            };
            let (seconds, fraction) = (order.u32(header, 0), i64::from(order.u32(header, 4)));
            let nanoseconds = fraction * self.unit;
            if nanoseconds >= SECOND {
                out.damage(DamageKind::TimeStamp, at);
            }
            out.push(Frame {
                // 2^32 seconds and as many microseconds are well within 63 bits of nanoseconds.
                ts: i64::from(seconds) * SECOND + nanoseconds,
                number: 0,
                offset: (bytes.len() - after.len()) as u32,
                captured,
                wire: wire.max(captured),
                link,
            });
            rest = after_packet;
        };
        if link.known_name().is_none() && out.frames.len() > frames_before {
            let count = (out.frames.len() - frames_before) as u64;
            out.damage_of(DamageKind::LinkType(link), 0, count);
        }
        step
    }
}

/// In which order a record has its two lengths.
#[derive(Clone, Copy, Debug)]
enum Lengths {
    InOrder,
    Swapped,
    /// Version 2.3 was written in both ways; the captured length cannot be the larger one.
    SwappedIfLarger,
}

impl Lengths {
    const fn swapped(self, captured: u32, wire: u32) -> bool {
        match self {
            Self::InOrder => false,
            Self::Swapped => true,
            Self::SwappedIfLarger => captured > wire,
        }
    }
}

/// Size in bytes of the file header.
const FILE_HEADER: usize = 24;

/// Packets up to this size are believed whatever the file's snap length says: it is the largest snap length that
/// libpcap itself takes for networks.
const MIN_LIMIT: u32 = 262_144;

const SECOND: i64 = 1_000_000_000;
