//! From captures to a lake: where the command line hands over to the pipeline.

use anyhow::Result;

use crate::bench::Stage;
use crate::config::Replay;
use crate::counters::Report;
use crate::pipeline;
use crate::progress::Progress;

/// Reads the captures of `replay`, writes its lake, and says what was counted; `progress` hears of it meanwhile.
///
/// # Errors
/// A capture cannot be opened, or the lake cannot be written.
pub fn run(replay: &Replay, progress: &Progress) -> Result<Report> {
    until(Stage::All, replay, progress)
}

/// The same, with packets followed to a stage only.
pub(crate) fn until(stage: Stage, replay: &Replay, progress: &Progress) -> Result<Report> {
    match stage {
        Stage::Walk => pipeline::walk(replay, false),
        Stage::Decode => pipeline::walk(replay, true),
        Stage::Flows => pipeline::follow(replay),
        Stage::All => pipeline::run(replay, progress),
    }
}
