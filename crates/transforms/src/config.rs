//! What a recipe says about a transform, and the transform that it makes.

use crate::crop::CropBox;
use crate::{
    AnyTransform, Children, Composition, DrawKey, DrawnError, Frame, Problem, Problems, Shape, Transform,
    entry, registry,
};
use pupila_random::Stream;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::DeserializeOwned;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::sync::Arc;

/// A transform as a recipe names it: `{ horizontal_flip = { p = 0.5 } }`.
///
/// Reading one checks its form only. Names and values are checked by
/// [`Pipeline::from_config`](crate::Pipeline::from_config), which reports the mistakes of all of them at
/// once.
///
/// In code any [`Transform`] becomes one by `into()`, the caller's own included:
///
/// ```
/// use pupila_transforms::{HorizontalFlip, Pipeline, Rotate, TransformConfig};
///
/// let transforms: [TransformConfig; 2] = [HorizontalFlip { p: 0.5 }.into(), Rotate::default().into()];
/// assert!(Pipeline::from_config(&transforms).is_ok());
/// ```
#[derive(Debug, Clone)]
pub struct TransformConfig {
    /// The name, which may not exist.
    pub name: String,
    /// The parameters given, which may not exist either.
    pub parameters: Map<String, Value>,
    /// The transform itself, where it was made in code.
    typed: Option<Typed>,
}

/// A transform that was made in code.
#[derive(Debug, Clone)]
struct Typed {
    transform: Own,
    /// Whether the registry has it too.
    registered: bool,
    /// Whether a number in it is NaN or infinite, which its parameters in JSON could not say.
    not_finite: bool,
}

/// A transform whose type is known to the caller alone.
#[derive(Debug, Clone)]
struct Own(Arc<dyn AnyTransform>);

impl PartialEq for TransformConfig {
    /// By name and parameters: what a transform does follows from these.
    fn eq(&self, other: &TransformConfig) -> bool {
        (&self.name, &self.parameters, self.is_own()) == (&other.name, &other.parameters, other.is_own())
    }
}

impl AnyTransform for Own {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn p(&self) -> f64 {
        self.0.p()
    }

    fn parameters(&self) -> Map<String, Value> {
        self.0.parameters()
    }

    fn check(&self, problems: &mut Problems) {
        self.0.check(problems);
    }

    fn output_shape(&self, input: Option<Shape>) -> Option<Shape> {
        self.0.output_shape(input)
    }

    fn output_shape_applied(&self, input: Option<Shape>) -> Option<Shape> {
        self.0.output_shape_applied(input)
    }

    fn misfit(&self, input: Shape) -> Option<String> {
        self.0.misfit(input)
    }

    fn window(&self, input: Shape, key: DrawKey) -> Option<CropBox> {
        self.0.window(input, key)
    }

    fn run(&self, frame: &mut Frame, mask: Option<&mut Frame>, key: DrawKey, stream: &mut Stream) {
        self.0.run(frame, mask, key, stream);
    }

    fn run_drawn(
        &self,
        drawn: &Value,
        frame: &mut Frame,
        mask: Option<&mut Frame>,
    ) -> Result<(), DrawnError> {
        self.0.run_drawn(drawn, frame, mask)
    }
}

impl<T: Transform> From<T> for TransformConfig {
    fn from(transform: T) -> Self {
        let registered = entry(T::NAME).is_some_and(|entry| entry.is::<T>());
        let parameters = AnyTransform::parameters(&transform);
        // JSON has null for these, which would read as what is left out.
        let words = format!("{transform:?}");
        let not_finite =
            words.split(|c: char| !c.is_alphanumeric()).any(|word| word == "NaN" || word == "inf");
        let typed = Some(Typed { transform: Own(Arc::new(transform)), registered, not_finite });
        TransformConfig { name: T::NAME.to_owned(), parameters, typed }
    }
}

impl TransformConfig {
    /// A transform by its name.
    pub fn new(name: impl Into<String>, parameters: Map<String, Value>) -> Self {
        TransformConfig { name: name.into(), parameters, typed: None }
    }

    /// A composition by its name, such as `one_of`, of transforms of the registry, the other parameters at their defaults.
    pub fn composition(name: &str, transforms: impl IntoIterator<Item = TransformConfig>, p: f64) -> Self {
        let child = |transform: TransformConfig| {
            Value::Object(Map::from_iter([(transform.name, Value::Object(transform.parameters))]))
        };
        let mut parameters = Map::new();
        parameters.insert("transforms".to_owned(), transforms.into_iter().map(child).collect());
        parameters.insert("p".to_owned(), p.into());
        TransformConfig::new(name, parameters)
    }

    /// Whether it is a transform of the caller's own, which a recipe file cannot name.
    pub fn is_own(&self) -> bool {
        self.typed.as_ref().is_some_and(|typed| !typed.registered)
    }

    pub(crate) fn build(&self, problems: &mut Problems) -> Option<Box<dyn AnyTransform>> {
        if let Some(Typed { transform, registered, not_finite }) = &self.typed {
            let before = problems.count();
            problems.within(&format!(".{}", self.name), |problems| {
                if !registered && entry(&self.name).is_some() {
                    problems.push(Problem::Taken { name: self.name.clone() });
                }
                transform.check(problems);
                if *not_finite && problems.count() == before {
                    let what = "numbers that are finite".to_owned();
                    problems.push(Problem::Range { expected: what, got: format!("{transform:?}") });
                }
            });
            let sound = problems.count() == before;
            return sound.then(|| Box::new(transform.clone()) as Box<dyn AnyTransform>);
        }
        match entry(&self.name) {
            Some(entry) => problems
                .within(&format!(".{}", self.name), |problems| entry.build(&self.parameters, problems)),
            None => {
                let names = registry().iter().map(|entry| entry.name.to_owned());
                problems.push(Problem::unknown("transform", &self.name, names.collect()));
                None
            }
        }
    }
}

/// The transform of some parameters, the others at their defaults.
pub(crate) fn build<T: Transform>(given: &Map<String, Value>, problems: &mut Problems) -> Option<T> {
    let defaults = crate::transform::all_parameters(&T::default());
    let before = problems.count();
    for (name, value) in given {
        problems.within(&format!(".{name}"), |problems| {
            if !defaults.contains_key(name) {
                problems.push(Problem::unknown("parameter", name, defaults.keys().cloned().collect()));
                return;
            }
            // One parameter at a time, so that each mistake is found and its place is known.
            let mut alone = defaults.clone();
            alone.insert(name.clone(), value.clone());
            if let Err(error) = serde_json::from_value::<T>(Value::Object(alone)) {
                problems.push(Problem::Type(error.to_string()));
            }
        });
    }
    if problems.count() > before {
        return None;
    }
    let mut parameters = defaults;
    parameters.extend(given.clone());
    match serde_json::from_value::<T>(Value::Object(parameters)) {
        Ok(transform) => {
            AnyTransform::check(&transform, problems);
            (problems.count() == before).then_some(transform)
        }
        Err(error) => {
            problems.push(Problem::Type(error.to_string()));
            None
        }
    }
}

/// The parameters of a composition, taken out one by one.
#[derive(Debug)]
pub struct Given<'a> {
    parameters: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'a> Given<'a> {
    pub(crate) fn new(parameters: &'a Map<String, Value>) -> Self {
        Given { parameters, known: Vec::new() }
    }

    /// The parameter `transforms`, which must be there.
    pub fn children(&mut self, problems: &mut Problems) -> Children {
        self.known.push("transforms");
        problems
            .within(".transforms", |problems| Children::build(self.parameters.get("transforms"), problems))
    }

    /// The parameter of a name, or its default.
    pub fn value<V: DeserializeOwned>(
        &mut self,
        name: &'static str,
        default: V,
        problems: &mut Problems,
    ) -> V {
        self.known.push(name);
        let Some(value) = self.parameters.get(name) else { return default };
        V::deserialize(value).unwrap_or_else(|error| {
            problems.within(&format!(".{name}"), |problems| problems.push(Problem::Type(error.to_string())));
            default
        })
    }

    /// The probability `p`.
    pub fn p(&mut self, default: f64, problems: &mut Problems) -> f64 {
        let p = self.value("p", default, problems);
        if !(0.0..=1.0).contains(&p) {
            problems.refuse("p", "a probability from 0 to 1", &p);
        }
        p
    }

    /// Reports the parameters that were not asked for.
    pub(crate) fn finish(self, problems: &mut Problems) {
        for name in self.parameters.keys().filter(|name| !self.known.contains(&name.as_str())) {
            let known = self.known.iter().map(|&known| known.to_owned()).collect();
            problems.within(&format!(".{name}"), |problems| {
                problems.push(Problem::unknown("parameter", name, known))
            });
        }
    }
}

/// The composition of some parameters, if nothing is wrong with them.
pub(crate) fn build_composition<C: Composition>(
    parameters: &Map<String, Value>,
    problems: &mut Problems,
) -> Option<C> {
    let before = problems.count();
    let mut given = Given::new(parameters);
    let composition = C::build(&mut given, problems);
    given.finish(problems);
    (problems.count() == before).then_some(composition)
}

impl Serialize for TransformConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry(&self.name, &self.parameters)?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for TransformConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneName;
        impl<'de> Visitor<'de> for OneName {
            type Value = TransformConfig;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("one transform, such as { horizontal_flip = { p = 0.5 } }")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TransformConfig, A::Error> {
                let Some((name, parameters)) = map.next_entry::<String, Map<String, Value>>()? else {
                    return Err(A::Error::invalid_length(0, &self));
                };
                let mut names = 1;
                while map.next_key::<String>()?.is_some() {
                    map.next_value::<Value>()?;
                    names += 1;
                }
                match names {
                    1 => Ok(TransformConfig::new(name, parameters)),
                    _ => Err(A::Error::invalid_length(names, &self)),
                }
            }
        }
        deserializer.deserialize_map(OneName)
    }
}

impl JsonSchema for TransformConfig {
    fn schema_name() -> Cow<'static, str> {
        "Transform".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let one_of: Vec<Schema> = registry()
            .iter()
            .map(|entry| {
                json_schema!({
                    "type": "object",
                    "description": entry.description,
                    "properties": { (entry.name): entry.schema(generator) },
                    "required": [entry.name],
                    "additionalProperties": false,
                })
            })
            .collect();
        json_schema!({ "description": "A transform by its name.", "oneOf": one_of })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pipeline, Shape};

    #[derive(Deserialize)]
    struct Augment {
        transforms: Vec<TransformConfig>,
    }

    fn read(text: &str) -> Vec<TransformConfig> {
        toml::from_str::<Augment>(text).unwrap().transforms
    }

    #[test]
    fn a_recipe_resolves_to_all_parameters_and_back() {
        let configs = read(
            "transforms = [ { horizontal_flip = {} }, \
             { random_brightness_contrast = { p = 1, brightness_limit = 0.1 } } ]",
        );
        let pipeline = Pipeline::from_config(&configs).unwrap();
        let resolved = pipeline.resolved();
        assert_eq!(
            serde_json::to_value(&resolved).unwrap(),
            serde_json::json!([
                { "horizontal_flip": { "p": 0.5 } },
                { "random_brightness_contrast": {
                    "brightness_limit": [-0.1, 0.1],
                    "contrast_limit": [-0.2, 0.2],
                    "brightness_by_max": true,
                    "ensure_safe_range": false,
                    "p": 1.0,
                } },
            ])
        );
        assert_eq!(Pipeline::from_config(&resolved).unwrap().resolved(), resolved);
        let shape = Shape { height: 2, width: 3, channels: 1 };
        assert_eq!(pipeline.output_shape(shape), Some(shape));
    }

    #[test]
    fn all_mistakes_are_reported_at_once_with_their_places() {
        let configs = read(
            "transforms = [ { HorizontalFlp = {} }, { vertical_flip = { p = 1.5 } }, { zebra = {} }, \
             { random_brightness_contrast = \
               { p = \"often\", brightnes_limit = 0.1, contrast_limit = [1, 2, 3] } }, \
             { random_brightness_contrast = \
               { p = -1, contrast_limit = [0.3, 0.1], brightness_limit = -0.2 } } ]",
        );
        let names: Vec<_> = registry().iter().map(|entry| entry.name).collect();
        let names = names.join(", ");
        let expected = format!(
            "\
transforms[0]: unknown transform `HorizontalFlp`, did you mean `horizontal_flip`?; expected {names}
transforms[1].vertical_flip.p: expected a probability from 0 to 1, got 1.5
transforms[2]: unknown transform `zebra`; expected {names}
transforms[3].random_brightness_contrast.p: invalid type: string \"often\", expected f64
transforms[3].random_brightness_contrast.brightnes_limit: unknown parameter `brightnes_limit`, did you mean \
`brightness_limit`?; expected brightness_limit, contrast_limit, brightness_by_max, ensure_safe_range, p
transforms[3].random_brightness_contrast.contrast_limit: invalid length 3, expected a number or [low, high]
transforms[4].random_brightness_contrast.p: expected a probability from 0 to 1, got -1
transforms[4].random_brightness_contrast.brightness_limit: expected [low, high] with low <= high, \
got [0.2, -0.2]
transforms[4].random_brightness_contrast.contrast_limit: expected [low, high] with low <= high, \
got [0.3, 0.1]"
        );
        assert_eq!(Pipeline::from_config(&configs).unwrap_err().to_string(), expected);
    }

    #[test]
    fn mistakes_inside_of_compositions_have_the_path_of_the_child() {
        let configs = read(
            "transforms = [ { one_of = { p = 2, tranforms = [], transforms = [ { clahe = { clip_limit = 0.5 } }, \
             { some_of = { n = \"two\", transforms = [ { rotate = { limt = 3 } }, 7 ] } } ] } }, { sequential = {} } ]",
        );
        let expected = "\
transforms[0].one_of.transforms[0].clahe.clip_limit: expected [low, high] with low <= high, of at least 1, got [0.5, 1]
transforms[0].one_of.transforms[1].some_of.transforms[0].rotate.limt: unknown parameter `limt`, did you mean `limit`?; \
expected limit, interpolation, mask_interpolation, border_mode, fill, fill_mask, crop_border, p
transforms[0].one_of.transforms[1].some_of.transforms[1]: invalid type: integer `7`, expected one transform, such as \
{ horizontal_flip = { p = 0.5 } }
transforms[0].one_of.transforms[1].some_of.n: invalid type: string \"two\", expected u32
transforms[0].one_of.p: expected a probability from 0 to 1, got 2
transforms[0].one_of.tranforms: unknown parameter `tranforms`, did you mean `transforms`?; expected transforms, p
transforms[1].sequential.transforms: expected a list of transforms";
        assert_eq!(Pipeline::from_config(&configs).unwrap_err().to_string(), expected);
    }

    /// A transform that no registry knows.
    #[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
    struct Darken {
        by: u8,
        p: f64,
    }

    impl Transform for Darken {
        const NAME: &'static str = "darken";
        const DESCRIPTION: &'static str = "takes something off every value";
        type Drawn = crate::Nothing;

        fn p(&self) -> f64 {
            self.p
        }

        fn check(&self, problems: &mut Problems) {
            if self.by == 0 {
                problems.refuse("by", "at least 1", &self.by);
            }
        }

        fn draw(&self, _: Shape, _: &mut Stream) -> crate::Nothing {
            crate::Nothing {}
        }

        fn apply(&self, _: &crate::Nothing, frame: &mut Frame) {
            frame.map(&std::array::from_fn(|i| (i as u8).saturating_sub(self.by)));
        }
    }

    #[test]
    fn a_transform_of_the_callers_own_runs_and_is_checked_like_any_other() {
        let typed: TransformConfig = crate::HorizontalFlip { p: 0.25 }.into();
        assert!(!typed.is_own());
        assert_eq!(
            serde_json::to_value(&typed).unwrap(),
            serde_json::json!({"horizontal_flip": {"p": 0.25}})
        );
        let own: TransformConfig = Darken { by: 3, p: 1.0 }.into();
        assert!(
            own.is_own() && own == Darken { by: 3, p: 1.0 }.into() && own != Darken { by: 2, p: 1.0 }.into()
        );
        let pipeline = Pipeline::from_config(&[typed, own]).unwrap();
        let image = pupila_image::Image::new(2, 1, 1, vec![1, 9]).unwrap();
        let key = crate::SampleKey { seed: 0, epoch: 1, sample: 0 };
        let mut data = pipeline.apply_to_image(&image, key).unwrap().into_data();
        data.sort_unstable();
        assert_eq!(data, [0, 6]);
        let errors = Pipeline::from_config(&[Darken { by: 0, p: 2.0 }.into()]).unwrap_err().to_string();
        let expected = "transforms[0].darken.p: expected a probability from 0 to 1, got 2\n\
            transforms[0].darken.by: expected at least 1, got 0";
        assert_eq!(errors, expected);
    }

    #[test]
    fn numbers_that_are_not_finite_are_refused_and_not_left_out() {
        for p in [f64::NAN, f64::INFINITY] {
            let told = Pipeline::from_config(&[crate::HorizontalFlip { p }.into()]).unwrap_err().to_string();
            assert!(told.contains("horizontal_flip.p: expected a probability"), "{told}");
        }
        #[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
        struct Unchecked {
            by: f32,
        }
        impl Transform for Unchecked {
            const NAME: &'static str = "unchecked";
            const DESCRIPTION: &'static str = "checks nothing";
            type Drawn = crate::Nothing;
            fn p(&self) -> f64 {
                1.0
            }
            fn draw(&self, _: Shape, _: &mut Stream) -> crate::Nothing {
                crate::Nothing {}
            }
            fn apply(&self, _: &crate::Nothing, _: &mut Frame) {}
        }
        assert!(Pipeline::from_config(&[Unchecked { by: 1.0 }.into()]).is_ok());
        for by in [f32::NAN, f32::NEG_INFINITY] {
            let told = Pipeline::from_config(&[Unchecked { by }.into()]).unwrap_err().to_string();
            assert!(told.contains("expected numbers that are finite"), "{told}");
        }
    }

    #[test]
    fn compositions_can_be_made_in_code() {
        let children = [crate::HorizontalFlip { p: 1.0 }.into(), crate::Rotate::default().into()];
        let one_of = TransformConfig::composition("one_of", children, 0.5);
        let pipeline = Pipeline::from_config(std::slice::from_ref(&one_of)).unwrap();
        assert_eq!(pipeline.resolved()[0].parameters["transforms"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn only_one_name_a_table() {
        for text in ["transforms = [ {} ]", "transforms = [ { horizontal_flip = {}, vertical_flip = {} } ]"] {
            let message = toml::from_str::<Augment>(text).err().unwrap().message().to_owned();
            assert!(
                message.ends_with("expected one transform, such as { horizontal_flip = { p = 0.5 } }"),
                "{message}"
            );
        }
    }

    #[test]
    fn the_schema_knows_every_transform_and_its_defaults() {
        let schema = schemars::schema_for!(TransformConfig);
        assert_eq!(schema.get("oneOf").unwrap().as_array().unwrap().len(), registry().len());
        let defaults = schema.pointer("/$defs/RandomBrightnessContrast/properties/brightness_limit/default");
        assert_eq!(defaults, Some(&serde_json::json!([-0.2, 0.2])));
        let unknown = schema.pointer("/$defs/HorizontalFlip/additionalProperties");
        assert_eq!(unknown, Some(&Value::Bool(false)));
    }
}
