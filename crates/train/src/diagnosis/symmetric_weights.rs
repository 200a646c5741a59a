//! All units of a hidden layer begin with the same weights. They then get the same gradient at every step and stay one unit
//! for ever (Goodfellow, Bengio and Courville 2016, section 8.4). Dropout alone tells them apart, slowly.

use super::{Check, Found, Situation, advice};

pub(super) const CHECK: Check = Check {
    kind: "symmetric_weights",
    title: "all units of a layer alike",
    looks_at: "the weights before the first update",
    check,
};

fn check(situation: &Situation<'_>) -> Option<Found> {
    let (_logits, hidden) = situation.health?.weights.split_last()?;
    let alike: Vec<_> = hidden.iter().filter(|weight| weight.alike).collect();
    let first = alike.first()?;
    let (module, layer, units, inputs) = (first.module, &first.layer, first.units, first.inputs);
    let others = match alike.len() - 1 {
        0 => String::new(),
        1 => ", and so it is in another layer".into(),
        n => format!(", and so it is in {n} other layers"),
    };
    Some(Found {
        grade: 1,
        message: format!(
            "symmetric weights: all {units} units of layer {layer} ({module}) begin with the same {inputs} weights{others}; \
             they learn the same and stay one unit"
        ),
        suggestion: match situation.recipe.transfer.source() {
            Some(_) => advice::init(situation.recipe).into(),
            None => format!("begin with random weights: {}", advice::init(situation.recipe)),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    #[test]
    fn only_hidden_layers_count() {
        let mut case = Case::default().with_weights(&[1.0, 1.0, 1.0]);
        assert!(case.check(&CHECK).is_none());
        // Logits that begin alike, even at zero, are no harm.
        case.weight(2).alike = true;
        assert!(case.check(&CHECK).is_none());
        case.weight(0).alike = true;
        let found = case.check(&CHECK).unwrap();
        assert!(found.message.contains("all 64 units of layer l0 (Linear)"), "{}", found.message);
        assert!(found.suggestion.contains("model.init=kaiming_normal"));
        case.recipe.transfer.from = Some("w.pth".into());
        let suggestion = case.check(&CHECK).unwrap().suggestion;
        assert!(suggestion.contains("other weights") && !suggestion.contains("model.init"), "{suggestion}");
    }

    #[test]
    fn other_layers_that_are_so_are_counted() {
        let of = |alike: usize| {
            let mut case = Case::default().with_weights(&[1.0; 5]);
            (0..alike).for_each(|layer| case.weight(layer).alike = true);
            case.check(&CHECK).unwrap().message
        };
        assert!(of(1).contains("same 64 weights; they learn"), "{}", of(1));
        assert!(of(2).contains("weights, and so it is in another layer;"), "{}", of(2));
        assert!(of(4).contains("weights, and so it is in 3 other layers;"), "{}", of(4));
    }
}
