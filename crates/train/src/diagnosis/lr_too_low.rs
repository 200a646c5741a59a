//! The loss creeps: it neither falls nor jumps, though gradients reach all layers.
//!
//! At a learning rate that does something, the training loss of a first epoch moves by several percent (Smith 2017, "Cyclical
//! Learning Rates": the loss falls visibly once the rate is in its range). Images that hold nothing to be learnt look
//! different: the loss then moves to and fro.

use super::{Check, Found, Situation, advice, percent, short};

pub(super) const CHECK: Check = Check {
    kind: "lr_too_low",
    title: "the learning rate is too low",
    looks_at: "how the training loss moves in the first epochs",
    check,
};

/// Epochs in which it can be told.
const EARLY: std::ops::RangeInclusive<usize> = 3..=10;
/// Most that the loss moves from one epoch to the next, as a share of itself: what augmentation alone may do.
const STEP: f64 = 0.01;
/// Most that it falls in an epoch, on the average.
const FALL: f64 = 0.005;
/// The loss has hardly come down from that of guessing.
const UNLEARNT: f64 = 0.9;
/// Epochs at a smaller share of the learning rate than this are a warm-up and count for nothing.
const WARM: f64 = 0.5;

fn check(situation: &Situation<'_>) -> Option<Found> {
    let recipe = situation.recipe;
    let warm = situation.epochs.iter().skip_while(|record| record.lr < WARM * recipe.optimizer.lr);
    let losses: Vec<f64> = warm.map(|record| record.train_loss).collect();
    let (&first, &last) = (losses.first()?, losses.last()?);
    let another = ["symmetric_weights", "explosion", "dead_relu", "vanishing_gradient", "lr_too_high"];
    if !EARLY.contains(&losses.len()) || another.iter().any(|kind| situation.found(kind)) {
        return None;
    }
    let creeps = losses.windows(2).all(|pair| (pair[1] - pair[0]).abs() <= STEP * pair[0]);
    let epochs = (losses.len() - 1) as f64;
    if !creeps || first - last > FALL * epochs * first || last < UNLEARNT * situation.chance_loss() {
        return None;
    }
    Some(Found {
        grade: 1,
        message: format!(
            "learning rate too low: in {} epochs at lr {} the training loss went from {first:.4} to {last:.4}, by {}, and guessing has {}",
            losses.len(),
            advice::shown(recipe.optimizer.lr),
            change(first, last),
            short(situation.chance_loss()),
        ),
        suggestion: format!("try {}", advice::larger_lr(recipe)),
    })
}

fn change(first: f64, last: f64) -> String {
    let share = (first - last) / first;
    if share.abs() < 0.01 { "less than 1 %".into() } else { percent(share) }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    #[test]
    fn a_loss_that_creeps_is_told_and_one_that_moves_is_not() {
        let told = |losses: &[f64]| Case::default().with_losses(losses).check(&CHECK);
        let creeping = [1.12, 1.118, 1.119];
        assert!(told(&creeping).unwrap().suggestion.contains("--lr 0.01 "));
        assert!(told(&creeping[..2]).is_none());
        for moving in
            [&[1.12, 1.08, 1.06][..], &[1.12, 1.16, 1.11], &[1.12, 1.111, 1.102], &[0.9, 0.899, 0.898]]
        {
            assert!(told(moving).is_none(), "{moving:?}");
        }
        for cause in ["vanishing_gradient", "symmetric_weights"] {
            assert!(Case::default().with_losses(&creeping).after(cause, 0).check(&CHECK).is_none());
        }
        // A warm-up is low on purpose.
        let mut warming = Case::default().with_losses(&creeping);
        warming.epochs.iter_mut().for_each(|record| record.lr = 1e-5);
        assert!(warming.check(&CHECK).is_none());
    }

    #[test]
    fn steps_of_a_hundredth_and_falls_of_half_of_it_an_epoch_are_the_limits() {
        let told = |losses: &[f64]| Case::default().with_losses(losses).check(&CHECK).is_some();
        assert!(told(&[1.12, 1.11, 1.12]));
        // Of 1.12, the limits are 0.0112 a step and in two steps as much in all.
        assert!(told(&[1.12, 1.115, 1.112]) && told(&[1.12, 1.115, 1.11]) && !told(&[1.12, 1.1125, 1.105]));
        assert!(told(&[100.0, 99.5, 99.0]) && !told(&[100.0, 99.5, 98.9]));
        // What is below nine tenths of guessing has been learnt.
        assert!(told(&[0.9 * 3f64.ln(); 3]) && !told(&[0.85; 3]));
    }

    #[test]
    fn epochs_below_half_of_the_learning_rate_are_a_warm_up() {
        let creeping = [1.12, 1.118, 1.119];
        let at = |share: f64| {
            let mut case = Case::default().with_losses(&creeping);
            case.epochs[0].lr = share * case.recipe.optimizer.lr;
            case.check(&CHECK).is_some()
        };
        assert!(at(0.5) && !at(0.49));
    }

    #[test]
    fn the_change_is_a_share_of_the_first_loss() {
        let message = |losses: &[f64]| Case::default().with_losses(losses).check(&CHECK).unwrap().message;
        assert!(message(&[1.12, 1.118, 1.119]).contains("by less than 1 %"));
        let falling: Vec<f64> = (0..10).map(|epoch| 1.2 - 0.05 / 9.0 * f64::from(epoch)).collect();
        assert!(message(&falling).contains("from 1.2000 to 1.1500, by 4 %"), "{}", message(&falling));
        assert_eq!(change(100.0, 99.0), "1 %");
    }
}
