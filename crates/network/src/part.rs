//! A network in parts that have a name, for whoever freezes some of them.

use crate::network::{Network, NodeId};
use crate::op::Op;
use std::ops::Range;

/// Some nodes that follow one another and belong together by their names: `layer1`, `features.3`, `conv1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The beginning of the names of its tensors, up to the first component with a digit.
    pub name: String,
    /// Its nodes.
    pub nodes: Range<NodeId>,
}

impl Network {
    /// Its parts, in the order of the forward pass, the last one being the linear map that gives the logits, with dropout right before it. A part begins
    /// at its first tensor, and a normalisation is of the part before it.
    pub fn parts(&self) -> Vec<Part> {
        let specs = self.parameters();
        let last = specs.last().map_or(0, |spec| spec.node);
        let mut head = last;
        while head > 0 && matches!(self.nodes()[head - 1].op, Op::Dropout { .. }) {
            head -= 1;
        }
        let mut parts: Vec<Part> = Vec::new();
        for (id, node) in self.nodes().iter().enumerate().take(head) {
            let name = name_of(&node.name);
            let goes_on = parts.last().is_some_and(|part| part.name == name)
                || matches!(node.op, Op::BatchNorm { .. } | Op::LayerNorm { .. });
            if !goes_on && specs.iter().any(|spec| spec.node == id) {
                parts.push(Part { name, nodes: id..id + 1 });
            }
        }
        parts.push(Part { name: name_of(&self.nodes()[last].name), nodes: head..self.nodes().len() });
        // What stands between two parts is of the first.
        for index in 1..parts.len() {
            parts[index - 1].nodes.end = parts[index].nodes.start;
        }
        parts[0].nodes.start = 0;
        parts
    }
}

/// The beginning of a node's name: up to the first component with a digit, or the first one.
fn name_of(node: &str) -> String {
    let components: Vec<&str> = node.split('.').collect();
    let digit = components.iter().position(|part| part.bytes().any(|byte| byte.is_ascii_digit()));
    components[..=digit.unwrap_or(0)].join(".")
}

#[cfg(test)]
mod tests {
    use crate::{ModelConfig, Shape, architectures};

    fn names(config: ModelConfig) -> Vec<(String, usize)> {
        let network =
            architectures::build(&config, Shape::Map { height: 32, width: 32, channels: 3 }, 5).unwrap();
        let parts = network.parts();
        assert_eq!(parts[0].nodes.start, 0);
        assert_eq!(parts[parts.len() - 1].nodes.end, network.nodes().len());
        assert!(parts.windows(2).all(|pair| pair[0].nodes.end == pair[1].nodes.start));
        parts.into_iter().map(|part| (part.name, part.nodes.len())).collect()
    }

    #[test]
    fn parts_are_those_that_the_authors_name() {
        let named = |name: &str| ModelConfig { name: name.into(), ..ModelConfig::default() };
        let resnet: Vec<_> = names(named("resnet18")).into_iter().map(|(name, _)| name).collect();
        assert_eq!(resnet, ["conv1", "layer1", "layer2", "layer3", "layer4", "fc"]);
        let mobile = names(named("mobilenet_v2"));
        assert_eq!(mobile.len(), 20);
        assert_eq!((mobile[18].0.as_str(), mobile[19].0.as_str()), ("features.18", "classifier.1"));
        let mlp = names(ModelConfig { hidden: Some(vec![8, 4]), batch_norm: true, ..ModelConfig::default() });
        assert_eq!(mlp.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["1", "4", "7"]);
    }
}
