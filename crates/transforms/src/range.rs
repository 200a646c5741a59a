//! A range around zero, as transforms take for limits.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// From `low` to `high`. A recipe writes `[low, high]`, or `x` for `[-x, x]`, as Albumentations takes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SymmetricRange {
    /// The smallest value.
    pub low: f64,
    /// The largest value.
    pub high: f64,
}

impl SymmetricRange {
    /// From `-x` to `x`.
    pub const fn around_zero(x: f64) -> Self {
        SymmetricRange { low: -x, high: x }
    }

    /// A uniform draw from the range.
    pub fn draw(&self, stream: &mut pupila_random::Stream) -> f64 {
        stream.uniform(self.low, self.high)
    }

    /// Whether both ends are finite and in order.
    pub fn is_ordered(&self) -> bool {
        self.low.is_finite() && self.high.is_finite() && self.low <= self.high
    }
}

impl std::fmt::Display for SymmetricRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[{}, {}]", self.low, self.high)
    }
}

impl Serialize for SymmetricRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        [self.low, self.high].serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SymmetricRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrPair;
        impl<'de> Visitor<'de> for NumberOrPair {
            type Value = SymmetricRange;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number or [low, high]")
            }

            fn visit_f64<E: Error>(self, x: f64) -> Result<SymmetricRange, E> {
                Ok(SymmetricRange::around_zero(x))
            }

            fn visit_i64<E: Error>(self, x: i64) -> Result<SymmetricRange, E> {
                self.visit_f64(x as f64)
            }

            fn visit_u64<E: Error>(self, x: u64) -> Result<SymmetricRange, E> {
                self.visit_f64(x as f64)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<SymmetricRange, A::Error> {
                let mut ends = Vec::with_capacity(2);
                while let Some(end) = pair.next_element::<f64>()? {
                    ends.push(end);
                }
                match ends[..] {
                    [low, high] => Ok(SymmetricRange { low, high }),
                    _ => Err(A::Error::invalid_length(ends.len(), &self)),
                }
            }
        }
        deserializer.deserialize_any(NumberOrPair)
    }
}

impl JsonSchema for SymmetricRange {
    fn schema_name() -> Cow<'static, str> {
        "SymmetricRange".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "[low, high], or x for [-x, x].",
            "anyOf": [
                { "type": "number", "minimum": 0 },
                { "type": "array", "items": { "type": "number" }, "minItems": 2, "maxItems": 2 },
            ],
        })
    }
}
