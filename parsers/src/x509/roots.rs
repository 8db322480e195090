//! Whom the chains of servers are to lead to: the roots of the web, and the user's own.

use std::collections::HashSet;
use std::fmt;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use sha2::{Digest, Sha256};

use crate::der::Reader;

/// Roots that are trusted.
#[derive(Clone, PartialEq, Eq)]
pub struct Roots {
    anchors: Vec<TrustAnchor<'static>>,
    /// Fingerprints of the user's own.
    own: HashSet<[u8; 32]>,
}

/// Why a file holds no roots.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoots {
    /// Neither PEM nor DER, or of something else.
    #[error("it holds no certificate, in PEM or DER")]
    Empty,
    /// PEM that cannot be read.
    #[error("its PEM is broken: {0}")]
    Pem(String),
    /// One of its certificates, counted from 1, cannot be trusted.
    #[error("certificate {0} of it cannot be read: {1}")]
    Certificate(usize, String),
}

impl Default for Roots {
    /// Those that Mozilla trusts for servers.
    fn default() -> Self {
        Self { anchors: webpki_roots::TLS_SERVER_ROOTS.to_vec(), own: HashSet::new() }
    }
}

impl Roots {
    /// The same with those that the content of a file holds: certificates in PEM, or one or more in DER.
    pub fn with(mut self, file: &[u8]) -> Result<Self, NoRoots> {
        let mut certificates = Vec::new();
        let text = file.trim_ascii_start();
        if memchr::memmem::find(text, b"-----BEGIN").is_some() {
            for certificate in CertificateDer::pem_slice_iter(text) {
                certificates.push(certificate.map_err(|error| NoRoots::Pem(error.to_string()))?);
            }
        } else {
            let mut reader = Reader::new(file);
            while let Some(element) = reader.element() {
                certificates.push(CertificateDer::from(element.whole));
            }
            if !reader.is_empty() && !certificates.is_empty() {
                return Err(NoRoots::Certificate(certificates.len() + 1, "it is cut short".to_owned()));
            }
        }
        if certificates.is_empty() {
            return Err(NoRoots::Empty);
        }
        for (at, certificate) in certificates.iter().enumerate() {
            let anchor = webpki::anchor_from_trusted_cert(certificate)
                .map_err(|error| NoRoots::Certificate(at + 1, error.to_string()))?;
            self.anchors.push(anchor.to_owned());
            self.own.insert(Sha256::digest(certificate).into());
        }
        Ok(self)
    }

    /// All of them.
    pub(super) fn anchors(&self) -> &[TrustAnchor<'static>] {
        &self.anchors
    }

    /// Whether a certificate is one of the user's own, by its SHA-256.
    pub(super) fn is_own(&self, fingerprint: &[u8; 32]) -> bool {
        self.own.contains(fingerprint)
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roots").field("anchors", &self.anchors.len()).field("own", &self.own.len()).finish()
    }
}
