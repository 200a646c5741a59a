//! The monitored metric has not improved for long, and neither does the network fit the training images any better: it stands
//! still. Where it fits them better all the time, that is overfitting and has a check of its own.

use super::{Check, Found, Situation, short};
use crate::recipe::Monitor;

pub(super) const CHECK: Check = Check {
    kind: "plateau",
    title: "a plateau",
    looks_at: "the monitored metric and the training loss of the epochs",
    check,
};

/// Epochs without improvement that are long, where no patience is given: that of PyTorch's ReduceLROnPlateau.
const LONG: usize = 10;
/// With patience, half of it, but not fewer epochs than this.
const SHORT: usize = 3;
/// How much the training loss has fallen in that time for the training to be getting on, as a share.
const FALLS: f64 = 0.05;

fn check(situation: &Situation<'_>) -> Option<Found> {
    let (recipe, epochs) = (situation.recipe, situation.epochs);
    let monitor = Monitor::parse(&recipe.train.monitor).ok()?;
    let (mut best, mut at) = (f64::NAN, 0);
    for (i, record) in epochs.iter().enumerate() {
        let value = monitor.of(&record.val);
        // Anything is better than NaN.
        if monitor.improves(value, best, recipe.early_stopping.min_delta) {
            (best, at) = (value, i);
        }
    }
    let patience = recipe.early_stopping.patience;
    let long = patience.map_or(LONG, |patience| SHORT.max(patience as usize / 2));
    let another = ["symmetric_weights", "overfitting", "lr_too_low"];
    if epochs.len().saturating_sub(at + 1) < long || another.iter().any(|kind| situation.found(kind)) {
        return None;
    }
    let (then, now) = (epochs[at].train_loss, epochs.last()?.train_loss);
    if now < (1.0 - FALLS) * then {
        return None;
    }
    Some(Found {
        grade: 1,
        message: format!(
            "plateau: {} has not improved since epoch {} ({}), nor has the training loss ({} then, {} now)",
            recipe.train.monitor,
            epochs[at].epoch,
            short(best),
            short(then),
            short(now),
        ),
        suggestion: if recipe.schedule.name == "constant" {
            "lower the learning rate when that happens: --set schedule.name=plateau".into()
        } else if patience.is_none() {
            "stop there: --set early_stopping.patience=5".into()
        } else {
            "the network may have learnt what it can: try a larger one, such as --model resnet18".into()
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    #[test]
    fn standing_still_is_told_and_getting_on_is_not() {
        let accuracies = [(0.6, 0.6); 12];
        let mut still = [0.8; 12];
        still[0] = 1.0;
        let case = Case::default().with_curves(&still, &accuracies);
        let found = case.check(&CHECK).unwrap();
        assert!(
            found.message.contains("val/loss has not improved since epoch 2 (0.800)"),
            "{}",
            found.message
        );
        assert!(found.suggestion.contains("schedule.name=plateau"));
        assert!(Case::default().with_curves(&still[..11], &accuracies[..11]).check(&CHECK).is_none());
        // The training loss still falls.
        let mut fitting = Case::default().with_curves(&still, &accuracies);
        fitting.epochs.iter_mut().for_each(|record| record.train_loss = 1.0 / f64::from(record.epoch));
        assert!(fitting.check(&CHECK).is_none());
        let mut improving = still;
        improving[9] = 0.79;
        assert!(Case::default().with_curves(&improving, &accuracies).check(&CHECK).is_none());
    }

    #[test]
    fn patience_says_what_is_long() {
        let mut case = Case::default().with_curves(&[0.8; 6], &[(0.6, 0.6); 6]);
        assert!(case.check(&CHECK).is_none());
        case.recipe.early_stopping.patience = Some(10);
        assert!(case.check(&CHECK).is_some());
        case.recipe.early_stopping.patience = Some(12);
        assert!(case.check(&CHECK).is_none());
    }

    #[test]
    fn a_loss_that_falls_by_a_twentieth_is_getting_on_and_other_findings_come_first() {
        let with = |last: f64| {
            let mut case = Case::default().with_curves(&[1.0; 11], &[(0.6, 0.6); 11]);
            case.epochs[10].train_loss = last;
            case
        };
        assert!(with(0.95).check(&CHECK).is_some() && with(0.94).check(&CHECK).is_none());
        assert!(with(1.0).after("overfitting", 3).check(&CHECK).is_none());
    }

    #[test]
    fn what_to_try_is_what_the_recipe_does_not_have() {
        let mut case = Case::default().with_curves(&[1.0; 30], &[(0.6, 0.6); 30]);
        case.recipe.schedule.name = "cosine".into();
        assert!(case.check(&CHECK).unwrap().suggestion.contains("early_stopping.patience=5"));
        case.recipe.early_stopping.patience = Some(5);
        assert!(case.check(&CHECK).unwrap().suggestion.contains("larger one"));
    }

    #[test]
    fn a_metric_that_was_never_a_number_has_not_improved_since_the_first_epoch() {
        let mut case = Case::default().with_curves(&[1.0; 11], &[(0.6, 0.6); 11]);
        case.epochs.iter_mut().for_each(|record| record.val = [("loss", f64::NAN)].into());
        assert!(case.check(&CHECK).unwrap().message.contains("since epoch 1 "));
    }
}
