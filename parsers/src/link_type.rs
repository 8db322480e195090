//! What the first bytes of a captured frame are: the LINKTYPE_ numbers of capture files.

use std::fmt;

/// A LINKTYPE_ value as capture files carry it (tcpdump.org/linktypes.html). Unknown values survive.
///
/// These are the numbers of *files*; a DLT_ number of a live interface differs for a few types (RAW).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: a 4-byte address family in the byte order of the capturing host.
    pub const NULL: Self = Self(0);
    /// IEEE 802.3 Ethernet, with EtherType or LLC.
    pub const ETHERNET: Self = Self(1);
    /// IEEE 802.5 token ring.
    pub const IEEE802_5: Self = Self(6);
    /// PPP as in RFC 1661, with or without the HDLC-like `ff 03` of RFC 1662.
    pub const PPP: Self = Self(9);
    /// FDDI.
    pub const FDDI: Self = Self(10);
    /// Raw IP under the DLT_RAW number of most systems, as some writers put it into files.
    pub const RAW_DLT_12: Self = Self(12);
    /// Raw IP under the DLT_RAW number of OpenBSD, as some writers put it into files.
    pub const RAW_DLT_14: Self = Self(14);
    /// PPP in HDLC-like framing (RFC 1662), or Cisco HDLC where the first byte says so.
    pub const PPP_HDLC: Self = Self(50);
    /// PPPoE session packets (RFC 2516) without their Ethernet header.
    pub const PPP_ETHER: Self = Self(51);
    /// LLC of RFC 1483 over ATM.
    pub const ATM_RFC1483: Self = Self(100);
    /// Raw IP: an IPv4 or IPv6 header, by its version.
    pub const RAW: Self = Self(101);
    /// Cisco HDLC.
    pub const C_HDLC: Self = Self(104);
    /// IEEE 802.11 frames without a radio header.
    pub const IEEE802_11: Self = Self(105);
    /// Frame Relay (Q.922) with its address.
    pub const FRELAY: Self = Self(107);
    /// OpenBSD loopback: a 4-byte address family in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux "cooked" capture, version 1 (16 bytes).
    pub const LINUX_SLL: Self = Self(113);
    /// OpenBSD's packet filter log.
    pub const PFLOG: Self = Self(117);
    /// IEEE 802.11 frames behind a Prism header.
    pub const IEEE802_11_PRISM: Self = Self(119);
    /// IEEE 802.11 frames behind a radiotap header.
    pub const IEEE802_11_RADIOTAP: Self = Self(127);
    /// IEEE 802.11 frames behind an AVS header.
    pub const IEEE802_11_AVS: Self = Self(163);
    /// PPP as Linux's pppd logs it, with a byte for the direction.
    pub const PPP_PPPD: Self = Self(166);
    /// Per-packet information, which names the link type of the frame inside.
    pub const PPI: Self = Self(192);
    /// PPP behind a byte for the direction.
    pub const PPP_WITH_DIR: Self = Self(204);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux netfilter log messages (TLVs with the packet in one of them).
    pub const NFLOG: Self = Self(239);
    /// Linux "cooked" capture, version 2 (20 bytes).
    pub const LINUX_SLL2: Self = Self(276);

    /// The name without its LINKTYPE_ prefix, or `None` for a number this program has no name for.
    pub const fn known_name(self) -> Option<&'static str> {
        Some(match self {
            Self::NULL => "NULL",
            Self::ETHERNET => "ETHERNET",
            Self::IEEE802_5 => "IEEE802_5",
            Self::PPP => "PPP",
            Self::FDDI => "FDDI",
            Self::RAW_DLT_12 | Self::RAW_DLT_14 | Self::RAW => "RAW",
            Self::PPP_HDLC => "PPP_HDLC",
            Self::PPP_ETHER => "PPP_ETHER",
            Self::ATM_RFC1483 => "ATM_RFC1483",
            Self::C_HDLC => "C_HDLC",
            Self::IEEE802_11 => "IEEE802_11",
            Self::FRELAY => "FRELAY",
            Self::LOOP => "LOOP",
            Self::LINUX_SLL => "LINUX_SLL",
            Self::PFLOG => "PFLOG",
            Self::IEEE802_11_PRISM => "IEEE802_11_PRISM",
            Self::IEEE802_11_RADIOTAP => "IEEE802_11_RADIOTAP",
            Self::IEEE802_11_AVS => "IEEE802_11_AVS",
            Self::PPP_PPPD => "PPP_PPPD",
            Self::PPI => "PPI",
            Self::PPP_WITH_DIR => "PPP_WITH_DIR",
            Self::IPV4 => "IPV4",
            Self::IPV6 => "IPV6",
            Self::NFLOG => "NFLOG",
            Self::LINUX_SLL2 => "LINUX_SLL2",
            _ => return None,
        })
    }

    /// The LINKTYPE_ name, or the number where there is none: `LINKTYPE_ETHERNET`, `LINKTYPE_147`.
    pub fn name(self) -> String {
        self.to_string()
    }
}

impl fmt::Display for LinkType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.known_name() {
            Some(name) => write!(f, "LINKTYPE_{name}"),
            None => write!(f, "LINKTYPE_{}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LinkType;

    #[test]
    fn names_a_known_type_and_numbers_an_unknown_one() {
        assert_eq!(LinkType(1).name(), "LINKTYPE_ETHERNET");
        assert_eq!(LinkType(276).name(), "LINKTYPE_LINUX_SLL2");
        assert_eq!(LinkType(14).name(), "LINKTYPE_RAW");
        assert_eq!(LinkType(65535).name(), "LINKTYPE_65535");
    }
}
