//! A frozen BatchNorm normalises by the statistics of other images, and those here are far from them: what it passes on is neither centred nor of the deviation
//! that the layers behind it were trained for.
//!
//! Adapting the statistics alone recovers much of what a network loses on images of another kind (Li et al. 2018, "Adaptive Batch Normalization for practical
//! domain adaptation"; Schneider et al. 2020, arXiv 2006.16971).

use super::{Check, Found, Situation, short};

pub(super) const CHECK: Check = Check {
    kind: "other_domain",
    title: "statistics of other images",
    looks_at: "what frozen BatchNorm layers see, against their running statistics",
    check,
};

/// Mean distance of the channels' means from the running ones, in running standard deviations, that is far, and the one that is told again.
const FAR: [f64; 2] = [1.0, 3.0];
/// The share of the layers that are so far.
const LAYERS: f64 = 0.25;

fn check(situation: &Situation<'_>) -> Option<Found> {
    let norms = &situation.health?.norms;
    let worst = norms.iter().max_by(|a, b| a.distance.total_cmp(&b.distance))?;
    let far = norms.iter().filter(|norm| norm.distance >= FAR[0]).count();
    if (far as f64) < LAYERS * norms.len() as f64 {
        return None;
    }
    let recipe = situation.recipe;
    Some(Found {
        grade: 1 + u32::from(worst.distance >= FAR[1]),
        message: format!(
            "statistics of other images: in {far} of {} frozen BatchNorm layers the channels' means are {} standard deviations or more from those that they \
             normalise by, in {} {} of them",
            norms.len(),
            FAR[0],
            worst.layer,
            short(worst.distance),
        ),
        suggestion: if recipe.transfer.freeze == "none" && !recipe.transfer.fits_head() {
            "look whether data.normalize is that of the weights; if it is, let BatchNorm learn: --set transfer.batch_norm=learn".into()
        } else {
            "look whether data.normalize is that of the weights; if it is, let the network learn too: --set transfer.freeze=none --set transfer.head_epochs=3".into()
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::health::NormShift;
    use super::super::testing::Case;
    use super::*;

    fn case(distances: &[f64]) -> Case {
        let mut case = Case::default();
        let norm = |(i, &distance): (usize, &f64)| NormShift { layer: format!("bn{i}"), distance };
        case.health.norms = distances.iter().enumerate().map(norm).collect();
        case
    }

    #[test]
    fn a_quarter_of_the_layers_far_away_is_another_domain() {
        assert!(case(&[]).check(&CHECK).is_none());
        assert!(case(&[0.3, 0.4, 0.2, 1.5, 0.1]).check(&CHECK).is_none());
        let found = case(&[0.3, 0.4, 1.2, 1.5, 0.1]).check(&CHECK).unwrap();
        assert!(found.message.contains("in 2 of 5 frozen BatchNorm layers"), "{}", found.message);
        assert!(found.message.ends_with("in bn3 1.50 of them"), "{}", found.message);
        assert_eq!((found.grade, case(&[4.0]).check(&CHECK).unwrap().grade), (1, 2));
    }

    #[test]
    fn one_of_four_a_deviation_away_is_enough_and_three_deviations_are_told_again() {
        let grade = |distances: &[f64]| case(distances).check(&CHECK).map(|found| found.grade);
        assert_eq!(grade(&[1.0, 0.1, 0.1, 0.1]), Some(1));
        assert_eq!(grade(&[0.99, 0.1, 0.1, 0.1]), None);
        assert_eq!(grade(&[1.5, 0.1, 0.1, 0.1, 0.1]), None);
        assert_eq!([2.9, 3.0].map(|distance| grade(&[distance])), [Some(1), Some(2)]);
    }

    #[test]
    fn where_all_learns_already_the_norms_learn_too() {
        let mut case = case(&[2.0]);
        let suggestion = |case: &Case| case.check(&CHECK).unwrap().suggestion;
        assert!(suggestion(&case).contains("transfer.batch_norm=learn"));
        case.recipe.transfer.freeze = "backbone".into();
        assert!(suggestion(&case).contains("transfer.freeze=none"));
        case.recipe.transfer.freeze = "none".into();
        case.recipe.transfer.head = crate::recipe::Head::Probe;
        assert!(suggestion(&case).contains("transfer.freeze=none"));
    }
}
