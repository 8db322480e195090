//! What a certificate says, in the forms that rows want.

use schemas::envelope::Microseconds;

/// A certificate, read once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of the bytes as they were sent.
    pub fingerprint: [u8; 32],
    /// SHA-1 of the same.
    pub sha1: [u8; 20],
    /// MD5 of the same.
    pub md5: [u8; 16],
    /// 1, 2 or 3; none where it is something else.
    pub version: Option<u8>,
    /// Upper-case hex, `-` in front of a negative one.
    pub serial: Option<Box<str>>,
    /// RFC 4514 text.
    pub subject: Option<Box<str>>,
    /// RFC 4514 text.
    pub issuer: Option<Box<str>>,
    /// The most specific common name of the subject.
    pub subject_cn: Option<Box<[u8]>>,
    /// The most specific common name of the issuer.
    pub issuer_cn: Option<Box<[u8]>>,
    /// Begin of its validity.
    pub not_before: Option<Microseconds>,
    /// End of its validity.
    pub not_after: Option<Microseconds>,
    /// DNS names among the alternative names of the subject; none without that extension.
    pub san_dns: Option<Texts>,
    /// Mail addresses among them.
    pub san_email: Option<Texts>,
    /// URIs among them.
    pub san_uri: Option<Texts>,
    /// IP addresses among them, as text.
    pub san_ip: Option<Texts>,
    /// Subject and issuer are the same and its own key verifies its signature; none where they are the same and that
    /// cannot be said.
    pub self_signed: Option<bool>,
}

impl Certificate {
    /// Reads one; what cannot be read is left out.
    pub fn read(der: &[u8]) -> Self {
        use sha2::Digest;
        Self {
            fingerprint: sha2::Sha256::digest(der).into(),
            sha1: sha1::Sha1::digest(der).into(),
            md5: md5::Md5::digest(der).into(),
            ..Self::default()
        }
    }
}

/// A list of texts in one piece of memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts {
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

impl Texts {
    /// Appends one.
    pub(super) fn push(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(u32::try_from(self.bytes.len()).unwrap_or(u32::MAX));
    }

    /// All, in order; as they were sent, not escaped.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |&end| {
            let text = self.bytes.get(start..end as usize).unwrap_or_default();
            start = end as usize;
            text
        })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }
}
