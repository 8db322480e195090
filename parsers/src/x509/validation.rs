//! Whether the chain of a server leads to somebody who is trusted (RFC 5280, 6).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use schemas::envelope::{Microseconds, Nanoseconds};
use smallvec::SmallVec;
use webpki::{EndEntityCert, Error, KeyUsage};

use super::certificate::Certificate;
use super::roots::Roots;
use super::signature::{self, Limited};

/// Most certificates of a chain that a path is looked for among.
pub(super) const MAX_PATH: usize = 16;

/// Certificates of one subject that a path is looked for among: servers send one that two authorities have signed. Paths
/// double with each, and names that are all the same would make thousands of them.
const MAX_OF_A_SUBJECT: usize = 2;

/// Signatures that are verified for an answer. A chain of six, each verified by strong and by weak algorithms, takes twelve.
const MAX_SIGNATURES: u32 = 24;

/// All answers, with what they mean; of several things that are wrong the first one that is found is told.
pub const STATUSES: [(&str, &str); 18] = [
    (OK, "the chain leads to a trusted root"),
    (EXPIRED, "a certificate was no longer valid"),
    (NOT_YET_VALID, "a certificate was not valid yet"),
    (SELF_SIGNED, "the server's certificate is signed by its own key, and not one of the user's roots"),
    (SELF_SIGNED_IN_CHAIN, "the chain leads to a certificate that is signed by its own key, and not trusted"),
    (UNKNOWN_ISSUER, "the chain leads to nobody who is trusted"),
    (BAD_SIGNATURE, "a signature is wrong"),
    (WEAK_SIGNATURE, "all is well but for a signature with MD5 or SHA-1, or of a short RSA key"),
    (UNSUPPORTED_SIGNATURE, "a signature of an algorithm that is not known here"),
    (DISTRUSTED, "a certificate of an authority that is no longer trusted"),
    (NOT_FOR_SERVERS, "a certificate is for other purposes than servers"),
    (CA_AS_SERVER, "the server's certificate is that of an authority"),
    (NOT_A_CA, "an issuer may not issue certificates"),
    (PATH_TOO_LONG, "an issuer may not issue certificates of other issuers"),
    (NAME_NOT_ALLOWED, "an issuer may not issue certificates for this name"),
    (UNSUPPORTED_EXTENSION, "a critical extension that is not known here"),
    (
        MALFORMED,
        "a certificate breaks rules so that it is not looked at any further, or is of an old version",
    ),
    (TOO_COMPLEX, "there are too many ways through the chain"),
];

pub(super) const OK: &str = "ok";
pub(super) const EXPIRED: &str = "expired";
pub(super) const NOT_YET_VALID: &str = "not yet valid";
pub(super) const SELF_SIGNED: &str = "self-signed";
pub(super) const SELF_SIGNED_IN_CHAIN: &str = "self-signed in chain";
pub(super) const UNKNOWN_ISSUER: &str = "unknown issuer";
pub(super) const BAD_SIGNATURE: &str = "bad signature";
pub(super) const WEAK_SIGNATURE: &str = "weak signature";
pub(super) const UNSUPPORTED_SIGNATURE: &str = "unsupported signature";
pub(super) const DISTRUSTED: &str = "distrusted";
pub(super) const NOT_FOR_SERVERS: &str = "not for servers";
pub(super) const CA_AS_SERVER: &str = "CA as server";
pub(super) const NOT_A_CA: &str = "not a CA";
pub(super) const PATH_TOO_LONG: &str = "path too long";
pub(super) const NAME_NOT_ALLOWED: &str = "name not allowed";
pub(super) const UNSUPPORTED_EXTENSION: &str = "unsupported extension";
pub(super) const MALFORMED: &str = "malformed";
pub(super) const TOO_COMPLEX: &str = "too complex";

/// Where a time lies to the validity of a certificate. All that an answer has of time is this, for each certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Before = 0,
    Within = 1,
    After = 2,
    /// Its validity is not known.
    Unknown = 3,
}

impl Moment {
    /// Of `now`; a certificate is valid to the end of its last second.
    pub(super) fn of(certificate: &Certificate, now: Nanoseconds) -> Self {
        const SECOND: Microseconds = 1_000_000;
        let second = |microseconds: Microseconds| microseconds.div_euclid(SECOND);
        let (Some(from), Some(to)) = (certificate.not_before, certificate.not_after) else {
            return Self::Unknown;
        };
        let now = now_in_seconds(now).cast_signed();
        if now < second(from) {
            Self::Before
        } else if now > second(to) {
            Self::After
        } else {
            Self::Within
        }
    }
}

/// Seconds since 1970, before which nothing can be validated.
fn now_in_seconds(now: Nanoseconds) -> u64 {
    u64::try_from(now.div_euclid(1_000_000_000)).unwrap_or(0)
}

/// The answer for a chain, leaf first, at the time `now`.
pub(super) fn validate(
    chain: &[&[u8]],
    certificates: &[Arc<Certificate>],
    now: Nanoseconds,
    roots: &Roots,
) -> &'static str {
    let (Some((leaf, others)), Some(read)) = (chain.split_first(), certificates.first()) else {
        return UNKNOWN_ISSUER;
    };
    if roots.is_own(&read.fingerprint) {
        // One that is trusted itself needs nobody else.
        return match Moment::of(read, now) {
            Moment::Before => NOT_YET_VALID,
            Moment::Within => OK,
            Moment::After => EXPIRED,
            Moment::Unknown => MALFORMED,
        };
    }
    if read.self_signed == Some(true) {
        return SELF_SIGNED;
    }
    let leaf = CertificateDer::from(*leaf);
    let (others, is_complex) = selected(others, certificates.get(1..).unwrap_or_default());
    let leaf = match EndEntityCert::try_from(&leaf) {
        Ok(leaf) => leaf,
        Err(error) => return status(&error),
    };
    let time = UnixTime::since_unix_epoch(Duration::from_secs(now_in_seconds(now)));
    let left = AtomicU32::new(MAX_SIGNATURES);
    let verify = |algorithms: &[&dyn SignatureVerificationAlgorithm]| {
        let limited = Limited::all(algorithms, &left);
        let algorithms: Vec<&dyn SignatureVerificationAlgorithm> =
            limited.iter().map(|algorithm| algorithm as &dyn SignatureVerificationAlgorithm).collect();
        leaf.verify_for_usage(
            &algorithms,
            roots.anchors(),
            &others,
            time,
            KeyUsage::server_auth(),
            None,
            None,
        )
        .map(|_| ())
    };
    let error = match verify(signature::STRONG) {
        Ok(()) => return OK,
        Err(error) => error,
    };
    let error = if matches!(status(&error), BAD_SIGNATURE | UNSUPPORTED_SIGNATURE) {
        match verify(&signature::ALL) {
            Ok(()) => return WEAK_SIGNATURE,
            Err(error) => error,
        }
    } else {
        error
    };
    if left.load(Ordering::Relaxed) == 0 {
        return TOO_COMPLEX;
    }
    let is_self_signed = |certificate: &Arc<Certificate>| certificate.self_signed == Some(true);
    match status(&error) {
        UNKNOWN_ISSUER if certificates.iter().take(MAX_PATH).any(is_self_signed) => SELF_SIGNED_IN_CHAIN,
        UNKNOWN_ISSUER if is_complex => TOO_COMPLEX,
        other => other,
    }
}

/// The certificates that a path is looked for among, each once, and whether there are more of a subject.
fn selected<'a>(
    others: &[&'a [u8]],
    read: &[Arc<Certificate>],
) -> (SmallVec<[CertificateDer<'a>; MAX_PATH]>, bool) {
    let (mut chosen, mut is_complex) = (SmallVec::new(), false);
    let mut known: SmallVec<[&Certificate; MAX_PATH]> = SmallVec::new();
    // No more of them: what is remembered of a chain goes by these.
    for (der, certificate) in others.iter().zip(read).take(MAX_PATH - 1) {
        if known.iter().any(|other| other.fingerprint == certificate.fingerprint) {
            continue;
        }
        let of_subject = known.iter().filter(|other| other.subject == certificate.subject).count();
        if of_subject >= MAX_OF_A_SUBJECT {
            is_complex = true;
            continue;
        }
        known.push(certificate);
        chosen.push(CertificateDer::from(*der));
    }
    (chosen, is_complex)
}

/// What is said of an error.
fn status(error: &Error) -> &'static str {
    match error {
        Error::CertExpired { .. } => EXPIRED,
        Error::CertNotValidYet { .. } => NOT_YET_VALID,
        Error::UnknownIssuer => UNKNOWN_ISSUER,
        Error::InvalidSignatureForPublicKey => BAD_SIGNATURE,
        Error::UnsupportedSignatureAlgorithmContext(_)
        | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => UNSUPPORTED_SIGNATURE,
        Error::CertDistrusted => DISTRUSTED,
        Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => NOT_FOR_SERVERS,
        Error::CaUsedAsEndEntity => CA_AS_SERVER,
        Error::EndEntityUsedAsCa => NOT_A_CA,
        Error::PathLenConstraintViolated => PATH_TOO_LONG,
        Error::NameConstraintViolation => NAME_NOT_ALLOWED,
        Error::UnsupportedCriticalExtension => UNSUPPORTED_EXTENSION,
        Error::MaximumPathBuildCallsExceeded
        | Error::MaximumPathDepthExceeded
        | Error::MaximumSignatureChecksExceeded
        | Error::MaximumNameConstraintComparisonsExceeded => TOO_COMPLEX,
        _ => MALFORMED,
    }
}
