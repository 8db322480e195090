//! What the user decided about what is kept of what is read.

use std::sync::Arc;

use crate::content::coding::Limits;
use crate::content::digest::Hashes;
use crate::extract::Store;
use crate::x509::Roots;

/// The same for all sessions of a run.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Passwords are written as they are, not masked.
    pub passwords: bool,
    /// Hashes that files get.
    pub hashes: Hashes,
    /// How far content codings may unfold.
    pub decoding: Limits,
    /// Where files are kept; none: nowhere.
    pub store: Option<Arc<dyn Store>>,
    /// Nothing is read: streams are put in order and shown to nobody, datagrams are counted. For benchmarks.
    pub unread: bool,
    /// Whom chains of certificates are to lead to.
    pub roots: Arc<Roots>,
}
