//! 95 % intervals of a metric over the images that were judged, and of the difference of two classifiers.
//!
//! In: predictions with their targets; where images belong together (of one patient), the group of each. Out: limits, or why there
//! are none.
//!
//! | metric | images are independent | images come in groups |
//! |---|---|---|
//! | accuracy | Clopper and Pearson, exact | score limits, variance of groups |
//! | balanced accuracy, macro F1 | score limits (`tilted`) | score limits, variance of groups |
//! | difference of accuracies | McNemar's exact test, inverted | score limits, variance of groups |
//! | other differences | score limits | score limits, variance of groups |
//!
//! How often each of them holds the true value is simulated by `examples/coverage.rs`, whose record stands in `.ci/long.md`, and by a
//! part of it in the tests. A percentile bootstrap, which was here before, gives 100 to 100 % for 6 of 6 right, and over 8 groups
//! holds the true value in 80 to 88 %.

mod groups;
mod paired;
mod tilted;

pub(crate) use paired::check_pair;
pub use paired::{Difference, PairedError, paired_interval};

use crate::metric::Smooth;
use crate::student_t::two_sided_quantile;
use crate::{Metric, Predictions, clopper_pearson};
use groups::design;
use tilted::{Counted, Family};

/// The confidence of an interval that stands alone.
pub const CONFIDENCE: f64 = 0.95;
/// Fewer images than this give no interval but that of the accuracy, which is exact.
const IMAGES: usize = 50;
/// Fewer images of a class than this give none either.
const IMAGES_OF_A_CLASS: u64 = 10;
/// Fewer groups than this say too little of how groups differ.
const GROUPS: usize = 8;

/// Between which limits the metric would lie for all images of this kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The metric of the images themselves.
    pub value: f64,
    /// The lower limit.
    pub low: f64,
    /// The upper limit.
    pub high: f64,
    /// How many groups of images it is over; none where each image stands for itself.
    pub groups: Option<usize>,
}

/// Why there is no interval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoInterval {
    /// No method is known for the metric.
    #[error("there is no interval of `{0}`")]
    Metric(&'static str),
    /// Nothing was judged.
    #[error("there are no images")]
    Empty,
    /// Too few images.
    #[error("an interval needs {IMAGES} images or more, here are {0}")]
    Images(usize),
    /// Too few images of a class.
    #[error("an interval needs {IMAGES_OF_A_CLASS} images of each class or more, the rarest has {images}")]
    ImagesOfAClass {
        /// The rarest class.
        class: u32,
        /// Its images.
        images: u64,
    },
    /// Too few groups.
    #[error("an interval needs {GROUPS} groups of images or more, here are {0}")]
    Groups(usize),
    /// Too few groups that have images of a class.
    #[error("an interval needs {GROUPS} groups with images of each class or more, the rarest is in {groups}")]
    GroupsOfAClass {
        /// The rarest class.
        class: u32,
        /// The groups that have it.
        groups: usize,
    },
}

/// The 95 % interval of a metric. `groups`: the group of each image, any numbers, where images belong together. `[N]`
///
/// # Errors
/// Why there is none.
pub fn interval(
    predictions: &Predictions,
    metric: &Metric,
    groups: Option<&[u32]>,
) -> Result<Interval, NoInterval> {
    let smooth = metric.smooth.ok_or(NoInterval::Metric(metric.name))?;
    check(predictions, metric, groups)?;
    if is_accuracy(metric) {
        let right =
            predictions.predicted().zip(predictions.targets()).map(|(answer, &target)| answer == target);
        return proportion(&right.collect::<Vec<_>>(), groups);
    }
    let value = metric.compute(predictions);
    let images = images(predictions, predictions.predicted().map(|answer| (answer, answer)));
    let (family, design) =
        family(&images, predictions.classes(), smooth, false, groups).ok_or(NoInterval::Empty)?;
    let critical = two_sided_quantile(1.0 - CONFIDENCE, design.df);
    let (low, high) = family.limits(critical);
    Ok(Interval { value, low, high, groups: design.groups })
}

/// The 95 % interval of a share of images, such as a class's recall: of those of `hits` that are true. `groups`: as of
/// [`interval`]. `hits, groups: [N]`
///
/// # Errors
/// There are no images, or too few groups.
pub fn proportion(hits: &[bool], groups: Option<&[u32]>) -> Result<Interval, NoInterval> {
    if hits.is_empty() {
        return Err(NoInterval::Empty);
    }
    check_groups(groups)?;
    let successes = hits.iter().filter(|hit| **hit).count();
    let value = successes as f64 / hits.len() as f64;
    let Some(groups) = groups else {
        let (low, high) = clopper_pearson(successes as u64, hits.len() as u64, CONFIDENCE);
        return Ok(Interval { value, low, high, groups: None });
    };
    // Hits and misses as answers to images of one class.
    let images: Vec<Image> =
        hits.iter().map(|&hit| (0, u32::from(!hit) as usize, u32::from(!hit) as usize)).collect();
    let smooth = crate::accuracy::METRIC.smooth.ok_or(NoInterval::Metric(crate::accuracy::METRIC.name))?;
    let (family, design) = family(&images, 2, smooth, false, Some(groups)).ok_or(NoInterval::Empty)?;
    let (low, high) = family.limits(two_sided_quantile(1.0 - CONFIDENCE, design.df));
    Ok(Interval { value, low, high, groups: design.groups })
}

/// Numbers for the groups that images belong to, for [`interval`]; an image whose group is empty belongs to none and stands for
/// itself. None where every image does. `[N]`
pub fn group_numbers<S: AsRef<str>>(groups: &[S]) -> Option<Vec<u32>> {
    let mut places = std::collections::HashMap::new();
    let mut next = 0;
    let mut new = || {
        next += 1;
        next - 1
    };
    let numbers = groups.iter().map(|group| match group.as_ref() {
        "" => new(),
        name => *places.entry(name).or_insert_with(&mut new),
    });
    let numbers: Vec<u32> = numbers.collect();
    // Groups of one image each are images.
    (groups::count(numbers.iter().copied()) < numbers.len()).then_some(numbers)
}

/// Whether it is the share of images that are right, of which exact methods are known.
fn is_accuracy(metric: &Metric) -> bool {
    metric.name == crate::accuracy::METRIC.name
}

/// Whether there is enough for an interval.
fn check(predictions: &Predictions, metric: &Metric, groups: Option<&[u32]>) -> Result<(), NoInterval> {
    if predictions.is_empty() {
        return Err(NoInterval::Empty);
    }
    check_groups(groups)?;
    if is_accuracy(metric) {
        return Ok(());
    }
    if predictions.len() < IMAGES {
        return Err(NoInterval::Images(predictions.len()));
    }
    let counts = predictions.confusion().true_counts();
    let occurring = counts.iter().copied().enumerate().filter(|&(_, images)| images > 0);
    if let Some((class, images)) = occurring.clone().min_by_key(|&(_, images)| images)
        && images < IMAGES_OF_A_CLASS
    {
        return Err(NoInterval::ImagesOfAClass { class: class as u32, images });
    }
    if let Some(groups) = groups {
        let having = |class: usize| {
            let of_class = groups.iter().zip(predictions.targets());
            groups::count(of_class.filter(|(_, target)| **target as usize == class).map(|(group, _)| *group))
        };
        let rarest = occurring.map(|(class, _)| (class, having(class))).min_by_key(|&(_, groups)| groups);
        if let Some((class, groups)) = rarest.filter(|&(_, groups)| groups < GROUPS) {
            return Err(NoInterval::GroupsOfAClass { class: class as u32, groups });
        }
    }
    Ok(())
}

fn check_groups(groups: Option<&[u32]>) -> Result<(), NoInterval> {
    let Some(groups) = groups else { return Ok(()) };
    match groups::count(groups.iter().copied()) {
        found if found < GROUPS => Err(NoInterval::Groups(found)),
        _ => Ok(()),
    }
}

/// An image's true class, the answer of the first classifier and that of the second, or the first one's again.
type Image = (usize, usize, usize);

/// The images that two classifiers answered.
fn images(predictions: &Predictions, answers: impl Iterator<Item = (u32, u32)>) -> Vec<Image> {
    let image =
        |(&target, (first, second)): (&u32, (u32, u32))| (target as usize, first as usize, second as usize);
    predictions.targets().iter().zip(answers).map(image).collect()
}

/// The degrees of freedom of a variance, and the groups that it is over.
struct Design {
    df: f64,
    groups: Option<usize>,
}

/// The distributions around what was observed, with the variance that the groups give.
fn family(
    images: &[Image],
    classes: usize,
    smooth: Smooth,
    paired: bool,
    groups: Option<&[u32]>,
) -> Option<(Family, Design)> {
    let mut counts = std::collections::BTreeMap::new();
    for &image in images {
        *counts.entry(image).or_insert(0u64) += 1;
    }
    let counted: Vec<Counted> = counts.into_iter().map(|((t, a, b), n)| (t, a, b, n)).collect();
    let family = Family::new(&counted, classes, smooth, paired, 1.0)?;
    let Some(groups) = groups else { return Some((family, Design { df: f64::INFINITY, groups: None })) };
    let told = |&(target, first, second): &Image| {
        if paired { (first == target) != (second == target) } else { first != target }
    };
    let found = design(images, groups, &family.influences(), told);
    let family = Family::new(&counted, classes, smooth, paired, found.effect)?;
    Some((family, Design { df: found.groups as f64 - 1.0, groups: Some(found.groups) }))
}
