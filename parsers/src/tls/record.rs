//! Records of TLS over TCP (RFC 8446, 5.1), and how a flow is known by its first ones.

use crate::protocol::{Malformed, Verdict};

/// Types of records ("TLS ContentType").
pub(crate) mod content {
    /// RFC 5246, 7.1.
    pub(crate) const CHANGE_CIPHER_SPEC: u8 = 20;
    /// RFC 8446, 6.
    pub(crate) const ALERT: u8 = 21;
    /// RFC 8446, 4.
    pub(crate) const HANDSHAKE: u8 = 22;
    /// What is carried, and in TLS 1.3 all that is encrypted.
    pub(crate) const APPLICATION_DATA: u8 = 23;
    /// RFC 6520.
    pub(crate) const HEARTBEAT: u8 = 24;
    /// RFC 9146.
    pub(crate) const TLS12_CID: u8 = 25;
    /// RFC 9147, 7.
    pub(crate) const ACK: u8 = 26;
}

/// Bytes of a header.
pub const HEADER: usize = 5;

/// Longest content: 2^14 bytes, and 2048 that encryption may add (RFC 5246, 6.2.3).
const MAX_LENGTH: u16 = (1 << 14) + 2048;

/// The header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Type of its content.
    pub content: u8,
    /// Bytes of its content.
    pub length: u16,
}

impl Header {
    /// Reads a header; none where not all of it is there.
    ///
    /// # Errors
    /// Where it cannot be one.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some([content, major, _, high, low]) = bytes.first_chunk() else { return Ok(None) };
        let length = u16::from_be_bytes([*high, *low]);
        if !(content::CHANGE_CIPHER_SPEC..=content::HEARTBEAT).contains(content) {
            return Err(Malformed("content type of a record"));
        }
        if *major != 3 {
            return Err(Malformed("version of a record"));
        }
        if length > MAX_LENGTH {
            return Err(Malformed("length of a record"));
        }
        Ok(Some(Self { content: *content, length }))
    }
}

/// Whether a direction begins with the hello of a client.
pub(super) fn looks_like_client(bytes: &[u8]) -> Verdict {
    match behind_alert(bytes) {
        hello @ [0x80..=0xff, ..] => looks_like_ssl2_client(hello),
        hello => looks_like_hello(hello, 1),
    }
}

/// Whether a direction begins with the hello of a server.
pub(super) fn looks_like_server(bytes: &[u8]) -> Verdict {
    looks_like_hello(behind_alert(bytes), 2)
}

/// What follows an alert that comes first, or the bytes themselves.
fn behind_alert(bytes: &[u8]) -> &[u8] {
    match bytes {
        [content::ALERT, 3, 0..=4, 0, 2, 1 | 2, _, rest @ ..] => rest,
        [content::ALERT, rest @ ..]
            if b"\x03".starts_with(rest.get(..1).unwrap_or_default()) && rest.len() < 6 =>
        {
            &[]
        }
        _ => bytes,
    }
}

/// A record with the front of a message of this type, with a version as it stands in hellos. Where the record is too short
/// to show that, a second one has to follow.
fn looks_like_hello(bytes: &[u8], message: u8) -> Verdict {
    const PATTERN: [fn(u8) -> bool; 11] = [
        |content| content == content::HANDSHAKE,
        |major| major == 3,
        |minor| minor <= 4,
        |_| true,
        |_| true,
        |_| true,
        // No hello is longer than 2^16.
        |length| length == 0,
        |_| true,
        |_| true,
        |major| matches!(major, 3 | 0x7f | 0xfb),
        |_| true,
    ];
    let length = match bytes {
        [_, _, _, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])),
        _ => PATTERN.len(),
    };
    if length == 0 || length > usize::from(MAX_LENGTH) {
        return Verdict::No;
    }
    let seen = PATTERN.iter().zip(bytes).take(HEADER + length.min(PATTERN.len() - HEADER));
    if !seen.enumerate().all(|(at, (fits, byte))| fits(*byte) && (at != HEADER || *byte == message)) {
        return Verdict::No;
    }
    if length >= PATTERN.len() - HEADER {
        return if bytes.len() >= PATTERN.len() { Verdict::Yes } else { Verdict::NeedMore };
    }
    match bytes.get(HEADER + length..) {
        Some([content::HANDSHAKE, 3, 0..=4, ..]) => Verdict::Yes,
        Some([] | [content::HANDSHAKE] | [content::HANDSHAKE, 3]) | None => Verdict::NeedMore,
        Some(_) => Verdict::No,
    }
}

/// A hello of SSL 2.0 (RFC 5246, E.2): nothing about it may be odd, for it has little to know it by.
fn looks_like_ssl2_client(bytes: &[u8]) -> Verdict {
    let [high, low, rest @ ..] = bytes else { return Verdict::NeedMore };
    let length = usize::from(u16::from_be_bytes([high & 0x7f, *low]));
    match rest {
        [1, 0, 2, ..] | [1, 3, 0..=4, ..] => {}
        [] | [1] | [1, 0 | 3] => return Verdict::NeedMore,
        _ => return Verdict::No,
    }
    let Some([ciphers, session, challenge]) = rest.get(3..9).map(|lengths| {
        let (pairs, _) = lengths.as_chunks::<2>();
        let mut pairs = pairs.iter().map(|pair| usize::from(u16::from_be_bytes(*pair)));
        std::array::from_fn(|_| pairs.next().unwrap_or_default())
    }) else {
        return Verdict::NeedMore;
    };
    let fits = 9 + ciphers + session + challenge == length
        && ciphers > 0
        && ciphers % 3 == 0
        && matches!(session, 0 | 16 | 32)
        && (16..=32).contains(&challenge);
    if fits { Verdict::Yes } else { Verdict::No }
}

/// What was found behind lost bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A record begins here, and another one behind it.
    At(usize),
    /// No record begins before this place; there are not enough bytes to say more than that.
    NotBefore(usize),
    /// A record may begin with the first byte; so many are needed to say.
    Need(usize),
}

/// Looks for a record behind lost bytes. Headers are short, so one alone is no proof: another has to follow.
pub(super) fn next_record(bytes: &[u8]) -> Next {
    /// More of a header than this is not needed to tell that it is none.
    const KEPT: usize = HEADER - 1;
    for at in 0..bytes.len().saturating_sub(KEPT) {
        let tail = bytes.get(at..).unwrap_or_default();
        if !is_known_version(tail) {
            continue;
        }
        let Ok(Some(header)) = Header::parse(tail) else { continue };
        if header.length == 0 {
            continue;
        }
        let whole = HEADER + usize::from(header.length);
        match tail.get(whole..whole + HEADER) {
            Some(after) if is_known_version(after) && Header::parse(after).is_ok() => return Next::At(at),
            Some(_) => {}
            None if at > 0 => return Next::NotBefore(at),
            None => return Next::Need(whole + HEADER),
        }
    }
    match bytes.len().saturating_sub(KEPT) {
        0 => Next::Need(HEADER),
        passed => Next::NotBefore(passed),
    }
}

/// Type and version of a header, both known.
fn is_known_version(bytes: &[u8]) -> bool {
    matches!(bytes, [content::CHANGE_CIPHER_SPEC..=content::APPLICATION_DATA, 3, 0..=3, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &[u8] = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03";

    #[test]
    fn hellos_are_known_by_eleven_bytes_and_not_before() {
        assert_eq!(looks_like_client(HELLO), Verdict::Yes);
        for length in 0..HELLO.len() {
            assert_eq!(looks_like_client(&HELLO[..length]), Verdict::NeedMore, "{length}");
        }
        assert_eq!(looks_like_server(HELLO), Verdict::No);
    }

    #[test]
    fn any_byte_that_no_hello_has_is_enough_to_say_no() {
        for at in [0, 1, 2, 5, 6, 9] {
            let mut other = HELLO.to_vec();
            other[at] = 0x40;
            assert_eq!(looks_like_client(&other), Verdict::No, "{at}");
        }
    }

    #[test]
    fn an_alert_may_come_before_a_hello() {
        let bytes = [b"\x15\x03\x01\x00\x02\x01\x70", HELLO].concat();
        assert_eq!(looks_like_client(&bytes), Verdict::Yes);
        for length in 0..bytes.len() {
            assert_eq!(looks_like_client(&bytes[..length]), Verdict::NeedMore, "{length}");
        }
        assert_eq!(looks_like_client(b"\x15\x03\x01\x00\x02\x01\x70GET / HTTP"), Verdict::No);
        assert_eq!(looks_like_client(b"\x15abcdefghijk"), Verdict::No);
    }

    #[test]
    fn a_hello_in_records_of_one_byte_is_known_by_the_second_one() {
        assert_eq!(looks_like_client(b"\x16\x03\x01\x00\x01\x01"), Verdict::NeedMore);
        assert_eq!(looks_like_client(b"\x16\x03\x01\x00\x01\x01\x16\x03\x01"), Verdict::Yes);
        assert_eq!(looks_like_client(b"\x16\x03\x01\x00\x01\x01GET"), Verdict::No);
    }

    #[test]
    fn a_hello_of_ssl2_has_lengths_that_add_up() {
        let hello = b"\x80\x1c\x01\x03\x00\x00\x03\x00\x00\x00\x10\x01\x00\x80";
        assert_eq!(looks_like_client(hello), Verdict::Yes);
        let mut other = hello.to_vec();
        other[1] += 1;
        assert_eq!(looks_like_client(&other), Verdict::No);
        assert_eq!(looks_like_client(&hello[..6]), Verdict::NeedMore);
    }

    #[test]
    fn behind_lost_bytes_a_record_is_one_that_another_follows() {
        let record = [&b"\x17\x03\x03\x00\x03abc"[..], b"\x17\x03\x03\x00\x02de"].concat();
        let bytes = [&b"junk\x17\x03\x03\x00\x01abc...."[..], &record].concat();
        assert_eq!(next_record(&bytes), Next::At(16));
        assert_eq!(next_record(b"nothing of it"), Next::NotBefore(9));
        // What follows is not there yet.
        assert_eq!(next_record(b"..\x17\x03\x03\x40\x00abc"), Next::NotBefore(2));
        assert_eq!(next_record(b"\x17\x03\x03\x40\x00abc"), Next::Need(0x4000 + 2 * HEADER));
        assert_eq!(next_record(b"\x17\x03"), Next::Need(HEADER));
    }
}
