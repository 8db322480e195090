//! Frames of HTTP/2 (RFC 9113, 4 and 6), and what a connection is recognised by.

use crate::http::recognition::HTTP2_PREFACE as PREFACE;
use crate::protocol::Verdict;

/// Length of a frame's header.
pub const HEADER: usize = 9;

/// Longest payload of a frame where nothing else is announced (RFC 9113, 4.2).
pub const DEFAULT_MAX_FRAME: u32 = 1 << 14;

/// Types of frames (RFC 9113, 6).
pub mod kind {
    #![expect(missing_docs, reason = "names of the RFC")]
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PUSH_PROMISE: u8 = 5;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Parameters of SETTINGS that matter here (RFC 9113, 6.5.2).
pub mod setting {
    /// Largest table that the sender lets header blocks use.
    pub const HEADER_TABLE_SIZE: u16 = 1;
    /// Longest payload of a frame that the sender takes.
    pub const MAX_FRAME_SIZE: u16 = 5;
}

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const PADDED: u8 = 8;
const PRIORITY: u8 = 0x20;

/// Longest SETTINGS that is one: a few times as many parameters as there are.
const MAX_SETTINGS: u32 = 6 * 64;

/// The header of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the payload.
    pub length: u32,
    /// One of [`kind`], or a type that is to be passed over.
    pub kind: u8,
    /// What they mean depends on the type.
    pub flags: u8,
    /// The stream; 0 is the connection.
    pub stream: u32,
}

/// The piece of a header block that a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// The stream that is announced, of PUSH_PROMISE.
    pub promised: Option<u32>,
    /// The piece, as far as it is there.
    pub bytes: &'a [u8],
    /// Whether all of it is.
    pub is_whole: bool,
}

impl Header {
    /// The header at the front of `bytes`, if all of it is there.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let [a, b, c, kind, flags, stream @ ..] = *bytes.first_chunk::<HEADER>()?;
        Some(Self {
            length: u32::from_be_bytes([0, a, b, c]),
            kind,
            flags,
            stream: u32::from_be_bytes(stream) & 0x7fff_ffff,
        })
    }

    /// Whether the stream ends with it in this direction.
    pub fn ends_stream(&self) -> bool {
        matches!(self.kind, kind::DATA | kind::HEADERS) && self.flags & END_STREAM != 0
    }

    /// Whether a header block ends with it.
    pub fn ends_headers(&self) -> bool {
        self.flags & END_HEADERS != 0
    }

    /// Whether it answers SETTINGS, or PING.
    pub fn is_ack(&self) -> bool {
        self.flags & ACK != 0
    }

    /// Whether its payload begins with the length of the padding at its end.
    pub fn is_padded(&self) -> bool {
        self.flags & PADDED != 0
    }

    /// What no receiver puts up with: a length or a stream that its type cannot have.
    pub fn problem(&self) -> Option<&'static str> {
        use kind::*;
        let length_fits = match self.kind {
            PRIORITY => self.length == 5,
            RST_STREAM | WINDOW_UPDATE => self.length == 4,
            SETTINGS if self.is_ack() => self.length == 0,
            SETTINGS => self.length.is_multiple_of(6) && self.length <= DEFAULT_MAX_FRAME,
            PUSH_PROMISE => self.length >= 4,
            PING => self.length == 8,
            GOAWAY => self.length >= 8,
            DATA | HEADERS if self.is_padded() => self.length > 0,
            _ => true,
        };
        let stream_fits = match self.kind {
            DATA | HEADERS | PRIORITY | RST_STREAM | PUSH_PROMISE | CONTINUATION => self.stream != 0,
            SETTINGS | PING | GOAWAY => self.stream == 0,
            _ => true,
        };
        match (length_fits, stream_fits) {
            (false, _) => Some("frame of a length that its type cannot have"),
            (_, false) => Some("frame on a stream that its type cannot be on"),
            _ => None,
        }
    }

    /// Whether `bytes`, of which this is the front, may be a frame that a program sent: nothing about it is odd. Pushed
    /// streams, which are rare and even, are not usual.
    fn is_usual(&self, bytes: &[u8], max_length: u32, max_stream: u32) -> bool {
        let flags = match self.kind {
            kind::DATA => END_STREAM | PADDED,
            kind::HEADERS => END_STREAM | END_HEADERS | PADDED | PRIORITY,
            kind::SETTINGS | kind::PING => ACK,
            kind::PUSH_PROMISE => END_HEADERS | PADDED,
            kind::CONTINUATION => END_HEADERS,
            _ => 0,
        };
        self.kind <= kind::CONTINUATION
            && self.flags & !flags == 0
            && self.length <= max_length
            && self.stream <= max_stream
            && (self.stream == 0 || self.stream % 2 == 1)
            && bytes.get(5).is_none_or(|first| first & 0x80 == 0)
            && self.problem().is_none()
    }

    /// The piece of a header block in `payload`, which may be cut short: without padding, priority and promise.
    ///
    /// # Errors
    /// The padding is longer than the frame, or what should be there is not.
    pub fn fragment<'a>(&self, payload: &'a [u8]) -> Result<Fragment<'a>, &'static str> {
        const SHORT: &str = "frame too short for what it should hold";
        let mut rest = payload;
        let mut end = self.length as usize;
        if self.is_padded() && self.kind != kind::CONTINUATION {
            let (padding, behind) = rest.split_first().ok_or(SHORT)?;
            rest = behind;
            end = end.checked_sub(1 + usize::from(*padding)).ok_or("padding longer than its frame")?;
        }
        if self.kind == kind::HEADERS && self.flags & PRIORITY != 0 {
            rest = rest.get(5..).ok_or(SHORT)?;
            end = end.checked_sub(5).ok_or(SHORT)?;
        }
        let mut promised = None;
        if self.kind == kind::PUSH_PROMISE {
            let (stream, behind) = rest.split_first_chunk::<4>().ok_or(SHORT)?;
            promised = Some(u32::from_be_bytes(*stream) & 0x7fff_ffff);
            rest = behind;
            end = end.checked_sub(4).ok_or(SHORT)?;
        }
        Ok(Fragment { promised, bytes: rest.get(..end).unwrap_or(rest), is_whole: rest.len() >= end })
    }
}

/// The parameters of SETTINGS.
pub fn settings(payload: &[u8]) -> impl Iterator<Item = (u16, u32)> {
    payload.chunks_exact(6).filter_map(|chunk| {
        let (name, value) = chunk.split_first_chunk::<2>()?;
        Some((u16::from_be_bytes(*name), u32::from_be_bytes(*value.first_chunk()?)))
    })
}

/// Whether bytes begin as a client begins (RFC 9113, 3.4).
pub fn looks_like_client(bytes: &[u8]) -> Verdict {
    match () {
        () if bytes.starts_with(PREFACE) => Verdict::Yes,
        () if PREFACE.starts_with(bytes) => Verdict::NeedMore,
        () => Verdict::No,
    }
}

/// Whether bytes begin as a server begins (RFC 9113, 3.4): with SETTINGS of parameters and values that there are, or with
/// one of none and a frame behind it that follows such a one.
pub fn looks_like_server(bytes: &[u8]) -> Verdict {
    const FRONT: [u8; 6] = [kind::SETTINGS, 0, 0, 0, 0, 0];
    let (length, fixed) = bytes.split_at_checked(3).unwrap_or((bytes, &[]));
    // The length of a few parameters, the type, no flags and no stream.
    let fits = length.iter().zip([0, 1]).all(|(byte, most)| *byte <= most)
        && fixed.iter().zip(FRONT).all(|(byte, due)| *byte == due);
    if !fits {
        return Verdict::No;
    }
    let Some(header) = Header::read(bytes) else { return Verdict::NeedMore };
    if header.length > MAX_SETTINGS || header.problem().is_some() {
        return Verdict::No;
    }
    let behind = bytes.get(HEADER..).unwrap_or_default();
    let payload = behind.get(..header.length as usize).unwrap_or(behind);
    if !settings(payload).all(|(name, value)| is_usual_setting(name, value)) {
        return Verdict::No;
    }
    if payload.len() < header.length as usize {
        return Verdict::NeedMore;
    }
    if header.length > 0 {
        return Verdict::Yes;
    }
    const NEXT: [[u8; 5]; 3] =
        [[0, 0, 0, kind::SETTINGS, ACK], [0, 0, 4, kind::WINDOW_UPDATE, 0], [0, 0, 8, kind::PING, 0]];
    let is_next =
        |next: &[u8; 5]| behind.iter().zip(next.iter().chain(&[0; 4])).all(|(byte, due)| byte == due);
    match NEXT.iter().any(is_next) {
        true if behind.len() >= HEADER => Verdict::Yes,
        true => Verdict::NeedMore,
        false => Verdict::No,
    }
}

/// Whether a server may announce it: parameters of IANA's registry, and those that are there to be passed over.
fn is_usual_setting(name: u16, value: u32) -> bool {
    match name {
        1 | 3 | 6 => true,
        2 | 8 | 9 => value <= 1,
        4 => value <= 0x7fff_ffff,
        5 => (DEFAULT_MAX_FRAME..1 << 24).contains(&value),
        _ => name & 0x0f0f == 0x0a0a,
    }
}

/// Where frames begin again among `bytes`: the first place of a usual frame with another one behind it, on streams that
/// may be there. `Err` says how many bytes from the front may be dropped as long as there is none.
///
/// # Errors
/// There is none among these bytes.
pub fn next_frame(bytes: &[u8], max_length: u32, max_stream: u32) -> Result<usize, usize> {
    let usual = |at: usize| {
        let bytes = bytes.get(at..).unwrap_or_default();
        Header::read(bytes).map(|header| header.is_usual(bytes, max_length, max_stream).then_some(header))
    };
    for at in 0..bytes.len() {
        match usual(at) {
            Some(Some(header)) => match usual(at + HEADER + header.length as usize) {
                Some(Some(_)) => return Ok(at),
                Some(None) => {}
                None => return Err(at),
            },
            Some(None) => {}
            None => return Err(at),
        }
    }
    Err(bytes.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn recognises_how_servers_begin() {
        for (bytes, verdict) in [
            // nginx, nghttpd, Go.
            (
                &b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0\0\x05\0\xff\xff\xff"[..],
                Verdict::Yes,
            ),
            (b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64", Verdict::Yes),
            (b"\0\0\x06\x04\0\0\0\0\0\0\x05\0\0\x40\0", Verdict::Yes),
            // None, and an answer behind it.
            (b"\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0", Verdict::Yes),
            (b"\0\0\0\x04\0\0\0\0\0", Verdict::NeedMore),
            (b"\0\0\0\x04\0\0\0\0\0\0\0\0\0", Verdict::No),
            // Values that cannot be, a parameter that is none, a flag, a stream, another length, another type.
            (b"\0\0\x06\x04\0\0\0\0\0\0\x02\0\0\0\x02", Verdict::No),
            (b"\0\0\x06\x04\0\0\0\0\0\0\x05\0\0\0\0", Verdict::No),
            (b"\0\0\x06\x04\0\0\0\0\0\x01\x03\0\0\0\x64", Verdict::No),
            (b"\0\0\x06\x04\x02\0\0\0\0\0\x03\0\0\0\x64", Verdict::No),
            (b"\0\0\x06\x04\0\0\0\0\x01\0\x03\0\0\0\x64", Verdict::No),
            (b"\0\0\x07\x04\0\0\0\0\0\0\x03\0\0\0\x64", Verdict::No),
            (b"\0\0\x06\x05\0\0\0\0\0\0\x03\0\0\0\x64", Verdict::No),
            (b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", Verdict::No),
        ] {
            assert_eq!(looks_like_server(bytes), verdict, "{bytes:x?}");
            if verdict == Verdict::Yes {
                for cut in 0..bytes.len() {
                    assert_eq!(looks_like_server(&bytes[..cut]), Verdict::NeedMore, "{cut} of {bytes:x?}");
                }
            }
        }
    }

    #[test]
    fn takes_padding_priority_and_promise_off_a_header_block() {
        let header = |kind, flags, length| Header { length, kind, flags, stream: 1 };
        let fragment = |header: Header, payload: &'static [u8]| {
            header.fragment(payload).map(|fragment| (fragment.promised, fragment.bytes, fragment.is_whole))
        };
        let padded = header(kind::HEADERS, PADDED | PRIORITY, 10);
        assert_eq!(fragment(padded, b"\x02\0\0\0\x03\x10\x82\x84\0\0"), Ok((None, &b"\x82\x84"[..], true)));
        assert_eq!(fragment(padded, b"\x02\0\0\0\x03\x10\x82"), Ok((None, &b"\x82"[..], false)));
        assert_eq!(
            fragment(padded, b"\x05\0\0\0\x03\x10\x82\x84\0\0"),
            Err("frame too short for what it should hold")
        );
        assert_eq!(fragment(padded, b"\x0a\0\0\0\x03\x10\x82\x84\0\0"), Err("padding longer than its frame"));
        let promise = header(kind::PUSH_PROMISE, 0, 5);
        assert_eq!(fragment(promise, b"\x80\0\0\x02\x82"), Ok((Some(2), &b"\x82"[..], true)));
    }

    #[test]
    fn finds_frames_again_behind_anything_else() {
        let frames = b"\0\0\x05\0\0\0\0\0\x03hello\0\0\0\0\x01\0\0\0\x03";
        let bytes = [&b"\0\0\x04\x08\0\0\0\0\0 \0\0\0\0\0\0\0\0\0\0\0\0"[..], frames].concat();
        assert_eq!(next_frame(&bytes, 1 << 14, 99), Ok(bytes.len() - frames.len()));
        assert_eq!(next_frame(&bytes, 1 << 14, 1), Err(bytes.len() - 8));
        assert_eq!(next_frame(&frames[..20], 1 << 14, 99), Err(0));
        assert_eq!(next_frame(&[0; 64], 1 << 14, 99), Err(56));
    }

    proptest! {
        #[test]
        fn random_bytes_are_no_server_and_no_frames(bytes in prop::collection::vec(any::<u8>(), 24..2000)) {
            prop_assert_ne!(looks_like_server(&bytes), Verdict::Yes);
            prop_assert!(next_frame(&bytes, 1 << 14, 1 << 20).is_err());
        }
    }
}
