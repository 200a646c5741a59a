//! Ranges that values are drawn from. A recipe writes `[low, high]`, or one number, whose meaning is the kind of the range.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::fmt::Debug;
use std::marker::PhantomData;

/// What a single number means where a range is expected.
pub trait RangeKind: Debug + Clone + Copy + PartialEq + Send + Sync + 'static {
    /// The range of the number `x`; `None` where only a pair will do.
    fn of(x: f64) -> Option<(f64, f64)>;
    /// The same in words, for the schema and for errors.
    const MEANING: &'static str;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident, $meaning:literal, $of:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq)]
        pub enum $kind {}

        impl RangeKind for $kind {
            const MEANING: &'static str = $meaning;

            fn of(x: f64) -> Option<(f64, f64)> {
                let of: fn(f64) -> Option<(f64, f64)> = $of;
                of(x)
            }
        }
    )*};
}

kinds! {
    /// `x` is `[-x, x]`.
    Symmetric, "[low, high], or x for [-x, x]", |x| Some((-x, x));
    /// `x` is always `x`.
    Fixed, "[low, high], or x for [x, x]", |x| Some((x, x));
    /// `x` is from 0 to `x`.
    FromZero, "[low, high], or x for [0, x]", |x| Some((x.min(0.0), x.max(0.0)));
    /// `x` is from 1 to `x`.
    FromOne, "[low, high], or x for [1, x]", |x| Some((x.min(1.0), x.max(1.0)));
    /// `x` is from 3, the smallest kernel, to `x`.
    FromThree, "[low, high], or x for [3, x]", |x| Some((3.0, x.max(3.0)));
    /// `x` is from `1 - x`, at least 0, to `1 + x`.
    AroundOne, "[low, high], or x for [max(0, 1 - x), 1 + x]", |x| Some(((1.0 - x).max(0.0), 1.0 + x));
    /// Both ends are always written.
    Pair, "[low, high]", |_| None;
}

/// From `low` to `high`, drawn uniformly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range<K: RangeKind> {
    /// The smallest value.
    pub low: f64,
    /// The largest value.
    pub high: f64,
    kind: PhantomData<K>,
}

/// A range around zero, as transforms take for limits: a recipe writes `[low, high]`, or `x` for `[-x, x]`.
pub type SymmetricRange = Range<Symmetric>;

impl SymmetricRange {
    /// From `-x` to `x`.
    pub const fn around_zero(x: f64) -> Self {
        Range::new(-x, x)
    }
}

impl<K: RangeKind> Range<K> {
    /// From `low` to `high`.
    pub const fn new(low: f64, high: f64) -> Self {
        Range { low, high, kind: PhantomData }
    }

    /// A uniform draw from the range.
    pub fn draw(&self, stream: &mut pupila_random::Stream) -> f64 {
        stream.uniform(self.low, self.high)
    }

    /// Whether both ends are finite and in order.
    pub fn is_ordered(&self) -> bool {
        self.low.is_finite() && self.high.is_finite() && self.low <= self.high
    }

    /// Whether the range is in order and within `low..=high`.
    pub fn is_within(&self, low: f64, high: f64) -> bool {
        self.is_ordered() && self.low >= low && self.high <= high
    }
}

/// Whole numbers from `low` to `high`, both included, drawn uniformly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WholeRange<K: RangeKind> {
    /// The smallest value.
    pub low: i64,
    /// The largest value.
    pub high: i64,
    kind: PhantomData<K>,
}

impl<K: RangeKind> WholeRange<K> {
    /// From `low` to `high`.
    pub const fn new(low: i64, high: i64) -> Self {
        WholeRange { low, high, kind: PhantomData }
    }

    /// A uniform draw from the range.
    pub fn draw(&self, stream: &mut pupila_random::Stream) -> i64 {
        let count = u32::try_from(self.high.saturating_sub(self.low).saturating_add(1)).unwrap_or(1);
        self.low + i64::from(stream.below(count))
    }

    /// A uniform draw of the odd numbers in the range, of which there is one at least: even ends count as the next odd
    /// number, and 3 is the smallest.
    pub fn draw_odd(&self, stream: &mut pupila_random::Stream) -> i64 {
        let odd = |x: i64| (x + i64::from(x % 2 == 0)).max(3);
        let (low, high) = (odd(self.low), odd(self.high));
        low + 2 * WholeRange::<Pair>::new(0, (high.max(low) - low) / 2).draw(stream)
    }

    /// Whether the range is in order and within `low..=high`.
    pub fn is_within(&self, low: i64, high: i64) -> bool {
        self.low >= low && self.low <= self.high && self.high <= high
    }
}

macro_rules! as_pair {
    ($range:ident, $number:ty, $from:expr, $number_name:literal) => {
        impl<K: RangeKind> std::fmt::Display for $range<K> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "[{}, {}]", self.low, self.high)
            }
        }

        impl<K: RangeKind> Serialize for $range<K> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                [self.low, self.high].serialize(serializer)
            }
        }

        impl<'de, K: RangeKind> Deserialize<'de> for $range<K> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct NumberOrPair<K>(PhantomData<K>);
                impl<'de, K: RangeKind> Visitor<'de> for NumberOrPair<K> {
                    type Value = $range<K>;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(if K::of(1.0).is_some() { "a number or [low, high]" } else { "[low, high]" })
                    }

                    fn visit_f64<E: Error>(self, x: f64) -> Result<$range<K>, E> {
                        match K::of(x) {
                            Some((low, high)) => $from(low, high),
                            None => Err(E::invalid_type(serde::de::Unexpected::Float(x), &self)),
                        }
                    }

                    fn visit_i64<E: Error>(self, x: i64) -> Result<$range<K>, E> {
                        self.visit_f64(x as f64)
                    }

                    fn visit_u64<E: Error>(self, x: u64) -> Result<$range<K>, E> {
                        self.visit_f64(x as f64)
                    }

                    fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<$range<K>, A::Error> {
                        let mut ends = Vec::with_capacity(2);
                        while let Some(end) = pair.next_element::<$number>()? {
                            ends.push(end);
                        }
                        match ends[..] {
                            [low, high] => Ok($range::new(low, high)),
                            _ => Err(A::Error::invalid_length(ends.len(), &self)),
                        }
                    }
                }
                deserializer.deserialize_any(NumberOrPair(PhantomData))
            }
        }

        impl<K: RangeKind> JsonSchema for $range<K> {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($range).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let pair = json_schema!({
                    "type": "array", "items": { "type": $number_name }, "minItems": 2, "maxItems": 2,
                });
                let description = concat_meaning::<K>();
                if K::of(1.0).is_some() {
                    json_schema!({ "description": description, "anyOf": [{ "type": $number_name }, pair] })
                } else {
                    json_schema!({ "description": description, "anyOf": [pair] })
                }
            }
        }
    };
}

fn concat_meaning<K: RangeKind>() -> String {
    format!("{}.", K::MEANING)
}

fn whole<K: RangeKind, E: Error>(low: f64, high: f64) -> Result<WholeRange<K>, E> {
    if low.fract() != 0.0 || high.fract() != 0.0 {
        return Err(E::custom(format!("expected whole numbers, got {high}")));
    }
    Ok(WholeRange::new(low as i64, high as i64))
}

as_pair!(Range, f64, |low, high| Ok(Range::new(low, high)), "number");
as_pair!(WholeRange, i64, whole, "integer");
