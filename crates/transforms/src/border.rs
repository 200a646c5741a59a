//! What is beyond the border of an image, with the names of OpenCV (`BORDER_...`), and the values to fill with.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// What a position outside of the image shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BorderMode {
    /// The fill value.
    #[default]
    Constant,
    /// The nearest pixel of the border: `aaa|abcd|ddd`.
    Replicate,
    /// The image mirrored at its edge: `cba|abcd|dcb`.
    Reflect,
    /// The image once more: `bcd|abcd|abc`.
    Wrap,
    /// The image mirrored at its outermost pixels: `dcb|abcd|cba`.
    #[serde(rename = "reflect_101")]
    Reflect101,
}

impl BorderMode {
    /// Where position `i` along a side of `n >= 1` pixels is taken from; `None` is the fill value. Reference:
    /// `cv::borderInterpolate`.
    pub fn position(self, i: i64, n: usize) -> Option<usize> {
        let n = n as i64;
        if (0..n).contains(&i) {
            return Some(i as usize);
        }
        let inside = match self {
            BorderMode::Constant => return None,
            BorderMode::Replicate => i.clamp(0, n - 1),
            BorderMode::Wrap => i.rem_euclid(n),
            BorderMode::Reflect => {
                let i = i.rem_euclid(2 * n);
                if i < n { i } else { 2 * n - 1 - i }
            }
            BorderMode::Reflect101 if n == 1 => 0,
            BorderMode::Reflect101 => {
                let i = i.rem_euclid(2 * n - 2);
                if i < n { i } else { 2 * n - 2 - i }
            }
        };
        Some(inside as usize)
    }
}

/// A value for all channels, or one for each. In a recipe a number or a list of numbers.
#[derive(Debug, Clone, PartialEq)]
pub enum Fill {
    /// One number.
    Number(f64),
    /// A number for each channel.
    Channels(Vec<f64>),
}

impl Default for Fill {
    fn default() -> Self {
        Fill::Number(0.0)
    }
}

impl Fill {
    /// The value of each of 1 or 3 channels, one number for all of them.
    pub fn pixel(&self) -> [u8; 3] {
        match self {
            Fill::Number(value) => [saturate(*value); 3],
            Fill::Channels(values) => pixel_of(values),
        }
    }

    /// The value of each channel where the reference hands the number to OpenCV as it is, which takes it for the first
    /// channel and 0 for the others.
    pub fn scalar(&self) -> [u8; 3] {
        match self {
            Fill::Number(value) => [saturate(*value), 0, 0],
            Fill::Channels(values) => pixel_of(values),
        }
    }
}

fn pixel_of(values: &[f64]) -> [u8; 3] {
    std::array::from_fn(|channel| saturate(values.get(channel).copied().unwrap_or(0.0)))
}

fn saturate(value: f64) -> u8 {
    value.round_ties_even() as u8
}

impl Serialize for Fill {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Fill::Number(value) => value.serialize(serializer),
            Fill::Channels(values) => values.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Fill {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrList;
        impl<'de> Visitor<'de> for NumberOrList {
            type Value = Fill;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number or one for each of 1 or 3 channels")
            }

            fn visit_f64<E: Error>(self, x: f64) -> Result<Fill, E> {
                Ok(Fill::Number(x))
            }

            fn visit_i64<E: Error>(self, x: i64) -> Result<Fill, E> {
                Ok(Fill::Number(x as f64))
            }

            fn visit_u64<E: Error>(self, x: u64) -> Result<Fill, E> {
                Ok(Fill::Number(x as f64))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Fill, A::Error> {
                let mut values = Vec::with_capacity(3);
                while let Some(value) = list.next_element::<f64>()? {
                    values.push(value);
                }
                match values.len() {
                    1 | 3 => Ok(Fill::Channels(values)),
                    other => Err(A::Error::invalid_length(other, &self)),
                }
            }
        }
        deserializer.deserialize_any(NumberOrList)
    }
}

impl JsonSchema for Fill {
    fn schema_name() -> Cow<'static, str> {
        "Fill".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number, or one for each channel.",
            "anyOf": [
                { "type": "number" },
                { "type": "array", "items": { "type": "number" }, "minItems": 1, "maxItems": 3 },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_those_of_opencv() {
        // cv2.borderInterpolate(i, 4, mode) for i of -6..10.
        let expected = [
            (BorderMode::Replicate, [0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 3, 3, 3, 3, 3, 3]),
            (BorderMode::Reflect, [2, 3, 3, 2, 1, 0, 0, 1, 2, 3, 3, 2, 1, 0, 0, 1]),
            (BorderMode::Wrap, [2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1]),
            (BorderMode::Reflect101, [0, 1, 2, 3, 2, 1, 0, 1, 2, 3, 2, 1, 0, 1, 2, 3]),
        ];
        for (mode, expected) in expected {
            let got: Vec<_> = (-6..10).filter_map(|i| mode.position(i, 4)).collect();
            assert_eq!(got, expected, "{mode:?}");
            assert!((-3..4).all(|i| mode.position(i, 1) == Some(0)));
        }
        assert_eq!(BorderMode::Constant.position(-1, 4), None);
        assert_eq!(BorderMode::Constant.position(3, 4), Some(3));
    }
}
