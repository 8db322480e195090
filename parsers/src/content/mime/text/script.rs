//! Scripts, style sheets and settings: by their interpreter, or by how their first statement begins.

use memchr::memmem;

use super::COMMENTS;

/// By the program named behind `#!`.
pub(super) fn by_interpreter(line: &[u8]) -> Option<&'static str> {
    let line = line.get(..200).unwrap_or(line);
    let line = line.split(|&byte| byte == b'\n' || byte == b'\r').next()?;
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let program = |word: &'_ [u8]| word.rsplit(|&byte| byte == b'/').next().map(<[u8]>::to_vec);
    let mut name = program(words.next()?)?;
    if name == b"env" {
        // Its options and assignments come before the program.
        name = program(words.find(|word| !word.starts_with(b"-") && !word.contains(&b'='))?)?;
    }
    let versions =
        name.iter().rposition(|byte| !byte.is_ascii_digit() && *byte != b'.').map_or(0, |last| last + 1);
    name.truncate(versions);
    Some(match name.as_slice() {
        b"sh" | b"bash" | b"dash" | b"ash" | b"ksh" | b"mksh" | b"zsh" | b"csh" | b"tcsh" | b"fish"
        | b"rbash" => "text/x-shellscript",
        b"perl" => "text/x-perl",
        b"python" | b"pypy" => "text/x-python",
        b"ruby" => "text/x-ruby",
        b"php" | b"php-cgi" => "text/x-php",
        b"node" | b"nodejs" | b"deno" | b"bun" => "application/javascript",
        b"lua" | b"luajit" => "text/x-lua",
        b"awk" | b"gawk" | b"nawk" | b"mawk" => "text/x-awk",
        b"tclsh" | b"tcl" | b"wish" | b"expect" => "text/x-tcl",
        b"pwsh" | b"powershell" => "text/x-powershell",
        _ => return None,
    })
}

/// By the first statement behind the comments.
pub(super) fn kind(text: &[u8]) -> Option<&'static str> {
    if let Some(kind) = settings(text) {
        return Some(kind);
    }
    let code = behind_comments(text);
    if is_javascript(code) {
        Some("application/javascript")
    } else if is_css(code) {
        Some("text/css")
    } else {
        None
    }
}

/// `[section]`, and behind it lines `name=value`.
fn settings(text: &[u8]) -> Option<&'static str> {
    let mut lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let [b'[', name @ .., b']'] = lines.next()? else { return None };
    let plausible = !name.is_empty() && !name.iter().any(|byte| matches!(byte, b'[' | b']' | b'"'));
    let value = lines.find(|line| !line.is_empty() && !matches!(line.first(), Some(b';' | b'#')));
    let is_value =
        value.is_none_or(|line| line.starts_with(b"[") || memchr::memchr2(b'=', b':', line).is_some());
    (plausible && is_value && name.first().is_some_and(|byte| !byte.is_ascii_digit())).then_some("text/ini")
}

/// The text without the comments of C at its front; empty where one does not end, or they do not.
fn behind_comments(text: &[u8]) -> &[u8] {
    let mut rest = text;
    for _ in 0..COMMENTS {
        rest = rest.trim_ascii_start();
        let end = if let Some(comment) = rest.strip_prefix(b"/*") {
            memmem::find(comment, b"*/").and_then(|end| comment.get(end + 2..))
        } else if let Some(comment) = rest.strip_prefix(b"//") {
            memchr::memchr(b'\n', comment).and_then(|end| comment.get(end + 1..))
        } else {
            return rest;
        };
        rest = end.unwrap_or_default();
    }
    &[]
}

/// Beginnings of scripts that no prose and no other language has.
static JAVASCRIPT: &[&[u8]] = &[
    b"'use strict'",
    b"\"use strict\"",
    b"(function",
    b"!function",
    b"+function",
    b";(function",
    b";!function",
    b"(()=>",
    b"(() =>",
    b"(async",
    b"for (;;);",
    b"for(;;);",
    b"document.write",
    b"document.cookie",
    b"document.getElementById",
    b"document.location",
    b"window.",
    b"window[",
    b"self.",
    b"jQuery(",
    b"jQuery.",
    b"$(",
    b"$.",
    b"define([",
    b"define(\"",
    b"require([",
    b"require.config(",
    b"if(typeof ",
    b"if (typeof ",
    b"if(window.",
    b"if (window.",
    b"module.exports",
    b"export default ",
    b"export function ",
    b"export const ",
    b"export{",
    b"try{",
    b"try {",
    b"void 0",
];

fn is_javascript(code: &[u8]) -> bool {
    if JAVASCRIPT.iter().any(|begin| code.starts_with(begin)) {
        return true;
    }
    let Some((word, rest)) = word(code) else { return false };
    let after = rest.trim_ascii_start();
    match word {
        // A name, and what a declaration goes on with.
        b"var" | b"let" | b"const" => {
            let Some((_, rest)) = self::word(after) else {
                return word != b"let" && matches!(after.first(), Some(b'{' | b'['));
            };
            matches!(rest.trim_ascii_start().first(), Some(b'=' | b';' | b','))
        }
        b"function" | b"class" => {
            let Some((_, rest)) = self::word(after) else { return after.starts_with(b"(") };
            let rest = rest.trim_ascii_start();
            matches!(rest.first(), Some(b'(' | b'{')) && memchr::memchr(b'{', rest).is_some()
                || rest.starts_with(b"extends ")
        }
        b"import" => {
            matches!(after.first(), Some(b'"' | b'\'' | b'{' | b'*'))
                || memmem::find(line(after), b" from ").is_some()
        }
        _ => {
            // A call with an object or a string (JSONP), or something assigned to a property.
            let callee = rest.iter().take_while(|byte| is_word(**byte) || **byte == b'.').count();
            let behind = rest.get(callee..).unwrap_or_default();
            if let Some(arguments) = behind.strip_prefix(b"(") {
                return matches!(arguments.first(), Some(b'{' | b'['))
                    || (callee > 0 && matches!(arguments.first(), Some(b'\'' | b'"')));
            }
            let behind = behind.trim_ascii_start();
            let Some(value) = behind.strip_prefix(b"=").filter(|_| callee > 0) else { return false };
            value.trim_ascii_start().starts_with(b"{") || memchr::memchr(b';', value).is_some()
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$')
}

/// A word and what follows it.
fn word(code: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = code.iter().take_while(|byte| is_word(**byte)).count();
    let starts = code.first().is_some_and(|byte| !byte.is_ascii_digit());
    if length > 0 && starts { code.split_at_checked(length) } else { None }
}

fn line(text: &[u8]) -> &[u8] {
    text.split(|&byte| byte == b'\n').next().unwrap_or_default()
}

/// Whether there is a `=` outside of brackets: only what is asked of attributes has one in a selector.
fn has_bare_equals(selector: &[u8]) -> bool {
    let mut depth = 0u32;
    selector.iter().any(|byte| {
        match byte {
            b'[' => depth += 1,
            b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        *byte == b'=' && depth == 0
    })
}

/// A rule of a style sheet: a selector, a brace, and in it a property with its value.
fn is_css(code: &[u8]) -> bool {
    let at = [&b"@charset \""[..], b"@import ", b"@media ", b"@font-face", b"@namespace ", b"@keyframes "];
    if at.iter().any(|word| code.starts_with(word)) {
        return true;
    }
    let Some(open) = memchr::memchr(b'{', code.get(..400).unwrap_or(code)) else { return false };
    let (selector, block) = code.split_at_checked(open).unwrap_or_default();
    let plausible =
        |byte: &u8| byte.is_ascii_alphanumeric() || b" \t\r\n.#,:>*+~[]=\"'-_()^$|".contains(byte);
    let starts =
        matches!(selector.first(), Some(b'.' | b'#' | b'*' | b':' | b'[' | b'a'..=b'z' | b'A'..=b'Z'));
    if !starts || !selector.iter().all(plausible) || has_bare_equals(selector) {
        return false;
    }
    let block = behind_comments(block.get(1..).unwrap_or_default());
    let property = block
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'*' | b'_'))
        .count();
    let value = block.get(property..).unwrap_or_default().trim_ascii_start();
    block.first() == Some(&b'}')
        || (property > 0 && value.first() == Some(&b':') && memchr::memchr2(b';', b'}', value).is_some())
}
