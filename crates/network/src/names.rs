//! What other packages name the tensors of our architectures: the one place that knows, for weights that are read from their files.
//!
//! In: the names of a file and the network that is to take them. Out: for each the name here, where there is one. Packages whose
//! names an architecture has itself (torchvision, or timm for the EfficientNet-Lites and ConvNeXt) need no table.

use crate::network::Network;
use std::collections::{BTreeMap, BTreeSet};

/// A package's names for some architectures.
#[derive(Debug, Clone, Copy)]
struct Naming {
    package: &'static str,
    architectures: &'static [&'static str],
    /// The layer here that a layer of the package is, from its path without the tensor's own name.
    layer: fn(&Network, &str) -> Option<String>,
}

/// Every package with other names than ours. Only pairs whose networks are equal stand here: an EfficientNet-B0 of
/// `efficientnet-pytorch`, say, has TensorFlow's padding, and torchvision's has not.
const NAMINGS: [Naming; 3] = [
    Naming {
        package: "efficientnet-lite-pytorch",
        architectures: &[
            "efficientnet_lite0",
            "efficientnet_lite1",
            "efficientnet_lite2",
            "efficientnet_lite3",
            "efficientnet_lite4",
        ],
        layer: efficientnet_pytorch,
    },
    Naming { package: "timm", architectures: &["efficientnet_b0"], layer: timm_efficientnet },
    Naming { package: "timm", architectures: &["mobilenet_v2"], layer: timm_mobilenet_v2 },
];

/// How the names of a file are read for a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Renaming {
    /// The package whose names they are; none where they are the architecture's own.
    pub package: Option<&'static str>,
    /// Our name of each tensor of the file that the network has, by the file's name. What is not here is surplus.
    pub names: BTreeMap<String, String>,
}

/// Reads the names of a file's tensors for a network, by the package that gives a name to most of its tensors. A leading
/// `module.`, which `torch.nn.DataParallel` adds, counts for nothing.
pub fn renaming<'a>(network: &Network, theirs: impl IntoIterator<Item = &'a str> + Clone) -> Renaming {
    let known: BTreeSet<String> = network.parameters().into_iter().map(|spec| spec.name).collect();
    let by = |naming: Option<&Naming>| {
        let named = |theirs: &str| {
            let name = theirs.strip_prefix("module.").unwrap_or(theirs);
            let ours = match naming {
                None => name.to_owned(),
                Some(naming) => {
                    let (layer, tensor) = name.rsplit_once('.')?;
                    format!("{}.{tensor}", (naming.layer)(network, layer)?)
                }
            };
            known.contains(&ours).then(|| (theirs.to_owned(), ours))
        };
        let package = naming.map(|naming| naming.package);
        Renaming { package, names: theirs.clone().into_iter().filter_map(named).collect() }
    };
    let of_ours = |naming: &&Naming| naming.architectures.contains(&network.architecture.as_str());
    let others = NAMINGS.iter().filter(of_ours).map(|naming| by(Some(naming)));
    // Of equals the first: the architecture's own.
    others.fold(by(None), |best, other| if other.names.len() > best.names.len() { other } else { best })
}

/// `efficientnet-pytorch` (Melas-Kyriazi) and what was made of it: blocks are counted through all stages.
fn efficientnet_pytorch(network: &Network, layer: &str) -> Option<String> {
    let ours = match layer {
        "_conv_stem" => "conv_stem",
        "_bn0" => "bn1",
        "_conv_head" => "conv_head",
        "_bn1" => "bn2",
        "_fc" => "classifier",
        _ => {
            let (index, part) = layer.strip_prefix("_blocks.")?.split_once('.')?;
            let blocks = blocks(network, "blocks.", 3);
            let block = blocks.get(index.parse::<usize>().ok()?)?;
            // A block that does not widen lacks the first convolution, and here the numbers of its norms begin with the next.
            let widens = has(network, &format!("{block}.conv_pwl"));
            let part = match (part, widens) {
                ("_expand_conv", true) => "conv_pw",
                ("_bn0", true) => "bn1",
                ("_depthwise_conv", _) => "conv_dw",
                ("_bn1", true) => "bn2",
                ("_bn1", false) => "bn1",
                ("_project_conv", true) => "conv_pwl",
                ("_project_conv", false) => "conv_pw",
                ("_bn2", true) => "bn3",
                ("_bn2", false) => "bn2",
                _ => return None,
            };
            return Some(format!("{block}.{part}"));
        }
    };
    Some(ours.to_owned())
}

/// timm's EfficientNet-B0, which is torchvision's.
fn timm_efficientnet(network: &Network, layer: &str) -> Option<String> {
    let ours = match layer {
        "conv_stem" => "features.0.0",
        "bn1" => "features.0.1",
        "conv_head" => "features.8.0",
        "bn2" => "features.8.1",
        "classifier" => "classifier.1",
        _ => {
            let mut parts = layer.strip_prefix("blocks.")?.splitn(3, '.');
            let (stage, index) = (parts.next()?.parse::<usize>().ok()?, parts.next()?);
            let block = format!("features.{}.{index}.block", stage + 1);
            // The first stage does not widen, and its norms and convolutions are counted from the depthwise one.
            let widens = has(network, &format!("{block}.3.0"));
            let first = usize::from(widens);
            let (place, part) = match (parts.next()?, widens) {
                ("conv_pw", true) => (0, "0"),
                ("bn1", true) => (0, "1"),
                ("conv_dw", _) => (first, "0"),
                ("bn2", true) | ("bn1", false) => (first, "1"),
                ("se.conv_reduce", _) => (first + 1, "fc1"),
                ("se.conv_expand", _) => (first + 1, "fc2"),
                ("conv_pwl", true) | ("conv_pw", false) => (first + 2, "0"),
                ("bn3", true) | ("bn2", false) => (first + 2, "1"),
                _ => return None,
            };
            return Some(format!("{block}.{place}.{part}"));
        }
    };
    Some(ours.to_owned())
}

/// timm's MobileNetV2 (`mobilenetv2_100`), which is torchvision's: blocks are counted in their stage there, and through all stages
/// here.
fn timm_mobilenet_v2(_: &Network, layer: &str) -> Option<String> {
    /// Blocks of each stage.
    const BLOCKS: [usize; 7] = [1, 2, 3, 4, 3, 3, 1];
    let ours = match layer {
        "conv_stem" => "features.0.0",
        "bn1" => "features.0.1",
        "conv_head" => "features.18.0",
        "bn2" => "features.18.1",
        "classifier" => "classifier.1",
        _ => {
            let mut parts = layer.strip_prefix("blocks.")?.splitn(3, '.');
            let (stage, index) = (parts.next()?.parse::<usize>().ok()?, parts.next()?.parse::<usize>().ok()?);
            if index >= *BLOCKS.get(stage)? {
                return None;
            }
            let number = 1 + BLOCKS[..stage].iter().sum::<usize>() + index;
            // Convolutions with an activation are a module of their own, whose parts are numbered.
            let part = match (parts.next()?, stage > 0) {
                ("conv_pw", true) | ("conv_dw", false) => "0.0",
                ("bn1", _) => "0.1",
                ("conv_dw", true) => "1.0",
                ("bn2", true) => "1.1",
                ("conv_pw", false) => "1",
                ("conv_pwl", true) | ("bn2", false) => "2",
                ("bn3", true) => "3",
                _ => return None,
            };
            return Some(format!("features.{number}.conv.{part}"));
        }
    };
    Some(ours.to_owned())
}

fn has(network: &Network, layer: &str) -> bool {
    network.nodes().iter().any(|node| node.name == layer)
}

/// The first `parts` parts of the names that begin with a prefix, each once, in the order of the network.
fn blocks<'a>(network: &'a Network, prefix: &str, parts: usize) -> Vec<&'a str> {
    let of = |name: &'a str| {
        name.match_indices('.')
            .nth(parts - 1)
            .map(|(end, _)| &name[..end])
            .filter(|name| name.starts_with(prefix))
    };
    let mut blocks: Vec<&str> = network.nodes().iter().filter_map(|node| of(&node.name)).collect();
    blocks.dedup();
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ModelConfig, Shape, architectures};

    fn network(name: &str) -> Network {
        let config = ModelConfig { name: name.into(), ..ModelConfig::default() };
        architectures::build(&config, Shape::Map { height: 32, width: 32, channels: 3 }, 1000).unwrap()
    }

    /// Every name of the packages' own state dicts, as `parity/names/generate.py` has listed them with the tensors' shapes, is
    /// that of a tensor of the same shape here, and none of ours is left.
    #[test]
    fn names_of_other_packages_are_found() {
        for (architecture, package, listed) in [
            (
                "efficientnet_lite0",
                "efficientnet-lite-pytorch",
                include_str!("../../../parity/names/efficientnet-lite-pytorch.txt"),
            ),
            ("efficientnet_b0", "timm", include_str!("../../../parity/names/timm-efficientnet_b0.txt")),
            ("mobilenet_v2", "timm", include_str!("../../../parity/names/timm-mobilenetv2_100.txt")),
        ] {
            let network = network(architecture);
            let listed: BTreeMap<&str, &str> =
                listed.lines().map(|line| line.split_once(' ').unwrap()).collect();
            let found = renaming(&network, listed.keys().copied());
            assert_eq!(found.package, Some(package));
            for spec in network.parameters() {
                let (theirs, _) = found.names.iter().find(|(_, ours)| **ours == spec.name).unwrap();
                let shape: Vec<String> = spec.shape.iter().map(usize::to_string).collect();
                assert_eq!(listed[theirs.as_str()], shape.join("x"), "{theirs} is {}", spec.name);
            }
            assert_eq!(found.names.len(), network.parameters().len());
            assert_eq!(found.names.len(), listed.len());
        }
    }

    #[test]
    fn own_names_stay_and_what_is_nobodys_is_left_out() {
        let network = network("mobilenet_v2");
        let names =
            ["module.features.0.0.weight", "features.0.1.bias", "blocks.9.0.bn1.weight", "nonsense", ""];
        let found = renaming(&network, names);
        assert_eq!(found.package, None);
        let ours: Vec<_> = found.names.values().map(String::as_str).collect();
        assert_eq!(ours, ["features.0.1.bias", "features.0.0.weight"]);
        let wrong = ["blocks.0.7.bn1.weight", "blocks.x.0.bn1.weight", "_blocks.0._bn1.weight", "blocks.1"];
        assert!(renaming(&network, wrong).names.is_empty());
    }
}
