//! Names of files, classes and columns as they are put into sentences: whatever they hold, a sentence stays one line.

use std::path::Path;

/// A name whose control characters, which would break a line or move a terminal's cursor, are written as escapes: `a\nb`, `a\u{1b}[2J`.
pub fn shown(name: &str) -> String {
    // What turns the direction of the text around it does as much harm.
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let plain = |c: char| if is_hidden(c) { c.escape_default().to_string() } else { c.to_string() };
    name.chars().map(plain).collect()
}

/// The same of a path.
pub fn shown_path(path: &Path) -> String {
    shown(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn names_stay_on_their_line() {
        for (name, expected) in [
            ("a\nb", "a\\nb"),
            ("a\tb\r", "a\\tb\\r"),
            ("\u{1b}[2J", "\\u{1b}[2J"),
            ("a\u{2028}b\u{202e}c", "a\\u{2028}b\\u{202e}c"),
            ("größe \\ \"x\"", "größe \\ \"x\""),
        ] {
            assert_eq!(shown(name), expected);
        }
    }
}
