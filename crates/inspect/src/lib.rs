//! What is in a data set of images, and what is wrong with it.
//!
//! In: a [`Dataset`](pupila_dataset::Dataset), whose files are read once ([`look`]). Out: a [`Sight`] of each image, and what follows from
//! all of them: copies, facts that give the class away, pictures that are unusual. Nothing is ever changed.

mod measure;
pub mod near;
mod sight;

pub use measure::{Measured, measure};
pub use sight::{COLOR_SIDE, SIDE, Sight, Taken};
