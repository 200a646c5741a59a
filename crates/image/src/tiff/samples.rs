//! The samples of a row, out of the bits of the file.

use super::page::{Page, Sample, color};
use crate::raster::Samples;

impl Samples {
    /// The bytes of a sample of the kind that the page's bits need.
    pub(super) fn size(page: &Page<'_>) -> usize {
        match (page.sample, page.bits) {
            (Sample::Unsigned | Sample::Signed, ..=8) => 1,
            (Sample::Unsigned | Sample::Signed, ..=16) => 2,
            _ => 4,
        }
    }

    /// So many samples of 0, of that kind.
    pub(super) fn black(page: &Page<'_>, count: usize) -> Samples {
        match Samples::size(page) {
            1 => Samples::U8(vec![0; count]),
            2 => {
                let bits = page.bits - usize::from(page.sample == Sample::Signed && !is_lab(page));
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
        }
    }

    /// Puts `width` pixels of a row at `to`, `step` apart: of each pixel's `in_row` samples in the row, the first `taken`.
    pub(super) fn put(
        &mut self,
        page: &Page<'_>,
        row: &[u8],
        to: usize,
        step: usize,
        (in_row, taken): (usize, usize),
        width: usize,
    ) {
        let place = Place { step, in_row, taken, width };
        let (bits, little) = (page.bits, page.layout.little);
        // Negative samples are black. Those of Lab are made sense of later.
        let signed = page.sample == Sample::Signed && !is_lab(page);
        match self {
            Samples::U8(all) => {
                let out = &mut all[to..];
                match bits {
                    8 if signed => {
                        let value = |v: u8| if v > 127 { 0 } else { ((u32::from(v) * 255 + 63) / 127) as u8 };
                        place.copy(row, out, |[v]: [u8; 1]| value(v));
                    }
                    8 => place.copy(row, out, |[v]: [u8; 1]| v),
                    _ => {
                        // Values of a palette are what they are, others are spread.
                        let most = (1u32 << bits) - 1;
                        let value = |v: u64| match page.photometric {
                            color::PALETTE => v as u8,
                            _ => ((v as u32 * 255 + most / 2) / most) as u8,
                        };
                        place.unpack(row, out, bits, value);
                    }
                }
            }
            Samples::U16 { samples, .. } => {
                let out = &mut samples[to..];
                let positive = |v: u16| if signed && v > 0x7FFF { 0 } else { v };
                match (bits, little) {
                    (16, true) => place.copy(row, out, |v| positive(u16::from_le_bytes(v))),
                    (16, false) => place.copy(row, out, |v| positive(u16::from_be_bytes(v))),
                    _ => place.unpack(row, out, bits, |v| v as u16),
                }
            }
            Samples::F32 { samples, .. } => {
                let out = &mut samples[to..];
                let layout = page.layout;
                match (page.sample, bits) {
                    (Sample::Float, 16) => {
                        place.copy(row, out, |v: [u8; 2]| half(layout.number(&v) as u16));
                    }
                    (Sample::Float, 32) => {
                        place.copy(row, out, |v: [u8; 4]| f32::from_bits(layout.number(&v) as u32));
                    }
                    (Sample::Float, _) => {
                        place.copy(row, out, |v: [u8; 8]| f64::from_bits(layout.number(&v)) as f32);
                    }
                    (Sample::Signed, _) => {
                        place.copy(row, out, |v: [u8; 4]| layout.number(&v) as u32 as i32 as f32);
                    }
                    (Sample::Unsigned, 24) => place.copy(row, out, |v: [u8; 3]| layout.number(&v) as f32),
                    (Sample::Unsigned, _) => place.copy(row, out, |v: [u8; 4]| layout.number(&v) as f32),
                }
            }
        }
    }
}

fn is_lab(page: &Page<'_>) -> bool {
    matches!(page.photometric, color::LAB | color::ICC_LAB)
}

/// Where the samples of a row go.
struct Place {
    step: usize,
    in_row: usize,
    taken: usize,
    width: usize,
}

impl Place {
    /// Samples of `N` whole bytes.
    #[inline(always)]
    fn copy<const N: usize, T>(&self, row: &[u8], out: &mut [T], value: impl Fn([u8; N]) -> T) {
        let samples = row.as_chunks::<N>().0;
        if self.taken == self.in_row && self.taken == self.step {
            for (out, &sample) in out.iter_mut().zip(&samples[..self.width * self.in_row]) {
                *out = value(sample);
            }
            return;
        }
        if self.taken == 1 && self.in_row == 1 {
            // A plane.
            for (out, &sample) in out.iter_mut().step_by(self.step).zip(&samples[..self.width]) {
                *out = value(sample);
            }
            return;
        }
        for (out, pixel) in out.chunks_mut(self.step).zip(samples.chunks_exact(self.in_row)).take(self.width)
        {
            for (out, &sample) in out.iter_mut().zip(&pixel[..self.taken]) {
                *out = value(sample);
            }
        }
    }

    /// Samples of other sizes, which are packed from the highest bit, in any byte order.
    #[inline(always)]
    fn unpack<T: Copy>(&self, row: &[u8], out: &mut [T], bits: usize, value: impl Fn(u64) -> T) {
        if self.in_row == 1 && self.step == 1 && matches!(bits, 1 | 2 | 4) {
            // Gray and palettes, a byte at a time.
            let count = 8 / bits;
            let values: [T; 16] = std::array::from_fn(|v| value(v as u64));
            for (out, &byte) in out[..self.width].chunks_mut(count).zip(row) {
                for (at, out) in out.iter_mut().enumerate() {
                    *out = values[usize::from(byte >> (8 - bits * (at + 1)) & ((1 << bits) - 1))];
                }
            }
            return;
        }
        let (mut window, mut held) = (0u64, 0);
        let mut bytes = row.iter();
        let mut next = || {
            while held < bits {
                window = window << 8 | u64::from(bytes.next().copied().unwrap_or(0));
                held += 8;
            }
            held -= bits;
            window >> held & ((1 << bits) - 1)
        };
        for pixel in out.chunks_mut(self.step).take(self.width) {
            for sample in 0..self.in_row {
                let stored = next();
                if sample < self.taken {
                    pixel[sample] = value(stored);
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
