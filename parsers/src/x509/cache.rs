//! What a worker remembers of certificates: those that it has read.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::certificate::Certificate;

/// The certificates that a worker has seen lately.
#[derive(Debug, Default)]
pub struct Certificates {
    read: HashMap<[u8; 32], Arc<Certificate>>,
}

impl Certificates {
    /// A certificate, read only where it is new.
    pub(super) fn read(&mut self, der: &[u8]) -> Arc<Certificate> {
        let fingerprint: [u8; 32] = Sha256::digest(der).into();
        self.read.entry(fingerprint).or_insert_with(|| Arc::new(Certificate::read(der))).clone()
    }
}
