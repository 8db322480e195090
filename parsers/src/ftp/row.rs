//! A row of `ftp` from an exchange.

use std::borrow::Cow;

use schemas::anomaly::AnomalyName;
use schemas::arena::{Arena, List, Text};
use schemas::ftp::Ftp;
use schemas::text::escape;
use smallvec::SmallVec;

use super::NAME;
use super::commands::{self, Kind};
use super::exchange::{Exchange, Login};
use crate::context::Context;
use crate::transfers::{Made, Outcome};

/// What stands for a secret.
const MASKED: &[u8] = b"<masked>";

/// Writes the row of an exchange. `outcome`: what became of its data connection.
pub(super) fn emit(exchange: &Exchange, outcome: Outcome, cx: &mut Context<'_>) {
    if outcome == Outcome::Late {
        cx.anomaly(AnomalyName::TransferLate, Some(NAME), "");
    }
    if exchange.is_silent {
        return;
    }
    let (ts, packet) = exchange.first;
    let envelope = cx.envelope(ts, packet);
    let passwords = cx.settings.passwords;
    cx.records.ftp.push(envelope, |arena| record(exchange, outcome, passwords, arena));
    if cx.records.ftp.arena.take_cut() > 0 {
        cx.anomaly(AnomalyName::ValueCut, Some(NAME), "argument or reply");
    }
}

fn record(exchange: &Exchange, outcome: Outcome, passwords: bool, arena: &mut Arena) -> Ftp {
    let made = match outcome {
        Outcome::Made(made) => made,
        Outcome::Waited | Outcome::Late => Made::default(),
    };
    let text = |arena: &mut Arena, bytes: Option<&[u8]>| bytes.map_or(Text::NULL, |bytes| arena.text(bytes));
    // Of a transfer that was cut, or not seen, it is the size of the file that was wanted.
    let told = exchange.transfer.as_ref().and_then(|transfer| transfer.carried.total);
    let login = exchange.login.as_deref();
    let verb = exchange.verb.as_deref().unwrap_or_default();
    Ftp {
        username: text(arena, login.and_then(|login| login.username.as_deref())),
        password: text(
            arena,
            login
                .filter(|login| passwords || login.is_anonymous())
                .and_then(|login| login.password.as_deref()),
        ),
        command: exchange.verb.as_deref().map_or(Text::NULL, |verb| {
            let shown = if passwords { verb } else { commands::shown_word(verb) };
            arena.upper_case(shown)
        }),
        arg: text(arena, shown_arg(exchange, passwords).as_deref()),
        reply_code: exchange.code,
        preliminary: match &exchange.text {
            Some(_) => {
                let codes: SmallVec<[i32; 4]> =
                    exchange.preliminary.iter().map(|&code| code.into()).collect();
                arena.numbers(&codes)
            }
            None => List::NULL,
        },
        reply_text: match &exchange.text {
            Some(reply)
                if !passwords && repeats_secret(exchange.kind, verb, exchange.arg.as_deref(), reply) =>
            {
                arena.text(MASKED)
            }
            Some(reply) => lines(reply, arena),
            None => Text::NULL,
        },
        cwd: text(arena, exchange.cwd.as_deref()),
        data_channel: exchange.channel.map(|(channel, _)| channel),
        data_uid: made.uid,
        file_id: made.file_id,
        file_bytes: told.or(made.bytes.filter(|_| made.file_id != 0)),
        mime_type: made.mime_type.map_or(Text::NULL, |name| arena.plain(name)),
        tls: exchange.starts_tls,
        bounce: exchange.channel.map(|(_, is_bounce)| is_bounce),
    }
}

/// Lines, each as text, with a line feed between them: they hold none themselves.
fn lines(reply: &[u8], arena: &mut Arena) -> Text {
    arena.text_with(|out| {
        for (place, line) in reply.split(|byte| *byte == b'\n').enumerate() {
            if place > 0 {
                out.push(b'\n');
            }
            // One that is cut ends the text, which is then as long as it may be.
            escape(line, out);
        }
    })
}

/// The argument as it may be shown.
fn shown_arg(exchange: &Exchange, passwords: bool) -> Option<Cow<'_, [u8]>> {
    let verb = exchange.verb.as_deref()?;
    let arg = exchange.arg.as_deref();
    if passwords {
        return arg.map(Cow::Borrowed);
    }
    let has_more = commands::shown_word(verb).len() < verb.len();
    if commands::is_secret(verb) && (arg.is_some() || has_more) {
        return Some(Cow::Borrowed(MASKED));
    }
    let arg = arg?;
    match verb.eq_ignore_ascii_case(b"SITE").then(|| commands::secret_of_site(arg)).flatten() {
        Some(at) => Some([arg.get(..at)?, MASKED].concat().into()),
        None => Some(Cow::Borrowed(arg)),
    }
}

/// Whether a server says in its refusal what it did not understand, and that was a password.
fn repeats_secret(kind: Kind, verb: &[u8], arg: Option<&[u8]>, reply: &[u8]) -> bool {
    if kind != Kind::Unknown || !commands::is_secret(verb) {
        return false;
    }
    let of_word = verb.get(commands::shown_word(verb).len()..);
    [of_word, arg]
        .into_iter()
        .flatten()
        .filter(|secret| !secret.is_empty())
        .any(|secret| reply.windows(secret.len()).any(|part| part.eq_ignore_ascii_case(secret)))
}

impl Login {
    /// Whether the password is none (RFC 1635).
    fn is_anonymous(&self) -> bool {
        let is = |name: &[u8]| self.username.as_deref().is_some_and(|user| user.eq_ignore_ascii_case(name));
        is(b"anonymous") || is(b"ftp")
    }
}
