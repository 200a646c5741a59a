//! Learnt weights are lost as soon as they learn: the last layer had been trained alone on them, and was better than what is behind the first epochs in which all
//! of the network learns.
//!
//! A last layer that starts at random sends large gradients into the network, which is why it is trained alone first (Kumar et al. 2022, "Fine-Tuning can Distort
//! Pretrained Features", arXiv 2202.10054). What is still lost then is lost by steps that are too large.

use super::{Check, Found, Situation, advice, percent, short};

pub(super) const CHECK: Check = Check {
    kind: "forgetting",
    title: "learnt weights are forgotten",
    looks_at: "validation before and after the network learns with its last layer",
    check,
};

/// How far the validation loss has risen, as a share.
const RISEN: f64 = 0.1;
/// Standard errors by which the accuracy has fallen.
const ERRORS: f64 = 2.0;
/// Epochs behind those of the last layer alone in which it is looked for.
const SOON: u32 = 3;

fn check(situation: &Situation<'_>) -> Option<Found> {
    let transfer = &situation.recipe.transfer;
    let alone = transfer.head_epochs;
    let now = situation.epochs.last()?;
    if transfer.source().is_none() || now.epoch > alone + SOON {
        return None;
    }
    // Epochs begin at 1, and the last one is no worse than itself.
    let before = situation.epochs.iter().find(|record| record.epoch == alone)?;
    let (loss, risen) = (before.val("loss"), now.val("loss"));
    let (accuracy, fallen) = (before.val("accuracy"), now.val("accuracy"));
    let images: u64 = situation.actual.iter().sum();
    let error = (accuracy * (1.0 - accuracy) / images.max(1) as f64).sqrt();
    if !(risen > (1.0 + RISEN) * loss && fallen < accuracy - ERRORS * error) {
        return None;
    }
    Some(Found {
        grade: 1,
        message: format!(
            "forgetting: with the last layer alone {} of the validation images were right (loss {}), after epoch {}, in which the rest learnt too, \
             {} (loss {})",
            percent(accuracy),
            short(loss),
            now.epoch,
            percent(fallen),
            short(risen),
        ),
        suggestion: format!("learn in smaller steps: {}", advice::smaller_lr(situation.recipe)),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    fn case(losses: &[f64], accuracies: &[f64]) -> Case {
        let accuracies: Vec<(f64, f64)> = accuracies.iter().map(|&a| (a, a)).collect();
        let mut case = Case::default().with_curves(losses, &accuracies);
        (case.recipe.transfer.from, case.recipe.transfer.head_epochs) = (Some("w.pth".into()), 2);
        case.actual = vec![100, 100, 100];
        case
    }

    #[test]
    fn what_was_better_before_is_forgotten() {
        let found = case(&[0.6, 0.5, 0.9], &[0.75, 0.8, 0.6]).check(&CHECK).unwrap();
        assert!(
            found.message.contains("80 % of the validation images were right (loss 0.500)"),
            "{}",
            found.message
        );
        assert!(found.suggestion.contains("--lr 0.0001"), "{}", found.suggestion);
        // Within the roundings of few images, better, or not yet.
        assert!(case(&[0.6, 0.5, 0.9], &[0.75, 0.8, 0.78]).check(&CHECK).is_none());
        assert!(case(&[0.6, 0.5, 0.4], &[0.75, 0.8, 0.85]).check(&CHECK).is_none());
        assert!(case(&[0.6, 0.9], &[0.8, 0.6]).check(&CHECK).is_none());
        // Long after, it has other causes.
        let late = [0.5, 0.5, 0.5, 0.5, 0.5, 0.9];
        assert!(case(&late, &[0.8, 0.8, 0.8, 0.8, 0.8, 0.5]).check(&CHECK).is_none());
        let mut scratch = case(&[0.6, 0.5, 0.9], &[0.75, 0.8, 0.6]);
        scratch.recipe.transfer.from = None;
        assert!(scratch.check(&CHECK).is_none());
    }

    #[test]
    fn loss_and_accuracy_are_both_worse_by_more_than_chance() {
        let told = |loss: f64, accuracy: f64| {
            case(&[0.6, 0.5, loss], &[0.75, 0.8, accuracy]).check(&CHECK).is_some()
        };
        // Two standard errors of 0.8 of 300 images are 0.046.
        assert!(told(0.9, 0.75) && !told(0.9, 0.76));
        // A tenth above 0.5 is 0.55.
        assert!(told(0.56, 0.6) && !told(0.55, 0.6) && !told(0.5, 0.6));
        // Of 0.5 of 100 images they are 0.1 to the digit.
        let mut even = case(&[0.6, 0.5, 0.9], &[0.5, 0.5, 0.4]);
        even.actual = vec![50, 50];
        assert!(even.check(&CHECK).is_none());
    }

    #[test]
    fn it_is_looked_for_in_the_three_epochs_behind_those_of_the_last_layer() {
        let told = |epochs: usize, alone: u32| {
            let mut losses = vec![0.5; epochs];
            let mut accuracies = vec![0.8; epochs];
            (losses[epochs - 1], accuracies[epochs - 1]) = (0.9, 0.5);
            let mut case = case(&losses, &accuracies);
            case.recipe.transfer.head_epochs = alone;
            case.check(&CHECK).is_some()
        };
        assert_eq!([2, 3, 4, 5, 6].map(|epochs| told(epochs, 2)), [false, true, true, true, false]);
        assert!(!told(1, 2), "the last layer still learns alone");
        assert!(!told(3, 0), "it never learnt alone");
    }
}
