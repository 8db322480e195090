//! IPv4 with options, IPv6 with extension headers, AH.

use schemas::anomaly::AnomalyName::{IpMalformed, IpTruncated};

use super::bytes::{array_at, u8_at, u16_at, u32_at};
use super::transport::set_payload;
use super::{Decoder, Fragment, Layer, Next, Region};

impl Decoder<'_, '_> {
    /// An IP header of either version.
    pub(super) fn ip(&mut self, region: Region) -> Option<(Next, Region)> {
        match self.bytes(region).first().map(|byte| byte >> 4) {
            Some(4) => Some((Next::Ipv4, region)),
            Some(6) => Some((Next::Ipv6, region)),
            Some(_) => {
                self.problem(IpMalformed, "IP version");
                None
            }
            None => {
                self.missing(region, 1, IpTruncated, "IP header");
                None
            }
        }
    }

    /// An IPv4 header.
    pub(super) fn ipv4(&mut self, region: Region) -> Option<(Next, Region)> {
        self.ipv4_inlined(region)
    }

    /// An IPv4 header (RFC 791 section 3.1).
    #[inline(always)]
    pub(super) fn ipv4_inlined(&mut self, region: Region) -> Option<(Next, Region)> {
        let header = self.header::<20>(region, IpTruncated, "IPv4 header")?;
        if header[0] >> 4 != 4 {
            self.problem(IpMalformed, "IP version");
            return None;
        }
        let header_length = usize::from(header[0] & 0x0f) * 4;
        // Segmentation offloading leaves the total length 0.
        let length = match usize::from(u16::from_be_bytes([header[2], header[3]])) {
            0 => region.length(),
            length => length,
        };
        if header_length < 20 || length < header_length {
            self.problem(IpMalformed, "IPv4 header or total length");
            return None;
        }
        let overlong = length > region.length();
        if overlong {
            self.problem(IpTruncated, "IPv4 total length");
        }
        let packet = region.claim(length);
        let [.., s0, s1, s2, s3, d0, d1, d2, d3] = *header;
        *self.current() = Layer {
            src: u128::from(u32::from_be_bytes([s0, s1, s2, s3])).to_be_bytes(),
            dst: u128::from(u32::from_be_bytes([d0, d1, d2, d3])).to_be_bytes(),
            overlong,
            context: self.context,
            ip_offset: region.start as u32,
            ip_length: length as u32,
            hop_limit: header[8],
            protocol: header[9],
            tunnels: self.decoded.tunnel_count,
            ..Layer::EMPTY
        };
        let Some(payload) = packet.skip(header_length) else {
            return self.cut_header(packet, header_length);
        };
        if header_length > 20 {
            self.options(packet, header_length);
        }
        let position = u16::from_be_bytes([header[6], header[7]]);
        if position & 0x3fff != 0 {
            let fragment = Fragment {
                id: u32::from(u16::from_be_bytes([header[4], header[5]])),
                offset: (position & 0x1fff) << 3,
                more: position & 0x2000 != 0,
            };
            return self.fragment(fragment, payload);
        }
        self.upper(header[9], payload)
    }

    /// IPv4 options (RFC 791 section 3.1): only a source route that is not at its end matters, as the packet's final
    /// destination, which the transport checksum covers, is not in the header then.
    #[cold]
    fn options(&mut self, packet: Region, header_length: usize) {
        const LOOSE_SOURCE_ROUTE: u8 = 131;
        const STRICT_SOURCE_ROUTE: u8 = 137;
        let mut options = self.bytes(packet.limit(header_length)).get(20..).unwrap_or_default();
        loop {
            let length = match *options {
                [] | [0, ..] => return,
                [1, ..] => 1,
                [kind, length, ref data @ ..] if length >= 2 => {
                    let pointer = data.first().copied().unwrap_or(0);
                    self.current().source_routed |=
                        matches!(kind, LOOSE_SOURCE_ROUTE | STRICT_SOURCE_ROUTE) && pointer < length;
                    usize::from(length)
                }
                _ => 0,
            };
            match options.get(length..) {
                Some(rest) if length > 0 => options = rest,
                _ => {
                    self.problem(IpMalformed, "IPv4 option length");
                    return;
                }
            }
        }
    }

    /// A packet cut inside its IP header, behind the addresses.
    #[cold]
    fn cut_header(&mut self, packet: Region, header_length: usize) -> Option<(Next, Region)> {
        self.decoded.cut = true;
        let layer = self.current();
        layer.transport_offset = packet.captured as u32;
        layer.payload_offset = packet.captured as u32;
        layer.payload_length = packet.length().saturating_sub(header_length) as u32;
        layer.truncated_header = true;
        self.commit()?;
        None
    }

    /// A part of a datagram: reading stops here.
    #[cold]
    fn fragment(&mut self, fragment: Fragment, payload: Region) -> Option<(Next, Region)> {
        let layer = self.current();
        layer.fragment = Some(fragment);
        layer.transport_offset = payload.start as u32;
        layer.payload_offset = payload.start as u32;
        layer.payload_captured = (payload.captured - payload.start) as u32;
        layer.payload_length = payload.length() as u32;
        self.commit()?;
        None
    }

    /// An IPv6 header (RFC 8200 section 3).
    pub(super) fn ipv6(&mut self, region: Region) -> Option<(Next, Region)> {
        let header = self.header::<40>(region, IpTruncated, "IPv6 header")?;
        if header[0] >> 4 != 6 {
            self.problem(IpMalformed, "IP version");
            return None;
        }
        let next = header[6];
        let length = match usize::from(u16::from_be_bytes([header[4], header[5]])) {
            0 => self.length_zero(next, region),
            length => length + 40,
        };
        let overlong = length > region.length();
        if overlong {
            self.problem(IpTruncated, "IPv6 payload length");
        }
        let packet = region.claim(length);
        *self.current() = Layer {
            overlong,
            src: *array_at(header, 8)?,
            dst: *array_at(header, 24)?,
            context: self.context,
            ip_offset: region.start as u32,
            ip_length: length as u32,
            hop_limit: header[7],
            protocol: next,
            tunnels: self.decoded.tunnel_count,
            ipv6: true,
            ..Layer::EMPTY
        };
        let payload = packet.skip(40)?;
        match next {
            6 | 17 | 58 => self.upper(next, payload),
            _ => self.extensions(next, payload),
        }
    }

    /// The length of an IPv6 packet whose payload length is 0: a jumbogram says it in a hop-by-hop option (RFC 2675
    /// section 2), segmentation offloading leaves it out, and otherwise there is no payload.
    #[cold]
    fn length_zero(&self, next: u8, region: Region) -> usize {
        /// More than an Ethernet frame's padding after the header.
        const PADDING: usize = 46;
        let bytes = self.bytes(region);
        match next {
            HOP_BY_HOP => {
                let jumbo = (u16_at(bytes, 42) == Some(0xc204)).then(|| u32_at(bytes, 44)).flatten();
                jumbo.map_or(40, |length| (length as usize).saturating_add(40).min(region.length().max(40)))
            }
            6 | 17 if region.length() > 40 + PADDING => region.length(),
            _ => 40,
        }
    }

    /// The extension headers of IPv6 (RFC 8200 section 4), and then the upper layer. `protocol` is that of the first.
    #[inline(never)]
    pub(super) fn extensions(&mut self, mut protocol: u8, mut region: Region) -> Option<(Next, Region)> {
        for _ in 0..MAX_EXTENSIONS {
            let length = match protocol {
                HOP_BY_HOP | ROUTING | DESTINATION | FRAGMENT => {
                    let Some([_, length]) = self.bytes(region).first_chunk::<2>() else {
                        return self.cut_extension(protocol, region, 8);
                    };
                    if protocol == FRAGMENT { 8 } else { (usize::from(*length) + 1) * 8 }
                }
                _ => return self.upper(protocol, region),
            };
            let Some(behind) = region.skip(length) else {
                return self.cut_extension(protocol, region, length);
            };
            let bytes = self.bytes(region.limit(length));
            let next = u8_at(bytes, 0)?;
            match protocol {
                ROUTING => {
                    if let Some(destination) = final_destination(bytes) {
                        self.current().dst = destination;
                    }
                }
                DESTINATION => {
                    if let Some(home) = home_address(bytes) {
                        self.current().src = home;
                    }
                }
                FRAGMENT => {
                    let position = u16_at(bytes, 2)?;
                    let fragment = Fragment {
                        id: u32_at(bytes, 4)?,
                        offset: position & 0xfff8,
                        more: position & 1 != 0,
                    };
                    // An atomic fragment (RFC 6946) is a whole datagram. A part inside a reassembled datagram would
                    // make the work endless.
                    if fragment.offset != 0 || fragment.more {
                        if self.reassembled {
                            self.problem(IpMalformed, "fragment header in a fragment");
                            let layer = self.current();
                            layer.transport_offset = region.start as u32;
                            set_payload(layer, region, 0);
                            self.commit()?;
                            return None;
                        }
                        self.current().protocol = next;
                        return self.fragment(fragment, behind);
                    }
                }
                _ => {}
            }
            protocol = next;
            region = behind;
        }
        self.problem(IpMalformed, "IPv6 extension headers");
        let layer = self.current();
        layer.protocol = protocol;
        layer.transport_offset = region.start as u32;
        set_payload(layer, region, 0);
        layer.truncated_header = true;
        self.commit()?;
        None
    }

    /// An extension header that is not all there.
    #[cold]
    fn cut_extension(&mut self, protocol: u8, region: Region, length: usize) -> Option<(Next, Region)> {
        self.missing(region, length, IpTruncated, "IPv6 extension header");
        let layer = self.current();
        layer.protocol = protocol;
        layer.transport_offset = region.start as u32;
        layer.payload_offset = region.captured as u32;
        layer.payload_captured = 0;
        layer.payload_length = region.length().saturating_sub(length) as u32;
        layer.truncated_header = true;
        self.commit()?;
        None
    }
}

/// The final destination in a routing header with segments left: the last address of types 0 and 2, the first of a
/// segment list (type 4, RFC 8754 section 2), which is in reverse order.
fn final_destination(header: &[u8]) -> Option<[u8; 16]> {
    let [_, length, kind, segments_left, ..] = *header else { return None };
    if segments_left == 0 {
        return None;
    }
    match kind {
        0 | 2 => array_at(header, (usize::from(length) + 1).checked_mul(8)?.checked_sub(16)?.max(8)).copied(),
        4 => array_at(header, 8).copied(),
        _ => None,
    }
}

/// The home address option of a mobile node (RFC 6275 section 6.3).
fn home_address(header: &[u8]) -> Option<[u8; 16]> {
    const HOME_ADDRESS: u8 = 201;
    let mut options = header.get(2..)?;
    loop {
        match *options {
            [0, ref rest @ ..] => options = rest,
            [HOME_ADDRESS, 16, ref rest @ ..] => return rest.first_chunk::<16>().copied(),
            [_, length, ref rest @ ..] => options = rest.get(usize::from(length)..)?,
            _ => return None,
        }
    }
}

/// No sender has a use for more: each kind but destination options occurs once.
const MAX_EXTENSIONS: usize = 16;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const DESTINATION: u8 = 60;
