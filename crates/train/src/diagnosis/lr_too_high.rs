//! The steps are too long: the loss is far above that of guessing, or it does not fall but jumps.
//!
//! A network that knows nothing should begin at ln K (Karpathy 2019, "A Recipe for Training Neural Networks": verify loss at
//! init), and training only falls from there. In healthy runs of the architectures here the first epoch's mean went up to 2.2
//! times that, for an MLP on whole images, the second's up to 1.8 times, and the third's up to 1.5 times.

use super::{Check, Found, Situation, advice, short};

pub(super) const CHECK: Check = Check {
    kind: "lr_too_high",
    title: "the learning rate is too high",
    looks_at: "the training loss of the epochs against that of guessing",
    check,
};

/// How many times the loss of guessing is too much in the first epoch, in the second, and in later ones.
const FAR: [f64; 3] = [10.0, 5.0, 2.0];
/// Epochs in which jumps are looked for. Before, a network with dropout and few steps wavers. Later the loss is low, and a jump is a matter of few images.
const EARLY: std::ops::RangeInclusive<usize> = 5..=10;
/// How much the loss rises in all, as a share of the first epoch's, to be jumping; less is the noise of a loss that stands.
const JUMPS: f64 = 0.05;

fn check(situation: &Situation<'_>) -> Option<Found> {
    let losses: Vec<f64> = situation.epochs.iter().map(|record| record.train_loss).collect();
    let (&first, &last) = (losses.first()?, losses.last()?);
    let (chance, ran) = (situation.chance_loss(), losses.len());
    let far = last > FAR[ran.min(FAR.len()) - 1] * chance;
    // A loss that begins high comes down in any case, and what it began with has been told.
    let from_start = situation.found_at_start("explosion");
    let rises: f64 = losses.windows(2).map(|pair| (pair[1] - pair[0]).max(0.0)).sum();
    let jumps = EARLY.contains(&ran) && last >= first && rises >= JUMPS * first;
    let evidence = if far && !from_start {
        format!(
            "the training loss of epoch {} is {}, where guessing among {} classes has {}",
            situation.epoch(),
            short(last),
            situation.classes.len(),
            short(chance)
        )
    } else if jumps {
        format!(
            "the training loss jumps and has not fallen in {ran} epochs, from {} to {}",
            short(first),
            short(last)
        )
    } else {
        return None;
    };
    Some(Found {
        grade: 1,
        message: format!("learning rate too high: {evidence}"),
        suggestion: format!("try {}", advice::smaller_lr(situation.recipe)),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    #[test]
    fn a_loss_far_above_guessing_or_jumping_is_told() {
        // ln 3 is 1.0986.
        let told = |losses: &[f64]| Case::default().with_losses(losses).check(&CHECK);
        for healthy in [
            &[1.9][..],
            &[10.9],
            &[2.4, 2.0, 1.6],
            &[1.0, 5.4],
            &[1.1, 1.1, 1.105, 1.1],
            &[1.0, 0.8, 0.9, 0.7],
        ] {
            assert!(told(healthy).is_none(), "{healthy:?}");
        }
        assert!(told(&[11.1]).unwrap().message.contains("guessing among 3 classes has 1.10"));
        assert!(told(&[1.2, 5.5]).is_some());
        assert!(told(&[2.5, 2.4, 2.2]).is_some());
        assert!(told(&[1.0, 1.2, 1.05, 1.1, 1.05]).unwrap().message.contains("from 1.00 to 1.05"));
        // Late jumps are another matter.
        assert!(told(&[[0.1].as_slice(), &[0.05; 9], &[0.2]].concat()).is_none());
    }

    #[test]
    fn values_that_were_too_large_from_the_start_are_not_the_learning_rates_fault() {
        assert!(Case::default().with_losses(&[50.0]).after("explosion", 0).check(&CHECK).is_none());
        assert!(Case::default().with_losses(&[50.0]).after("explosion", 1).check(&CHECK).is_some());
    }

    #[test]
    fn limits_are_multiples_of_the_loss_of_guessing_and_shares_of_the_first_loss() {
        let told = |losses: &[f64]| Case::default().with_losses(losses).check(&CHECK).is_some();
        assert!(!told(&[10.0 * 3f64.ln()]));
        // In five epochs: noise of a loss that stands; one that falls; jumps of 3 % of the first loss and of 6 %.
        assert!(!told(&[1.1, 1.1, 1.105, 1.1, 1.1]));
        assert!(!told(&[1.1, 1.0, 0.9, 0.95, 0.8]) && !told(&[1.1, 1.0, 1.1, 1.0, 0.9]));
        assert!(!told(&[2.0, 2.03, 2.0, 2.03, 2.0]) && told(&[2.0, 2.06, 2.0, 2.06, 2.0]));
    }
}
