//! The queries of a text.

/// The queries of a text: parted by semicolons, but for those in quotes and comments. What holds nothing but comments is none.
pub fn split(text: &str) -> Vec<String> {
    let mut queries = Vec::new();
    let mut start = 0;
    let mut has_words = false;
    let mut rest = text.char_indices().peekable();
    while let Some((at, character)) = rest.next() {
        let next = rest.peek().map(|(_, next)| *next);
        match (character, next) {
            ('\'' | '"' | '`', _) => {
                has_words = true;
                while let Some((_, inner)) = rest.next() {
                    if inner == '\\' && character != '`' {
                        rest.next();
                    } else if inner == character {
                        break;
                    }
                }
            }
            ('-', Some('-')) => while rest.next().is_some_and(|(_, inner)| inner != '\n') {},
            ('/', Some('*')) => {
                rest.next();
                let mut depth = 1;
                while depth > 0
                    && let Some((_, inner)) = rest.next()
                {
                    let next = rest.peek().map(|(_, next)| *next);
                    let change = match (inner, next) {
                        ('*', Some('/')) => -1,
                        ('/', Some('*')) => 1,
                        _ => continue,
                    };
                    depth += change;
                    rest.next();
                }
            }
            (';', _) => {
                queries.extend(has_words.then(|| text[start..at].trim().to_owned()));
                start = at + 1;
                has_words = false;
            }
            (character, _) => has_words |= !character.is_whitespace(),
        }
    }
    queries.extend(has_words.then(|| text[start..].trim().to_owned()));
    queries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn semicolons_part_queries_but_for_those_in_quotes_and_comments() {
        assert_eq!(split("SELECT 1; SELECT 2"), ["SELECT 1", "SELECT 2"]);
        assert_eq!(split("SELECT ';', \"a;\\\"b\", `;`;\n;"), ["SELECT ';', \"a;\\\"b\", `;`"]);
        assert_eq!(
            split("-- a; b\nSELECT 1; /* ; /* ; */ */ SELECT 2 -- ;"),
            ["-- a; b\nSELECT 1", "/* ; /* ; */ */ SELECT 2 -- ;"]
        );
        assert!(split(" ;; -- nothing\n/* nothing; */ ;").is_empty());
        assert_eq!(split("SELECT 'never ended; "), ["SELECT 'never ended;"]);
    }
}
