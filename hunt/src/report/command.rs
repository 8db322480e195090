//! The command `report`.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::{Result, bail};
use clap::Args;

use super::Wanted;
use crate::cli::complain;
use crate::engine::Lake;
use crate::output::file::WholeFile;
use crate::saved::command::{IsBroken, Source};

/// The saved hunt, and the parameter of it, that say which top-level domains are suspicious.
const SUSPICIOUS: (&str, &str) = ("http-suspicious-tlds", "tlds");

/// Write one page of pictures for people who read no rows
#[derive(Debug, Args)]
pub(crate) struct Typed {
    #[command(flatten)]
    wanted: Wanted,
    #[command(flatten)]
    source: Source,
}

/// Writes the page; what could not be asked is told, and stands in the page.
pub(crate) fn write(typed: &Typed, lake: &Lake, output: Option<&Path>) -> Result<IsBroken> {
    if output.is_none() && io::stdout().is_terminal() {
        bail!("a page goes into a file: -o report.html");
    }
    let (library, site) = typed.source.open(lake.root())?;
    let (hunt, param) = SUSPICIOUS;
    let suspicious = library.hunt(hunt)?.texts(&site, param)?;
    let made = super::make(lake, &typed.wanted, &suspicious)?;
    for failure in &made.failed {
        complain(failure);
    }
    match output {
        Some(path) => {
            let mut file = WholeFile::create(path)?;
            file.write_all(made.html.as_bytes())?;
            file.finish()?;
        }
        None => io::stdout().lock().write_all(made.html.as_bytes())?,
    }
    Ok(!library.broken().is_empty() || !made.failed.is_empty())
}
