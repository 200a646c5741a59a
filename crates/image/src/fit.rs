//! From a picture of any shape to an input of one shape, and to one that is kept.
//!
//! References: torchvision's `Resize`, `CenterCrop` and timm's `create_transform`, whose sizes and offsets are the same.

use crate::{Image, Interpolation, Resampling, resize, resize_by};

/// The value of what a letterbox adds: the middle of 0 to 255.
pub const PADDING: u8 = 128;

/// How a picture of any shape becomes an input of one shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fit {
    /// The sides are scaled separately: all of it is seen, and the aspect ratio is not kept.
    Squash,
    /// It is scaled until it just covers so many rows and columns, and the middle is cut out.
    Crop {
        /// Rows and columns, at least those of the input.
        cover: [u32; 2],
    },
    /// It is scaled until it just lies within the input, and what is left on two sides is gray ([`PADDING`]).
    Letterbox,
}

impl Fit {
    /// Rows and columns that a picture of `from` is scaled to on its way to an input of `to`, before it is cut or padded.
    pub fn scaled(self, from: [u32; 2], to: [u32; 2]) -> [u32; 2] {
        match self {
            Fit::Squash => to,
            Fit::Crop { cover } => {
                let [height, width] = from.map(|side| u64::from(side.max(1)));
                let [rows, columns] = cover.map(u64::from);
                // Cut off, not rounded, as torchvision does.
                if rows * width >= columns * height {
                    [cover[0], ((rows * width / height) as u32).max(cover[1])]
                } else {
                    [((columns * height / width) as u32).max(cover[0]), cover[1]]
                }
            }
            Fit::Letterbox => {
                let [height, width] = from.map(|side| f64::from(side.max(1)));
                let scale = (f64::from(to[0]) / height).min(f64::from(to[1]) / width);
                let side = |side: f64, most: u32| ((side * scale).round() as u32).clamp(1, most);
                [side(height, to[0]), side(width, to[1])]
            }
        }
    }

    /// The input of `to` rows and columns that a picture becomes.
    pub fn apply(self, image: &Image, to: [u32; 2], resampling: Resampling) -> Image {
        let [height, width] = self.scaled([image.height(), image.width()], to);
        self.place(resize_by(image, width, height, resampling), to)
    }

    /// What is left to do once a picture is scaled to [`Fit::scaled`]: its middle, or the picture in the middle of gray.
    pub fn place(self, scaled: Image, to: [u32; 2]) -> Image {
        self.place_on(scaled, to, PADDING)
    }

    fn place_on(self, scaled: Image, to: [u32; 2], padding: u8) -> Image {
        let from = [scaled.height(), scaled.width()];
        if from == to {
            return scaled;
        }
        let channels = usize::from(scaled.channels());
        let [height, width] = to.map(|side| side as usize);
        let mut data = vec![padding; height * width * channels];
        // Where the two overlap: offsets in the picture, and in the input.
        let both = |axis: usize| {
            let (from, to) = (from[axis], to[axis]);
            let len = from.min(to) as usize;
            (centre(from.saturating_sub(to)), to.saturating_sub(from) as usize / 2, len)
        };
        let ((top, down, rows), (left, across, columns)) = (both(0), both(1));
        let source = scaled.width() as usize * channels;
        for row in 0..rows {
            let from = &scaled.data()[(top + row) * source + left * channels..][..columns * channels];
            data[((down + row) * width + across) * channels..][..from.len()].copy_from_slice(from);
        }
        // `data` is as long as the shape says.
        Image::new(to[1], to[0], scaled.channels(), data).unwrap_or(scaled)
    }
}

/// An input's size, and how a picture becomes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Framing {
    /// How a picture of another shape is brought to the size.
    pub fit: Fit,
    /// Rows and columns.
    pub size: [u32; 2],
    /// How it is resized on the way.
    pub resampling: Resampling,
}

impl Framing {
    /// The input that a picture becomes.
    pub fn input(&self, image: &Image) -> Image {
        self.fit.apply(image, self.size, self.resampling)
    }

    /// What the mask of a picture becomes when the picture becomes an input: moved as it is, its values not mixed, and 0 where a letterbox
    /// adds rows or columns.
    pub fn mask(&self, mask: &Image) -> Image {
        let [height, width] = self.fit.scaled([mask.height(), mask.width()], self.size);
        self.fit.place_on(resize(mask, width, height, Interpolation::Nearest), self.size, 0)
    }
}

/// Half of what is cut off, halves to even, as Python's `round` has it.
fn centre(surplus: u32) -> usize {
    (f64::from(surplus) / 2.0).round_ties_even() as usize
}

/// Rows and columns of a picture of `from` whose shorter side is brought to at most `side` pixels, the aspect ratio kept; a smaller one
/// stays as it is. Cut off, not rounded, as torchvision's `Resize` does.
pub fn shorter_side_at_most(from: [u32; 2], side: u32) -> [u32; 2] {
    let shorter = from[0].min(from[1]).max(1);
    if shorter <= side {
        return from;
    }
    from.map(|length| ((u64::from(side) * u64::from(length) / u64::from(shorter)) as u32).max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINEAR: Resampling = Resampling { interpolation: Interpolation::Linear, antialias: true };

    /// Rows of `[column, row, 0]`, so that a pixel says where it was.
    fn map(height: u32, width: u32) -> Image {
        // No nested flat_map: optimized, it branches on a field of an iterator that is not begun, which valgrind reports.
        let mut data = Vec::new();
        for y in 0..height {
            for x in 0..width {
                data.extend([x as u8, y as u8, 0]);
            }
        }
        Image::new(width, height, 3, data).unwrap()
    }

    #[test]
    fn sizes_are_torchvisions() {
        let crop = |side, from| Fit::Crop { cover: [side; 2] }.scaled(from, [224; 2]);
        assert_eq!(crop(256, [375, 500]), [256, 341]);
        assert_eq!(crop(256, [500, 375]), [341, 256]);
        assert_eq!(crop(256, [256, 1000]), [256, 1000]);
        assert_eq!(crop(256, [10, 10]), [256, 256]);
        // Of other shapes, one side just covers.
        assert_eq!(Fit::Crop { cover: [100, 200] }.scaled([300, 300], [100, 200]), [200, 200]);
        assert_eq!(Fit::Letterbox.scaled([375, 500], [224, 224]), [168, 224]);
        assert_eq!(Fit::Letterbox.scaled([1, 5000], [64, 64]), [1, 64]);
        assert_eq!(shorter_side_at_most([375, 500], 256), [256, 341]);
        assert_eq!(shorter_side_at_most([200, 5000], 256), [200, 5000]);
    }

    #[test]
    fn the_middle_is_cut_out_and_the_rest_of_a_letterbox_is_gray() {
        let cut = Fit::Crop { cover: [8, 8] }.apply(&map(8, 13), [4, 4], LINEAR);
        // (13 - 4) / 2 = 4.5, to even; (8 - 4) / 2 = 2.
        assert_eq!(cut.data()[..3], [4, 2, 0]);
        assert_eq!(cut.data()[cut.data().len() - 3..], [7, 5, 0]);
        let boxed = Fit::Letterbox.apply(&map(4, 8), [8, 8], LINEAR);
        let row = |y: usize| &boxed.data()[y * 24..][..24];
        assert!(row(1).iter().chain(row(6)).all(|&value| value == PADDING));
        assert_eq!((row(2)[..3].to_vec(), row(5)[21..].to_vec()), (vec![0, 0, 0], vec![7, 3, 0]));
    }
}
