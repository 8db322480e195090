//! Frames to packets: from the link layer through any encapsulations to the transport header.
//!
//! [`decode`] reads one frame into a [`Decoded`] that the caller keeps and reuses. Each IP header found is a [`Layer`],
//! outermost first, and is a packet of a flow of its own. Nothing is copied: a layer holds numbers and offsets.
//!
//! A frame that is cut by a snap length is read as far as it goes; that is no [`Problem`], and lengths follow the
//! headers. What contradicts itself, or ends before a header does though nothing was cut, is a problem.
//!
//! Fragments stop the reading of a frame; [`fragments::Fragments`] makes them whole and [`resume`] reads on.

pub mod checksum;
pub mod fingerprint;
pub mod fragments;
pub mod icmp;

mod bytes;
mod ethernet;
mod ip;
mod link;
mod link_ends;
mod ppp;
mod transport;
mod tunnel;
mod wireless;

#[cfg(test)]
mod tests;

use schemas::anomaly::AnomalyName;
use schemas::envelope::AddressBytes;

pub use crate::link_type::LinkType;
pub use fingerprint::fingerprint;
pub use link_ends::{Link, MacAddress};
pub use tunnel::{Tunnel, TunnelKind};

use fragments::Datagram;

/// Most IP headers followed in one frame. Zeek follows 4 tunnels by default, Suricata 16 layers of any kind; real
/// networks have been seen with 4 (GTP in VXLAN in an ERSPAN mirror).
pub const MAX_LAYERS: usize = 8;

/// Most encapsulations noted in one frame, each label of an MPLS stack being one.
pub const MAX_TUNNELS: usize = 16;

/// What a frame holds. Kept by the caller and overwritten by each [`decode`].
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The link layer's addresses and tags.
    pub link: Link,
    /// What stopped or disturbed the reading; the first such thing.
    pub problem: Option<Problem>,
    /// Whether the frame was cut inside a header, so that there may be more to it than is seen.
    pub cut: bool,
    /// EtherType of the payload that was reached but is not IP (ARP, LLDP, …; 0 for LLC and anything without one).
    pub other: Option<u16>,
    tunnels: [Tunnel; MAX_TUNNELS],
    tunnel_count: u8,
    /// One more than are shown, to be written to while it is not known whether there is room.
    layers: [Layer; MAX_LAYERS + 1],
    layer_count: u8,
}

impl Default for Decoded {
    fn default() -> Self {
        Self {
            link: Link::default(),
            problem: None,
            cut: false,
            other: None,
            tunnels: [Tunnel { kind: TunnelKind::Mpls, id: None }; MAX_TUNNELS],
            tunnel_count: 0,
            layers: [Layer::EMPTY; MAX_LAYERS + 1],
            layer_count: 0,
        }
    }
}

impl Decoded {
    /// The IP headers found, outermost first.
    #[inline]
    pub fn layers(&self) -> &[Layer] {
        self.layers.get(..usize::from(self.layer_count)).unwrap_or_default()
    }

    /// The innermost IP header, whose flow is the one that is followed.
    #[inline]
    pub fn innermost(&self) -> Option<&Layer> {
        self.layers().last()
    }

    /// The encapsulations, outermost first. Those around a layer are the first [`Layer::tunnels`] of them.
    #[inline]
    pub fn tunnels(&self) -> &[Tunnel] {
        self.tunnels.get(..usize::from(self.tunnel_count)).unwrap_or_default()
    }

    /// The encapsulations around a layer, outermost first.
    #[inline]
    pub fn tunnels_of(&self, layer: &Layer) -> &[Tunnel] {
        self.tunnels.get(..usize::from(layer.tunnels.min(self.tunnel_count))).unwrap_or_default()
    }

    /// Forgets the last frame. Only counts are reset: the arrays keep what they held.
    #[inline]
    fn reset(&mut self) {
        self.link = Link::default();
        self.problem = None;
        self.cut = false;
        self.other = None;
        self.tunnel_count = 0;
        self.layer_count = 0;
    }
}

/// Something wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The anomaly to report.
    pub name: AnomalyName,
    /// Which field or header.
    pub what: &'static str,
}

/// What carries the payload of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Transport {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// ICMP (version 4).
    Icmp,
    /// ICMPv6.
    Icmpv6,
    /// SCTP.
    Sctp,
    /// Any other IP protocol, and fragments; no ports.
    Other,
}

/// Part of a datagram (RFC 791 section 2.3, RFC 8200 section 4.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Identification (16 bits in IPv4).
    pub id: u32,
    /// Where in the datagram's payload the bytes of this one start, in bytes.
    pub offset: u16,
    /// Whether another fragment follows.
    pub more: bool,
}

/// One IP header and what it carries: one packet of one flow. Offsets are into the frame (or, after [`resume`], into
/// the reassembled datagram).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layer {
    /// Sender; an IPv4 address stands in the last four bytes. For IPv6 the home address where there is one (RFC 6275).
    pub src: AddressBytes,
    /// Receiver. For IPv6 with a routing header the final destination (RFC 8200 section 4.4).
    pub dst: AddressBytes,
    /// Innermost network identifier around this layer (VNI, VSID, GRE key) as [`Tunnel::context`]; 0 is none.
    pub context: u64,
    /// Where the IP header starts; [`Layer::NO_HEADER`] for a datagram made whole, whose header is not among its bytes.
    pub ip_offset: u32,
    /// Length of the packet by its IP header (by the frame where offloading left it 0).
    pub ip_length: u32,
    /// Where the transport header starts.
    pub transport_offset: u32,
    /// Where the transport's payload starts; for a fragment, where its part of the datagram starts.
    pub payload_offset: u32,
    /// How much of the payload is in the frame.
    pub payload_captured: u32,
    /// Length of the payload by the IP and UDP headers.
    pub payload_length: u32,
    /// Set if the packet is a part of a datagram; then the transport is not read.
    pub fragment: Option<Fragment>,
    /// TCP sequence number; SCTP verification tag.
    pub seq: u32,
    /// TCP acknowledgement number.
    pub ack: u32,
    /// TCP time stamp option: value and echo (RFC 7323 section 3).
    pub timestamps: Option<(u32, u32)>,
    /// TCP window as in the header, not scaled.
    pub window: u16,
    /// TCP urgent pointer.
    pub urgent: u16,
    /// The transport checksum as in the header (0 for SCTP and transports without one).
    pub checksum: u16,
    /// Port of the sender; for ICMP the message type.
    pub src_port: u16,
    /// Port of the receiver; for ICMP the code.
    pub dst_port: u16,
    /// TCP window scale option (RFC 7323 section 2).
    pub window_scale: Option<u8>,
    /// TCP flags: CWR, ECE, URG, ACK, PSH, RST, SYN, FIN from the highest bit.
    pub flags: u8,
    /// IP protocol of the payload, behind extension headers and AH.
    pub protocol: u8,
    /// TTL or hop limit.
    pub hop_limit: u8,
    /// How many of the frame's tunnels are around this layer.
    pub tunnels: u8,
    /// What was read behind the IP header.
    pub transport: Transport,
    /// Whether the addresses are IPv6.
    pub ipv6: bool,
    /// Whether the transport header could not be read to its end (cut, too short, or contradicting itself).
    pub truncated_header: bool,
    /// Whether the length in the IP header goes beyond the frame. A receiver drops such a packet; but some ways to capture
    /// lose the length of frames that they cut.
    pub overlong: bool,
    /// Whether an IPv4 source route is still to be followed, so that `dst` is not the final destination.
    pub source_routed: bool,
}

impl Layer {
    /// Beyond any frame.
    pub const NO_HEADER: u32 = u32::MAX;

    /// A layer with nothing in it.
    pub const EMPTY: Self = Self {
        src: [0; 16],
        dst: [0; 16],
        context: 0,
        ip_offset: 0,
        ip_length: 0,
        transport_offset: 0,
        payload_offset: 0,
        payload_captured: 0,
        payload_length: 0,
        fragment: None,
        seq: 0,
        ack: 0,
        timestamps: None,
        window: 0,
        urgent: 0,
        checksum: 0,
        src_port: 0,
        dst_port: 0,
        window_scale: None,
        flags: 0,
        protocol: 0,
        hop_limit: 0,
        tunnels: 0,
        transport: Transport::Other,
        ipv6: false,
        truncated_header: false,
        overlong: false,
        source_routed: false,
    };

    /// The payload as far as it was captured. `bytes` is what the layer was decoded from.
    #[inline]
    pub fn payload<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        let start = self.payload_offset as usize;
        bytes.get(start..start + self.payload_captured as usize).unwrap_or_default()
    }

    /// Whether the payload is there in full.
    #[inline]
    pub fn is_complete(&self) -> bool {
        self.payload_captured == self.payload_length && !self.truncated_header
    }

    /// Type and code of an ICMP or ICMPv6 message.
    #[inline]
    pub fn icmp(&self) -> Option<(u8, u8)> {
        match self.transport {
            Transport::Icmp | Transport::Icmpv6 => Some((self.src_port as u8, self.dst_port as u8)),
            _ => None,
        }
    }
}

/// Reads a frame of `wire` bytes, of which `frame` was captured. Never fails: `decoded` says how far it came.
#[inline]
pub fn decode(link: LinkType, frame: &[u8], wire: u32, decoded: &mut Decoded) {
    decoded.reset();
    let mut decoder = Decoder { frame, context: 0, reassembled: false, authentications: 0, decoded };
    let region = Region { start: 0, captured: frame.len(), end: frame.len().max(wire as usize) };
    let step = if link == LinkType::ETHERNET {
        decoder.outermost_ethernet(region)
    } else {
        decoder.link_header(link, region)
    };
    if let Some((next, region)) = step {
        decoder.run(next, region);
    }
}

/// Reads on in a datagram that the last fragment of `decoded` completed: that fragment's layer is replaced by the
/// datagram's, and the layers inside it follow. Their offsets are into `datagram.bytes`; a `transport_offset` of 0 is
/// where the payload of the IP header starts, which itself is not there.
pub fn resume(decoded: &mut Decoded, datagram: &Datagram) {
    decoded.problem = None;
    decoded.cut = false;
    let Some(count) = decoded.layer_count.checked_sub(1) else { return };
    decoded.layer_count = count;
    decoded.tunnel_count = datagram.layer.tunnels.min(decoded.tunnel_count);
    let length = datagram.bytes.len();
    let layer = Layer {
        fragment: None,
        ip_offset: Layer::NO_HEADER,
        ip_length: datagram.ip_length,
        transport_offset: 0,
        payload_offset: 0,
        payload_captured: length as u32,
        payload_length: length as u32,
        ..datagram.layer
    };
    let mut decoder = Decoder {
        frame: &datagram.bytes,
        context: layer.context,
        reassembled: true,
        authentications: 0,
        decoded,
    };
    let region = Region { start: 0, captured: length, end: length };
    *decoder.current() = layer;
    let step = if layer.ipv6 {
        decoder.extensions(datagram.protocol, region)
    } else {
        decoder.upper(datagram.protocol, region)
    };
    if let Some((next, region)) = step {
        decoder.run(next, region);
    }
}

/// Reads the transport header in the first fragment of a datagram, for captures whose fragments are cut and can never
/// be made whole. The last layer of `decoded` must be a fragment with offset 0; it gets ports but stays a fragment.
pub fn resume_first_fragment(frame: &[u8], decoded: &mut Decoded) {
    let Some(&layer) = decoded.layers().last() else { return };
    let Some(fragment @ Fragment { offset: 0, .. }) = layer.fragment else { return };
    let start = layer.payload_offset as usize;
    let region = Region {
        start,
        captured: start + layer.payload_captured as usize,
        end: start + layer.payload_length as usize,
    };
    decoded.layer_count -= 1;
    let mut decoder =
        Decoder { frame, context: layer.context, reassembled: true, authentications: 0, decoded };
    *decoder.current() = Layer { fragment: None, ..layer };
    if layer.ipv6 {
        decoder.extensions(layer.protocol, region);
    } else {
        decoder.upper(layer.protocol, region);
    }
    let count = usize::from(decoded.layer_count);
    if let Some(read) = count.checked_sub(1).and_then(|last| decoded.layers.get_mut(last)) {
        read.fragment = Some(fragment);
    }
}

/// A part of the frame: the bytes of one header and all that it carries. `start <= captured <= frame.len()`, and
/// `captured <= end`. Where `captured < end`, the rest was not captured.
#[derive(Clone, Copy, Debug)]
struct Region {
    /// First byte.
    start: usize,
    /// Behind the last byte that is in the frame.
    captured: usize,
    /// Behind the last byte, by the lengths in the headers around it.
    end: usize,
}

impl Region {
    /// Without its first `length` bytes, if those were captured.
    #[inline(always)]
    fn skip(self, length: usize) -> Option<Self> {
        let start = self.start + length;
        (start <= self.captured).then_some(Self { start, ..self })
    }

    /// Length by the headers.
    #[inline(always)]
    fn length(self) -> usize {
        self.end - self.start
    }

    /// Only the first `length` bytes, where it is longer.
    #[inline(always)]
    fn limit(self, length: usize) -> Self {
        let end = self.end.min(self.start + length);
        Self { start: self.start, captured: self.captured.min(end), end }
    }

    /// Exactly `length` bytes, be they there or not.
    #[inline(always)]
    fn claim(self, length: usize) -> Self {
        let end = self.start + length;
        Self { start: self.start, captured: self.captured.min(end), end }
    }
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// An Ethernet header.
    Ethernet,
    /// Behind an EtherType.
    EtherType(u16),
    /// 802.2 logical link control.
    Llc,
    /// A PPP protocol field, perhaps behind address and control bytes.
    Ppp,
    /// An IPv4 or IPv6 header, as its version says.
    Ip,
    /// An IPv4 header.
    Ipv4,
    /// An IPv6 header.
    Ipv6,
    /// An 802.11 header; whether padding follows it, and whether a check sequence ends the frame.
    Wireless {
        /// The header is padded to four bytes.
        padded: bool,
        /// Four bytes of check sequence at the end.
        checked: bool,
    },
    /// A GRE header.
    Gre,
    /// EtherIP (RFC 3378).
    EtherIp,
    /// An MPLS label stack.
    Mpls,
    /// A network service header (RFC 8300).
    Nsh,
}

/// The reading of one frame.
struct Decoder<'f, 'd> {
    /// All bytes.
    frame: &'f [u8],
    /// Network identifier of the innermost tunnel that has one.
    context: u64,
    /// Whether the bytes are a reassembled datagram.
    reassembled: bool,
    /// Authentication headers passed so far.
    authentications: u8,
    /// Where results go.
    decoded: &'d mut Decoded,
}

impl<'f> Decoder<'f, '_> {
    /// Follows the headers to the end. Every step leaves a shorter region, so it ends.
    #[inline(never)]
    fn run(&mut self, mut next: Next, mut region: Region) {
        while let Some(step) = self.step(next, region) {
            (next, region) = step;
        }
    }

    /// Reads one header, and says what is behind it.
    fn step(&mut self, next: Next, region: Region) -> Option<(Next, Region)> {
        match next {
            Next::Ethernet => self.ethernet(region),
            Next::EtherType(ether_type) => self.ether_type(ether_type, region),
            Next::Llc => self.llc(region),
            Next::Ppp => self.ppp(region),
            Next::Ip => self.ip(region),
            Next::Ipv4 => self.ipv4(region),
            Next::Ipv6 => self.ipv6(region),
            Next::Wireless { padded, checked } => self.wireless(region, padded, checked),
            Next::Gre => self.gre(region),
            Next::EtherIp => self.ether_ip(region),
            Next::Mpls => self.mpls(region),
            Next::Nsh => self.nsh(region),
        }
    }

    /// The captured bytes of a region.
    #[inline(always)]
    fn bytes(&self, region: Region) -> &'f [u8] {
        self.frame.get(region.start..region.captured).unwrap_or_default()
    }

    /// The first `N` bytes of a region, or none and a note of why.
    #[inline(always)]
    fn header<const N: usize>(
        &mut self,
        region: Region,
        name: AnomalyName,
        what: &'static str,
    ) -> Option<&'f [u8; N]> {
        let header = self.bytes(region).first_chunk::<N>();
        if header.is_none() {
            self.missing(region, N, name, what);
        }
        header
    }

    /// The region behind a header of `length` bytes, or none and a note of why.
    #[inline(always)]
    fn behind(
        &mut self,
        region: Region,
        length: usize,
        name: AnomalyName,
        what: &'static str,
    ) -> Option<Region> {
        let behind = region.skip(length);
        if behind.is_none() {
            self.missing(region, length, name, what);
        }
        behind
    }

    /// Notes that a region does not hold `length` bytes: cut by the snap length, or a problem.
    #[cold]
    fn missing(&mut self, region: Region, length: usize, name: AnomalyName, what: &'static str) {
        if region.length() >= length {
            self.decoded.cut = true;
        } else {
            self.problem(name, what);
        }
    }

    /// Notes a problem, unless there is one already.
    #[cold]
    fn problem(&mut self, name: AnomalyName, what: &'static str) {
        self.decoded.problem.get_or_insert(Problem { name, what });
    }

    /// Notes what the frame holds that is not IP.
    #[cold]
    fn other(&mut self, ether_type: u16) {
        self.decoded.other = Some(ether_type);
    }

    /// The layer that is being read. It is written to in its place: copying it when it is done would cost more than all
    /// the rest of the reading.
    #[inline(always)]
    #[expect(clippy::indexing_slicing, reason = "there is one layer more than MAX_LAYERS")]
    fn current(&mut self) -> &mut Layer {
        &mut self.decoded.layers[usize::from(self.decoded.layer_count).min(MAX_LAYERS)]
    }

    /// Counts the layer that was read; none if there are too many.
    #[inline(always)]
    fn commit(&mut self) -> Option<()> {
        if usize::from(self.decoded.layer_count) < MAX_LAYERS {
            self.decoded.layer_count += 1;
            Some(())
        } else {
            self.problem(AnomalyName::TunnelTooDeep, "IP headers");
            None
        }
    }

    /// Adds an encapsulation; none if there are too many.
    fn tunnel(&mut self, kind: TunnelKind, id: Option<u32>) -> Option<()> {
        let tunnel = Tunnel { kind, id };
        match self.decoded.tunnels.get_mut(usize::from(self.decoded.tunnel_count)) {
            Some(place) => {
                *place = tunnel;
                self.decoded.tunnel_count += 1;
                if let Some(context) = tunnel.context() {
                    self.context = context;
                }
                Some(())
            }
            None => {
                self.problem(AnomalyName::TunnelTooDeep, "encapsulations");
                None
            }
        }
    }
}
