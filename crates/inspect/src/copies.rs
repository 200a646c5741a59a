//! One picture in several places: within a split, across splits, under two labels.

use std::collections::BTreeSet;

use pupila_dataset::{Dataset, Split};

use crate::finding::{Finding, Kind, Severity, grouped, images};
use crate::splits::{are_given, given};
use crate::{Looked, Measurement, near};

/// Samples with the same pixels: at least two in a group, ascending.
pub(crate) fn exact_groups(looked: &Looked) -> Vec<(Vec<usize>, String)> {
    let by_pixels = by_pixels(looked);
    let equal = by_pixels.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() > 1);
    let mut groups: Vec<Vec<usize>> =
        equal.map(|group| group.iter().map(|&(_, place)| place).collect()).collect();
    groups.sort();
    groups.into_iter().map(|group| (group, String::new())).collect()
}

/// The samples by their pixels, those of equal ones ascending.
fn by_pixels(looked: &Looked) -> Vec<(u128, usize)> {
    let mut all: Vec<(u128, usize)> =
        looked.seen().map(|(place, measurement)| (measurement.pixels, place)).collect();
    all.sort_unstable();
    all
}

/// Groups of samples that are nearly the same, and how each group's pictures differ. Those whose pixels are equal are no news by themselves.
///
/// `None` where `interrupted` says so.
pub(crate) fn near_groups(
    looked: &Looked,
    interrupted: &(dyn Fn() -> bool + Sync),
) -> Option<Vec<(Vec<usize>, String)>> {
    // One of each picture: its exact copies join its group at the end.
    let by_pixels = by_pixels(looked);
    let copies = |pixels: u128| {
        let from = by_pixels.partition_point(|&(other, _)| other < pixels);
        by_pixels[from..].iter().take_while(move |&&(other, _)| other == pixels).map(|&(_, place)| place)
    };
    let is_first = |&(at, measurement): &(usize, &Measurement)| copies(measurement.pixels).next() == Some(at);
    let first: Vec<(usize, &Measurement)> = looked.seen().filter(is_first).collect();
    let gray: Vec<&[u8]> = first.iter().map(|&(at, _)| looked.gray(at)).collect();
    let sizes: Vec<(u32, u32)> = first.iter().map(|(_, measurement)| measurement.size).collect();
    let found = near::find(&gray, &sizes, looked.folder.as_deref(), interrupted)?;
    let groups = near::groups(first.len(), &found.pairs).into_iter().map(|group| {
        // They are sorted by the earlier one.
        let from = found.pairs.partition_point(|pair| pair.a < group[0]);
        let of_first = found.pairs[from..].iter().take_while(|pair| pair.a == group[0]);
        let pairs: Vec<&near::Near> = of_first.filter(|pair| group[1..].contains(&pair.b)).collect();
        let least = pairs.iter().map(|pair| pair.alike).fold(1.0, f32::min);
        let how = match pairs[..] {
            [pair] => format!("{}, likeness {least:.3}", pair.turned.words()),
            _ => format!("likeness to the first at least {least:.3}"),
        };
        let mut all: Vec<usize> = group.iter().flat_map(|&place| copies(first[place].1.pixels)).collect();
        all.sort_unstable();
        (all, how)
    });
    Some(groups.collect())
}

/// What is to be said of groups of copies. Where the data brings no splits of its own, they cannot be across any.
pub(crate) fn find(
    dataset: &Dataset,
    looked: &Looked,
    groups: &[(Vec<usize>, String)],
    near: bool,
) -> Vec<Finding> {
    let labels =
        |group: &[usize]| group.iter().map(|&place| dataset.samples[place].label).collect::<BTreeSet<_>>();
    let splits = |group: &[usize]| group.iter().map(|&place| given(dataset, place)).collect::<BTreeSet<_>>();
    let labelled = !dataset.classes.is_empty();
    let own_splits = are_given(dataset);
    let (mut conflicts, mut across, mut within) = (Told::default(), Told::default(), Told::default());
    for (group, note) in groups {
        if labelled && labels(group).len() > 1 {
            conflicts.push(group, note);
        }
        if own_splits && splits(group).len() > 1 {
            across.push(group, note);
        } else if !labelled || labels(group).len() == 1 {
            within.push(group, note);
        }
    }
    let same = if near { "nearly the same" } else { "the same" };
    let mut findings = Vec::new();
    if !across.groups.is_empty() {
        let judged: BTreeSet<usize> = across.groups.iter().flatten().copied().collect();
        let judged = judged.iter().filter(|&&place| given(dataset, place) != Split::Train).count();
        let message = format!(
            "{} of validation or test {} {same} as images of another split: a score on {} counts what is known",
            images(judged),
            if judged == 1 { "is" } else { "are" },
            if judged == 1 { "it" } else { "them" }
        );
        // What train knows as copies are equal files.
        let content = |place: &usize| dataset.samples[*place].content;
        let equal =
            across.groups.iter().all(|group| group.iter().all(|place| content(place) == content(&group[0])));
        let advice = match equal && !near {
            true => {
                "--set data.leaks=drop leaves the training copies out; train tells the score without them"
            }
            false => {
                "pupila inspect DATA --exclude-list FILE, and then train with --set data.exclude_list=FILE"
            }
        };
        let kind = if near { Kind::NearDuplicateAcrossSplits } else { Kind::ExactDuplicateAcrossSplits };
        let mut finding = Finding::new(kind, Severity::Error, message, advice);
        finding.excluded = left_out(&across.groups, |_, left| {
            // A test set is compared with that of others, so it stays, and else the validation set.
            let stays = left.iter().map(|&place| given(dataset, place)).max();
            left.iter().copied().filter(|&place| Some(given(dataset, place)) != stays).collect()
        });
        across.into(&mut finding);
        findings.push(finding);
    }
    if !conflicts.groups.is_empty() {
        let message = format!(
            "{} {} under two labels: one of them {} be wrong",
            grouped(conflicts.groups.len()),
            match (conflicts.groups.len(), near) {
                (1, false) => "picture stands",
                (_, false) => "pictures stand",
                (1, true) => "group of pictures that are nearly the same stands",
                (_, true) => "groups of pictures that are nearly the same stand",
            },
            if near { "may" } else { "must" }
        );
        let advice = match near {
            true => "look at them, and take out what is labelled wrongly",
            false => "decide on one, and take the other out; --exclude-list FILE leaves out all of them",
        };
        // That two pictures are nearly the same is an opinion, and drawings of two classes may be.
        let severity = if near { Severity::Warning } else { Severity::Error };
        let mut finding = Finding::new(Kind::LabelConflict, severity, message, advice);
        if !near {
            finding.excluded = conflicts.groups.iter().flatten().copied().collect();
        }
        conflicts.into(&mut finding);
        findings.push(finding);
    }
    if !within.groups.is_empty() {
        let more: BTreeSet<usize> = within.groups.iter().flat_map(|group| &group[1..]).copied().collect();
        let more = more.len();
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
        let better = |a: usize, b: usize| {
            // What is judged stays as it is: its score is compared with that of others.
            let trained = [a, b].iter().all(|&place| given(dataset, place) == Split::Train) || !labelled;
            trained && worth(looked, b) > worth(looked, a)
        };
        finding.excluded = match near {
            true => all_but_best(&within.groups, better),
            false => left_out(&within.groups, all_but_first),
        };
        within.into(&mut finding);
        findings.push(finding);
    }
    findings
}

/// Groups that are told of, and how their pictures differ.
#[derive(Default)]
struct Told {
    groups: Vec<Vec<usize>>,
    notes: Vec<String>,
}

impl Told {
    fn push(&mut self, group: &[usize], note: &str) {
        self.groups.push(group.to_vec());
        self.notes.push(note.to_owned());
    }

    fn into(self, finding: &mut Finding) {
        finding.groups = self.groups;
        if self.notes.iter().any(|note| !note.is_empty()) {
            finding.notes = self.notes;
        }
    }
}

/// What is left out of groups, one after the other: `of` says it of the whole group and of those that are still there, at least two.
fn left_out(groups: &[Vec<usize>], of: impl Fn(&[usize], &[usize]) -> Vec<usize>) -> Vec<usize> {
    let mut out: BTreeSet<usize> = BTreeSet::new();
    for group in groups {
        let left: Vec<usize> = group.iter().copied().filter(|place| !out.contains(place)).collect();
        if left.len() > 1 {
            out.extend(of(group, &left));
        }
    }
    out.into_iter().collect()
}

/// What a copy is worth: its pixels, then how well they were stored; no JPEG lost nothing since.
fn worth(looked: &Looked, place: usize) -> (u64, u8) {
    looked.measurements[place].as_ref().map_or((0, 0), |measurement| {
        let (width, height) = measurement.size;
        (u64::from(width) * u64::from(height), measurement.jpeg_quality.unwrap_or(u8::MAX))
    })
}

/// All but one of each group, as `left_out` with `all_but_first`, but of two pictures the `better(first, second)` one stays. In a larger group all are
/// near to the first, and not to each other, so the first stays.
fn all_but_best(groups: &[Vec<usize>], better: impl Fn(usize, usize) -> bool) -> Vec<usize> {
    let (mut out, mut stays) = (BTreeSet::new(), BTreeSet::new());
    for group in groups {
        if let [first, second] = group[..] {
            if out.contains(&first) || out.contains(&second) {
                continue;
            }
            // What stays for the sake of another must not go.
            let swapped = !stays.contains(&first) && (stays.contains(&second) || better(first, second));
            let (kept, left) = if swapped { (second, first) } else { (first, second) };
            if !stays.contains(&left) {
                stays.insert(kept);
                out.insert(left);
            }
        } else if let Some(&first) = group.first().filter(|first| !out.contains(*first)) {
            let left: Vec<usize> =
                group[1..].iter().copied().filter(|place| !stays.contains(place)).collect();
            if !left.is_empty() {
                stays.insert(first);
                out.extend(left);
            }
        }
    }
    out.into_iter().collect()
}

/// A group whose first is gone says nothing, since all others were near to that one.
fn all_but_first(group: &[usize], left: &[usize]) -> Vec<usize> {
    if left[0] == group[0] { left[1..].to_vec() } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_copy_stays_and_what_goes_has_one_that_stays() {
        let first = |groups: &[Vec<usize>]| all_but_best(groups, |_, _| false);
        let second = |groups: &[Vec<usize>]| all_but_best(groups, |_, _| true);
        assert_eq!((first(&[vec![0, 1]]), second(&[vec![0, 1]])), (vec![1], vec![0]));
        // 0 goes for the sake of 1, so 1 stays and 2 goes.
        assert_eq!(second(&[vec![0, 1], vec![1, 2]]), [0, 2]);
        assert_eq!(second(&[vec![0, 1, 2], vec![1, 3]]), [1, 2]);
        assert_eq!(second(&[vec![0, 3], vec![1, 2, 3]]), [0, 2]);
        // Two that both stay for others are left alone.
        assert_eq!(second(&[vec![0, 2], vec![1, 3], vec![2, 3]]), [0, 1]);
        // In a row every other one stays, as in `left_out`.
        let row: Vec<Vec<usize>> = (0..5).map(|at| vec![at, at + 1]).collect();
        assert_eq!(first(&row), [1, 3, 5]);
    }

    #[test]
    fn of_a_row_every_other_one_is_left_out() {
        let row: Vec<Vec<usize>> = (0..5).map(|at| vec![at, at + 1]).collect();
        assert_eq!(left_out(&row, all_but_first), [1, 3, 5]);
        assert_eq!(left_out(&[vec![0, 1, 2], vec![1, 3]], all_but_first), [1, 2]);
    }
}
