//! Whom servers' chains are to lead to: the roots of the web, and the user's own.

/// Roots that are trusted.
#[derive(Clone, Debug, Default)]
pub struct Roots {}

/// Why a file holds no roots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRoots {
    /// It is neither PEM nor DER, or holds something else.
    #[error("it holds no certificate")]
    None,
}

impl Roots {
    /// The same with those that a file (PEM or DER) holds.
    pub fn with(self, _file: &[u8]) -> Result<Self, NoRoots> {
        Ok(self)
    }
}
