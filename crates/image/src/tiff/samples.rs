//! The samples of a row, out of the bits of the file.

use super::malformed;
use super::page::{Page, Sample};
use crate::raster::Samples;
use crate::{DecodeError, Limits};

impl Samples {
    /// So many samples of 0, of the kind that the page's bits need.
    pub(super) fn black(page: &Page<'_>, count: usize, limits: &Limits) -> Result<Samples, DecodeError> {
        let size = match (page.sample, page.bits) {
            (Sample::Unsigned | Sample::Signed, ..=8) => 1,
            (Sample::Unsigned | Sample::Signed, ..=16) => 2,
            _ => 4,
        };
        if (count as u64).saturating_mul(size) > limits.max_pixels.saturating_mul(8) {
            return Err(malformed("its samples need more memory than the limit of pixels allows"));
        }
        Ok(match size {
            1 => Samples::U8(vec![0; count]),
            2 => {
                let bits = page.bits - usize::from(page.sample == Sample::Signed);
                Samples::U16 { samples: vec![0; count], white: ((1u32 << bits) - 1) as u16 }
            }
            _ => {
                let white = match page.sample {
                    Sample::Float => 1.0,
                    Sample::Unsigned => ((1u64 << page.bits) - 1) as f32,
                    Sample::Signed => i32::MAX as f32,
                };
                Samples::F32 { samples: vec![0.0; count], white }
            }
        })
    }

    /// Puts `width` pixels of a row at `to`, `step` apart: of each pixel's samples in the row, the first of them.
    pub(super) fn put(
        &mut self,
        page: &Page<'_>,
        row: &[u8],
        to: usize,
        step: usize,
        (in_row, taken): (usize, usize),
        width: usize,
    ) {
        let bits = page.bits;
        let raw = |index: usize| -> u64 {
            if bits.is_multiple_of(8) {
                let size = bits / 8;
                return page.layout.number(&row[index * size..(index + 1) * size]);
            }
            // Samples of other sizes are packed from the highest bit, in any byte order.
            let bit = |at: usize| u64::from(row[at / 8] >> (7 - at % 8) & 1);
            (index * bits..(index + 1) * bits).fold(0, |value, at| (value << 1) | bit(at))
        };
        let top = (1u64 << (bits - 1)).wrapping_sub(1);
        // Negative samples are black.
        let positive = |value: u64| if value > top { 0 } else { value };
        let signed = page.sample == Sample::Signed && !matches!(page.photometric, 8 | 9);
        let indexed = page.photometric == 3;
        for x in 0..width {
            for channel in 0..taken {
                let value = raw(x * in_row + channel);
                let at = to + x * step + channel;
                match self {
                    Samples::U8(all) => {
                        all[at] = match bits {
                            8 if signed => ((positive(value) * 255 + 63) / 127) as u8,
                            8 => value as u8,
                            _ if indexed => value as u8,
                            _ => {
                                let most = (1u64 << bits) - 1;
                                ((value * 255 + most / 2) / most) as u8
                            }
                        };
                    }
                    Samples::U16 { samples, .. } => {
                        samples[at] = if signed { positive(value) } else { value } as u16;
                    }
                    Samples::F32 { samples, .. } => {
                        samples[at] = match (page.sample, bits) {
                            (Sample::Float, 16) => half(value as u16),
                            (Sample::Float, 32) => f32::from_bits(value as u32),
                            (Sample::Float, _) => f64::from_bits(value) as f32,
                            (Sample::Signed, _) => positive(value) as f32,
                            (Sample::Unsigned, _) => value as f32,
                        };
                    }
                }
            }
        }
    }
}

/// A floating-point number of 16 bits.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f32::from(bits & 1023));
    sign * match exponent {
        0 => fraction * 2f32.powi(-24),
        31 if fraction == 0.0 => f32::INFINITY,
        31 => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2f32.powi(exponent - 15),
    }
}
