//! JSON (RFC 8259), read as far as the head goes.

use std::convert::Infallible;

use smallvec::SmallVec;

/// `text/json` for an object or an array, or several one after another, as long as nothing else is among them.
pub(super) fn kind(text: &[u8]) -> Option<&'static str> {
    // What keeps the answers of some servers from being run as a script.
    let text = text.strip_prefix(b")]}'").unwrap_or(text);
    let text = text.strip_prefix(b",").unwrap_or(text).trim_ascii_start();
    if !matches!(text.first(), Some(b'{' | b'[')) {
        return None;
    }
    Reader { rest: text, open: SmallVec::new(), seen: 0 }.read().then_some("text/json")
}

/// Why reading stops.
enum Stop {
    /// The head ends.
    End,
    /// Whether it is JSON is clear.
    Clear(bool),
}

struct Reader<'a> {
    rest: &'a [u8],
    /// The brackets that are open, as they are closed; there are no more of them than bytes.
    open: SmallVec<[u8; 32]>,
    /// Tokens that only JSON has in this order.
    seen: u32,
}

impl Reader<'_> {
    /// Whether all that is there is JSON.
    fn read(mut self) -> bool {
        match self.values() {
            // Within something that had begun to look like JSON, or behind it.
            Err(Stop::End) => self.open.is_empty() || self.seen > 0,
            Err(Stop::Clear(is_json)) => is_json,
            Ok(never) => match never {},
        }
    }

    /// Passes over one value after another. Each kind of step has a place of its own in here, for the processor guesses by
    /// places what comes next.
    fn values(&mut self) -> Result<Infallible, Stop> {
        loop {
            match self.next()? {
                bracket @ (b'{' | b'[') => {
                    self.pass();
                    let close = bracket + 2;
                    self.open.push(close);
                    if self.next()? != close {
                        if bracket == b'{' {
                            self.name()?;
                        }
                        continue;
                    }
                }
                // Only objects and arrays outside of any.
                _ if self.open.is_empty() => return Err(Stop::Clear(false)),
                b'"' => self.string()?,
                b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => self.scalar()?,
                _ => return Err(Stop::Clear(false)),
            }
            while let Some(&close) = self.open.last() {
                match self.next()? {
                    b',' => {
                        self.pass();
                        self.seen += 1;
                        if close == b'}' {
                            self.name()?;
                        }
                        break;
                    }
                    byte if byte == close => {
                        self.pass();
                        self.open.pop();
                    }
                    _ => return Err(Stop::Clear(false)),
                }
            }
        }
    }

    /// Passes over a name and its colon.
    #[inline(always)]
    fn name(&mut self) -> Result<(), Stop> {
        if self.next()? != b'"' {
            return Err(Stop::Clear(false));
        }
        self.string()?;
        if self.next()? != b':' {
            return Err(Stop::Clear(false));
        }
        self.pass();
        self.seen += 1;
        Ok(())
    }

    /// The first byte of the next token. Most follow one another without a space.
    #[inline(always)]
    fn next(&mut self) -> Result<u8, Stop> {
        match self.rest.first() {
            Some(&byte) if byte > b' ' => Ok(byte),
            _ => {
                self.rest = self.rest.trim_ascii_start();
                self.rest.first().copied().ok_or(Stop::End)
            }
        }
    }

    /// Passes over a byte.
    #[inline(always)]
    fn pass(&mut self) {
        self.rest = self.rest.get(1..).unwrap_or_default();
    }

    /// Passes over a string. Where the head ends within one, it began as only JSON does.
    fn string(&mut self) -> Result<(), Stop> {
        self.pass();
        loop {
            while let Some((eight, _)) = self.rest.split_first_chunk::<8>() {
                let plain = plain(*eight);
                self.rest = self.rest.get(plain..).unwrap_or_default();
                if plain < 8 {
                    break;
                }
            }
            let Some((&byte, rest)) = self.rest.split_first() else { return Err(Stop::Clear(true)) };
            self.rest = rest;
            match byte {
                b'"' => return Ok(()),
                b'\\' => match rest.first() {
                    None => return Err(Stop::Clear(true)),
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' | b'u') => self.pass(),
                    Some(_) => return Err(Stop::Clear(false)),
                },
                0..=0x1f => return Err(Stop::Clear(false)),
                _ => {}
            }
        }
    }

    /// Passes over a number or a word.
    fn scalar(&mut self) -> Result<(), Stop> {
        let mut is_number = true;
        let end = self.rest.iter().position(|byte| match byte {
            b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E' => false,
            _ if byte.is_ascii_alphabetic() => {
                is_number = false;
                false
            }
            _ => true,
        });
        let (word, rest) =
            self.rest.split_at_checked(end.unwrap_or(self.rest.len())).unwrap_or((self.rest, &[]));
        let cut = rest.is_empty();
        let is_word = |whole: &[u8]| word == whole || (cut && whole.starts_with(word));
        self.rest = rest;
        if !is_number && !is_word(b"true") && !is_word(b"false") && !is_word(b"null") {
            return Err(Stop::Clear(false));
        }
        if cut { Err(Stop::Clear(self.seen > 0)) } else { Ok(()) }
    }
}

/// How many bytes there are before the first that is not plain within a string: a quote, a backslash, a control.
fn plain(bytes: [u8; 8]) -> usize {
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    let bytes = u64::from_le_bytes(bytes);
    // The high bit of the first byte that is less; of those behind it, it may be set in vain.
    let less = |bytes: u64, bound: u8| bytes.wrapping_sub(ONES * u64::from(bound)) & !bytes & HIGH;
    let is = |byte: u8| less(bytes ^ (ONES * u64::from(byte)), 1);
    let odd = less(bytes, 0x20) | is(b'"') | is(b'\\');
    odd.trailing_zeros() as usize / 8
}
