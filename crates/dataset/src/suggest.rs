//! "Did you mean": the known name that a wrong one was probably meant to be.

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

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn only_a_near_name_is_suggested() {
        let classes = ["Benign keratosis", "Melanoma", "nevus"];
        assert_eq!(nearest("benign_keratosis", classes), Some("Benign keratosis"));
        assert_eq!(nearest("Melanomas", classes), Some("Melanoma"));
        assert_eq!(nearest("dermatofibroma", classes), None);
    }
}
