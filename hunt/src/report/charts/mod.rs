//! The charts of the report by topic; `question::QUESTIONS` lists them.

pub(super) mod files;
pub(super) mod names;
pub(super) mod sensor;
pub(super) mod signals;
pub(super) mod strength;
pub(super) mod traffic;
