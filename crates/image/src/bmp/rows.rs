//! Pixels of a bitmap of which each has its own bits: rows of them, each filled up to a multiple of four bytes.

use super::{Bitmap, Coding, Palette, damaged, truncated};
use crate::decode::DecodeError;

/// The bytes of a row that are used, and all of them, where every row is there.
pub(super) fn lengths(bitmap: &Bitmap) -> Result<(usize, usize), DecodeError> {
    let bits: u64 = match bitmap.coding {
        Coding::Indexed(bits) | Coding::Runs(bits) => bits.into(),
        Coding::Bytes { wide } => {
            if wide {
                32
            } else {
                24
            }
        }
        Coding::Masked { bytes, .. } => 8 * bytes as u64,
    };
    let bits = bits * u64::from(bitmap.width);
    let (used, stride) = (bits.div_ceil(8), bits.div_ceil(32) * 4);
    // What fills up the last row holds nothing, and may be missing. Nothing is allocated before the pixels are known to be there.
    let needed = stride.checked_mul(u64::from(bitmap.height) - 1).and_then(|above| above.checked_add(used));
    let there = bitmap.pixels.len() as u64;
    if needed.is_none_or(|needed| needed > there) {
        let rows = there.saturating_add(stride - used) / stride;
        return Err(truncated(format!("{rows} of {} rows are there", bitmap.height)));
    }
    Ok((used as usize, stride as usize))
}

/// The pixels of all rows, from the top.
pub(super) fn read(bitmap: &Bitmap) -> Result<Vec<u8>, DecodeError> {
    let (used, stride) = lengths(bitmap)?;
    let mut out = bitmap.canvas()?;
    let width = bitmap.width as usize * bitmap.channels();
    let rows = bitmap.pixels.chunks(stride).take(bitmap.height as usize);
    for (at, row) in rows.enumerate() {
        let start = bitmap.place(at) * width;
        let (row, out) = (&row[..used], &mut out[start..start + width]);
        match &bitmap.coding {
            Coding::Indexed(bits) | Coding::Runs(bits) => indexed(row, *bits, out, &bitmap.palette),
            Coding::Bytes { wide: false } => reversed::<3>(row, out),
            Coding::Bytes { wide: true } => reversed::<4>(row, out),
            Coding::Masked { bytes: 2, masks } => masked::<2>(row, masks, out),
            Coding::Masked { bytes: 3, masks } => masked::<3>(row, masks, out),
            Coding::Masked { masks, .. } => masked::<4>(row, masks, out),
        }
    }
    Ok(out)
}

/// Blue, green, red, and what follows up to so many bytes, as RGB.
fn reversed<const BYTES: usize>(row: &[u8], out: &mut [u8]) {
    for (rgb, bgr) in out.chunks_exact_mut(3).zip(row.chunks_exact(BYTES)) {
        rgb.copy_from_slice(&[bgr[2], bgr[1], bgr[0]]);
    }
}

fn indexed(row: &[u8], bits: u32, out: &mut [u8], palette: &Palette) {
    match bits {
        1 => numbers::<1>(row, out, palette),
        2 => numbers::<2>(row, out, palette),
        4 => numbers::<4>(row, out, palette),
        _ => numbers::<8>(row, out, palette),
    }
}

fn numbers<const BITS: usize>(row: &[u8], out: &mut [u8], palette: &Palette) {
    let mask = u8::MAX >> (8 - BITS);
    for (pixels, &byte) in out.chunks_mut(3 * 8 / BITS).zip(row) {
        // The first pixel of a byte is in its highest bits.
        for (at, pixel) in pixels.chunks_exact_mut(3).enumerate() {
            pixel.copy_from_slice(&palette[usize::from(byte >> (8 - BITS * (at + 1)) & mask)]);
        }
    }
}

fn masked<const BYTES: usize>(row: &[u8], masks: &Masks, out: &mut [u8]) {
    let [red, green, blue, alpha] = &masks.0;
    let value = |bytes: &[u8]| {
        let mut value = [0; 4];
        value[..BYTES].copy_from_slice(bytes);
        u32::from_le_bytes(value)
    };
    let pixels = row.chunks_exact(BYTES).map(value);
    if masks.have_alpha() {
        for (out, pixel) in out.chunks_exact_mut(4).zip(pixels) {
            out.copy_from_slice(&[red.of(pixel), green.of(pixel), blue.of(pixel), alpha.of(pixel)]);
        }
    } else {
        for (out, pixel) in out.chunks_exact_mut(3).zip(pixels) {
            out.copy_from_slice(&[red.of(pixel), green.of(pixel), blue.of(pixel)]);
        }
    }
}

/// Which bits of a pixel are its red, green, blue and alpha.
pub(super) struct Masks([Part; 4]);

impl Masks {
    /// Masks of pixels of so many bits.
    pub(super) fn new(mut masks: [u32; 4], bits: u32) -> Result<Masks, DecodeError> {
        // Pillow's reading of a header that was never filled in.
        if masks == [0; 4] && bits == 32 {
            masks = [0xFF_0000, 0xFF00, 0xFF, 0xFF00_0000];
        }
        let fits = |mask: u32| u64::from(mask) < 1 << bits;
        let whole =
            |mask: u32| mask == 0 || (mask >> mask.trailing_zeros()).wrapping_add(1).count_ones() <= 1;
        if masks[..3].contains(&0) || !masks.iter().all(|&mask| fits(mask) && whole(mask)) {
            let [r, g, b, a] = masks;
            return Err(damaged(format!("the masks of its colors are {r:#x}, {g:#x}, {b:#x} and {a:#x}")));
        }
        Ok(Masks(masks.map(Part::new)))
    }

    pub(super) fn have_alpha(&self) -> bool {
        self.0[3].most != 0
    }
}

/// A part of a pixel.
struct Part {
    shift: u32,
    /// Its largest value.
    most: u32,
    /// What its values stand for, where it has at most 8 bits.
    table: [u8; 256],
}

impl Part {
    fn new(mask: u32) -> Part {
        let shift = mask.trailing_zeros().min(31);
        let most = mask >> shift;
        let mut table = [0; 256];
        for (value, out) in (0..=most).zip(&mut table) {
            *out = spread(value, most);
        }
        Part { shift, most, table }
    }

    fn of(&self, pixel: u32) -> u8 {
        let value = pixel >> self.shift & self.most;
        if self.most < 256 { self.table[value as usize] } else { spread(value, self.most) }
    }
}

/// A value of 0 to `most` as one of 0 to 255; what is over is cut off, as Pillow does.
fn spread(value: u32, most: u32) -> u8 {
    (u64::from(value) * 255 / u64::from(most.max(1))) as u8
}
