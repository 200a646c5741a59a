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

/// One image under transformation. At first its pixels are the caller's, which are read where they lie; whatever changes them
/// first writes what it makes into the memory.
#[derive(Debug)]
pub struct Frame<'a> {
    shape: Shape,
    /// The caller's pixels, as long as nothing has changed them: then those in the memory mean nothing.
    source: Option<&'a [u8]>,
    memory: &'a mut FrameMemory,
    table: [u8; 256],
    table_pending: bool,
}

/// Memory of a frame, to be used again for the next image, so that a worker that has seen its largest image allocates no more.
#[derive(Debug, Clone, Default)]
pub struct FrameMemory {
    pixels: Vec<u8>,
    spare: Vec<u8>,
    scratch: Scratch,
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
    /// 16-bit values in fixed point.
    pub words: Vec<u16>,
}

impl<'a> Frame<'a> {
    /// An image that is not copied. `pixels: [H, W, C]`
    ///
    /// # Errors
    /// Where the pixels are not as many as the shape says.
    pub fn new(shape: Shape, pixels: &'a [u8], memory: &'a mut FrameMemory) -> Result<Self, ShapeError> {
        if pixels.len() != shape.values() {
            return Err(ShapeError { shape, got: pixels.len() });
        }
        Ok(Frame { shape, source: Some(pixels), memory, table: [0; 256], table_pending: false })
    }

    /// The shape of the image as it is now.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The pixels. `[H, W, C]`
    pub fn pixels(&mut self) -> &[u8] {
        match self.source {
            Some(source) if !self.table_pending => source,
            _ => self.pixels_mut(),
        }
    }

    /// The pixels, to be changed in place. `[H, W, C]`
    pub fn pixels_mut(&mut self) -> &mut [u8] {
        let pixels = &mut self.memory.pixels;
        match (self.source.take(), self.table_pending) {
            (Some(source), true) => {
                pixels.resize(source.len(), 0);
                pupila_isa::look_up_into(&self.table, source, pixels);
            }
            (Some(source), false) => {
                pixels.clear();
                pixels.extend_from_slice(source);
            }
            (None, true) => pupila_isa::look_up(&self.table, pixels),
            (None, false) => {}
        }
        self.table_pending = false;
        pixels
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

    /// Replaces the image by one of another shape, or of the same where pixels cannot change in place or are read only once:
    /// `draw` gets the present pixels and those to write, whose values are arbitrary before.
    pub fn redraw(&mut self, shape: Shape, draw: impl FnOnce(&[u8], &mut [u8])) {
        self.redraw_with(shape, |from, to, _| draw(from, to));
    }

    /// The same, for those who need memory on the way.
    pub fn redraw_with(&mut self, shape: Shape, draw: impl FnOnce(&[u8], &mut [u8], &mut Scratch)) {
        if self.table_pending {
            self.pixels_mut();
        }
        self.write(shape, draw);
    }

    /// Changes the pixels in place, for those who need memory on the way.
    pub fn change_with(&mut self, change: impl FnOnce(&mut [u8], &mut Scratch)) {
        self.pixels_mut();
        change(&mut self.memory.pixels, &mut self.memory.scratch);
    }

    /// [`redraw`](Self::redraw) for those who move pixels without looking at their values: a table of [`map`](Self::map) stays
    /// pending.
    pub fn rearrange(&mut self, shape: Shape, draw: impl FnOnce(&[u8], &mut [u8])) {
        self.write(shape, |from, to, _| draw(from, to));
    }

    fn write(&mut self, shape: Shape, draw: impl FnOnce(&[u8], &mut [u8], &mut Scratch)) {
        let FrameMemory { pixels, spare, scratch } = &mut *self.memory;
        spare.resize(shape.values(), 0);
        draw(self.source.take().unwrap_or(pixels), spare, scratch);
        std::mem::swap(pixels, spare);
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
        let pixels = self.source.unwrap_or(&self.memory.pixels);
        if self.table_pending {
            normalization.apply_mapped(&self.table, pixels, out);
        } else {
            normalization.apply(pixels, out);
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
        let mut memory = FrameMemory::default();
        let mut frame = Frame::new(SHAPE, &[0, 1, 2, 255], &mut memory).unwrap();
        let plus_one: [u8; 256] = std::array::from_fn(|v| (v as u8).saturating_add(1));
        let double: [u8; 256] = std::array::from_fn(|v| (v as u8).saturating_mul(2));
        frame.map(&plus_one);
        frame.map(&double);
        frame.rearrange(SHAPE, |from, to| to.iter_mut().zip(from.iter().rev()).for_each(|(to, &v)| *to = v));
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
        let mut memory = FrameMemory::default();
        let mut frame = Frame::new(SHAPE, &[1, 2, 3, 4], &mut memory).unwrap();
        frame.map(&[7; 256]);
        frame.redraw(Shape { width: 2, ..SHAPE }, |from, to| to.copy_from_slice(&from[1..3]));
        assert_eq!((frame.shape().width, frame.pixels().to_vec()), (2, vec![7, 7]));
        assert!(frame.normalize_into(&Normalization::imagenet(1), &mut [0.0; 4]).is_err());
        let error = Frame::new(SHAPE, &[0; 3], &mut memory).unwrap_err();
        assert_eq!(error.to_string(), "an image of 1x4x1 (height, width, channels) has 4 values, got 3");
    }

    /// Whatever is done first meets the caller's pixels, and what is done next the pixels that it has made.
    #[test]
    fn the_callers_pixels_are_read_and_stay_as_they_are() {
        let source = [10, 20, 30, 40];
        let inverted: [u8; 256] = std::array::from_fn(|v| !(v as u8));
        let firsts: [fn(&mut Frame<'_>, &[u8; 256]); 5] = [
            |_, _| (),
            |frame, inverted| frame.map(inverted),
            |frame, _| frame.pixels_mut().reverse(),
            |frame, _| {
                frame.rearrange(SHAPE, |from, to| to.copy_from_slice(&[from[3], from[2], from[1], from[0]]))
            },
            |frame, _| frame.change_with(|pixels, _| pixels.rotate_left(1)),
        ];
        let made = [source, [245, 235, 225, 215], [40, 30, 20, 10], [40, 30, 20, 10], [20, 30, 40, 10]];
        let mut memory = FrameMemory::default();
        for (first, made) in firsts.iter().zip(made) {
            for again in [false, true] {
                let mut frame = Frame::new(SHAPE, &source, &mut memory).unwrap();
                first(&mut frame, &inverted);
                let wanted = if again { made.map(|v| !v) } else { made };
                if again {
                    frame.map(&inverted);
                }
                let mut normalized = [0.0; 4];
                let raw = Normalization::new(vec![0.0], vec![1.0], 1.0).unwrap();
                frame.normalize_into(&raw, &mut normalized).unwrap();
                assert_eq!(normalized.map(|v| v as u8), wanted);
                assert_eq!(frame.pixels(), wanted);
                frame.redraw(SHAPE, |from, to| to.copy_from_slice(from));
                assert_eq!(frame.pixels(), wanted);
            }
        }
        assert_eq!(source, [10, 20, 30, 40]);
    }
}
