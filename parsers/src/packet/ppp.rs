//! PPP in its framings.

use schemas::anomaly::AnomalyName::LinkTruncated;

use super::{Decoder, Next, Region};

impl Decoder<'_, '_> {
    /// A PPP frame (RFC 1661 section 2): the protocol in one or two bytes, perhaps behind `ff 03` (RFC 1662).
    pub(super) fn ppp(&mut self, region: Region) -> Option<(Next, Region)> {
        let region = match self.bytes(region) {
            [0xff, 0x03, ..] => region.skip(2)?,
            _ => region,
        };
        let [first, ..] = *self.header::<1>(region, LinkTruncated, "PPP protocol")?;
        // An odd first byte is a compressed protocol field (RFC 1661 section 6.5).
        let (protocol, length) = if first & 1 == 1 {
            (u16::from(first), 1)
        } else {
            (u16::from_be_bytes(*self.header::<2>(region, LinkTruncated, "PPP protocol")?), 2)
        };
        let region = region.skip(length)?;
        match protocol {
            0x0021 => Some((Next::Ipv4, region)),
            0x0057 => Some((Next::Ipv6, region)),
            0x0281 | 0x0283 => Some((Next::Mpls, region)),
            _ => {
                self.other(0);
                None
            }
        }
    }

    /// PPP in HDLC-like framing, or Cisco HDLC where the address byte is Cisco's.
    pub(super) fn ppp_hdlc(&mut self, region: Region) -> Option<(Next, Region)> {
        match self.bytes(region) {
            [0x0f | 0x8f, ..] => self.cisco_hdlc(region),
            _ => self.ppp(region),
        }
    }

    /// Cisco HDLC: address, control, EtherType.
    pub(super) fn cisco_hdlc(&mut self, region: Region) -> Option<(Next, Region)> {
        let [_, _, high, low] = *self.header::<4>(region, LinkTruncated, "Cisco HDLC header")?;
        Some((Next::EtherType(u16::from_be_bytes([high, low])), region.skip(4)?))
    }
}
