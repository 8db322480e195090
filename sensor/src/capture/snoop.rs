//! Sun's snoop format (RFC 1761).

use parsers::link_type::LinkType;

use super::{
    Frame,
    damage::DamageKind,
    reader::{MAX_PACKET, Order, Output, Step, Walker},
};

/// Reads a snoop file from its first byte on.
#[derive(Clone, Debug, Default)]
pub(super) struct Snoop {
    /// Known after the file header: the link type and the file's own number for it.
    link: Option<(LinkType, u32)>,
}

impl Snoop {
    /// The first bytes of every such file.
    pub(super) const MAGIC: [u8; 8] = *b"snoop\0\0\0";
}

impl Walker for Snoop {
    fn walk(&mut self, bytes: &[u8], out: &mut Output<'_>) -> Step {
        let order = Order::Big;
        let mut rest = bytes;
        let (link, datalink) = match self.link {
            Some(link) => link,
            None => {
                let Some((header, after)) = bytes.split_first_chunk::<FILE_HEADER>() else {
                    return Step::need(0, FILE_HEADER, "file header");
                };
                if order.u32(header, 8) != 2 {
                    out.damage(DamageKind::Malformed("unknown version of the snoop format"), 8);
                    return Step::stop(0);
                }
                let datalink = order.u32(header, 12);
                rest = after;
                *self.link.insert((link_type(datalink), datalink))
            }
        };
        let frames_before = out.frames.len();
        let step = loop {
            let at = bytes.len() - rest.len();
            let Some((header, after)) = rest.split_first_chunk::<RECORD_HEADER>() else {
                break Step::need(at, RECORD_HEADER, "packet header");
            };
            let (wire, captured) = (order.u32(header, 0), order.u32(header, 4));
            let record = order.u32(header, 8);
            if captured > MAX_PACKET || record > MAX_PACKET {
                let length = captured.max(record);
                out.damage(DamageKind::AbsurdLength { length, limit: MAX_PACKET }, at);
                break Step::stop(at);
            }
            // The record's length counts its header and the padding after the packet.
            let Some(padded) =
                (record as usize).checked_sub(RECORD_HEADER).filter(|n| *n >= captured as usize)
            else {
                out.damage(DamageKind::Malformed("a snoop record shorter than its packet"), at);
                break Step::stop(at);
            };
            // The last packet of a file that lost its padding is whole all the same.
            let Some(after_record) = after
                .get(padded..)
                .or_else(|| after.get(captured as usize..).filter(|_| out.at_end).map(|_| &after[..0]))
            else {
                break Step::need(at, RECORD_HEADER + padded, "packet");
            };
            let (seconds, microseconds) = (order.u32(header, 16), i64::from(order.u32(header, 20)));
            if microseconds >= 1_000_000 {
                out.damage(DamageKind::TimeStamp, at);
            }
            out.push(Frame {
                ts: i64::from(seconds) * 1_000_000_000 + microseconds * 1000,
                number: 0,
                offset: (bytes.len() - after.len()) as u32,
                captured,
                wire: wire.max(captured),
                link,
            });
            rest = after_record;
        };
        let count = (out.frames.len() - frames_before) as u64;
        if link.known_name().is_none() && count > 0 {
            let kind =
                if link == UNKNOWN { DamageKind::SnoopLink(datalink) } else { DamageKind::LinkType(link) };
            out.damage_of(kind, 0, count);
        }
        step
    }
}

/// The LINKTYPE_ of a snoop "datalink type" (RFC 1761, "Datalink Type"; IPNET from Solaris' <sys/dlpi.h>).
const fn link_type(datalink: u32) -> LinkType {
    match datalink {
        0 | 4 => LinkType::ETHERNET,
        2 => LinkType(6),
        8 => LinkType(10),
        26 => LinkType(226),
        _ => UNKNOWN,
    }
}

/// Stands for a datalink type without a LINKTYPE_; the number is not in use.
const UNKNOWN: LinkType = LinkType(u16::MAX);

const FILE_HEADER: usize = 16;
const RECORD_HEADER: usize = 24;
