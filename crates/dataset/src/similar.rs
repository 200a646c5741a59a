//! Class names that are probably meant to be one: they differ in case, in spaces, or in nothing that can be seen.

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization;

/// Characters that show nothing.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}')
        || c.is_control()
}

/// What is seen of a name: composed, without what is invisible, spaces as one space and none at the ends.
pub(crate) fn seen(name: &str) -> String {
    let visible: String = name.nfkc().filter(|c| !is_invisible(*c)).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Names that have the same key are probably one.
fn key(name: &str) -> String {
    let seen = seen(name);
    // `0`, `00` and `0.0`, of tables that went through a spreadsheet.
    let plain_number = seen.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if let (true, Ok(number)) = (plain_number, seen.parse::<f64>()) {
        return number.to_string();
    }
    // Separators count where something stands on both sides of them: `A-` is not `A`.
    let lower: Vec<char> = seen.to_lowercase().chars().collect();
    let is_between = |at: usize| {
        let is_word =
            |at: Option<usize>| at.and_then(|at| lower.get(at)).is_some_and(|c| c.is_alphanumeric());
        is_word(at.checked_sub(1)) && is_word(Some(at + 1))
    };
    let kept = lower
        .iter()
        .enumerate()
        .map(|(at, &c)| if matches!(c, '_' | '-' | ' ') && is_between(at) { ' ' } else { c });
    kept.collect()
}

/// The groups, of two or more each, of names that are probably one. In the order of the names.
pub(crate) fn groups<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Vec<&'a str>> {
    let mut of_key: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for name in names {
        let names = of_key.entry(key(name)).or_default();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    of_key.into_values().filter(|names| names.len() > 1).collect()
}

/// A name in quotes as TOML has it, with escapes for what cannot be seen or told apart.
pub(crate) fn quoted(name: &str) -> String {
    let composed: String = name.nfc().collect();
    let escape = |c: char| {
        let hidden =
            is_invisible(c) || (c.is_whitespace() && c != ' ') || (composed != name && !c.is_ascii());
        match c {
            '"' | '\\' => format!("\\{c}"),
            c if hidden && (c as u32) <= 0xFFFF => format!("\\u{:04X}", c as u32),
            c if hidden => format!("\\U{:08X}", c as u32),
            c => c.to_string(),
        }
    };
    format!("\"{}\"", name.chars().map(escape).collect::<String>())
}

/// The code points of a name, from where it differs from another on; the first few of them.
pub(crate) fn code_points(name: &str, other: &str) -> String {
    const SHOWN: usize = 4;
    let same = name.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let all: Vec<String> = name.chars().skip(same).map(|c| format!("U+{:04X}", c as u32)).collect();
    match all.len() {
        0 => format!("ends after {same} characters"),
        n if n <= SHOWN => format!("{} after {same} characters", all.join(" ")),
        _ => format!("{} ... after {same} characters", all[..SHOWN].join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_one_are_found_and_others_are_not() {
        let one = |names: &[&str]| assert_eq!(groups(names.iter().copied()), [names.to_vec()], "{names:?}");
        for pair in [
            ["Melanoma", "melanoma"],
            ["cat", "cat "],
            ["cat", "cat\u{200b}"],
            ["0", "0.0"],
            ["1", "01"],
            ["caf\u{e9}", "cafe\u{301}"],
            ["benign_keratosis", "Benign keratosis"],
            ["a b", "a\u{a0}b"],
            ["\u{fb01}sh", "fish"],
        ] {
            one(&pair);
        }
        for pair in [
            ["A", "A-"],
            ["c", "c++"],
            ["1", "10"],
            ["cat", "cats"],
            ["0", "0.5"],
            ["cafe", "caf\u{e9}"],
            ["1.2.3", "1.23"],
        ] {
            assert!(groups(pair.into_iter()).is_empty(), "{pair:?}");
        }
    }

    #[test]
    fn what_cannot_be_seen_is_spelled_out() {
        assert_eq!(quoted("cat\u{200b}"), "\"cat\\u200B\"");
        assert_eq!(quoted("cafe\u{301}"), "\"cafe\\u0301\"");
        assert_eq!(quoted("caf\u{e9} \"x\""), "\"caf\u{e9} \\\"x\\\"\"");
        assert_eq!(code_points("cat ", "cat"), "U+0020 after 3 characters");
        assert_eq!(code_points("cat", "cat "), "ends after 3 characters");
    }
}
