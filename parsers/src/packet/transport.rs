//! The transport header behind an IP header, and what is tunnelled in IP directly.

use schemas::anomaly::AnomalyName::{IpMalformed, TransportMalformed, TransportTruncated};

use super::bytes::{array_at, u8_at, u16_at, u32_at};
use super::tunnel::TunnelKind;
use super::{Decoder, Layer, MAX_LAYERS, Next, Region, Transport};

/// The flag in the TCP header.
const SYN: u8 = 0x02;

/// The largest shift count (RFC 7323 section 2.3).
const MAX_WINDOW_SCALE: u8 = 14;

impl Decoder<'_, '_> {
    /// Reads the transport header into the layer, counts it, and says what is inside if it is a tunnel.
    #[inline(always)]
    pub(super) fn upper(&mut self, protocol: u8, region: Region) -> Option<(Next, Region)> {
        let layer = self.current();
        layer.protocol = protocol;
        layer.transport_offset = region.start as u32;
        match protocol {
            TCP => {
                self.tcp(region);
                self.commit()?;
                None
            }
            UDP => {
                let (src_port, dst_port, payload) = self.udp(region);
                self.commit()?;
                self.inside_udp(src_port, dst_port, payload)
            }
            _ => self.less_common_protocol(protocol, region),
        }
    }

    /// All protocols but TCP and UDP.
    #[inline(never)]
    fn less_common_protocol(&mut self, protocol: u8, region: Region) -> Option<(Next, Region)> {
        let ipv6 = self.current().ipv6;
        match protocol {
            ICMP if !ipv6 => self.icmp(region, Transport::Icmp),
            ICMPV6 if ipv6 => self.icmp(region, Transport::Icmpv6),
            SCTP => self.sctp(region),
            AH => return self.authenticated(region),
            _ => set_payload(self.current(), region, 0),
        }
        self.commit()?;
        let (next, tunnel) = match protocol {
            4 => (Next::Ipv4, Some(if ipv6 { TunnelKind::FourInSix } else { TunnelKind::IpInIp })),
            41 => (Next::Ipv6, Some(if ipv6 { TunnelKind::SixInSix } else { TunnelKind::SixInFour })),
            47 => (Next::Gre, None),
            97 => (Next::EtherIp, None),
            137 => (Next::Mpls, None),
            // IPv6 carries Ethernet frames behind a segment routing header under this number (RFC 8986).
            143 if ipv6 => (Next::Ethernet, Some(TunnelKind::EtherIp)),
            _ => return None,
        };
        if let Some(kind) = tunnel {
            self.tunnel(kind, None)?;
        }
        Some((next, region))
    }

    /// An authentication header (RFC 4302 section 2): what it protects is in the clear.
    fn authenticated(&mut self, region: Region) -> Option<(Next, Region)> {
        // One inside of another is read by a call inside of a call, so there is an end to it.
        if self.authentications >= MAX_AUTHENTICATIONS {
            self.problem(IpMalformed, "authentication headers");
            let layer = self.current();
            layer.truncated_header = true;
            set_payload(layer, region, 0);
            self.commit()?;
            return None;
        }
        self.authentications += 1;
        let bytes = self.bytes(region);
        let behind = match *bytes {
            [_, length, ..] => region.skip((usize::from(length) + 2) * 4).filter(|_| length > 0),
            _ => None,
        };
        match (behind, bytes) {
            // In IPv6 destination options may follow.
            (Some(behind), [next, ..]) if self.current().ipv6 => self.extensions(*next, behind),
            (Some(behind), [next, ..]) => self.upper(*next, behind),
            _ => {
                let length = bytes.get(1).map_or(12, |length| (usize::from(*length) + 2) * 4);
                if length < 12 {
                    self.problem(IpMalformed, "AH length");
                } else {
                    self.missing(region, length, TransportTruncated, "AH");
                }
                let layer = self.current();
                layer.truncated_header = true;
                set_payload(layer, region, length);
                self.commit()?;
                None
            }
        }
    }

    /// TCP (RFC 9293 section 3.1).
    #[inline(always)]
    fn tcp(&mut self, region: Region) {
        let bytes = self.bytes(region);
        let layer = self.current();
        layer.transport = Transport::Tcp;
        let Some(header) = bytes.first_chunk::<20>() else {
            return self.short_header(region, 20, "TCP header");
        };
        let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, offset, flags, w0, w1, c0, c1, u0, u1] = *header;
        layer.src_port = u16::from_be_bytes([s0, s1]);
        layer.dst_port = u16::from_be_bytes([d0, d1]);
        layer.seq = u32::from_be_bytes([q0, q1, q2, q3]);
        layer.ack = u32::from_be_bytes([a0, a1, a2, a3]);
        layer.flags = flags;
        layer.window = u16::from_be_bytes([w0, w1]);
        layer.checksum = u16::from_be_bytes([c0, c1]);
        layer.urgent = u16::from_be_bytes([u0, u1]);
        let length = usize::from(offset >> 4) * 4;
        if length < 20 || length > region.length() {
            layer.truncated_header = true;
            set_payload(layer, region, 20);
            layer.payload_captured = 0;
            layer.payload_length = 0;
            self.problem(TransportMalformed, "TCP data offset");
            return;
        }
        set_payload(layer, region, length);
        if length > 20 {
            let options = bytes.get(20..length.min(bytes.len())).unwrap_or_default();
            // Most segments carry exactly this: two bytes of padding and time stamps.
            if let [1, 1, 8, 10, v0, v1, v2, v3, e0, e1, e2, e3] = *options {
                layer.timestamps =
                    Some((u32::from_be_bytes([v0, v1, v2, v3]), u32::from_be_bytes([e0, e1, e2, e3])));
            } else {
                self.tcp_options(options, length - 20);
            }
        }
    }

    /// TCP options (RFC 9293 section 3.2): time stamps and window scale are kept.
    #[inline(never)]
    fn tcp_options(&mut self, mut options: &[u8], length: usize) {
        let cut = options.len() < length;
        self.decoded.cut |= cut;
        let layer = self.current();
        if cut && layer.flags & SYN != 0 {
            // Unknown unless it stands in what is there: the widest, so that nothing is taken for outside of the window.
            layer.window_scale = Some(MAX_WINDOW_SCALE);
        }
        loop {
            let length = match *options {
                [] | [0, ..] => return,
                [1, ..] => 1,
                [3, 3, shift, ..] => {
                    layer.window_scale = Some(shift);
                    3
                }
                [8, 10, ref rest @ ..] => {
                    layer.timestamps = u32_at(rest, 0).zip(u32_at(rest, 4));
                    10
                }
                [_, length, ..] => usize::from(length),
                [_] => 0,
            };
            match options.get(length..) {
                Some(rest) if length > 0 => options = rest,
                _ => {
                    if !cut {
                        self.problem(TransportMalformed, "TCP option length");
                    }
                    return;
                }
            }
        }
    }

    /// UDP (RFC 768). The UDP header's length counts; offloading and jumbograms leave it 0. Returns the ports and the payload.
    #[inline(always)]
    fn udp(&mut self, region: Region) -> (u16, u16, Region) {
        let bytes = self.bytes(region);
        let layer = self.current();
        layer.transport = Transport::Udp;
        let Some(header) = bytes.first_chunk::<8>() else {
            self.short_header(region, 8, "UDP header");
            return (0, 0, region.limit(0));
        };
        let [s0, s1, d0, d1, l0, l1, c0, c1] = *header;
        let (src_port, dst_port) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
        layer.src_port = src_port;
        layer.dst_port = dst_port;
        layer.checksum = u16::from_be_bytes([c0, c1]);
        let available = region.length();
        let length = match usize::from(u16::from_be_bytes([l0, l1])) {
            0 => available,
            length if (8..=available).contains(&length) => length,
            length => self.udp_length(length, available),
        };
        // The header was read, so eight bytes are there.
        let payload = region.claim(length);
        set_payload(self.current(), payload, 8);
        (src_port, dst_port, payload.limit(available).skip(8).unwrap_or(region.limit(0)))
    }

    /// A UDP length that the IP length contradicts. One that is too long is counted as it says; one too short for its
    /// own header says nothing.
    #[cold]
    fn udp_length(&mut self, length: usize, available: usize) -> usize {
        self.problem(TransportMalformed, "UDP length");
        if length < 8 { available } else { length }
    }

    /// ICMP (RFC 792) and ICMPv6 (RFC 4443): type and code stand in for ports.
    fn icmp(&mut self, region: Region, transport: Transport) {
        let bytes = self.bytes(region);
        if bytes.len() < 8 {
            self.short_header(region, 8, "ICMP header");
        }
        let layer = self.current();
        layer.transport = transport;
        layer.src_port = u16::from(u8_at(bytes, 0).unwrap_or(0));
        layer.dst_port = u16::from(u8_at(bytes, 1).unwrap_or(0));
        if bytes.len() >= 8 {
            layer.checksum = u16_at(bytes, 2).unwrap_or(0);
            set_payload(layer, region, 8);
        }
    }

    /// SCTP (RFC 9260 section 3.1).
    fn sctp(&mut self, region: Region) {
        let bytes = self.bytes(region);
        let layer = self.current();
        layer.transport = Transport::Sctp;
        let Some(header) = bytes.first_chunk::<12>() else {
            return self.short_header(region, 12, "SCTP header");
        };
        let [s0, s1, d0, d1, t0, t1, t2, t3, ..] = *header;
        layer.src_port = u16::from_be_bytes([s0, s1]);
        layer.dst_port = u16::from_be_bytes([d0, d1]);
        layer.seq = u32::from_be_bytes([t0, t1, t2, t3]);
        set_payload(layer, region, 12);
    }

    /// A transport header that is not all there: ports are taken if they are.
    #[cold]
    fn short_header(&mut self, region: Region, length: usize, what: &'static str) {
        self.missing(region, length, TransportTruncated, what);
        let bytes = self.bytes(region);
        let layer = self.current();
        layer.truncated_header = true;
        if let (Some(source), Some(destination)) = (u16_at(bytes, 0), u16_at(bytes, 2)) {
            layer.src_port = source;
            layer.dst_port = destination;
        }
        if let (Transport::Tcp, Some([q0, q1, q2, q3])) = (layer.transport, array_at::<4>(bytes, 4)) {
            layer.seq = u32::from_be_bytes([*q0, *q1, *q2, *q3]);
        }
        set_payload(layer, region, length);
    }
}

/// Sets the payload to what stands behind a header of `length` bytes.
#[inline(always)]
pub(super) fn set_payload(layer: &mut Layer, region: Region, length: usize) {
    let start = (region.start + length).min(region.captured);
    layer.payload_offset = start as u32;
    layer.payload_captured = (region.captured - start) as u32;
    layer.payload_length = region.length().saturating_sub(length) as u32;
}

/// No frame has a use for more: one for a host and one for a gateway in each of as many IP headers as are followed.
const MAX_AUTHENTICATIONS: u8 = 2 * MAX_LAYERS as u8;

const ICMP: u8 = 1;
const TCP: u8 = 6;
const UDP: u8 = 17;
const AH: u8 = 51;
const ICMPV6: u8 = 58;
const SCTP: u8 = 132;
