//! "Did you mean": the known name that a wrong one was probably meant to be.

use crate::Split;
use crate::similar::quoted;

/// The candidate that is nearest to `name`, if one is near: equal but for case, spaces and punctuation, or within one
/// edit for every three characters.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain =
        |s: &str| s.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    let wanted = plain(name);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != name)
        .map(|candidate| (strsim::damerau_levenshtein(&wanted, &plain(candidate)), candidate))
        .filter(|(distance, _)| *distance <= wanted.chars().count() / 3)
        .min()
        .map(|(_, candidate)| candidate)
}

/// A text as a string of TOML that stands between the single quotes of a shell.
pub(crate) fn in_a_shell(text: &str) -> String {
    quoted(text).replace('\'', "\\u0027")
}

/// A text as a key or a value of TOML within a quoted word of a shell.
pub(crate) fn toml_string(text: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !text.is_empty() && text.chars().all(is_bare) {
        return text.to_owned();
    }
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\'', "\\u0027");
    format!("\"{escaped}\"")
}

/// The setting that names the folders of a split, with `--set` before it; empty where there are none.
pub(crate) fn folders_line(split: Split, names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [name] => setting(&format!("data.{split}"), name),
        names => {
            let names: Vec<String> = names.iter().map(|name| in_a_shell(name)).collect();
            format!("--set 'data.{split}=[{}]'", names.join(", "))
        }
    }
}

/// The option that sets a key to a text, as it is typed into a shell.
pub(crate) fn setting(key: &str, value: &str) -> String {
    let is_plain = !value.is_empty() && value.chars().all(|c| c.is_alphanumeric() || "_-./".contains(c));
    match is_plain {
        true => format!("--set {key}={value}"),
        false => format!("--set '{key}={}'", in_a_shell(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::{nearest, setting, toml_string};

    #[test]
    fn a_setting_is_one_word_of_a_shell() {
        assert_eq!(setting("data.group", "lesion_id"), "--set data.group=lesion_id");
        assert_eq!(setting("data.group", "a b"), "--set 'data.group=\"a b\"'");
        assert_eq!(setting("data.group", "a'b"), "--set 'data.group=\"a\\u0027b\"'");
    }

    #[test]
    fn only_a_near_name_is_suggested() {
        let classes = ["Benign keratosis", "Melanoma", "nevus"];
        assert_eq!(nearest("benign_keratosis", classes), Some("Benign keratosis"));
        assert_eq!(nearest("Melanomas", classes), Some("Melanoma"));
        assert_eq!(nearest("dermatofibroma", classes), None);
    }

    #[test]
    fn keys_have_quotes_where_they_need_them() {
        for (text, key) in [("0", "0"), ("", "\"\""), ("no label", "\"no label\""), ("a'b", "\"a\\u0027b\"")]
        {
            assert_eq!(toml_string(text), key);
        }
    }
}
