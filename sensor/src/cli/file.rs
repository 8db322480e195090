//! The configuration file: TOML whose keys are the names of the options. Each becomes the default of its option, so
//! that a value is read, and refused, in one place only.

use std::any::TypeId;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Arg, ArgAction, Command};
use toml::de::{DeTable, DeValue};

use super::usage;
use super::values::Size;

/// Reads the file and makes its values the defaults of `whole`'s options, so that the command line wins. A key of
/// another command than the one that runs is checked like the rest.
pub(crate) fn defaults(path: &Path, mut whole: Command) -> Result<Command> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read the configuration {}", path.display()))?;
    let place = |span: Range<usize>| format!("{}, line {}", path.display(), line(&text, span.start));
    let table = DeTable::parse(&text).map_err(|error| {
        anyhow!("{}: {}", place(error.span().unwrap_or(0..0)), error.message().replace('\n', ", "))
    })?;
    for (key, value) in table.get_ref() {
        let name = key.get_ref().as_ref();
        let owners: Vec<(String, Arg)> = owners(&whole, name).collect();
        let Some((_, arg)) = owners.first() else {
            let near = usage::nearest(name, names(&whole)).unwrap_or_default();
            bail!("{}: unknown key '{name}'; did you mean '{near}'?", place(key.span()));
        };
        let values = values_of(arg, value.get_ref())
            .and_then(|values| check(arg, &values).map(|()| values))
            .map_err(|reason| anyhow!("{}: {name}: {reason}", place(value.span())))?;
        for (owner, arg) in &owners {
            let with_default = |arg: Arg| arg.default_values(values.clone()).hide_default_value(true);
            whole = if owner == whole.get_name() {
                whole.mut_arg(arg.get_id(), with_default)
            } else {
                whole.mut_subcommand(owner, |sub| sub.mut_arg(arg.get_id(), with_default))
            };
        }
    }
    Ok(whole)
}

/// The commands that know an option, by name, the program itself first.
fn owners(whole: &Command, name: &str) -> impl Iterator<Item = (String, Arg)> {
    std::iter::once(whole).chain(whole.get_subcommands()).filter_map(move |command| {
        let arg = command.get_arguments().find(|arg| is_key(arg) && arg.get_long() == Some(name));
        arg.map(|arg| (command.get_name().to_owned(), arg.clone()))
    })
}

/// The keys that a file may hold.
fn names(whole: &Command) -> impl Iterator<Item = &str> {
    std::iter::once(whole)
        .chain(whole.get_subcommands())
        .flat_map(Command::get_arguments)
        .filter(|arg| is_key(arg))
        .filter_map(Arg::get_long)
}

/// Whether an option may stand in a file: all but the file itself, help, and what takes a switch back.
fn is_key(arg: &Arg) -> bool {
    let own = matches!(
        arg.get_action(),
        ArgAction::Set | ArgAction::Append | ArgAction::SetTrue | ArgAction::Count
    );
    let name = arg.get_long().unwrap_or_default();
    own && name != "config" && !name.starts_with("no-")
}

/// What would stand on the command line for a value.
fn values_of(arg: &Arg, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let expected = |what: &str| Err(format!("{what} is expected, this is {}", kind(value)));
    let takes = |id: TypeId| arg.get_value_parser().type_id() == id;
    let number = takes(TypeId::of::<usize>()) || takes(TypeId::of::<u32>());
    let size = takes(TypeId::of::<Size>());
    let list = arg.get_value_delimiter().is_some();
    match (arg.get_action(), value) {
        (ArgAction::SetTrue, DeValue::Boolean(on)) => Ok(vec![on.to_string()]),
        (ArgAction::SetTrue, _) => expected("true or false"),
        (ArgAction::Count, DeValue::Integer(times)) if times.as_str().parse::<u8>().is_ok() => {
            Ok(vec![times.to_string()])
        }
        (ArgAction::Count, _) => expected("a number from 0 to 255"),
        (_, DeValue::Integer(value)) if number || size => Ok(vec![value.to_string()]),
        _ if number => expected("a whole number"),
        (_, DeValue::Array(items)) if list => items
            .iter()
            .map(|item| match item.get_ref() {
                DeValue::String(text) => Ok(text.to_string()),
                other => Err(format!("a list of texts in quotes is expected, this holds {}", kind(other))),
            })
            .collect(),
        (_, DeValue::String(text)) => Ok(vec![text.to_string()]),
        _ if list => expected("a list of texts in quotes"),
        _ if size => expected("a size, as \"512MiB\","),
        _ if takes(TypeId::of::<Duration>()) => expected("a duration in quotes, as \"10s\","),
        _ => expected("text in quotes"),
    }
}

/// Lets the option read its values alone, as it will on the command line.
fn check(arg: &Arg, values: &[String]) -> Result<(), String> {
    if !arg.get_action().takes_values() {
        return Ok(());
    }
    let option = arg.get_long().unwrap_or_default();
    let written = values.iter().map(|value| format!("--{option}={value}"));
    let alone = Command::new("file").no_binary_name(true).arg(arg.clone().global(false));
    match alone.try_get_matches_from(written) {
        Ok(_) => Ok(()),
        Err(error) => Err(usage::reason(&error).unwrap_or_else(|| usage::line(&error))),
    }
}

/// What a value is, in the words of the messages.
fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The number of the line in which a byte stands.
fn line(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}
