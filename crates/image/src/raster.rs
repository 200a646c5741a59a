//! A decoded picture whose samples are still those of its file.

use image::DynamicImage;

/// Samples `[height, width, colors + alpha]`.
pub(crate) struct Raster {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// 1 for gray, 3 for RGB.
    pub(crate) colors: usize,
    /// Whether each pixel's alpha comes after its colors.
    pub(crate) alpha: bool,
    pub(crate) samples: Samples,
}

/// The samples, and which of them is white.
pub(crate) enum Samples {
    U8(Vec<u8>),
    U16 { samples: Vec<u16>, white: u16 },
    F32 { samples: Vec<f32>, white: f32 },
}

impl Raster {
    /// A black one of its kind.
    pub(crate) fn black(&self, (width, height): (u32, u32)) -> Raster {
        let count = width as usize * height as usize * self.step();
        let samples = match self.samples {
            Samples::U8(_) => Samples::U8(vec![0; count]),
            Samples::U16 { white, .. } => Samples::U16 { samples: vec![0; count], white },
            Samples::F32 { white, .. } => Samples::F32 { samples: vec![0.0; count], white },
        };
        Raster { width, height, colors: self.colors, alpha: self.alpha, samples }
    }

    /// Lays one of its kind over it, at a column and a row.
    pub(crate) fn paste(&mut self, (left, top): (usize, usize), from: &Raster) {
        let step = self.step();
        let (at, width) = ((top * self.width as usize + left) * step, self.width as usize * step);
        let row = from.width as usize * step;
        match (&mut self.samples, &from.samples) {
            (Samples::U8(to), Samples::U8(from)) => paste(&mut to[at..], width, from, row),
            (Samples::U16 { samples: to, .. }, Samples::U16 { samples: from, .. }) => {
                paste(&mut to[at..], width, from, row);
            }
            (Samples::F32 { samples: to, .. }, Samples::F32 { samples: from, .. }) => {
                paste(&mut to[at..], width, from, row);
            }
            // No other kind is of the same file.
            _ => {}
        }
    }

    fn step(&self) -> usize {
        self.colors + usize::from(self.alpha)
    }
}

fn paste<T: Copy>(to: &mut [T], width: usize, from: &[T], row: usize) {
    for (to, from) in to.chunks_mut(width).zip(from.chunks_exact(row)) {
        to[..row].copy_from_slice(from);
    }
}

impl From<DynamicImage> for Raster {
    fn from(image: DynamicImage) -> Raster {
        let (width, height) = (image.width(), image.height());
        let wide = |samples| Samples::U16 { samples, white: u16::MAX };
        let float = |samples| Samples::F32 { samples, white: 1.0 };
        let (colors, alpha, samples) = match image {
            DynamicImage::ImageLuma8(gray) => (1, false, Samples::U8(gray.into_raw())),
            DynamicImage::ImageLumaA8(gray) => (1, true, Samples::U8(gray.into_raw())),
            DynamicImage::ImageRgb8(rgb) => (3, false, Samples::U8(rgb.into_raw())),
            DynamicImage::ImageRgba8(rgb) => (3, true, Samples::U8(rgb.into_raw())),
            DynamicImage::ImageLuma16(gray) => (1, false, wide(gray.into_raw())),
            DynamicImage::ImageLumaA16(gray) => (1, true, wide(gray.into_raw())),
            DynamicImage::ImageRgb16(rgb) => (3, false, wide(rgb.into_raw())),
            DynamicImage::ImageRgba16(rgb) => (3, true, wide(rgb.into_raw())),
            DynamicImage::ImageRgb32F(rgb) => (3, false, float(rgb.into_raw())),
            DynamicImage::ImageRgba32F(rgb) => (3, true, float(rgb.into_raw())),
            other if other.color().has_color() => (3, false, Samples::U8(other.into_rgb8().into_raw())),
            other => (1, false, Samples::U8(other.into_luma8().into_raw())),
        };
        Raster { width, height, colors, alpha, samples }
    }
}
