//! Elementwise activations and their derivatives.

use crate::float::Float;
use crate::isa::per_isa;
use crate::parallel::{Shared, for_each};
use pupila_network::Activation;

/// Elements that one job works on.
const BLOCK: usize = 16 << 10;

/// y = f(x); both have the same length.
pub(crate) fn forward<T: Float>(activation: Activation, x: &[T], y: &mut [T]) {
    let shared = Shared::new(&mut *y);
    for_each(x.len().div_ceil(BLOCK), |job| {
        let range = job * BLOCK..x.len().min((job + 1) * BLOCK);
        // SAFETY: each job has its own range.
        #[allow(unsafe_code)]
        let y = unsafe { shared.part(range.clone()) };
        forward_block(activation, &x[range], y);
    });
}

/// dx = dy f'(x), from the input and the output of the forward pass.
pub(crate) fn backward<T: Float>(activation: Activation, x: &[T], y: &[T], dy: &[T], dx: &mut [T]) {
    let shared = Shared::new(&mut *dx);
    for_each(x.len().div_ceil(BLOCK), |job| {
        let range = job * BLOCK..x.len().min((job + 1) * BLOCK);
        // SAFETY: each job has its own range.
        #[allow(unsafe_code)]
        let dx = unsafe { shared.part(range.clone()) };
        backward_block(activation, &x[range.clone()], &y[range.clone()], &dy[range], dx);
    });
}

per_isa! {
    fn forward_block<T: Float>(activation: Activation, x: &[T], y: &mut [T]) {
        let six = T::of(6.0);
        let slope = T::of(Activation::LEAKY_SLOPE);
        match activation {
            // A NaN must stay a NaN, as in PyTorch: so the comparison is one that a NaN fails.
            Activation::Relu => map(x, y, |x| if x < T::ZERO { T::ZERO } else { x }),
            Activation::Relu6 => map(x, y, |x| if x < T::ZERO { T::ZERO } else if x > six { six } else { x }),
            Activation::LeakyRelu => map(x, y, |x| if x < T::ZERO { x * slope } else { x }),
            Activation::Sigmoid => map(x, y, sigmoid),
            Activation::Tanh => map(x, y, |x| x.tanh()),
            Activation::Gelu => map(x, y, |x| x * normal_cdf(x)),
            Activation::Silu => map(x, y, |x| x * sigmoid(x)),
        }
    }
}

per_isa! {
    fn backward_block<T: Float>(activation: Activation, x: &[T], y: &[T], dy: &[T], dx: &mut [T]) {
        let six = T::of(6.0);
        let slope = T::of(Activation::LEAKY_SLOPE);
        match activation {
            Activation::Relu => map2(x, dy, dx, |x, d| if x > T::ZERO { d } else { T::ZERO }),
            Activation::Relu6 => map2(x, dy, dx, |x, d| if x > T::ZERO && x < six { d } else { T::ZERO }),
            Activation::LeakyRelu => map2(x, dy, dx, |x, d| if x > T::ZERO { d } else { d * slope }),
            Activation::Sigmoid => map2(y, dy, dx, |y, d| d * y * (T::ONE - y)),
            Activation::Tanh => map2(y, dy, dx, |y, d| d * (T::ONE - y * y)),
            Activation::Gelu => map2(x, dy, dx, |x, d| d * (normal_cdf(x) + x * normal_density(x))),
            Activation::Silu => map2(x, dy, dx, |x, d| {
                let s = sigmoid(x);
                d * s * (T::ONE + x * (T::ONE - s))
            }),
        }
    }
}

#[inline(always)]
fn map<T: Float>(x: &[T], y: &mut [T], f: impl Fn(T) -> T) {
    for (y, &x) in y.iter_mut().zip(x) {
        *y = f(x);
    }
}

#[inline(always)]
fn map2<T: Float>(x: &[T], dy: &[T], dx: &mut [T], f: impl Fn(T, T) -> T) {
    for ((dx, &x), &d) in dx.iter_mut().zip(x).zip(dy) {
        *dx = f(x, d);
    }
}

fn sigmoid<T: Float>(x: T) -> T {
    T::ONE / (T::ONE + (-x).exp())
}

fn normal_density<T: Float>(x: T) -> T {
    T::of((-0.5 * x.to_f64() * x.to_f64()).exp() / (2.0 * std::f64::consts::PI).sqrt())
}

/// The distribution function of the standard normal distribution, 0.5 erfc(-x / sqrt 2).
fn normal_cdf<T: Float>(x: T) -> T {
    T::of(0.5 * libm::erfc(-x.to_f64() * std::f64::consts::FRAC_1_SQRT_2))
}
