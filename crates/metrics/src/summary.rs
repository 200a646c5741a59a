//! All metrics of an evaluation, as a run's `summary.json` holds them.

use crate::{METRICS, PrecisionRecallF1, Predictions, RocAuc, Undefined};
use serde::{Serialize, Serializer, ser::SerializeMap};

/// The value of every metric of [`METRICS`], in that order.
///
/// Serialises as an object of name and value. JSON has no NaN: an undefined value becomes `null`.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Names and values; NaN where undefined.
    pub values: Vec<(&'static str, f64)>,
    /// What the data leave undefined, by class where it is of a class: 0 for precision, recall and F1, NaN
    /// otherwise.
    pub undefined: Vec<Undefined>,
}

/// The values of all metrics. Takes O(K N log N) for the ones of ranks.
pub fn summary(predictions: &Predictions) -> Summary {
    let values: Vec<_> = METRICS.iter().map(|metric| (metric.name, metric.compute(predictions))).collect();
    let mut undefined = PrecisionRecallF1::new(predictions.confusion()).undefined;
    undefined.extend(RocAuc::new(predictions).undefined);
    let nan = values.iter().filter(|(_, value)| value.is_nan());
    undefined.extend(nan.map(|&(metric, _)| Undefined { metric, class: None }));
    Summary { values, undefined }
}

impl Summary {
    /// The value of a metric by its bare name, such as `macro_f1`.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.values.iter().find(|(metric, _)| *metric == name).map(|&(_, value)| value)
    }
}

impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.values.len()))?;
        for &(name, value) in &self.values {
            map.serialize_entry(name, &value.is_finite().then_some(value))?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undefined_values_are_null_and_named() {
        let mut predictions = Predictions::new(3);
        predictions.push_probabilities(&[0.8, 0.1, 0.1, 0.1, 0.8, 0.1], &[0, 1]).unwrap();
        let summary = summary(&predictions);
        assert!(summary.get("macro_auc").unwrap().is_nan());
        assert_eq!(summary.get("accuracy"), Some(1.0));
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!((&json["macro_auc"], &json["accuracy"]), (&serde_json::Value::Null, &1.0.into()));
        let named: Vec<_> = summary.undefined.iter().map(|u| (u.metric, u.class)).collect();
        assert_eq!(
            named,
            [
                ("precision", Some(2)),
                ("recall", Some(2)),
                ("f1", Some(2)),
                ("auc", Some(2)),
                ("macro_auc", None)
            ]
        );
    }
}
