//! The instruction set, found once at run time, and what pixels need of it: loops compiled for each set, and the few
//! shuffles of bytes that no compiler finds by itself.
//!
//! No result depends on the set: Rust never fuses a multiplication and an addition by itself, so the same code gives the
//! same bits however wide its vectors are.

mod dispatch;
mod lookup;
mod pixels;
mod reverse;

pub use dispatch::{Isa, dispatch};
pub use lookup::{look_up, look_up_into};
pub use pixels::{BLOCK, join, map_pixels, planes_of, split, write_planes};
pub use reverse::reverse_pixels;
