//! Addresses that FTP announces as text. New ones are as long as those before, so that no sequence number moves:
//! of IPv4 each number but the first has one digit (10.1.1.1), of IPv6 the last two groups have one (2001:db8:1::1).

use crate::clip::{AddressText, Clip};
use crate::frame::{Address, Side};
use crate::random::Random;

/// Port of control connections.
const CONTROL: u16 = 21;

/// Finds the addresses of both hosts in what the control connection says.
pub fn find(clip: &mut Clip) {
    let Some(hosts) = clip.hosts else { return };
    if clip.server_port != CONTROL {
        return;
    }
    for packet in clip.packets.iter_mut().filter(|packet| packet.connection == 0) {
        let mut texts = Vec::new();
        for side in [Side::Client, Side::Server] {
            for separator in [b'.', b','] {
                let text = text(side.of(hosts), separator);
                for (at, _) in
                    packet.payload().windows(text.len()).enumerate().filter(|(_, found)| *found == text)
                {
                    let found = AddressText { at: at as u16, of: side, separator };
                    let follows = packet.payload().get(at + text.len());
                    if !follows.is_some_and(u8::is_ascii_digit)
                        && !texts.iter().any(|text: &AddressText| text.at == found.at)
                    {
                        texts.push(found);
                    }
                }
            }
        }
        packet.texts = texts;
    }
}

/// An address as FTP writes it.
#[must_use]
pub fn text(address: Address, separator: u8) -> Vec<u8> {
    match address {
        Address::V4([a, b, c, d]) => {
            let separator = char::from(separator);
            format!("{a}{separator}{b}{separator}{c}{separator}{d}").into_bytes()
        }
        Address::V6(bytes) => std::net::Ipv6Addr::from(bytes).to_string().into_bytes(),
    }
}

/// An address whose text is as long as that of the hosts of `pcaps/`.
#[must_use]
pub fn same_length(random: &mut Random, v6: bool) -> Address {
    let mut digit = |last: u64| random.within(1, last) as u8;
    if v6 {
        Address::V6([0x20, 1, 0xd, 0xb8, 0, digit(15), 0, 0, 0, 0, 0, 0, 0, 0, 0, digit(15)])
    } else {
        Address::V4([10, digit(9), digit(9), digit(9)])
    }
}
