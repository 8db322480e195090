//! Errors of usage in one line: what is wrong, and what to write instead.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// What clap found wrong with the arguments, as one line without the program's name.
pub(crate) fn line(error: &clap::Error) -> String {
    let said = |kind| error.get(kind).map(strings).and_then(|values| values.into_iter().next());
    let option = said(ContextKind::InvalidArg).map(|option| bare(&option).to_owned());
    let hint = |found: Option<String>| found.map(|near| format!("; did you mean '{near}'?"));
    match (error.kind(), option) {
        (ErrorKind::UnknownArgument, Some(option)) if option.starts_with('-') && option != "-" => {
            let hint = hint(said(ContextKind::SuggestedArg).map(|near| bare(&near).to_owned()));
            let hint = hint.unwrap_or_else(|| "; `--help` lists them".to_owned());
            format!("unknown option '{option}'{hint}")
        }
        (ErrorKind::UnknownArgument, Some(extra)) => {
            format!("one argument too many: '{extra}'; see `--help`")
        }
        (ErrorKind::InvalidSubcommand, _) => {
            let command = said(ContextKind::InvalidSubcommand).unwrap_or_default();
            let hint = hint(said(ContextKind::SuggestedSubcommand));
            format!(
                "unknown command '{command}'{}",
                hint.unwrap_or_else(|| "; `--help` lists them".to_owned())
            )
        }
        (ErrorKind::MissingSubcommand, _) => "no command; `spanlake --help` lists them".to_owned(),
        (ErrorKind::MissingRequiredArgument, Some(option)) => {
            format!("{} is missing; see `--help`", option.trim_start_matches('<').replace(">...", ""))
        }
        (_, Some(option)) => match reason(error) {
            Some(reason) => format!("{option}: {reason}"),
            None => first_line(error),
        },
        _ => first_line(error),
    }
}

/// What is wrong with the value of one option, without the option's name.
pub(crate) fn reason(error: &clap::Error) -> Option<String> {
    let values = |kind| error.get(kind).map(strings).unwrap_or_default();
    let value = values(ContextKind::InvalidValue).into_iter().next().unwrap_or_default();
    match error.kind() {
        ErrorKind::InvalidValue if value.is_empty() => Some("a value is missing".to_owned()),
        ErrorKind::InvalidValue => {
            let known = values(ContextKind::ValidValue).join(", ");
            let near = values(ContextKind::SuggestedValue).into_iter().next();
            let near = near.map(|near| format!("; did you mean '{near}'?")).unwrap_or_default();
            Some(format!("'{value}' is not one of {known}{near}"))
        }
        ErrorKind::ValueValidation => std::error::Error::source(error).map(ToString::to_string),
        ErrorKind::ArgumentConflict => Some("it was given twice".to_owned()),
        ErrorKind::TooManyValues => Some(format!("it takes no value, but was given '{value}'")),
        _ => None,
    }
}

/// The nearest of the names that are known.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known.into_iter().min_by_key(|candidate| strsim::damerau_levenshtein(name, candidate))
}

/// `--lake` of `--lake <DIR>`.
fn bare(option: &str) -> &str {
    option.split([' ', '=', '[']).next().unwrap_or(option)
}

/// The texts of a value of an error's context.
fn strings(value: &ContextValue) -> Vec<String> {
    match value {
        ContextValue::Strings(values) => values.clone(),
        ContextValue::None => Vec::new(),
        value => vec![value.to_string()],
    }
}

/// What clap says first, without its `error: `.
fn first_line(error: &clap::Error) -> String {
    let text = error.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.trim_start_matches("error: ").to_owned()
}
