//! The page: one file with its data, its script and its style, which asks nothing of anyone.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

/// Made by `npm run build` in `hunt/report/`.
const SCRIPT: &str = include_str!("../../report/dist/report.js");
const STYLE: &str = include_str!("../../report/dist/report.css");

/// A page of a title and of data as JSON.
pub(super) fn page(title: &str, data: &str) -> String {
    // Only this script and this style run, and whatever they might be made to ask for is refused by the browser.
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; base-uri 'none'; form-action 'none'",
        hash(SCRIPT),
        hash(STYLE),
    );
    format!(
        "\
<!doctype html>
<html lang=\"en\" dir=\"ltr\">
<head>
<meta charset=\"utf-8\">
<meta http-equiv=\"Content-Security-Policy\" content=\"{policy}\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"referrer\" content=\"no-referrer\">
<link rel=\"icon\" href=\"data:,\">
<title>{}</title>
<style>{STYLE}</style>
</head>
<body>
<div id=\"page\"><noscript>This page draws its charts with the script that is in it. Nothing is loaded from elsewhere.</noscript></div>
<script type=\"application/json\" id=\"data\">{}</script>
<script>{SCRIPT}</script>
</body>
</html>
",
        escaped(title),
        inert(data),
    )
}

fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text.as_bytes())))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// JSON in which nothing can close the element that it stands in, or begin another: outside of its texts these characters
/// do not occur, and inside they may be written as numbers.
fn inert(json: &str) -> String {
    let mut text = String::with_capacity(json.len() + json.len() / 16);
    for character in json.chars() {
        match character {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                text.push_str(&format!("\\u{:04x}", character as u32))
            }
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_close_its_element_and_is_the_same_when_read() {
        let values = ["</script><script>alert(1)</script>", "<!--<script>", "&lt;\u{2028}\u{2029}", "]]>"];
        let json = serde_json::to_string(&values).unwrap_or_default();
        let text = inert(&json);
        assert!(!text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{text}");
        let back: Vec<String> = serde_json::from_str(&text).unwrap_or_default();
        assert_eq!(back, values);
    }

    #[test]
    fn a_title_is_text() {
        let page = page("</title><script>alert(1)</script>", "{}");
        assert!(page.contains("<title>&lt;/title&gt;&lt;script&gt;alert(1)&lt;/script&gt;</title>"));
    }

    #[test]
    fn the_script_does_not_end_early_and_the_policy_names_it() {
        // What stands in the element must be what was hashed, up to its end.
        assert!(!SCRIPT.contains("</script") && !SCRIPT.contains("<!--") && !SCRIPT.contains("<script"));
        assert!(!STYLE.contains("</style"));
        let page = page("", "{}");
        assert!(page.contains(&format!("script-src '{}'", hash(SCRIPT))) && page.contains(&hash(STYLE)));
    }

    #[test]
    fn the_notice_of_the_script_is_kept() {
        assert!(
            SCRIPT.contains("Copyright")
                && SCRIPT.contains("Permission to use, copy, modify, and/or distribute")
        );
    }
}
