//! Where a client is in the file system of its server, as far as replies tell.

use memchr::memchr;

/// Longest working directory that is kept: every row of the flow shows it.
pub(super) const MAX_DIRECTORY: usize = 1024;

/// That of the login, whatever it is called.
pub(super) const OF_LOGIN: &[u8] = b".";

/// The directory that a path leads to from `from`; none where that is too long, or not known.
pub(super) fn join(from: Option<&[u8]>, path: &[u8]) -> Option<Box<[u8]>> {
    let is_absolute = matches!(path, [b'/' | b'\\' | b'~', ..] | [b'A'..=b'Z' | b'a'..=b'z', b':', ..]);
    let whole = if is_absolute { path.to_vec() } else { [from?, b"/", path].concat() };
    let is_rooted = whole.first() == Some(&b'/');
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in whole.split(|byte| *byte == b'/') {
        match (part, parts.last()) {
            (b"", _) => {}
            (b".", Some(_)) => {}
            (b".", None) if is_rooted => {}
            (b"..", None) if is_rooted => {}
            (b"..", Some(last)) if !matches!(*last, b"." | b"..") => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    let path = parts.join(&b'/');
    let path = if is_rooted { [b"/", &path[..]].concat() } else { path };
    (1..=MAX_DIRECTORY).contains(&path.len()).then(|| path.into())
}

/// The name at the end of a path. A backslash is a letter of a name, except in a path that is one of Windows from its beginning.
pub(super) fn last_name(path: &[u8]) -> &[u8] {
    let path = path.trim_ascii_end();
    let is_of_windows = matches!(path, [b'\\', ..] | [b'A'..=b'Z' | b'a'..=b'z', b':', b'\\', ..]);
    let ends_part = |byte: &u8| *byte == b'/' || is_of_windows && *byte == b'\\';
    path.rsplit(ends_part).next().filter(|name| !name.is_empty()).unwrap_or(path)
}

/// The directory that a reply names: in quotes, where a quote is doubled (RFC 959, appendix II), or as `directory is /a`.
pub(super) fn named(text: &[u8]) -> Option<Box<[u8]>> {
    let name = quoted(text).or_else(|| {
        const MARK: &[u8] = b"directory is ";
        let at = memchr::memmem::find(text, MARK)?;
        let name = text.get(at + MARK.len()..)?;
        Some(name.get(..memchr(b'\n', name).unwrap_or(name.len()))?.trim_ascii_end().to_vec())
    })?;
    let is_path = matches!(name[..], [b'/' | b'\\' | b'~', ..] | [_, b':', ..]);
    (is_path && name.len() <= MAX_DIRECTORY).then(|| name.into())
}

/// What stands in quotes. Some servers do not double those within: then the last one in front of ` is ` ends it.
fn quoted(text: &[u8]) -> Option<Vec<u8>> {
    let text = text.get(memchr(b'"', text)? + 1..)?;
    let mut rest = text;
    let mut name = Vec::new();
    loop {
        let Some(end) = memchr(b'"', rest) else { return undoubled(text) };
        name.extend_from_slice(rest.get(..end)?);
        match rest.get(end + 1..) {
            Some([b'"', behind @ ..]) => {
                name.push(b'"');
                rest = behind;
            }
            Some([byte, ..]) if !byte.is_ascii_whitespace() && !byte.is_ascii_punctuation() => {
                return undoubled(text);
            }
            _ => return Some(name),
        }
    }
}

fn undoubled(text: &[u8]) -> Option<Vec<u8>> {
    text.get(..memchr::memmem::rfind(text, b"\" is ")?).map(Into::into)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(path: Option<Box<[u8]>>) -> Option<String> {
        path.map(|path| String::from_utf8_lossy(&path).into_owned())
    }

    #[test]
    fn paths_are_joined_and_made_short() {
        for (from, path, expected) in [
            (".", "a", "./a"),
            (".", "a/../b/./c", "./b/c"),
            (".", "..", "./.."),
            ("./..", "..", "./../.."),
            ("/a/b", "..", "/a"),
            ("/", "..", "/"),
            ("/a", "/b//c/", "/b/c"),
            ("/a", "../../..", "/"),
            ("/a", "C:\\x", "C:\\x"),
            ("/a", "~bob", "~bob"),
            ("/a", "", "/a"),
            ("~bob", "c", "~bob/c"),
        ] {
            assert_eq!(
                text(join(Some(from.as_bytes()), path.as_bytes())).as_deref(),
                Some(expected),
                "{from} {path}"
            );
        }
        assert_eq!(join(None, b"a"), None);
        assert_eq!(join(Some(b"~bob"), b".."), None);
        assert_eq!(text(join(None, b"/a")).as_deref(), Some("/a"));
        assert_eq!(join(Some(b"/"), &[b'a'; MAX_DIRECTORY]), None);
    }

    #[test]
    fn the_last_part_of_a_path_is_the_name() {
        for (path, name) in [
            ("a.txt", "a.txt"),
            ("/pub/a.txt", "a.txt"),
            ("pub/a b ", "a b"),
            ("back\\slash.txt", "back\\slash.txt"),
            ("C:\\x\\a.txt", "a.txt"),
            ("\\x\\a.txt", "a.txt"),
            ("C:\\x/a.txt", "a.txt"),
            ("pub/", "pub/"),
        ] {
            assert_eq!(last_name(path.as_bytes()), name.as_bytes(), "{path}");
        }
    }

    #[test]
    fn replies_name_a_directory_in_quotes_or_in_words() {
        for (reply, name) in [
            ("\"/\" is the current directory", Some("/")),
            ("\"/a \"\"b\"\"\" is current", Some("/a \"b\"")),
            ("\"/a \"b\"\" is the current directory", Some("/a \"b\"")),
            ("\"/a\"b\" is the current directory", Some("/a\"b")),
            ("\"/a\"b\" created", None),
            ("\"/a\".", Some("/a")),
            ("OK. Current directory is /pub", Some("/pub")),
            ("OK. Current restricted directory is /\nmore", Some("/")),
            ("\"C:\\x\"", Some("C:\\x")),
            ("Directory successfully changed.", None),
            ("\"pub\" created", None),
            ("\"/unfinished", None),
        ] {
            assert_eq!(text(named(reply.as_bytes())).as_deref(), name, "{reply}");
        }
    }

    proptest! {
        #[test]
        fn a_joined_path_is_short_already(from in "\\.?(/[a./]{0,12})", path in "[ab./]{0,20}") {
            let once = join(Some(from.as_bytes()), path.as_bytes()).unwrap();
            prop_assert_eq!(join(Some(&once), b".").unwrap(), once.clone());
            prop_assert!(!once.is_empty());
        }
    }
}
