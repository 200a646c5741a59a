//! All of it: a data set's summary and its findings.

use std::collections::BTreeMap;

use pupila_dataset::{Dataset, Split};
use pupila_image::Reading;

use crate::finding::{Finding, Kind, Severity, grouped, images, rank};
use crate::neighbours::{Baseline, baseline};
use crate::resolution::{Resolution, resolution};
use crate::shortcut::{Shortcut, shortcuts};
use crate::splits::{are_given, counts, given};
use crate::{
    LabelErrors, Looked, Measurement, Opinions, bursts, classes, copies, label_errors, outliers, pictures,
    shortcut,
};

/// What inspecting a data set gives.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// What there is.
    pub summary: Summary,
    /// What is wrong with it, the worst first.
    pub findings: Vec<Finding>,
    /// The facts that give the class away, the best first.
    pub shortcuts: Vec<Shortcut>,
    /// What the nearest neighbours reach; `None` without labels.
    pub baseline: Option<Baseline>,
    /// What the images that judge can tell apart; `None` without labels.
    pub resolution: Option<Resolution>,
    /// What the labels are worth, where models were asked.
    pub label_errors: Option<LabelErrors>,
}

impl Inspection {
    /// Adds what models say of the labels.
    pub fn add_opinions(&mut self, dataset: &Dataset, looked: &Looked, opinions: &Opinions) {
        self.label_errors = label_errors::label_errors(dataset, looked, opinions);
        let found = self.label_errors.as_ref().and_then(|errors| label_errors::find(dataset, errors));
        self.findings.extend(found);
        rank(&mut self.findings);
    }
}

/// What there is.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Images that can be read.
    pub images: usize,
    /// Images that cannot.
    pub bad: usize,
    /// The classes, with their images in training, validation and test.
    pub classes: Vec<(String, [usize; 3])>,
    /// How many images each split has, and what they are on average.
    pub splits: Vec<SplitSummary>,
    /// The means of brightness, contrast and sharpness over the images of each class, in the order of `classes`; NaN of a class without a
    /// readable image.
    pub class_averages: Vec<[f64; 3]>,
    /// Images of each format; `array` for those of an array.
    pub formats: BTreeMap<&'static str, usize>,
    /// Widths and heights: the smallest, the median, the largest.
    pub widths: [u32; 3],
    /// See `widths`.
    pub heights: [u32; 3],
    /// How many different sizes there are.
    pub sizes: usize,
    /// Images whose files are gray.
    pub gray_files: usize,
    /// Images in color that show none.
    pub gray_content: usize,
    /// Bytes of all files.
    pub bytes: u64,
    /// Images of each camera, the most first; without those that do not say.
    pub cameras: Vec<(String, usize)>,
    /// The first and the last time at which they were taken, in seconds since 1970 by the cameras' clocks.
    pub taken: Option<(i64, i64)>,
    /// The mean of each color over all pixels of the training images, each image with the same weight.
    pub mean: [f64; 3],
    /// The standard deviation of each color over the same.
    pub std: [f64; 3],
}

/// The pictures of a split, on average.
#[derive(Debug, Clone, PartialEq)]
pub struct SplitSummary {
    /// The split; `None` where the data has none.
    pub split: Option<Split>,
    /// How many images.
    pub images: usize,
    /// The mean of their brightness, contrast and sharpness.
    pub brightness: f64,
    /// See `brightness`.
    pub contrast: f64,
    /// See `brightness`.
    pub sharpness: f64,
}

/// Summary and findings of a data set that was looked at; `None` where `interrupted`, which is asked all the time, says so.
pub fn inspect(
    dataset: &Dataset,
    looked: &mut Looked,
    reading: &Reading,
    interrupted: &(dyn Fn() -> bool + Sync),
) -> Option<Inspection> {
    let near = copies::near_groups(looked, interrupted)?;
    looked.near = near.iter().map(|(group, _)| group.clone()).collect();
    let looked = &*looked;
    let mut findings = classes::find(dataset, looked);
    let unreadable: Vec<_> = dataset.skipped.iter().chain(&looked.bad).cloned().collect();
    if !unreadable.is_empty() {
        let message = format!("{} cannot be read", images(unreadable.len()));
        let starts =
            ["truncated JPEG", "truncated PNG", "damaged or unsupported JPEG", "damaged or unsupported PNG"];
        let damaged = unreadable.iter().any(|file| starts.iter().any(|start| file.reason.starts_with(start)));
        let advice = match damaged {
            true => {
                "train leaves them out and says so; with --set input.damaged=fill it reads damaged JPEG and PNG files as far as they go"
            }
            false => "train leaves them out and says so",
        };
        let mut finding = Finding::new(Kind::Unreadable, Severity::Warning, message, advice);
        finding.files = unreadable;
        findings.push(finding);
    }
    findings.extend(copies::find(dataset, looked, &copies::exact_groups(looked), false));
    findings.extend(copies::find(dataset, looked, &near, true));
    if interrupted() {
        return None;
    }
    findings.extend(groups(dataset));
    findings.extend(bursts::find(dataset, looked));
    let labelled = dataset.classes.len() > 1;
    let shortcuts = if labelled { shortcuts(dataset, looked) } else { Vec::new() };
    findings.extend(shortcut::find(&shortcuts));
    if interrupted() {
        return None;
    }
    findings.extend(pictures::find(dataset, looked, reading));
    findings.extend(outliers::find(dataset, looked));
    rank(&mut findings);
    Some(Inspection {
        summary: summary(dataset, looked),
        findings,
        shortcuts,
        baseline: baseline(dataset, looked),
        resolution: resolution(dataset, looked),
        label_errors: None,
    })
}

/// Groups that are in several splits.
fn groups(dataset: &Dataset) -> Option<Finding> {
    let mut of_group: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, sample) in dataset.samples.iter().enumerate() {
        if let Some(group) = sample.group.as_deref() {
            of_group.entry(group).or_default().push(place);
        }
    }
    let split = |&place: &usize| given(dataset, place);
    let apart = |places: &[usize]| places.iter().any(|place| split(place) != split(&places[0]));
    let across: Vec<(&str, Vec<usize>)> = of_group.into_iter().filter(|(_, places)| apart(places)).collect();
    if across.is_empty() {
        return None;
    }
    let judged =
        across.iter().flat_map(|(_, places)| places).filter(|place| split(place) != Split::Train).count();
    let message = format!(
        "{} in several splits, with {} of validation or test: what is judged is known",
        if across.len() == 1 {
            "1 group is".to_owned()
        } else {
            format!("{} groups are", grouped(across.len()))
        },
        images(judged)
    );
    let advice = "the images of a group, such as a patient, belong in one split: take the column of the splits out of the table, and train makes them by groups";
    let mut finding = Finding::new(Kind::GroupAcrossSplits, Severity::Error, message, advice);
    finding.notes = across.iter().map(|(group, _)| (*group).to_owned()).collect();
    finding.groups = across.into_iter().map(|(_, places)| places).collect();
    Some(finding)
}

fn summary(dataset: &Dataset, looked: &Looked) -> Summary {
    let seen: Vec<(usize, &Measurement)> = looked.seen().collect();
    let range = |of: &dyn Fn(&Measurement) -> u32| {
        let mut all: Vec<u32> = seen.iter().map(|(_, measurement)| of(measurement)).collect();
        all.sort_unstable();
        let at = |place: usize| all.get(place).copied().unwrap_or(0);
        [at(0), at(all.len() / 2), at(all.len().saturating_sub(1))]
    };
    let mut formats = BTreeMap::new();
    let (mut sizes, mut cameras) = (BTreeMap::<(u32, u32), usize>::new(), BTreeMap::<&str, usize>::new());
    for (_, measurement) in &seen {
        *formats.entry(measurement.format.map_or("array", |format| format.name())).or_default() += 1;
        *sizes.entry(measurement.size).or_default() += 1;
        if let Some(camera) = &measurement.taken.camera {
            *cameras.entry(camera).or_default() += 1;
        }
    }
    let mut cameras: Vec<(String, usize)> =
        cameras.into_iter().map(|(name, n)| (name.to_owned(), n)).collect();
    cameras.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    let times = || seen.iter().filter_map(|(_, measurement)| measurement.taken.at);
    let trained = |at: usize| dataset.classes.is_empty() || given(dataset, at) == Split::Train;
    let train: Vec<&Measurement> =
        seen.iter().filter(|(at, _)| trained(*at)).map(|(_, measurement)| *measurement).collect();
    let count = train.len().max(1) as f64;
    let mean = |of: &dyn Fn(&Measurement) -> f32| train.iter().map(|s| f64::from(of(s))).sum::<f64>() / count;
    let means = [0, 1, 2].map(|c| mean(&|s| s.mean[c]));
    let std = [0, 1, 2].map(|c| (mean(&|s| s.square[c]) - means[c] * means[c]).max(0.0).sqrt());
    let splits = if !are_given(dataset) { vec![None] } else { Split::ALL.map(Some).to_vec() };
    let of_split = |split: Option<Split>| {
        let of: Vec<&Measurement> = seen
            .iter()
            .filter(|(at, _)| split.is_none_or(|split| given(dataset, *at) == split))
            .map(|(_, measurement)| *measurement)
            .collect();
        let mean = |value: &dyn Fn(&Measurement) -> f32| {
            of.iter().map(|measurement| f64::from(value(measurement))).sum::<f64>() / of.len().max(1) as f64
        };
        let (brightness, contrast, sharpness) =
            (mean(&|s| s.brightness), mean(&|s| s.contrast), mean(&|s| s.sharpness));
        SplitSummary { split, images: of.len(), brightness, contrast, sharpness }
    };
    let mut sums = vec![([0.0f64; 3], 0usize); dataset.classes.len()];
    for (at, measurement) in &seen {
        if let Some((sum, count)) = sums.get_mut(dataset.samples[*at].label as usize) {
            let of = [measurement.brightness, measurement.contrast, measurement.sharpness];
            sum.iter_mut().zip(of).for_each(|(sum, value)| *sum += f64::from(value));
            *count += 1;
        }
    }
    let average = |(sum, count): ([f64; 3], usize)| match count {
        0 => [f64::NAN; 3],
        n => sum.map(|sum| sum / n as f64),
    };
    let counts = counts(dataset, looked);
    Summary {
        images: seen.len(),
        bad: looked.bad.len() + dataset.skipped.len(),
        classes: dataset
            .classes
            .iter()
            .enumerate()
            .map(|(class, name)| (name.clone(), [0, 1, 2].map(|split| counts[split][class])))
            .collect(),
        class_averages: sums.into_iter().map(average).collect(),
        splits: splits.into_iter().map(of_split).filter(|split| split.images > 0).collect(),
        formats,
        widths: range(&|s| s.size.0),
        heights: range(&|s| s.size.1),
        sizes: sizes.len(),
        gray_files: seen.iter().filter(|(_, measurement)| !measurement.color).count(),
        gray_content: seen
            .iter()
            .filter(|(_, measurement)| measurement.color && measurement.chroma < 0.01)
            .count(),
        bytes: seen.iter().map(|(_, measurement)| measurement.bytes).sum(),
        cameras,
        taken: times().min().zip(times().max()),
        mean: means,
        std,
    }
}
