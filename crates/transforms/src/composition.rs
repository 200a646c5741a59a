//! What a composition is: a transform that applies others.

use crate::config::Given;
use crate::{AnyTransform, Children, DrawKey, DrawnError, Frame, Problems, Shape};
use pupila_random::Stream;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value};
use std::fmt::Debug;

/// A transform made of others, with a probability of its own. It is registered like a
/// [`Transform`](crate::Transform).
pub trait Composition: Debug + Send + Sync + Sized + 'static {
    /// Its name in a recipe: that of the class in Albumentations, in snake_case.
    const NAME: &'static str;
    /// One line for `pupila list transforms`.
    const DESCRIPTION: &'static str;

    /// The composition of some parameters; mistakes go into `problems`.
    fn build(given: &mut Given, problems: &mut Problems) -> Self;
    /// The probability of applying it, `0..=1`.
    fn p(&self) -> f64;
    /// Its children.
    fn children(&self) -> &Children;
    /// Its parameters but `transforms` and `p`.
    fn own_parameters(&self) -> Map<String, Value> {
        Map::new()
    }
    /// The JSON schema of these.
    fn own_schema(generator: &mut SchemaGenerator) -> Map<String, Value> {
        let _ = generator;
        Map::new()
    }
    /// The shape of the result where it is the same for every draw.
    fn output_shape(&self, input: Option<Shape>) -> Option<Shape>;
    /// Applies children. Each draws from the streams of `key.child(..)`, and none from two equal ones.
    fn run(&self, frame: &mut Frame, mask: Option<&mut Frame>, key: DrawKey, stream: &mut Stream);
}

/// A composition as a pipeline holds it.
#[derive(Debug)]
pub(crate) struct Composed<C>(pub C);

impl<C: Composition> AnyTransform for Composed<C> {
    fn name(&self) -> &'static str {
        C::NAME
    }

    fn p(&self) -> f64 {
        self.0.p()
    }

    fn parameters(&self) -> Map<String, Value> {
        let mut parameters = Map::new();
        parameters.insert("transforms".to_owned(), self.0.children().parameters());
        parameters.extend(self.0.own_parameters());
        parameters.insert("p".to_owned(), self.0.p().into());
        parameters
    }

    fn output_shape(&self, input: Option<Shape>) -> Option<Shape> {
        let output = self.0.output_shape(input);
        if self.0.p() < 1.0 && output != input { None } else { output }
    }

    fn output_shape_applied(&self, input: Option<Shape>) -> Option<Shape> {
        self.0.output_shape(input)
    }

    fn misfit(&self, input: Shape) -> Option<String> {
        self.0.children().all().iter().find_map(|child| child.misfit(input))
    }

    fn run(&self, frame: &mut Frame, mask: Option<&mut Frame>, key: DrawKey, stream: &mut Stream) {
        self.0.run(frame, mask, key, stream);
    }

    fn run_drawn(&self, _: &Value, _: &mut Frame, _: Option<&mut Frame>) -> Result<(), DrawnError> {
        let source = serde::de::Error::custom("a composition has no draw of its own");
        Err(DrawnError { transform: C::NAME, source })
    }
}

/// The schema of a composition: an object whose children are any transforms.
pub(crate) fn schema<C: Composition>(generator: &mut SchemaGenerator) -> Schema {
    let mut properties = C::own_schema(generator);
    properties.insert(
        "transforms".to_owned(),
        serde_json::json!({
            "description": "The transforms it is made of.", "type": "array",
            "items": generator.subschema_for::<crate::TransformConfig>(),
        }),
    );
    properties.insert(
        "p".to_owned(),
        serde_json::json!({
            "description": "Probability of applying it.", "type": "number", "minimum": 0, "maximum": 1,
        }),
    );
    schemars::json_schema!({
        "type": "object", "properties": properties, "required": ["transforms"], "additionalProperties": false,
    })
}
