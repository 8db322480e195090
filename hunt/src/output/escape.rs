//! Text from the wire, made harmless to show.

use std::fmt::Write;

/// Whether a character is not shown as it is: it would steer a terminal, change the direction of what follows, or not be seen.
fn is_treacherous(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Appends a text with control characters, and those that turn text around or cannot be seen, as `\u{…}`; tabs and ends of
/// lines as `\t`, `\n`, `\r`.
pub fn write(text: &str, out: &mut String) {
    if !text.chars().any(is_treacherous) {
        out.push_str(text);
        return;
    }
    for character in text.chars() {
        match character {
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            character if is_treacherous(character) => {
                // Writing into a text does not fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
            }
            character => out.push(character),
        }
    }
}

/// The same as a text of its own.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    write(text, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal_or_turns_text_around() {
        assert_eq!(escaped("plain, ünïcode 漢字"), "plain, ünïcode 漢字");
        assert_eq!(escaped("\x1b[31mred\x07"), r"\u{1b}[31mred\u{7}");
        assert_eq!(escaped("a\nb\tc\rd"), r"a\nb\tc\rd");
        assert_eq!(
            escaped("\u{202e}gpj.exe\u{2066}\u{200b}\u{feff}"),
            r"\u{202e}gpj.exe\u{2066}\u{200b}\u{feff}"
        );
        assert_eq!(escaped("\u{9b}31m"), r"\u{9b}31m");
    }
}
