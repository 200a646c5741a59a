//! The kernels: forward and backward of each op over a whole batch, generic over the float type.

pub(crate) mod activation;
pub(crate) mod avg_pool;
pub(crate) mod batch_norm;
pub(crate) mod column_sums;
pub(crate) mod conv2d;
pub(crate) mod dropout;
pub(crate) mod gather;
pub(crate) mod grouped;
#[cfg(target_arch = "x86_64")]
mod interleave;
pub(crate) mod lanes;
pub(crate) mod layer_norm;
pub(crate) mod linear;
pub(crate) mod loss;
pub(crate) mod multiply;
mod packing;
pub(crate) mod pointwise;
pub(crate) mod prefetch;
pub(crate) mod sparse;
pub mod tile;
pub(crate) mod weight_gradient;
pub(crate) mod winograd;
