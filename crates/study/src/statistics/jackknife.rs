//! A metric split into one value for each image or group of images: pseudo-values of the jackknife.
//!
//! Reference: Quenouille, "Notes on bias in estimation" (Biometrika 1956); Dorfman, Berbaum and Metz (Investigative Radiology 1992) for
//! pseudo-values of AUC. For accuracy a pseudo-value is exactly 1 where the image is right and 0 where it is wrong.

use pupila_metrics::{Metric, Predictions};
use std::collections::HashMap;

/// Groups, at most: the cost is that many times the metric's.
const MOST_GROUPS: usize = 100;

/// The group of every image, counted from 0: images that belong together (`belongs`, such as a patient) are never apart; more than 100
/// groups are dealt out in turn, so that each has something of every class where images stand by class.
pub fn groups(belongs: &[Option<String>]) -> Vec<usize> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut next = 0;
    let mut group = Vec::with_capacity(belongs.len());
    for name in belongs {
        let place = match name {
            Some(name) => *places.entry(name.as_str()).or_insert_with(|| {
                next += 1;
                next - 1
            }),
            None => {
                next += 1;
                next - 1
            }
        };
        group.push(place);
    }
    if next > MOST_GROUPS {
        group.iter_mut().for_each(|place| *place %= MOST_GROUPS);
    }
    group
}

/// The pseudo-values of a metric, one for each group; none where the metric is undefined, with all images or without a group.
pub fn pseudo_values(predictions: &Predictions, metric: &Metric, group: &[usize]) -> Option<Vec<f64>> {
    let count = group.iter().max()? + 1;
    if group.len() != predictions.len() || count < 2 {
        return None;
    }
    let all = metric.compute(predictions);
    let value = |left: usize| {
        let mut rest = Predictions::new(predictions.classes());
        for ((row, &target), &of) in predictions.rows().zip(predictions.targets()).zip(group) {
            if of != left {
                rest.push_probabilities(row, &[target]).ok()?;
            }
        }
        let without = metric.compute(&rest);
        let pseudo = count as f64 * all - (count - 1) as f64 * without;
        pseudo.is_finite().then_some(pseudo)
    };
    (0..count).map(value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pupila_metrics::metric;

    #[test]
    fn the_pseudo_values_of_accuracy_are_right_and_wrong() {
        let mut predictions = Predictions::new(2);
        predictions.push_probabilities(&[0.9, 0.1, 0.2, 0.8, 0.6, 0.4, 0.3, 0.7], &[0, 1, 1, 0]).unwrap();
        let each: Vec<usize> = (0..4).collect();
        let values = pseudo_values(&predictions, metric("accuracy").unwrap(), &each).unwrap();
        for (value, right) in values.iter().zip([1.0, 1.0, 0.0, 0.0]) {
            assert!((value - right).abs() < 1e-12, "{values:?}");
        }
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let losses = pseudo_values(&predictions, metric("loss").unwrap(), &each).unwrap();
        assert!((mean(&losses) - metric("loss").unwrap().compute(&predictions)).abs() < 1e-9);
        assert_eq!(pseudo_values(&predictions, metric("accuracy").unwrap(), &[0, 0, 0, 0]), None);
        assert_eq!(pseudo_values(&predictions, metric("accuracy").unwrap(), &[0, 1]), None);
    }

    #[test]
    fn what_belongs_together_stays_together() {
        let of = |names: &[&str]| {
            let names: Vec<Option<String>> =
                names.iter().map(|name| (!name.is_empty()).then(|| (*name).to_owned())).collect();
            groups(&names)
        };
        assert_eq!(of(&["a", "", "a", "b", ""]), [0, 1, 0, 2, 3]);
        let many = groups(&vec![None; 250]);
        assert_eq!((many[0], many[100], many.iter().max()), (0, 0, Some(&99)));
    }
}
