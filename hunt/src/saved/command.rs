//! The commands about saved hunts: `list`, `show` and `notebooks`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use clap::{Args, ValueHint};

use super::{Hunt, Library, Site, library, notebooks};
use crate::cli::complain;

/// Where hunts come from, and what a site says about them.
#[derive(Clone, Debug, Args)]
pub(crate) struct Source {
    /// A folder of hunts of your own, also several
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    hunts: Vec<PathBuf>,
    /// Parameters and exclusions of the site [default: hunt-site.toml beside the lake, if there is one]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    site: Option<PathBuf>,
}

/// List the saved hunts
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    source: Source,
}

/// Show what a hunt asks, why, and what a hit means
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The hunt
    name: String,
    /// Only the SQL, with the site's parameters and exclusions in it
    #[arg(long)]
    sql: bool,
    #[command(flatten)]
    source: Source,
}

/// Write the hunts as notebooks for Jupyter (PySpark, DuckDB) and Zeppelin
#[derive(Debug, Args)]
pub(crate) struct Notebooks {
    #[command(flatten)]
    source: Source,
}

impl Source {
    /// The hunts there are, and the site; a hunt that cannot be read is told, and the others go on.
    pub(crate) fn open(&self, lake: &Path) -> Result<(Library, Site)> {
        let library = library(&self.hunts);
        for error in library.broken() {
            complain(&format!("{error:#}"));
        }
        let site = Site::find(self.site.as_deref(), lake, &library)?;
        Ok((library, site))
    }
}

/// Whether some hunt could not be read.
pub(crate) type IsBroken = bool;

/// A line a hunt.
pub(crate) fn list(typed: &List, lake: &Path) -> Result<IsBroken> {
    let (library, _) = typed.source.open(lake)?;
    let width = library.hunts().iter().map(|hunt| hunt.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for hunt in library.hunts() {
        text.push_str(&format!("{:width$}  {:9}  {}\n", hunt.name, hunt.technique, hunt.title));
    }
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(!library.broken().is_empty())
}

/// All that is known of a hunt.
pub(crate) fn show(typed: &Show, lake: &Path) -> Result<IsBroken> {
    let (library, site) = typed.source.open(lake)?;
    let hunt = library.hunt(&typed.name)?;
    let sql = hunt.sql(&site)?;
    let text = if typed.sql { format!("{sql}\n") } else { told(hunt, &site, &sql) };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(!library.broken().is_empty())
}

fn told(hunt: &Hunt, site: &Site, sql: &str) -> String {
    let mut text = format!(
        "{} ({}, ATT&CK {})\n\n{}\n\nA hit: {}\nNot every hit is one: {}\nTables: {}\n",
        hunt.title,
        hunt.topic,
        hunt.technique,
        hunt.why,
        hunt.hit,
        hunt.false_positives,
        hunt.tables.join(", ")
    );
    for (name, param) in &hunt.params {
        let value = site.param(&hunt.name, name);
        let whose = if value.is_some() { ", by the site" } else { "" };
        text.push_str(&format!(
            "Parameter {name}{whose}: {}; {}\n",
            value.unwrap_or(&param.default),
            param.about
        ));
    }
    text.push_str(&format!("\n{sql}\n"));
    text
}

/// Writes the notebooks into a folder, and says so.
pub(crate) fn write_notebooks(typed: &Notebooks, folder: Option<&Path>, lake: &Path) -> Result<IsBroken> {
    let Some(folder) = folder else { bail!("notebooks go into a folder: -o DIR") };
    let (library, site) = typed.source.open(lake)?;
    let files = notebooks::write(folder, &library, &site, &lake.to_string_lossy())?;
    writeln!(io::stdout(), "{} files in {}", files.len(), folder.display())?;
    Ok(!library.broken().is_empty())
}
