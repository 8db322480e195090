//! Encapsulations: which there are, and how to recognise them.

mod gre;
mod label;
mod udp;

pub(super) use udp::allows_zero_checksum;

use super::{Decoder, Next, Region};
use schemas::anomaly::AnomalyName::{LinkMalformed, LinkTruncated};

/// An encapsulation around a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tunnel {
    /// Which.
    pub kind: TunnelKind,
    /// Its network or session identifier: VNI, label, key, session, …
    pub id: Option<u32>,
}

impl Tunnel {
    /// What tells networks with the same addresses apart: a VNI, a VSID or a GRE key, together with the kind. Not what
    /// differs between the directions of a conversation (TEID, PPTP call, MPLS label, mirror session). Never 0.
    pub fn context(self) -> Option<u64> {
        match self.kind {
            TunnelKind::Gre
            | TunnelKind::Nvgre
            | TunnelKind::Vxlan
            | TunnelKind::VxlanGpe
            | TunnelKind::Geneve
            | TunnelKind::Backbone => {
                self.id.map(|id| (u64::from(self.kind as u8) + 1) << 32 | u64::from(id))
            }
            _ => None,
        }
    }

    /// Appends the text form: the kind, and `:` with the identifier where there is one.
    pub fn write(self, text: &mut Vec<u8>) {
        text.extend_from_slice(self.kind.name().as_bytes());
        if let Some(id) = self.id {
            text.push(b':');
            text.extend_from_slice(itoa::Buffer::new().format(id).as_bytes());
        }
    }
}

/// Kinds of encapsulation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum TunnelKind {
    /// MPLS, one entry a label (RFC 3032).
    Mpls,
    /// PPPoE, with its session (RFC 2516).
    Pppoe,
    /// Provider backbone bridge, with its service (IEEE 802.1ah).
    Backbone,
    /// Cisco VN-tag.
    VnTag,
    /// Bridge port extension tag (IEEE 802.1BR).
    ETag,
    /// Cisco FabricPath.
    FabricPath,
    /// Network service header, with its path (RFC 8300).
    Nsh,
    /// IPv4 in IPv4 (RFC 2003).
    IpInIp,
    /// IPv6 in IPv4 (RFC 4213).
    SixInFour,
    /// IPv4 in IPv6 (RFC 2473).
    FourInSix,
    /// IPv6 in IPv6 (RFC 2473).
    SixInSix,
    /// Ethernet in IP (RFC 3378).
    EtherIp,
    /// GRE, with its key (RFC 2784, 2890).
    Gre,
    /// PPP in GRE, with its call (RFC 2637).
    Pptp,
    /// Ethernet in GRE with a virtual subnet (RFC 7637).
    Nvgre,
    /// Cisco's mirror sessions, without a header of their own.
    ErspanI,
    /// Cisco's mirror sessions with an 8-byte header.
    ErspanII,
    /// Cisco's mirror sessions with a 12- or 20-byte header.
    ErspanIII,
    /// Cisco's web cache redirection in GRE.
    Wccp,
    /// VXLAN, with its network (RFC 7348).
    Vxlan,
    /// VXLAN with a protocol field.
    VxlanGpe,
    /// GENEVE, with its network (RFC 8926).
    Geneve,
    /// GTP's user plane, with its tunnel (3GPP TS 29.281).
    Gtp,
    /// Teredo (RFC 4380).
    Teredo,
    /// Anything in anything (SixXS).
    Ayiya,
}

impl TunnelKind {
    /// As it stands in the column `tunnels`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mpls => "mpls",
            Self::Pppoe => "pppoe",
            Self::Backbone => "802.1ah",
            Self::VnTag => "vn-tag",
            Self::ETag => "e-tag",
            Self::FabricPath => "fabricpath",
            Self::Nsh => "nsh",
            Self::IpInIp => "ipip",
            Self::SixInFour => "6in4",
            Self::FourInSix => "4in6",
            Self::SixInSix => "6in6",
            Self::EtherIp => "etherip",
            Self::Gre => "gre",
            Self::Pptp => "pptp",
            Self::Nvgre => "nvgre",
            Self::ErspanI => "erspan1",
            Self::ErspanII => "erspan2",
            Self::ErspanIII => "erspan3",
            Self::Wccp => "wccp",
            Self::Vxlan => "vxlan",
            Self::VxlanGpe => "vxlan-gpe",
            Self::Geneve => "geneve",
            Self::Gtp => "gtp",
            Self::Teredo => "teredo",
            Self::Ayiya => "ayiya",
        }
    }
}

impl Decoder<'_, '_> {
    /// Ethernet in IP (RFC 3378 section 3): a version of 3 in two bytes.
    pub(super) fn ether_ip(&mut self, region: Region) -> Option<(Next, Region)> {
        let [version, _] = *self.header::<2>(region, LinkTruncated, "EtherIP header")?;
        if version >> 4 != 3 {
            self.problem(LinkMalformed, "EtherIP version");
            return None;
        }
        self.tunnel(TunnelKind::EtherIp, None)?;
        Some((Next::Ethernet, region.skip(2)?))
    }

    /// A network service header (RFC 8300 section 2): version, length, next protocol, path.
    pub(super) fn nsh(&mut self, region: Region) -> Option<(Next, Region)> {
        let [version, length, _, protocol, p0, p1, p2, _] =
            *self.header::<8>(region, LinkTruncated, "NSH header")?;
        let length = usize::from(length & 0x3f) * 4;
        if version >> 6 != 0 || length < 8 {
            self.problem(LinkMalformed, "NSH version or length");
            return None;
        }
        let region = self.behind(region, length, LinkTruncated, "NSH header")?;
        self.tunnel(TunnelKind::Nsh, Some(u32::from_be_bytes([0, p0, p1, p2])))?;
        match protocol {
            1 => Some((Next::Ipv4, region)),
            2 => Some((Next::Ipv6, region)),
            3 => Some((Next::Ethernet, region)),
            4 => Some((Next::Nsh, region)),
            5 => Some((Next::Mpls, region)),
            _ => {
                self.other(0);
                None
            }
        }
    }
}
