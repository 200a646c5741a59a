//! The registry: every metric by name, with what it means and which way is better.

use crate::{ConfusionMatrix, Predictions};

/// Which way a metric improves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Larger is better.
    Higher,
    /// Smaller is better.
    Lower,
}

impl Direction {
    /// Whether `candidate` is strictly better than `best`. NaN is never better, and anything is better than
    /// NaN.
    pub fn improves(self, candidate: f64, best: f64) -> bool {
        match self {
            _ if candidate.is_nan() => false,
            _ if best.is_nan() => true,
            Direction::Higher => candidate > best,
            Direction::Lower => candidate < best,
        }
    }
}

/// What a metric is computed from.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Compute {
    /// From how often each class was taken for each: cheap, and can be resampled.
    Counts(fn(&ConfusionMatrix) -> f64),
    /// From every score of every sample.
    Scores(fn(&Predictions) -> f64),
}

/// The metric of shares of all samples by true class (rows) and predicted class, and how it rises with each of them.
/// `cells: [K, K]`, `gradient: [K, K]`
pub(crate) type Gradient = fn(cells: &[f64], classes: usize, gradient: &mut [f64]) -> f64;

/// A metric as a smooth function of counts, which is what an interval of it needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Smooth {
    /// Its value and slopes.
    pub(crate) gradient: Gradient,
    /// How much higher it is on average for so few samples than for all, to second order, from counts `[K, K]`; none where it is linear
    /// in the shares of each true class.
    pub(crate) bias: Option<fn(counts: &[f64], classes: usize) -> f64>,
}

/// A number that judges an evaluation.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name in recipes, files and tables.
    pub name: &'static str,
    /// One line for `pupila list metrics`.
    pub description: &'static str,
    /// Its unit: `"frac"`, `"nats"`, or empty for a pure number.
    pub unit: &'static str,
    /// Its smallest and largest value.
    pub range: (f64, f64),
    /// Which way is better.
    pub direction: Direction,
    pub(crate) compute: Compute,
    /// What an interval needs; none where there is no interval.
    pub(crate) smooth: Option<Smooth>,
}

impl Metric {
    /// The value; NaN where it is undefined, as for no samples.
    pub fn compute(&self, predictions: &Predictions) -> f64 {
        if predictions.is_empty() {
            return f64::NAN;
        }
        match self.compute {
            Compute::Counts(of_counts) => of_counts(predictions.confusion()),
            Compute::Scores(of_scores) => of_scores(predictions),
        }
    }

    /// Whether it can have an [`interval`](crate::interval()).
    pub fn has_interval(&self) -> bool {
        self.smooth.is_some()
    }

    /// Whether higher values are better.
    pub fn higher_is_better(&self) -> bool {
        self.direction == Direction::Higher
    }
}

/// All metrics. A new one is a file with its `METRIC` and a line here; the order is that of tables and files.
pub const METRICS: &[Metric] = &[
    crate::log_loss::CROSS_ENTROPY,
    crate::accuracy::METRIC,
    crate::balanced_accuracy::METRIC,
    crate::precision_recall_f1::MACRO_F1,
    crate::precision_recall_f1::WEIGHTED_F1,
    crate::precision_recall_f1::MACRO_PRECISION,
    crate::precision_recall_f1::MACRO_RECALL,
    crate::roc_auc::MACRO_AUC,
    crate::roc_auc::WEIGHTED_AUC,
    crate::average_precision::MACRO_AVERAGE_PRECISION,
    crate::top_k_accuracy::TOP5,
    crate::matthews::METRIC,
    crate::cohen_kappa::METRIC,
    crate::log_loss::LOG_LOSS,
    crate::brier_score::METRIC,
    crate::calibration_error::METRIC,
];

/// A name that no metric has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no metric is named `{name}`{}; the names are {}", did_you_mean(*suggestion), names())]
pub struct UnknownMetric {
    /// The name asked for.
    pub name: String,
    /// The most similar name, if one is similar.
    pub suggestion: Option<&'static str>,
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

fn names() -> String {
    METRICS.iter().map(|metric| metric.name).collect::<Vec<_>>().join(", ")
}

/// The metric of a name. A split may stand before it, as in `val/macro_f1`.
///
/// # Errors
/// [`UnknownMetric`] with the most similar name.
pub fn metric(name: &str) -> Result<&'static Metric, UnknownMetric> {
    let bare = name.rsplit('/').next().unwrap_or(name);
    METRICS.iter().find(|metric| metric.name == bare).ok_or_else(|| UnknownMetric {
        name: bare.to_owned(),
        suggestion: METRICS
            .iter()
            .map(|metric| (strsim::jaro_winkler(bare, metric.name), metric.name))
            .filter(|&(similarity, _)| similarity > 0.75)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, name)| name),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found_with_and_without_a_split() {
        for (place, entry) in METRICS.iter().enumerate() {
            assert_eq!(metric(&format!("val/{}", entry.name)).unwrap().name, entry.name);
            assert!(METRICS[..place].iter().all(|earlier| earlier.name != entry.name));
            assert!(!entry.description.is_empty() && entry.range.0 < entry.range.1);
        }
        assert_eq!(metric("loss").unwrap().direction, Direction::Lower);
        assert!(metric("macro_f1").unwrap().higher_is_better());
    }

    #[test]
    fn a_wrong_name_gets_a_suggestion() {
        let error = metric("val/marco_f1").unwrap_err();
        assert_eq!(error.suggestion, Some("macro_f1"));
        assert!(
            error.to_string().starts_with("no metric is named `marco_f1`; did you mean `macro_f1`?"),
            "{error}"
        );
        assert_eq!(metric("zzz").unwrap_err().suggestion, None);
        // Jaro's similarity of this and `accuracy` is (2 / 2 + 2 / 8 + 1) / 3, three quarters and no more.
        assert_eq!(metric("cu").unwrap_err().suggestion, None);
        let all = METRICS.iter().map(|metric| metric.name).collect::<Vec<_>>().join(", ");
        assert!(error.to_string().ends_with(&format!("the names are {all}")), "{error}");
    }

    #[test]
    fn every_metric_keeps_to_its_range_and_is_undefined_for_no_samples() {
        let mut predictions = Predictions::new(3);
        predictions.push_logits(&[2.0, 0.0, 1.0, 0.0, 1.0, 5.0, 1.0, 1.0, 0.0], &[0, 1, 2]).unwrap();
        for metric in METRICS {
            let value = metric.compute(&predictions);
            assert!(value >= metric.range.0 && value <= metric.range.1, "{} = {value}", metric.name);
            assert!(metric.compute(&Predictions::new(3)).is_nan(), "{}", metric.name);
        }
    }

    #[test]
    fn each_metric_knows_its_direction_and_whether_it_has_an_interval() {
        let named = |wanted: fn(&Metric) -> bool| {
            METRICS.iter().filter(|metric| wanted(metric)).map(|metric| metric.name).collect::<Vec<_>>()
        };
        assert_eq!(named(Metric::has_interval), ["accuracy", "balanced_accuracy", "macro_f1"]);
        let lower = ["loss", "log_loss", "brier_score", "calibration_error"];
        assert_eq!(named(|metric| !metric.higher_is_better()), lower);
    }

    #[test]
    fn better_is_strictly_better() {
        for (direction, better, worse) in [(Direction::Higher, 0.5, 0.3), (Direction::Lower, 0.3, 0.5)] {
            assert!(direction.improves(better, worse) && !direction.improves(worse, better));
            assert!(!direction.improves(better, better));
        }
    }

    #[test]
    fn nan_never_improves() {
        assert!(!Direction::Higher.improves(f64::NAN, f64::NAN));
        assert!(!Direction::Higher.improves(f64::NAN, 0.0) && !Direction::Lower.improves(f64::NAN, 0.0));
        assert!(Direction::Higher.improves(0.0, f64::NAN) && Direction::Lower.improves(0.0, f64::NAN));
        assert!(!Direction::Higher.improves(1.0, 1.0) && Direction::Lower.improves(0.5, 1.0));
    }

    #[test]
    fn slopes_and_biases_of_smooth_metrics_are_those_of_small_changes_and_many_draws() {
        use pupila_random::{Purpose, Stream};
        let counts = [7.0, 2.0, 1.0, 0.0, 9.0, 3.0, 4.0, 0.0, 6.0];
        let shares: Vec<f64> = counts.iter().map(|count| count / 32.0).collect();
        for metric in METRICS {
            let Some(smooth) = metric.smooth else { continue };
            let mut slopes = vec![0.0; 9];
            let mut nothing = vec![0.0; 9];
            let value = (smooth.gradient)(&shares, 3, &mut slopes);
            let mut seen = ConfusionMatrix::new(3);
            for (place, count) in counts.iter().enumerate() {
                (0..*count as u32).for_each(|_| seen.add(place as u32 / 3, place as u32 % 3));
            }
            let Compute::Counts(of_counts) = metric.compute else { panic!("{}", metric.name) };
            assert!((value - of_counts(&seen)).abs() < 1e-14, "{}", metric.name);
            for place in 0..9 {
                let mut at = |by: f64| {
                    let mut moved = shares.clone();
                    moved[place] += by;
                    (smooth.gradient)(&moved, 3, &mut nothing)
                };
                let slope = (at(1e-6) - at(-1e-6)) / 2e-6;
                // Of central differences 1e-12 of the third derivative are left, and of f64 1e-10.
                assert!((slopes[place] - slope).abs() < 1e-8, "{} {place}", metric.name);
            }
            let Some(bias) = smooth.bias else { continue };
            // Drawn anew by true class; 40,000 draws know the mean to 0.0004, and what is left of third order is of that size.
            let mut stream = Stream::new(3, Purpose::Bootstrap, 0, 0);
            let (mut sum, draws) = (0.0, 40_000);
            for _ in 0..draws {
                let mut drawn = vec![0.0; 9];
                for row in 0..3 {
                    let of_row: f64 = counts[3 * row..3 * row + 3].iter().sum();
                    for _ in 0..of_row as u32 {
                        let mut left = stream.unit() * of_row;
                        let cell = (0..3).find(|&cell| {
                            left -= counts[3 * row + cell];
                            left < 0.0
                        });
                        drawn[3 * row + cell.unwrap_or(2)] += 1.0 / 32.0;
                    }
                }
                sum += (smooth.gradient)(&drawn, 3, &mut nothing) - value;
            }
            let (mean, told) = (sum / f64::from(draws), bias(&counts, 3));
            assert!((mean - told).abs() < 0.001 && mean.abs() > 0.002, "{}: {mean} and {told}", metric.name);
        }
    }
}
