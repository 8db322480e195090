//! Whether bytes begin as a Kerberos message: its tags, lengths, version and type, of which nothing else is read.

use super::wire::{INDEFINITE, is_message, message};
use crate::der::tag;
use crate::protocol::Verdict;

/// What the front of a message says, of which `whole` is the length by what stands around it. Strict: its tags and lengths
/// fit one another, and version and type are those of its tag.
pub(super) fn looks_like_message(front: &[u8], whole: usize) -> Verdict {
    match claimed(front) {
        Ok((_, claims, _)) if claims != Some(whole) => Verdict::No,
        Ok(_) => {
            verdict(Shape::read(front).and_then(|shape| {
                if shape.is_definite { shape.version_and_type() } else { Err(Verdict::No) }
            }))
        }
        Err(verdict) => verdict,
    }
}

/// What the front says where there is reason to expect a message: its tag is that of one and its length fits, or the length
/// does not fit and all else is right.
pub(super) fn might_be_message(front: &[u8], whole: usize) -> Verdict {
    match claimed(front) {
        Ok((_, Some(claimed), _)) if claimed == whole => Verdict::Yes,
        Ok(_) => verdict(Shape::read(front).and_then(|shape| shape.version_and_type())),
        Err(verdict) => verdict,
    }
}

/// The same of the front of a message that may end anywhere, with bytes of something else behind it: two lengths that fit
/// one another are enough where nothing follows that speaks against it.
pub(super) fn begins_as_message(bytes: &[u8]) -> bool {
    let Ok(shape) = Shape::read(bytes) else {
        // Of a message that ends where it should, what is within may be damaged.
        return matches!(claimed(bytes), Ok((_, Some(claimed), [tag::SEQUENCE, ..])) if claimed == bytes.len());
    };
    match shape.version_and_type() {
        Ok(()) => true,
        Err(Verdict::NeedMore) => shape.is_definite,
        Err(_) => shape.claims == Some(bytes.len()),
    }
}

fn verdict(checked: Result<(), Verdict>) -> Verdict {
    checked.err().unwrap_or(Verdict::Yes)
}

/// The front of a message: a tag of Kerberos, and within it a SEQUENCE that is as long as it says.
struct Shape<'a> {
    kind: u8,
    /// The length of all by the outer tag; none in BER's indefinite form.
    claims: Option<usize>,
    /// Both lengths are there, and fit one another.
    is_definite: bool,
    /// What is there of the fields.
    fields: &'a [u8],
}

impl<'a> Shape<'a> {
    fn read(front: &'a [u8]) -> Result<Self, Verdict> {
        let (kind, claims, mut rest) = claimed(front)?;
        byte(&mut rest, |byte| byte == tag::SEQUENCE)?;
        let inner = length(&mut rest)?.map(|length| front.len() - rest.len() + length);
        let is_definite = claims.is_some() && inner.is_some();
        if is_definite && claims != inner {
            return Err(Verdict::No);
        }
        Ok(Self { kind, claims, is_definite, fields: rest })
    }

    /// Version 5 and the type; requests to a KDC have no field 0.
    fn version_and_type(&self) -> Result<(), Verdict> {
        let first = if matches!(self.kind, message::AS_REQ | message::TGS_REQ) { 0xa1 } else { 0xa0 };
        let mut rest = self.fields;
        for expected in [first, 3, 2, 1, 5, first + 1, 3, 2, 1, self.kind & 0x1f] {
            byte(&mut rest, |byte| byte == expected)?;
        }
        Ok(())
    }
}

/// Tag and length of a message by its own first bytes, and what follows them.
fn claimed(front: &[u8]) -> Result<(u8, Option<usize>, &[u8]), Verdict> {
    let mut rest = front;
    let kind = byte(&mut rest, is_message)?;
    let length = length(&mut rest)?;
    Ok((kind, length.map(|length| front.len() - rest.len() + length), rest))
}

/// Takes a byte that must be such.
fn byte(rest: &mut &[u8], is_right: impl FnOnce(u8) -> bool) -> Result<u8, Verdict> {
    let (&byte, behind) = rest.split_first().ok_or(Verdict::NeedMore)?;
    if !is_right(byte) {
        return Err(Verdict::No);
    }
    *rest = behind;
    Ok(byte)
}

/// Takes a length; none where it is indefinite.
fn length(rest: &mut &[u8]) -> Result<Option<usize>, Verdict> {
    let first = byte(rest, |byte| byte <= 0x84)?;
    match first {
        INDEFINITE => Ok(None),
        0..INDEFINITE => Ok(Some(first.into())),
        _ => (0..first & 0x7f)
            .try_fold(0, |length, _| Ok(length << 8 | usize::from(byte(rest, |_| true)?)))
            .map(Some),
    }
}
