//! JSON (RFC 8259), read as far as the head goes.

/// `text/json` for an object or an array, or several one after another, as long as nothing else is among them.
pub(super) fn kind(text: &[u8]) -> Option<&'static str> {
    // What keeps the answers of some servers from being run as a script.
    let text = text.strip_prefix(b")]}'").unwrap_or(text);
    let text = text.strip_prefix(b",").unwrap_or(text).trim_ascii_start();
    if !matches!(text.first(), Some(b'{' | b'[')) {
        return None;
    }
    Reader { rest: text, open: Vec::new(), seen: 0 }.read().then_some("text/json")
}

/// What may come next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Value,
    /// A value, or the end of an empty array.
    ValueOrEnd,
    Name,
    /// A name, or the end of an empty object.
    NameOrEnd,
    Colon,
    /// A comma, or the end of what is open.
    CommaOrEnd,
}

struct Reader<'a> {
    rest: &'a [u8],
    /// The brackets that are open; there are no more of them than bytes.
    open: Vec<u8>,
    /// Tokens that only JSON has in this order.
    seen: u32,
}

impl Reader<'_> {
    /// Whether all that is there is JSON.
    fn read(mut self) -> bool {
        let mut next = Next::Value;
        loop {
            self.rest = self.rest.trim_ascii_start();
            let Some((&byte, rest)) = self.rest.split_first() else {
                // The head ended: within something that had begun to look like JSON, or behind it.
                return self.open.is_empty() || self.seen > 0;
            };
            next = match (byte, next) {
                (b'{', Next::Value | Next::ValueOrEnd) => {
                    self.open.push(b'}');
                    self.rest = rest;
                    Next::NameOrEnd
                }
                (b'[', Next::Value | Next::ValueOrEnd) => {
                    self.open.push(b']');
                    self.rest = rest;
                    Next::ValueOrEnd
                }
                (b'}', Next::NameOrEnd | Next::CommaOrEnd) | (b']', Next::ValueOrEnd | Next::CommaOrEnd) => {
                    if self.open.pop() != Some(byte) {
                        return false;
                    }
                    self.rest = rest;
                    if self.open.is_empty() { Next::Value } else { Next::CommaOrEnd }
                }
                (b'"', Next::Name | Next::NameOrEnd) => match self.string() {
                    Some(true) => Next::Colon,
                    Some(false) => return true,
                    None => return false,
                },
                (b':', Next::Colon) => {
                    self.rest = rest;
                    self.seen += 1;
                    Next::Value
                }
                (b',', Next::CommaOrEnd) => {
                    self.rest = rest;
                    self.seen += 1;
                    if self.open.last() == Some(&b'}') { Next::Name } else { Next::Value }
                }
                // Only objects and arrays outside of any.
                (_, Next::Value | Next::ValueOrEnd) if self.open.is_empty() => return false,
                (b'"', Next::Value | Next::ValueOrEnd) => match self.string() {
                    Some(true) => Next::CommaOrEnd,
                    Some(false) => return true,
                    None => return false,
                },
                (b'-' | b'0'..=b'9' | b't' | b'f' | b'n', Next::Value | Next::ValueOrEnd) => {
                    match self.scalar() {
                        Some(true) => Next::CommaOrEnd,
                        Some(false) => return self.seen > 0,
                        None => return false,
                    }
                }
                _ => return false,
            };
        }
    }

    /// Passes over a string: whether it ended before the head did. None where it holds what a string may not.
    fn string(&mut self) -> Option<bool> {
        let mut bytes = self.rest.iter();
        bytes.next();
        while let Some(&byte) = bytes.next() {
            match byte {
                b'"' => {
                    self.rest = bytes.as_slice();
                    return Some(true);
                }
                b'\\' => match bytes.next() {
                    None => return Some(false),
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u') => {}
                    Some(_) => return None,
                },
                0..=0x1f => return None,
                _ => {}
            }
        }
        Some(false)
    }

    /// Passes over a number or a word: whether something follows it. None where it is neither.
    fn scalar(&mut self) -> Option<bool> {
        let end = self
            .rest
            .iter()
            .position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'-' | b'+' | b'.'))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end)?;
        let cut = rest.is_empty();
        let is_word = |whole: &[u8]| word == whole || (cut && whole.starts_with(word));
        let number = word.iter().all(|byte| byte.is_ascii_digit() || b"-+.eE".contains(byte));
        self.rest = rest;
        (number || is_word(b"true") || is_word(b"false") || is_word(b"null")).then_some(!cut)
    }
}
