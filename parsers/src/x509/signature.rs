//! Signatures of certificates: those that a validation accepts, and those that are too weak for that.

use std::fmt;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA1_ASN1, ECDSA_P256K1_SHA256_ASN1, ECDSA_P521_SHA1_ASN1, ECDSA_P521_SHA224_ASN1,
    RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
    RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA384, UnparsedPublicKey,
    VerificationAlgorithm,
};
use md5::Md5;
use num_bigint::BigUint;
use rustls_pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use crate::der::{self, Reader, tag};

use super::key::{self, PublicKey, RsaKey};

/// What raising to a power may cost here, which is slower than the library: words of the modulus squared, times bits of
/// the exponent. That is a key of 4096 bits with the exponent that nearly all have, 65537.
const MAX_WORK: usize = 64 * 64 * 17;

/// Longest prime and longest order of a DSA key, in bits, that signatures are verified with: all sizes of FIPS 186-4 but
/// the largest.
const MAX_DSA: (u64, u64) = (2048, 256);

/// Algorithms that a validation accepts.
pub(super) static STRONG: &[&dyn SignatureVerificationAlgorithm] = webpki::ALL_VERIFICATION_ALGS;

/// All algorithms, weak ones before those that refuse a short key.
pub(super) static ALL: LazyLock<Vec<&'static dyn SignatureVerificationAlgorithm>> = LazyLock::new(|| {
    let weak = WEAK.iter().map(|weak| weak as &dyn SignatureVerificationAlgorithm);
    weak.chain(STRONG.iter().copied()).collect()
});

/// Whether `key` verifies `signature` over `message`; none where the algorithm is none that is known here, or it would take
/// too long.
pub(super) fn verify(
    key: &PublicKey<'_>,
    algorithm: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Option<bool> {
    let fits = |candidate: &dyn SignatureVerificationAlgorithm| {
        candidate.signature_alg_id().as_ref() == algorithm
            && candidate.public_key_alg_id().as_ref() == key.algorithm
    };
    if let Some(weak) = WEAK.iter().find(|weak| fits(*weak)) {
        return weak.verify(key.bits, message, signature);
    }
    let mut strong = STRONG.iter().filter(|candidate| fits(**candidate)).peekable();
    if strong.peek().is_some() {
        return Some(
            strong.any(|candidate| candidate.verify_signature(key.bits, message, signature).is_ok()),
        );
    }
    verify_dsa(key, algorithm, message, signature)
}

/// An algorithm that is tried so often and no more, with all others that share `left`.
#[derive(Debug)]
pub(super) struct Limited<'a> {
    algorithm: &'a dyn SignatureVerificationAlgorithm,
    left: &'a AtomicU32,
}

impl<'a> Limited<'a> {
    /// All of these; `left`: how often any of them is tried.
    pub(super) fn all(
        algorithms: &[&'a dyn SignatureVerificationAlgorithm],
        left: &'a AtomicU32,
    ) -> Vec<Self> {
        algorithms.iter().map(|algorithm| Self { algorithm: *algorithm, left }).collect()
    }
}

impl SignatureVerificationAlgorithm for Limited<'_> {
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature_alg_id()
    }

    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let left = self.left.load(Ordering::Relaxed);
        self.left.store(left.saturating_sub(1), Ordering::Relaxed);
        if left == 0 {
            Err(InvalidSignature)
        } else {
            self.algorithm.verify_signature(key, message, signature)
        }
    }
}

/// An algorithm that no validation should accept.
struct Weak {
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    scheme: Scheme,
}

enum Scheme {
    /// PKCS #1 1.5, with keys of any length.
    Rsa(Hash),
    Library(&'static dyn VerificationAlgorithm),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hash {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// DER of an identifier of PKCS #1, with parameters of NULL.
macro_rules! pkcs1 {
    ($number:literal) => {
        AlgorithmIdentifier::from_slice(&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, $number, 5, 0])
    };
}

const ECDSA_SHA1: AlgorithmIdentifier =
    AlgorithmIdentifier::from_slice(&[6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1]);
const ECDSA_SHA224: AlgorithmIdentifier =
    AlgorithmIdentifier::from_slice(&[6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 1]);

static WEAK: [Weak; 10] = [
    rsa(pkcs1!(4), Hash::Md5),
    rsa(pkcs1!(5), Hash::Sha1),
    rsa(pkcs1!(14), Hash::Sha224),
    rsa(alg_id::RSA_PKCS1_SHA256, Hash::Sha256),
    rsa(alg_id::RSA_PKCS1_SHA384, Hash::Sha384),
    rsa(alg_id::RSA_PKCS1_SHA512, Hash::Sha512),
    ecdsa(alg_id::ECDSA_P256, ECDSA_SHA1, &ECDSA_P256_SHA1_ASN1),
    ecdsa(alg_id::ECDSA_P521, ECDSA_SHA1, &ECDSA_P521_SHA1_ASN1),
    ecdsa(alg_id::ECDSA_P521, ECDSA_SHA224, &ECDSA_P521_SHA224_ASN1),
    ecdsa(alg_id::ECDSA_P256K1, alg_id::ECDSA_SHA256, &ECDSA_P256K1_SHA256_ASN1),
];

const fn rsa(signature: AlgorithmIdentifier, hash: Hash) -> Weak {
    Weak { key: alg_id::RSA_ENCRYPTION, signature, scheme: Scheme::Rsa(hash) }
}

const fn ecdsa(
    key: AlgorithmIdentifier,
    signature: AlgorithmIdentifier,
    library: &'static dyn VerificationAlgorithm,
) -> Weak {
    Weak { key, signature, scheme: Scheme::Library(library) }
}

impl fmt::Debug for Weak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Weak").field("signature", &self.signature).finish_non_exhaustive()
    }
}

impl SignatureVerificationAlgorithm for Weak {
    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.key
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.signature
    }

    fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        if self.verify(key, message, signature) == Some(true) { Ok(()) } else { Err(InvalidSignature) }
    }
}

impl Weak {
    /// None where it would take too long.
    fn verify(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
        match &self.scheme {
            Scheme::Rsa(hash) => verify_rsa(key, *hash, message, signature),
            Scheme::Library(library) => {
                Some(UnparsedPublicKey::new(*library, key).verify(message, signature).is_ok())
            }
        }
    }
}

impl Hash {
    fn digest(self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Md5 => Md5::digest(message).to_vec(),
            Self::Sha1 => Sha1::digest(message).to_vec(),
            Self::Sha224 => Sha224::digest(message).to_vec(),
            Self::Sha256 => Sha256::digest(message).to_vec(),
            Self::Sha384 => Sha384::digest(message).to_vec(),
            Self::Sha512 => Sha512::digest(message).to_vec(),
        }
    }

    /// What the library knows of RSA with it, and the bits of the shortest modulus that it takes.
    fn known_rsa(self) -> Option<(&'static dyn VerificationAlgorithm, i32)> {
        match self {
            Self::Md5 | Self::Sha224 => None,
            Self::Sha1 => Some((&RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY, 1024)),
            Self::Sha256 => Some((&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, 1024)),
            Self::Sha384 => Some((&RSA_PKCS1_2048_8192_SHA384, 2048)),
            Self::Sha512 => Some((&RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY, 1024)),
        }
    }

    /// DER of its identifier.
    fn identifier(self) -> &'static [u8] {
        match self {
            Self::Md5 => &[6, 8, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5],
            Self::Sha1 => &[6, 5, 0x2b, 0x0e, 3, 2, 0x1a],
            Self::Sha224 => &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 4],
            Self::Sha256 => &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1],
            Self::Sha384 => &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2],
            Self::Sha512 => &[6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3],
        }
    }
}

/// RSASSA-PKCS1-v1_5 (RFC 8017, 8.2.2): by the library where it takes the key, else by our own means, which know all hashes
/// and lengths and are slow. None where neither takes it. Keys are public and nothing is secret, so it need not take the same
/// time always.
fn verify_rsa(key: &[u8], hash: Hash, message: &[u8], signature: &[u8]) -> Option<bool> {
    const LONGEST: (i32, i32) = (8192, 33);
    let RsaKey { modulus, exponent } = RsaKey::read(key)?;
    let (bits, exponent_bits) = (key::bit_length(modulus)?, key::bit_length(exponent)?);
    if modulus.last()? & 1 == 0 || bits > LONGEST.0 || exponent_bits > LONGEST.1 {
        return None;
    }
    if signature.len() != modulus.len() {
        return Some(false);
    }
    let known = hash.known_rsa().filter(|(_, shortest)| bits >= *shortest);
    if let Some((library, _)) = known
        && UnparsedPublicKey::new(library, key).verify(message, signature).is_ok()
    {
        return Some(true);
    }
    // It is stricter about the encoding of keys and of what was signed.
    let words = modulus.len().div_ceil(size_of::<u64>());
    if words * words * usize::try_from(exponent_bits).ok()? > MAX_WORK {
        return known.map(|_| false);
    }
    let length = modulus.len();
    let modulus = BigUint::from_bytes_be(modulus);
    let signature = BigUint::from_bytes_be(signature);
    if signature >= modulus {
        return Some(false);
    }
    let encoded = signature.modpow(&BigUint::from_bytes_be(exponent), &modulus).to_bytes_be();
    let digest = hash.digest(message);
    // Parameters of NULL should be there (RFC 8017, 9.2); some leave them out.
    let is_expected = |parameters: &[u8]| {
        expected(hash, parameters, &digest, length).is_some_and(|expected| {
            // A number has no zeros in front.
            expected.get(1..) == Some(&*encoded)
        })
    };
    Some(is_expected(&[5, 0]) || is_expected(&[]))
}

/// EMSA-PKCS1-v1_5: what a signature of `length` bytes is to unfold into.
fn expected(hash: Hash, parameters: &[u8], digest: &[u8], length: usize) -> Option<Vec<u8>> {
    let identifier = hash.identifier();
    let algorithm_length = identifier.len() + parameters.len();
    let info_length = 2 + algorithm_length + 2 + digest.len();
    let padding = length.checked_sub(3 + 2 + info_length).filter(|&padding| padding >= 8)?;
    let byte = |length: usize| u8::try_from(length).ok().filter(|&length| length < 0x80);
    let mut encoded = vec![0, 1];
    encoded.resize(2 + padding, 0xff);
    encoded.extend([0, tag::SEQUENCE, byte(info_length)?, tag::SEQUENCE, byte(algorithm_length)?]);
    encoded.extend_from_slice(identifier);
    encoded.extend_from_slice(parameters);
    encoded.extend([tag::OCTET_STRING, byte(digest.len())?]);
    encoded.extend_from_slice(digest);
    Some(encoded)
}

/// DSA (FIPS 186-4, 4.7).
fn verify_dsa(key: &PublicKey<'_>, algorithm: &[u8], message: &[u8], signature: &[u8]) -> Option<bool> {
    let hash = match &*key::algorithm(algorithm)?.0 {
        "1.2.840.10040.4.3" => Hash::Sha1,
        "2.16.840.1.101.3.4.3.1" => Hash::Sha224,
        "2.16.840.1.101.3.4.3.2" => Hash::Sha256,
        "2.16.840.1.101.3.4.3.3" => Hash::Sha384,
        "2.16.840.1.101.3.4.3.4" => Hash::Sha512,
        _ => return None,
    };
    let ("1.2.840.10040.4.1", parameters) =
        key::algorithm(key.algorithm).as_ref().map(|(dotted, rest)| (&**dotted, *rest))?
    else {
        return None;
    };
    let mut domain = Reader::new(parameters).next_if(tag::SEQUENCE)?.reader();
    let (prime, order, generator) = (number(&mut domain)?, number(&mut domain)?, number(&mut domain)?);
    let public = number(&mut Reader::new(key.bits))?;
    let mut pair = Reader::new(signature).next_if(tag::SEQUENCE)?.reader();
    let (r, s) = (number(&mut pair)?, number(&mut pair)?);
    let zero = BigUint::ZERO;
    let (max_prime, max_order) = MAX_DSA;
    if prime.bits() > max_prime || order.bits() > max_order || prime.bits() < 2 || order.bits() < 2 {
        return None;
    }
    if r == zero || s == zero || r >= order || s >= order || generator >= prime || public >= prime {
        return Some(false);
    }
    let Some(inverse) = s.modinv(&order) else { return Some(false) };
    let digest = hash.digest(message);
    let order_bytes = usize::try_from(order.bits().div_ceil(8)).ok()?;
    let mut digest_number = BigUint::from_bytes_be(digest.get(..order_bytes.min(digest.len()))?);
    let surplus = (8 * digest.len().min(order_bytes) as u64).saturating_sub(order.bits());
    digest_number >>= surplus;
    let first = generator.modpow(&(digest_number * &inverse % &order), &prime);
    let second = public.modpow(&(&r * inverse % &order), &prime);
    Some(first * second % prime % order == r)
}

/// The next number that is not negative.
fn number(reader: &mut Reader<'_>) -> Option<BigUint> {
    match der::integer(reader.next_if(tag::INTEGER)?.content)? {
        (magnitude, false) => Some(BigUint::from_bytes_be(magnitude)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &[u8] = include_bytes!("tests/rsa_sha1.der");

    /// DER of an element with a length of two bytes.
    fn element(tag: u8, content: &[u8]) -> Vec<u8> {
        [&[tag, 0x82][..], &(content.len() as u16).to_be_bytes(), content].concat()
    }

    /// RSAPublicKey with a modulus of so many bits.
    fn rsa_key(bits: usize, exponent: &[u8]) -> Vec<u8> {
        let mut modulus = vec![0xff; bits.div_ceil(8)];
        modulus[0] = 0xff >> (8 * modulus.len() - bits);
        modulus.insert(0, 0);
        element(tag::SEQUENCE, &[element(tag::INTEGER, &modulus), element(tag::INTEGER, exponent)].concat())
    }

    #[test]
    fn what_would_take_long_is_not_said() {
        const F4: &[u8] = &[1, 0, 1];
        const LONG: &[u8] = &[1, 0, 0, 0, 1];
        for (hash, bits, exponent, expected) in [
            (Hash::Md5, 512, F4, Some(false)),
            (Hash::Md5, 4096, F4, Some(false)),
            (Hash::Md5, 4097, F4, None),
            (Hash::Md5, 2048, LONG, Some(false)),
            (Hash::Md5, 4096, LONG, None),
            // The library takes these.
            (Hash::Sha1, 4097, F4, Some(false)),
            (Hash::Sha256, 8192, LONG, Some(false)),
            (Hash::Sha256, 8193, F4, None),
            (Hash::Sha256, 2048, &[1, 0, 0, 0, 0, 1], None),
        ] {
            let signature = vec![1; usize::div_ceil(bits, 8)];
            let found = verify_rsa(&rsa_key(bits, exponent), hash, b"", &signature);
            assert_eq!(found, expected, "{hash:?} {bits} {exponent:?}");
        }
    }

    #[test]
    fn an_algorithm_is_tried_so_often_and_no_more() {
        let mut certificate = Reader::new(ROOT).element().unwrap().reader();
        let signed = certificate.element().unwrap();
        certificate.element();
        let signature = certificate.element().unwrap().bits().unwrap().0;
        let parts = crate::x509::wire::read(ROOT, &mut Default::default());
        let key = PublicKey::read(parts.key.unwrap()).unwrap();
        let (left, weak) = (AtomicU32::new(2), &WEAK[1] as &dyn SignatureVerificationAlgorithm);
        let limited = Limited::all(&[weak, weak], &left);
        let found: Vec<bool> = limited
            .iter()
            .cycle()
            .take(4)
            .map(|one| one.verify_signature(key.bits, signed.whole, signature).is_ok())
            .collect();
        assert_eq!(found, [true, true, false, false]);
    }
}
