//! The loss is no longer a number.

use super::{Check, Found, Situation, advice};

pub(super) const CHECK: Check = Check {
    kind: "divergence",
    title: "the loss is NaN or infinite",
    looks_at: "the loss of each step, and the layers of the one that failed",
    check,
};

fn check(situation: &Situation<'_>) -> Option<Found> {
    let divergence = situation.diverged?;
    let first = divergence.place.as_ref().map(|place| format!(", first in {place}")).unwrap_or_default();
    Some(Found {
        grade: 1,
        message: format!(
            "divergence: the loss is no longer a number in epoch {}, step {}{first}",
            divergence.epoch, divergence.step
        ),
        suggestion: advice::smaller(situation.recipe, situation.found_at_start("explosion")),
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::super::{Divergence, REGISTRY};
    use super::*;

    #[test]
    fn it_names_the_place_and_stands_first() {
        assert_eq!(REGISTRY[0].kind, CHECK.kind);
        let place = Some("the values of 1.weight".to_owned());
        let case = Case { diverged: Some(Divergence { epoch: 2, step: 9, place }), ..Case::default() };
        let found = case.check(&CHECK).unwrap();
        assert!(found.message.contains("epoch 2, step 9, first in the values of 1.weight"));
        assert!(found.suggestion.contains("--lr 0.0001 "));
        assert!(Case::default().check(&CHECK).is_none());
    }
}
