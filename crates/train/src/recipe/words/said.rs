//! Sentences of tables, into which lines to type and values that were typed are put.

use super::proposal;

/// A sentence in which keys stand as `[KEY]`, what is to be typed as `[KEY]=VALUE`, and the value that was typed in the place of `<0.2>`, if it is a number
/// too, or of `<RUN>`, if it is none.
pub(super) struct Said(pub(super) &'static str);

impl Said {
    /// The sentence, about a value that was typed.
    pub(super) fn told(&self, typed: Option<&str>) -> String {
        let mut told = String::new();
        let mut rest = self.0;
        while let Some(at) = rest.find(['[', '<']) {
            let (before, from) = rest.split_at(at);
            told += before;
            let key = from.strip_prefix('[').and_then(|inner| inner.split_once(']'));
            rest = match key.filter(|(key, _)| is_key(key)) {
                Some((key, behind)) => match behind.strip_prefix('=') {
                    Some(behind) => {
                        let (value, behind) = behind.split_at(length_of_value(behind));
                        told += &proposal::set(key, &filled(value, typed));
                        behind
                    }
                    None => {
                        told += key;
                        behind
                    }
                },
                None => {
                    let end = from.find('>').filter(|_| from.starts_with('<')).map_or(1, |at| at + 1);
                    told += &filled(&from[..end], typed);
                    &from[end..]
                }
            };
        }
        told + rest
    }
}

/// A value with what was typed in the place that is kept for it.
fn filled(value: &str, typed: Option<&str>) -> String {
    let place = value.split_once('<').and_then(|(before, rest)| Some((before, rest.split_once('>')?)));
    let Some((before, (default, after))) = place else { return value.to_owned() };
    let is_number = |text: &str| text.parse::<f64>().is_ok_and(f64::is_finite);
    let is_switch = |text: &str| ["", "true", "false"].contains(&text);
    let is_whole = |text: &str| text.parse::<u64>().is_ok();
    let is_alike = |typed: &&str| match is_number(default) {
        true => is_number(typed) && (!is_whole(default) || is_whole(typed)),
        false => !is_number(typed) && !is_switch(typed),
    };
    let typed = typed.filter(is_alike);
    format!("{before}{}{after}", typed.unwrap_or(default))
}

/// Whether what stands in brackets is a key, rather than a value.
pub(super) fn is_key(text: &str) -> bool {
    text.contains('.') && text.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c == '.')
}

/// How long a value is that stands in a sentence: up to the bracket that closes it, or to a space, without the sentence's own signs.
fn length_of_value(text: &str) -> usize {
    if !text.starts_with(['[', '{']) {
        let end = text.find([' ', ')', ';']).unwrap_or(text.len());
        return text[..end].trim_end_matches([',', ':', '.']).len();
    }
    let mut open = 0;
    for (at, c) in text.char_indices() {
        open += i32::from("[{".contains(c)) - i32::from("]}".contains(c));
        if open == 0 {
            return at + c.len_utf8();
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::super::near::near;
    use super::*;

    #[test]
    fn what_was_typed_is_carried_over_where_it_means_the_same() {
        for (name, typed, words) in [
            ("beta1", "0.8", "--set 'optimizer.betas=[0.8, 0.999]'"),
            ("beta2", "0.99", "--set 'optimizer.betas=[0.9, 0.99]'"),
            ("l2", "0.01", "--set optimizer.weight_decay=0.01"),
            ("resume", "runs/a", "`pupila resume runs/a`"),
            ("resume", "true", "`pupila resume RUN`"),
            ("seeds", "5", "--seeds 5`"),
            ("pretrained", "true", "--set transfer.from=RUN_OR_FILE"),
            ("pretrained", "imagenet", "--set transfer.from=RUN_OR_FILE"),
            ("initialcheckpoint", "runs/a", "--set transfer.from=runs/a"),
        ] {
            let told = near(name).unwrap().told(Some(typed));
            assert!(told.contains(words), "{name}={typed}: {told}");
        }
    }

    #[test]
    fn lines_to_type_are_told_from_the_sentence_around_them() {
        let told = |said: &'static str| Said(said).told(Some("7"));
        assert_eq!(
            told("one, [train.epochs]=<3>, two ([input.size]=[48, <64>]); [loss] is no key"),
            "one, --set train.epochs=7, two (--set 'input.size=[48, 7]'); [loss] is no key"
        );
        assert_eq!(
            told("[data.normalize]={ mean = [0.5], std = [0.2] } or [train.seed]."),
            "--set 'data.normalize={ mean = [0.5], std = [0.2] }' or train.seed."
        );
    }
}
