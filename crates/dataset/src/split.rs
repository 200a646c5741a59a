//! Which samples become the validation set, and which training samples a fraction keeps.

use pupila_random::{Purpose, Stream};

use crate::units::{class_counts, units};
use crate::{Sample, Split};

/// Moves `val_frac` of each class from train to val, by `seed`. Samples with the same content or group move together, so
/// that no validation image was trained on; copies with different labels count for the class of their first sample. Every
/// class keeps a training sample.
pub(crate) fn split_off_val(samples: &mut [Sample], classes: usize, val_frac: f64, seed: u64) {
    let groups = units(samples, |split| split == Split::Train);
    if samples.iter().any(|sample| sample.group.is_some()) {
        choose_groups(samples, &groups, classes, val_frac, seed);
    } else {
        choose_by_class(samples, &groups, classes, val_frac, seed);
    }
    give_back(samples, &groups, classes);
}

/// Of each class some groups of copies, by the class of their first sample.
fn choose_by_class(samples: &mut [Sample], groups: &[Vec<usize>], classes: usize, val_frac: f64, seed: u64) {
    let mut of_class: Vec<Vec<&Vec<usize>>> = vec![Vec::new(); classes];
    for group in groups {
        of_class[samples[group[0]].label as usize].push(group);
    }
    for (class, mut groups) in of_class.into_iter().enumerate() {
        let total: usize = groups.iter().map(|group| group.len()).sum();
        if groups.len() < 2 {
            continue;
        }
        Stream::new(seed, Purpose::Split, class as u32, 0).shuffle(&mut groups);
        let target = ((total as f64 * val_frac).round() as usize).clamp(1, total - 1);
        let mut chosen = Vec::new();
        let mut taken = 0;
        for group in &groups {
            if taken + group.len() <= target {
                taken += group.len();
                chosen.push(*group);
            }
        }
        if chosen.is_empty() {
            // Every group is larger than the target: rather too many validation images than none.
            chosen.extend(groups.iter().min_by_key(|group| group.len()));
        }
        for &i in chosen.into_iter().flatten() {
            samples[i].split = Split::Val;
        }
    }
}

/// Groups of samples of several classes: one by one, in random order, so that large and small ones are as likely to be chosen,
/// each is put where that brings the counts of the classes nearer to what is wanted, by the squares of what they lack as a share of the class. Over again while that helps,
/// since the last ones make some of the first ones superfluous.
fn choose_groups(samples: &mut [Sample], groups: &[Vec<usize>], classes: usize, val_frac: f64, seed: u64) {
    const PASSES: usize = 20;
    let mut order: Vec<&Vec<usize>> = groups.iter().collect();
    Stream::new(seed, Purpose::Split, 0, 2).shuffle(&mut order);
    let mut totals = vec![0.0; classes];
    groups.iter().flatten().for_each(|&i| totals[samples[i].label as usize] += 1.0);
    let lacks = |class: usize, n: f64| ((n - val_frac * totals[class]) / totals[class]).powi(2);
    let counts: Vec<_> = order.iter().map(|group| class_counts(samples, group)).collect();
    let mut taken = vec![0.0; classes];
    let mut chosen = vec![false; order.len()];
    // What is won by moving a group to the other side.
    let gain = |taken: &[f64], place: usize, chosen: bool| -> f64 {
        let sign = if chosen { -1.0 } else { 1.0 };
        let of = |(&class, &n): (&usize, &usize)| {
            lacks(class, taken[class]) - lacks(class, taken[class] + sign * n as f64)
        };
        counts[place].iter().map(of).sum()
    };
    for _ in 0..PASSES {
        let mut moved = false;
        for place in 0..order.len() {
            // Rounding must not move a group there and back.
            if gain(&taken, place, chosen[place]) > 1e-12 {
                let sign = if chosen[place] { -1.0 } else { 1.0 };
                counts[place].iter().for_each(|(&class, &n)| taken[class] += sign * n as f64);
                chosen[place] = !chosen[place];
                moved = true;
            }
        }
        if !moved {
            break;
        }
    }
    if chosen.iter().all(|chosen| !chosen) {
        // Every group is larger than what is wanted: rather too many validation images than none. The only one is given back.
        let best = |&a: &usize, &b: &usize| gain(&taken, a, false).total_cmp(&gain(&taken, b, false));
        if let Some(best) = (0..order.len()).max_by(best) {
            chosen[best] = true;
        }
    }
    for (group, _) in order.iter().zip(chosen).filter(|(_, chosen)| *chosen) {
        group.iter().for_each(|&i| samples[i].split = Split::Val);
    }
}

/// A class all of whose samples have gone, with those of another class or in one group, gets them back.
fn give_back(samples: &mut [Sample], groups: &[Vec<usize>], classes: usize) {
    let mut trained = vec![false; classes];
    for sample in samples.iter().filter(|sample| sample.split == Split::Train) {
        trained[sample.label as usize] = true;
    }
    for group in groups {
        if group.iter().any(|&i| !trained[samples[i].label as usize]) {
            for &i in group {
                samples[i].split = Split::Train;
            }
        }
    }
}

/// Which training samples stay where only a part of each class is wanted; all others stay anyway. `keep[i]` is for
/// `samples[i]`. The order in which a class gives up samples depends on the seed alone, so smaller parts are subsets.
pub(crate) fn keep_part(
    samples: &[Sample],
    classes: usize,
    fraction: f64,
    max: Option<usize>,
    seed: u64,
) -> Vec<bool> {
    let mut keep = vec![true; samples.len()];
    let mut of_class = vec![Vec::new(); classes];
    for (i, sample) in samples.iter().enumerate().filter(|(_, sample)| sample.split == Split::Train) {
        of_class[sample.label as usize].push(i);
    }
    for (class, mut members) in of_class.into_iter().enumerate() {
        let wanted =
            ((members.len() as f64 * fraction).round() as usize).max(1).min(max.unwrap_or(usize::MAX));
        Stream::new(seed, Purpose::Subset, class as u32, 0).shuffle(&mut members);
        members.into_iter().skip(wanted).for_each(|i| keep[i] = false);
    }
    keep
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::Source;

    fn samples(labels_and_contents: &[(u32, u128)]) -> Vec<Sample> {
        let sample = |&(label, content): &(u32, u128)| Sample {
            path: format!("{label}/{content}").into(),
            label,
            split: Split::Train,
            source: Source::File,
            content,
            width: 1,
            height: 1,
            channels: 1,
            group: None,
        };
        labels_and_contents.iter().map(sample).collect()
    }

    fn count(samples: &[Sample], label: u32, split: Split) -> usize {
        samples.iter().filter(|s| s.label == label && s.split == split).count()
    }

    #[test]
    fn each_class_gives_its_part_and_the_seed_says_which() {
        let data: Vec<_> = (0..150u128).map(|i| (u32::from(i >= 100), i)).collect();
        let split = |seed| {
            let mut samples = samples(&data);
            split_off_val(&mut samples, 2, 0.2, seed);
            samples
        };
        let first = split(0);
        assert_eq!(count(&first, 0, Split::Val), 20);
        assert_eq!(count(&first, 1, Split::Val), 10);
        let splits = |samples: &[Sample]| samples.iter().map(|s| s.split).collect::<Vec<_>>();
        assert_eq!(splits(&first), splits(&split(0)));
        assert_ne!(splits(&first), splits(&split(1)));
    }

    #[test]
    fn a_class_keeps_one_sample_of_the_two_splits_however_far_the_fraction_is_at_an_end() {
        for (val_frac, val) in [(0.01, 1), (0.999, 9)] {
            let mut samples = samples(&(0..10u128).map(|i| (0, i)).collect::<Vec<_>>());
            split_off_val(&mut samples, 1, val_frac, 0);
            assert_eq!(count(&samples, 0, Split::Val), val);
        }
    }

    #[test]
    fn copies_stay_together_whatever_their_labels() {
        for seed in 0..50 {
            // Classes 0 and 1 share contents 40..50.
            let data: Vec<_> = (0..50).chain(0..20).map(|c| (0, c)).chain((40..90).map(|c| (1, c))).collect();
            let mut samples = samples(&data);
            split_off_val(&mut samples, 2, 0.3, seed);
            let mut split_of = HashMap::new();
            for sample in &samples {
                assert_eq!(*split_of.entry(sample.content).or_insert(sample.split), sample.split);
            }
            assert!((1..=40).contains(&count(&samples, 0, Split::Val)));
        }
    }

    /// A validation set of the largest groups alone would judge other images than those that are to come.
    #[test]
    fn groups_of_every_size_are_as_likely_to_be_chosen() {
        // As in HAM10000: most lesions have one image, some two or three.
        const SIZES: [(u32, u32); 3] = [(1, 200), (2, 60), (3, 40)];
        const SEEDS: u64 = 200;
        let mut data = Vec::new();
        let mut groups = Vec::new();
        for (size, count) in SIZES {
            for group in 0..count {
                for _ in 0..size {
                    data.push((u32::from(group % 4 == 0), data.len() as u128));
                    groups.push(format!("{size}-{group}"));
                }
            }
        }
        let mut chosen = [0u32; 4];
        for seed in 0..SEEDS {
            let mut samples = samples(&data);
            samples.iter_mut().zip(&groups).for_each(|(s, g)| s.group = Some(g.as_str().into()));
            split_off_val(&mut samples, 2, 0.2, seed);
            for sample in samples.iter().filter(|sample| sample.split == Split::Val) {
                chosen[sample.group.as_deref().unwrap()[..1].parse::<usize>().unwrap()] += 1;
            }
        }
        for (size, count) in SIZES {
            let share = f64::from(chosen[size as usize]) / f64::from(size * count) / SEEDS as f64;
            // Of 200 draws of 40 groups or more; a group that fills the last gap is a small one rather than a large one.
            assert!((share - 0.2).abs() < 0.02, "groups of {size}: {share}");
        }
    }

    #[test]
    fn groups_stay_together_and_the_classes_keep_their_parts() {
        for seed in 0..30 {
            // 60 patients with 1 to 5 images of two classes.
            let mut stream = Stream::new(seed, Purpose::Bootstrap, 0, 0);
            let mut data = Vec::new();
            let mut groups = Vec::new();
            for patient in 0..60 {
                for _ in 0..=stream.below(5) {
                    data.push((u32::from(stream.chance(0.2)), data.len() as u128));
                    groups.push(format!("p{patient}"));
                }
            }
            let mut samples = samples(&data);
            samples.iter_mut().zip(&groups).for_each(|(s, g)| s.group = Some(g.as_str().into()));
            split_off_val(&mut samples, 2, 0.25, seed);
            let mut split_of = HashMap::new();
            for sample in &samples {
                assert_eq!(*split_of.entry(sample.group.clone()).or_insert(sample.split), sample.split);
            }
            for class in 0..2 {
                let (train, val) = (count(&samples, class, Split::Train), count(&samples, class, Split::Val));
                let share = val as f64 / (train + val) as f64;
                assert!((share - 0.25).abs() < 0.05, "seed {seed}: {share} of class {class}");
            }
        }
    }

    /// The squares of what the classes lack as a share of them, by the definition.
    fn lack(samples: &[Sample], classes: u32, val_frac: f64) -> f64 {
        let of_class = |label| {
            let (train, val) = (count(samples, label, Split::Train), count(samples, label, Split::Val));
            (val as f64 / (train + val) as f64 - val_frac).powi(2)
        };
        (0..classes).map(of_class).sum()
    }

    #[test]
    fn no_single_group_on_the_other_side_would_bring_the_classes_nearer_to_their_parts() {
        for seed in 0..40 {
            let mut stream = Stream::new(seed, Purpose::Bootstrap, 1, 0);
            let mut data = Vec::new();
            let mut groups = Vec::new();
            for patient in 0..25 {
                for _ in 0..=stream.below(8) {
                    data.push((stream.below(3), data.len() as u128));
                    groups.push(format!("p{patient}"));
                }
            }
            let mut samples = samples(&data);
            samples.iter_mut().zip(&groups).for_each(|(s, g)| s.group = Some(g.as_str().into()));
            split_off_val(&mut samples, 3, 0.3, seed);
            let best = lack(&samples, 3, 0.3);
            for patient in 0..25 {
                let mut other = samples.clone();
                for sample in other.iter_mut().filter(|s| s.group.as_deref() == Some(&format!("p{patient}")))
                {
                    sample.split = if sample.split == Split::Val { Split::Train } else { Split::Val };
                }
                assert!(lack(&other, 3, 0.3) > best - 1e-9, "seed {seed}, group {patient}");
            }
        }
    }

    #[test]
    fn two_groups_are_enough_for_a_validation_set_and_one_is_not() {
        let of = |groups: &[&str]| {
            let mut samples = samples(&(0..10u128).map(|i| ((i % 2) as u32, i)).collect::<Vec<_>>());
            samples
                .iter_mut()
                .enumerate()
                .for_each(|(i, s)| s.group = Some(groups[i / 5 % groups.len()].into()));
            split_off_val(&mut samples, 2, 0.2, 0);
            count(&samples, 0, Split::Val) + count(&samples, 1, Split::Val)
        };
        assert_eq!((of(&["a", "b"]), of(&["a"])), (5, 0));
    }

    #[test]
    fn every_class_keeps_something_to_train_on() {
        for seed in 0..20 {
            // One image; only copies; two groups of copies; a class that consists of copies of another.
            let data =
                [(0, 1), (1, 2), (1, 2), (2, 3), (2, 3), (2, 4), (2, 4), (3, 5), (3, 6), (4, 5), (4, 6)];
            let mut samples = samples(&data);
            split_off_val(&mut samples, 5, 0.2, seed);
            for class in 0..5 {
                assert!(count(&samples, class, Split::Train) > 0, "class {class}");
            }
            assert_eq!(count(&samples, 0, Split::Val) + count(&samples, 1, Split::Val), 0);
            assert_eq!(count(&samples, 2, Split::Val), 2);
        }
    }

    #[test]
    fn a_class_all_of_whose_samples_have_gone_with_a_group_gets_the_group_back() {
        let mut gone = 0;
        for seed in 0..40 {
            // Class 1 is of one patient alone, who has images of class 0, too.
            let data: Vec<_> = (0..24u128).map(|i| (u32::from(i < 3), i)).collect();
            let mut samples = samples(&data);
            samples.iter_mut().enumerate().for_each(|(i, s)| s.group = Some(format!("p{}", i / 6).into()));
            let mut chosen = samples.clone();
            choose_groups(&mut chosen, &units(&samples, |_| true), 2, 0.6, seed);
            gone += usize::from(count(&chosen, 1, Split::Train) == 0);
            split_off_val(&mut samples, 2, 0.6, seed);
            assert_eq!(count(&samples, 1, Split::Train), 3);
            assert!(
                samples[..6].iter().all(|sample| sample.split == Split::Train),
                "the group stays together"
            );
        }
        assert!(gone > 0);
    }

    #[test]
    fn smaller_parts_are_subsets_of_larger_ones() {
        let samples = samples(&(0..100u128).map(|i| (u32::from(i >= 90), i)).collect::<Vec<_>>());
        let large = keep_part(&samples, 2, 0.5, None, 3);
        let small = keep_part(&samples, 2, 0.1, None, 3);
        let least = keep_part(&samples, 2, 1e-9, Some(7), 3);
        let kept = |keep: &[bool]| keep.iter().filter(|&&k| k).count();
        assert_eq!((kept(&large), kept(&small), kept(&least)), (50, 10, 2));
        assert!((0..100).all(|i| (!small[i] || large[i]) && (!least[i] || small[i])));
        assert_eq!(kept(&keep_part(&samples, 2, 1.0, Some(7), 3)), 14);
    }
}
