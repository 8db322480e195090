//! The OPT record and those of its options that have columns (RFC 6891, 7871, 7873, 5001).

use schemas::arena::{Arena, Text};
use schemas::dns::Edns;
use schemas::text;

use super::presentation::number;
use super::rdata;
use super::wire::Message;

/// NSID.
const NSID: u16 = 3;
/// Client subnet.
const CLIENT_SUBNET: u16 = 8;
/// Cookie.
const COOKIE: u16 = 10;

/// Reads the OPT record of `message`, and says whether its options could be read; nothing without one.
pub(super) fn read(message: &Message<'_>, arena: &mut Arena) -> Option<(Edns, bool)> {
    let opt = message.opt?;
    let mut edns = Edns {
        udp_size: opt.class,
        version: (opt.ttl >> 16) as u8,
        dnssec_ok: opt.ttl & 0x8000 != 0,
        client_subnet: Text::NULL,
        cookie: Text::NULL,
        nsid: Text::NULL,
    };
    let mut sound = true;
    let mut rest = message.bytes.get(opt.rdata..opt.end).unwrap_or_default();
    while let [a, b, c, d, after @ ..] = rest {
        let length = usize::from(u16::from_be_bytes([*c, *d]));
        let Some((value, after)) = after.split_at_checked(length) else { break };
        rest = after;
        match u16::from_be_bytes([*a, *b]) {
            NSID if edns.nsid.is_null() => edns.nsid = arena.text(value),
            COOKIE if edns.cookie.is_null() => {
                edns.cookie = arena.text_with(|out| text::hex(value, out));
            }
            CLIENT_SUBNET if edns.client_subnet.is_null() => match client_subnet(value, arena) {
                Some(subnet) => edns.client_subnet = subnet,
                None => sound = false,
            },
            _ => {}
        }
    }
    Some((edns, sound && rest.is_empty()))
}

/// `192.0.2.0/24`: the address with the bits it was sent with, and the source prefix length.
fn client_subnet(value: &[u8], arena: &mut Arena) -> Option<Text> {
    let [high, low, prefix, _scope, address @ ..] = value else { return None };
    let family = u16::from_be_bytes([*high, *low]);
    let bits = match family {
        1 => 32,
        2 => 128,
        _ => return None,
    };
    if *prefix > bits || address.len() > usize::from(bits / 8) {
        return None;
    }
    Some(arena.text_with(|out| {
        // The checks above leave no way for this to fail.
        let _ = rdata::prefix_of(family, address, out);
        out.push(b'/');
        number(*prefix, out);
    }))
}
