//! SMB 1 to 3 over TCP, directly or within sessions of NetBIOS: SESSION_SETUP (MS-SMB, 2.2.4.6; MS-SMB2, 2.2.5 and 2.2.6).

use super::{Frame, Said, Status, le16, le32, le64, part};

/// Type and length of a packet (RFC 1002, 4.3.1; MS-SMB2, 2.1).
const HEADER: usize = 4;

/// A header of SMB 2 (MS-SMB2, 2.2.1).
const HEADER_2: usize = 64;

const SMB_1: &[u8] = b"\xffSMB";
const SMB_2: &[u8] = b"\xfeSMB";

/// SMB_COM_SESSION_SETUP_ANDX, and SESSION_SETUP of SMB 2.
const SESSION_SETUP_1: u8 = 0x73;
const SESSION_SETUP_2: usize = 1;

/// What begins with these bytes. Of chained messages of SMB 2 each is one by itself.
pub(super) fn frame(inside: usize, bytes: &[u8]) -> Frame {
    if inside == 0 {
        return match *bytes {
            // A message; a request for a session and its answers; a sign of life.
            [0 | 0x81..=0x85, high, middle, low, ..] => {
                let content = u32::from_be_bytes([0, high, middle, low]) as usize;
                Frame::Packet { header: HEADER, content }
            }
            [] | [0 | 0x81..=0x85] | [0 | 0x81..=0x85, _] | [0 | 0x81..=0x85, _, _] => Frame::Need(HEADER),
            _ => Frame::Unknown,
        };
    }
    let enough = HEADER_2.min(inside);
    // Encrypted and compressed messages (MS-SMB2, 2.2.41 and 2.2.42), and those of NetBIOS, are passed over.
    let is_smb = matches!(bytes, [0xfe | 0xff, ..]);
    if bytes.len() < enough && is_smb {
        return Frame::Need(enough);
    }
    if bytes.starts_with(SMB_1) && bytes.get(4) == Some(&SESSION_SETUP_1) {
        return Frame::Read(inside);
    }
    if !bytes.starts_with(SMB_2) {
        return Frame::Pass(inside);
    }
    let next = le32(bytes, 20).and_then(|next| usize::try_from(next).ok()).unwrap_or(0);
    let length = if (HEADER_2..inside).contains(&next) { next } else { inside };
    if le16(bytes, 12) == Some(SESSION_SETUP_2) { Frame::Read(length) } else { Frame::Pass(length) }
}

/// Reads a message that sets up a session.
pub(super) fn read(message: &[u8]) -> Option<Said<'_>> {
    if message.starts_with(SMB_1) { read_1(message) } else { read_2(message) }
}

/// What the status of an answer says; none: it will be answered later.
fn status(status: u32) -> Option<Status> {
    const PENDING: u32 = 0x0103;
    const MORE_PROCESSING_REQUIRED: u32 = 0xc000_0016;
    match status {
        0 => Some(Status::Success),
        PENDING => None,
        MORE_PROCESSING_REQUIRED => Some(Status::Continues),
        _ => Some(Status::Failure),
    }
}

/// With extended security, so that requests have twelve words and answers four; an answer that refuses has none.
fn read_1(message: &[u8]) -> Option<Said<'_>> {
    const IS_ANSWER: u8 = 0x80;
    const WORDS: usize = 32;
    let words = *message.get(WORDS)?;
    let is_answer = message.get(9)? & IS_ANSWER != 0;
    let (place_of_length, tokens_words) = if is_answer { (WORDS + 7, 4) } else { (WORDS + 15, 12) };
    let token = if words == tokens_words {
        // Behind the words stands how many bytes follow them.
        let place = WORDS + 1 + 2 * usize::from(words) + 2;
        part(message, place, le16(message, place_of_length)?)
    } else {
        None
    };
    Some(Said {
        status: if is_answer { Some(status(le32(message, 5)?)?) } else { None },
        id: le16(message, 30)? as u64,
        context: le16(message, 28)? as u64,
        token,
    })
}

fn read_2(message: &[u8]) -> Option<Said<'_>> {
    const IS_ANSWER: u32 = 1;
    let is_answer = le32(message, 16)? & IS_ANSWER != 0;
    let place = HEADER_2 + if is_answer { 4 } else { 12 };
    // A refusal holds an error instead of an answer.
    let size = if is_answer { 9 } else { 25 };
    let token = if le16(message, HEADER_2) == Some(size) {
        part(message, le16(message, place)?, le16(message, place + 2)?)
    } else {
        None
    };
    Some(Said {
        status: if is_answer { Some(status(le32(message, 8)?)?) } else { None },
        id: le64(message, 24)?,
        context: le64(message, 40)?,
        token,
    })
}
