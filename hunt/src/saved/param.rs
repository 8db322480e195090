//! Parameters of a hunt: declared with a type and a default, given by a site.

use anyhow::{Result, anyhow, bail};
use serde::Deserialize;
use toml::Value;

use super::literal;

/// What a parameter is.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A list of texts.
    Texts,
    /// A list of networks; an address stands for itself.
    Subnets,
    /// A number.
    Number,
    /// A text.
    Text,
}

/// A parameter as a hunt declares it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Param {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// What it is for.
    pub about: String,
    /// What it is where a site does not say.
    pub default: Value,
}

/// A value of a parameter, of its type.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Checked {
    Texts(Vec<String>),
    Subnets(Vec<String>),
    Number(f64),
    Text(String),
}

impl Kind {
    /// What is expected, in words.
    fn name(self) -> &'static str {
        match self {
            Self::Texts => "a list of texts",
            Self::Subnets => "a list of networks",
            Self::Number => "a number",
            Self::Text => "a text",
        }
    }

    /// The value, if it is of this type.
    pub(super) fn check(self, name: &str, value: &Value) -> Result<Checked> {
        let wrong = || anyhow!("parameter '{name}' is {}, not {value}", self.name());
        let texts = || {
            let entries = value.as_array().ok_or_else(wrong)?;
            entries
                .iter()
                .map(|entry| entry.as_str().map(str::to_owned).ok_or_else(wrong))
                .collect::<Result<Vec<_>>>()
        };
        Ok(match self {
            Self::Texts => Checked::Texts(texts()?),
            Self::Subnets => {
                let networks = texts()?;
                for network in &networks {
                    literal::network(network).map_err(|error| anyhow!("parameter '{name}': {error}"))?;
                }
                Checked::Subnets(networks)
            }
            #[expect(clippy::cast_precision_loss, reason = "a number that somebody wrote by hand")]
            Self::Number => {
                let number = value.as_float().or_else(|| value.as_integer().map(|number| number as f64));
                let number = number.ok_or_else(wrong)?;
                if !number.is_finite() {
                    bail!("parameter '{name}' is {}, not {value}", self.name());
                }
                Checked::Number(number)
            }
            Self::Text => Checked::Text(value.as_str().ok_or_else(wrong)?.to_owned()),
        })
    }
}
