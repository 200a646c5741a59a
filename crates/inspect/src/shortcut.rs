//! Facts that are not the content and predict the class: a network may learn them instead.
//!
//! Each fact by itself is given to a small tree ([`crate::tree`]), whose answers on images that it has not seen (five folds, copies and
//! groups kept together) are compared with the share of the most frequent class. That it is better by chance is ruled out by what the
//! same reaches on shuffled labels: a fact is told where it is four of their standard deviations above their mean, and where the
//! interval of its accuracy is above the share.

use std::collections::HashMap;

use pupila_dataset::Dataset;
use pupila_metrics::proportion;
use pupila_random::{Purpose, Stream};
use rayon::prelude::*;

use crate::finding::{Finding, Kind, Severity};
use crate::tree::Tree;
use crate::units::{folds, units};
use crate::{Looked, Sight};

const FOLDS: u32 = 5;
/// Shuffled sets that a fact is compared with.
const SHUFFLES: u32 = 24;
/// How many standard deviations above them it must be: by chance one of 3,600 for so many shuffles (t of 23 degrees).
const DEVIATIONS: f64 = 4.0;
/// The smallest gain that is worth a word.
const GAIN: f64 = 0.01;
/// No more images are looked at.
const MOST: usize = 4_000;
/// Fewer say nothing.
const FEWEST: usize = 30;

/// A fact of each image, as numbers.
struct Fact {
    name: &'static str,
    /// What of it is told by class, and how.
    shown: &'static str,
    /// Whether a network sees it in the pixels.
    seen: bool,
    /// `[features][images]`; the first is what is shown.
    features: Vec<Vec<f32>>,
}

/// What a fact alone reaches.
#[derive(Debug, Clone, PartialEq)]
pub struct Shortcut {
    /// The fact, such as `image size`.
    pub fact: &'static str,
    /// The share of images whose class a tree tells by it, on images that it has not seen.
    pub accuracy: f64,
    /// Its 95 % interval.
    pub interval: (f64, f64),
    /// The share of the most frequent class.
    pub majority: f64,
    /// Whether a network sees it in the pixels.
    pub seen: bool,
    /// What it is in each class: the class's name, and the median.
    pub by_class: Vec<(String, f64)>,
    /// What `by_class` has, such as `width`.
    pub shown: &'static str,
}

/// The facts that give the class away, the best first.
pub(crate) fn shortcuts(dataset: &Dataset, looked: &Looked) -> Vec<Shortcut> {
    let mut which: Vec<usize> =
        (0..dataset.samples.len()).filter(|&at| looked.sights[at].is_some()).collect();
    if which.len() > MOST {
        Stream::new(0, Purpose::Subset, 0, 0).shuffle(&mut which);
        which.truncate(MOST);
        which.sort_unstable();
    }
    let labels: Vec<u32> = which.iter().map(|&place| dataset.samples[place].label).collect();
    let classes = dataset.classes.len();
    let mut counts = vec![0usize; classes];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    if which.len() < FEWEST || counts.iter().filter(|&&count| count > 1).count() < 2 {
        return Vec::new();
    }
    let majority = *counts.iter().max().unwrap_or(&0) as f64 / which.len() as f64;
    let units = units(dataset, looked, &which);
    let fold = folds(&units, FOLDS, 0);
    let facts = facts(dataset, looked, &which);
    let mut found: Vec<Shortcut> = facts
        .par_iter()
        .filter_map(|fact| {
            let hits = hits(fact, &labels, classes, &fold);
            let accuracy = share(&hits);
            if accuracy < majority + GAIN {
                return None;
            }
            let grouped = units.iter().max().is_some_and(|&most| (most as usize + 1) < units.len());
            let interval =
                proportion(&hits, grouped.then_some(&units)).or_else(|_| proportion(&hits, None)).ok()?;
            if interval.low <= majority {
                return None;
            }
            let shuffled: Vec<f64> = (0..SHUFFLES)
                .into_par_iter()
                .map(|round| {
                    let labels = shuffled(&labels, &units, round);
                    share(&self::hits(fact, &labels, classes, &fold))
                })
                .collect();
            let mean = shuffled.iter().sum::<f64>() / f64::from(SHUFFLES);
            let variance =
                shuffled.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / f64::from(SHUFFLES - 1);
            // Where nearly all shuffles give the majority alone their scatter says too little.
            let least = majority * (1.0 - majority) / which.len() as f64;
            if accuracy < mean + DEVIATIONS * variance.max(least).sqrt() {
                return None;
            }
            Some(Shortcut {
                fact: fact.name,
                accuracy,
                interval: (interval.low, interval.high),
                majority,
                seen: fact.seen,
                by_class: by_class(dataset, &fact.features[0], &labels),
                shown: fact.shown,
            })
        })
        .collect();
    found.sort_by(|a, b| b.accuracy.total_cmp(&a.accuracy));
    found
}

/// Whether each image's class is told by the fact alone, by a tree that has not seen the image.
fn hits(fact: &Fact, labels: &[u32], classes: usize, fold: &[u32]) -> Vec<bool> {
    let mut hits = vec![false; labels.len()];
    for judged in 0..FOLDS {
        let mut which: Vec<usize> = (0..labels.len()).filter(|&at| fold[at] != judged).collect();
        if which.is_empty() {
            continue;
        }
        let tree = Tree::fit(&fact.features, labels, classes, &mut which);
        for at in (0..labels.len()).filter(|&at| fold[at] == judged) {
            hits[at] = tree.predict(&fact.features, at) == labels[at];
        }
    }
    hits
}

/// Labels that stand at other units; those within a unit go together where the units are of one size.
fn shuffled(labels: &[u32], units: &[u32], round: u32) -> Vec<u32> {
    let count = units.iter().max().map_or(0, |&most| most as usize + 1);
    let mut of_unit: Vec<Vec<u32>> = vec![Vec::new(); count];
    labels.iter().zip(units).for_each(|(&label, &unit)| of_unit[unit as usize].push(label));
    let mut stream = Stream::new(0, Purpose::Shuffle, round, 0);
    stream.shuffle(&mut of_unit);
    // In the order of the units: images of one get neighbouring labels, which mostly are of one unit again.
    let mut all = of_unit.into_iter().flatten();
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by_key(|&at| units[at]);
    let mut shuffled = vec![0; labels.len()];
    order.into_iter().for_each(|at| shuffled[at] = all.next().unwrap_or(0));
    shuffled
}

fn share(hits: &[bool]) -> f64 {
    hits.iter().filter(|hit| **hit).count() as f64 / hits.len().max(1) as f64
}

fn by_class(dataset: &Dataset, values: &[f32], labels: &[u32]) -> Vec<(String, f64)> {
    let mut of_class: Vec<Vec<f32>> = vec![Vec::new(); dataset.classes.len()];
    labels.iter().zip(values).for_each(|(&label, &value)| of_class[label as usize].push(value));
    let named = dataset.classes.iter().zip(of_class).filter(|(_, values)| !values.is_empty());
    named
        .map(|(class, mut values)| {
            values.sort_by(f32::total_cmp);
            (class.clone(), f64::from(values[values.len() / 2]))
        })
        .collect()
}

fn facts(dataset: &Dataset, looked: &Looked, which: &[usize]) -> Vec<Fact> {
    let sights: Vec<&Sight> = which.iter().filter_map(|&place| looked.sights[place].as_ref()).collect();
    let numbers = |of: &dyn Fn(&Sight) -> f32| -> Vec<f32> { sights.iter().map(|sight| of(sight)).collect() };
    // What is missing is below all.
    let missing = f32::MIN;
    let quality = numbers(&|s| s.jpeg_quality.map_or(missing, f32::from));
    let cameras: Vec<String> = sights.iter().map(|s| s.taken.camera.clone().unwrap_or_default()).collect();
    let stems: Vec<String> = which
        .iter()
        .map(|&place| {
            dataset.samples[place].path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
        })
        .collect();
    let formats: Vec<String> =
        sights.iter().map(|s| s.format.map_or(String::new(), |format| format.name().to_owned())).collect();
    let fact = |name, shown, seen, features| Fact { name, shown, seen, features };
    let facts = vec![
        fact(
            "image size",
            "width",
            true,
            vec![
                numbers(&|s| s.size.0 as f32),
                numbers(&|s| s.size.1 as f32),
                numbers(&|s| s.size.0 as f32 / s.size.1 as f32),
            ],
        ),
        fact("file size", "bytes", false, vec![numbers(&|s| s.bytes as f32)]),
        fact(
            "file format",
            "format",
            false,
            vec![codes(&formats), numbers(&|s| f32::from(u8::from(s.color)))],
        ),
        fact(
            "file name",
            "length of the name",
            false,
            vec![
                stems.iter().map(|stem| stem.chars().count() as f32).collect(),
                codes(&stems.iter().map(|stem| pattern(stem)).collect::<Vec<_>>()),
                stems.iter().map(|stem| number(stem).unwrap_or(missing)).collect(),
            ],
        ),
        fact("border color", "red of the border", true, (0..3).map(|c| numbers(&|s| s.border[c])).collect()),
        fact("brightness", "brightness", true, vec![numbers(&|s| s.brightness), numbers(&|s| s.contrast)]),
        fact("camera", "camera", false, vec![codes(&cameras)]),
        fact("time", "seconds", false, vec![numbers(&|s| s.taken.at.map_or(missing, |at| at as f32))]),
        fact("JPEG quality", "quality", true, vec![quality]),
    ];
    let varies = |fact: &Fact| fact.features.iter().any(|values| values.iter().any(|&v| v != values[0]));
    facts.into_iter().filter(varies).collect()
}

/// Texts as numbers: the most frequent is 0. So a tree parts them in few steps.
fn codes(texts: &[String]) -> Vec<f32> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    texts.iter().for_each(|text| *counts.entry(text).or_default() += 1);
    let mut order: Vec<(&str, usize)> = counts.into_iter().collect();
    order.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let code: HashMap<&str, f32> =
        order.iter().enumerate().map(|(at, &(text, _))| (text, at as f32)).collect();
    texts.iter().map(|text| code[text.as_str()]).collect()
}

/// A name with `#` for each run of digits.
fn pattern(stem: &str) -> String {
    let mut pattern = String::new();
    for c in stem.chars() {
        match c.is_ascii_digit() {
            true if pattern.ends_with('#') => {}
            true => pattern.push('#'),
            false => pattern.push(c),
        }
    }
    pattern
}

/// The last number of a name.
fn number(stem: &str) -> Option<f32> {
    let end = stem.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = stem[..end]
        .rfind(|c: char| !c.is_ascii_digit())
        .map_or(0, |at| at + stem[at..].chars().next().map_or(1, char::len_utf8));
    stem[start..end].parse().ok()
}

/// What is told of them.
pub(crate) fn find(shortcuts: &[Shortcut]) -> Vec<Finding> {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    shortcuts
        .iter()
        .map(|shortcut| {
            let &Shortcut { fact, accuracy, interval: (low, high), majority, seen, .. } = shortcut;
            let message = format!(
                "{fact} alone tells the class of {} of the images [{:.1}, {:.1}]; always the most frequent class: {}",
                percent(accuracy),
                100.0 * low,
                100.0 * high,
                percent(majority)
            );
            let severity = match seen {
                true if accuracy > majority + 0.5 * (1.0 - majority) => Severity::Error,
                true => Severity::Warning,
                false => Severity::Note,
            };
            let advice = match seen {
                true => "a network may learn it instead of the content; judge on images that do not have it, or make it the same in all classes",
                false => "a network does not see it, but it says that the classes come from different places, which may show in the pixels too",
            };
            let mut finding = Finding::new(Kind::Shortcut, severity, message, advice);
            finding.notes = notes(shortcut);
            finding
        })
        .collect()
}

/// Where the fact is lowest and highest, by class.
fn notes(shortcut: &Shortcut) -> Vec<String> {
    if matches!(shortcut.shown, "format" | "camera" | "seconds") {
        return Vec::new();
    }
    let mut by_class: Vec<&(String, f64)> =
        shortcut.by_class.iter().filter(|(_, v)| *v > f64::from(f32::MIN)).collect();
    by_class.sort_by(|a, b| a.1.total_cmp(&b.1));
    let (Some(lowest), Some(highest)) = (by_class.first(), by_class.last()) else { return Vec::new() };
    if lowest.1 == highest.1 {
        return Vec::new();
    }
    let number = |value: f64| if value < 2.0 { format!("{value:.2}") } else { format!("{value:.0}") };
    vec![format!(
        "median {}: {} of {}, {} of {}",
        shortcut.shown,
        number(lowest.1),
        lowest.0,
        number(highest.1),
        highest.0
    )]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_patterns_and_numbers() {
        assert_eq!(pattern("ISIC_0012-3b"), "ISIC_#-#b");
        assert_eq!(number("ISIC_0012"), Some(12.0));
        assert_eq!(number("ä12é"), Some(12.0));
        assert_eq!(number("7"), Some(7.0));
        assert_eq!(number("no"), None);
        assert_eq!(codes(&["b".into(), "a".into(), "b".into()]), [0.0, 1.0, 0.0]);
    }

    #[test]
    fn shuffled_labels_are_the_same_in_another_order() {
        let labels: Vec<u32> = (0..100).map(|i| i % 3).collect();
        let units: Vec<u32> = (0..100).map(|i| i / 2).collect();
        let mut other = shuffled(&labels, &units, 1);
        assert_ne!(other, labels);
        other.sort_unstable();
        let mut sorted = labels.clone();
        sorted.sort_unstable();
        assert_eq!(other, sorted);
    }
}
