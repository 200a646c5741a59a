//! Judged images that were trained on too: the scores without them and on them, and their list.

use crate::error::EMPTY;
use crate::intervals::Intervals;
use crate::named::{Named, finite};
use crate::predictions::field;
use crate::summary::{ClassIntervals, Interval};
use pupila_metrics::{Predictions, summary};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use twox_hash::XxHash3_128;

/// Metrics that are told of the parts.
const TOLD: [&str; 4] = ["accuracy", "balanced_accuracy", "macro_f1", "loss"];

/// What judged images with a copy in the training set, exact or nearly the same, do to the scores.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Leaks {
    /// Judged images with a copy in the training set.
    pub images: usize,
    /// Those of them whose copy is no exact one: the same picture in another size, compression or brightness, mirrored, turned or
    /// cropped a little.
    pub near: usize,
    /// The scores of the other images: what can be believed.
    pub without: PartScores,
    /// The scores of the images with a copy.
    pub on: PartScores,
}

/// A training image that is the same as a judged one, or nearly so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingCopy {
    /// Its path; empty where it is not known.
    pub path: String,
    /// Whether it is no exact copy.
    pub near: bool,
}

impl TrainingCopy {
    /// Of each judged image the exact copy, or else the nearly equal one. `exact, near: [N]`; `near` may be empty.
    pub fn of_each(exact: Vec<Option<String>>, near: Vec<Option<String>>) -> Vec<Option<TrainingCopy>> {
        let near = near.into_iter().chain(std::iter::repeat(None));
        let of_one = |(exact, near): (Option<String>, Option<String>)| match (exact, near) {
            (Some(path), _) => Some(TrainingCopy { path, near: false }),
            (None, near) => near.map(|path| TrainingCopy { path, near: true }),
        };
        exact.into_iter().zip(near).map(of_one).collect()
    }
}

/// Scores of a part of the judged images.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PartScores {
    /// Its images.
    pub images: usize,
    /// The accuracy that needs no learning: the share of its most frequent class; null without images.
    pub without_learning: Option<f64>,
    /// Its metrics; null where undefined.
    pub metrics: Named<Option<f64>>,
    /// 95 % intervals; null where there is none.
    pub intervals: Named<Interval>,
    /// Of each class.
    pub per_class: Vec<ClassIntervals>,
}

impl Leaks {
    /// The leaks of a judgement; none where no image leaked. `copies`: for each image its copy, if it has one. `[N]`
    pub fn of(
        predictions: &Predictions,
        classes: &[String],
        groups: Option<&[String]>,
        copies: &[Option<TrainingCopy>],
    ) -> Option<Leaks> {
        let (on, without): (Vec<usize>, Vec<usize>) =
            (0..predictions.len()).partition(|&place| copies.get(place).is_some_and(Option::is_some));
        let part = |places: &[usize]| {
            let of: Option<Vec<String>> =
                groups.map(|groups| places.iter().map(|&place| groups[place].clone()).collect());
            PartScores::of(&predictions.part(places), classes, of.as_deref())
        };
        let near = copies.iter().flatten().filter(|copy| copy.near).count();
        (!on.is_empty()).then(|| Leaks { images: on.len(), near, without: part(&without), on: part(&on) })
    }

    /// How a training leaves the copies out.
    pub fn remedy(&self) -> &'static str {
        match self.near {
            0 => {
                "where both are in one data set, a training with --set data.leaks=drop leaves the copies out"
            }
            _ => {
                "where both are in one data set, pupila inspect DATA --exclude-list FILE writes the copies, and a training with --set data.exclude_list=FILE leaves them out"
            }
        }
    }

    /// How they are known: `as exact copies`, `as nearly equal pictures`, or how many of each.
    pub fn how(&self) -> String {
        match (self.images - self.near, self.near) {
            (_, 0) => "as exact copies".to_owned(),
            (0, _) => "as nearly the same pictures".to_owned(),
            (exact, near) => format!("{exact} as exact copies and {near} as nearly the same pictures"),
        }
    }
}

impl PartScores {
    fn of(predictions: &Predictions, classes: &[String], groups: Option<&[String]>) -> Self {
        let intervals = Intervals::of(predictions, classes, groups);
        let values = summary(predictions);
        let metric = |name: &&str| ((*name).to_owned(), values.get(name).and_then(finite));
        PartScores {
            images: predictions.len(),
            without_learning: predictions.majority().map(|(_, share)| share),
            metrics: TOLD.iter().map(metric).collect(),
            intervals: intervals.of_metrics,
            per_class: intervals.per_class,
        }
    }

    /// The limits of the accuracy; none where there are none.
    pub fn limits(&self) -> Option<(f64, f64)> {
        self.intervals.get("accuracy").and_then(|&[low, high]| Some((low?, high?)))
    }

    /// The accuracy with its interval, in words; none without images.
    pub fn accuracy_in_words(&self) -> Option<String> {
        let value = self.metrics.get("accuracy").copied().flatten()?;
        let range = self.limits().map_or_else(String::new, |(low, high)| {
            format!(" (95 % interval {:.1} to {:.1})", 100.0 * low, 100.0 * high)
        });
        Some(format!("{:.1} %{range}", 100.0 * value))
    }
}

/// The images that a run and those whose weights it began from were trained on, by their content: `trained_on.txt`, the first 16 hexadecimal
/// digits of the content (XXH3-128) of each image, a line each, in order. By these an evaluation knows what was trained on, wherever the images
/// are now. The first line says how many they are, with a checksum, since a part of them would hide copies.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrainedOn {
    digits: BTreeSet<u64>,
}

impl TrainedOn {
    /// Of the contents of images.
    pub fn of(contents: impl IntoIterator<Item = u128>) -> Self {
        TrainedOn { digits: contents.into_iter().map(short).collect() }
    }

    /// These and others.
    #[must_use]
    pub fn with(mut self, others: &TrainedOn) -> Self {
        self.digits.extend(&others.digits);
        self
    }

    /// Whether an image is among them, by its content.
    pub fn contains(&self, content: u128) -> bool {
        self.digits.contains(&short(content))
    }

    /// The file.
    pub fn to_text(&self) -> String {
        let mut lines = String::with_capacity(17 * self.digits.len());
        for digits in &self.digits {
            let _ = writeln!(lines, "{digits:016x}");
        }
        heading(self.digits.len(), &lines) + &lines
    }

    /// Reads it; or what is wrong. Files of before there was a first line of this kind are read by their lines alone.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let (first, lines) = match text.split_once('\n') {
            Some((first, lines)) if first.starts_with(HEADING) => (Some(first), lines),
            _ => (None, text),
        };
        let of_line = |line: &str| u64::from_str_radix(line, 16).ok().filter(|_| line.len() == 16);
        let mut digits = BTreeSet::new();
        for (number, line) in lines.lines().enumerate() {
            let number = number + 1 + usize::from(first.is_some());
            digits.insert(
                of_line(line)
                    .ok_or_else(|| format!("line {number} is no content: 16 hexadecimal digits are"))?,
            );
        }
        match first {
            _ if digits.is_empty() => Err(EMPTY.to_owned()),
            Some(first) if heading(digits.len(), lines).trim_end() != first => {
                Err(format!("its {} contents are not those that its first line counts", digits.len()))
            }
            _ => Ok(TrainedOn { digits }),
        }
    }
}

/// The first line, which readers of before pass over.
fn heading(contents: usize, lines: &str) -> String {
    format!("{HEADING} {contents} contents, XXH3-128 {:032x}\n", XxHash3_128::oneshot(lines.as_bytes()))
}

/// How the first line begins.
const HEADING: &str = "#";

/// The file without the first line, which earlier versions did not write.
pub fn without_heading(text: &str) -> &str {
    text.split_once('\n').filter(|(first, _)| first.starts_with(HEADING)).map_or(text, |(_, lines)| lines)
}

/// Two of a million images share this by chance in one of 37 million data sets.
fn short(content: u128) -> u64 {
    (content >> 64) as u64
}

/// `leaks.csv`: the judged images with a copy in the training set, one a line, with the path of the copy, and whether it is `exact` or `near`.
pub fn leaks_csv(paths: &[String], copies: &[Option<TrainingCopy>]) -> String {
    let mut text = String::from("path,training_copy,how\n");
    for (path, copy) in paths.iter().zip(copies) {
        if let Some(copy) = copy {
            let how = if copy.near { "near" } else { "exact" };
            text += &format!("{},{},{how}\n", field(path), field(&copy.path));
        }
    }
    text
}

/// The judged paths of a `leaks.csv`.
pub(crate) fn leaked_paths(text: &str) -> Result<Vec<String>, csv::Error> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.records().map(|record| Ok(record?.get(0).unwrap_or_default().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_trained_on_is_known_by_content() {
        let contents = [7u128 << 64 | 1, 3 << 64, u128::MAX, 7 << 64];
        let text = TrainedOn::of(contents).to_text();
        let lines = "0000000000000003\n0000000000000007\nffffffffffffffff\n";
        assert!(text.starts_with("# 3 contents, XXH3-128 ") && without_heading(&text) == lines, "{text}");
        // The second is what earlier versions have written.
        for text in [&text[..], lines] {
            let known = TrainedOn::read(text).unwrap();
            assert!(contents.into_iter().all(|content| known.contains(content)));
            assert!(!known.contains(4 << 64) && !known.contains(0));
            assert_eq!(without_heading(text), lines);
        }
    }

    #[test]
    fn what_was_trained_on_in_several_steps_is_one_record() {
        let [first, second] = [[7u128 << 64, 3 << 64], [5 << 64, 3 << 64]].map(TrainedOn::of);
        let both = second.clone().with(&first);
        assert!([3, 5, 7].into_iter().all(|content: u128| both.contains(content << 64)));
        assert!(!both.contains(4 << 64) && both != second);
        assert!(both.to_text().starts_with("# 3 contents, "));
        assert_eq!(TrainedOn::read(&both.to_text()), Ok(both));
    }

    #[test]
    fn what_was_trained_on_is_refused_where_a_part_is_missing() {
        let text = TrainedOn::of([1u128 << 64, 2 << 64, 3 << 64]).to_text();
        let is_wrong = |text: &str| TrainedOn::read(text).err();
        // Cut anywhere.
        for end in 0..text.len() - 1 {
            assert!(is_wrong(&text[..end]).is_some(), "{:?}", &text[..end]);
        }
        let without_one: String =
            text.lines().filter(|line| !line.ends_with('2')).flat_map(|line| [line, "\n"]).collect();
        assert!(is_wrong(&without_one).unwrap().contains("its 2 contents are not those"));
        let other = text.replace("0000000000000002", "0000000000000004");
        assert!(is_wrong(&other).unwrap().contains("its 3 contents are not those"));
        for (text, words) in [
            ("", "is empty"),
            ("\n", "line 1 is no content"),
            ("nonsense\n", "line 1 is no content"),
            ("# 0\n", "is empty"),
        ] {
            assert!(is_wrong(text).unwrap().contains(words), "{text:?}");
        }
    }

    #[test]
    fn scores_are_told_without_the_copies_and_on_them() {
        let mut predictions = Predictions::new(2);
        predictions.push_probabilities(&[0.9, 0.1, 0.1, 0.9, 0.2, 0.8, 0.7, 0.3], &[0, 1, 0, 1]).unwrap();
        let classes = ["a".to_owned(), "b".to_owned()];
        let exact = vec![Some("t/1,2.png".to_owned()), None, None, None];
        let near = vec![Some("t/3.png".to_owned()), Some("t/2.png".to_owned()), None, None];
        let copies = TrainingCopy::of_each(exact.clone(), near);
        assert_eq!(TrainingCopy::of_each(exact, Vec::new())[1..], [None, None, None]);
        let leaks = Leaks::of(&predictions, &classes, None, &copies).unwrap();
        let accuracy = |part: &PartScores| part.metrics.get("accuracy").copied().flatten();
        assert_eq!((leaks.images, accuracy(&leaks.on), accuracy(&leaks.without)), (2, Some(1.0), Some(0.0)));
        assert_eq!(
            (leaks.near, &leaks.how()[..]),
            (1, "1 as exact copies and 1 as nearly the same pictures")
        );
        assert_eq!(leaks.without.accuracy_in_words().unwrap(), "0.0 % (95 % interval 0.0 to 84.2)");
        assert_eq!(leaks.on.per_class[0].images, 1);
        assert_eq!(Leaks::of(&predictions, &classes, None, &[None, None, None, None]), None);
        let all = TrainingCopy::of_each(vec![Some(String::from("t")); 4], Vec::new());
        let leaks = Leaks::of(&predictions, &classes, None, &all).unwrap();
        assert_eq!((leaks.without.images, leaks.without.accuracy_in_words()), (0, None));
        let paths = ["v/1.png", "v/2.png", "v/3.png", "v/4.png"].map(str::to_owned);
        let text = leaks_csv(&paths, &copies);
        assert_eq!(text, "path,training_copy,how\nv/1.png,\"t/1,2.png\",exact\nv/2.png,t/2.png,near\n");
        assert_eq!(leaked_paths(&text).unwrap(), ["v/1.png", "v/2.png"]);
    }
}
