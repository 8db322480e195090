//! Ethernet: addresses, tags, EtherTypes, and LLC with SNAP.

use schemas::anomaly::AnomalyName::{LinkMalformed, LinkTruncated};

use super::bytes::{array_at, u16_at, u24_at};
use super::tunnel::TunnelKind;
use super::{Decoder, Link, Next, Region};

impl Decoder<'_, '_> {
    /// The Ethernet header that a frame begins with (IEEE 802.3 section 3): destination, source, EtherType or length. Nearly
    /// all frames begin with one, and IPv4 behind it.
    #[inline(always)]
    pub(super) fn outermost_ethernet(&mut self, region: Region) -> Option<(Next, Region)> {
        let header = self.header::<14>(region, LinkTruncated, "Ethernet header")?;
        self.decoded.link = Link::ethernet(header);
        let region = region.skip(14)?;
        match u16::from_be_bytes([header[12], header[13]]) {
            IPV4 => self.ipv4_inlined(region),
            IPV6 => self.ipv6(region),
            VLAN => self.vlan(region),
            ether_type => Some((Next::EtherType(ether_type), region)),
        }
    }

    /// An Ethernet header behind others.
    pub(super) fn ethernet(&mut self, region: Region) -> Option<(Next, Region)> {
        let header = self.header::<14>(region, LinkTruncated, "Ethernet header")?;
        if !self.decoded.link.has_sender() && self.is_outermost() {
            self.decoded.link = Link::ethernet(header).with_vlans_of(&self.decoded.link);
        }
        Some((Next::EtherType(u16::from_be_bytes([header[12], header[13]])), region.skip(14)?))
    }

    /// Whether no IP header and no encapsulation stands before what is read now.
    #[inline(always)]
    fn is_outermost(&self) -> bool {
        self.decoded.layer_count == 0 && self.decoded.tunnel_count == 0
    }

    /// A VLAN tag: priority and VLAN, then the next EtherType (IEEE 802.1Q section 9).
    #[inline]
    fn vlan(&mut self, region: Region) -> Option<(Next, Region)> {
        let [high, low, type_high, type_low] = *self.header::<4>(region, LinkTruncated, "VLAN tag")?;
        let vlan = u16::from_be_bytes([high, low]) & 0x0fff;
        if vlan != 0 && self.decoded.layer_count == 0 {
            self.decoded.link.add_vlan(vlan);
        }
        let region = region.skip(4)?;
        match u16::from_be_bytes([type_high, type_low]) {
            IPV4 => self.ipv4(region),
            IPV6 => self.ipv6(region),
            ether_type => Some((Next::EtherType(ether_type), region)),
        }
    }

    /// What an EtherType announces.
    pub(super) fn ether_type(&mut self, ether_type: u16, region: Region) -> Option<(Next, Region)> {
        match ether_type {
            IPV4 => self.ipv4(region),
            IPV6 => self.ipv6(region),
            VLAN | PROVIDER_VLAN | 0x9100 | 0x9200 | 0x9300 => self.vlan(region),
            0..=0x05ff => Some((Next::Llc, region.limit(usize::from(ether_type)))),
            JUMBO_LLC => Some((Next::Llc, region)),
            MPLS_UNICAST | MPLS_MULTICAST => Some((Next::Mpls, region)),
            PPPOE_SESSION => self.pppoe(region),
            BACKBONE => self.backbone(region),
            VN_TAG => self.tag(region, 4, "VN-tag").and_then(|step| {
                self.tunnel(TunnelKind::VnTag, None)?;
                Some(step)
            }),
            E_TAG => self.tag(region, 6, "E-tag").and_then(|step| {
                self.tunnel(TunnelKind::ETag, None)?;
                Some(step)
            }),
            // Cisco metadata: version, length, option, security group; a label, not an encapsulation.
            CISCO_METADATA => self.tag(region, 6, "Cisco metadata"),
            // High-availability seamless redundancy (IEC 62439-3): path, size, sequence number.
            REDUNDANCY => self.tag(region, 4, "HSR tag"),
            MACSEC => self.macsec(region),
            FABRIC_PATH => {
                let region = self.behind(region, 2, LinkTruncated, "FabricPath tag")?;
                self.tunnel(TunnelKind::FabricPath, None)?;
                Some((Next::Ethernet, region))
            }
            NSH => Some((Next::Nsh, region)),
            BRIDGED_ETHERNET => Some((Next::Ethernet, region)),
            PPP => Some((Next::Ppp, region)),
            _ => {
                self.other(ether_type);
                None
            }
        }
    }

    /// A tag of `length` bytes with the next EtherType behind it.
    fn tag(&mut self, region: Region, length: usize, what: &'static str) -> Option<(Next, Region)> {
        let behind = self.behind(region, length + 2, LinkTruncated, what)?;
        let ether_type = u16_at(self.bytes(region), length)?;
        Some((Next::EtherType(ether_type), behind))
    }

    /// The I-tag of a backbone network (IEEE 802.1Q section 9.7): service identifier, then the customer's frame.
    fn backbone(&mut self, region: Region) -> Option<(Next, Region)> {
        let [_, a, b, c] = *self.header::<4>(region, LinkTruncated, "802.1ah tag")?;
        self.tunnel(TunnelKind::Backbone, Some(u32::from_be_bytes([0, a, b, c])))?;
        Some((Next::Ethernet, region.skip(4)?))
    }

    /// The security tag of MACsec (IEEE 802.1AE section 9). What is only protected, not encrypted, is read on.
    fn macsec(&mut self, region: Region) -> Option<(Next, Region)> {
        const ENCRYPTED_OR_CHANGED: u8 = 0x0c;
        const EXPLICIT_CHANNEL: u8 = 0x20;
        const ICV: usize = 16;
        let [flags, short_length, ..] = *self.header::<6>(region, LinkTruncated, "MACsec tag")?;
        if flags & ENCRYPTED_OR_CHANGED != 0 {
            self.other(MACSEC);
            return None;
        }
        let length = if flags & EXPLICIT_CHANNEL != 0 { 14 } else { 6 };
        let (next, behind) = self.tag(region, length, "MACsec tag")?;
        // The short length counts from behind the tag; 0 means 48 bytes or more, up to the integrity check value.
        let payload = match usize::from(short_length & 0x3f) {
            0 => behind.length().saturating_sub(ICV),
            short => short.saturating_sub(2),
        };
        Some((next, behind.limit(payload)))
    }

    /// 802.2 LLC, and SNAP (IEEE 802 section 9.5).
    pub(super) fn llc(&mut self, region: Region) -> Option<(Next, Region)> {
        let bytes = self.bytes(region);
        match *self.header::<3>(region, LinkTruncated, "LLC header")? {
            [0xaa, 0xaa, 0x03] => {
                let behind = self.behind(region, 8, LinkTruncated, "SNAP header")?;
                let organisation = u24_at(bytes, 3)?;
                let kind = u16_at(bytes, 6)?;
                match organisation {
                    // EtherType as such, or bridged by RFC 1042's and 802.1H's code points.
                    0x00_0000 | 0x00_00f8 => match kind {
                        0..=0x05ff => {
                            self.other(kind);
                            None
                        }
                        _ => Some((Next::EtherType(kind), behind)),
                    },
                    // RFC 2684 section 5.2 and RFC 2427 section 4.2: bridged Ethernet, with and without its check sequence.
                    0x00_80c2 if matches!(kind, 1 | 7) => Some((Next::Ethernet, behind)),
                    _ => {
                        self.other(0);
                        None
                    }
                }
            }
            // IP directly on LLC (RFC 948).
            [0x06, 0x06, 0x03] => Some((Next::Ipv4, region.skip(3)?)),
            // Routed ISO: a network layer protocol identifier follows (RFC 2684).
            [0xfe, 0xfe, 0x03] => match array_at::<1>(bytes, 3) {
                Some([0xcc]) => Some((Next::Ipv4, region.skip(4)?)),
                Some([0x8e]) => Some((Next::Ipv6, region.skip(4)?)),
                _ => {
                    self.other(0);
                    None
                }
            },
            _ => {
                self.other(0);
                None
            }
        }
    }

    /// PPPoE (RFC 2516 section 4): version and type, code, session, length; then PPP.
    pub(super) fn pppoe(&mut self, region: Region) -> Option<(Next, Region)> {
        let [version_type, code, s0, s1, l0, l1] =
            *self.header::<6>(region, LinkTruncated, "PPPoE header")?;
        if version_type != 0x11 || code != 0 {
            self.problem(LinkMalformed, "PPPoE version or code");
            return None;
        }
        self.tunnel(TunnelKind::Pppoe, Some(u32::from(u16::from_be_bytes([s0, s1]))))?;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        Some((Next::Ppp, region.skip(6)?.limit(length)))
    }
}

/// Whether an EtherType (or 802.3 length) can follow two Ethernet addresses in a frame whose nature is guessed.
pub(super) fn is_plausible_ether_type(ether_type: u16, payload: usize) -> bool {
    match ether_type {
        0..=0x05ff => usize::from(ether_type) <= payload,
        IPV4 | IPV6 | ARP | VLAN | PROVIDER_VLAN | MPLS_UNICAST | MPLS_MULTICAST | PPPOE_SESSION => true,
        PPPOE_DISCOVERY | BACKBONE | MACSEC | LLDP | NSH | EAPOL | SLOW | LOOPBACK | CFM | REVERSE_ARP => {
            true
        }
        _ => false,
    }
}

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const ARP: u16 = 0x0806;
const REVERSE_ARP: u16 = 0x8035;
const VLAN: u16 = 0x8100;
const PROVIDER_VLAN: u16 = 0x88a8;
const BACKBONE: u16 = 0x88e7;
const MPLS_UNICAST: u16 = 0x8847;
const MPLS_MULTICAST: u16 = 0x8848;
const PPP: u16 = 0x880b;
const PPPOE_DISCOVERY: u16 = 0x8863;
const PPPOE_SESSION: u16 = 0x8864;
const JUMBO_LLC: u16 = 0x8870;
const EAPOL: u16 = 0x888e;
const SLOW: u16 = 0x8809;
const LLDP: u16 = 0x88cc;
const MACSEC: u16 = 0x88e5;
const CFM: u16 = 0x8902;
const FABRIC_PATH: u16 = 0x8903;
const CISCO_METADATA: u16 = 0x8909;
const VN_TAG: u16 = 0x8926;
const REDUNDANCY: u16 = 0x892f;
const E_TAG: u16 = 0x893f;
const NSH: u16 = 0x894f;
const LOOPBACK: u16 = 0x9000;
/// Bridged Ethernet, the EtherType of GRE's and Linux's transparent bridging.
const BRIDGED_ETHERNET: u16 = 0x6558;
