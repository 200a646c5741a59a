//! How many images each class has, and in which split.

use pupila_dataset::{Dataset, Split};

use crate::Looked;
use crate::finding::{Finding, Kind, Severity, grouped};
use crate::splits::{are_given, counts};

/// Fewer images of a class are hard to learn from.
const TINY: usize = 10;

/// The largest class has so many times the images of the smallest.
const IMBALANCED: f64 = 10.0;

/// What the numbers of the classes say.
pub(crate) fn find(dataset: &Dataset, looked: &Looked) -> Vec<Finding> {
    if dataset.classes.is_empty() {
        return Vec::new();
    }
    let mut findings = Vec::new();
    let counts: Vec<(Split, Vec<usize>)> = Split::ALL.into_iter().zip(counts(dataset, looked)).collect();
    let there: Vec<&(Split, Vec<usize>)> =
        counts.iter().filter(|(_, counts)| counts.iter().sum::<usize>() > 0).collect();
    let names = |which: &dyn Fn(usize) -> bool| {
        let names: Vec<&str> =
            (0..dataset.classes.len()).filter(|&c| which(c)).map(|c| dataset.classes[c].as_str()).collect();
        match names.len() {
            0..=5 => names.join(", "),
            more => format!("{}, and {} more", names[..4].join(", "), more - 4),
        }
    };
    if are_given(dataset) {
        for (split, counts) in &there {
            let missing = names(&|class| counts[class] == 0);
            if !missing.is_empty() {
                let severity = if *split == Split::Train { Severity::Error } else { Severity::Warning };
                let message = format!("{split} has no image of {missing}");
                let advice = "a class that is not trained is never answered, one that is not judged is not in the score";
                findings.push(Finding::new(Kind::ClassMissing, severity, message, advice));
            }
        }
    }
    let all: Vec<usize> = (0..dataset.classes.len())
        .map(|class| counts.iter().map(|(_, counts)| counts[class]).sum())
        .collect();
    let tiny = names(&|class| all[class] > 0 && all[class] < TINY);
    if !tiny.is_empty() {
        let message = format!("fewer than {TINY} images of {tiny}");
        let advice = "too few to learn much of them, and to judge it: gather more, or leave the class out (--set data.exclude='[\"CLASS\"]' with its folder's name)";
        findings.push(Finding::new(Kind::ClassTiny, Severity::Warning, message, advice));
    }
    let (least, most) = (all.iter().filter(|&&n| n > 0).min(), all.iter().max());
    if let (Some(&least), Some(&most)) = (least, most)
        && most as f64 >= IMBALANCED * least as f64
    {
        let of =
            |count: usize| all.iter().position(|&n| n == count).map_or("", |class| &dataset.classes[class]);
        let message =
            format!("{} images of {}, {} of {}", grouped(most), of(most), grouped(least), of(least));
        let advice = "accuracy hides the small classes: follow val/balanced_accuracy or val/f1, and weigh them (--set loss.class_weights=balanced)";
        findings.push(Finding::new(Kind::Imbalance, Severity::Note, message, advice));
    }
    if let [(first, counts), others @ ..] = &there[..]
        && are_given(dataset)
    {
        for (split, other) in others {
            if let Some((class, here, there)) = largest_difference(counts, other) {
                let message = format!(
                    "{:.0} % of {first} are {}, {:.0} % of {split}",
                    100.0 * here,
                    dataset.classes[class],
                    100.0 * there
                );
                let advice = "a score on one says little about data with the shares of the other; look at recall by class";
                findings.push(Finding::new(Kind::ProportionsDiffer, Severity::Note, message, advice));
            }
        }
    }
    findings
}

/// The class whose share differs most between two splits, where chance does not explain that (chi-squared of each class above 3.5
/// standard errors) and it is at least a tenth.
fn largest_difference(a: &[usize], b: &[usize]) -> Option<(usize, f64, f64)> {
    let total = |counts: &[usize]| counts.iter().sum::<usize>() as f64;
    let (n, m) = (total(a), total(b));
    let shares = |class: usize| (a[class] as f64 / n, b[class] as f64 / m);
    let is_real = |class: usize| {
        let (p, q) = shares(class);
        let pooled = (a[class] + b[class]) as f64 / (n + m);
        let error = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
        (p - q).abs() > 0.1 && (p - q).abs() > 3.5 * error
    };
    let differs = |class: &usize| is_real(*class);
    let by = |class: &usize| (shares(*class).0 - shares(*class).1).abs();
    let class = (0..a.len()).filter(differs).max_by(|x, y| by(x).total_cmp(&by(y)))?;
    let (p, q) = shares(class);
    Some((class, p, q))
}
