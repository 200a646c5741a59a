//! What the values of a column say of splits: their names in any language, yes and no, or something that only its owner knows.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::splits::is_fold_name;
use crate::suggest::{nearest, toml_string};
use crate::{Layout, Split};

/// Yes and no, as people and programs write them, in lower case.
const YES: &[&str] = &[
    "true",
    "1",
    "yes",
    "y",
    "t",
    "1.0",
    "x",
    "✓",
    "✔",
    "on",
    "verdadero",
    "sí",
    "si",
    "s",
    "sì",
    "verdadeiro",
    "sim",
    "vrai",
    "oui",
    "o",
    "vero",
    "v",
    "wahr",
    "ja",
    "j",
    "tak",
    "prawda",
    "да",
    "истина",
    "evet",
    "doğru",
    "是",
    "真",
];
const NO: &[&str] = &[
    "false", "0", "no", "n", "f", "0.0", "-", "off", "falso", "não", "nao", "faux", "non", "falsch", "nein",
    "nie", "fałsz", "нет", "ложь", "hayır", "yanlış", "否", "假",
];

/// What a value says that can say yes and no alone.
pub(super) fn truth(value: &str) -> Option<bool> {
    let value = value.to_lowercase();
    let is = |words: &[&str]| words.contains(&value.as_str());
    if is(YES) { Some(true) } else { is(NO).then_some(false) }
}

/// The same where an empty value says no.
pub(super) fn said(value: &str) -> Option<bool> {
    if value.is_empty() { Some(false) } else { truth(value) }
}

/// Whether values are yes, no and empty: whether empty is no, or is not known, cannot be told.
pub(super) fn mixes_empty<'a>(values: impl Iterator<Item = &'a str>) -> bool {
    let (mut empty, mut no) = (false, false);
    for value in values {
        empty |= value.is_empty();
        no |= truth(value) == Some(false);
    }
    empty && no
}

/// What a value means: a split, or that its row is left out; none where it says nothing of splits.
pub(in crate::scan) fn meaning(value: &str, layout: &Layout) -> Option<Option<Split>> {
    // What is said of `val` holds for `dev` too, unless that is said by itself.
    layout.split_value(value).or_else(|| {
        let split = by_name(value)?;
        Some(layout.split_value(split.name()).unwrap_or(Some(split)))
    })
}

/// The split of a value by itself. Competitions call the set that they show results on while they run `PublicTest`, and the one that
/// decides `PrivateTest`.
pub(super) fn by_name(value: &str) -> Option<Split> {
    match value.to_lowercase().as_str() {
        "publictest" | "public" => Some(Split::Val),
        "privatetest" | "private" => Some(Split::Test),
        _ if is_evaluation(value) => Some(Split::Test),
        _ => value.parse().ok(),
    }
}

/// Whether a value is of the set to evaluate on, which is nothing else than the test set where no value says that.
fn is_evaluation(value: &str) -> bool {
    let words = crate::scan::names::words(value);
    matches!(&words[..], [only] if matches!(only.as_str(), "eval" | "evaluation" | "evaluacion" | "avaliacao" | "valutazione" | "evaluierung" | "auswertung"))
}

/// Whether values name splits, whatever their column is called: all of them do, and one of several is the training set.
pub(in crate::scan) fn say_splits<'a>(values: impl Iterator<Item = &'a str>) -> bool {
    // Columns of names and numbers have many, and their first says nothing.
    let mut values = values.peekable();
    if values.peek().is_none_or(|value| by_name(value).is_none()) {
        return false;
    }
    let values: Vec<&str> = values.collect();
    if !are_few(values.iter().copied()) {
        return false;
    }
    let values = Values::of(values.into_iter(), &Layout::default());
    values.odd.is_empty() && values.said.len() > 1 && values.said.contains(&Split::Train)
}

/// Whether a column has as few different values as one that says the splits.
pub(super) fn are_few<'a>(values: impl Iterator<Item = &'a str>) -> bool {
    const MOST: usize = 64;
    let mut seen: HashSet<&str> = HashSet::new();
    values.into_iter().all(|value| {
        seen.insert(value);
        seen.len() <= MOST
    })
}

/// The values of a column by what they say.
pub(super) struct Values<'a> {
    /// The splits that some of them name.
    pub(super) said: BTreeSet<Split>,
    /// Those that name none, the empty one among them, with the number of their rows.
    pub(super) odd: BTreeMap<&'a str, usize>,
}

impl<'a> Values<'a> {
    pub(super) fn of(values: impl Iterator<Item = &'a str>, layout: &Layout) -> Values<'a> {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for value in values {
            *counts.entry(value).or_default() += 1;
        }
        // Beside `test`, what `evaluation` is cannot be told.
        let is_open = |value: &str| is_evaluation(value) && layout.split_value(value).is_none();
        let tests =
            counts.keys().any(|value| !is_open(value) && meaning(value, layout) == Some(Some(Split::Test)));
        let (mut said, mut odd) = (BTreeSet::new(), BTreeMap::new());
        for (value, rows) in counts {
            match meaning(value, layout).filter(|_| !(tests && is_open(value))) {
                Some(split) => said.extend(split),
                None => {
                    odd.insert(value, rows);
                }
            }
        }
        Values { said, odd }
    }

    /// What to type where values of a column say no split; `first` is one of them.
    pub(super) fn refusal(&self, column: &str, first: &str) -> String {
        let rows: usize = self.odd.values().sum();
        let others = match rows.saturating_sub(1) {
            0 => String::new(),
            1 => " (nor does that of 1 other row)".to_owned(),
            n => format!(" (nor do those of {n} other rows)"),
        };
        if self.odd.len() > SHOWN {
            return format!(
                "the column {column} says the split, and its value \"{first}\" is none{others}; it has {} such values: if another \
                 column says it, --set data.split_column=NAME, if none does, --set data.split_column=none, else write train, val or test",
                self.odd.len()
            );
        }
        format!(
            "the column {column} says the split, and its value \"{first}\" is none{others}; say what is meant: --set \
             'data.split_values={{ {} }}' (train, val, test, or none for rows that are left out)",
            self.meanings(crate::scan::names::flagged_split(column))
        )
    }

    /// What values may mean that are no names of splits, as TOML has it: `0 = "train", 1 = "val"`. `flagged` is what yes means.
    pub(super) fn meanings(&self, flagged: Option<Split>) -> String {
        let mut free: Vec<Split> =
            Split::ALL.into_iter().filter(|split| !self.said.contains(split)).collect();
        let mut meant: BTreeMap<&str, &str> = BTreeMap::new();
        let mut take = |value: &'a str, split: Option<Split>| {
            free.retain(|other| Some(*other) != split);
            meant.insert(value, split.map_or("none", Split::name));
        };
        let numbers: Vec<&str> = self.odd.keys().copied().filter(|value| is_number(value)).collect();
        let is_flag = |value: &str| flagged.is_some() && truth(value).is_some();
        for (at, value) in numbers.iter().enumerate().filter(|(_, value)| !is_flag(value)) {
            // Numbers count the splits in their order; of two the second is what a model is judged on. More are the numbers of folds,
            // of which one is validated on.
            let last = at + 1 == numbers.len();
            let of_folds = if last { Split::Val } else { Split::Train };
            take(value, Some(if numbers.len() > 3 { of_folds } else { Split::ALL[at] }));
        }
        for value in self.odd.keys().copied() {
            if let (true, Some(split)) = (is_flag(value), flagged) {
                let rest = Split::ALL.into_iter().find(|other| *other != split);
                take(value, if truth(value) == Some(true) { Some(split) } else { rest });
            } else if says_nothing(value) || (value.is_empty() && self.said.contains(&Split::Train)) {
                take(value, None);
            } else if let Some(near) = nearest(value, Split::ALL.map(Split::name)) {
                take(value, near.parse().ok());
            }
        }
        // What has the most rows is trained on. The empty value comes last: it may well mean none.
        let mut open: Vec<(&str, usize)> = self.odd.iter().map(|(value, rows)| (*value, *rows)).collect();
        open.retain(|(value, _)| !meant.contains_key(value));
        open.sort_by_key(|(value, rows)| (value.is_empty(), std::cmp::Reverse(*rows)));
        for ((value, _), split) in open.iter().zip(free.into_iter().map(Some).chain(std::iter::repeat(None)))
        {
            meant.insert(value, split.map_or("none", Split::name));
        }
        let pairs =
            meant.into_iter().take(SHOWN).map(|(value, of)| format!("{} = \"{of}\"", toml_string(value)));
        pairs.collect::<Vec<_>>().join(", ")
    }
}

/// Whether a value says that its row is of no split.
fn says_nothing(value: &str) -> bool {
    const WORDS: [&str; 12] = [
        "unlabeled",
        "unlabelled",
        "none",
        "na",
        "n/a",
        "nan",
        "null",
        "exclude",
        "excluded",
        "ignore",
        "ignored",
        "unused",
    ];
    WORDS.contains(&value.to_lowercase().as_str())
}

/// Values that are shown with what they may mean.
const SHOWN: usize = 6;

/// Whether a value is a number, or numbers a fold.
fn is_number(value: &str) -> bool {
    let digits = value.trim_start_matches(|c: char| !c.is_ascii_digit());
    let before = &value[..value.len() - digits.len()];
    (before.is_empty() || is_fold_name(before)) && digits.parse::<u64>().is_ok()
}

/// What values of a column were taken for, where they are not the usual words: ` (évaluation -> test, ...)`.
pub(super) fn taken_for<'a>(values: impl Iterator<Item = &'a str>, layout: &Layout) -> String {
    let distinct: BTreeSet<&str> = values.collect();
    if distinct.len() > SHOWN || distinct.iter().all(|value| Split::of_alias(value).is_some()) {
        return String::new();
    }
    let pair = |value: &&str| match meaning(value, layout) {
        Some(Some(split)) => format!("{} -> {split}", shown(value)),
        _ => format!("{} left out", shown(value)),
    };
    format!(" ({})", distinct.iter().map(pair).collect::<Vec<_>>().join(", "))
}

/// A value as it is, and an empty one so that it is seen.
pub(in crate::scan) fn shown(value: &str) -> &str {
    if value.is_empty() { "\"\"" } else { value }
}
