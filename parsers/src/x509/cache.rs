//! What a worker remembers of certificates and chains, so that those that are seen again cost little. No row depends on it.

use std::collections::HashMap;
use std::sync::Arc;

use schemas::envelope::Nanoseconds;
use sha2::{Digest, Sha256};

use super::certificate::Certificate;
use super::roots::Roots;
use super::validation::{MAX_PATH, Moment, validate};

/// Most certificates that are remembered.
pub const MAX_CERTIFICATES: usize = 8192;

/// Most bytes of memory that certificates are remembered in.
pub const MAX_BYTES: usize = 16 << 20;

/// Most chains whose answers are remembered.
pub const MAX_CHAINS: usize = 8192;

/// The certificates and chains that a worker has seen lately.
#[derive(Debug)]
pub struct Certificates {
    read: Recent<Arc<Certificate>>,
    answers: Recent<&'static str>,
}

impl Default for Certificates {
    fn default() -> Self {
        Self { read: Recent::new(MAX_CERTIFICATES, MAX_BYTES), answers: Recent::new(MAX_CHAINS, usize::MAX) }
    }
}

impl Certificates {
    /// A certificate, read only where it is new.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Arc<Certificate> {
        let fingerprint: [u8; 32] = Sha256::digest(bytes).into();
        if let Some(known) = self.read.get(&fingerprint) {
            return Arc::clone(known);
        }
        let read = Arc::new(Certificate::with_fingerprint(bytes, fingerprint));
        self.read.insert(fingerprint, Arc::clone(&read), read.held());
        read
    }

    /// The answer for a server's chain, validated only where it is new.
    pub(super) fn validate(
        &mut self,
        chain: &[&[u8]],
        certificates: &[Arc<Certificate>],
        now: Nanoseconds,
        roots: &Roots,
    ) -> &'static str {
        // All that the answer follows from, the roots apart, which stay the same.
        let mut key = Sha256::new();
        for certificate in certificates.iter().take(MAX_PATH) {
            key.update(certificate.fingerprint);
            key.update([Moment::of(certificate, now) as u8]);
        }
        let key: [u8; 32] = key.finalize().into();
        if let Some(answer) = self.answers.get(&key) {
            return answer;
        }
        let answer = validate(chain, certificates, now, roots);
        self.answers.insert(key, answer, 0);
        answer
    }

    /// How many certificates are remembered.
    pub fn len(&self) -> usize {
        self.read.young.len() + self.read.old.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory that they hold.
    pub fn held(&self) -> usize {
        self.read.held + self.read.old_held
    }
}

/// Values that were used lately, by a hash. Two generations: what is used comes into the young one; when that is full it
/// becomes the old one, and what of the old one was not used is forgotten.
#[derive(Debug)]
struct Recent<V> {
    young: HashMap<[u8; 32], (V, usize)>,
    old: HashMap<[u8; 32], (V, usize)>,
    /// What the young one holds.
    held: usize,
    /// What the old one held when it was young.
    old_held: usize,
    /// Of each generation.
    max_values: usize,
    max_held: usize,
}

impl<V> Recent<V> {
    /// Both generations hold so many values, and so many bytes as their values are said to hold.
    fn new(values: usize, held: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            held: 0,
            old_held: 0,
            max_values: (values / 2).max(1),
            max_held: held / 2,
        }
    }

    fn get(&mut self, key: &[u8; 32]) -> Option<&V> {
        if !self.young.contains_key(key) {
            let (value, held) = self.old.remove(key)?;
            self.insert(*key, value, held);
        }
        self.young.get(key).map(|(value, _)| value)
    }

    /// One that is larger than a generation is not kept.
    fn insert(&mut self, key: [u8; 32], value: V, held: usize) {
        let cost = held.saturating_add(size_of::<([u8; 32], V, usize)>());
        if self.young.len() >= self.max_values || self.held.saturating_add(cost) > self.max_held {
            self.old = std::mem::take(&mut self.young);
            self.old_held = std::mem::take(&mut self.held);
        }
        if cost <= self.max_held {
            self.held += cost;
            self.young.insert(key, (value, held));
        }
    }
}
