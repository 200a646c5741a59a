//! Augmentations of one image, each a file, and the pipeline that draws them.
//!
//! In: 8-bit images, HWC with 1 or 3 channels, and what a recipe says about them. Out: the same kind of
//! images, changed at random; and, by [`Normalization`], the f32 that a network takes.
//!
//! A transform is a struct of its parameters that implements [`Transform`] in a file of its own, and a line
//! of [`registry`]. Its names, parameters, defaults and pixels are those of Albumentations 2.0.8, in
//! snake_case; `parity/transforms/generate.py` writes the golden values. The random numbers are not: whether
//! a transform applies and with which values is a function of (seed, epoch, sample, place in the pipeline)
//! alone, hence independent of threads, batch size and resuming.

mod config;
mod frame;
mod horizontal_flip;
mod normalization;
mod normalize;
mod pipeline;
mod random_brightness_contrast;
mod range;
mod registry;
mod transform;
mod vertical_flip;

pub use config::{ConfigError, ConfigErrors, Problem, Problems, TransformConfig};
pub use frame::{Frame, Shape, ShapeError};
pub use horizontal_flip::HorizontalFlip;
pub use normalization::{Normalization, NormalizationError};
pub use normalize::{MeanStd, Normalize};
pub use pipeline::{Pipeline, SampleKey};
pub use random_brightness_contrast::RandomBrightnessContrast;
pub use range::SymmetricRange;
pub use registry::{Entry, entry, registry};
pub use transform::{AnyTransform, Transform};
pub use vertical_flip::VerticalFlip;
