//! DCE/RPC over TCP: PDUs that open an association and its contexts (C706, 12.6; MS-RPCE, 2.2.2.11).

use super::{Frame, Said, Status, part};
use crate::kerberos::spnego::{self, Token};

/// What all PDUs have.
const HEADER: usize = 16;

/// `sec_trailer`, in front of a token.
const TRAILER: usize = 8;

const FAULT: u8 = 3;
const BIND: u8 = 11;
const BIND_ACK: u8 = 12;
const BIND_NAK: u8 = 13;
const ALTER_CONTEXT: u8 = 14;
const ALTER_CONTEXT_RESP: u8 = 15;
const AUTH_3: u8 = 16;

/// Instead of a call's number: the third leg has no answer, and a fault of that number is not about it.
const UNANSWERED: u64 = u64::MAX;

/// The header's numbers.
#[derive(Clone, Copy)]
struct Header {
    kind: u8,
    length: usize,
    token: usize,
    call: u32,
}

fn header(bytes: &[u8]) -> Option<Header> {
    let &[5, _, kind, _, order, _, _, _, a, b, c, d, e, f, g, h] = bytes.first_chunk::<HEADER>()? else {
        return None;
    };
    let is_little = order & 0xf0 != 0;
    let short = |bytes| if is_little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) };
    let call = [e, f, g, h];
    let call = if is_little { u32::from_le_bytes(call) } else { u32::from_be_bytes(call) };
    let length = usize::from(short([a, b]));
    (length >= HEADER).then(|| Header { kind, length, token: short([c, d]).into(), call })
}

/// What begins with these bytes.
pub(super) fn frame(_: usize, bytes: &[u8]) -> Frame {
    match header(bytes) {
        Some(Header { kind: FAULT | BIND..=AUTH_3, length, .. }) => Frame::Read(length),
        Some(Header { length, .. }) => Frame::Pass(length),
        None if bytes.len() < HEADER && matches!(bytes, [] | [5, ..]) => Frame::Need(HEADER),
        None => Frame::Unknown,
    }
}

/// Reads a PDU that opens something, or says why not.
pub(super) fn read(message: &[u8]) -> Option<Said<'_>> {
    let header = header(message)?;
    let token = match header.kind {
        // The token of a fault belongs to the call.
        FAULT => None,
        _ => token(message, &header),
    };
    let status = match header.kind {
        BIND | ALTER_CONTEXT | AUTH_3 => None,
        FAULT | BIND_NAK => Some(Status::Failure),
        BIND_ACK | ALTER_CONTEXT_RESP => {
            // That there is more to come is not said here, but in the token.
            let is_incomplete = matches!(token.and_then(spnego::read), Some(Token::Incomplete));
            Some(if is_incomplete { Status::Continues } else { Status::Success })
        }
        _ => return None,
    };
    let id = if header.kind == AUTH_3 { UNANSWERED } else { header.call.into() };
    Some(Said { status, id, context: 0, token })
}

/// What authenticates, by SPNEGO or Kerberos.
fn token<'a>(message: &'a [u8], header: &Header) -> Option<&'a [u8]> {
    const SPNEGO: u8 = 9;
    const KERBEROS: u8 = 16;
    let place = header.length.checked_sub(header.token)?;
    let trailer = place.checked_sub(TRAILER).filter(|&at| at >= HEADER)?;
    matches!(message.get(trailer)?, &SPNEGO | &KERBEROS).then(|| part(message, place, header.token))?
}
