//! The transforms inside of a composition.

use crate::{AnyTransform, Problem, Problems, TransformConfig};
use serde::Deserialize;
use serde_json::{Map, Value};

/// Transforms that a composition chooses from or applies in turn. In a recipe a list like that of the pipeline itself.
#[derive(Debug, Default)]
pub struct Children {
    transforms: Vec<Box<dyn AnyTransform>>,
}

/// How deep compositions may stand in each other; more is a mistake rather than an augmentation.
const MAX_DEPTH: usize = 16;

impl Children {
    /// The children of the parameter `transforms`, with every mistake at its place.
    pub(crate) fn build(given: Option<&Value>, problems: &mut Problems) -> Self {
        let Some(list) = given.and_then(Value::as_array) else {
            problems.push(Problem::Type("expected a list of transforms".to_owned()));
            return Children::default();
        };
        if problems.depth() > MAX_DEPTH {
            problems.push(Problem::Type(format!("compositions stand in each other deeper than {MAX_DEPTH}")));
            return Children::default();
        }
        let child = |(place, value): (usize, &Value)| {
            problems.within(&format!("[{place}]"), |problems| match TransformConfig::deserialize(value) {
                Ok(config) => config.build(problems),
                Err(error) => {
                    problems.push(Problem::Type(error.to_string()));
                    None
                }
            })
        };
        Children { transforms: list.iter().enumerate().filter_map(child).collect() }
    }

    /// The transforms.
    pub fn all(&self) -> &[Box<dyn AnyTransform>] {
        &self.transforms
    }

    /// Their configurations, complete: what a resolved recipe holds.
    pub(crate) fn parameters(&self) -> Value {
        let config = |transform: &dyn AnyTransform| {
            let mut config = Map::new();
            config.insert(transform.name().to_owned(), Value::Object(transform.parameters()));
            Value::Object(config)
        };
        self.transforms.iter().map(|transform| config(&**transform)).collect()
    }
}
