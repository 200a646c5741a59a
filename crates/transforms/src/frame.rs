//! The image that transforms work on: pixels, room for a second image, and a table still to be looked up.

use crate::Normalization;

/// Height, width and channels of an image in memory, in this order (HWC).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Rows, in pixels.
    pub height: usize,
    /// Columns, in pixels.
    pub width: usize,
    /// Values of a pixel: 1 for gray, 3 for RGB.
    pub channels: usize,
}

impl Shape {
    /// How many values an image of this shape has.
    pub fn values(self) -> usize {
        self.height * self.width * self.channels
    }

    /// How many values a row has.
    pub fn row(self) -> usize {
        self.width * self.channels
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}x{}", self.height, self.width, self.channels)
    }
}

/// Pixels that are not as many as their shape says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("an image of {shape} (height, width, channels) has {} values, got {got}", shape.values())]
pub struct ShapeError {
    /// The shape given.
    pub shape: Shape,
    /// The values given.
    pub got: usize,
}

/// One image under transformation. It is loaded again for every image and keeps its memory, so that a worker
/// that has seen its largest image allocates no more.
#[derive(Debug, Clone)]
pub struct Frame {
    shape: Shape,
    pixels: Vec<u8>,
    spare: Vec<u8>,
    scratch: Scratch,
    table: [u8; 256],
    table_pending: bool,
}

/// Memory for what is between two images, kept from image to image: taking it anew from the system costs more than many a
/// transform. What it holds at first is arbitrary.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    /// Pixels spread over 64 bits, or other wide words.
    pub wide: Vec<u64>,
    /// Numbers of each value of an image, or coordinates.
    pub floats: Vec<f32>,
    /// The same, where two are needed at once.
    pub more_floats: Vec<f32>,
    /// Bytes, such as a plane of the image.
    pub bytes: Vec<u8>,
    /// 16-bit sums or differences.
    pub shorts: Vec<i16>,
}

impl Default for Frame {
    fn default() -> Self {
        Frame {
            shape: Shape { height: 0, width: 0, channels: 0 },
            pixels: Vec::new(),
            spare: Vec::new(),
            scratch: Scratch::default(),
            table: [0; 256],
            table_pending: false,
        }
    }
}

impl Frame {
    /// A frame without an image.
    pub fn new() -> Self {
        Frame::default()
    }

    /// Takes a copy of an image. `pixels: [H, W, C]`
    ///
    /// # Errors
    /// Where the pixels are not as many as the shape says; the frame stays as it was.
    pub fn load(&mut self, shape: Shape, pixels: &[u8]) -> Result<(), ShapeError> {
        if pixels.len() != shape.values() {
            return Err(ShapeError { shape, got: pixels.len() });
        }
        self.shape = shape;
        self.table_pending = false;
        self.pixels.clear();
        self.pixels.extend_from_slice(pixels);
        Ok(())
    }

    /// The shape of the image as it is now.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The pixels. `[H, W, C]`
    pub fn pixels(&mut self) -> &[u8] {
        self.pixels_mut()
    }

    /// The pixels, to be changed in place. `[H, W, C]`
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        if self.table_pending {
            self.table_pending = false;
            pupila_isa::look_up(&self.table, &mut self.pixels);
        }
        &mut self.pixels
    }

    /// Moves pixels without looking at their values: `rearrange` gets them as they lie, `[H, W, C]`, where a
    /// table of [`map`](Self::map) may still be pending.
    pub fn rearrange(&mut self, rearrange: impl FnOnce(&mut [u8], Shape)) {
        rearrange(&mut self.pixels, self.shape);
    }

    /// Replaces every value `v` by `table[v]`.
    ///
    /// This is put off until someone looks at the pixels: tables that follow each other become one, and the
    /// last is looked up together with normalisation.
    pub fn map(&mut self, table: &[u8; 256]) {
        if self.table_pending {
            for value in &mut self.table {
                *value = table[usize::from(*value)];
            }
        } else {
            self.table = *table;
            self.table_pending = true;
        }
    }

    /// Replaces the image by one of another shape, or of the same where pixels cannot change in place: `draw`
    /// gets the present pixels and those to write, whose values are arbitrary before.
    pub fn redraw(&mut self, shape: Shape, draw: impl FnOnce(&[u8], &mut [u8])) {
        self.redraw_with(shape, |from, to, _| draw(from, to));
    }

    /// The same, for those who need memory on the way.
    pub fn redraw_with(&mut self, shape: Shape, draw: impl FnOnce(&[u8], &mut [u8], &mut Scratch)) {
        self.pixels_mut();
        self.spare.resize(shape.values(), 0);
        draw(&self.pixels, &mut self.spare, &mut self.scratch);
        std::mem::swap(&mut self.pixels, &mut self.spare);
        self.shape = shape;
    }

    /// Changes the pixels in place, for those who need memory on the way.
    pub fn change_with(&mut self, change: impl FnOnce(&mut [u8], &mut Scratch)) {
        self.pixels_mut();
        change(&mut self.pixels, &mut self.scratch);
    }

    /// [`redraw`](Self::redraw) for those who do not look at the values: a table of [`map`](Self::map) stays pending.
    pub fn rearrange_into(&mut self, shape: Shape, draw: impl FnOnce(&[u8], &mut [u8])) {
        self.spare.resize(shape.values(), 0);
        draw(&self.pixels, &mut self.spare);
        std::mem::swap(&mut self.pixels, &mut self.spare);
        self.shape = shape;
    }

    /// Writes the image as the network takes it. `out: [H, W, C]`
    ///
    /// # Errors
    /// Where `out` is not of the image's size.
    pub fn normalize_into(&self, normalization: &Normalization, out: &mut [f32]) -> Result<(), ShapeError> {
        if out.len() != self.shape.values() {
            return Err(ShapeError { shape: self.shape, got: out.len() });
        }
        if self.table_pending {
            normalization.apply_mapped(&self.table, &self.pixels, out);
        } else {
            normalization.apply(&self.pixels, out);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { height: 1, width: 4, channels: 1 };

    #[test]
    fn tables_compose_and_are_seen_by_whoever_looks() {
        let mut frame = Frame::new();
        frame.load(SHAPE, &[0, 1, 2, 255]).unwrap();
        let plus_one: [u8; 256] = std::array::from_fn(|v| (v as u8).saturating_add(1));
        let double: [u8; 256] = std::array::from_fn(|v| (v as u8).saturating_mul(2));
        frame.map(&plus_one);
        frame.map(&double);
        frame.rearrange(|pixels, _| pixels.reverse());
        let mut normalized = [0.0; 4];
        let unit = Normalization::new(vec![0.0], vec![1.0 / 255.0], 255.0).unwrap();
        frame.normalize_into(&unit, &mut normalized).unwrap();
        assert_eq!(normalized, [255.0, 6.0, 4.0, 2.0]);
        assert_eq!(frame.pixels(), [255, 6, 4, 2]);
        frame.normalize_into(&unit, &mut normalized).unwrap();
        assert_eq!(normalized, [255.0, 6.0, 4.0, 2.0]);
    }

    #[test]
    fn redrawing_changes_the_shape() {
        let mut frame = Frame::new();
        frame.load(SHAPE, &[1, 2, 3, 4]).unwrap();
        frame.map(&[7; 256]);
        frame.redraw(Shape { width: 2, ..SHAPE }, |from, to| to.copy_from_slice(&from[1..3]));
        assert_eq!((frame.shape().width, frame.pixels().to_vec()), (2, vec![7, 7]));
        assert!(frame.normalize_into(&Normalization::imagenet(1), &mut [0.0; 4]).is_err());
        let error = frame.load(SHAPE, &[0; 3]).unwrap_err();
        assert_eq!(error.to_string(), "an image of 1x4x1 (height, width, channels) has 4 values, got 3");
    }
}
