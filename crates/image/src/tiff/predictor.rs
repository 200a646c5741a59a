//! Predictors: differences of neighbours, undone. Reference: TIFF 6.0, section 14, and Adobe's technical note 3.

use super::ifd::Layout;

/// Undoes predictor 2 (whole samples) or 3 (floating point) in each row of `row` bytes of a strip or tile, of `samples` a pixel.
/// Rows of predictor 3 end in the file's byte order, as the others are.
pub(super) fn undo(predictor: u64, data: &mut [u8], row: usize, samples: usize, bits: usize, layout: Layout) {
    let mut planes = vec![0; if predictor == 3 { row } else { 0 }];
    for row in data.chunks_exact_mut(row) {
        match (predictor, bits, layout.little) {
            (3, ..) => floating(row, samples, bits / 8, layout.little, &mut planes),
            (_, 8, _) => sums(row, samples, |[a], [b]| [a.wrapping_add(b)]),
            (_, 16, true) => {
                sums(row, samples, |a, b| {
                    u16::from_le_bytes(a).wrapping_add(u16::from_le_bytes(b)).to_le_bytes()
                });
            }
            (_, 16, false) => {
                sums(row, samples, |a, b| {
                    u16::from_be_bytes(a).wrapping_add(u16::from_be_bytes(b)).to_be_bytes()
                });
            }
            (_, 32, true) => {
                sums(row, samples, |a, b| {
                    u32::from_le_bytes(a).wrapping_add(u32::from_le_bytes(b)).to_le_bytes()
                });
            }
            (_, 32, false) => {
                sums(row, samples, |a, b| {
                    u32::from_be_bytes(a).wrapping_add(u32::from_be_bytes(b)).to_be_bytes()
                });
            }
            (_, _, true) => {
                sums(row, samples, |a, b| {
                    u64::from_le_bytes(a).wrapping_add(u64::from_le_bytes(b)).to_le_bytes()
                });
            }
            (_, _, false) => {
                sums(row, samples, |a, b| {
                    u64::from_be_bytes(a).wrapping_add(u64::from_be_bytes(b)).to_be_bytes()
                });
            }
        }
    }
}

/// Adds to each sample of `N` bytes the one a pixel before it.
fn sums<const N: usize>(row: &mut [u8], step: usize, add: impl Fn([u8; N], [u8; N]) -> [u8; N]) {
    let (samples, _) = row.as_chunks_mut::<N>();
    for at in step..samples.len() {
        samples[at] = add(samples[at], samples[at - step]);
    }
}

fn floating(row: &mut [u8], step: usize, size: usize, little: bool, planes: &mut [u8]) {
    for at in step..row.len() {
        row[at] = row[at].wrapping_add(row[at - step]);
    }
    // All first bytes, then all second ones …, the most significant first.
    planes.copy_from_slice(row);
    let count = row.len() / size;
    for (at, sample) in row.chunks_exact_mut(size).enumerate() {
        for (byte, value) in sample.iter_mut().enumerate() {
            let plane = if little { size - 1 - byte } else { byte };
            *value = planes[plane * count + at];
        }
    }
}
