//! Pictures of results, drawn pixel by pixel: grids of captioned images, confusion matrices, filters.
//!
//! In: images, names and counts. Out: an RGB [`pupila_image::Image`]. Nothing here knows where it will be shown.

mod canvas;
mod filters;
mod grid;
mod matrix;

pub use canvas::{Canvas, Color, text_width};
pub use filters::filters;
pub use grid::{Tile, grid};
pub use matrix::confusion_matrix;
