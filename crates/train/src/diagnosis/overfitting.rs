//! The training images are known by heart: much better than those of the validation set, whose loss has been rising.
//!
//! Either alone is common in health: a validation loss that wavers, or an accuracy that stays behind (90 against 70 % in the
//! course's notebook). The accuracy in training is that of augmented images during the epoch, which makes it too low, if
//! anything.

use super::{Check, Found, Situation, advice, percent, short};
use crate::recipe::Recipe;

pub(super) const CHECK: Check = Check {
    kind: "overfitting",
    title: "overfitting",
    looks_at: "accuracy and loss in training against validation",
    check,
};

/// How far the accuracy is behind, and how far to be told again. With 60 images of validation the standard error of an
/// accuracy is 6 points.
const BEHIND: [f64; 2] = [0.15, 0.5];
/// How far the validation loss is above its best, as a share.
const RISEN: f64 = 0.1;
/// The training loss is below this share of that of guessing: before, little is known at all, and curves waver.
const LEARNT: f64 = 0.75;
/// Epochs in which it has been.
const LASTED: usize = 3;
/// Fewer images of a class are the reason themselves.
const FEW: usize = 20;

fn check(situation: &Situation<'_>) -> Option<Found> {
    let epochs = situation.epochs;
    let record = epochs.last()?;
    let behind = record.train_accuracy - record.val("accuracy");
    let best = epochs
        .iter()
        .filter(|r| !r.val("loss").is_nan())
        .min_by(|a, b| a.val("loss").total_cmp(&b.val("loss")))?;
    let risen = |r: &super::EpochRecord| r.val("loss") >= (1.0 + RISEN) * best.val("loss");
    let lasting = &epochs[epochs.len().checked_sub(LASTED)?..];
    let learnt = record.train_loss < LEARNT * situation.chance_loss();
    if !learnt || behind < BEHIND[0] || !lasting.iter().all(risen) {
        return None;
    }
    Some(Found {
        grade: 1 + u32::from(behind >= BEHIND[1]),
        message: format!(
            "overfitting: {} of the training images are right and {} of the validation images, whose loss has risen since \
             epoch {}, from {} to {}",
            percent(record.train_accuracy),
            percent(record.val("accuracy")),
            best.epoch,
            short(best.val("loss")),
            short(record.val("loss")),
        ),
        suggestion: suggestion(situation),
    })
}

fn suggestion(situation: &Situation<'_>) -> String {
    let recipe = situation.recipe;
    let per_class = situation.train_images / situation.classes.len().max(1);
    let few = if per_class < FEW {
        let images = if per_class == 1 { "image" } else { "images" };
        format!("{per_class} {images} of a class are few, more would help most; otherwise ")
    } else {
        String::new()
    };
    let varied = recipe.augment.transforms.len() > Recipe::default().augment.transforms.len();
    let what = if !varied {
        "vary the images more: --set 'augment.transforms=[{ horizontal_flip = {} }, { trivial_augment = {} }]'"
    } else if recipe.model.dropout.is_none_or(|p| p == 0.0) && advice::uses(recipe, "dropout") {
        "drop units while training: --set model.dropout=0.3"
    } else if recipe.augment.mixup.is_none() {
        "mix the images: --set augment.mixup=0.2"
    } else if recipe.optimizer.weight_decay == 0.0 {
        "hold the weights down: --set optimizer.name=adamw --set optimizer.weight_decay=0.01"
    } else if recipe.early_stopping.patience.is_none() {
        "stop in time: --set early_stopping.patience=5"
    } else {
        "add training images; the best epoch is kept in any case"
    };
    few + what
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    fn case(val_losses: &[f64], accuracies: &[(f64, f64)]) -> Case {
        let mut case = Case::default().with_curves(val_losses, accuracies);
        case.epochs.iter_mut().for_each(|record| record.train_loss = 0.4);
        case
    }

    #[test]
    fn a_gap_and_a_rising_loss_together_are_told() {
        let ninety_against = |val: f64| [(0.90, val); 6];
        let rising = [1.0, 0.9, 0.95, 1.0, 1.1, 1.2];
        let found = case(&rising, &ninety_against(0.70)).check(&CHECK).unwrap();
        assert!(
            found.message.contains("90 % of the training images are right and 70 %"),
            "{}",
            found.message
        );
        assert!(found.message.contains("since epoch 2, from 0.900 to 1.20"), "{}", found.message);
        assert_eq!(found.grade, 1);
        assert!(case(&rising, &ninety_against(0.8)).check(&CHECK).is_none());
        let falling = [1.0, 0.9, 0.8, 0.75, 0.7, 0.72];
        assert!(case(&falling, &ninety_against(0.7)).check(&CHECK).is_none());
        // A jump is not yet a trend.
        let jump = [1.0, 0.9, 0.8, 0.75, 0.7, 1.2];
        assert!(case(&jump, &ninety_against(0.7)).check(&CHECK).is_none());
        assert_eq!(case(&rising, &ninety_against(0.4)).check(&CHECK).unwrap().grade, 2);
    }

    #[test]
    fn what_to_try_is_what_the_recipe_does_not_have() {
        let mut case = Case::default();
        let mut tried = |change: &dyn Fn(&mut Recipe)| {
            change(&mut case.recipe);
            suggestion(&case.situation())
        };
        assert!(tried(&|_| ()).starts_with("vary the images more"));
        let third = |recipe: &mut Recipe| {
            let again = recipe.augment.transforms[0].clone();
            recipe.augment.transforms.push(again);
        };
        assert!(tried(&third).contains("model.dropout=0.3"));
        assert!(tried(&|recipe| recipe.model.dropout = Some(0.3)).contains("augment.mixup"));
        assert!(tried(&|recipe| recipe.augment.mixup = Some(0.2)).contains("weight_decay=0.01"));
        assert!(tried(&|recipe| recipe.optimizer.weight_decay = 0.01).contains("early_stopping.patience"));
        assert!(tried(&|recipe| recipe.early_stopping.patience = Some(5)).contains("add training images"));
        case.train_images = 15;
        assert!(suggestion(&case.situation()).starts_with("5 images of a class are few"));
    }

    #[test]
    fn each_part_of_it_is_needed_and_its_limits_are_as_told() {
        let rising = [1.0, 0.9, 0.95, 1.0, 1.1, 1.2];
        let told = |losses: &[f64], train_loss: f64, accuracies: (f64, f64)| {
            let mut case = case(losses, &[accuracies; 6]);
            case.epochs.iter_mut().for_each(|record| record.train_loss = train_loss);
            case.check(&CHECK).is_some()
        };
        // Three quarters of ln 3 are 0.824.
        let limit = 0.75 * 3f64.ln();
        assert!(told(&rising, 0.8, (0.9, 0.7)) && !told(&rising, 0.9, (0.9, 0.7)));
        assert!(!told(&rising, limit, (0.9, 0.7)));
        // 15 points behind.
        assert!(told(&rising, 0.4, (0.15, 0.0)) && !told(&rising, 0.4, (0.14, 0.0)));
        // A tenth above 0.9.
        assert!(!told(&[1.0, 0.9, 0.95, 0.95, 0.95, 0.95], 0.4, (0.9, 0.7)));
        // Not a number is no best.
        assert!(told(&[f64::NAN, 0.9, 0.95, 1.0, 1.1, 1.2], 0.4, (0.9, 0.7)));
    }

    #[test]
    fn few_are_less_than_twenty_images_of_a_class() {
        let said = |images: usize| suggestion(&Case { train_images: images, ..Case::default() }.situation());
        assert!(said(3).starts_with("1 image of a class are few"), "{}", said(3));
        assert!(said(57).starts_with("19 images of a class are few") && said(60).starts_with("vary"));
    }

    #[test]
    fn what_the_network_does_not_know_is_not_advised() {
        let mut case = Case::default();
        let again = case.recipe.augment.transforms[0].clone();
        case.recipe.augment.transforms.push(again);
        case.recipe.model.dropout = Some(0.0);
        assert!(suggestion(&case.situation()).contains("model.dropout"));
        case.recipe.model.name = "resnet18".into();
        assert!(!advice::uses(&case.recipe, "dropout"));
        assert!(suggestion(&case.situation()).contains("augment.mixup"));
    }
}
