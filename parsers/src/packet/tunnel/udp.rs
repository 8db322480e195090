//! Encapsulations in UDP. A port alone proves nothing: the header's fixed and reserved bits, its lengths and the packet
//! inside must agree, or the datagram is left alone. What is not recognised is no problem.

use super::super::bytes::{array_at, u8_at, u16_at, u24_at, u32_at};
use super::super::{Decoder, Next, Region};
use super::TunnelKind;
use super::label::{is_ethernet, is_ipv4, is_ipv6};

impl Decoder<'_, '_> {
    /// What a UDP payload encapsulates, if it does.
    #[inline(always)]
    pub(in super::super) fn inside_udp(
        &mut self,
        src_port: u16,
        dst_port: u16,
        payload: Region,
    ) -> Option<(Next, Region)> {
        if is_tunnel_port(src_port) | is_tunnel_port(dst_port) {
            return self.tunnel_by_port(src_port, dst_port, payload);
        }
        match self.bytes(payload).first() {
            // Teredo between clients uses any port; its packets are IPv6.
            Some(0x60..=0x6f) => self.teredo_without_port(payload),
            _ => None,
        }
    }

    /// The encapsulation that a port stands for, if the content agrees. Answers come from the port, too.
    #[inline(never)]
    fn tunnel_by_port(&mut self, src_port: u16, dst_port: u16, payload: Region) -> Option<(Next, Region)> {
        self.tunnel_on_port(dst_port, payload).or_else(|| self.tunnel_on_port(src_port, payload))
    }

    /// The encapsulation that one port stands for.
    fn tunnel_on_port(&mut self, port: u16, payload: Region) -> Option<(Next, Region)> {
        match port {
            VXLAN | VXLAN_LINUX => self.vxlan(payload),
            VXLAN_GPE => self.vxlan_gpe(payload),
            GENEVE => self.geneve(payload),
            GTP => self.gtp(payload),
            TEREDO => self.teredo(payload),
            AYIYA => self.ayiya(payload),
            _ => None,
        }
    }

    /// VXLAN (RFC 7348 section 5), also with a group policy.
    fn vxlan(&mut self, payload: Region) -> Option<(Next, Region)> {
        const HAS_NETWORK: u8 = 0x08;
        const HAS_POLICY: u8 = 0x80;
        let bytes = self.bytes(payload);
        let &[flags, more, p0, p1, _, _, _, reserved, ..] = bytes.first_chunk::<8>()?;
        let no_policy = flags & HAS_POLICY == 0 && (more, p0, p1) == (0, 0, 0);
        if flags & !HAS_POLICY != HAS_NETWORK || reserved != 0 || !(no_policy || flags & HAS_POLICY != 0) {
            return None;
        }
        let inside = payload.skip(8)?;
        if !is_ethernet(bytes.get(8..)?, inside.length()) {
            return None;
        }
        self.tunnel(TunnelKind::Vxlan, u24_at(bytes, 4))?;
        Some((Next::Ethernet, inside))
    }

    /// VXLAN with a protocol field (draft-ietf-nvo3-vxlan-gpe), or plain VXLAN on its port.
    fn vxlan_gpe(&mut self, payload: Region) -> Option<(Next, Region)> {
        const FLAGS: u8 = 0x0c;
        let bytes = self.bytes(payload);
        let &[flags, 0, 0, protocol, _, _, _, 0, ..] = bytes.first_chunk::<8>()? else { return None };
        if flags != FLAGS {
            return self.vxlan(payload);
        }
        let inside = payload.skip(8)?;
        let content = bytes.get(8..)?;
        let next = match protocol {
            1 if is_ipv4(content, inside.length()) => Next::Ipv4,
            2 if is_ipv6(content, inside.length()) => Next::Ipv6,
            3 if is_ethernet(content, inside.length()) => Next::Ethernet,
            4 => Next::Nsh,
            5 => Next::Mpls,
            _ => return None,
        };
        self.tunnel(TunnelKind::VxlanGpe, u24_at(bytes, 4))?;
        Some((next, inside))
    }

    /// GENEVE (RFC 8926 section 3.4).
    fn geneve(&mut self, payload: Region) -> Option<(Next, Region)> {
        let bytes = self.bytes(payload);
        let &[version, flags, t0, t1, _, _, _, reserved, ..] = bytes.first_chunk::<8>()?;
        if version >> 6 != 0 || flags & 0x3f != 0 || reserved != 0 {
            return None;
        }
        let length = 8 + usize::from(version & 0x3f) * 4;
        let inside = payload.skip(length)?;
        let content = bytes.get(length..)?;
        let next = match u16::from_be_bytes([t0, t1]) {
            0x6558 if is_ethernet(content, inside.length()) => Next::Ethernet,
            0x0800 if is_ipv4(content, inside.length()) => Next::Ipv4,
            0x86dd if is_ipv6(content, inside.length()) => Next::Ipv6,
            0x8847 | 0x8848 => Next::Mpls,
            0x894f => Next::Nsh,
            _ => return None,
        };
        self.tunnel(TunnelKind::Geneve, u24_at(bytes, 4))?;
        Some((next, inside))
    }

    /// GTP version 1, user plane (3GPP TS 29.281 section 5): the lengths of GTP, of UDP and of the IP packet inside must
    /// agree, as Zeek asks, for DNS and other traffic uses the port too.
    fn gtp(&mut self, payload: Region) -> Option<(Next, Region)> {
        const VERSION_1: u8 = 0x30;
        const HAS_EXTENSIONS: u8 = 0x04;
        const HAS_OPTIONAL: u8 = 0x07;
        const USER_DATA: u8 = 255;
        let bytes = self.bytes(payload);
        let &[flags, USER_DATA, l0, l1, _, _, _, _] = bytes.first_chunk::<8>()? else { return None };
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        if flags & 0xf8 != VERSION_1 || length + 8 != payload.length() {
            return None;
        }
        let mut start = 8;
        if flags & HAS_OPTIONAL != 0 {
            start += 4;
            let mut extension = u8_at(bytes, start - 1)?;
            if flags & HAS_EXTENSIONS != 0 {
                while extension != 0 {
                    // In units of four bytes, the type of the next one last.
                    let length = usize::from(u8_at(bytes, start)?) * 4;
                    if length == 0 {
                        return None;
                    }
                    start += length;
                    extension = u8_at(bytes, start - 1)?;
                }
            }
        }
        let next = self.whole_ip(payload.skip(start)?)?;
        self.tunnel(TunnelKind::Gtp, u32_at(bytes, 4))?;
        Some(next)
    }

    /// Teredo (RFC 4380 section 5.1.1): perhaps authentication, perhaps an origin, then IPv6.
    fn teredo(&mut self, payload: Region) -> Option<(Next, Region)> {
        let mut inside = payload;
        if let [0, 1, identifier, value, ..] = *self.bytes(inside) {
            // Identifier and value, then nonce and confirmation.
            inside = inside.skip(4 + usize::from(identifier) + usize::from(value) + 9)?;
        }
        if let [0, 0, ..] = *self.bytes(inside) {
            inside = inside.skip(8)?;
        }
        let bytes = self.bytes(inside);
        let step = match *bytes {
            // A bubble is an IPv6 header without payload; some stacks put bytes behind it.
            [0x60..=0x6f, _, _, _, 0, 0, 59, ..] if bytes.len() >= 40 => (Next::Ipv6, inside),
            [0x60..=0x6f, ..] => self.whole_ip(inside)?,
            _ => return None,
        };
        self.tunnel(TunnelKind::Teredo, None)?;
        Some(step)
    }

    /// Teredo on ports of its clients' choice: one of the addresses has Teredo's prefix (RFC 4380 section 4), and the
    /// length is right.
    #[inline(never)]
    fn teredo_without_port(&mut self, payload: Region) -> Option<(Next, Region)> {
        const PREFIX: [u8; 4] = [0x20, 0x01, 0, 0];
        let bytes = self.bytes(payload);
        if array_at(bytes, 8) != Some(&PREFIX) && array_at(bytes, 24) != Some(&PREFIX) {
            return None;
        }
        self.teredo(payload)
    }

    /// AYIYA (draft-massar-v6ops-ayiya-02 section 3): the lengths of identity and signature are powers and multiples.
    fn ayiya(&mut self, payload: Region) -> Option<(Next, Region)> {
        const FORWARD: u8 = 1;
        let bytes = self.bytes(payload);
        let &[identity, signature, operation, protocol] = bytes.first_chunk::<4>()?;
        let length = 8 + (1 << (identity >> 4)) + usize::from(signature >> 4) * 4;
        if operation & 0x0f != FORWARD || !matches!(protocol, 4 | 41) {
            return None;
        }
        let step = self.whole_ip(payload.skip(length)?)?;
        self.tunnel(TunnelKind::Ayiya, None)?;
        Some(step)
    }

    /// An IP packet that fills its region, by the length in its header.
    fn whole_ip(&self, region: Region) -> Option<(Next, Region)> {
        let bytes = self.bytes(region);
        match bytes.first()? >> 4 {
            4 if is_ipv4(bytes, region.length()) && usize::from(u16_at(bytes, 2)?) == region.length() => {
                Some((Next::Ipv4, region))
            }
            6 if usize::from(u16_at(bytes, 4)?) + 40 == region.length() => Some((Next::Ipv6, region)),
            _ => None,
        }
    }
}

const VXLAN: u16 = 4789;
/// Linux's port before one was assigned.
const VXLAN_LINUX: u16 = 8472;
const VXLAN_GPE: u16 = 4790;
const GENEVE: u16 = 6081;
const GTP: u16 = 2152;
const TEREDO: u16 = 3544;
const AYIYA: u16 = 5072;

/// Whether a port stands for an encapsulation.
#[inline(always)]
fn is_tunnel_port(port: u16) -> bool {
    matches!(port, VXLAN | VXLAN_LINUX | VXLAN_GPE | GENEVE | GTP | TEREDO | AYIYA)
}

/// Whether datagrams to a port may go without a checksum over IPv6, as those of tunnels may (RFC 6935).
pub(in super::super) fn allows_zero_checksum(port: u16) -> bool {
    is_tunnel_port(port)
}
