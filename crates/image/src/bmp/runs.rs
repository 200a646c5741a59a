//! Pixels of a bitmap as runs: pairs of a count and a color, rows and jumps between them, each within its row.

use super::{Bitmap, damaged, truncated};
use crate::decode::DecodeError;

/// The pixels of all rows, from the top. Those that are jumped over, or lie behind an early end, are of color 0, as in Pillow.
pub(super) fn read(bitmap: &Bitmap, bits: u32) -> Result<Vec<u8>, DecodeError> {
    let (width, height) = (bitmap.width as usize, bitmap.height as usize);
    let mut out = bitmap.canvas()?;
    if bitmap.palette[0] != [0; 3] {
        for pixel in out.chunks_exact_mut(3) {
            pixel.copy_from_slice(&bitmap.palette[0]);
        }
    }
    let color = |index: u8| &bitmap.palette[usize::from(index)];
    let ends = |row: usize| truncated(format!("{row} of {height} rows are there"));
    let (mut x, mut y, mut data) = (0, 0, bitmap.pixels);
    // Behind the last pixel the mark of the end may be missing.
    while y < height && (y + 1 < height || x < width) {
        let &[count, value, ref rest @ ..] = data else { return Err(ends(y)) };
        data = rest;
        match (count, value) {
            (0, 0) => (x, y) = (0, y + 1),
            (0, 1) => break,
            (0, 2) => {
                let &[right, up, ref rest @ ..] = data else { return Err(ends(y)) };
                data = rest;
                (x, y) = (x + usize::from(right), y + usize::from(up));
                if x > width || y > height {
                    return Err(damaged("it jumps out of the picture"));
                }
            }
            (0, count) => {
                let pixels = pixels(bitmap, &mut out, (x, y), count, bits)?;
                let bytes = (usize::from(count) * bits as usize).div_ceil(8);
                let indices = data.get(..bytes).ok_or_else(|| ends(y))?;
                for (at, pixel) in pixels.chunks_exact_mut(3).enumerate() {
                    let index = if bits == 8 { indices[at] } else { half(indices[at / 2], at) };
                    pixel.copy_from_slice(color(index));
                }
                // The byte that makes their number even may be missing at the end.
                data = data.get(bytes.next_multiple_of(2)..).unwrap_or_default();
                x += usize::from(count);
            }
            (count, value) => {
                let pixels = pixels(bitmap, &mut out, (x, y), count, bits)?;
                for (at, pixel) in pixels.chunks_exact_mut(3).enumerate() {
                    pixel.copy_from_slice(color(if bits == 8 { value } else { half(value, at) }));
                }
                x += usize::from(count);
            }
        }
    }
    Ok(out)
}

/// The first half of a byte for even pixels, the second for odd ones.
fn half(byte: u8, at: usize) -> u8 {
    if at.is_multiple_of(2) { byte >> 4 } else { byte & 15 }
}

/// So many pixels from a place on, as far as the row goes. ImageMagick fills rows up to four bytes before it counts runs, so that much
/// may go beyond; more is damage, of which pixels are lost.
fn pixels<'a>(
    bitmap: &Bitmap,
    out: &'a mut [u8],
    (x, y): (usize, usize),
    count: u8,
    bits: u32,
) -> Result<&'a mut [u8], DecodeError> {
    let (width, end) = (bitmap.width as usize, x + usize::from(count));
    if end > width.next_multiple_of(32 / bits as usize) {
        return Err(damaged("a run goes beyond its row"));
    }
    let start = bitmap.place(y) * width;
    // `x` may lie behind the row's end by what filled it up before: that counts once a row, not once a run.
    Ok(&mut out[(start + x.min(width)) * 3..(start + end.min(width)) * 3])
}
