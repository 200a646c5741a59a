//! Units behind a ReLU that give zero for every image: no gradient passes through them, so they never come back (Lu et al.
//! 2019, "Dying ReLU and Initialization"). CS231n's notes warn of 40 % of a network dying where the learning rate is too high.
//!
//! A unit that is active for one image in twenty is silent for all 32 images of a look in one of five cases, so silent units
//! are not all dead: of the 128 units of an MLP that learnt well 65 % were silent in a look and 47 % for all training images, of
//! a CNN's 81 % in a look. At nine tenths little of the layer is left.

use super::{Check, Found, Situation, advice, percent};

pub(super) const CHECK: Check = Check {
    kind: "dead_relu",
    title: "dead ReLUs",
    looks_at: "which units are zero for every image of a look",
    check,
};

/// The share of a layer's units that is too much, and the one that is told again.
const DEAD: [f64; 2] = [0.9, 1.0];
/// Images that it takes to judge: of fewer, units that are active for one image in twenty are mostly silent.
const ENOUGH: usize = 32;

fn check(situation: &Situation<'_>) -> Option<Found> {
    let health = situation.health.filter(|health| health.images >= ENOUGH)?;
    if situation.found_at_start("symmetric_weights") {
        return None;
    }
    // Where a pooling follows, the two run as one.
    let relus = health.layers.iter().filter(|l| matches!(l.spread.module, "ReLU" | "ReLU6" | "MaxPool2d"));
    let dying: Vec<_> = relus.filter(|layer| layer.spread.dead_frac >= DEAD[0]).collect();
    let worst = dying
        .iter()
        .map(|layer| &layer.spread)
        .reduce(|a, b| if b.dead_frac > a.dead_frac { b } else { a })?;
    let others = match dying.len() - 1 {
        0 => String::new(),
        n => format!(
            "; more than {} of {n} other layer{} too",
            percent(DEAD[0]),
            if n == 1 { "" } else { "s" }
        ),
    };
    let at_start = situation.epochs.is_empty();
    Some(Found {
        grade: 1 + u32::from(worst.dead_frac >= DEAD[1]),
        message: format!(
            "dead ReLUs: {} {} of the {} units of layer {} ({}) are zero for all {} images that were looked at{others}; \
             no gradient passes through them",
            situation.when(),
            percent(worst.dead_frac),
            worst.features,
            worst.layer,
            worst.module,
            health.images,
        ),
        suggestion: if at_start || situation.found_at_start(CHECK.kind) {
            match situation.recipe.transfer.source() {
                Some(_) => advice::init(situation.recipe).into(),
                None => format!("begin with values around zero: {}", advice::init(situation.recipe)),
            }
        } else {
            format!("try a smaller learning rate: {}", advice::smaller_lr(situation.recipe))
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    #[test]
    fn nine_tenths_of_a_layer_are_too_much() {
        let mut case =
            Case::default().with_layers(&["Linear", "ReLU", "Linear", "ReLU", "Dropout"]).with_losses(&[1.0]);
        case.layer(1).spread.dead_frac = 0.89;
        // Only behind a ReLU does a zero stop the gradient.
        case.layer(4).spread.dead_frac = 1.0;
        assert!(case.check(&CHECK).is_none());
        case.layer(1).spread.dead_frac = 0.9;
        case.layer(3).spread.dead_frac = 0.95;
        let found = case.check(&CHECK).unwrap();
        assert_eq!(found.grade, 1);
        for words in
            ["after epoch 1 95 % of the 64 units of layer l3 (ReLU)", "all 32 images", "of 1 other layer too"]
        {
            assert!(found.message.contains(words), "{}", found.message);
        }
        assert!(found.suggestion.contains("--lr 0.0001 "));
        case.layer(3).spread.dead_frac = 1.0;
        assert_eq!(case.check(&CHECK).unwrap().grade, 2);
        case.health.images = ENOUGH - 1;
        assert!(case.check(&CHECK).is_none(), "too few to tell dead from silent");
    }

    #[test]
    fn of_equal_layers_the_first_is_named_and_the_others_are_counted() {
        let mut case = Case::default().with_layers(&["ReLU", "ReLU", "ReLU"]).with_losses(&[1.0]);
        case.layer(1).spread.dead_frac = 0.95;
        let alone = case.check(&CHECK).unwrap().message;
        assert!(alone.contains("layer l1") && !alone.contains("other layer"), "{alone}");
        case.layer(0).spread.dead_frac = 0.95;
        case.layer(2).spread.dead_frac = 0.95;
        let message = case.check(&CHECK).unwrap().message;
        assert!(message.contains("layer l0") && message.contains("of 2 other layers too"), "{message}");
    }

    #[test]
    fn dead_from_the_start_they_want_other_values_and_dead_later_smaller_steps() {
        let mut case = Case::default().with_layers(&["ReLU"]);
        case.layer(0).spread.dead_frac = 1.0;
        assert!(case.check(&CHECK).unwrap().suggestion.starts_with("begin with values around zero"));
        let later = case.with_losses(&[1.0]);
        assert!(later.check(&CHECK).unwrap().suggestion.contains("--lr "));
        let again = later.after("dead_relu", 0);
        assert!(again.check(&CHECK).unwrap().suggestion.starts_with("begin with values around zero"));
    }
}
