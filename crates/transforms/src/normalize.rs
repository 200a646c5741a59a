//! What a recipe says about normalisation: a name, or a mean and a standard deviation.

use crate::{Normalization, NormalizationError, PerImage};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// How pixels become f32. In a recipe `"imagenet"`, `"data"`, `"none"`, the name of a mode by image, or
/// `{ mean = [..], std = [..] }`, with the parameters and the meaning of `albumentations.Normalize`.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Normalize {
    /// By the mean and standard deviation of ImageNet; gray images by 0.5 and 0.5.
    #[default]
    Imagenet,
    /// By the mean and standard deviation of the training images.
    Data,
    /// Not by any: pixels from 0 to 1, the fraction of the largest value.
    None,
    /// Each image by itself.
    PerImage(PerImage),
    /// By given values.
    MeanStd(MeanStd),
}

/// The names that a recipe can give.
const NAMES: [&str; 7] =
    ["imagenet", "data", "none", "image", "image_per_channel", "min_max", "min_max_per_channel"];

/// The parameters of a given normalisation. One value is for every channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MeanStd {
    /// The mean of each channel, as a fraction of `max_pixel_value`.
    pub mean: Vec<f64>,
    /// The standard deviation of each channel, as a fraction of `max_pixel_value`.
    pub std: Vec<f64>,
    /// The largest value of a pixel.
    #[serde(default = "white")]
    pub max_pixel_value: f64,
}

fn white() -> f64 {
    255.0
}

impl Normalize {
    fn by_name(name: &str) -> Option<Normalize> {
        match name {
            "imagenet" => Some(Normalize::Imagenet),
            "data" => Some(Normalize::Data),
            "none" => Some(Normalize::None),
            _ => PerImage::ALL.into_iter().find(|mode| mode.name() == name).map(Normalize::PerImage),
        }
    }

    /// The normalisation of images of 1 or 3 channels.
    ///
    /// # Errors
    /// Where the values are for another number of channels, cannot be divided by, or are still to be measured.
    pub fn resolve(&self, channels: usize) -> Result<Normalization, NormalizationError> {
        let given = match self {
            Normalize::Imagenet => return Ok(Normalization::imagenet(channels)),
            Normalize::Data => return Err(NormalizationError::NotMeasured),
            Normalize::None => return Ok(Normalization::none(channels)),
            Normalize::PerImage(mode) => return Ok(Normalization::by_image(*mode, channels)),
            Normalize::MeanStd(given) => given,
        };
        let by_channel = |values: &[f64]| -> Vec<f32> {
            match *values {
                [value] => vec![value as f32; channels],
                _ => values.iter().map(|&value| value as f32).collect(),
            }
        };
        let normalization = Normalization::new(
            by_channel(&given.mean),
            by_channel(&given.std),
            given.max_pixel_value as f32,
        )?;
        match normalization.channels() {
            got if got == channels => Ok(normalization),
            got => Err(NormalizationError::OtherChannels { expected: channels, got }),
        }
    }
}

impl Serialize for Normalize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Normalize::Imagenet => serializer.serialize_str("imagenet"),
            Normalize::Data => serializer.serialize_str("data"),
            Normalize::None => serializer.serialize_str("none"),
            Normalize::PerImage(mode) => serializer.serialize_str(mode.name()),
            Normalize::MeanStd(given) => given.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Normalize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Not `untagged`, whose errors do not say what is wrong.
        struct NameOrValues;
        impl<'de> Visitor<'de> for NameOrValues {
            type Value = Normalize;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "one of {} or {{ mean = [..], std = [..] }}", NAMES.join(", "))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Normalize, E> {
                Normalize::by_name(name).ok_or_else(|| E::unknown_variant(name, &NAMES))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Normalize, A::Error> {
                MeanStd::deserialize(MapAccessDeserializer::new(map)).map(Normalize::MeanStd)
            }
        }
        deserializer.deserialize_any(NameOrValues)
    }
}

impl JsonSchema for Normalize {
    fn schema_name() -> Cow<'static, str> {
        "Normalize".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let given = generator.subschema_for::<MeanStd>();
        json_schema!({
            "description": "How pixels become f32: by the mean and std of ImageNet, of the training images or given ones, by none (pixels / 255), or each image by itself.",
            "anyOf": [{ "enum": NAMES }, given],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Data {
        normalize: Normalize,
    }

    #[test]
    fn a_recipe_reads_and_writes_it() {
        let named: Data = toml::from_str("normalize = \"imagenet\"").unwrap();
        assert_eq!(named.normalize.resolve(3).unwrap(), Normalization::imagenet(3));
        let given: Data = toml::from_str("normalize = { mean = [0.5], std = [0.25, 0.25, 0.2] }").unwrap();
        assert_eq!(given.normalize.resolve(3).unwrap().mean(), [0.5; 3]);
        assert!(given.normalize.resolve(1).is_err());
        let other = |name: &str| toml::from_str::<Data>(&format!("normalize = \"{name}\"")).unwrap();
        assert_eq!(other("data").normalize.resolve(3), Err(NormalizationError::NotMeasured));
        assert_eq!(other("min_max").normalize.resolve(3).unwrap().per_image(), Some(PerImage::MinMax));
        assert_eq!(other("none").normalize.resolve(1).unwrap(), Normalization::none(1));
        for data in NAMES.into_iter().map(other).chain([named, given]) {
            assert_eq!(toml::from_str::<Data>(&toml::to_string(&data).unwrap()).unwrap(), data);
        }
    }

    #[test]
    fn a_mistake_is_named() {
        let refused = |text: &str| toml::from_str::<Data>(text).unwrap_err().message().to_owned();
        let refusal = refused("normalize = \"imagnet\"");
        assert!(
            refusal.starts_with("unknown variant `imagnet`, expected one of `imagenet`, `data`"),
            "{refusal}"
        );
        assert!(refused("normalize = 3").contains("min_max_per_channel or { mean = [..], std = [..] }"));
        assert!(refused("normalize = { mean = [0], sdt = [1] }").contains("unknown field `sdt`"));
    }
}
