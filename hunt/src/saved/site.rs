//! What a site says about the hunts in a file of its own: values for parameters, and what it does not want to see.
//!
//! ```toml
//! [params]                              # for every hunt that has the parameter
//! domains = ["example.com", "example.net"]
//!
//! [params.http-agents-not-approved]     # for one hunt
//! agents = ["Mozilla/5.0 (%", "Company Updater/%"]
//!
//! [[exclude]]
//! hunt = "dns-long-names"               # or "*": all that read a table with the column
//! column = "query"
//! like = "%.cdn.example.net"            # or equals = …, or subnet = "10.9.0.0/16"; each one or a list
//! why = "our content network"
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use toml::Value;

use super::exclude::{self, EVERY};
use super::library::Library;
use super::{nearest, toml_error};

pub use super::exclude::Exclusion;

/// The file that is looked for beside a lake.
const FILE_NAME: &str = "hunt-site.toml";

/// A site's parameters and exclusions.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    #[serde(default)]
    params: BTreeMap<String, Value>,
    #[serde(default, rename = "exclude")]
    pub(super) exclusions: Vec<Exclusion>,
}

impl Site {
    /// The file that is named, else the one beside the lake, else nothing at all; checked against the hunts there are.
    pub fn find(named: Option<&Path>, lake: &Path, library: &Library) -> Result<Self> {
        let beside = lake.canonicalize().ok().and_then(|lake| Some(lake.parent()?.join(FILE_NAME)));
        let path = match (named, &beside) {
            (Some(path), _) => path,
            (None, Some(path)) if path.is_file() => path,
            _ => return Ok(Self::default()),
        };
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text, library).with_context(|| path.display().to_string())
    }

    /// Reads the text of a file; whatever it names must be known.
    pub fn parse(text: &str, library: &Library) -> Result<Self> {
        let site: Self = toml::from_str(text).map_err(|error| toml_error(&error, text))?;
        for (name, value) in &site.params {
            site.check_param(name, value, library)?;
        }
        for exclusion in &site.exclusions {
            exclusion.check()?;
            if exclusion.hunt == EVERY {
                continue;
            }
            let hunt = library.hunt(&exclusion.hunt)?;
            let places = hunt.places();
            if places.is_empty() {
                bail!("hunt '{}' has no place for exclusions ({{{{exclude TABLE}}}} in its SQL)", hunt.name);
            }
            let mut known = Vec::new();
            for place in &places {
                known.extend(exclude::columns(&exclude::known_table(place)?.fields, ""));
            }
            if !known.contains(&exclusion.column) {
                let near = nearest(&exclusion.column, known.iter().map(String::as_str));
                bail!(
                    "hunt '{}' reads {}, which has no column '{}'{near}",
                    hunt.name,
                    places.join(" and "),
                    exclusion.column
                );
            }
        }
        Ok(site)
    }

    fn check_param(&self, name: &str, value: &Value, library: &Library) -> Result<()> {
        if let Value::Table(of_hunt) = value {
            let hunt = library.hunt(name)?;
            for (name, value) in of_hunt {
                hunt.kind(name)?.check(name, value)?;
            }
            return Ok(());
        }
        let mut is_known = false;
        for hunt in library.hunts() {
            if let Some((_, param)) = hunt.params.iter().find(|(known, _)| known == name) {
                is_known = true;
                param.kind.check(name, value).with_context(|| format!("hunt '{}'", hunt.name))?;
            }
        }
        if !is_known {
            let known =
                library.hunts().iter().flat_map(|hunt| hunt.params.iter().map(|(name, _)| name.as_str()));
            bail!("no hunt has a parameter '{name}'{}", nearest(name, known));
        }
        Ok(())
    }

    /// The value of a parameter, that of the hunt before that of all.
    pub(super) fn param(&self, hunt: &str, name: &str) -> Option<&Value> {
        let of_hunt =
            self.params.get(hunt).and_then(|value| value.as_table()).and_then(|table| table.get(name));
        of_hunt.or_else(|| self.params.get(name).filter(|value| !value.is_table()))
    }
}
