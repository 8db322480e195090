//! For tests: messages that authenticate, made by hand.

use crate::kerberos::made::{element, int, octets, seq};

/// Which way a message of SMB goes, and what came of it.
#[derive(Clone, Copy)]
pub(crate) enum Of {
    Request,
    Answer(u32),
}

/// A packet of NetBIOS's sessions.
pub(crate) fn packet(kind: u8, content: &[u8]) -> Vec<u8> {
    let [_, high, middle, low] = (content.len() as u32).to_be_bytes();
    [&[kind, high, middle, low], content].concat()
}

/// A message of SMB 2 without its packet. `next`: how far the next one is behind it, 0 where there is none.
pub(crate) fn smb_2(command: u16, of: Of, id: u64, session: u64, next: u32, body: &[u8]) -> Vec<u8> {
    let (status, flags) = match of {
        Of::Request => (0, 0_u32),
        Of::Answer(status) => (status, 1),
    };
    [
        &b"\xfeSMB\x40\0\x01\0"[..],
        &status.to_le_bytes(),
        &command.to_le_bytes(),
        &[1, 0],
        &flags.to_le_bytes(),
        &next.to_le_bytes(),
        &id.to_le_bytes(),
        &[0; 8],
        &session.to_le_bytes(),
        &[0; 16],
        body,
    ]
    .concat()
}

/// The body of SESSION_SETUP.
pub(crate) fn setup_2(of: Of, token: &[u8]) -> Vec<u8> {
    let length = (token.len() as u16).to_le_bytes();
    match of {
        Of::Request => {
            [&b"\x19\0\0\x01\x01\0\0\0\0\0\0\0"[..], &88_u16.to_le_bytes(), &length, &[0; 8], token].concat()
        }
        Of::Answer(_) => [&b"\x09\0\0\0"[..], &72_u16.to_le_bytes(), &length, token].concat(),
    }
}

/// A packet with a SESSION_SETUP of SMB 2.
pub(crate) fn session_2(of: Of, id: u64, session: u64, token: &[u8]) -> Vec<u8> {
    packet(0, &smb_2(1, of, id, session, 0, &setup_2(of, token)))
}

/// A packet with a SESSION_SETUP_ANDX of SMB 1.
pub(crate) fn session_1(of: Of, id: u16, user: u16, token: &[u8]) -> Vec<u8> {
    let (status, flags) = match of {
        Of::Request => (0, 0x18),
        Of::Answer(status) => (status, 0x98),
    };
    let length = (token.len() as u16).to_le_bytes();
    let words = match of {
        Of::Request => {
            [&b"\xff\0\0\0\x04\x11\x0a\0\0\0\0\0\0\0"[..], &length, &[0, 0, 0, 0, 0xd4, 0, 0, 0xa0]].concat()
        }
        Of::Answer(_) => [&b"\xff\0\0\0\0\0"[..], &length].concat(),
    };
    let message = [
        &b"\xffSMB\x73"[..],
        &u32::to_le_bytes(status),
        &[flags, 0x07, 0xc8],
        &[0; 12],
        &[0xff, 0xff, 0xfe, 0xca],
        &user.to_le_bytes(),
        &id.to_le_bytes(),
        &[(words.len() / 2) as u8],
        &words,
        &((token.len() + 4) as u16).to_le_bytes(),
        token,
        b"U\0\0\0",
    ];
    packet(0, &message.concat())
}

/// A message of LDAP.
pub(crate) fn ldap(id: i64, operation: &[u8]) -> Vec<u8> {
    seq(&[int(id), operation.to_vec()])
}

/// A bind by SASL.
pub(crate) fn bind(id: i64, mechanism: &str, token: Option<&[u8]>) -> Vec<u8> {
    let sasl = [octets(mechanism.as_bytes()), token.map(octets).unwrap_or_default()].concat();
    ldap(id, &element(0x60, &[int(3), octets(b""), element(0xa3, &sasl)].concat()))
}

/// The answer to a bind.
pub(crate) fn bound(id: i64, result: u8, token: Option<&[u8]>) -> Vec<u8> {
    let token = token.map(|token| element(0x87, token)).unwrap_or_default();
    ldap(id, &element(0x61, &[element(0x0a, &[result]), octets(b""), octets(b"said"), token].concat()))
}

/// A PDU of DCE/RPC; the token by its type.
pub(crate) fn pdu(kind: u8, is_little: bool, call: u32, body: &[u8], token: Option<(u8, &[u8])>) -> Vec<u8> {
    let trailer =
        token.map(|(kind, token)| [&[kind, 6, 0, 0, 1, 0, 0, 0], token].concat()).unwrap_or_default();
    let length = (16 + body.len() + trailer.len()) as u16;
    let of_token = token.map_or(0, |(_, token)| token.len() as u16);
    let numbers = if is_little {
        [&length.to_le_bytes()[..], &of_token.to_le_bytes(), &call.to_le_bytes()].concat()
    } else {
        [&length.to_be_bytes()[..], &of_token.to_be_bytes(), &call.to_be_bytes()].concat()
    };
    let order = if is_little { 0x10 } else { 0 };
    [&[5, 0, kind, 3, order, 0, 0, 0], &numbers[..], body, &trailer].concat()
}
