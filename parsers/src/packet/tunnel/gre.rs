//! GRE, and what is built on it: NVGRE, PPTP, ERSPAN, WCCP.

use schemas::anomaly::AnomalyName::{LinkMalformed, LinkTruncated};

use super::super::bytes::{array_at, u8_at, u16_at, u32_at};
use super::super::{Decoder, Next, Region};
use super::TunnelKind;

impl Decoder<'_, '_> {
    /// A GRE header (RFC 2784 section 2, RFC 2890 section 2, RFC 1701 for routes, RFC 2637 section 4.1 for version 1).
    pub(in super::super) fn gre(&mut self, region: Region) -> Option<(Next, Region)> {
        let [high, low, t0, t1] = *self.header::<4>(region, LinkTruncated, "GRE header")?;
        let flags = u16::from_be_bytes([high, low]);
        let protocol = u16::from_be_bytes([t0, t1]);
        let version = flags & 7;
        if version > 1 || (version == 1 && protocol != PPP) {
            self.problem(LinkMalformed, "GRE version");
            return None;
        }
        let mut length = 4;
        if flags & (CHECKSUM | ROUTE) != 0 {
            length += 4;
        }
        let key_at = length;
        if flags & KEY != 0 {
            length += 4;
        }
        if flags & SEQUENCE != 0 {
            length += 4;
        }
        if version == 1 && flags & ACKNOWLEDGEMENT != 0 {
            length += 4;
        }
        let header = region;
        let mut region = self.behind(region, length, LinkTruncated, "GRE header")?;
        if flags & ROUTE != 0 {
            region = self.gre_route(region)?;
        }
        let key = (flags & KEY != 0).then(|| u32_at(self.bytes(header), key_at)).flatten();
        if version == 1 {
            let call = key.map(|key| key & 0xffff);
            let payload = key.map_or(0, |key| key as usize >> 16);
            self.tunnel(TunnelKind::Pptp, call)?;
            // Only an acknowledgement.
            if flags & SEQUENCE == 0 {
                return None;
            }
            return Some((Next::Ppp, region.limit(payload)));
        }
        match protocol {
            ERSPAN_I_OR_II => self.erspan_1_or_2(region, flags),
            ERSPAN_III => self.erspan_3(region),
            BRIDGED_ETHERNET => {
                // NVGRE has a key and nothing else, and no subnets below 0x1000; the key's last byte is no part of it.
                let is_nvgre =
                    flags & (CHECKSUM | ROUTE | SEQUENCE) == 0 && key.is_some_and(|key| key >> 20 != 0);
                if is_nvgre {
                    self.tunnel(TunnelKind::Nvgre, key.map(|key| key >> 8))?;
                } else {
                    self.tunnel(TunnelKind::Gre, key)?;
                }
                Some((Next::Ethernet, region))
            }
            WCCP => {
                self.tunnel(TunnelKind::Wccp, None)?;
                // Version 2 has a redirect header of four bytes, version 1 none.
                match u8_at(self.bytes(region), 0)? >> 4 {
                    4 => Some((Next::Ipv4, region)),
                    _ => Some((Next::Ipv4, self.behind(region, 4, LinkTruncated, "WCCP redirect header")?)),
                }
            }
            // Keep-alives carry nothing.
            0 => None,
            // 802.11 frames of Aruba's access points.
            0x8200..=0x8370 | 0x9000 if protocol & 0x0f == 0 => {
                self.tunnel(TunnelKind::Gre, key)?;
                if region.length() == 0 {
                    return None;
                }
                Some((Next::Wireless { padded: false, checked: false }, region))
            }
            _ => {
                self.tunnel(TunnelKind::Gre, key)?;
                Some((Next::EtherType(protocol), region))
            }
        }
    }

    /// Source routes of the first GRE (RFC 1701): entries with a length each, ended by an empty one.
    fn gre_route(&mut self, mut region: Region) -> Option<Region> {
        loop {
            let [f0, f1, _, length] = *self.header::<4>(region, LinkTruncated, "GRE route")?;
            region = self.behind(region, 4 + usize::from(length), LinkTruncated, "GRE route")?;
            if length == 0 && (f0, f1) == (0, 0) {
                return Some(region);
            }
        }
    }

    /// ERSPAN without a header (type I) or with one (type II), as the GRE sequence number says.
    fn erspan_1_or_2(&mut self, region: Region, flags: u16) -> Option<(Next, Region)> {
        if flags & SEQUENCE == 0 {
            self.tunnel(TunnelKind::ErspanI, None)?;
            return Some((Next::Ethernet, region));
        }
        let header = self.header::<8>(region, LinkTruncated, "ERSPAN header")?;
        if header[0] >> 4 != 1 {
            self.problem(LinkMalformed, "ERSPAN version");
            return None;
        }
        self.tunnel(TunnelKind::ErspanII, Some(u32::from(u16_at(header, 2)? & 0x03ff)))?;
        Some((Next::Ethernet, region.skip(8)?))
    }

    /// ERSPAN type III: twelve bytes, or twenty with the platform's subheader; frames of Ethernet or IP.
    fn erspan_3(&mut self, region: Region) -> Option<(Next, Region)> {
        const HAS_SUBHEADER: u16 = 1;
        let header = self.header::<12>(region, LinkTruncated, "ERSPAN header")?;
        if header[0] >> 4 != 2 {
            self.problem(LinkMalformed, "ERSPAN version");
            return None;
        }
        let flags = u16::from_be_bytes(*array_at(header, 10)?);
        let length = if flags & HAS_SUBHEADER != 0 { 20 } else { 12 };
        let behind = self.behind(region, length, LinkTruncated, "ERSPAN header")?;
        self.tunnel(TunnelKind::ErspanIII, Some(u32::from(u16_at(header, 2)? & 0x03ff)))?;
        match flags >> 10 & 0x1f {
            2 => Some((Next::Ip, behind)),
            _ => Some((Next::Ethernet, behind)),
        }
    }
}

const CHECKSUM: u16 = 0x8000;
const ROUTE: u16 = 0x4000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
const ACKNOWLEDGEMENT: u16 = 0x0080;
const PPP: u16 = 0x880b;
const BRIDGED_ETHERNET: u16 = 0x6558;
const ERSPAN_I_OR_II: u16 = 0x88be;
const ERSPAN_III: u16 = 0x22eb;
const WCCP: u16 = 0x883e;
