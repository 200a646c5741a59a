//! The registry: every transform by name.

use crate::composition::{Composed, Composition};
use crate::config::Given;
use crate::{
    Affine, AnyTransform, CenterCrop, ChannelShuffle, Clahe, CoarseDropout, ColorJitter, ElasticTransform,
    Equalize, GaussNoise, GaussianBlur, GridDistortion, GridDropout, HorizontalFlip, HueSaturationValue,
    ImageCompression, InvertImg, IsoNoise, LongestMaxSize, MedianBlur, MotionBlur, OneOf, OpticalDistortion,
    PadIfNeeded, Perspective, Posterize, Problems, RandAugment, RandomBrightnessContrast, RandomCrop,
    RandomGamma, RandomResizedCrop, RandomRotate90, Resize, RgbShift, Rotate, Sequential, Sharpen,
    ShiftScaleRotate, SmallestMaxSize, Solarize, SomeOf, ToGray, Transform, TransformConfig, Transpose,
    TrivialAugment, VerticalFlip,
};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value};
use std::any::TypeId;

const REGISTRY: &[Entry] = &[
    Entry::of::<HorizontalFlip>(),
    Entry::of::<VerticalFlip>(),
    Entry::of::<Transpose>(),
    Entry::of::<RandomRotate90>(),
    Entry::of::<Resize>(),
    Entry::of::<SmallestMaxSize>(),
    Entry::of::<LongestMaxSize>(),
    Entry::of::<CenterCrop>(),
    Entry::of::<RandomCrop>(),
    Entry::of::<RandomResizedCrop>(),
    Entry::of::<PadIfNeeded>(),
    Entry::of::<Rotate>(),
    Entry::of::<ShiftScaleRotate>(),
    Entry::of::<Affine>(),
    Entry::of::<Perspective>(),
    Entry::of::<ElasticTransform>(),
    Entry::of::<GridDistortion>(),
    Entry::of::<OpticalDistortion>(),
    Entry::of::<RandomBrightnessContrast>(),
    Entry::of::<ColorJitter>(),
    Entry::of::<HueSaturationValue>(),
    Entry::of::<RgbShift>(),
    Entry::of::<RandomGamma>(),
    Entry::of::<Clahe>(),
    Entry::of::<ToGray>(),
    Entry::of::<ChannelShuffle>(),
    Entry::of::<InvertImg>(),
    Entry::of::<Posterize>(),
    Entry::of::<Solarize>(),
    Entry::of::<Equalize>(),
    Entry::of::<GaussianBlur>(),
    Entry::of::<MotionBlur>(),
    Entry::of::<MedianBlur>(),
    Entry::of::<Sharpen>(),
    Entry::of::<GaussNoise>(),
    Entry::of::<IsoNoise>(),
    Entry::of::<ImageCompression>(),
    Entry::of::<CoarseDropout>(),
    Entry::of::<GridDropout>(),
    Entry::of::<RandAugment>(),
    Entry::of::<TrivialAugment>(),
    Entry::composition::<OneOf>(),
    Entry::composition::<SomeOf>(),
    Entry::composition::<Sequential>(),
];

/// All transforms. A new one is a file with its struct and a line here.
pub fn registry() -> &'static [Entry] {
    REGISTRY
}

/// The transform of a name.
pub fn entry(name: &str) -> Option<&'static Entry> {
    REGISTRY.iter().find(|entry| entry.name == name)
}

type Build = fn(&Map<String, Value>, &mut Problems) -> Option<Box<dyn AnyTransform>>;

/// A registered transform.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its name in a recipe.
    pub name: &'static str,
    /// One line for `pupila list transforms`.
    pub description: &'static str,
    default: fn() -> Box<dyn AnyTransform>,
    parameters: fn() -> Map<String, Value>,
    build: Build,
    schema: fn(&mut SchemaGenerator) -> Schema,
    type_id: fn() -> TypeId,
}

/// A composition of nothing.
fn empty<C: Composition>() -> Composed<C> {
    let mut none = Map::new();
    none.insert("transforms".to_owned(), Value::Array(Vec::new()));
    Composed(C::build(&mut Given::new(&none), &mut Problems::new("")))
}

impl Entry {
    const fn of<T: Transform>() -> Self {
        Entry {
            name: T::NAME,
            description: T::DESCRIPTION,
            default: || Box::new(T::default()),
            parameters: || crate::transform::all_parameters(&T::default()),
            build: |parameters, problems| Some(Box::new(crate::config::build::<T>(parameters, problems)?)),
            schema: |generator| generator.subschema_for::<T>(),
            type_id: TypeId::of::<T>,
        }
    }

    const fn composition<C: Composition>() -> Self {
        Entry {
            name: C::NAME,
            description: C::DESCRIPTION,
            default: || Box::new(empty::<C>()),
            parameters: || empty::<C>().parameters(),
            build: |parameters, problems| {
                Some(Box::new(Composed(crate::config::build_composition::<C>(parameters, problems)?)))
            },
            schema: crate::composition::schema::<C>,
            type_id: TypeId::of::<C>,
        }
    }

    /// All its parameters and their defaults, null for those that may be left out.
    pub fn parameters(&self) -> Map<String, Value> {
        (self.parameters)()
    }

    /// Its configuration with all parameters at their defaults.
    pub fn default_config(&self) -> TransformConfig {
        TransformConfig::new(self.name, (self.default)().parameters())
    }

    /// Whether it is the transform of this type.
    pub(crate) fn is<T: 'static>(&self) -> bool {
        (self.type_id)() == TypeId::of::<T>()
    }

    /// The transform of some parameters, the others at their defaults; or `None` and the reasons in
    /// `problems`.
    pub fn build(
        &self,
        parameters: &Map<String, Value>,
        problems: &mut Problems,
    ) -> Option<Box<dyn AnyTransform>> {
        (self.build)(parameters, problems)
    }

    /// The JSON schema of its parameters.
    pub fn schema(&self, generator: &mut SchemaGenerator) -> Schema {
        (self.schema)(generator)
    }
}
