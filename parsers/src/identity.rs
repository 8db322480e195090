//! Identifiers of flows: Community ID and uid, computed from endpoints, transport and time.

use schemas::envelope::Envelope;
use sha1::{Digest, Sha1};
use xxhash_rust::xxh3::xxh3_128;

use crate::packet::icmp;

/// What the identifiers of a flow follow from besides its envelope.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// Network that the addresses belong to ([`crate::packet::Layer::context`]).
    pub context: u64,
    /// How many flows with this key began in the very same nanosecond before (a port used again, a capture in
    /// microseconds).
    pub tie_break: u32,
    /// Whether the responder is the smaller end of the key: identifiers do not depend on the roles.
    pub responder_is_low: bool,
}

/// Fills in the identifiers of a flow's envelope, whose `ts` is the beginning of the flow: they are made when a first row
/// needs them, for most packets need none.
#[inline]
pub fn complete(envelope: &mut Envelope, origin: &Origin) {
    if envelope.uid == 0 {
        envelope.uid = uid(envelope, origin);
        envelope.community_id = community_id(envelope);
    }
}

/// Community ID version 1 with seed 0: the SHA-1 whose base64, behind `1:`, is the text form.
pub fn community_id(envelope: &Envelope) -> [u8; 20] {
    const TCP: u8 = 6;
    const UDP: u8 = 17;
    const SCTP: u8 = 132;
    const ICMP: u8 = 1;
    const ICMPV6: u8 = 58;
    let (mut ports, one_way) = match envelope.protocol {
        TCP | UDP | SCTP => (Some((envelope.src_port, envelope.dst_port)), false),
        ICMP | ICMPV6 => {
            let answer = u8::try_from(envelope.src_port)
                .ok()
                .and_then(|kind| icmp::counterpart(envelope.protocol == ICMPV6, kind));
            // Messages that have no answer keep their code and their direction.
            let second = answer.map_or(envelope.dst_port, u16::from);
            (Some((envelope.src_port, second)), answer.is_none())
        }
        _ => (None, false),
    };
    let (mut first, mut second) = (&envelope.src, &envelope.dst);
    let backwards = match first.cmp(second) {
        std::cmp::Ordering::Equal => ports.is_some_and(|(source, destination)| source > destination),
        order => order.is_gt(),
    };
    if backwards && !one_way {
        (first, second) = (second, first);
        ports = ports.map(|(source, destination)| (destination, source));
    }
    // All of it at once: to feed it piece by piece takes as long as to hash it.
    let mut bytes = [0; 40];
    let mut rest = &mut bytes[..];
    put(&mut rest, [0, 0]);
    for address in [first, second] {
        match *address.as_slice() {
            [.., a, b, c, d] if !envelope.ipv6 => put(&mut rest, [a, b, c, d]),
            _ => put(&mut rest, *address),
        }
    }
    put(&mut rest, [envelope.protocol, 0]);
    if let Some((source, destination)) = ports {
        put(&mut rest, source.to_be_bytes());
        put(&mut rest, destination.to_be_bytes());
    }
    let length = 40 - rest.len();
    Sha1::digest(bytes.get(..length).unwrap_or_default()).into()
}

/// The identifier of a flow that began at the `ts` of its envelope. Never 0.
pub fn uid(envelope: &Envelope, origin: &Origin) -> u128 {
    /// Keeps these hashes apart from those of other things.
    const DOMAIN: [u8; 8] = *b"flow-uid";
    let Envelope { ts, src, dst, src_port, dst_port, protocol, ipv6, .. } = *envelope;
    let mut ends = [(src, src_port), (dst, dst_port)];
    if origin.responder_is_low {
        ends.swap(0, 1);
    }
    let [low, high] = ends;
    let mut bytes = [0; 72];
    let mut rest = &mut bytes[..];
    put(&mut rest, DOMAIN);
    put(&mut rest, low.0);
    put(&mut rest, high.0);
    put(&mut rest, low.1.to_le_bytes());
    put(&mut rest, high.1.to_le_bytes());
    put(&mut rest, [protocol, u8::from(ipv6)]);
    put(&mut rest, origin.context.to_le_bytes());
    put(&mut rest, ts.to_le_bytes());
    put(&mut rest, origin.tie_break.to_le_bytes());
    xxh3_128(&bytes).max(1)
}

/// Writes `value` at the front of `rest`, and goes behind it.
#[inline]
fn put<const N: usize>(rest: &mut &mut [u8], value: [u8; N]) {
    if let Some((place, after)) = std::mem::take(rest).split_first_chunk_mut() {
        *place = value;
        *rest = after;
    }
}

#[cfg(test)]
mod tests;
