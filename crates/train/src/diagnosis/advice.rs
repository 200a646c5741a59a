//! What to try, with what to type.

use crate::recipe::Recipe;
use pupila_network::{Activation, architectures};

/// The learning rate that a rule usually works with: that of Kingma and Ba (2015) for Adam and its relatives, a common one
/// for SGD.
fn usual_lr(recipe: &Recipe) -> f64 {
    if recipe.optimizer.name == "sgd" { 1e-2 } else { 1e-3 }
}

/// A tenth of the learning rate, or the usual one where that is smaller still.
pub(super) fn smaller_lr(recipe: &Recipe) -> String {
    let lr = recipe.optimizer.lr;
    format!("--lr {} (it was {})", shown((lr / 10.0).min(usual_lr(recipe))), shown(lr))
}

/// Ten times the learning rate, or the usual one where that is larger still.
pub(super) fn larger_lr(recipe: &Recipe) -> String {
    let lr = recipe.optimizer.lr;
    format!("--lr {} (it was {})", shown((lr * 10.0).max(usual_lr(recipe))), shown(lr))
}

/// As one would type it, without what a division adds to the last digits.
pub(super) fn shown(lr: f64) -> String {
    let rounded: f64 = format!("{lr:.2e}").parse().unwrap_or(lr);
    if (1e-5..1e4).contains(&rounded) { rounded.to_string() } else { format!("{rounded:e}") }
}

/// The initialiser that suits the activation: He et al. (2015) for ReLU and its relatives, Glorot and Bengio (2010) for
/// those that saturate.
pub(super) fn init(recipe: &Recipe) -> &'static str {
    if recipe.transfer.source().is_some() {
        return "they are those of the weights that were given: take other weights (`pupila list pretrained`), or leave --init-from out";
    }
    match recipe.model.activation {
        Activation::Sigmoid | Activation::Tanh => "--set model.init=xavier_uniform",
        _ => "--set model.init=kaiming_normal",
    }
}

/// Whether the model uses a key of `[model]`.
pub(super) fn uses(recipe: &Recipe, key: &str) -> bool {
    architectures::find(&recipe.model.name).is_ok_and(|architecture| architecture.keys.contains(&key))
}

/// Against values that are too large: smaller ones at the start where they were so `from_the_start`, else smaller steps.
pub(super) fn smaller(recipe: &Recipe, from_the_start: bool) -> String {
    if from_the_start && recipe.transfer.source().is_some() {
        init(recipe).into()
    } else if from_the_start {
        format!("begin with smaller values: {}", init(recipe))
    } else {
        format!("try a smaller learning rate: {}", smaller_lr(recipe))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learning_rates_are_round_and_sane() {
        let mut recipe = Recipe::default();
        let mut of = |lr: f64| {
            recipe.optimizer.lr = lr;
            [smaller_lr(&recipe), larger_lr(&recipe)].map(|s| s.split(' ').nth(1).unwrap().to_owned())
        };
        assert_eq!(of(3e-3), ["0.0003", "0.03"]);
        assert_eq!(of(10.0), ["0.001", "100"]);
        assert_eq!(of(1e-7), ["1e-8", "0.001"]);
    }

    #[test]
    fn the_usual_learning_rate_is_the_rules() {
        let mut recipe = Recipe::default();
        recipe.optimizer.lr = 10.0;
        recipe.optimizer.name = "sgd".into();
        assert!(smaller_lr(&recipe).starts_with("--lr 0.01 "));
        recipe.optimizer.name = "adam".into();
        assert!(smaller_lr(&recipe).starts_with("--lr 0.001 "));
    }

    #[test]
    fn units_that_saturate_begin_by_glorot_and_others_by_he() {
        let mut recipe = Recipe::default();
        assert!(init(&recipe).ends_with("kaiming_normal"));
        for activation in [Activation::Sigmoid, Activation::Tanh] {
            recipe.model.activation = activation;
            assert!(init(&recipe).ends_with("xavier_uniform"));
        }
    }

    #[test]
    fn what_was_learnt_before_is_not_begun_anew_and_later_faults_are_the_learning_rates() {
        let mut recipe = Recipe::default();
        assert!(smaller(&recipe, true).starts_with("begin with smaller values"));
        assert!(smaller(&recipe, false).contains("--lr "));
        recipe.transfer.from = Some("w.pth".into());
        assert!(smaller(&recipe, true).contains("other weights"));
        assert!(smaller(&recipe, false).contains("--lr "));
    }
}
