//! A choice of a categorical parameter, between TOML, JSON and Python.

use serde_json::{Value, json};
use std::fmt;

/// A choice of a categorical parameter, of the types that Optuna stores.
#[derive(Debug, Clone, PartialEq)]
pub enum Choice {
    /// Python's `None`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A finite number.
    Float(f64),
    /// A text; also a list or table of a recipe, as compact JSON.
    Text(String),
}

impl Choice {
    /// Whether Optuna takes the two for one: in Python `1 == 1.0 == True`.
    pub fn is_same_in_python(&self, other: &Choice) -> bool {
        match (self.number(), other.number()) {
            (Some(a), Some(b)) => a == b,
            _ => self == other,
        }
    }

    /// As Python would compare it with numbers.
    pub(super) fn number(&self) -> Option<f64> {
        match *self {
            Choice::Bool(yes) => Some(f64::from(u8::from(yes))),
            Choice::Int(n) => Some(n as f64),
            Choice::Float(x) => Some(x),
            Choice::Null | Choice::Text(_) => None,
        }
    }

    /// As JSON.
    pub fn to_json(&self) -> Value {
        match self {
            Choice::Null => Value::Null,
            Choice::Bool(yes) => json!(yes),
            Choice::Int(n) => json!(n),
            Choice::Float(x) => json!(x),
            Choice::Text(text) => json!(text),
        }
    }

    /// From JSON; a list or an object becomes its compact text.
    pub fn from_json(value: &Value) -> Choice {
        match value {
            Value::Null => Choice::Null,
            Value::Bool(yes) => Choice::Bool(*yes),
            Value::Number(number) => match number.as_i64() {
                Some(n) => Choice::Int(n),
                None => Choice::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Value::String(text) => Choice::Text(text.clone()),
            Value::Array(_) | Value::Object(_) => Choice::Text(value.to_string()),
        }
    }
}

impl fmt::Display for Choice {
    /// As people write it: texts without quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Choice::Text(text) => f.write_str(text),
            Choice::Float(x) => write!(f, "{x:?}"),
            other => write!(f, "{}", other.to_json()),
        }
    }
}
