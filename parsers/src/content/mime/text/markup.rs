//! HTML, and the languages made of XML, by their first tag.

use memchr::memmem;

use super::COMMENTS;

/// Root elements and declared document types, in lower case.
static ROOTS: &[(&str, &str)] = &[
    ("html", "text/html"),
    ("svg", "image/svg+xml"),
    ("rss", "text/rss"),
    ("rdf:rdf", "application/rdf+xml"),
    ("feed", "text/atom"),
    ("cross-domain-policy", "text/x-cross-domain-policy"),
    ("methodresponse", "application/xml-rpc"),
    ("methodcall", "application/xml-rpc"),
    ("jnlp", "application/x-java-jnlp-file"),
    ("manifest", "application/xml"),
    ("mpd", "application/dash+xml"),
    ("plist", "application/x-plist"),
    ("urlset", "application/xml"),
    ("kml", "application/vnd.google-earth.kml+xml"),
];

/// Name spaces of the envelopes of SOAP.
static SOAP: &[&str] =
    &["http://schemas.xmlsoap.org/soap/envelope/", "http://www.w3.org/2003/05/soap-envelope"];

/// Tags that only HTML begins with (WHATWG MIME Sniffing, 7.1, and more of the kind).
static HTML_TAGS: &[&str] = &[
    "head", "title", "body", "script", "iframe", "h1", "h2", "h3", "div", "font", "table", "a", "style", "b",
    "br", "p", "meta", "link", "form", "img", "span", "center", "noscript", "base", "frameset", "ul", "ol",
    "pre", "input", "hr", "td", "tr", "i", "section", "article", "nav", "header", "footer", "main", "button",
    "option", "select",
];

/// The kind of a text that begins with a tag, a declaration or a comment.
pub(super) fn kind(text: &[u8]) -> Option<&'static str> {
    let mut rest = text;
    let mut declared = false;
    for _ in 0..COMMENTS {
        rest = rest.trim_ascii_start();
        if let Some(comment) = rest.strip_prefix(b"<!--") {
            match memmem::find(comment, b"-->").and_then(|end| comment.get(end + 3..)) {
                Some(after) => rest = after,
                None => break,
            }
        } else if let Some(instruction) = rest.strip_prefix(b"<?") {
            if starts(instruction, "php") || instruction.first() == Some(&b'=') {
                return Some("text/x-php");
            }
            declared |= starts(instruction, "xml");
            match memmem::find(instruction, b"?>").and_then(|end| instruction.get(end + 2..)) {
                Some(after) if declared => rest = after,
                _ => break,
            }
        } else {
            break;
        }
    }
    let Some(tag) = rest.strip_prefix(b"<") else {
        return if declared {
            Some("application/xml")
        } else if text.starts_with(b"<!--") && text.len() > 4 {
            Some("text/html")
        } else {
            None
        };
    };
    let (name, after) = match tag.strip_prefix(b"!") {
        Some(doctype) if starts(doctype, "doctype") => {
            declared = true;
            name(doctype.get(7..).unwrap_or_default().trim_ascii_start())
        }
        _ => name(tag),
    };
    let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
    if let Some((_, kind)) = ROOTS.iter().find(|(root, _)| is(root)) {
        return Some(kind);
    }
    let attributes = after.split(|&byte| byte == b'>').next().unwrap_or_default();
    // Envelopes there are others of: which one it is, the name space says (SOAP 1.1, 4; SOAP 1.2, 5.1).
    let is_envelope = is("envelope") || name.to_ascii_lowercase().ends_with(b":envelope");
    if is_envelope && SOAP.iter().any(|space| memmem::find(attributes, space.as_bytes()).is_some()) {
        return Some("application/soap+xml");
    }
    if declared || memmem::find(attributes, b"xmlns").is_some() {
        return Some("application/xml");
    }
    if HTML_TAGS.iter().any(|tag| is(tag)) && ends_tag(after) {
        return Some("text/html");
    }
    if text.starts_with(b"<!--") {
        return Some("text/html");
    }
    // An element that is closed somewhere in sight is XML without its declaration.
    let closing = [b"</", name, b">"].concat();
    (!name.is_empty() && ends_tag(after) && memmem::find(after, &closing).is_some())
        .then_some("application/xml")
}

fn starts(text: &[u8], word: &str) -> bool {
    text.get(..word.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(word.as_bytes()))
}

/// The name at the front (at most 64 bytes of one), and what follows it.
fn name(tag: &[u8]) -> (&[u8], &[u8]) {
    let end = tag
        .iter()
        .take(64)
        .position(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b':' | b'-' | b'_' | b'.'))
        .unwrap_or(tag.len().min(64));
    tag.split_at_checked(end).unwrap_or_default()
}

/// Whether a tag's name ends here as one does.
fn ends_tag(after: &[u8]) -> bool {
    after.first().is_none_or(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'))
}
