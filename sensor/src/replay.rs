//! From captures to a lake: where the command line hands over to the pipeline.

use anyhow::Result;

use crate::bench::Stage;
use crate::config::Replay;
use crate::counters::Report;
use crate::progress::Progress;

/// Reads the captures of `replay`, writes its lake, and says what was counted; `progress` hears of it meanwhile.
pub fn run(replay: &Replay, progress: &Progress) -> Result<Report> {
    until(Stage::All, replay, progress)
}

/// The same, with packets followed to a stage only. The seam of the pipeline: until it is joined here, nothing is read.
pub(crate) fn until(_stage: Stage, replay: &Replay, progress: &Progress) -> Result<Report> {
    for capture in &replay.captures {
        progress.begin(&capture.display().to_string());
    }
    Ok(Report::default())
}
