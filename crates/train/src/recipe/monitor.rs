//! `train.monitor`: the metric that decides which epoch is the best.

use pupila_dataset::shown;
use pupila_metrics::{Direction, METRICS, UnknownMetric, metric};

/// The metric that decides which epoch is the best.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Monitor {
    /// Its bare name, such as `loss`.
    pub name: &'static str,
    /// Which way is better.
    pub direction: Direction,
}

/// A monitor that is no metric of the validation set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MonitorError {
    /// No metric has that name.
    #[error("{}", unknown(.0))]
    Unknown(#[from] UnknownMetric),
    /// A key of another kind.
    #[error("{}", not_of_validation(.0))]
    NotOfValidation(String),
}

/// What other libraries call metrics, without case and separators, and the metrics that it may be here, the nearest first.
const ELSEWHERE: &[(&[&str], &[&str])] = &[
    (
        &[
            "acc",
            "top1",
            "acc1",
            "top1accuracy",
            "categoricalaccuracy",
            "sparsecategoricalaccuracy",
            "errorrate",
        ],
        &["accuracy"],
    ),
    (&["f1", "f1score", "fscore", "fbeta"], &["macro_f1", "weighted_f1"]),
    (&["f1macro"], &["macro_f1"]),
    (&["f1weighted"], &["weighted_f1"]),
    (&["auc", "auroc", "rocauc", "rocaucscore"], &["macro_auc", "weighted_auc"]),
    (&["precision", "precisionmacro", "ppv"], &["macro_precision"]),
    (&["recall", "recallmacro", "sensitivity", "tpr"], &["macro_recall", "balanced_accuracy"]),
    (&["ap", "map", "prauc", "auprc", "averageprecision"], &["macro_average_precision"]),
    (&["bacc", "balancedacc", "uar", "meanrecall"], &["balanced_accuracy"]),
    (&["mcc", "matthewscorrcoef", "matthewscorrelation"], &["matthews"]),
    (&["kappa", "cohenkappascore"], &["cohen_kappa"]),
    (&["top5", "acc5", "top5acc", "topkaccuracy", "top5categoricalaccuracy"], &["top5_accuracy"]),
    (&["nll", "neglogloss", "crossentropy", "categoricalcrossentropy"], &["loss", "log_loss"]),
    (&["ece"], &["calibration_error"]),
    (&["brier"], &["brier_score"]),
];

/// The metrics that a name may mean, such as both F1 of `val_f1`: the one of that name with or without its split, or what other libraries call so.
pub fn meant(name: &str) -> Vec<&'static str> {
    let plain = |name: &str| -> String {
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let whole = plain(name);
    let bare = ["validation", "valid", "val"].into_iter().find_map(|split| whole.strip_prefix(split));
    let bare = bare.unwrap_or(&whole);
    if let Some(metric) = METRICS.iter().find(|metric| plain(metric.name) == bare) {
        return vec![metric.name];
    }
    let known = ELSEWHERE.iter().find(|(theirs, _)| theirs.contains(&bare));
    known.map_or_else(Vec::new, |(_, ours)| ours.to_vec())
}

fn not_of_validation(name: &str) -> String {
    // `train/loss` is a metric, and not of the validation set.
    let bare = name.rsplit('/').next().unwrap_or(name);
    let bare = bare.strip_prefix("train_").unwrap_or(bare);
    let near = meant(bare);
    let shown: &[&str] = if near.is_empty() { &["loss", "macro_f1"] } else { &near };
    let shown: Vec<String> = shown.iter().map(|name| format!("val/{name}")).collect();
    format!("must be a metric of the validation set, such as {}, got `{name}`", shown.join(" or "))
}

fn unknown(error: &UnknownMetric) -> String {
    let near: Vec<String> = meant(&error.name).into_iter().map(|name| format!("val/{name}")).collect();
    match &near[..] {
        [] => error.to_string(),
        [only] => format!("no metric is named `{}`; did you mean {only}?", error.name),
        _ => format!("no metric is named `{}`; there are {}", error.name, near.join(" and ")),
    }
}

impl Monitor {
    /// The metric of a key such as `val/macro_f1`.
    ///
    /// # Errors
    /// What is wrong, with the valid names.
    pub fn parse(key: &str) -> Result<Monitor, MonitorError> {
        match key.split_once('/') {
            Some(("val", name)) => {
                let metric = metric(name)?;
                Ok(Monitor { name: metric.name, direction: metric.direction })
            }
            _ => Err(MonitorError::NotOfValidation(key.to_owned())),
        }
    }

    /// Why it says nothing on a validation set with so many images of each class: it is undefined, or the same whatever is
    /// predicted. Found by computing it for answers that are right, wrong and in between.
    pub fn useless_on(&self, classes: &[String], val: &[usize]) -> Option<String> {
        /// Images of a class that are tried: what is constant or undefined is so with few as with many.
        const TRIED: usize = 3;
        let targets: Vec<u32> =
            val.iter().zip(0..).flat_map(|(&n, class)| std::iter::repeat_n(class, n.min(TRIED))).collect();
        let metric = metric(self.name).ok()?;
        let k = classes.len();
        // The logit of the true class, and of the next one, in each answer.
        let answers: [fn(usize) -> (f32, f32); 4] =
            [|_| (4.0, 0.0), |_| (0.0, 4.0), |i| (i as f32, 2.0), |i| (1.0, 0.5 * i as f32)];
        let mut values = Vec::new();
        for answer in answers {
            let mut predictions = pupila_metrics::Predictions::new(k);
            for (i, &target) in targets.iter().enumerate() {
                let (own, other) = answer(i % 5);
                let mut logits = vec![0.0; k];
                logits[target as usize] = own;
                logits[(target as usize + 1) % k] = other;
                predictions.push_logits(&logits, &[target]).ok()?;
            }
            values.push(metric.compute(&predictions));
        }
        if targets.is_empty() {
            return None;
        }
        let absent: Vec<&str> =
            classes.iter().zip(val).filter(|(_, n)| **n == 0).map(|(class, _)| class.as_str()).collect();
        if values.iter().any(|value| value.is_nan()) {
            return Some(match absent.is_empty() {
                true => "is undefined on this validation set".to_owned(),
                false => format!(
                    "is undefined on this validation set, which has no image of {}",
                    shown(&absent.join(", "))
                ),
            });
        }
        let (low, high) =
            values.iter().fold((f64::MAX, f64::MIN), |(low, high), &value| (low.min(value), high.max(value)));
        (high - low < 1e-9).then(|| format!("is always {low} with {k} classes on this validation set"))
    }

    /// The metric's value among those of an epoch; NaN where it is not.
    pub fn of(&self, values: &[(&'static str, f64)]) -> f64 {
        values.iter().find(|(name, _)| *name == self.name).map_or(f64::NAN, |&(_, value)| value)
    }

    /// Whether `candidate` is better than `best` by more than `min_delta`. NaN never is; anything is better than NaN.
    pub fn improves(&self, candidate: f64, best: f64, min_delta: f64) -> bool {
        let gain = match self.direction {
            Direction::Higher => candidate - best,
            Direction::Lower => best - candidate,
        };
        !candidate.is_nan() && (best.is_nan() || gain > min_delta)
    }
}
