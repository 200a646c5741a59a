//! What a transform is.

use crate::{CropBox, DrawKey, Frame, Problems, Shape};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::fmt::Debug;

/// A random change of an image: a struct of its parameters, whose defaults are the defaults of the recipe.
///
/// It works in two steps. [`draw`](Self::draw) takes all the randomness there is and says what is to be done;
/// [`apply`](Self::apply) does it, and is a pure function. So a test can pin what was drawn, and an image and its mask
/// are changed alike.
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

    /// What one draw decides.
    type Drawn: Debug + Serialize + DeserializeOwned;

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

    /// Why it cannot do what it is asked on images of shape `input`, where it would leave them as they are.
    fn misfit(&self, input: Shape) -> Option<String> {
        let _ = input;
        None
    }

    /// Decides what to do with an image of shape `input`. That `p` has fired is settled before; `stream` belongs to this
    /// transform, sample and epoch alone.
    fn draw(&self, input: Shape, stream: &mut Stream) -> Self::Drawn;

    /// The part of the image outside of which no pixel has an influence on the result, where what was drawn cuts one out.
    fn window(&self, drawn: &Self::Drawn) -> Option<CropBox> {
        let _ = drawn;
        None
    }

    /// Changes the image as drawn for its shape.
    fn apply(&self, drawn: &Self::Drawn, frame: &mut Frame);

    /// Changes a mask of the image as drawn. Only geometry does, and takes the nearest value; other transforms leave a mask
    /// as it is.
    fn apply_to_mask(&self, drawn: &Self::Drawn, mask: &mut Frame) {
        let _ = (drawn, mask);
    }
}

/// The draw of a transform that has nothing to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A draw that does not fit the transform.
#[derive(Debug, thiserror::Error)]
#[error("{transform}: what was drawn cannot be read: {source}")]
pub struct DrawnError {
    /// The transform's name.
    pub transform: &'static str,
    /// What is wrong.
    pub source: serde_json::Error,
}

/// A [`Transform`] or a composition whose type is not known: what a pipeline holds.
pub trait AnyTransform: Debug + Send + Sync {
    /// [`Transform::NAME`].
    fn name(&self) -> &'static str;
    /// [`Transform::p`].
    fn p(&self) -> f64;
    /// The parameters by name, without those that are left out.
    fn parameters(&self) -> Map<String, Value>;
    /// Reports the parameters that are of the right type and yet wrong. What was built from a recipe has been checked.
    fn check(&self, problems: &mut Problems) {
        let _ = problems;
    }
    /// [`Transform::output_shape`], given that it may not be applied at all.
    fn output_shape(&self, input: Option<Shape>) -> Option<Shape>;

    /// The same, given that it is applied.
    fn output_shape_applied(&self, input: Option<Shape>) -> Option<Shape>;

    /// [`Transform::misfit`], or that of what a composition is made of.
    fn misfit(&self, input: Shape) -> Option<String> {
        let _ = input;
        None
    }

    /// The part of an image of shape `input` outside of which no pixel has an influence on what [`Self::run_by_chance`] makes of it;
    /// `None` where all of it may have.
    fn window(&self, input: Shape, key: DrawKey) -> Option<CropBox> {
        let _ = (input, key);
        None
    }

    /// Draws and applies, to a mask too if there is one. `stream` is the key's own, from which `p` has been drawn; the
    /// children of a composition draw from the streams of keys below.
    fn run(&self, frame: &mut Frame, mask: Option<&mut Frame>, key: DrawKey, stream: &mut Stream);

    /// Applies what was drawn elsewhere: the JSON of [`Transform::Drawn`].
    ///
    /// # Errors
    /// Where it is no draw of this transform. A composition has none of its own.
    fn run_drawn(&self, drawn: &Value, frame: &mut Frame, mask: Option<&mut Frame>)
    -> Result<(), DrawnError>;

    /// Draws whether it applies, and runs it if so.
    fn run_by_chance(&self, frame: &mut Frame, mask: Option<&mut Frame>, key: DrawKey) {
        let mut stream = key.stream();
        if stream.chance(self.p()) {
            self.run(frame, mask, key, &mut stream);
        }
    }
}

/// All parameters by name, those that are left out as null.
pub(crate) fn all_parameters<T: Transform>(transform: &T) -> Map<String, Value> {
    match serde_json::to_value(transform) {
        Ok(Value::Object(parameters)) => parameters,
        // A struct of numbers, texts and lists serialises to an object.
        _ => Map::new(),
    }
}

impl<T: Transform> AnyTransform for T {
    fn name(&self) -> &'static str {
        T::NAME
    }

    fn p(&self) -> f64 {
        Transform::p(self)
    }

    fn parameters(&self) -> Map<String, Value> {
        let mut parameters = all_parameters(self);
        // TOML has no null: what is left out is left out of the resolved recipe too.
        parameters.retain(|_, value| !value.is_null());
        parameters
    }

    fn check(&self, problems: &mut Problems) {
        if !(0.0..=1.0).contains(&Transform::p(self)) {
            problems.refuse("p", "a probability from 0 to 1", &Transform::p(self));
        }
        Transform::check(self, problems);
    }

    fn output_shape(&self, input: Option<Shape>) -> Option<Shape> {
        let output = Transform::output_shape(self, input);
        if Transform::p(self) < 1.0 && output != input { None } else { output }
    }

    fn output_shape_applied(&self, input: Option<Shape>) -> Option<Shape> {
        Transform::output_shape(self, input)
    }

    fn misfit(&self, input: Shape) -> Option<String> {
        Transform::misfit(self, input)
    }

    fn window(&self, input: Shape, key: DrawKey) -> Option<CropBox> {
        let mut stream = key.stream();
        let applies = stream.chance(Transform::p(self));
        applies.then(|| Transform::window(self, &self.draw(input, &mut stream))).flatten()
    }

    fn run(&self, frame: &mut Frame, mask: Option<&mut Frame>, _: DrawKey, stream: &mut Stream) {
        let drawn = self.draw(frame.shape(), stream);
        self.apply(&drawn, frame);
        if let Some(mask) = mask {
            self.apply_to_mask(&drawn, mask);
        }
    }

    fn run_drawn(
        &self,
        drawn: &Value,
        frame: &mut Frame,
        mask: Option<&mut Frame>,
    ) -> Result<(), DrawnError> {
        let drawn =
            T::Drawn::deserialize(drawn).map_err(|source| DrawnError { transform: T::NAME, source })?;
        self.apply(&drawn, frame);
        if let Some(mask) = mask {
            self.apply_to_mask(&drawn, mask);
        }
        Ok(())
    }
}
