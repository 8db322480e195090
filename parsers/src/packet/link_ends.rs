//! What the outermost link header of a frame says, in two words: those of two frames are compared at once.

use std::fmt;

/// A link-layer address of six bytes.
pub type MacAddress = [u8; 6];

/// Addresses and tags of the outermost link header.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Link {
    /// Receiver, and the outermost VLAN.
    dst: Word,
    /// Sender, and the second VLAN.
    src: Word,
}

/// An address in the upper 48 bits, [`Word::KNOWN`] if there is one, and a VLAN in the lowest twelve, 0 for none.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Word(u64);

impl Word {
    const ADDRESS: u64 = !0xffff;
    const KNOWN: u64 = 1 << 12;
    const VLAN: u64 = 0x0fff;

    /// The address that eight bytes begin with.
    #[inline(always)]
    fn first_six(bytes: [u8; 8]) -> Self {
        Self(u64::from_be_bytes(bytes) & Self::ADDRESS | Self::KNOWN)
    }

    fn new(address: Option<MacAddress>) -> Self {
        address.map_or(Self(0), |[a, b, c, d, e, f]| Self::first_six([a, b, c, d, e, f, 0, 0]))
    }

    fn address(self) -> Option<MacAddress> {
        let [a, b, c, d, e, f, ..] = self.0.to_be_bytes();
        (self.0 & Self::KNOWN != 0).then_some([a, b, c, d, e, f])
    }

    #[inline(always)]
    fn vlan(self) -> Option<u16> {
        Some((self.0 & Self::VLAN) as u16).filter(|vlan| *vlan != 0)
    }

    fn set_vlan(&mut self, vlan: Option<u16>) {
        self.0 = self.0 & !Self::VLAN | u64::from(vlan.unwrap_or(0)) & Self::VLAN;
    }

    fn set_address(&mut self, address: Option<MacAddress>) {
        self.0 = Self::new(address).0 | self.0 & Self::VLAN;
    }
}

impl Link {
    /// Of an Ethernet header (IEEE 802.3 section 3), untagged.
    #[inline(always)]
    pub(super) fn ethernet(header: &[u8; 14]) -> Self {
        let [d0, d1, d2, d3, d4, d5, s0, s1, s2, s3, s4, s5, t0, t1] = *header;
        Self {
            dst: Word::first_six([d0, d1, d2, d3, d4, d5, s0, s1]),
            src: Word::first_six([s0, s1, s2, s3, s4, s5, t0, t1]),
        }
    }

    /// Sender, where the link layer has addresses of six bytes.
    pub fn src_mac(&self) -> Option<MacAddress> {
        self.src.address()
    }

    /// Receiver.
    pub fn dst_mac(&self) -> Option<MacAddress> {
        self.dst.address()
    }

    /// Outermost VLAN (802.1Q, 802.1ad); `None` without a tag and for priority tags (VLAN 0).
    #[inline]
    pub fn vlan(&self) -> Option<u16> {
        self.dst.vlan()
    }

    /// Second VLAN tag, outside of any tunnel.
    pub fn inner_vlan(&self) -> Option<u16> {
        self.src.vlan()
    }

    /// Whether the sender's address is known.
    #[inline(always)]
    pub(super) fn has_sender(&self) -> bool {
        self.src.0 & Word::KNOWN != 0
    }

    /// With these addresses in place of its own.
    #[must_use]
    pub fn with_macs(mut self, src: Option<MacAddress>, dst: Option<MacAddress>) -> Self {
        self.src.set_address(src);
        self.dst.set_address(dst);
        self
    }

    /// Takes in a further tag: the first two count.
    #[inline]
    pub(super) fn add_vlan(&mut self, vlan: u16) {
        if self.dst.vlan().is_none() {
            self.dst.set_vlan(Some(vlan));
        } else if self.src.vlan().is_none() {
            self.src.set_vlan(Some(vlan));
        }
    }

    /// With the tags of another.
    #[must_use]
    pub fn with_vlans_of(mut self, other: &Self) -> Self {
        self.dst.set_vlan(other.vlan());
        self.src.set_vlan(other.inner_vlan());
        self
    }

    /// With sender and receiver in each other's place.
    #[must_use]
    pub fn turned(self) -> Self {
        self.with_macs(self.dst_mac(), self.src_mac())
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Link");
        shown.field("src_mac", &self.src_mac()).field("dst_mac", &self.dst_mac());
        shown.field("vlan", &self.vlan()).field("inner_vlan", &self.inner_vlan()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_tags_change_without_each_other() {
        let mut link = Link::ethernet(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0xff, 0xff]);
        assert_eq!((link.dst_mac(), link.src_mac()), (Some([1, 2, 3, 4, 5, 6]), Some([7, 8, 9, 10, 11, 12])));
        assert_eq!((link.vlan(), link.inner_vlan()), (None, None));
        for vlan in [4095, 1, 7] {
            link.add_vlan(vlan);
        }
        let turned = link.turned();
        assert_eq!((turned.dst_mac(), turned.src_mac()), (link.src_mac(), link.dst_mac()));
        assert_eq!((turned.vlan(), turned.inner_vlan()), (Some(4095), Some(1)));
        let bare = turned.with_macs(None, Some([0; 6]));
        assert_eq!((bare.src_mac(), bare.dst_mac(), bare.has_sender()), (None, Some([0; 6]), false));
        assert_eq!(bare, Link::default().with_macs(None, Some([0; 6])).with_vlans_of(&link));
    }
}
