//! The two float types that the engine computes in. `f32` is what trains; `f64` is the twin that shares every line of
//! the kernels, so that a numerical gradient check in `f64` checks the code that trains. Only `exp`, `tanh` and `normal` have a code
//! of their own for each ([`crate::elementary`]).

use crate::kernels::tile::Tile;
use crate::kernels::winograd::Transforms;
use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// `f32` or `f64`.
pub trait Float:
    Copy
    + Send
    + Sync
    + Default
    + Debug
    + PartialOrd
    + bytemuck::Pod
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + 'static
{
    /// 0
    const ZERO: Self;
    /// 1
    const ONE: Self;
    /// The smallest normal number.
    const LEAST: Self;
    /// The nearest value of this type.
    fn of(x: f64) -> Self;
    /// The same value in double precision.
    fn to_f64(self) -> f64;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Without its sign.
    fn abs(self) -> Self;
    /// e to the power of it.
    fn exp(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// The distribution function and the density of the standard normal distribution.
    fn normal(self) -> (Self, Self);
    /// True where it is not a number.
    fn is_nan(self) -> bool;
    /// True where neither infinite nor NaN.
    fn finite(self) -> bool;
    /// Zero for what is nearer to it than `least`, else itself, NaN too.
    #[inline(always)]
    fn settled(self, least: Self) -> Self {
        if self.abs() < least { Self::ZERO } else { self }
    }
    /// The matrix tile of this type on this machine.
    fn tile() -> Tile<Self>;
    /// The transforms of this type on this machine by which convolutions of 3x3 multiply less.
    fn transforms() -> Transforms<Self>;
}

macro_rules! float {
    ($type:ty, $exp:path, $tanh:path, $normal:path, $tile:path, $transforms:path) => {
        impl Float for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const LEAST: Self = <$type>::MIN_POSITIVE;
            #[inline(always)]
            fn of(x: f64) -> Self {
                x as $type
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                self.sqrt()
            }
            #[inline(always)]
            fn abs(self) -> Self {
                self.abs()
            }
            #[inline(always)]
            fn exp(self) -> Self {
                $exp(self)
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                $tanh(self)
            }
            #[inline(always)]
            fn normal(self) -> (Self, Self) {
                $normal(self)
            }
            #[inline(always)]
            #[allow(clippy::eq_op)]
            fn is_nan(self) -> bool {
                self != self
            }
            #[inline(always)]
            fn finite(self) -> bool {
                self.is_finite()
            }
            fn tile() -> Tile<Self> {
                $tile()
            }
            fn transforms() -> Transforms<Self> {
                $transforms()
            }
        }
    };
}

/// 0.5 erfc(-x / sqrt 2) and e^(-x^2 / 2) / sqrt(2 pi).
fn normal(x: f64) -> (f64, f64) {
    let distribution = 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
    (distribution, (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt())
}

use crate::elementary;
use crate::kernels::winograd::{f32_transforms, f64_transforms};

float!(
    f32,
    elementary::exp,
    elementary::tanh,
    elementary::normal,
    crate::kernels::tile::f32_tile,
    f32_transforms
);
float!(f64, f64::exp, f64::tanh, normal, crate::kernels::tile::f64_tile, f64_transforms);
