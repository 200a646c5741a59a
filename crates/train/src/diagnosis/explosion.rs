//! Outputs of a layer grow out of all proportion to the images, whose deviation is about 1.
//!
//! A good initialiser keeps it so from layer to layer (Glorot and Bengio 2010, He et al. 2015). exp underflows in f32 beyond
//! 104, so from a root mean square of 100 on a softmax or a sigmoid gives nothing but zeros and ones, whose gradient is zero.
//! In healthy runs of the architectures here it stayed below 100.

use super::{Check, Found, Situation, advice, short};

pub(super) const CHECK: Check =
    Check { kind: "explosion", title: "activations explode", looks_at: "the outputs of the layers", check };

/// The root mean square of an output that is too large, and the one that is told again.
const LARGE: [f64; 2] = [100.0, 1e5];

fn check(situation: &Situation<'_>) -> Option<Found> {
    let health = situation.health?;
    if situation.found_at_start("symmetric_weights") {
        return None;
    }
    let relevant = || health.layers.iter().filter(|layer| !layer.normalised);
    let first = relevant().find(|layer| layer.rms() > LARGE[0] || layer.rms().is_nan())?;
    let worst = relevant().map(|layer| layer.rms()).fold(0.0, f64::max);
    let (name, module) = (&first.spread.layer, first.spread.module);
    Some(Found {
        grade: 1 + u32::from(worst > LARGE[1]),
        message: format!(
            "explosion: {} the outputs of layer {name} ({module}) have a root mean square of {}, the first above {}; {} at most",
            situation.when(),
            short(first.rms()),
            LARGE[0],
            short(worst),
        ),
        suggestion: advice::smaller(
            situation.recipe,
            situation.epochs.is_empty() || situation.found_at_start(CHECK.kind),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    #[test]
    fn the_first_layer_that_explodes_is_named() {
        let mut case = Case::default().with_layers(&["Linear", "Sigmoid", "Linear"]);
        assert!(case.check(&CHECK).is_none());
        case.layer(2).spread.activation_variance = 1e12;
        case.layer(0).spread.activation_mean = -200.0;
        let found = case.check(&CHECK).unwrap();
        assert!(
            found.message.contains("before the first update the outputs of layer l0"),
            "{}",
            found.message
        );
        assert_eq!(found.grade, 2);
        // What a norm takes off again does no harm.
        case.layer(0).normalised = true;
        assert!(case.check(&CHECK).unwrap().message.contains("layer l2"));
    }

    #[test]
    fn a_value_that_is_not_a_number_counts_as_large() {
        let mut case = Case::default().with_layers(&["Linear"]);
        case.layer(0).spread.activation_variance = f64::NAN;
        assert!(case.check(&CHECK).is_some());
    }

    #[test]
    fn a_hundred_is_no_explosion_and_above_a_hundred_thousand_it_is_told_again() {
        let of = |rms: f64| {
            let mut case = Case::default().with_layers(&["Linear"]);
            (case.layer(0).spread.activation_variance, case.layer(0).spread.activation_mean) = (0.0, rms);
            case.check(&CHECK).map(|found| found.grade)
        };
        assert_eq!([100.0, 101.0, 1e5, 1.1e5].map(of), [None, Some(1), Some(1), Some(2)]);
    }

    #[test]
    fn from_the_start_other_values_are_advised_and_later_a_smaller_learning_rate() {
        let mut case = Case::default().with_layers(&["Linear"]);
        case.layer(0).spread.activation_mean = 200.0;
        assert!(case.check(&CHECK).unwrap().suggestion.starts_with("begin with smaller values"));
        let later = case.with_losses(&[1.0]);
        assert!(later.check(&CHECK).unwrap().suggestion.contains("--lr "));
        let again = later.after("explosion", 0);
        assert!(again.check(&CHECK).unwrap().suggestion.starts_with("begin with smaller values"));
    }
}
