//! MPLS: a stack of labels, and a guess at what it carries, which the stack does not say.

use schemas::anomaly::AnomalyName::LinkTruncated;

use super::super::bytes::u16_at;
use super::super::ethernet::is_plausible_ether_type;
use super::super::{Decoder, Next, Region};
use super::TunnelKind;

impl Decoder<'_, '_> {
    /// A label stack (RFC 3032 section 2.1) to its bottom.
    pub(in super::super) fn mpls(&mut self, mut region: Region) -> Option<(Next, Region)> {
        loop {
            let [a, b, c, _] = *self.header::<4>(region, LinkTruncated, "MPLS label")?;
            self.tunnel(TunnelKind::Mpls, Some(u32::from_be_bytes([0, a, b, c]) >> 4))?;
            region = region.skip(4)?;
            if c & 1 == 1 {
                break;
            }
        }
        let bytes = self.bytes(region);
        match bytes.first().map(|byte| byte >> 4) {
            Some(4) if is_ipv4(bytes, region.length()) => Some((Next::Ipv4, region)),
            Some(6) if is_ipv6(bytes, region.length()) => Some((Next::Ipv6, region)),
            Some(first) => {
                // A pseudowire, with Ethernet behind a control word (RFC 4385 section 3), which starts with zero bits,
                // or without one. An EtherType proves more than a length, which many numbers can be.
                let behind = bytes.get(4..).filter(|_| first == 0).unwrap_or_default();
                if bytes.len() < 18 && region.length() >= 18 {
                    self.decoded.cut = true;
                    return None;
                }
                let length = region.length();
                let (with, without) = (is_ethernet(behind, length), is_ethernet(bytes, length));
                let is_type = |bytes| u16_at(bytes, 12).is_some_and(|ether_type| ether_type >= 0x0600);
                if with && (is_type(behind) || !without || !is_type(bytes)) {
                    Some((Next::Ethernet, region.skip(4)?))
                } else if without {
                    Some((Next::Ethernet, region))
                } else {
                    self.other(0);
                    None
                }
            }
            None => {
                self.missing(region, 1, LinkTruncated, "MPLS payload");
                None
            }
        }
    }
}

/// Whether bytes can be an IPv4 header with `length` bytes there for the packet.
pub(super) fn is_ipv4(bytes: &[u8], length: usize) -> bool {
    match *bytes {
        [version, _, l0, l1, ..] => {
            let total = usize::from(u16::from_be_bytes([l0, l1]));
            (0x45..=0x4f).contains(&version) && (total == 0 || (20..=length).contains(&total))
        }
        _ => false,
    }
}

/// Whether bytes can be an IPv6 header with `length` bytes there for the packet.
pub(super) fn is_ipv6(bytes: &[u8], length: usize) -> bool {
    match *bytes {
        [version, _, _, _, l0, l1, ..] => {
            version >> 4 == 6 && usize::from(u16::from_be_bytes([l0, l1])) + 40 <= length
        }
        _ => false,
    }
}

/// Whether bytes can be an Ethernet header.
pub(super) fn is_ethernet(bytes: &[u8], length: usize) -> bool {
    u16_at(bytes, 12).is_some_and(|ether_type| is_plausible_ether_type(ether_type, length))
}
