//! Public keys: of which kind, how long, on which curve (RFC 3279, RFC 5480, RFC 8410).

use num_bigint::BigUint;

use crate::der::{self, Reader, tag};

use super::oid;

/// Longest exponent that is written, in bytes: digits of ten cost the square of their number.
const MAX_EXPONENT: usize = 1024;

/// SubjectPublicKeyInfo.
#[derive(Clone, Copy, Debug)]
pub(super) struct PublicKey<'a> {
    /// Content of AlgorithmIdentifier.
    pub(super) algorithm: &'a [u8],
    /// The key itself.
    pub(super) bits: &'a [u8],
}

/// What rows say of a key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) algorithm: Option<Box<str>>,
    pub(super) kind: Option<&'static str>,
    pub(super) bits: Option<i32>,
    pub(super) exponent: Option<Box<str>>,
    pub(super) curve: Option<Box<str>>,
    /// All of it could be read.
    pub(super) is_whole: bool,
}

impl<'a> PublicKey<'a> {
    /// Reads the content of SubjectPublicKeyInfo.
    pub(super) fn read(content: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(content);
        let algorithm = reader.next_if(tag::SEQUENCE)?.content;
        let (bits, 0) = reader.next_if(tag::BIT_STRING)?.bits()? else { return None };
        Some(Self { algorithm, bits })
    }

    /// What rows say of it.
    pub(super) fn facts(&self) -> Facts {
        let Some((dotted, parameters)) = algorithm(self.algorithm) else { return Facts::default() };
        let mut facts = Facts { algorithm: Some(name(&dotted)), is_whole: true, ..Facts::default() };
        let fixed = |kind, bits| (Some(kind), Some(bits));
        (facts.kind, facts.bits) = match &*dotted {
            "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" | "2.5.8.1.1" => {
                let key = RsaKey::read(self.bits);
                facts.is_whole = key.is_some();
                facts.exponent = key.and_then(|key| key.exponent_text());
                (Some("rsa"), key.and_then(|key| bit_length(key.modulus)))
            }
            "1.2.840.10040.4.1" | "1.3.14.3.2.12" => (Some("dsa"), first_integer(parameters)),
            "1.2.840.113549.1.3.1" | "1.2.840.10046.2.1" => (Some("dh"), first_integer(parameters)),
            "1.2.840.10045.2.1" => {
                let bits;
                (facts.curve, bits) = curve(parameters);
                facts.is_whole = facts.curve.is_some() || bits.is_some();
                (Some("ecdsa"), bits)
            }
            "1.3.101.110" => fixed("x25519", 253),
            "1.3.101.111" => fixed("x448", 448),
            "1.3.101.112" => fixed("ed25519", 256),
            "1.3.101.113" => fixed("ed448", 456),
            _ => (None, None),
        };
        facts
    }
}

/// RSAPublicKey (RFC 8017, A.1.1), big-endian without zeros in front.
#[derive(Clone, Copy, Debug)]
pub(super) struct RsaKey<'a> {
    pub(super) modulus: &'a [u8],
    pub(super) exponent: &'a [u8],
}

impl<'a> RsaKey<'a> {
    pub(super) fn read(bits: &'a [u8]) -> Option<Self> {
        let mut pair = Reader::new(bits).next_if(tag::SEQUENCE)?.reader();
        let mut next = || match der::integer(pair.next_if(tag::INTEGER)?.content)? {
            (magnitude, false) => Some(magnitude),
            _ => None,
        };
        Some(Self { modulus: next()?, exponent: next()? })
    }

    fn exponent_text(&self) -> Option<Box<str>> {
        let text = || BigUint::from_bytes_be(self.exponent).to_string().into();
        (self.exponent.len() <= MAX_EXPONENT).then(text)
    }
}

/// The dotted identifier of an AlgorithmIdentifier, and what follows it.
pub(super) fn algorithm(content: &[u8]) -> Option<(String, &[u8])> {
    let mut reader = Reader::new(content);
    let dotted = oid::dotted(reader.next_if(tag::OBJECT_IDENTIFIER)?.content)?;
    Some((dotted, reader.rest()))
}

/// What an algorithm is called.
pub(super) fn name(dotted: &str) -> Box<str> {
    oid::algorithm(dotted).unwrap_or(dotted).into()
}

/// Bits of a number without zeros in front.
pub(super) fn bit_length(magnitude: &[u8]) -> Option<i32> {
    let zeros = magnitude.first().map_or(0, |first| first.leading_zeros() as usize);
    i32::try_from(magnitude.len().checked_mul(8)?.checked_sub(zeros)?).ok()
}

/// Bits of the first number of a sequence: the prime of DSA and DH.
fn first_integer(parameters: &[u8]) -> Option<i32> {
    let first = Reader::new(parameters).next_if(tag::SEQUENCE)?.reader().next_if(tag::INTEGER)?;
    match der::integer(first.content)? {
        (magnitude, false) => bit_length(magnitude),
        _ => None,
    }
}

/// Name of a curve, and the bits of its order.
fn curve(parameters: &[u8]) -> (Option<Box<str>>, Option<i32>) {
    let mut reader = Reader::new(parameters);
    if let Some(named) = reader.next_if(tag::OBJECT_IDENTIFIER) {
        let Some(dotted) = oid::dotted(named.content) else { return (None, None) };
        return match oid::curve(&dotted) {
            Some((name, bits)) => (Some(name.into()), Some(bits.into())),
            None => (Some(dotted.into()), None),
        };
    }
    (None, order(parameters))
}

/// Bits of the order of a curve that is spelt out (RFC 3279, 2.3.5): version, field, curve, base, order.
fn order(parameters: &[u8]) -> Option<i32> {
    let mut fields = Reader::new(parameters).next_if(tag::SEQUENCE)?.reader();
    for tag in [tag::INTEGER, tag::SEQUENCE, tag::SEQUENCE, tag::OCTET_STRING] {
        fields.next_if(tag)?;
    }
    match der::integer(fields.next_if(tag::INTEGER)?.content)? {
        (order, false) => bit_length(order),
        _ => None,
    }
}
