//! One picture in several places: within a split, across splits, under two labels.

use std::collections::{BTreeMap, BTreeSet};

use pupila_dataset::{Dataset, Split};

use crate::Looked;
use crate::finding::{Finding, Kind, Severity, grouped, images};

/// Samples with the same pixels, by the sights or, where there are none, by their files: at least two in a group, ascending.
pub(crate) fn exact_groups(dataset: &Dataset, looked: &Looked) -> Vec<Vec<usize>> {
    let mut by_pixels: BTreeMap<u128, Vec<usize>> = BTreeMap::new();
    for (place, sight) in looked.sights.iter().enumerate() {
        if let Some(sight) = sight {
            by_pixels.entry(sight.pixels).or_default().push(place);
        }
    }
    let mut groups: Vec<Vec<usize>> = by_pixels.into_values().filter(|group| group.len() > 1).collect();
    groups.sort();
    debug_assert!(groups.iter().flatten().all(|&place| place < dataset.samples.len()));
    groups
}

/// What is to be said of groups of copies. Where the data brings no splits of its own, they cannot be across any.
pub(crate) fn find(dataset: &Dataset, groups: &[Vec<usize>], near: bool) -> Vec<Finding> {
    let labels =
        |group: &[usize]| group.iter().map(|&place| dataset.samples[place].label).collect::<BTreeSet<_>>();
    let splits =
        |group: &[usize]| group.iter().map(|&place| dataset.samples[place].split).collect::<BTreeSet<_>>();
    let labelled = !dataset.classes.is_empty();
    let own_splits = labelled && !dataset.val_from_train;
    let (mut conflicts, mut across, mut within) = (Vec::new(), Vec::new(), Vec::new());
    for group in groups {
        if labelled && labels(group).len() > 1 {
            conflicts.push(group.clone());
        }
        if own_splits && splits(group).len() > 1 {
            across.push(group.clone());
        } else if !labelled || labels(group).len() == 1 {
            within.push(group.clone());
        }
    }
    let same = if near { "are nearly the same" } else { "are the same" };
    let mut findings = Vec::new();
    if !across.is_empty() {
        let judged =
            across.iter().flatten().filter(|&&place| dataset.samples[place].split != Split::Train).count();
        let message = format!(
            "{} of validation or test {same} as images of another split: the score counts what was learnt by heart",
            images(judged)
        );
        let advice = match near {
            false => {
                "--set data.leaks=drop leaves the training copies out; train tells the score without them"
            }
            true => {
                "pupila inspect DATA --exclude-list FILE, and then train with --set data.exclude_list=FILE"
            }
        };
        let kind = if near { Kind::NearDuplicateAcrossSplits } else { Kind::ExactDuplicateAcrossSplits };
        let mut finding = Finding::new(kind, Severity::Error, message, advice);
        // The judged ones stay: a test set is compared with that of others.
        let of_train = |&&place: &&usize| dataset.samples[place].split == Split::Train;
        finding.excluded = across.iter().flat_map(|group| trimmed(group, &of_train)).collect();
        finding.groups = across;
        findings.push(finding);
    }
    if !conflicts.is_empty() {
        let message = format!(
            "{} pictures stand under two labels{}: one of them must be wrong",
            grouped(conflicts.len()),
            if near { ", or nearly the same" } else { "" }
        );
        let advice = "decide on one, and take the other out; --exclude-list FILE writes all of them";
        let mut finding = Finding::new(Kind::LabelConflict, Severity::Error, message, advice);
        finding.excluded = conflicts.iter().flatten().copied().collect();
        finding.groups = conflicts;
        findings.push(finding);
    }
    if !within.is_empty() {
        let more: usize = within.iter().map(|group| group.len() - 1).sum();
        let verb = if more == 1 { "is a" } else { "are" };
        let (copies, inside) =
            (if more == 1 { "copy" } else { "copies" }, if own_splits { " in the same split" } else { "" });
        let message = match near {
            false => format!("{} {verb} {copies} of others{inside}", images(more)),
            true => format!(
                "{} {} nearly the same as others{inside}",
                images(more),
                if more == 1 { "is" } else { "are" }
            ),
        };
        let kind = if near { Kind::NearDuplicate } else { Kind::ExactDuplicate };
        let severity = if near { Severity::Note } else { Severity::Warning };
        let advice = match dataset.val_from_train {
            // The split that is made here keeps exact copies together, but not near ones.
            true if near => {
                "a split that is made at random puts some of them on both sides: leave all but one out with --exclude-list FILE"
            }
            _ => "they count more than others; --exclude-list FILE writes all but one of each",
        };
        let mut finding = Finding::new(kind, severity, message, advice);
        finding.excluded = within.iter().flat_map(|group| group[1..].iter().copied()).collect();
        finding.groups = within;
        findings.push(finding);
    }
    findings
}

/// Of a group the training images; where there is none, all but the first.
fn trimmed(group: &[usize], of_train: &dyn Fn(&&usize) -> bool) -> Vec<usize> {
    let train: Vec<usize> = group.iter().filter(of_train).copied().collect();
    if train.is_empty() { group[1..].to_vec() } else { train }
}
