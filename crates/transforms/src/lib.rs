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

mod affine;
mod border;
mod center_crop;
mod channel_shuffle;
mod children;
mod clahe;
mod coarse_dropout;
mod color;
mod color_jitter;
mod composition;
mod config;
mod crop;
mod elastic_transform;
mod equalize;
mod filter;
mod frame;
mod gauss_noise;
mod gaussian_blur;
mod grid_distortion;
mod grid_dropout;
mod holes;
mod horizontal_flip;
mod hue_saturation_value;
mod image_compression;
mod interpolation;
mod invert_img;
mod iso_noise;
mod jpeg;
mod key;
mod longest_max_size;
mod max_size;
mod median;
mod median_blur;
mod motion_blur;
mod noise;
mod normalization;
mod normalize;
mod one_of;
mod optical_distortion;
mod pad_if_needed;
mod per_axis;
mod perspective;
mod pipeline;
mod policy;
mod posterize;
mod problems;
mod quarter_turn;
mod rand_augment;
mod random_brightness_contrast;
mod random_crop;
mod random_gamma;
mod random_resized_crop;
mod random_rotate90;
mod range;
mod registry;
mod resize;
mod rgb_shift;
mod rotate;
mod sequential;
mod sharpen;
mod shift_scale_rotate;
mod smallest_max_size;
mod smooth;
mod solarize;
mod some_of;
mod to_gray;
mod transform;
mod transpose;
mod trivial_augment;
mod vertical_flip;
mod warp;

pub use affine::{Affine, DrawnAffine};
pub use border::{BorderMode, Fill};
pub use center_crop::CenterCrop;
pub use channel_shuffle::{ChannelShuffle, Order};
pub use children::Children;
pub use clahe::{Clahe, ClipLimit};
pub use coarse_dropout::CoarseDropout;
pub use color_jitter::{ColorJitter, Jitter};
pub use composition::Composition;
pub use config::{Given, TransformConfig};
pub use crop::{CropBox, PadAndCrop, PadPosition, Padding};
pub use elastic_transform::{Displacement, ElasticTransform, NoiseDistribution};
pub use equalize::{Equalize, EqualizeMode};
pub use frame::{Frame, FrameMemory, Scratch, Shape, ShapeError};
pub use gauss_noise::{GaussNoise, GaussianNoise};
pub use gaussian_blur::{GaussianBlur, Kernel};
pub use grid_distortion::{GridDistortion, GridSteps};
pub use grid_dropout::GridDropout;
pub use holes::{HoleFill, Holes, RandomFill};
pub use horizontal_flip::HorizontalFlip;
pub use hue_saturation_value::{HsvShift, HueSaturationValue};
pub use image_compression::{CompressionType, ImageCompression, Quality};
pub use interpolation::{AreaForDownscale, Interpolation};
pub use invert_img::InvertImg;
pub use iso_noise::{IsoNoise, SensorNoise};
pub use key::{DrawKey, SampleKey};
pub use longest_max_size::LongestMaxSize;
pub use max_size::{MaxSize, Scale};
pub use median_blur::{MedianBlur, Side};
pub use motion_blur::{Motion, MotionBlur};
pub use noise::Noise;
pub use normalization::{Normalization, NormalizationError, PerImage};
pub use normalize::{MeanStd, Normalize};
pub use one_of::OneOf;
pub use optical_distortion::{Distortion, LensMode, OpticalDistortion};
pub use pad_if_needed::PadIfNeeded;
pub use per_axis::{Axes, PerAxis};
pub use perspective::{Corners, Perspective};
pub use pipeline::{MaskError, Pipeline};
pub use policy::{PolicyDraw, PolicyOp, PolicyStep};
pub use posterize::{Bits, NumBits, Posterize};
pub use problems::{ConfigError, ConfigErrors, Problem, Problems};
pub use rand_augment::RandAugment;
pub use random_brightness_contrast::{BrightnessContrast, RandomBrightnessContrast};
pub use random_crop::RandomCrop;
pub use random_gamma::{Gamma, RandomGamma};
pub use random_resized_crop::{Cropped, RandomResizedCrop};
pub use random_rotate90::{QuarterTurns, RandomRotate90};
pub use range::{
    AroundOne, Fixed, FromOne, FromThree, FromZero, Pair, Range, RangeKind, Symmetric, SymmetricRange,
    WholeRange,
};
pub use registry::{Entry, entry, registry};
pub use resize::Resize;
pub use rgb_shift::{RgbShift, Shifts};
pub use rotate::{Angle, Rotate};
pub use sequential::Sequential;
pub use sharpen::{Sharpen, SharpenMethod, Sharpness};
pub use shift_scale_rotate::ShiftScaleRotate;
pub use smallest_max_size::SmallestMaxSize;
pub use solarize::{Solarize, Threshold};
pub use some_of::SomeOf;
pub use to_gray::{GrayMethod, ToGray};
pub use transform::{AnyTransform, DrawnError, Nothing, Transform};
pub use transpose::Transpose;
pub use trivial_augment::TrivialAugment;
pub use vertical_flip::VerticalFlip;

/// The worked example of CONTRIBUTING.md, which is compiled and run as it stands there.
#[cfg(doctest)]
#[doc = include_str!("../../../CONTRIBUTING.md")]
struct Contributing;
