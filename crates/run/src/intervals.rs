//! The 95 % intervals of a judgement, as `summary.json`, the page and the terminal have them.

use crate::leaks::Leaks;
use crate::named::{Named, finite};
use crate::summary::{ClassIntervals, Interval, IntervalsOver};
use pupila_metrics::{
    METRICS, Metric, NoInterval, PrecisionRecallF1, Predictions, group_numbers, interval, proportion,
};

/// The intervals of the images that were judged.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Intervals {
    /// Of each metric that can have one, by its name; null where there is none.
    pub of_metrics: Named<Interval>,
    /// What they are over, and why there are none.
    pub over: IntervalsOver,
    /// Of each class.
    pub per_class: Vec<ClassIntervals>,
}

impl Intervals {
    /// The intervals of predictions. `groups`: the group of each image, such as its patient, empty where it has none. `[N]`
    pub fn of(predictions: &Predictions, classes: &[String], groups: Option<&[String]>) -> Self {
        let numbers = groups.and_then(group_numbers);
        let numbers = numbers.as_deref();
        let mut found = Intervals { over: over(predictions, numbers), ..Intervals::default() };
        for metric in with_interval() {
            let limits = match interval(predictions, metric, numbers) {
                Ok(of) => [finite(of.low), finite(of.high)],
                Err(why) => {
                    let named = (metric.name.to_owned(), in_words(&why, classes));
                    found.over.none.extend([named]);
                    [None, None]
                }
            };
            found.of_metrics.extend([(metric.name.to_owned(), limits)]);
        }
        let scores = PrecisionRecallF1::new(predictions.confusion()).per_class;
        let answers: Vec<u32> = predictions.predicted().collect();
        for (class, (name, scores)) in (0u32..).zip(classes.iter().zip(scores)) {
            // Of the images that belong, or were taken, to the class: those that are right.
            let share = |belongs: &dyn Fn(usize) -> bool| {
                let places: Vec<usize> = (0..answers.len()).filter(|&place| belongs(place)).collect();
                let right = |&place: &usize| answers[place] == predictions.targets()[place];
                let hits: Vec<bool> = places.iter().map(right).collect();
                let of: Option<Vec<u32>> =
                    numbers.map(|numbers| places.iter().map(|&place| numbers[place]).collect());
                match proportion(&hits, of.as_deref()) {
                    Ok(of) => (finite(of.value), [finite(of.low), finite(of.high)]),
                    Err(NoInterval::Empty) => (None, [None, None]),
                    Err(_) => (
                        finite(hits.iter().filter(|hit| **hit).count() as f64 / hits.len() as f64),
                        [None, None],
                    ),
                }
            };
            let (recall, recall_interval) = share(&|place| predictions.targets()[place] == class);
            let (precision, precision_interval) = share(&|place| answers[place] == class);
            found.per_class.push(ClassIntervals {
                class: name.clone(),
                images: scores.support,
                recall,
                recall_interval,
                precision,
                precision_interval,
            });
        }
        found
    }

    /// The limits of a metric; none where there are none.
    pub fn limits(&self, metric: &str) -> Option<(f64, f64)> {
        self.of_metrics.get(metric).and_then(|&[low, high]| Some((low?, high?)))
    }
}

/// An accuracy beside the one that needs no learning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// Its interval lies above.
    Better,
    /// It is higher, and its interval reaches down to it.
    PerhapsChance,
    /// It is no higher.
    NoBetter,
    /// It is higher, and nothing is known of its interval.
    Unknown,
}

impl Against {
    /// Of an accuracy with its limits, where they are known.
    pub fn of(accuracy: f64, limits: Option<(f64, f64)>, without_learning: f64) -> Self {
        match limits {
            _ if accuracy <= without_learning => Against::NoBetter,
            Some((low, _)) if low > without_learning => Against::Better,
            Some(_) => Against::PerhapsChance,
            None => Against::Unknown,
        }
    }

    /// The same of the judged images that were not trained on too, where some were; none where no image is left.
    pub fn of_judged(
        predictions: &Predictions,
        limits: Option<(f64, f64)>,
        leaks: Option<&Leaks>,
    ) -> Option<Self> {
        let Some(leaks) = leaks else {
            let confusion = predictions.confusion();
            let accuracy = confusion.correct() as f64 / confusion.total() as f64;
            return predictions.majority().map(|(_, share)| Against::of(accuracy, limits, share));
        };
        let accuracy = leaks.without.metrics.get("accuracy").copied().flatten()?;
        Some(Against::of(accuracy, leaks.without.limits(), leaks.without.without_learning?))
    }
}

/// Metrics whose interval stands beside them.
pub fn with_interval() -> impl Iterator<Item = &'static Metric> {
    METRICS.iter().filter(|metric| metric.has_interval())
}

fn over(predictions: &Predictions, groups: Option<&[u32]>) -> IntervalsOver {
    let (unit, count) = match groups {
        None => ("image", predictions.len()),
        Some(groups) => ("group", groups.iter().collect::<std::collections::BTreeSet<_>>().len()),
    };
    IntervalsOver { unit: unit.to_owned(), count, none: Named::default() }
}

/// Why there is no interval, with the class's name.
fn in_words(why: &NoInterval, classes: &[String]) -> String {
    let class = match why {
        NoInterval::ImagesOfAClass { class, .. } | NoInterval::GroupsOfAClass { class, .. } => {
            classes.get(*class as usize)
        }
        _ => None,
    };
    class.map_or_else(|| why.to_string(), |class| format!("{why} ({class})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn predictions(images: usize, right: usize) -> Predictions {
        let mut predictions = Predictions::new(2);
        for image in 0..images {
            let target = (image % 2) as u32;
            let answer = if image < right { target } else { 1 - target };
            let row = if answer == 0 { [0.9, 0.1] } else { [0.1, 0.9] };
            predictions.push_probabilities(&row, &[target]).unwrap();
        }
        predictions
    }

    #[test]
    fn an_accuracy_below_what_needs_no_learning_is_not_called_chance() {
        assert_eq!(Against::of(0.27, Some((0.12, 0.46)), 0.5), Against::NoBetter);
        assert_eq!(Against::of(0.6, Some((0.45, 0.7)), 0.5), Against::PerhapsChance);
        assert_eq!(Against::of(0.6, Some((0.55, 0.7)), 0.5), Against::Better);
        assert_eq!(Against::of(0.6, None, 0.5), Against::Unknown);
        // 90 of 100 right, of which the 60 of the first class were trained on: of the others 30 of 40 are right, and 20 are of a class.
        let judged = predictions(100, 90);
        let limits = Some((0.82, 0.95));
        assert_eq!(Against::of_judged(&judged, limits, None), Some(Against::Better));
        let copy = || crate::TrainingCopy { path: String::new(), near: false };
        let copies: Vec<_> = (0..100).map(|image| (image < 60).then(copy)).collect();
        let leaks = Leaks::of(&judged, &["a".into(), "b".into()], None, &copies).unwrap();
        assert_eq!(leaks.without.without_learning, Some(0.5));
        assert_eq!(Against::of_judged(&judged, limits, Some(&leaks)), Some(Against::Better));
        let all = vec![Some(copy()); 100];
        let leaks = Leaks::of(&judged, &["a".into(), "b".into()], None, &all).unwrap();
        assert_eq!(Against::of_judged(&judged, limits, Some(&leaks)), None);
    }

    #[test]
    fn few_images_have_an_exact_interval_of_the_accuracy_and_no_other() {
        let classes = ["a".to_owned(), "b".to_owned()];
        let of = Intervals::of(&predictions(6, 6), &classes, None);
        // scipy.stats.binomtest(6, 6).proportion_ci(method="exact")
        let (low, high) = of.limits("accuracy").unwrap();
        assert!((low - 0.540_741_873_496).abs() < 1e-9 && high == 1.0, "{low} {high}");
        assert_eq!((of.limits("macro_f1"), of.over.unit.as_str(), of.over.count), (None, "image", 6));
        assert_eq!(of.over.none.get("macro_f1").unwrap(), "an interval needs 50 images or more, here are 6");
        let a = &of.per_class[0];
        assert_eq!((a.images, a.recall, a.recall_interval[1]), (3, Some(1.0), Some(1.0)));
        assert!(a.recall_interval[0].unwrap() < 0.3);
    }

    #[test]
    fn images_of_a_group_count_as_what_their_group_says() {
        let classes = ["a".to_owned(), "b".to_owned()];
        let predictions = predictions(160, 120);
        // 8 patients with 20 images each, the last two of them wholly wrong.
        let groups: Vec<String> = (0..160).map(|image| format!("p{}", image / 20)).collect();
        let alone = Intervals::of(&predictions, &classes, None).limits("accuracy").unwrap();
        let of = Intervals::of(&predictions, &classes, Some(&groups));
        let (low, high) = of.limits("accuracy").unwrap();
        assert_eq!((of.over.unit.as_str(), of.over.count), ("group", 8));
        assert!(alone.1 - alone.0 < 0.15 && high - low > 0.5, "{alone:?}, {low} to {high}");
        // Each image a group of its own is as no groups.
        let own = vec![String::new(); 160];
        assert_eq!(Intervals::of(&predictions, &classes, Some(&own)).limits("accuracy"), Some(alone));
        let few: Vec<String> = (0..160).map(|image| format!("p{}", image / 40)).collect();
        let of = Intervals::of(&predictions, &classes, Some(&few));
        assert_eq!(of.limits("accuracy"), None);
        assert!(of.over.none.get("accuracy").unwrap().contains("8 groups of images or more, here are 4"));
    }
}
