//! Strips and tiles to bands of samples in their places.
//!
//! Memory: one strip or tile, decompressed (of planar files one of each plane; twice, where chroma is subsampled or bits are reversed;
//! with its coefficients, where it is JPEG), and the samples of a band of rows. What is uncompressed is read where it lies.

use std::borrow::Cow;

use super::color::Colors;
use super::page::{Page, color};
use super::{codec, malformed, predictor, truncated};
use crate::raster::{Raster, Samples};
use crate::{DecodeError, Limits};

/// So many bytes of samples are in a band.
const BAND: usize = 1 << 16;

/// How many bytes reading a page takes besides its result.
pub(super) fn memory(page: &Page<'_>, limits: &Limits) -> Result<usize, DecodeError> {
    let (in_row, planes) = if page.planar { (1, page.kept()) } else { (page.samples, 1) };
    let chunk = Chunk::of(page, page.chunk.0, page.chunk.1.min(page.height), in_row, limits)?;
    let one = match page.compression {
        codec::NONE if !page.reversed => 0,
        codec::NONE => chunk.size,
        // The samples, and in the worst case coefficients of two bytes.
        codec::JPEG => 3 * chunk.size,
        _ if page.reversed => 2 * chunk.size,
        _ => chunk.size,
    };
    let whole = if page.is_subsampled() { chunk.stride * chunk.rows } else { 0 };
    Ok(planes * (one + whole))
}

/// The most bytes of a pixel of a raster.
pub(super) fn raster_pixel(page: &Page<'_>) -> usize {
    (page.kept() * Samples::size(page)).max(3)
}

/// Gives the page band by band to `sink`, with the column and the row of its first pixel: all of the page, or an error.
pub(super) fn read(
    page: &Page<'_>,
    bytes: &[u8],
    limits: &Limits,
    mut sink: impl FnMut((usize, usize), Raster),
) -> Result<(), DecodeError> {
    let (chunk_width, chunk_height) = page.chunk;
    let across = page.width.div_ceil(chunk_width);
    let down = page.height.div_ceil(chunk_height);
    let planes = if page.planar { page.samples } else { 1 };
    let count = across.checked_mul(down).and_then(|count| count.checked_mul(planes));
    if count.is_none_or(|count| page.offsets.len() < count) {
        let what = if page.tiled { "tiles" } else { "strips" };
        return Err(truncated(&format!("{what} of it are missing")));
    }
    let kept = page.kept();
    let (in_row, taken) = if page.planar { (1, 1) } else { (page.samples, kept) };
    let whole = Chunk::of(page, chunk_width, chunk_height, in_row, limits)?;
    whole.check_announced(page, bytes)?;
    let colors = Colors::of(page)?;
    // Planes of samples that are dropped are not looked at.
    let mut memories = vec![Vec::new(); planes.min(kept)];
    for place in 0..across * down {
        let (left, top) = (place % across * chunk_width, place / across * chunk_height);
        // The last strip has the rows that are left; tiles are all of one size.
        let rows = if page.tiled { chunk_height } else { chunk_height.min(page.height - top) };
        let chunk = Chunk::of(page, chunk_width, rows, in_row, limits)?;
        let (columns, visible) = (chunk_width.min(page.width - left), rows.min(page.height - top));
        let mut parts = Vec::with_capacity(memories.len());
        for (plane, memory) in memories.iter_mut().enumerate() {
            let compressed = chunk.compressed(page, bytes, plane * across * down + place)?;
            let part = match page.compression {
                codec::JPEG => Cow::Owned(chunk.jpeg(page, compressed, limits)?),
                _ => chunk.decoded(page, compressed, whole.size - chunk.size, memory)?,
            };
            if part.len() < chunk.stride * visible {
                return Err(truncated("a strip is shorter than its size asks for"));
            }
            parts.push(part);
        }
        let at_a_time = (BAND / (columns * kept * Samples::size(page))).clamp(1, visible);
        for first in (0..visible).step_by(at_a_time) {
            let rows = at_a_time.min(visible - first);
            let mut samples = Samples::black(page, columns * rows * kept);
            for (plane, part) in parts.iter().enumerate() {
                for (y, row) in part.chunks_exact(chunk.stride).skip(first).take(rows).enumerate() {
                    samples.put(page, row, y * columns * kept + plane, kept, (in_row, taken), columns);
                }
            }
            sink((left, top + first), colors.raster(page, samples, columns, rows)?);
        }
    }
    Ok(())
}

/// The shape of a strip or tile.
struct Chunk {
    width: usize,
    rows: usize,
    /// Samples a pixel.
    samples: usize,
    /// Bytes of a row, once chroma has its full resolution.
    stride: usize,
    /// Bytes, uncompressed.
    size: usize,
}

impl Chunk {
    fn of(
        page: &Page<'_>,
        width: usize,
        rows: usize,
        samples: usize,
        limits: &Limits,
    ) -> Result<Chunk, DecodeError> {
        let stride = width.checked_mul(samples * page.bits).map(|bits| bits.div_ceil(8));
        let size = if page.is_subsampled() {
            let (x, y) = page.subsampling;
            width.div_ceil(x).checked_mul(rows.div_ceil(y)).and_then(|units| units.checked_mul(x * y + 2))
        } else {
            stride.and_then(|stride| stride.checked_mul(rows))
        };
        let pixels = (width as u64).saturating_mul(rows as u64);
        match (stride, size) {
            (Some(stride), Some(size))
                if pixels <= limits.max_pixels && size as u64 <= limits.max_pixels.saturating_mul(8) =>
            {
                Ok(Chunk { width, rows, samples, stride, size })
            }
            _ => Err(malformed(&format!(
                "its tiles are of {width}x{rows} pixels and {samples} samples a pixel, more than the limit of {} pixels allows",
                limits.max_pixels
            ))),
        }
    }

    /// Refuses a file that is too small for the picture that it announces, before there is memory for it.
    fn check_announced(&self, page: &Page<'_>, bytes: &[u8]) -> Result<(), DecodeError> {
        let most = match page.compression {
            codec::NONE => 1,
            other => codec::most_from_a_byte(other).unwrap_or(usize::MAX),
        };
        let rows = self.rows.min(page.height);
        if bytes.len().saturating_mul(most) < self.size / self.rows * rows {
            return Err(truncated("it is too small for the size that it announces"));
        }
        Ok(())
    }

    fn compressed<'a>(
        &self,
        page: &Page<'_>,
        bytes: &'a [u8],
        index: usize,
    ) -> Result<&'a [u8], DecodeError> {
        let missing = || truncated("the file ends before its image does");
        let from = usize::try_from(page.offsets[index]).map_err(|_| missing())?;
        let rest = bytes.get(from..).ok_or_else(missing)?;
        let length = match page.counts.get(index) {
            // A length that is too large is of no concern where the pixels are all there.
            Some(&count) if page.compression == codec::NONE => {
                usize::try_from(count).unwrap_or(usize::MAX).min(rest.len())
            }
            Some(&count) => usize::try_from(count).map_err(|_| missing())?,
            // Old writers leave the sizes out.
            None if page.compression == codec::NONE => self.size,
            None => rest.len(),
        };
        let data = rest.get(..length).ok_or_else(missing)?;
        let most = match page.compression {
            codec::NONE => 1,
            other => codec::most_from_a_byte(other).unwrap_or(usize::MAX),
        };
        // A line of a fax takes a bit at least.
        let lines = !codec::is_fax(page.compression) || data.len().saturating_mul(8) >= self.rows;
        // That also goes for one that is left out, whose place and size are 0.
        if !lines || data.is_empty() || data.len().saturating_mul(most) < self.size {
            return Err(truncated("a strip is shorter than its size asks for, or missing"));
        }
        Ok(data)
    }

    fn decoded<'a>(
        &self,
        page: &Page<'_>,
        bytes: &'a [u8],
        beyond: usize,
        memory: &'a mut Vec<u8>,
    ) -> Result<Cow<'a, [u8]>, DecodeError> {
        let input: Cow<'a, [u8]> = if page.reversed {
            Cow::Owned(bytes.iter().map(|byte| byte.reverse_bits()).collect())
        } else {
            Cow::Borrowed(bytes)
        };
        let data = if page.compression == codec::NONE {
            input
        } else {
            if memory.len() != self.size {
                *memory = vec![0; self.size];
            }
            codec::decompress(page, &input, memory, (self.width, self.rows), beyond)?;
            if page.predictor != 1 {
                predictor::undo(page.predictor, memory, self.stride, self.samples, page.bits, page.layout);
            }
            Cow::Borrowed(&memory[..])
        };
        // Both hold at least as much.
        Ok(if page.is_subsampled() { Cow::Owned(self.whole(page, &data[..self.size])) } else { data })
    }

    fn jpeg(&self, page: &Page<'_>, bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, DecodeError> {
        // The last strip may be as high as the others.
        let most = if page.tiled { self.rows } else { page.chunk.1 };
        let fits = |width: usize, height: usize, components: usize| {
            (width, components) == (self.width, self.samples) && (self.rows..=most).contains(&height)
        };
        let ycc = page.photometric == color::YCBCR && !page.planar;
        crate::jpeg::decode_part(page.jpeg_tables, bytes, ycc, fits, limits).map_err(|error| match error {
            DecodeError::Truncated { reason, .. } => truncated(&format!("the JPEG of a strip: {reason}")),
            DecodeError::Malformed { reason, .. } => malformed(&format!("the JPEG of a strip: {reason}")),
            other => other,
        })
    }

    /// YCbCr with subsampled chroma to three samples a pixel, by repetition as libtiff does.
    fn whole(&self, page: &Page<'_>, data: &[u8]) -> Vec<u8> {
        let (x, y) = page.subsampling;
        let unit = x * y + 2;
        let across = self.width.div_ceil(x);
        let mut out = Vec::with_capacity(self.width * self.rows * 3);
        for row in 0..self.rows {
            let units = &data[row / y * across * unit..][..across * unit];
            for column in 0..self.width {
                let unit = &units[column / x * unit..][..unit];
                out.extend([unit[row % y * x + column % x], unit[x * y], unit[x * y + 1]]);
            }
        }
        out
    }
}
