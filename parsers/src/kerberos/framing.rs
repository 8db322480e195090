//! What is around a message: the length of a record over TCP (RFC 4120, 7.2.2), the header of a change of password
//! (RFC 3244, 2); and what tells that a message is there.

use super::shape;
use super::wire::{self, message};
use crate::protocol::Verdict;

/// Bytes of the length in front of a record.
pub(super) const LENGTH: usize = 4;

/// Longest record. Tickets of Windows have up to 64 KiB, and an armoured request holds two; what claims more is none.
pub const MAX_RECORD: usize = 256 * 1024;

/// Shortest record: an answer to a change of password may have an error of 20 bytes.
const MIN_RECORD: usize = 16;

/// Bytes of the header of a change of password: its length, its version, the length of its AP-REQ or AP-REP.
const CHANGE: usize = 6;

/// What a datagram or record holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Content<'a> {
    /// The message.
    pub(super) message: &'a [u8],
    /// It is part of a change of password.
    pub(super) is_of_change: bool,
    /// What is wrong with what is around it.
    pub(super) problem: Option<&'static str>,
}

/// The message in a datagram or record.
pub(super) fn content(bytes: &[u8]) -> Content<'_> {
    let plain = Content { message: bytes, is_of_change: false, problem: None };
    if bytes.first().is_some_and(|tag| wire::is_message(*tag)) {
        return plain;
    }
    let Some(Change { whole, inner, body }) = change(bytes).filter(|change| !change.body.is_empty()) else {
        return plain;
    };
    // Without an AP-REP an error follows.
    let message = if inner == 0 { body } else { body.get(..inner).unwrap_or(body) };
    let problem = (whole != bytes.len()).then_some("length of a change of password");
    Content { message, is_of_change: true, problem }
}

/// The header of a change of password, and what follows it.
struct Change<'a> {
    /// The length of all.
    whole: usize,
    /// That of an AP-REQ or AP-REP; without one an error follows.
    inner: usize,
    body: &'a [u8],
}

fn change(bytes: &[u8]) -> Option<Change<'_>> {
    let (&[high, low, version_high, version_low, inner_high, inner_low], body) =
        bytes.split_first_chunk::<CHANGE>()?;
    // 0xff80 sets a password, 1 changes the client's own.
    let is_version = matches!([version_high, version_low], [0, 1] | [0xff, 0x80]);
    let number = |high, low| usize::from(u16::from_be_bytes([high, low]));
    is_version.then(|| Change { whole: number(high, low), inner: number(inner_high, inner_low), body })
}

impl Change<'_> {
    /// The length of the first message.
    fn message(&self) -> usize {
        if self.inner == 0 { self.whole.saturating_sub(CHANGE) } else { self.inner }
    }

    /// Whether a message may have this tag.
    fn may_hold(&self, tag: u8) -> bool {
        let tags: &[u8] =
            if self.inner == 0 { &[message::ERROR] } else { &[message::AP_REQ, message::AP_REP] };
        tags.contains(&tag)
    }
}

/// Whether the front of a record of `whole` bytes is of Kerberos. `hinted`: the flow is on one of its ports, and a tag and a
/// length that fit are enough, or all but the length.
pub(super) fn probe(front: &[u8], whole: usize, hinted: bool) -> Verdict {
    match front.first() {
        None => Verdict::NeedMore,
        Some(&tag) if wire::is_message(tag) && hinted => shape::might_be_message(front, whole),
        Some(&tag) if wire::is_message(tag) => shape::looks_like_message(front, whole),
        Some(_) => probe_change(front, whole),
    }
}

/// Whether a datagram is of Kerberos. On one of its ports it may be cut, or have bytes behind it, as long as what is there
/// begins as a message does.
pub(super) fn probe_datagram(bytes: &[u8], hinted: bool) -> bool {
    if !hinted {
        return probe(bytes, bytes.len(), false) == Verdict::Yes;
    }
    match (bytes.first(), change(bytes)) {
        (Some(&tag), _) if wire::is_message(tag) => shape::begins_as_message(bytes),
        (_, Some(change)) if change.body.first().is_some_and(|&tag| change.may_hold(tag)) => {
            shape::looks_like_message(change.body, change.message()) != Verdict::No
                && shape::begins_as_message(change.body)
        }
        _ => false,
    }
}

fn probe_change(front: &[u8], whole: usize) -> Verdict {
    let Some(change) = change(front) else {
        let is_long = front.len() >= CHANGE;
        let fits = |length: &[u8; 2]| usize::from(u16::from_be_bytes(*length)) == whole;
        let is_right = front.first_chunk().is_none_or(fits);
        return if is_long || !is_right { Verdict::No } else { Verdict::NeedMore };
    };
    match change.body.first() {
        _ if change.whole != whole || change.inner > whole.saturating_sub(CHANGE) => Verdict::No,
        None => Verdict::NeedMore,
        Some(&tag) if !change.may_hold(tag) => Verdict::No,
        Some(_) => shape::looks_like_message(change.body, change.message()),
    }
}

/// The length of the record at the front of a stream; none where there can be no such.
pub(super) fn record(length: [u8; LENGTH]) -> Option<usize> {
    let length = usize::try_from(u32::from_be_bytes(length)).ok()?;
    (MIN_RECORD..=MAX_RECORD).contains(&length).then_some(length)
}

/// Whether a record of Kerberos stands at the front of a stream.
pub(super) fn probe_stream(bytes: &[u8], hinted: bool) -> Verdict {
    let Some((length, front)) = bytes.split_first_chunk::<LENGTH>() else {
        // Nothing is longer than 256 KiB.
        return if matches!(bytes, [] | [0] | [0, 0..=4, ..]) { Verdict::NeedMore } else { Verdict::No };
    };
    let Some(length) = record(*length) else { return Verdict::No };
    probe(front.get(..length).unwrap_or(front), length, hinted)
}
