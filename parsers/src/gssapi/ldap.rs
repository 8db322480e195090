//! LDAP over TCP: binds by SASL (RFC 4511, 4.2; RFC 4513, 5.2).

use super::{Frame, Said, Status};
use crate::der::{self, Reader, tag};

const BIND_REQUEST: u8 = 0x60;
const BIND_RESPONSE: u8 = 0x61;

/// Bytes in which the operation of a message stands: two lengths of up to four bytes, and a number of as many.
const ENOUGH: usize = 2 + 4 + 2 + 4 + 4 + 1;

/// What begins with these bytes: an LDAPMessage (RFC 4511, 4.1.1), BER with a definite length. Behind a bind that agreed on
/// signing or sealing there is none any more (RFC 4752, 3.1).
pub(super) fn frame(_: usize, bytes: &[u8]) -> Frame {
    let [0x30, length, rest @ ..] = bytes else {
        return if matches!(bytes, [] | [0x30]) { Frame::Need(2) } else { Frame::Unknown };
    };
    let (header, length) = match *length {
        0..=0x7f => (2, usize::from(*length)),
        0x81..=0x84 => {
            let count = usize::from(*length & 0x0f);
            let Some(digits) = rest.get(..count) else { return Frame::Need(2 + count) };
            let length = digits.iter().fold(0_usize, |length, digit| length << 8 | usize::from(*digit));
            (2 + count, length)
        }
        _ => return Frame::Unknown,
    };
    let length = header + length;
    let enough = ENOUGH.min(length);
    let Some(front) = bytes.get(..enough) else { return Frame::Need(enough) };
    let mut front = Reader::new(front.get(header..).unwrap_or_default());
    if front.next_if(tag::INTEGER).is_some() && matches!(front.rest(), [BIND_REQUEST | BIND_RESPONSE, ..]) {
        return Frame::Read(length);
    }
    Frame::Pass(length)
}

/// Reads a bind or its answer.
pub(super) fn read(message: &[u8]) -> Option<Said<'_>> {
    let mut fields = Reader::new(message).next_if(tag::SEQUENCE)?.reader();
    let id = der::small(fields.next_if(tag::INTEGER)?.content)?;
    let operation = fields.element()?;
    let fields = operation.reader();
    let (status, token) = match operation.tag {
        BIND_REQUEST => (None, request(fields)?),
        BIND_RESPONSE => answer(fields).map(|(status, token)| (Some(status), token))?,
        _ => return None,
    };
    Some(Said { status, id, context: 0, token })
}

/// The credentials of a bind by a mechanism that has tokens of GSS-API.
fn request(mut fields: Reader<'_>) -> Option<Option<&[u8]>> {
    const SASL: u8 = 0xa3;
    const MECHANISMS: [&[u8]; 2] = [b"GSS-SPNEGO", b"GSSAPI"];
    fields.next_if(tag::INTEGER)?;
    fields.next_if(tag::OCTET_STRING)?;
    let mut sasl = fields.next_if(SASL)?.reader();
    let mechanism = sasl.next_if(tag::OCTET_STRING)?.content;
    MECHANISMS
        .contains(&mechanism)
        .then(|| sasl.next_if(tag::OCTET_STRING).map(|token| token.content).filter(|token| !token.is_empty()))
}

/// What came of it, and the server's credentials.
fn answer(mut fields: Reader<'_>) -> Option<(Status, Option<&[u8]>)> {
    const ENUMERATED: u8 = 0x0a;
    const SERVER_CREDENTIALS: u8 = 0x87;
    const IN_PROGRESS: u64 = 14;
    let status = match der::small(fields.next_if(ENUMERATED)?.content)? {
        0 => Status::Success,
        IN_PROGRESS => Status::Continues,
        _ => Status::Failure,
    };
    let mut token = None;
    while let Some(field) = fields.element() {
        token = field.of(SERVER_CREDENTIALS).filter(|token| !token.is_empty()).or(token);
    }
    Some((status, token))
}
