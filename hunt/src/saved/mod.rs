//! Saved hunts: questions in SQL with what they mean, their parameters, and what a site leaves out of them. Nothing here
//! reads a lake: the text that comes out is the same for the embedded engine, DuckDB and Spark.

pub(crate) mod command;
mod exclude;
mod hunt;
mod library;
pub(crate) mod literal;
pub mod notebooks;
mod param;
mod site;
mod template;

#[cfg(test)]
mod tests;

pub(crate) use exclude::columns;
pub use hunt::{Finds, Hunt};
pub use library::{Library, library};
pub use param::{Kind, Param};
pub use site::{Exclusion, Site};

/// `; did you mean 'x'?` with the known name that is nearest, if one is near at all.
fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    known
        .into_iter()
        .map(|known| (strsim::osa_distance(name, known), known))
        .filter(|(distance, known)| *distance <= 1 + name.len().min(known.len()) / 5)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, known)| format!("; did you mean '{known}'?"))
        .unwrap_or_default()
}

/// An error of a TOML file in one line, with the line it is in.
fn toml_error(error: &toml::de::Error, text: &str) -> anyhow::Error {
    let line =
        error.span().and_then(|span| text.get(..span.start)).map(|before| before.matches('\n').count() + 1);
    let what = error.message().replace('\n', " ");
    match line {
        Some(line) => anyhow::anyhow!("line {line}: {what}"),
        None => anyhow::anyhow!("{what}"),
    }
}
