//! Kerberos within tokens of GSS-API (RFC 2743, 3.1; RFC 4121, 4.1) and of SPNEGO (RFC 4178, 4.2), as HTTP, SMB and LDAP
//! carry them.

use super::wire::{self, Read, inner, sequence};
use crate::der::{Reader, tag};

/// What a token says.
#[derive(Clone, Copy, Debug)]
pub enum Token<'a> {
    /// A message of Kerberos: AP-REQ, AP-REP or KRB-ERROR.
    Message(Read<'a>),
    /// Without a message: the server has accepted the client.
    Accepted,
    /// Without a message: the server has refused the client.
    Rejected,
    /// Without a message: more is to come.
    Incomplete,
}

/// Tokens within one another that are followed: SPNEGO and the mechanism's own.
const MAX_DEPTH: u8 = 2;

/// Reads a token; none where it is of another mechanism, or of none.
pub fn read(token: &[u8]) -> Option<Token<'_>> {
    at(token, MAX_DEPTH)
}

fn at(token: &[u8], depth: u8) -> Option<Token<'_>> {
    const INITIAL: u8 = 0x60;
    const NEGOTIATION: [u8; 2] = [0xa0, 0xa1];
    let (kind, content) = inner(token)?;
    match kind {
        INITIAL => {
            let mut content = Reader::new(content);
            let mechanism = content.next_if(tag::OBJECT_IDENTIFIER)?.content;
            match mechanism {
                SPNEGO => negotiation(content.rest(), depth),
                _ if KERBEROS.contains(&mechanism) => of_kerberos(content.rest()),
                _ => None,
            }
        }
        kind if NEGOTIATION.contains(&kind) => negotiation(token, depth),
        // Some leave the framing of RFC 4121 out.
        _ => wire::read(token).map(Token::Message),
    }
}

/// 1.3.6.1.5.5.2
const SPNEGO: &[u8] = b"\x2b\x06\x01\x05\x05\x02";

/// Kerberos (1.2.840.113554.1.2.2), the same as early Windows wrote it (1.2.840.48018.1.2.2), and user to user.
const KERBEROS: [&[u8]; 3] = [
    b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02",
    b"\x2a\x86\x48\x82\xf7\x12\x01\x02\x02",
    b"\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x03",
];

/// What follows the mechanism's name: what kind of message, then the message.
fn of_kerberos(bytes: &[u8]) -> Option<Token<'_>> {
    match bytes {
        [1..=3, 0, message @ ..] => wire::read(message).map(Token::Message),
        _ => None,
    }
}

/// NegTokenInit or NegTokenResp.
fn negotiation(bytes: &[u8], depth: u8) -> Option<Token<'_>> {
    const STATE: u8 = 0xa0;
    const TOKEN: u8 = 0xa2;
    let (kind, content) = inner(bytes)?;
    let mut fields = Reader::new(sequence(content)?);
    let (mut state, mut token) = (None, None);
    while let Some((tag, field)) = fields.next_front() {
        match tag {
            // Of NegTokenInit it is the list of mechanisms.
            STATE if kind == 0xa1 => state = inner(field.content).and_then(|(_, state)| state.first().copied()),
            TOKEN => token = inner(field.content).map(|(_, token)| token),
            _ => {}
        }
    }
    match (token, state) {
        (Some(token), _) if !token.is_empty() && depth > 0 => at(token, depth - 1),
        (_, Some(0)) => Some(Token::Accepted),
        (_, Some(2)) => Some(Token::Rejected),
        (_, Some(_)) => Some(Token::Incomplete),
        _ => None,
    }
}
