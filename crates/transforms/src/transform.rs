//! What a transform is.

use crate::{Frame, Problems, Shape};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::fmt::Debug;

/// A random change of an image: a struct of its parameters, whose default are the defaults of the recipe.
///
/// The struct derives `Serialize`, `Deserialize` and `JsonSchema` with `#[serde(default,
/// deny_unknown_fields)]`; the doc comments of its fields are what an editor shows. It is registered by a
/// line of [`registry`](crate::registry).
pub trait Transform:
    Debug + Clone + Default + Serialize + DeserializeOwned + JsonSchema + Send + Sync + 'static
{
    /// Its name in a recipe: that of the class in Albumentations, in snake_case.
    const NAME: &'static str;
    /// One line for `pupila list transforms`.
    const DESCRIPTION: &'static str;

    /// The probability of applying it, `0..=1`.
    fn p(&self) -> f64;

    /// Reports the parameters that are of the right type and yet wrong. `p` needs no check here.
    fn check(&self, problems: &mut Problems) {
        let _ = problems;
    }

    /// The shape of the result where it is the same for every draw; `input` is `None` where the images differ
    /// already.
    fn output_shape(&self, input: Option<Shape>) -> Option<Shape> {
        input
    }

    /// Changes the image. That `p` has fired is settled before; the values are drawn from `draw`, which
    /// belongs to this transform, sample and epoch alone.
    fn apply(&self, frame: &mut Frame, draw: &mut Stream);
}

/// A [`Transform`] whose type is not known: what a pipeline holds.
pub trait AnyTransform: Debug + Send + Sync {
    /// [`Transform::NAME`].
    fn name(&self) -> &'static str;
    /// [`Transform::p`].
    fn p(&self) -> f64;
    /// All parameters by name.
    fn parameters(&self) -> Map<String, Value>;
    /// [`Transform::output_shape`], given that it may not be applied at all.
    fn output_shape(&self, input: Option<Shape>) -> Option<Shape>;
    /// [`Transform::apply`].
    fn apply(&self, frame: &mut Frame, draw: &mut Stream);
}

impl<T: Transform> AnyTransform for T {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn p(&self) -> f64 {
        Transform::p(self)
    }

    fn parameters(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(parameters)) => parameters,
            // A struct of numbers, texts and lists serialises to an object.
            _ => Map::new(),
        }
    }

    fn output_shape(&self, input: Option<Shape>) -> Option<Shape> {
        let output = Transform::output_shape(self, input);
        if Transform::p(self) < 1.0 && output != input { None } else { output }
    }

    fn apply(&self, frame: &mut Frame, draw: &mut Stream) {
        Transform::apply(self, frame, draw);
    }
}
