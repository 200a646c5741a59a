//! Sizes of images in a recipe: of the input, and of what is kept.

use pupila_dataset::Keep;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;

/// Rows and columns of an input. In a recipe one number where they are equal, otherwise `[height, width]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Size {
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
}

impl Size {
    /// The one side, where both are equal.
    pub fn side(self) -> Option<u32> {
        (self.height == self.width).then_some(self.height)
    }

    /// The longer side.
    pub fn longer(self) -> u32 {
        self.height.max(self.width)
    }

    /// Pixels of an image.
    pub fn pixels(self) -> u64 {
        u64::from(self.height) * u64::from(self.width)
    }

    /// A size of the same shape with eighths of its sides, each a multiple of 8 and at least 8.
    pub fn eighths(self, eighths: u32) -> Size {
        let part = |side: u32| (side * eighths / 8 / 8 * 8).max(8);
        Size { height: part(self.height), width: part(self.width) }
    }
}

impl From<u32> for Size {
    fn from(side: u32) -> Self {
        Size { height: side, width: side }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.side() {
            Some(side) => write!(f, "{side}"),
            None => write!(f, "[{}, {}]", self.height, self.width),
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.side() {
            Some(side) => serializer.serialize_u32(side),
            None => [self.height, self.width].serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Sides;

        impl<'de> Visitor<'de> for Sides {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("pixels, such as 64, or [height, width]")
            }

            fn visit_u64<E: Error>(self, side: u64) -> Result<Size, E> {
                u32::try_from(side)
                    .map(Size::from)
                    .map_err(|_| E::custom(format!("{side} pixels are too many")))
            }

            fn visit_i64<E: Error>(self, side: i64) -> Result<Size, E> {
                let side = u32::try_from(side);
                side.map(Size::from).map_err(|_| E::custom("must be a number of pixels, such as 64"))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sides: A) -> Result<Size, A::Error> {
                let wrong = |len| A::Error::invalid_length(len, &self);
                let height = sides.next_element()?.ok_or_else(|| wrong(0))?;
                let width = sides.next_element()?.ok_or_else(|| wrong(1))?;
                match sides.next_element::<u32>()? {
                    Some(_) => Err(wrong(3)),
                    None => Ok(Size { height, width }),
                }
            }
        }

        deserializer.deserialize_any(Sides)
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "type": "integer", "minimum": 1 },
                { "type": "array", "items": { "type": "integer", "minimum": 1 }, "minItems": 2, "maxItems": 2 }
            ]
        })
    }
}

/// At which size images are kept: a number of pixels on the shorter side, or `"whole"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptSize(pub Keep);

impl Serialize for KeptSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Keep::ShorterSide(side) => serializer.serialize_u32(side),
            Keep::Whole => serializer.serialize_str("whole"),
        }
    }
}

impl<'de> Deserialize<'de> for KeptSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Kept;

        impl Visitor<'_> for Kept {
            type Value = KeptSize;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("pixels of the shorter side, such as 256, or \"whole\"")
            }

            fn visit_u64<E: Error>(self, side: u64) -> Result<KeptSize, E> {
                let side =
                    u32::try_from(side).map_err(|_| E::custom(format!("{side} pixels are too many")))?;
                Ok(KeptSize(Keep::ShorterSide(side)))
            }

            fn visit_i64<E: Error>(self, side: i64) -> Result<KeptSize, E> {
                let side = u64::try_from(side).map_err(|_| E::custom("must be a number of pixels"))?;
                self.visit_u64(side)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<KeptSize, E> {
                match text {
                    "whole" => Ok(KeptSize(Keep::Whole)),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
        }

        deserializer.deserialize_any(Kept)
    }
}

impl JsonSchema for KeptSize {
    fn schema_name() -> Cow<'static, str> {
        "KeptSize".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1 }, { "const": "whole" }] })
    }
}
