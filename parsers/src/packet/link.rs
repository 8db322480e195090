//! Link headers other than Ethernet's own: what each link type of a capture begins with.

use schemas::anomaly::AnomalyName::{LinkMalformed, LinkTruncated, UnknownLinkType};

use super::bytes::{array_at, u8_at, u16_at};
use super::{Decoder, LinkType, Next, Region};

impl Decoder<'_, '_> {
    /// Reads the link header of a frame.
    #[inline(never)]
    pub(super) fn link_header(&mut self, link: LinkType, region: Region) -> Option<(Next, Region)> {
        match link {
            LinkType::ETHERNET => Some((Next::Ethernet, region)),
            LinkType::RAW_DLT_12 | LinkType::RAW_DLT_14 | LinkType::RAW => Some((Next::Ip, region)),
            // Some writers use these two for any IP.
            LinkType::IPV4 | LinkType::IPV6 => Some((Next::Ip, region)),
            LinkType::LINUX_SLL => self.linux_cooked(region),
            LinkType::LINUX_SLL2 => self.linux_cooked_2(region),
            LinkType::NULL | LinkType::LOOP => self.loopback(region),
            LinkType::PPP => self.ppp_hdlc(region),
            LinkType::PPP_HDLC => self.ppp_hdlc(region),
            LinkType::PPP_ETHER => self.pppoe(region),
            LinkType::IEEE802_11 => Some((Next::Wireless { padded: false, checked: false }, region)),
            LinkType::IEEE802_11_RADIOTAP => self.radiotap(region),
            LinkType::IEEE802_11_PRISM => self.prism(region),
            LinkType::IEEE802_11_AVS => self.avs(region),
            LinkType::FRELAY => self.frame_relay(region),
            LinkType::NFLOG => self.netfilter_log(region),
            LinkType::C_HDLC => self.cisco_hdlc(region),
            LinkType::ATM_RFC1483 => Some((Next::Llc, region)),
            LinkType::FDDI => Some((Next::Llc, self.behind(region, 13, LinkTruncated, "FDDI header")?)),
            LinkType::IEEE802_5 => self.token_ring(region),
            LinkType::PFLOG => self.packet_filter_log(region),
            // A byte that says the direction stands in the place of the address byte, or before it.
            LinkType::PPP_PPPD => match self.bytes(region) {
                [_, 0x03, ..] => Some((Next::Ppp, region.skip(2)?)),
                _ => Some((Next::Ppp, region)),
            },
            LinkType::PPP_WITH_DIR => {
                Some((Next::Ppp, self.behind(region, 1, LinkTruncated, "direction byte")?))
            }
            LinkType::PPI => self.per_packet_information(region),
            _ => {
                self.problem(UnknownLinkType, link.known_name().unwrap_or("link type"));
                None
            }
        }
    }

    /// BSD loopback: an address family in either byte order. The numbers for IPv6 differ between systems.
    fn loopback(&mut self, region: Region) -> Option<(Next, Region)> {
        let family = *self.header::<4>(region, LinkTruncated, "loopback header")?;
        let region = region.skip(4)?;
        let native = u32::from_le_bytes(family);
        match if native > 0xffff { u32::from_be_bytes(family) } else { native } {
            2 => Some((Next::Ipv4, region)),
            10 | 24 | 28 | 30 => Some((Next::Ipv6, region)),
            _ => {
                self.other(0);
                None
            }
        }
    }

    /// Linux cooked capture: packet type, hardware type, address length, address, protocol.
    fn linux_cooked(&mut self, region: Region) -> Option<(Next, Region)> {
        let header = self.header::<16>(region, LinkTruncated, "Linux cooked header")?;
        let hardware = u16_at(header, 2)?;
        let address = array_at::<6>(header, 6).filter(|_| u16_at(header, 4) == Some(6)).copied();
        self.cooked(hardware, address, u16_at(header, 14)?, region.skip(16)?)
    }

    /// Version 2: protocol, reserved, interface, hardware type, packet type, address length, address.
    fn linux_cooked_2(&mut self, region: Region) -> Option<(Next, Region)> {
        let header = self.header::<20>(region, LinkTruncated, "Linux cooked header")?;
        let hardware = u16_at(header, 8)?;
        let address = array_at::<6>(header, 12).filter(|_| u8_at(header, 11) == Some(6)).copied();
        self.cooked(hardware, address, u16_at(header, 0)?, region.skip(20)?)
    }

    /// What the protocol field of a cooked header means depends on the hardware type (Linux `if_arp.h`).
    fn cooked(
        &mut self,
        hardware: u16,
        address: Option<[u8; 6]>,
        protocol: u16,
        region: Region,
    ) -> Option<(Next, Region)> {
        self.decoded.link = self.decoded.link.with_macs(address, None);
        match (hardware, protocol) {
            // Netlink messages.
            (824, _) => {
                self.other(0);
                None
            }
            (801, _) => Some((Next::Wireless { padded: false, checked: false }, region)),
            (802, _) => self.prism(region),
            (803, _) => self.radiotap(region),
            // Linux's own numbers below the EtherTypes: Novell's raw 802.3 and 802.2 LLC.
            (_, 0x0004) => Some((Next::Llc, region)),
            (_, 0x0000..=0x05ff) => {
                self.other(0);
                None
            }
            _ => Some((Next::EtherType(protocol), region)),
        }
    }

    /// Frame relay (Q.922): an address of two to four bytes; then RFC 2427's control and protocol bytes, or Cisco's
    /// EtherType.
    fn frame_relay(&mut self, region: Region) -> Option<(Next, Region)> {
        let bytes = self.bytes(region);
        // The lowest bit of the last address byte is set.
        let Some(address) = bytes.iter().take(4).position(|byte| byte & 1 == 1).map(|last| last + 1) else {
            self.missing(region, 4, LinkTruncated, "frame relay address");
            return None;
        };
        let region = region.skip(address)?;
        match self.bytes(region) {
            [0x03, 0x00, 0x80, ..] => self.frame_relay_snap(region.skip(3)?),
            [0x03, 0x80, ..] => self.frame_relay_snap(region.skip(2)?),
            [0x03, 0xcc, ..] => Some((Next::Ipv4, region.skip(2)?)),
            [0x03, 0x8e, ..] => Some((Next::Ipv6, region.skip(2)?)),
            [0x03, ..] => {
                self.other(0);
                None
            }
            [high, low, ..] => Some((Next::EtherType(u16::from_be_bytes([*high, *low])), region.skip(2)?)),
            _ => {
                self.missing(region, 2, LinkTruncated, "frame relay header");
                None
            }
        }
    }

    /// SNAP behind frame relay's protocol byte: organisation and protocol.
    fn frame_relay_snap(&mut self, region: Region) -> Option<(Next, Region)> {
        match *self.header::<5>(region, LinkTruncated, "frame relay SNAP header")? {
            [0, 0, 0, high, low] => Some((Next::EtherType(u16::from_be_bytes([high, low])), region.skip(5)?)),
            [0, 0x80, 0xc2, 0, 1 | 7] => Some((Next::Ethernet, region.skip(5)?)),
            _ => {
                self.other(0);
                None
            }
        }
    }

    /// Linux netfilter log: family, version, resource; then TLVs, one of which is the packet.
    fn netfilter_log(&mut self, region: Region) -> Option<(Next, Region)> {
        const PAYLOAD: u16 = 9;
        /// More attributes than the kernel knows kinds of.
        const MAX_ATTRIBUTES: usize = 64;
        let [family, version, ..] = *self.header::<4>(region, LinkTruncated, "NFLOG header")?;
        if version != 0 {
            self.problem(LinkMalformed, "NFLOG version");
            return None;
        }
        let mut region = region.skip(4)?;
        for _ in 0..MAX_ATTRIBUTES {
            let [l0, l1, t0, t1] = *self.header::<4>(region, LinkTruncated, "NFLOG attribute")?;
            // Length and type are in the byte order of the machine that captured; the type is a small number.
            let (length, kind) = if t1 == 0 {
                (u16::from_le_bytes([l0, l1]), u16::from(t0))
            } else {
                (u16::from_be_bytes([l0, l1]), u16::from_be_bytes([t0, t1]))
            };
            let length = usize::from(length);
            if length < 4 {
                self.problem(LinkMalformed, "NFLOG attribute length");
                return None;
            }
            if kind & 0x7fff == PAYLOAD {
                let payload = region.skip(4)?.limit(length - 4);
                return match family {
                    2 | 10 => Some((Next::Ip, payload)),
                    _ => {
                        self.other(0);
                        None
                    }
                };
            }
            region = self.behind(region, length.next_multiple_of(4), LinkTruncated, "NFLOG attribute")?;
        }
        self.problem(LinkMalformed, "NFLOG attributes");
        None
    }

    /// Token ring: access and frame control, addresses, perhaps a route (its length in the first byte), LLC.
    fn token_ring(&mut self, region: Region) -> Option<(Next, Region)> {
        const ROUTED: u8 = 0x80;
        let header = self.header::<14>(region, LinkTruncated, "token ring header")?;
        let mut region = region.skip(14)?;
        if u8_at(header, 8)? & ROUTED != 0 {
            let [control] = *self.header::<1>(region, LinkTruncated, "token ring route")?;
            region = self.behind(region, usize::from(control & 0x1f), LinkTruncated, "token ring route")?;
        }
        Some((Next::Llc, region))
    }

    /// OpenBSD's packet filter log: the first byte is the header's length, without its padding to four bytes.
    fn packet_filter_log(&mut self, region: Region) -> Option<(Next, Region)> {
        let [length] = *self.header::<1>(region, LinkTruncated, "PFLOG header")?;
        let length = usize::from(length).next_multiple_of(4);
        if length < 28 {
            self.problem(LinkMalformed, "PFLOG header length");
            return None;
        }
        Some((Next::Ip, self.behind(region, length, LinkTruncated, "PFLOG header")?))
    }

    /// Per-packet information: version, flags, length (little-endian), then the link type of the frame.
    fn per_packet_information(&mut self, region: Region) -> Option<(Next, Region)> {
        let header = self.header::<8>(region, LinkTruncated, "PPI header")?;
        let [_, _, l0, l1, t0, t1, t2, t3] = *header;
        let length = usize::from(u16::from_le_bytes([l0, l1]));
        if length < 8 {
            self.problem(LinkMalformed, "PPI header length");
            return None;
        }
        let region = self.behind(region, length, LinkTruncated, "PPI header")?;
        match u16::try_from(u32::from_le_bytes([t0, t1, t2, t3])).map(LinkType) {
            Ok(link) if link != LinkType::PPI => self.link_header(link, region),
            _ => {
                self.problem(LinkMalformed, "PPI link type");
                None
            }
        }
    }
}
