//! The activations and their derivatives, for one value: what the pointwise stages are made of.

use crate::float::Float;
use pupila_network::Activation;

/// An activation that is known when the loop around it is compiled.
pub(crate) trait Elementwise {
    /// f(z)
    fn value<T: Float>(z: T) -> T;
    /// f'(z), from z and f(z)
    fn slope<T: Float>(z: T, value: T) -> T;
}

/// No activation.
pub(crate) struct Identity;
pub(crate) struct Relu;
pub(crate) struct Relu6;
pub(crate) struct LeakyRelu;
pub(crate) struct Sigmoid;
pub(crate) struct Tanh;
pub(crate) struct Gelu;
pub(crate) struct Silu;
pub(crate) struct Hardswish;
pub(crate) struct Hardsigmoid;

impl Elementwise for Identity {
    #[inline(always)]
    fn value<T: Float>(z: T) -> T {
        z
    }
    #[inline(always)]
    fn slope<T: Float>(_: T, _: T) -> T {
        T::ONE
    }
}

impl Elementwise for Relu {
    // A NaN must stay a NaN, as in PyTorch: so the comparison is one that a NaN fails.
    #[inline(always)]
    fn value<T: Float>(z: T) -> T {
        if z < T::ZERO { T::ZERO } else { z }
    }
    #[inline(always)]
    fn slope<T: Float>(z: T, _: T) -> T {
        if z > T::ZERO { T::ONE } else { T::ZERO }
    }
}

impl Elementwise for Relu6 {
    #[inline(always)]
    fn value<T: Float>(z: T) -> T {
        let six = T::of(6.0);
        if z < T::ZERO {
            T::ZERO
        } else if z > six {
            six
        } else {
            z
        }
    }
    #[inline(always)]
    fn slope<T: Float>(z: T, _: T) -> T {
        if z > T::ZERO && z < T::of(6.0) { T::ONE } else { T::ZERO }
    }
}

impl Elementwise for LeakyRelu {
    #[inline(always)]
    fn value<T: Float>(z: T) -> T {
        if z < T::ZERO { z * T::of(Activation::LEAKY_SLOPE) } else { z }
    }
    #[inline(always)]
    fn slope<T: Float>(z: T, _: T) -> T {
        if z > T::ZERO { T::ONE } else { T::of(Activation::LEAKY_SLOPE) }
    }
}

impl Elementwise for Sigmoid {
    #[inline(always)]
    fn value<T: Float>(z: T) -> T {
        T::ONE / (T::ONE + (-z).exp())
    }
    #[inline(always)]
    fn slope<T: Float>(_: T, value: T) -> T {
        value * (T::ONE - value)
    }
}

impl Elementwise for Tanh {
    #[inline(always)]
    fn value<T: Float>(z: T) -> T {
        z.tanh()
    }
    #[inline(always)]
    fn slope<T: Float>(_: T, value: T) -> T {
        T::ONE - value * value
    }
}

impl Elementwise for Gelu {
    #[inline(always)]
    fn value<T: Float>(z: T) -> T {
        z * z.normal().0
    }
    #[inline(always)]
    fn slope<T: Float>(z: T, _: T) -> T {
        let (distribution, density) = z.normal();
        distribution + z * density
    }
}

impl Elementwise for Silu {
    #[inline(always)]
    fn value<T: Float>(z: T) -> T {
        z * Sigmoid::value(z)
    }
    #[inline(always)]
    fn slope<T: Float>(z: T, _: T) -> T {
        let s = Sigmoid::value(z);
        s * (T::ONE + z * (T::ONE - s))
    }
}

impl Elementwise for Hardsigmoid {
    #[inline(always)]
    fn value<T: Float>(z: T) -> T {
        Relu6::value(z + T::of(3.0)) * T::of(1.0 / 6.0)
    }
    #[inline(always)]
    fn slope<T: Float>(z: T, _: T) -> T {
        if z > T::of(-3.0) && z < T::of(3.0) { T::of(1.0 / 6.0) } else { T::ZERO }
    }
}

impl Elementwise for Hardswish {
    #[inline(always)]
    fn value<T: Float>(z: T) -> T {
        z * Hardsigmoid::value(z)
    }
    #[inline(always)]
    fn slope<T: Float>(z: T, _: T) -> T {
        if z <= T::of(-3.0) {
            T::ZERO
        } else if z < T::of(3.0) {
            z * T::of(1.0 / 3.0) + T::of(0.5)
        } else {
            T::ONE
        }
    }
}

/// Calls a function that is generic over the float and the activation with the activation that is wanted.
macro_rules! with_activation {
    ($activation:expr, $function:ident::<$t:ty>($($argument:expr),* $(,)?)) => {
        match $activation {
            None => $function::<$t, $crate::kernels::activation::Identity>($($argument),*),
            Some(pupila_network::Activation::Relu) => $function::<$t, $crate::kernels::activation::Relu>($($argument),*),
            Some(pupila_network::Activation::Relu6) => $function::<$t, $crate::kernels::activation::Relu6>($($argument),*),
            Some(pupila_network::Activation::LeakyRelu) => $function::<$t, $crate::kernels::activation::LeakyRelu>($($argument),*),
            Some(pupila_network::Activation::Sigmoid) => $function::<$t, $crate::kernels::activation::Sigmoid>($($argument),*),
            Some(pupila_network::Activation::Tanh) => $function::<$t, $crate::kernels::activation::Tanh>($($argument),*),
            Some(pupila_network::Activation::Gelu) => $function::<$t, $crate::kernels::activation::Gelu>($($argument),*),
            Some(pupila_network::Activation::Silu) => $function::<$t, $crate::kernels::activation::Silu>($($argument),*),
            Some(pupila_network::Activation::Hardswish) => {
                $function::<$t, $crate::kernels::activation::Hardswish>($($argument),*)
            }
            Some(pupila_network::Activation::Hardsigmoid) => {
                $function::<$t, $crate::kernels::activation::Hardsigmoid>($($argument),*)
            }
        }
    };
}
pub(crate) use with_activation;
