//! What a run is, in the words of trackers: the network as a graph, charts, the flat recipe.

use crate::recipe::{CheckedRecipe, keys};
use pupila_network::{Network, Op, Shape};
use pupila_trackers::{Chart, GraphNode};
use serde_json::{Map, Value};

/// Every key of the recipe that has a value, such as `optimizer.lr`.
pub fn flat_recipe(recipe: &CheckedRecipe) -> Map<String, Value> {
    let Ok(sections) = serde_json::to_value(recipe.recipe()) else { return Map::new() };
    let value = |key: String| {
        let (section, name) = key.split_once('.')?;
        let value = sections.get(section)?.get(name)?.clone();
        (!value.is_null()).then_some((key, value))
    };
    keys().into_iter().filter_map(value).collect()
}

/// The keys whose value is another one than the default, the network's, the optimizer's and the augmentation's before all others.
pub fn changed_keys(recipe: &CheckedRecipe) -> Vec<String> {
    const FIRST: [&str; 6] = ["model.", "optimizer.", "schedule.", "augment.", "loss.", "train."];
    let (own, default) = (flat_recipe(recipe), flat_recipe(&CheckedRecipe::default()));
    let mut changed: Vec<String> =
        own.into_iter().filter(|(key, value)| default.get(key) != Some(value)).map(|(key, _)| key).collect();
    let rank = |key: &str| FIRST.iter().position(|section| key.starts_with(section)).unwrap_or(FIRST.len());
    changed.sort_by_key(|key| rank(key));
    changed
}

/// The network, in groups by the parts of its modules' paths.
pub(super) fn graph(network: &Network) -> Vec<GraphNode> {
    let nodes = network.nodes();
    // The module's name behind the path keeps an op apart from a group of that path.
    let name = |id: usize| {
        let node = &nodes[id];
        let path: String = node.name.chars().map(|c| if c == '.' { '/' } else { c }).collect();
        let module = node.op.module();
        if path.eq_ignore_ascii_case(module) { path } else { format!("{path}_{module}") }
    };
    let parameters = network.parameters();
    let describe = |(id, node): (usize, &pupila_network::Node)| {
        let mut shape = vec![-1];
        match node.shape {
            Shape::Map { height, width, channels } => {
                shape.extend([channels, height, width].map(|n| n as i64))
            }
            Shape::Vector(n) => shape.push(n as i64),
        }
        let own: usize =
            parameters.iter().filter(|p| p.node == id && p.role.trained()).map(|p| p.len()).sum();
        let mut attributes = Vec::new();
        if own > 0 {
            attributes.push(("parameters".to_owned(), own.to_string()));
        }
        if !matches!(node.op, Op::Input | Op::Flatten) {
            attributes.push(("op".to_owned(), format!("{:?}", node.op)));
        }
        let inputs = node.inputs.iter().map(|&input| name(input)).collect();
        GraphNode { name: name(id), op: node.op.module().to_owned(), inputs, shape, attributes }
    };
    nodes.iter().enumerate().map(describe).collect()
}

/// Charts that put the training's and the validation's numbers side by side.
pub(super) fn charts() -> Vec<Chart> {
    let chart = |category: &str, title: &str, tags: &[&str]| Chart {
        category: category.to_owned(),
        title: title.to_owned(),
        tags: tags.iter().map(|&tag| tag.to_owned()).collect(),
    };
    vec![
        chart("train and val", "loss", &["train/loss", "val/loss"]),
        chart("train and val", "accuracy", &["train/accuracy", "val/accuracy"]),
        chart(
            "val",
            "accuracy, balanced accuracy, macro F1",
            &["val/accuracy", "val/balanced_accuracy", "val/macro_f1"],
        ),
        chart("optimizer", "learning rate", &["lr"]),
        chart("optimizer", "gradient norm", &["gradient/norm"]),
    ]
}

/// Tags of the results by which runs are compared: the validation set's metrics at the best epoch.
pub(super) fn results() -> Vec<String> {
    ["accuracy", "balanced_accuracy", "macro_f1", "macro_auc", "loss"]
        .map(|name| format!("best/{name}"))
        .into()
}

/// Text that is shown as it is, in Markdown.
pub(super) fn verbatim(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pupila_network::{ModelConfig, architectures};

    #[test]
    fn the_flat_recipe_holds_every_value_and_no_secret() {
        let flat = flat_recipe(&CheckedRecipe::default());
        assert_eq!((&flat["optimizer.lr"], &flat["model.name"]), (&1e-3.into(), &"mlp".into()));
        assert!(flat.len() > 25 && !flat.contains_key("tracking.mlflow"));
    }

    #[test]
    fn what_was_changed_is_told_the_model_first() {
        assert!(changed_keys(&CheckedRecipe::default()).is_empty());
        let mut recipe = crate::recipe::Recipe::default();
        recipe.input.size = 32.into();
        recipe.model.dropout = Some(0.5);
        let checked = recipe.checked().unwrap();
        assert_eq!(changed_keys(&checked), ["model.dropout", "input.size"]);
    }

    #[test]
    fn every_input_of_the_graph_is_one_of_its_nodes() {
        let shape = Shape::Map { height: 8, width: 8, channels: 3 };
        let network = architectures::build(&ModelConfig::default(), shape, 2).unwrap();
        let nodes = graph(&network);
        assert_eq!(nodes.len(), network.nodes().len());
        for node in &nodes {
            assert!(node.inputs.iter().all(|input| nodes.iter().any(|other| other.name == *input)));
        }
        assert_eq!(nodes[0].shape, [-1, 3, 8, 8]);
    }
}
