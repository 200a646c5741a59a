//! Moving pixels by quarter turns and transposition.

use crate::{Frame, Shape};
use pupila_isa::reverse_pixels;

/// Where the pixels of a turned image are taken from, counted in pixels of the source.
pub(crate) struct Steps {
    /// The first pixel.
    pub start: isize,
    /// From one to its right neighbour in the result.
    pub right: isize,
    /// From one to that below.
    pub down: isize,
}

/// Pixels on a side of the blocks that are turned at a time, so that both images are met in whole cache lines.
const BLOCK: usize = 16;

/// Exchanges the sides of the image; pixels move as the steps say for its shape.
pub(crate) fn turn(frame: &mut Frame, steps: impl FnOnce(Shape) -> Steps) {
    let shape = frame.shape();
    let out = Shape { height: shape.width, width: shape.height, ..shape };
    let steps = steps(shape);
    frame.rearrange(out, |from, to| match shape.channels {
        3 => turn_pixels(from.as_chunks::<3>().0, to.as_chunks_mut::<3>().0, out, &steps),
        _ => turn_pixels(from, to, out, &steps),
    });
}

fn turn_pixels<P: Copy>(from: &[P], to: &mut [P], out: Shape, steps: &Steps) {
    for top in (0..out.height).step_by(BLOCK) {
        for left in (0..out.width).step_by(BLOCK) {
            let columns = left..(left + BLOCK).min(out.width);
            for y in top..(top + BLOCK).min(out.height) {
                let row = &mut to[y * out.width..][columns.clone()];
                let mut at = steps.start + steps.down * y as isize + steps.right * left as isize;
                for pixel in row {
                    *pixel = from[at as usize];
                    at += steps.right;
                }
            }
        }
    }
}

/// Turns the image upside down.
pub(crate) fn half_turn(frame: &mut Frame) {
    let shape = frame.shape();
    frame.rearrange(shape, |from, to| match shape.channels {
        3 => reverse_pixels(from, to),
        _ => to.iter_mut().zip(from.iter().rev()).for_each(|(to, &value)| *to = value),
    });
}
