//! From captures to a lake: where the command line hands over to the pipeline.

use anyhow::Result;

use crate::config::Replay;
use crate::counters::Report;
use crate::pipeline;
use crate::progress::Progress;

/// Reads the captures of `replay`, writes its lake, and says what was counted; `progress` hears of it meanwhile.
///
/// # Errors
/// A capture cannot be opened, or the lake cannot be written.
pub fn run(replay: &Replay, progress: &Progress) -> Result<Report> {
    pipeline::run(replay, progress)
}
