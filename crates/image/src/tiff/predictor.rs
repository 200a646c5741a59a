//! Predictors: differences of neighbours, undone. Reference: TIFF 6.0, section 14, and Adobe's technical note 3.

use super::ifd::Layout;

/// Undoes predictor 2 (whole samples) or 3 (floating point) in each row of a strip or tile of `samples` a pixel.
/// Rows of predictor 3 end in the file's byte order, as the others are.
pub(crate) fn undo(predictor: u64, data: &mut [u8], row: usize, samples: usize, bits: usize, layout: Layout) {
    let size = bits / 8;
    for row in data.chunks_exact_mut(row) {
        if predictor == 2 {
            let step = samples * size;
            for at in step..row.len() / size * size {
                // Whole samples are added at their first byte.
                if at % size == 0 {
                    let sum = layout
                        .number(&row[at..at + size])
                        .wrapping_add(layout.number(&row[at - step..at - step + size]));
                    put(&mut row[at..at + size], sum, layout);
                }
            }
        } else {
            for at in samples..row.len() {
                row[at] = row[at].wrapping_add(row[at - samples]);
            }
            // All first bytes, then all second ones …, the most significant first.
            let count = row.len() / size;
            let planes = row.to_vec();
            for (at, sample) in row.chunks_exact_mut(size).enumerate() {
                for (byte, value) in sample.iter_mut().enumerate() {
                    let plane = if layout.little { size - 1 - byte } else { byte };
                    *value = planes[plane * count + at];
                }
            }
        }
    }
}

fn put(bytes: &mut [u8], value: u64, layout: Layout) {
    let size = bytes.len();
    for (at, byte) in bytes.iter_mut().enumerate() {
        let shift = if layout.little { at } else { size - 1 - at };
        *byte = (value >> (8 * shift)) as u8;
    }
}
