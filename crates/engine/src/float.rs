//! The two float types that the engine computes in. `f32` is what trains; `f64` is the twin that shares every line of
//! the kernels, so that a numerical gradient check in `f64` checks the code that trains.

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
    /// e to the power of it.
    fn exp(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// True where it is not a number.
    fn is_nan(self) -> bool;
    /// True where neither infinite nor NaN.
    fn finite(self) -> bool;
    /// Zero for what is nearer to it than `least`, else itself, NaN too.
    #[inline(always)]
    fn settled(self, least: Self) -> Self {
        if self < least && -self < least { Self::ZERO } else { self }
    }
    /// The matrix tile of this type on this machine.
    fn tile() -> Tile<Self>;
    /// The transforms of this type on this machine by which convolutions of 3x3 multiply less.
    fn transforms() -> Transforms<Self>;
}

macro_rules! float {
    ($type:ty, $tile:path, $transforms:path) => {
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
            fn exp(self) -> Self {
                self.exp()
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                self.tanh()
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

use crate::kernels::winograd::{f32_transforms, f64_transforms};

float!(f32, crate::kernels::tile::f32_tile, f32_transforms);
float!(f64, crate::kernels::tile::f64_tile, f64_transforms);
