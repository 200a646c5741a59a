//! Strips and tiles to samples in their places.

use std::borrow::Cow;

use super::page::{Alpha, Page, Sample};
use super::{codec, malformed, predictor, truncated};
use crate::raster::Samples;
use crate::{DecodeError, Limits};

/// The samples of a page, `[height, width, kept]`: its colors as they are in the file, and its alpha.
pub(crate) fn read(page: &Page<'_>, bytes: &[u8], limits: &Limits) -> Result<Samples, DecodeError> {
    let (chunk_width, chunk_height) = page.chunk;
    let across = page.width.div_ceil(chunk_width);
    let down = page.height.div_ceil(chunk_height);
    let planes = if page.planar { page.samples } else { 1 };
    let count = across.checked_mul(down).and_then(|count| count.checked_mul(planes));
    let count = count.ok_or_else(|| malformed("it has too many strips"))?;
    if page.offsets.len() < count {
        return Err(truncated("strips of it are missing"));
    }
    let kept = page.colors + usize::from(page.alpha != Alpha::None);
    let pixels = page.width * page.height;
    let mut samples = Samples::black(page, pixels * kept, limits)?;
    let subsampled = page.photometric == 6 && page.compression != 7 && page.subsampling != (1, 1);
    if subsampled && page.planar {
        return Err(malformed("its subsampled chroma lies in planes of its own: save it as RGB"));
    }
    if subsampled && page.predictor != 1 {
        return Err(malformed("its subsampled chroma has a predictor: save it as RGB"));
    }
    let in_row = if page.planar { 1 } else { page.samples };
    for index in 0..count {
        let (plane, place) = (index / (across * down), index % (across * down));
        if plane >= kept {
            break;
        }
        let (left, top) = (place % across * chunk_width, place / across * chunk_height);
        // The last strip has the rows that are left; tiles are all of one size.
        let rows = if page.tiled { chunk_height } else { chunk_height.min(page.height - top) };
        let visible = (chunk_width.min(page.width - left), rows.min(page.height - top));
        let size = if subsampled {
            let (x, y) = page.subsampling;
            chunk_width.div_ceil(x).checked_mul(rows.div_ceil(y)).and_then(|u| u.checked_mul(x * y + 2))
        } else {
            chunk_width.checked_mul(in_row * page.bits).and_then(|bits| bits.div_ceil(8).checked_mul(rows))
        };
        let most = limits.max_pixels.saturating_mul(8);
        let size = size.filter(|&size| size as u64 <= most);
        let size = size.ok_or_else(|| malformed("its strips are too large"))?;
        let data = if page.compression == 7 {
            jpeg(page, compressed(page, bytes, index, size)?, (chunk_width, rows), in_row, limits)?
        } else {
            chunk(page, compressed(page, bytes, index, size)?, size, (chunk_width, rows), in_row)?
        };
        let data = if subsampled { whole(page, &data, (chunk_width, rows)) } else { data.into_owned() };
        let stride = (chunk_width * in_row * page.bits).div_ceil(8);
        for (y, row) in data.chunks_exact(stride).take(visible.1).enumerate() {
            let to = ((top + y) * page.width + left) * kept;
            if page.planar {
                samples.put(page, row, to + plane, kept, (1, 1), visible.0);
            } else {
                samples.put(page, row, to, kept, (in_row, kept), visible.0);
            }
        }
    }
    Ok(samples)
}

fn compressed<'a>(
    page: &Page<'_>,
    bytes: &'a [u8],
    index: usize,
    size: usize,
) -> Result<&'a [u8], DecodeError> {
    let missing = || truncated("the file ends before its image does");
    let from = usize::try_from(page.offsets[index]).map_err(|_| missing())?;
    let rest = bytes.get(from..).ok_or_else(missing)?;
    // Old writers leave the sizes out.
    let length = match page.counts.get(index) {
        Some(&count) => usize::try_from(count).map_err(|_| missing())?,
        None if page.compression == 1 => size,
        None => rest.len(),
    };
    let data = rest.get(..length).ok_or_else(missing)?;
    // No more than so many bytes come out of one; found out before there is memory for them.
    let most = match page.compression {
        5 => 4096,
        8 | 32946 => 1040,
        32773 => 64,
        _ => return Ok(data),
    };
    if data.len().saturating_mul(most) < size {
        return Err(truncated("a strip is too small for the size that it announces"));
    }
    Ok(data)
}

fn chunk<'a>(
    page: &Page<'_>,
    bytes: &'a [u8],
    size: usize,
    shape: (usize, usize),
    in_row: usize,
) -> Result<Cow<'a, [u8]>, DecodeError> {
    let input = if page.reversed {
        Cow::Owned(bytes.iter().map(|byte| byte.reverse_bits()).collect())
    } else {
        Cow::Borrowed(bytes)
    };
    let mut data = if page.compression == 1 {
        match input {
            _ if bytes.len() < size => return Err(truncated("a strip is shorter than its size asks for")),
            Cow::Owned(mut all) => {
                all.truncate(size);
                Cow::Owned(all)
            }
            Cow::Borrowed(all) => Cow::Borrowed(&all[..size]),
        }
    } else {
        let mut out = vec![0; size];
        codec::decompress(page.compression, &input, &mut out, shape)?;
        Cow::Owned(out)
    };
    // libtiff has predictors for these two alone.
    if page.predictor != 1 && matches!(page.compression, 5 | 8 | 32946 | 50000) {
        let float = page.sample == Sample::Float;
        let known = match page.predictor {
            2 => matches!(page.bits, 8 | 16 | 32 | 64),
            3 => float,
            _ => false,
        };
        if !known {
            return Err(malformed("its predictor does not go with its bits: save it without compression"));
        }
        let row = shape.0 * in_row * page.bits / 8;
        predictor::undo(page.predictor, data.to_mut(), row, in_row, page.bits, page.layout);
    }
    Ok(data)
}

fn jpeg<'a>(
    page: &Page<'_>,
    bytes: &[u8],
    (width, height): (usize, usize),
    in_row: usize,
    limits: &Limits,
) -> Result<Cow<'a, [u8]>, DecodeError> {
    let part = crate::jpeg::decode_part(page.tables, bytes, page.photometric == 6, limits)?;
    if (part.width, part.components) != (width, in_row) || part.height < height || page.bits != 8 {
        return Err(malformed("a strip's JPEG is of another size than the strip"));
    }
    Ok(Cow::Owned(part.data))
}

/// YCbCr with subsampled chroma to three samples a pixel, by repetition as libtiff does.
fn whole(page: &Page<'_>, data: &[u8], (width, height): (usize, usize)) -> Vec<u8> {
    let (x, y) = page.subsampling;
    let unit = x * y + 2;
    let across = width.div_ceil(x);
    let mut out = Vec::with_capacity(width * height * 3);
    for row in 0..height {
        for column in 0..width {
            let at = (row / y * across + column / x) * unit;
            let luma = data[at + row % y * x + column % x];
            out.extend([luma, data[at + x * y], data[at + x * y + 1]]);
        }
    }
    out
}
