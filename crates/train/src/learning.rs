//! Which parts of a network learn in an epoch, and how fast: what `[transfer]` says of it.

use crate::recipe::{Fault, NormPolicy, Recipe, Transfer};
use pupila_backend::{Learning, NodeLearning};
use pupila_network::{Network, Op};

/// The parts that are never learnt, counted from the first: those that `transfer.freeze` names.
fn frozen(transfer: &Transfer, parts: &[pupila_network::Part]) -> Option<usize> {
    match transfer.freeze.as_str() {
        _ if transfer.fits_head() => Some(parts.len().saturating_sub(1)),
        "none" => Some(0),
        "backbone" => Some(parts.len().saturating_sub(1)),
        name => {
            parts[..parts.len().saturating_sub(1)].iter().position(|part| part.name == name).map(|at| at + 1)
        }
    }
}

/// That the network has no part of the name that is to be frozen.
pub fn check_freeze(recipe: &Recipe, network: &Network) -> Option<Fault> {
    let parts = network.parts();
    if frozen(&recipe.transfer, &parts).is_some() {
        return None;
    }
    let names: Vec<&str> =
        parts[..parts.len().saturating_sub(1)].iter().map(|part| part.name.as_str()).collect();
    let typed = recipe.transfer.freeze.as_str();
    let similar = ["none", "backbone"]
        .iter()
        .chain(&names)
        .map(|name| (strsim::jaro_winkler(typed, name), name))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let meant = similar
        .filter(|(score, _)| *score > 0.8)
        .map_or_else(String::new, |(_, name)| format!("; did you mean `{name}`?"));
    Some(Fault {
        key: "transfer.freeze".into(),
        message: format!(
            "must be none, backbone, or the last stage of {} that stays as it is, got `{typed}`{meant}; its stages are {}",
            network.architecture,
            names.join(", ")
        ),
        origin: None,
    })
}

/// How each node learns in an epoch, from 1, with so many updates in each.
///
/// The frozen part works as in evaluation. The learning rate of a part is `lr_decay` times that of the part behind it (ULMFiT's discriminative
/// fine-tuning, Howard and Ruder 2018, arXiv 1801.06146), and parts join from the last one on, one every `unfreeze_epochs`, behind `head_epochs` in
/// which the last layer learns alone.
pub(crate) fn learning(recipe: &Recipe, network: &Network, epoch: u32, updates_per_epoch: u64) -> Learning {
    let transfer = &recipe.transfer;
    if transfer.source().is_none() || !transfer.restrains() {
        return Learning::default();
    }
    let parts = network.parts();
    let frozen = frozen(transfer, &parts).unwrap_or(0);
    let mut nodes = Vec::with_capacity(network.nodes().len());
    for (index, part) in parts.iter().enumerate() {
        let behind = (parts.len() - 1 - index) as u32;
        // The first epoch in which it learns.
        let begins = match (behind, transfer.unfreeze_epochs) {
            (0, _) => 1,
            (_, None) => transfer.head_epochs.saturating_add(1),
            (_, Some(every)) => {
                let head = if transfer.head_epochs > 0 { transfer.head_epochs } else { every };
                head.saturating_add((behind - 1).saturating_mul(every)).saturating_add(1)
            }
        };
        for node in &network.nodes()[part.nodes.clone()] {
            let rests = index < frozen || epoch < begins;
            let is_norm = matches!(node.op, Op::BatchNorm { .. });
            nodes.push(if rests || is_norm && transfer.batch_norm == NormPolicy::Frozen {
                NodeLearning::FROZEN
            } else {
                NodeLearning {
                    rate: transfer.lr_decay.powi(behind as i32),
                    since: u64::from(begins - 1) * updates_per_epoch,
                    evaluates: false,
                }
            });
        }
    }
    Learning { nodes }
}

/// All that ever learns in a run: parts join, and none leaves.
pub fn learns_at_most(recipe: &Recipe, network: &Network) -> Learning {
    learning(recipe, network, recipe.train.epochs, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pupila_network::{ModelConfig, Shape, architectures};

    fn network() -> Network {
        let config = ModelConfig { name: "resnet18".into(), ..ModelConfig::default() };
        architectures::build(&config, Shape::Map { height: 32, width: 32, channels: 3 }, 3).unwrap()
    }

    /// The rates of conv1, layer1, ..., fc.
    fn rates(transfer: Transfer, epoch: u32) -> Vec<f64> {
        let recipe =
            Recipe { transfer: Transfer { from: Some("w".into()), ..transfer }, ..Recipe::default() };
        let network = network();
        let learning = learning(&recipe, &network, epoch, 10);
        network.parts().iter().map(|part| learning.of(part.nodes.start).rate).collect()
    }

    #[test]
    fn parts_learn_when_and_as_fast_as_the_recipe_says() {
        let of = |freeze: &str| Transfer { freeze: freeze.into(), ..Transfer::default() };
        assert_eq!(rates(of("none"), 1), [1.0; 6]);
        assert_eq!(rates(of("backbone"), 9), [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        assert_eq!(rates(of("layer2"), 1), [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
        let decayed = Transfer { lr_decay: 0.5, ..of("conv1") };
        assert_eq!(rates(decayed, 1), [0.0, 0.0625, 0.125, 0.25, 0.5, 1.0]);
        let warmed = Transfer { head_epochs: 2, ..Transfer::default() };
        assert_eq!(rates(warmed.clone(), 2), [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        assert_eq!(rates(warmed, 3), [1.0; 6]);
        let gradual = Transfer { unfreeze_epochs: Some(2), ..Transfer::default() };
        let learning_parts = |epoch| rates(gradual.clone(), epoch).iter().filter(|&&rate| rate > 0.0).count();
        assert_eq!([1, 2, 3, 4, 5, 9, 10, 11].map(learning_parts), [1, 1, 2, 2, 3, 5, 5, 6]);
    }

    #[test]
    fn a_part_that_joins_counts_its_updates_from_then_and_norms_may_rest() {
        let transfer = Transfer {
            from: Some("w".into()),
            head_epochs: 3,
            batch_norm: NormPolicy::Frozen,
            ..Transfer::default()
        };
        let recipe = Recipe { transfer, ..Recipe::default() };
        let network = network();
        let learning = learning(&recipe, &network, 4, 10);
        let of = |name: &str| learning.of(network.nodes().iter().position(|node| node.name == name).unwrap());
        assert_eq!((of("layer1.0.conv1").since, of("fc").since), (30, 0));
        assert_eq!(of("layer1.0.bn1"), NodeLearning::FROZEN);
    }

    #[test]
    fn a_stage_that_there_is_not_is_told_with_those_there_are() {
        let of = |freeze: &str| {
            let transfer = Transfer { freeze: freeze.into(), ..Transfer::default() };
            check_freeze(&Recipe { transfer, ..Recipe::default() }, &network())
        };
        assert_eq!(of("layer4"), None);
        let told = of("layer5").unwrap().to_string();
        assert!(
            told.ends_with("did you mean `layer4`?; its stages are conv1, layer1, layer2, layer3, layer4"),
            "{told}"
        );
        // The head would leave nothing to learn.
        assert!(of("fc").is_some());
    }
}
