//! Frames of every link type: what the decoder says of them lies within them, also where a fragment is read on.
#![no_main]

use libfuzzer_sys::fuzz_target;
use parsers::packet::fragments::{Fragments, Outcome};
use parsers::packet::{
    Decoded, LinkType, MAX_LAYERS, MAX_TUNNELS, Transport, checksum, decode, fingerprint, resume,
    resume_first_fragment,
};
use spanlake_fuzz::Input;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let (link, more, cut) = (input.short(), u32::from(input.short()), usize::from(input.short()));
    let frame = input.rest;
    let wire = (frame.len() as u32).wrapping_add(more);
    let mut decoded = Decoded::default();
    decode(LinkType(link), frame, wire, &mut decoded);
    check(frame, &decoded);
    let whole = decoded.clone();
    // The same again, into what the first reading left.
    decode(LinkType(link), frame, wire, &mut decoded);
    assert_eq!(summary(&whole), summary(&decoded));

    let mut table = Fragments::default();
    if let Some(layer) = decoded.innermost().copied().filter(|layer| layer.fragment.is_some()) {
        let mut datagram = match table.insert(&layer, frame, 0, 1).outcome {
            Outcome::Complete(datagram) => datagram,
            _ => {
                resume_first_fragment(frame, &mut decoded);
                check(frame, &decoded);
                return;
            }
        };
        // A datagram in a datagram, for as long as there is one.
        for _ in 0..MAX_LAYERS + 1 {
            resume(&mut decoded, &datagram);
            check(&datagram.bytes, &decoded);
            let inner = decoded.innermost().copied().filter(|layer| layer.fragment.is_some());
            let Some(layer) = inner else { break };
            match table.insert(&layer, &datagram.bytes, 0, 1).outcome {
                Outcome::Complete(next) => datagram = next,
                _ => break,
            }
        }
    }

    let cut = &frame[..cut % (frame.len() + 1)];
    decode(LinkType(link), cut, wire, &mut decoded);
    check(cut, &decoded);
});

fn summary(decoded: &Decoded) -> String {
    format!(
        "{:?} {:?} {} {:?} {:?} {:?}",
        decoded.link,
        decoded.problem,
        decoded.cut,
        decoded.other,
        decoded.tunnels(),
        decoded.layers()
    )
}

fn check(frame: &[u8], decoded: &Decoded) {
    assert!(decoded.layers().len() <= MAX_LAYERS && decoded.tunnels().len() <= MAX_TUNNELS);
    let mut tunnels = 0;
    for layer in decoded.layers() {
        assert!(layer.tunnels >= tunnels && usize::from(layer.tunnels) <= decoded.tunnels().len());
        tunnels = layer.tunnels;
        assert_eq!(decoded.tunnels_of(layer).len(), usize::from(tunnels));
        assert!(layer.payload_captured <= layer.payload_length);
        assert_eq!(layer.payload(frame).len(), layer.payload_captured as usize);
        assert!(layer.ip_offset as usize <= frame.len());
        assert!(layer.ip_offset <= layer.transport_offset && layer.transport_offset <= layer.payload_offset);
        if !layer.ipv6 {
            assert!(layer.src.starts_with(&[0; 12]) && layer.dst.starts_with(&[0; 12]));
        }
        assert_eq!(layer.icmp().is_some(), matches!(layer.transport, Transport::Icmp | Transport::Icmpv6));
        checksum::ip(frame, layer);
        checksum::transport(frame, layer);
        fingerprint(frame, layer);
    }
}
