//! YCbCr to RGB by libtiff's tables (`TIFFYCbCrToRGBInit` and `TIFFYCbCrtoRGB` of `tif_color.c`), to the bit: that is what Pillow shows.

use super::malformed;
use super::page::Page;
use crate::DecodeError;

/// What each value of a sample adds to the colors.
pub(super) struct Tables {
    luma: [i32; 256],
    red: [i32; 256],
    blue: [i32; 256],
    /// Of Cb and of Cr, with 16 bits behind the point.
    green: [[i32; 256]; 2],
}

impl Tables {
    pub(super) fn of(page: &Page<'_>) -> Result<Tables, DecodeError> {
        let [red, green, blue] = match page.coefficients[..] {
            [] => [0.299, 0.587, 0.114],
            [red, green, blue] if green > 0.0 => [red, green, blue],
            _ => return Err(malformed("its coefficients of YCbCr make no sense")),
        };
        let reference: [f32; 6] = match page.reference[..] {
            [] => [0.0, 255.0, 128.0, 255.0, 128.0, 255.0],
            _ => page.reference[..]
                .try_into()
                .map_err(|_| malformed("its reference of YCbCr makes no sense"))?,
        };
        let fixed = |value: f32| (f64::from(value.clamp(0.0, 2.0)) * 65536.0 + 0.5) as i32;
        let (of_cr, of_cb) = (2.0 - 2.0 * red, 2.0 - 2.0 * blue);
        let (to_red, to_blue) = (fixed(of_cr), fixed(of_cb));
        let (red_to_green, blue_to_green) = (-fixed(red * of_cr / green), -fixed(blue * of_cb / green));
        let mut tables = Tables { luma: [0; 256], red: [0; 256], blue: [0; 256], green: [[0; 256]; 2] };
        const HALF: i32 = 1 << 15;
        for value in 0..256 {
            let centered = value as i32 - 128;
            let chroma = |at: usize| code(centered, reference[at] - 128.0, reference[at + 1] - 128.0, 127.0);
            let (cb, cr) = (chroma(2), chroma(4));
            tables.luma[value] = code(value as i32, reference[0], reference[1], 255.0);
            tables.red[value] = (to_red * cr + HALF) >> 16;
            tables.blue[value] = (to_blue * cb + HALF) >> 16;
            tables.green[0][value] = blue_to_green * cb + HALF;
            tables.green[1][value] = red_to_green * cr;
        }
        Ok(tables)
    }

    pub(super) fn rgb(&self, pixel: &[u8]) -> [u8; 3] {
        let [y, cb, cr] = [0, 1, 2].map(|at| usize::from(pixel[at]));
        let luma = self.luma[y];
        let green = (self.green[0][cb] + self.green[1][cr]) >> 16;
        [luma + self.red[cr], luma + green, luma + self.blue[cb]].map(|value| value.clamp(0, 255) as u8)
    }
}

/// A value between black and white in a range, within bounds that keep the sums above within 32 bits.
fn code(value: i32, black: f32, white: f32, range: f32) -> i32 {
    let width = if white == black { 1.0 } else { white - black };
    let value = value.saturating_sub(black as i32) as f32 * range / width;
    value.clamp(-4096.0, 4096.0) as i32
}
