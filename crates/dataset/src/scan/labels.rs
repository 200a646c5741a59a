//! Labels that are numbers or names, and how their classes are called: those of arrays and of shards.

use std::collections::BTreeSet;

use crate::suggest::nearest;
use crate::{Layout, Notice, Split};

/// What data says of an image's class.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Label {
    Number(i64),
    Name(String),
}

/// How the values of labels are called.
pub(super) struct Names<'a> {
    /// Numbers are padded with zeros to so many digits, so that the order of the names is that of the values.
    digits: usize,
    layout: &'a Layout,
}

impl<'a> Names<'a> {
    /// For classes of which `trained` are those of the training set.
    pub(super) fn of<'b>(trained: impl Iterator<Item = &'b Label>, layout: &'a Layout) -> Names<'a> {
        let numbers = trained.filter_map(|label| match label {
            Label::Number(number) => Some(*number),
            Label::Name(_) => None,
        });
        let numbers: BTreeSet<i64> = numbers.collect();
        let negative = numbers.first().is_some_and(|&first| first < 0);
        let digits = numbers.last().filter(|_| !negative).map_or(1, |last| last.to_string().len());
        Names { digits, layout }
    }

    pub(super) fn name(&self, label: &Label) -> String {
        let digits = self.digits;
        let name = match label {
            Label::Number(number) => format!("{number:0digits$}"),
            Label::Name(name) => name.clone(),
        };
        // A number is the same with zeros before it and without.
        let is_same = |class: &String| match label {
            Label::Number(number) => class.parse() == Ok(*number),
            Label::Name(_) => false,
        };
        let rename = &self.layout.rename;
        let renamed =
            rename.get(&name).or_else(|| rename.iter().find(|(old, _)| is_same(old)).map(|(_, new)| new));
        renamed.cloned().unwrap_or(name)
    }

    /// Names that a recipe gives to classes that there are none of; `all` are the names that were given.
    pub(super) fn unmatched(&self, all: &[(String, Split)]) -> Vec<Notice> {
        let there: BTreeSet<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        let unmatched = self.layout.rename.iter().filter(|(_, new)| !there.contains(new.as_str()));
        let notice = |(class, _): (&String, _)| Notice::UnmatchedRename {
            class: class.clone(),
            similar: nearest(class, there.iter().copied()).map(str::to_owned),
        };
        unmatched.map(notice).collect()
    }
}

/// The class of a name; of a number also the one that is zero-padded (as in a data set of more than ten classes).
pub(super) fn label_in(name: &str, classes: &[String]) -> Option<u32> {
    let is_number = |class: &str| !class.is_empty() && class.bytes().all(|byte| byte.is_ascii_digit());
    let digits = |name: &str| name.trim_start_matches('0').to_owned();
    let padded = |class: &String| is_number(class) && is_number(name) && digits(class) == digits(name);
    let exact = classes.iter().position(|class| class == name);
    exact.or_else(|| classes.iter().position(padded)).and_then(|place| u32::try_from(place).ok())
}
