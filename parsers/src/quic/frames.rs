//! Frames of Initial packets (RFC 9000, 12.4 and 19): few are allowed there.

use super::{length, number};
use crate::protocol::Malformed;
use crate::tls::reader::Reader;

/// Types of frames.
mod kind {
    pub(super) const PADDING: u64 = 0x00;
    pub(super) const PING: u64 = 0x01;
    pub(super) const ACK: u64 = 0x02;
    pub(super) const ACK_WITH_ECN: u64 = 0x03;
    pub(super) const CRYPTO: u64 = 0x06;
    pub(super) const CONNECTION_CLOSE: u64 = 0x1c;
}

/// A frame that says something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Bytes of the handshake (RFC 9000, 19.6).
    Crypto {
        /// Of the first of them.
        offset: u64,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// The connection ends with this error (RFC 9000, 19.19).
    Close {
        /// Its code.
        error: u64,
    },
}

/// The frames of a packet; those that say nothing here are passed over. Behind what is malformed nothing more comes.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    reader: Reader<'a>,
}

impl<'a> Frames<'a> {
    /// Those of this payload.
    pub fn new(payload: &'a [u8]) -> Self {
        Self { reader: Reader::new(payload) }
    }

    fn frame(&mut self) -> Result<Option<Frame<'a>>, Malformed> {
        let reader = &mut self.reader;
        let kind = number(reader).ok_or(Malformed("type of a frame"))?;
        match kind {
            kind::PADDING => {
                let padding = reader.rest().iter().take_while(|byte| **byte == 0).count();
                reader.bytes(padding);
                Ok(None)
            }
            kind::PING => Ok(None),
            kind::ACK | kind::ACK_WITH_ECN => {
                acknowledgement(reader, kind == kind::ACK_WITH_ECN).ok_or(Malformed("ACK frame"))?;
                Ok(None)
            }
            kind::CRYPTO => {
                const CRYPTO: Malformed = Malformed("CRYPTO frame");
                let offset = number(reader).ok_or(CRYPTO)?;
                let length = length(reader).ok_or(CRYPTO)?;
                let bytes = reader.bytes(length).ok_or(CRYPTO)?;
                Ok(Some(Frame::Crypto { offset, bytes }))
            }
            kind::CONNECTION_CLOSE => {
                const CLOSE: Malformed = Malformed("CONNECTION_CLOSE frame");
                let error = number(reader).ok_or(CLOSE)?;
                number(reader).ok_or(CLOSE)?;
                let reason = length(reader).ok_or(CLOSE)?;
                reader.bytes(reason).ok_or(CLOSE)?;
                Ok(Some(Frame::Close { error }))
            }
            _ => Err(Malformed("frame that an Initial packet may not have")),
        }
    }
}

/// Passes over an acknowledgement (RFC 9000, 19.3), from behind its type on.
fn acknowledgement(reader: &mut Reader<'_>, has_ecn: bool) -> Option<()> {
    let _largest = number(reader)?;
    let _delay = number(reader)?;
    let ranges = number(reader)?;
    let _first_range = number(reader)?;
    for _ in 0..ranges {
        let _gap = number(reader)?;
        let _length = number(reader)?;
    }
    for _ in 0..if has_ecn { 3 } else { 0 } {
        number(reader)?;
    }
    Some(())
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.reader.is_empty() {
            match self.frame() {
                Ok(None) => {}
                Ok(Some(frame)) => return Some(Ok(frame)),
                Err(malformed) => {
                    self.reader = Reader::default();
                    return Some(Err(malformed));
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frames(payload: &[u8]) -> Vec<Result<Frame<'_>, Malformed>> {
        Frames::new(payload).collect()
    }

    #[test]
    fn what_says_nothing_is_passed_over() {
        // PING, an ACK of two ranges, one with ECN counts, padding, CRYPTO of one byte at 0x1234.
        let payload = b"\x01\x02\x05\0\x01\x01\0\0\x03\x40\x05\0\0\0\x01\x02\x03\0\0\0\x06\x52\x34\x01!\0";
        assert_eq!(frames(payload), [Ok(Frame::Crypto { offset: 0x1234, bytes: b"!" })]);
    }

    #[test]
    fn a_close_says_its_error() {
        assert_eq!(frames(b"\x1c\x41\x28\x06\x02no"), [Ok(Frame::Close { error: 0x128 })]);
    }

    #[test]
    fn what_came_before_a_frame_that_is_not_allowed_counts() {
        // STREAM, HANDSHAKE_DONE, a close of the application.
        for kind in [0x08, 0x1e, 0x1d] {
            let payload = [b"\x06\0\x01!", &[kind, 0, 0, 0][..]].concat();
            let [Ok(Frame::Crypto { .. }), Err(Malformed(what))] = frames(&payload)[..] else {
                panic!("{kind}")
            };
            assert_eq!(what, "frame that an Initial packet may not have");
        }
    }

    #[test]
    fn a_length_beyond_the_packet_is_malformed() {
        assert_eq!(frames(b"\x06\0\x05abcd"), [Err(Malformed("CRYPTO frame"))]);
        // As many ranges as a number can say.
        let endless = b"\x02\0\0\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0";
        assert_eq!(frames(endless), [Err(Malformed("ACK frame"))]);
    }

    proptest! {
        #[test]
        fn any_bytes_come_to_an_end(payload in prop::collection::vec(prop_oneof![0..8_u8, any::<u8>()], 0..300)) {
            let all = frames(&payload);
            let errors = all.iter().filter(|frame| frame.is_err()).count();
            prop_assert!(errors <= 1);
            prop_assert!(errors == 0 || all.last().is_some_and(Result::is_err));
        }
    }
}
