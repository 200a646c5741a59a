//! Labels that models which never saw the image doubt: confident learning.
//!
//! In: the labels of images, and for each the probabilities of models that were trained without it. Out: how well each label agrees with
//! them, and the labels that are doubted, the most doubtful first.
//!
//! Northcutt, Jiang and Chuang, "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 2021, arXiv 1911.00068.

use pupila_dataset::{Dataset, Split};
use pupila_metrics::{Interval, proportion};

use crate::Looked;
use crate::finding::{Finding, Kind, Severity, grouped};
use crate::splits::{are_given, given};
use crate::units::units;

/// Where more than this share of the labels is doubted, the models are worse than the labels: of ten well-known data sets the worst has 10 % wrong
/// labels (Northcutt, Athalye and Mueller, arXiv 2103.14749).
const KNOWN_TOO_LITTLE: f64 = 0.2;

/// What models say of images that they never saw.
#[derive(Debug, Clone, PartialEq)]
pub struct Opinions {
    /// The images, as indices into the samples of the data set.
    pub samples: Vec<usize>,
    /// `[samples, classes]`: the probability of each class, in the order of the data set's classes.
    pub probabilities: Vec<f32>,
    /// By whom, in words, such as `5 folds of runs/skin-cnn-1`.
    pub by: String,
    /// What could not be judged and why, in sentences.
    pub notes: Vec<String>,
}

/// A label that is doubted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Doubt {
    /// Its row among those that were judged.
    pub row: usize,
    /// The class that the models take it for.
    pub likely: u32,
    /// See [`label_quality`].
    pub quality: f64,
}

/// What the labels are worth by the models' opinions.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelErrors {
    /// By whom, in words.
    pub by: String,
    /// How many labels were judged.
    pub judged: usize,
    /// The share of them that the models agree with, and its 95 % interval. What they do not know, they doubt too.
    pub accuracy: Interval,
    /// The labels that are doubted, the most doubtful first, each with its index into the samples of the data set.
    pub doubts: Vec<(usize, Doubt)>,
}

/// The share of the labels that tells with which classes labels were exchanged, and the fewest of them.
const TELLING: f64 = 0.02;
const FEWEST_TELLING: usize = 20;

/// From the first of these shares beyond chance on the rival counts, at the second it counts as much as the label. Chosen on ISIC 2017 and Caltech-101 with
/// planted flips (`benches/label_errors.py`): flips at random gave -0.3 to 0.1 with one exception, flips with a similar class 0.3 to 0.75.
const EXCHANGED: (f64, f64) = (0.1, 0.35);

/// How well each label agrees with what models say that never saw its image: from -1 (they are sure of another class) to 1.
///
/// With the probability p of the label and q, that of its strongest rival: p - w q. Of labels that were exchanged at random p alone is the best order (w = 0,
/// cleanlab's `self_confidence`), of labels that were exchanged with a similar class the difference is (w = 1, its `normalized_margin`). Which it is
/// is seen where the labels are doubted most, by p - q: how often the label is then the second in the models' order, beyond what chance would
/// do.
///
/// `probabilities` is `[labels, classes]`.
pub fn label_quality(labels: &[u32], probabilities: &[f32], classes: usize) -> Vec<f64> {
    let row = |(&label, row): (&u32, &[f32])| {
        let own = row[label as usize];
        let other = row.iter().enumerate().filter(|(class, _)| *class != label as usize);
        let rival = other.map(|(_, &p)| p).fold(0.0, f32::max);
        let before = row.iter().filter(|&&p| p > own).count();
        (f64::from(own), f64::from(rival), before)
    };
    let rows: Vec<(f64, f64, usize)> =
        labels.iter().zip(probabilities.chunks_exact(classes)).map(row).collect();
    let weight = rival_weight(&rows, classes);
    rows.iter().map(|(own, rival, _)| own - weight * rival).collect()
}

/// How much the rival counts, from 0 to 1. `rows`: of each label its probability, that of its rival, and how many classes are likelier.
fn rival_weight(rows: &[(f64, f64, usize)], classes: usize) -> f64 {
    // Of two classes the rival is what the label is not, and the order is the same.
    if classes < 3 || rows.is_empty() {
        return 1.0;
    }
    let mut order: Vec<usize> = (0..rows.len()).collect();
    let margin = |at: usize| rows[at].0 - rows[at].1;
    order.sort_by(|&a, &b| margin(a).total_cmp(&margin(b)).then(a.cmp(&b)));
    order.truncate(((TELLING * rows.len() as f64) as usize).max(FEWEST_TELLING));
    let second = order.iter().filter(|&&at| rows[at].2 == 1).count() as f64 / order.len() as f64;
    let chance = 1.0 / (classes - 1) as f64;
    let beyond = (second - chance) / (1.0 - chance);
    ((beyond - EXCHANGED.0) / (EXCHANGED.1 - EXCHANGED.0)).clamp(0.0, 1.0)
}

/// The labels that are doubted, the most doubtful first: those of images that the models are sure to be of another class. They are sure of
/// a class where its probability is at least what it is on average for images that bear its label; of several such classes the most likely
/// counts (the confident joint of arXiv 1911.00068, section 3.1).
pub fn doubts(labels: &[u32], probabilities: &[f32], classes: usize) -> Vec<Doubt> {
    let (mut sums, mut counts) = (vec![0.0f64; classes], vec![0usize; classes]);
    for (&label, row) in labels.iter().zip(probabilities.chunks_exact(classes)) {
        sums[label as usize] += f64::from(row[label as usize]);
        counts[label as usize] += 1;
    }
    // Of a class that no image bears nobody can be sure.
    let threshold = |class: usize| match counts[class] {
        0 => f64::INFINITY,
        count => sums[class] / count as f64,
    };
    let thresholds: Vec<f64> = (0..classes).map(threshold).collect();
    let quality = label_quality(labels, probabilities, classes);
    let of_row = |(at, row): (usize, &[f32])| {
        let sure = (0..classes).filter(|&class| f64::from(row[class]) >= thresholds[class]);
        let likely = sure.reduce(|best, class| if row[class] > row[best] { class } else { best })?;
        // Where the label is the likeliest there is no doubt.
        let doubted = row[likely] > row[labels[at] as usize] && likely != labels[at] as usize;
        doubted.then_some(Doubt { row: at, likely: likely as u32, quality: quality[at] })
    };
    let mut doubts: Vec<Doubt> = probabilities.chunks_exact(classes).enumerate().filter_map(of_row).collect();
    doubts.sort_by(|a, b| a.quality.total_cmp(&b.quality).then(a.row.cmp(&b.row)));
    doubts
}

/// What the labels are worth by the models' opinions; `None` where nothing was judged.
pub(crate) fn label_errors(dataset: &Dataset, looked: &Looked, opinions: &Opinions) -> Option<LabelErrors> {
    let classes = dataset.classes.len();
    let labels: Vec<u32> = opinions.samples.iter().map(|&sample| dataset.samples[sample].label).collect();
    let hit = |(&label, row): (&u32, &[f32])| pupila_metrics::argmax(row) == label;
    let hits: Vec<bool> = labels.iter().zip(opinions.probabilities.chunks_exact(classes)).map(hit).collect();
    // Copies, and images of one patient, are right or wrong together.
    let groups = units(dataset, looked, &opinions.samples);
    let accuracy = proportion(&hits, Some(&groups)).or_else(|_| proportion(&hits, None)).ok()?;
    let doubts = doubts(&labels, &opinions.probabilities, classes);
    let doubts = doubts.into_iter().map(|doubt| (opinions.samples[doubt.row], doubt)).collect();
    Some(LabelErrors { by: opinions.by.clone(), judged: labels.len(), accuracy, doubts })
}

/// The finding; none where no label is doubted.
pub(crate) fn find(dataset: &Dataset, errors: &LabelErrors) -> Option<Finding> {
    let doubts = &errors.doubts;
    if doubts.is_empty() {
        return None;
    }
    let judged =
        |(sample, _): &&(usize, Doubt)| are_given(dataset) && given(dataset, *sample) != Split::Train;
    let of_judged = match doubts.iter().filter(judged).count() {
        0 => String::new(),
        n => format!(", {} of them in validation or test", grouped(n)),
    };
    let Interval { value, low, high, .. } = errors.accuracy;
    let agree =
        format!("agree with {:.1} % [{:.1}, {:.1}] of the labels", 100.0 * value, 100.0 * low, 100.0 * high);
    let (of, by) = (grouped(errors.judged), &errors.by);
    let count = grouped(doubts.len());
    let (severity, message, advice) = match doubts.len() as f64 > KNOWN_TOO_LITTLE * errors.judged as f64 {
        true => (
            Severity::Note,
            format!(
                "{count} of {of} labels are doubted, more than are ever wrong: {by}, which never saw the images, {agree}, and know too little"
            ),
            "most of these labels are right; ask better networks: more epochs (--set train.epochs=50), a recipe that is known to work \
             here (--recipe), or the folds of such a run (--run)",
        ),
        false => (
            Severity::Warning,
            format!(
                "{count} of {of} labels {} doubted{of_judged}: {by}, which never saw the images and {agree}, are sure of another class",
                if doubts.len() == 1 { "is" } else { "are" }
            ),
            "look at them in this order, the most doubtful first, and stop where the labels are right: what is only hard is doubted too; \
             correct what is wrong in the data itself",
        ),
    };
    let class = |class: u32| dataset.classes[class as usize].as_str();
    let label = |sample: usize| class(dataset.samples[sample].label);
    let finding = Finding::new(Kind::LabelError, severity, message, advice);
    let mut finding = finding.of_each(doubts.iter().map(|(sample, _)| *sample));
    let said = |(sample, doubt): &(usize, Doubt)| {
        format!("labelled {}, likely {}", label(*sample), class(doubt.likely))
    };
    finding.notes = doubts.iter().map(said).collect();
    Some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two classes; the thresholds are 0.7 and 0.817 by the labels.
    const LABELS: [u32; 6] = [0, 0, 0, 1, 1, 1];
    const PROBABILITIES: [f32; 12] = [1.0, 0.0, 0.9, 0.1, 0.2, 0.8, 0.05, 0.95, 0.05, 0.95, 0.45, 0.55];

    #[test]
    fn what_the_models_are_sure_of_is_doubted() {
        let quality = label_quality(&LABELS, &PROBABILITIES, 2);
        assert!((quality[2] + 0.6).abs() < 1e-6 && (quality[0] - 1.0).abs() < 1e-6, "{quality:?}");
        // The third is labelled 0 and taken for 1 with 0.8, which is less than the 0.817 of the images of 1.
        assert!(doubts(&LABELS, &PROBABILITIES, 2).is_empty());
        let mut surer = PROBABILITIES;
        (surer[4], surer[5]) = (0.1, 0.9);
        let doubts = doubts(&LABELS, &surer, 2);
        assert_eq!(doubts.iter().map(|doubt| (doubt.row, doubt.likely)).collect::<Vec<_>>(), [(2, 1)]);
    }

    #[test]
    fn the_rival_counts_where_labels_were_exchanged_with_a_similar_class() {
        // 100 images of 10 classes; of the doubted the label is the second in the models' order, or somewhere.
        let rows = |second: usize| -> Vec<(f64, f64, usize)> {
            let doubted = (0..20).map(|at| (0.1, 0.8, if at < second { 1 } else { 5 }));
            doubted.chain((0..80).map(|_| (0.9, 0.05, 0))).collect()
        };
        assert_eq!((rival_weight(&rows(2), 10), rival_weight(&rows(15), 10)), (0.0, 1.0));
        let between = rival_weight(&rows(6), 10);
        assert!(between > 0.2 && between < 0.8, "{between}");
        assert_eq!(rival_weight(&rows(0), 2), 1.0);
    }

    #[test]
    fn a_class_that_no_image_bears_and_a_label_as_likely_are_no_doubt() {
        // The third class is nobody's; the second image has both of the others alike.
        let probabilities = [0.1, 0.0, 0.9, 0.5, 0.5, 0.0, 0.2, 0.8, 0.0];
        assert!(doubts(&[0, 0, 1], &probabilities, 3).is_empty());
    }
}
