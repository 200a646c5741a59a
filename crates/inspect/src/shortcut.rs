//! Facts that are not the content and predict the class: a network may learn them instead.
//!
//! Each fact by itself is given to a small tree ([`crate::tree`]), whose answers on images that it has not seen (five folds, copies and
//! groups kept together) are compared with the share of the most frequent class. That it is better by chance is ruled out by what the
//! same reaches on shuffled labels: a fact is told where it is four of their standard deviations above their mean, and where the
//! interval of its accuracy is above the share. Where one class has most images, the mean of the classes' recalls is looked at too. A fact that tells
//! nothing over all may give one class away ([`crate::one_class`]): then a tree tells that class from all others, by the same rules.

use pupila_dataset::Dataset;
use pupila_dataset::shown;
use pupila_metrics::{Interval, Predictions, interval, metric, proportion};
use pupila_random::{Purpose, Stream};
use rayon::prelude::*;

use crate::Looked;
use crate::facts::{Fact, facts};
use crate::finding::{Finding, Kind, Severity};
use crate::one_class::set_apart;
use crate::tree::{Sorted, Tree};
use crate::units::{folds, units};

const FOLDS: u32 = 5;
/// Shuffled sets that a fact is compared with.
const SHUFFLES: u32 = 24;
/// How many standard deviations above them it must be: by chance about one of 2,900 for so many shuffles (t of 23 degrees).
const DEVIATIONS: f64 = 4.0;
/// The smallest gain that is worth a word.
const GAIN: f64 = 0.01;
/// No more images are looked at.
const MOST: usize = 4_000;
/// The fewest images of a class whose recall counts.
const RECALLED: usize = 10;
/// The least mean of the two recalls that gives one class away: a fifth of what there is to tell.
const GIVES_AWAY: f64 = 0.6;
/// Fewer say nothing.
const FEWEST: usize = 30;

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
    /// Where it is told by the mean of the classes' recalls, since the most frequent class stays the best answer: that mean, by a tree for which
    /// each class counts the same, and its 95 % interval.
    pub mean_recall: Option<(f64, f64, f64)>,
    /// How many classes there are; 2 where it is about one of them and the others.
    pub classes: usize,
    /// The classes that it gives away where it tells nothing over all, the one that it gives away most first; `mean_recall` is of the first and of all
    /// others. Else empty.
    pub given_away: Vec<String>,
    /// Whether a network sees it in the pixels.
    pub seen: bool,
    /// What it is in each class: the class's name, and the median.
    pub by_class: Vec<(String, f64)>,
    /// What `by_class` has, such as `width`.
    pub shown: &'static str,
}

/// The facts that give the class away, the best first.
pub fn shortcuts(dataset: &Dataset, looked: &Looked) -> Vec<Shortcut> {
    let mut which: Vec<usize> =
        (0..dataset.samples.len()).filter(|&at| looked.measurements[at].is_some()).collect();
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
    let there = counts.iter().filter(|&&count| count > 0).count() as f64;
    let units = units(dataset, looked, &which);
    let fold = folds(&units, FOLDS, 0);
    let grouped = units.iter().max().is_some_and(|&most| (most as usize + 1) < units.len());
    let groups = grouped.then_some(&units[..]);
    let plain = Score { weights: vec![1.0; classes], balanced: false, chance: majority };
    // Of classes of very different sizes the largest may stay the best answer whatever a fact says. Of classes with fewer images there is no
    // interval of a recall.
    let judged = counts.iter().filter(|&&count| count >= RECALLED).count();
    let weigh = |&count: &usize| match count {
        ..RECALLED => 0.0,
        count => which.len() as f64 / (judged * count) as f64,
    };
    let chance = 1.0 / judged.max(1) as f64;
    let balanced = Score { weights: counts.iter().map(weigh).collect(), balanced: true, chance };
    let is_imbalanced = majority > 1.5 / there && judged > 1;
    let facts = facts(dataset, looked, &which);
    // The comparisons of a number with a class that could be made, whether they are or not.
    let features: usize = facts.iter().map(|fact| fact.features.len()).sum();
    let comparisons = features * judged;
    let recalled: Vec<bool> = counts.iter().map(|&count| count >= RECALLED).collect();
    let mut found: Vec<Shortcut> = facts
        .par_iter()
        .filter_map(|fact| {
            let sorted = &Sorted::new(&fact.features);
            let of = Trial { fact, sorted, labels: &labels, fold: &fold, units: &units, groups };
            let answers = of.answers(&labels, &plain.weights);
            let accuracy = plain.interval(&answers, &labels, groups)?;
            let by_class = || by_class(dataset, &fact.features[0], &labels);
            let mut told = Shortcut {
                fact: fact.name,
                accuracy: accuracy.value,
                interval: (accuracy.low, accuracy.high),
                majority,
                mean_recall: None,
                classes: there as usize,
                given_away: Vec::new(),
                seen: fact.seen,
                by_class: by_class(),
                shown: fact.shown,
            };
            if of.is_beyond_chance(&plain, accuracy) {
                return Some(told);
            }
            if is_imbalanced {
                let answers = of.answers(&labels, &balanced.weights);
                let recall = balanced.interval(&answers, &labels, groups)?;
                if of.is_beyond_chance(&balanced, recall) {
                    told.mean_recall = Some((recall.value, recall.low, recall.high));
                    told.classes = judged;
                    return Some(told);
                }
            }
            if there <= 2.0 {
                return None;
            }
            let mut apart: Vec<(usize, Interval)> = Vec::new();
            for class in set_apart(&fact.features, &labels, &units, &recalled, comparisons) {
                if let Some(recall) = of.one_class(class as u32) {
                    apart.push((class, recall));
                }
            }
            apart.sort_by(|a, b| b.1.value.total_cmp(&a.1.value).then(a.0.cmp(&b.0)));
            let (_, recall) = apart.first()?;
            told.mean_recall = Some((recall.value, recall.low, recall.high));
            told.classes = 2;
            told.given_away = apart.iter().map(|&(class, _)| dataset.classes[class].clone()).collect();
            Some(told)
        })
        .collect();
    let gain = |shortcut: &Shortcut| match shortcut.mean_recall {
        Some((value, ..)) => value - 1.0 / shortcut.classes as f64,
        None => shortcut.accuracy - shortcut.majority,
    };
    found.sort_by(|a, b| gain(b).total_cmp(&gain(a)));
    found
}

/// How answers are scored.
struct Score {
    /// How much an image of each class counts.
    weights: Vec<f64>,
    /// Whether each class counts the same.
    balanced: bool,
    /// What is reached without knowing anything.
    chance: f64,
}

impl Score {
    /// The share of right answers, or the mean of the classes' shares, with its 95 % interval.
    fn interval(&self, answers: &[u32], labels: &[u32], groups: Option<&[u32]>) -> Option<Interval> {
        if !self.balanced {
            let hits: Vec<bool> = answers.iter().zip(labels).map(|(answer, label)| answer == label).collect();
            return proportion(&hits, groups).or_else(|_| proportion(&hits, None)).ok();
        }
        // Of the classes that count, by their places among these.
        let counts = |class: usize| self.weights[class] > 0.0;
        let place: Vec<usize> =
            (0..self.weights.len()).map(|class| (0..class).filter(|&c| counts(c)).count()).collect();
        let classes = (0..self.weights.len()).filter(|&class| counts(class)).count();
        let judged: Vec<usize> = (0..labels.len()).filter(|&at| counts(labels[at] as usize)).collect();
        let mut scores = vec![0.0f32; judged.len() * classes];
        for (row, &at) in judged.iter().enumerate() {
            scores[row * classes + place[answers[at] as usize].min(classes - 1)] = 1.0;
        }
        let targets: Vec<u32> = judged.iter().map(|&at| place[labels[at] as usize] as u32).collect();
        let groups: Option<Vec<u32>> = groups.map(|groups| judged.iter().map(|&at| groups[at]).collect());
        let groups = groups.as_deref();
        let mut predictions = Predictions::new(classes);
        predictions.push_logits(&scores, &targets).ok()?;
        let metric = metric("balanced_accuracy").ok()?;
        interval(&predictions, metric, groups).or_else(|_| interval(&predictions, metric, None)).ok()
    }

    fn value(&self, answers: &[u32], labels: &[u32]) -> f64 {
        let (mut sum, mut all) = (0.0, 0.0);
        for (answer, &label) in answers.iter().zip(labels) {
            all += self.weights[label as usize];
            sum += if *answer == label { self.weights[label as usize] } else { 0.0 };
        }
        sum / all
    }
}

/// A fact that is tried.
struct Trial<'a> {
    fact: &'a Fact,
    sorted: &'a Sorted<'a>,
    labels: &'a [u32],
    fold: &'a [u32],
    units: &'a [u32],
    groups: Option<&'a [u32]>,
}

impl Trial<'_> {
    /// What a tree that has not seen an image says of it, by the fact alone.
    fn answers(&self, labels: &[u32], weights: &[f64]) -> Vec<u32> {
        let mut answers = vec![0; labels.len()];
        for judged in 0..FOLDS {
            let others = |at: usize| self.fold[at] != judged;
            if !(0..labels.len()).any(others) {
                continue;
            }
            let tree = Tree::fit(self.sorted, labels, weights, others);
            for at in (0..labels.len()).filter(|&at| self.fold[at] == judged) {
                answers[at] = tree.predict(&self.fact.features, at);
            }
        }
        answers
    }

    /// How well a tree tells one class from all others, each of both counting the same, where it gives the class away beyond chance.
    fn one_class(&self, class: u32) -> Option<Interval> {
        let labels: Vec<u32> = self.labels.iter().map(|&label| u32::from(label == class)).collect();
        let own = labels.iter().sum::<u32>() as f64;
        let all = labels.len() as f64;
        let weights = vec![all / (2.0 * (all - own)), all / (2.0 * own)];
        let score = Score { weights, balanced: true, chance: 0.5 };
        let of = Trial { labels: &labels, ..*self };
        let recall = score.interval(&of.answers(&labels, &score.weights), &labels, self.groups)?;
        (recall.value >= GIVES_AWAY && of.is_beyond_chance(&score, recall)).then_some(recall)
    }

    /// Whether a score is above what is reached without knowing anything, and above what shuffled labels reach.
    fn is_beyond_chance(&self, score: &Score, reached: Interval) -> bool {
        if reached.value < score.chance + GAIN || reached.low <= score.chance {
            return false;
        }
        let shuffled: Vec<f64> = (0..SHUFFLES)
            .into_par_iter()
            .map(|round| {
                let labels = shuffled(self.labels, self.units, round);
                score.value(&self.answers(&labels, &score.weights), &labels)
            })
            .collect();
        let mean = shuffled.iter().sum::<f64>() / f64::from(SHUFFLES);
        let variance =
            shuffled.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / f64::from(SHUFFLES - 1);
        // Where nearly all shuffles give the same their scatter says too little.
        let images = self
            .groups
            .map_or(self.labels.len(), |units| units.iter().max().map_or(1, |&most| most as usize + 1));
        let least = score.chance * (1.0 - score.chance) / images as f64;
        reached.value >= mean + DEVIATIONS * variance.max(least).sqrt()
    }
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

/// What is told of them.
pub(crate) fn find(shortcuts: &[Shortcut]) -> Vec<Finding> {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    shortcuts
        .iter()
        .map(|shortcut| {
            let &Shortcut { fact, accuracy, interval, majority, mean_recall, classes, seen, .. } = shortcut;
            let guessed = 1.0 / classes as f64;
            let message = match mean_recall {
                Some((recall, low, high)) if !shortcut.given_away.is_empty() => format!(
                    "{fact} alone gives {} away: it tells {} of {} and the others [{:.1}, {:.1}] where both count the same; without knowing anything: \
                     50.0 %",
                    named(&shortcut.given_away),
                    percent(recall),
                    if shortcut.given_away.len() == 1 { "it" } else { "the first" },
                    100.0 * low,
                    100.0 * high
                ),
                None => format!(
                    "{fact} alone tells the class of {} of the images [{:.1}, {:.1}]; always the most frequent class: {}",
                    percent(accuracy),
                    100.0 * interval.0,
                    100.0 * interval.1,
                    percent(majority)
                ),
                Some((recall, low, high)) => format!(
                    "{fact} alone tells the class of {} of the images [{:.1}, {:.1}] where each class counts the same; without knowing \
                     anything: {}",
                    percent(recall),
                    100.0 * low,
                    100.0 * high,
                    percent(guessed)
                ),
            };
            let (value, chance) = mean_recall.map_or((accuracy, majority), |(recall, ..)| (recall, guessed));
            // Brightness, border and color may belong to what is shown; size and quality of the file do not.
            let of_the_file = matches!(fact, "image size" | "JPEG quality");
            let severity = match seen {
                true if of_the_file && shortcut.given_away.is_empty() && value > chance + 0.5 * (1.0 - chance) => Severity::Error,
                true => Severity::Warning,
                false => Severity::Note,
            };
            let advice = match seen {
                true => "a network may learn it instead of the content; judge on images that do not have it, or make it the same in all classes",
                false => "a network does not see it; where the classes come from different places that may show in the pixels too",
            };
            let mut finding = Finding::new(Kind::Shortcut, severity, message, advice);
            finding.notes = notes(shortcut);
            finding
        })
        .collect()
}

/// Classes in words.
fn named(classes: &[String]) -> String {
    let classes: Vec<String> = classes.iter().map(|class| shown(class)).collect();
    match &classes[..] {
        [class] => format!("the class {class}"),
        [first @ .., last] if (1..4).contains(&first.len()) => {
            format!("the classes {} and {last}", first.join(", "))
        }
        _ => {
            format!(
                "the classes {} and {} more",
                classes[..4.min(classes.len())].join(", "),
                classes.len() - 4
            )
        }
    }
}

/// Where the fact is lowest and highest, by class.
fn notes(shortcut: &Shortcut) -> Vec<String> {
    if matches!(shortcut.shown, "format" | "camera" | "seconds" | "color") {
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
    fn classes_are_named() {
        let classes = |n: u8| (b'a'..b'a' + n).map(|c| char::from(c).to_string()).collect::<Vec<_>>();
        assert_eq!(named(&classes(1)), "the class a");
        assert_eq!(named(&classes(2)), "the classes a and b");
        assert_eq!(named(&classes(4)), "the classes a, b, c and d");
        assert_eq!(named(&classes(6)), "the classes a, b, c, d and 2 more");
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
