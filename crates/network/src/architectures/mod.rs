//! The architectures, one file each, and their registry.

mod blocks;
mod cnn;
mod convnext;
mod efficientnet;
mod efficientnet_lite;
mod mlp;
mod mobilenet_v2;
mod mobilenet_v3;
mod resnet;

use crate::config::{ConfigError, ModelConfig};
use crate::network::Network;
use crate::op::Shape;

/// An architecture in the registry.
#[derive(Debug, Clone, Copy)]
pub struct Architecture {
    /// The name in a recipe.
    pub name: &'static str,
    /// One line for `pupila list models`.
    pub description: &'static str,
    /// The keys of `[model]` that it uses besides `name` and `init`.
    pub keys: &'static [&'static str],
    /// `hidden` where nothing is said; empty where the architecture has none.
    hidden: &'static [usize],
    /// `filters` where nothing is said; empty where the architecture has none.
    filters: &'static [usize],
    /// `dropout` where nothing is said; 0 where the architecture has none.
    dropout: f64,
    build: fn(&ModelConfig, Shape, usize) -> Result<Network, ConfigError>,
}

/// Every architecture, in the order of `pupila list models`.
pub const REGISTRY: &[Architecture] = &[
    mlp::ARCHITECTURE,
    cnn::ARCHITECTURE,
    resnet::RESNET18,
    resnet::RESNET34,
    resnet::RESNET50,
    mobilenet_v2::ARCHITECTURE,
    mobilenet_v3::SMALL,
    mobilenet_v3::LARGE,
    efficientnet_lite::ARCHITECTURES[0],
    efficientnet_lite::ARCHITECTURES[1],
    efficientnet_lite::ARCHITECTURES[2],
    efficientnet_lite::ARCHITECTURES[3],
    efficientnet_lite::ARCHITECTURES[4],
    efficientnet::B0,
    convnext::ATTO,
];

/// Builds the network that a configuration names, for one sample's shape and a number of classes.
///
/// # Errors
/// An unknown name, a value out of its range, or an input too small for the architecture.
pub fn build(config: &ModelConfig, input: Shape, classes: usize) -> Result<Network, ConfigError> {
    if let Some(error) = config.check().into_iter().next() {
        return Err(error);
    }
    (find(&config.name)?.build)(&resolve(config)?, input, classes)
}

/// The configuration with the architecture's own defaults spelled out, as a model file keeps it: a later change of a default
/// must not alter what an old file means.
///
/// # Errors
/// An unknown name.
pub fn resolve(config: &ModelConfig) -> Result<ModelConfig, ConfigError> {
    let architecture = find(&config.name)?;
    let mut resolved = config.clone();
    if !architecture.hidden.is_empty() {
        resolved.hidden.get_or_insert_with(|| architecture.hidden.to_vec());
    }
    if !architecture.filters.is_empty() {
        resolved.filters.get_or_insert_with(|| architecture.filters.to_vec());
    }
    resolved.dropout.get_or_insert(architecture.dropout);
    Ok(resolved)
}

/// The architecture of a name.
///
/// # Errors
/// [`ConfigError::UnknownModel`] with the most similar name.
pub fn find(name: &str) -> Result<&'static Architecture, ConfigError> {
    REGISTRY.iter().find(|architecture| architecture.name == name).ok_or_else(|| {
        let known = REGISTRY.iter().map(|a| a.name);
        let scored = known.clone().map(|known| (strsim::osa_distance(&name.to_lowercase(), known), known));
        let similar =
            scored.filter(|&(edits, known)| edits <= known.len() / 2).min_by_key(|&(edits, _)| edits);
        ConfigError::UnknownModel {
            name: name.to_owned(),
            suggestion: similar.map(|(_, known)| known),
            known: known.collect::<Vec<_>>().join(", "),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_registered_name_builds_for_any_input_and_any_number_of_classes() {
        for architecture in REGISTRY {
            for (height, width, channels) in [(64, 64, 3), (28, 28, 1), (33, 47, 3), (8, 9, 1)] {
                if architecture.name == "convnext_atto" && height < 32 {
                    continue;
                }
                for classes in [2, 9, 100] {
                    let config = ModelConfig { name: architecture.name.into(), ..ModelConfig::default() };
                    let network = build(&config, Shape::Map { height, width, channels }, classes).unwrap();
                    assert_eq!(network.classes(), classes);
                    let resolved = resolve(&config).unwrap();
                    assert_eq!(resolved.hidden.is_some(), !architecture.hidden.is_empty());
                    assert_eq!(
                        build(&resolved, Shape::Map { height, width, channels }, classes).unwrap(),
                        network
                    );
                    assert_eq!(network.architecture, architecture.name);
                    let names: std::collections::BTreeSet<_> =
                        network.parameters().into_iter().map(|p| p.name).collect();
                    assert_eq!(names.len(), network.parameters().len(), "parameter names are unique");
                }
            }
        }
    }

    #[test]
    fn wrong_models_are_refused_with_what_is_right() {
        let input = Shape::Map { height: 4, width: 4, channels: 3 };
        let error =
            build(&ModelConfig { name: "mpl".into(), ..ModelConfig::default() }, input, 3).unwrap_err();
        assert!(
            error.to_string().contains("there is no model `mpl`; did you mean `mlp`? (there are mlp, cnn")
        );
        for (config, key) in [
            (ModelConfig { dropout: Some(1.0), ..ModelConfig::default() }, "dropout"),
            (ModelConfig { dropout: Some(f64::NAN), ..ModelConfig::default() }, "dropout"),
            (ModelConfig { hidden: Some(vec![8, 0]), ..ModelConfig::default() }, "hidden"),
            (ModelConfig { hidden: Some(vec![usize::MAX]), ..ModelConfig::default() }, "hidden"),
            (ModelConfig { filters: Some(vec![8]), ..ModelConfig::default() }, "filters"),
            (
                ModelConfig { name: "resnet18".into(), batch_norm: true, ..ModelConfig::default() },
                "batch_norm",
            ),
        ] {
            assert_eq!(build(&config, input, 3).unwrap_err().key(), key);
        }
    }
}
