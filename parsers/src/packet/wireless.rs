//! 802.11, and the radio headers that captures put before it.

use schemas::anomaly::AnomalyName::{LinkMalformed, LinkTruncated};

use super::bytes::{array_at, u8_at, u16_at};
use super::{Decoder, Next, Region};

impl Decoder<'_, '_> {
    /// Radiotap: version, length, then fields as a bit map says; only the flags matter here.
    pub(super) fn radiotap(&mut self, region: Region) -> Option<(Next, Region)> {
        const TIME: u32 = 1;
        const FLAGS: u32 = 1 << 1;
        const MORE_MAPS: u32 = 1 << 31;
        const CHECK_SEQUENCE: u8 = 0x10;
        const PADDED: u8 = 0x20;
        const BAD_CHECK_SEQUENCE: u8 = 0x40;
        let [version, _, l0, l1, p0, p1, p2, p3] =
            *self.header::<8>(region, LinkTruncated, "radiotap header")?;
        let length = usize::from(u16::from_le_bytes([l0, l1]));
        if version != 0 || length < 8 {
            self.problem(LinkMalformed, "radiotap version or length");
            return None;
        }
        let behind = self.behind(region, length, LinkTruncated, "radiotap header")?;
        let header = self.bytes(region).get(..length)?;
        let present = u32::from_le_bytes([p0, p1, p2, p3]);
        let mut at = 8;
        let mut map = present;
        while map & MORE_MAPS != 0 {
            match array_at::<4>(header, at) {
                Some(next) => map = u32::from_le_bytes(*next),
                None => {
                    self.problem(LinkMalformed, "radiotap bit maps");
                    return None;
                }
            }
            at += 4;
        }
        if present & TIME != 0 {
            at = at.next_multiple_of(8) + 8;
        }
        let flags = if present & FLAGS != 0 { u8_at(header, at).unwrap_or(0) } else { 0 };
        if flags & BAD_CHECK_SEQUENCE != 0 {
            self.problem(LinkMalformed, "802.11 check sequence");
            return None;
        }
        let next = Next::Wireless { padded: flags & PADDED != 0, checked: flags & CHECK_SEQUENCE != 0 };
        Some((next, behind))
    }

    /// Prism: message code and length in the byte order of the capturing machine; some drivers put AVS in its place.
    pub(super) fn prism(&mut self, region: Region) -> Option<(Next, Region)> {
        let header = self.header::<8>(region, LinkTruncated, "Prism header")?;
        let [c0, c1, c2, _, l0, l1, l2, l3] = *header;
        if [c0, c1, c2] == AVS_MAGIC {
            return self.avs(region);
        }
        let little = u32::from_le_bytes([l0, l1, l2, l3]);
        let length = if little > 0xffff { u32::from_be_bytes([l0, l1, l2, l3]) } else { little };
        self.behind_radio_header(region, length, "Prism header")
    }

    /// AVS: magic number with the version, and length, big-endian.
    pub(super) fn avs(&mut self, region: Region) -> Option<(Next, Region)> {
        let [m0, m1, m2, _, l0, l1, l2, l3] = *self.header::<8>(region, LinkTruncated, "AVS header")?;
        if [m0, m1, m2] != AVS_MAGIC {
            self.problem(LinkMalformed, "AVS magic number");
            return None;
        }
        self.behind_radio_header(region, u32::from_be_bytes([l0, l1, l2, l3]), "AVS header")
    }

    /// The 802.11 frame behind a radio header of a given length.
    fn behind_radio_header(
        &mut self,
        region: Region,
        length: u32,
        what: &'static str,
    ) -> Option<(Next, Region)> {
        match usize::try_from(length) {
            Ok(length) if (8..=0xffff).contains(&length) => {
                let region = self.behind(region, length, LinkTruncated, what)?;
                Some((Next::Wireless { padded: false, checked: false }, region))
            }
            _ => {
                self.problem(LinkMalformed, what);
                None
            }
        }
    }

    /// An 802.11 frame (IEEE 802.11 section 9.2). Only data frames that are not encrypted carry something to read.
    pub(super) fn wireless(&mut self, region: Region, padded: bool, checked: bool) -> Option<(Next, Region)> {
        const TO_DISTRIBUTION: u8 = 0x01;
        const FROM_DISTRIBUTION: u8 = 0x02;
        const PROTECTED: u8 = 0x40;
        const ORDER: u8 = 0x80;
        let region = if checked { region.limit(region.length().saturating_sub(4)) } else { region };
        let [control, flags] = *self.header::<2>(region, LinkTruncated, "802.11 header")?;
        let is_data = control & 0x0c == 0x08;
        let is_empty = control & 0x40 != 0;
        let has_quality = control & 0x80 != 0;
        if control & 0x03 != 0 {
            self.problem(LinkMalformed, "802.11 version");
            return None;
        }
        if !is_data || is_empty || flags & PROTECTED != 0 {
            self.other(0);
            return None;
        }
        let header = self.header::<24>(region, LinkTruncated, "802.11 header")?;
        let mut length = 24;
        let to = flags & TO_DISTRIBUTION != 0;
        let from = flags & FROM_DISTRIBUTION != 0;
        let (first, second, third) =
            (array_at::<6>(header, 4)?, array_at::<6>(header, 10)?, array_at::<6>(header, 16)?);
        let (destination, source) = match (to, from) {
            (false, false) => (Some(*first), Some(*second)),
            (false, true) => (Some(*first), Some(*third)),
            (true, false) => (Some(*third), Some(*second)),
            (true, true) => {
                length += 6;
                (Some(*third), array_at::<6>(self.bytes(region), 24).copied())
            }
        };
        if self.decoded.layer_count == 0 && !self.decoded.link.has_sender() {
            self.decoded.link = self.decoded.link.with_macs(source, destination);
        }
        // Only the first fragment of an 802.11 frame starts with a header.
        if u16::from_le_bytes(*array_at::<2>(header, 22)?) & 0x0f != 0 {
            self.other(0);
            return None;
        }
        let mut aggregated = false;
        if has_quality {
            aggregated = u8_at(self.bytes(region), length).is_some_and(|quality| quality & 0x80 != 0);
            length += 2;
            if flags & ORDER != 0 {
                length += 4;
            }
        }
        if padded {
            length = length.next_multiple_of(4);
        }
        let region = self.behind(region, length, LinkTruncated, "802.11 header")?;
        if aggregated {
            self.aggregate(region);
            return None;
        }
        Some((Next::Llc, region))
    }

    /// An aggregate of frames (IEEE 802.11 section 9.3.2.2): each with addresses and length, padded to four bytes.
    fn aggregate(&mut self, mut region: Region) {
        while self.decoded.problem.is_none() && !self.decoded.cut {
            let bytes = self.bytes(region);
            let Some(length) = u16_at(bytes, 12).map(usize::from) else { return };
            let Some(inside) = region.skip(14) else { return };
            self.run(Next::Llc, inside.limit(length));
            match inside.skip(length.next_multiple_of(4)) {
                Some(next) => region = next,
                None => return,
            }
        }
    }
}

/// First three bytes of an AVS header; the fourth is the version.
const AVS_MAGIC: [u8; 3] = [0x80, 0x21, 0x10];
