//! `spanlake hunt`: hands over to the program `spanlake-hunt`, so that what captures carries no engine for SQL.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Error, anyhow};

const PROGRAM: &str = "spanlake-hunt";

/// The arguments of `spanlake hunt`, where that is what was typed. They are the other program's, help included: this one
/// does not read them.
pub(super) fn asked(typed: &[OsString]) -> Option<&[OsString]> {
    match typed {
        [_, command, arguments @ ..] if command == "hunt" => Some(arguments),
        _ => None,
    }
}

/// Becomes the other program; returns only where that fails.
pub(super) fn run(arguments: &[OsString]) -> Error {
    let mut names = beside().into_iter().map(PathBuf::into_os_string).chain([OsString::from(PROGRAM)]);
    let failure = loop {
        let Some(name) = names.next() else { break None };
        let error = Command::new(&name).args(arguments).exec();
        if error.kind() != ErrorKind::NotFound {
            break Some((name, error));
        }
    };
    match failure {
        Some((name, error)) => anyhow!("{}: {error}", name.display()),
        None => anyhow!(
            "{PROGRAM} is neither beside this program nor in PATH; it is installed by `cargo install --path hunt --profile hunt`"
        ),
    }
}

/// The program of that name in this one's folder, also where this one was started by a symbolic link.
fn beside() -> Option<PathBuf> {
    let myself = env::current_exe().ok()?;
    Some(myself.canonicalize().unwrap_or(myself).with_file_name(OsStr::new(PROGRAM)))
}
