//! The frozen part limits what can be learnt: the last layers fit not even the training images any better, and these hardly better than those of the
//! validation set. More would have to learn.
//!
//! Where the training images are fitted far better than the others, what learns is enough, and another check speaks.

use super::{Check, Found, Situation, advice, percent};

pub(super) const CHECK: Check = Check {
    kind: "frozen_limits",
    title: "a frozen part limits",
    looks_at: "accuracy in training and validation, where a part is frozen",
    check,
};

/// Above this, there is little to win.
const ENOUGH: f64 = 0.9;
/// How far the training images are ahead at most.
const AHEAD: f64 = 0.1;
/// Epochs in which the training loss stands still.
const LASTED: usize = 5;
/// How much it falls in them at most, as a share.
const FALLS: f64 = 0.03;

fn check(situation: &Situation<'_>) -> Option<Found> {
    let (recipe, epochs) = (situation.recipe, situation.epochs);
    let transfer = &recipe.transfer;
    if transfer.source().is_none() || transfer.freeze == "none" || transfer.fits_head() {
        return None;
    }
    let now = epochs.last()?;
    let then = epochs.get(epochs.len().checked_sub(LASTED + 1)?)?;
    let ahead = now.train_accuracy - now.val("accuracy");
    let stands = now.train_loss > (1.0 - FALLS) * then.train_loss;
    if now.train_accuracy >= ENOUGH || ahead > AHEAD || !stands || situation.found("lr_too_low") {
        return None;
    }
    Some(Found {
        grade: 1,
        message: format!(
            "a frozen part limits: {} of the training images are right and {} of the validation images, and the training loss has stood still for \
             {LASTED} epochs",
            percent(now.train_accuracy),
            percent(now.val("accuracy")),
        ),
        suggestion: format!(
            "let all of it learn, slowly: --set transfer.freeze=none --set transfer.head_epochs=3 {}",
            advice::smaller_lr(recipe)
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    fn case(losses: &[f64], accuracies: (f64, f64)) -> Case {
        let mut case = Case::default().with_curves(losses, &vec![accuracies; losses.len()]);
        (case.recipe.transfer.from, case.recipe.transfer.freeze) = (Some("w.pth".into()), "backbone".into());
        case
    }

    #[test]
    fn what_stands_still_and_fits_neither_wants_more_to_learn() {
        let still = [1.0, 0.8, 0.8, 0.8, 0.79, 0.79, 0.79];
        let found = case(&still, (0.7, 0.68)).check(&CHECK).unwrap();
        assert!(found.message.contains("70 % of the training images"), "{}", found.message);
        assert!(found.suggestion.contains("transfer.freeze=none"));
        // Good enough; ahead; still falling; too early; nothing frozen.
        assert!(case(&still, (0.95, 0.93)).check(&CHECK).is_none());
        assert!(case(&still, (0.8, 0.6)).check(&CHECK).is_none());
        assert!(case(&[1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4], (0.7, 0.68)).check(&CHECK).is_none());
        assert!(case(&still[..5], (0.7, 0.68)).check(&CHECK).is_none());
        let mut free = case(&still, (0.7, 0.68));
        free.recipe.transfer.freeze = "none".into();
        assert!(free.check(&CHECK).is_none());
    }

    #[test]
    fn the_loss_stands_where_it_falls_by_less_than_three_hundredths_in_five_epochs() {
        let told = |losses: &[f64]| case(losses, (0.7, 0.68)).check(&CHECK).is_some();
        // Six epochs are five steps.
        assert!(told(&[1.0, 1.0, 1.0, 1.0, 1.0, 0.98]) && !told(&[1.0, 1.0, 1.0, 1.0, 1.0, 0.97]));
        assert!(!told(&[1.0, 0.8, 0.8, 0.8, 0.79, 0.79]));
        assert!(!told(&[0.8; 5]));
    }

    #[test]
    fn only_trained_weights_that_are_frozen_limit() {
        let still = [0.8; 7];
        assert!(case(&still, (0.1, 0.0)).check(&CHECK).is_some(), "a tenth ahead is not far");
        let mut scratch = case(&still, (0.7, 0.68));
        scratch.recipe.transfer.from = None;
        assert!(scratch.check(&CHECK).is_none());
        let mut fitted = case(&still, (0.7, 0.68));
        fitted.recipe.transfer.head = crate::recipe::Head::Probe;
        assert!(fitted.check(&CHECK).is_none());
        assert!(case(&still, (0.7, 0.68)).after("lr_too_low", 3).check(&CHECK).is_none());
    }
}
