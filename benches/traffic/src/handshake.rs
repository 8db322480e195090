//! Where the handshakes of TLS and QUIC end in a session, so that other data can follow.

use crate::clip::Clip;
use crate::frame::{Side, flag};

/// Content type of alerts (RFC 8446 section 5.1), which end a connection.
const ALERT: u8 = 21;

/// Content type of data, in TLS 1.3 of what is encrypted.
const APPLICATION_DATA: u8 = 23;

/// How many packets come before a TLS connection ends. None unless both sides have sent application data or, in
/// TLS 1.2, a change of cipher specification.
#[must_use]
pub fn end_of_tls(clip: &Clip) -> Option<usize> {
    let ends = |packet: &crate::clip::ClipPacket| {
        packet.flags & (flag::FIN | flag::RST) != 0 || packet.payload().first() == Some(&ALERT)
    };
    let end = clip.packets.iter().position(ends)?;
    let encrypts = |side: Side| {
        clip.packets.iter().take(end).filter(|packet| packet.from == side).any(|packet| {
            records(packet.payload())
                .any(|content| content == APPLICATION_DATA || content == CHANGE_CIPHER_SPEC)
        })
    };
    (encrypts(Side::Client) && encrypts(Side::Server)).then_some(end)
}

/// Content type of the change of cipher specification.
const CHANGE_CIPHER_SPEC: u8 = 20;

/// Content types of the records that begin in a segment which itself begins with one.
fn records(segment: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut rest = segment;
    std::iter::from_fn(move || {
        let &[content, 3, _, high, low, ..] = rest else { return None };
        rest = rest.get(5 + usize::from(u16::from_be_bytes([high, low]))..).unwrap_or_default();
        Some(content)
    })
}

/// How many packets there are up to the last one with a long header, if the server has sent one with a connection
/// ID that can be used.
#[must_use]
pub fn end_of_quic(clip: &Clip) -> Option<usize> {
    let last = clip.packets.iter().rposition(|packet| long_header(packet.payload()).is_some())?;
    connection_ids(clip)?;
    Some(last + 1)
}

/// The connection IDs that packets to the client and to the server carry.
#[must_use]
pub fn connection_ids(clip: &Clip) -> Option<[&[u8]; 2]> {
    let source = |side: Side| {
        let sent = clip.packets.iter().filter(|packet| packet.from == side);
        sent.filter_map(|packet| long_header(packet.payload())).next_back()
    };
    Some([source(Side::Client)?, source(Side::Server)?])
}

/// The source connection ID of a packet of QUIC version 1 with a long header (RFC 9000 section 17.2).
fn long_header(datagram: &[u8]) -> Option<&[u8]> {
    let [first, 0, 0, 0, 1, rest @ ..] = datagram else { return None };
    if first & 0x80 == 0 {
        return None;
    }
    let (length, rest) = rest.split_first()?;
    let (length, rest) = rest.get(usize::from(*length)..)?.split_first()?;
    rest.get(..usize::from(*length))
}
