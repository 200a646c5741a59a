//! The gradient is all but gone when it reaches the first layer: each layer on the way scales it down, a sigmoid to a quarter
//! at best (Hochreiter 1991, Glorot and Bengio 2010).
//!
//! The norms of the gradients of two weights of one network differ by a factor of ten in health, the first layer's mostly
//! being the larger for its size. Three orders of magnitude are no matter of size any more.

use super::{Check, Found, Situation, advice, short};
use pupila_network::{Activation, Init};

pub(super) const CHECK: Check = Check {
    kind: "vanishing_gradient",
    title: "gradients vanish",
    looks_at: "the norm of the gradient of each weight",
    check,
};

/// How much of the last layer's gradient the first one's is at least.
const SMALL: f64 = 1e-3;

fn check(situation: &Situation<'_>) -> Option<Found> {
    let weights = &situation.health?.weights;
    let (first, last) = (weights.first()?, weights.last()?);
    // Gone for another reason, which has been told.
    if ["symmetric_weights", "explosion", "dead_relu"].iter().any(|kind| situation.found(kind)) {
        return None;
    }
    let vanishes = first.gradient_norm < SMALL * last.gradient_norm;
    if !vanishes {
        return None;
    }
    Some(Found {
        grade: 1,
        message: format!(
            "vanishing gradients: {} the gradient of the first layer, {} ({}), has a norm of {}, that of the last, {}, {}",
            situation.when(),
            first.layer,
            first.module,
            short(first.gradient_norm),
            last.layer,
            short(last.gradient_norm),
        ),
        suggestion: suggestion(situation),
    })
}

fn suggestion(situation: &Situation<'_>) -> String {
    let recipe = situation.recipe;
    let saturates = matches!(recipe.model.activation, Activation::Sigmoid | Activation::Tanh);
    if saturates && advice::uses(recipe, "activation") {
        "use an activation that does not saturate: --set model.activation=relu --set model.init=kaiming_normal".into()
    } else if !recipe.model.batch_norm && advice::uses(recipe, "batch_norm") {
        "normalise between the layers: --set model.batch_norm=true".into()
    } else if recipe.transfer.source().is_some() {
        advice::init(recipe).into()
    } else if !matches!(recipe.model.init, Init::KaimingNormal | Init::KaimingUniform) {
        format!("begin with larger values: {}", advice::init(recipe))
    } else {
        "use a network with residual connections: --model resnet18".into()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    #[test]
    fn three_orders_of_magnitude_are_too_much() {
        assert!(Case::default().with_weights(&[0.0011, 0.1, 1.0]).check(&CHECK).is_none());
        let mut case = Case::default().with_weights(&[0.0009, 0.1, 1.0]);
        let found = case.check(&CHECK).unwrap();
        assert!(
            found.message.contains("first layer, l0 (Linear), has a norm of 9.0e-4"),
            "{}",
            found.message
        );
        assert!(found.suggestion.contains("model.batch_norm=true"));
        case.recipe.model.activation = Activation::Sigmoid;
        assert!(case.check(&CHECK).unwrap().suggestion.contains("model.activation=relu"));
        // Nothing to compare with.
        assert!(Case::default().with_weights(&[0.0, 0.0]).check(&CHECK).is_none());
        assert!(case.after("dead_relu", 0).check(&CHECK).is_none());
    }

    #[test]
    fn it_is_told_below_a_thousandth_of_the_last_layers() {
        let told = |norms: &[f64]| Case::default().with_weights(norms).check(&CHECK).is_some();
        assert!(!told(&[0.001, 1.0]) && !told(&[0.0, 0.0]) && told(&[0.0015, 2.0]) && told(&[0.0, 1e-9]));
    }

    #[test]
    fn what_to_try_is_what_the_recipe_does_not_have() {
        let mut case = Case::default().with_weights(&[1e-9, 1.0]);
        case.recipe.model.batch_norm = true;
        case.recipe.model.init = Init::Normal { std: 0.01 };
        let suggestion = |case: &Case| case.check(&CHECK).unwrap().suggestion;
        assert!(suggestion(&case).starts_with("begin with larger values"));
        for init in [Init::KaimingNormal, Init::KaimingUniform] {
            case.recipe.model.init = init;
            assert!(suggestion(&case).contains("residual"));
        }
        // It has no batch_norm to be set.
        case.recipe.model = pupila_network::ModelConfig { name: "resnet18".into(), ..Default::default() };
        assert!(!advice::uses(&case.recipe, "batch_norm"));
        assert!(!suggestion(&case).contains("batch_norm"));
    }
}
