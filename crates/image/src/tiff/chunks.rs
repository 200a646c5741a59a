//! Strips and tiles to bands of samples in their places.
//!
//! Memory: one strip or tile, decompressed (of planar files one of each plane; twice, where chroma is subsampled or bits are reversed;
//! with its coefficients, where it is JPEG), and the samples of a band of rows. What is uncompressed is read where it lies.

use std::borrow::Cow;

use super::color::{Colors, Whites};
use super::page::{Page, color};
use super::{codec, fax, malformed, predictor, truncated};
use crate::raster::{Raster, Samples};
use crate::{DecodeError, Limits};

/// So many bytes of samples are in a band.
const BAND: usize = 1 << 16;

/// How many bytes reading a page takes besides its result, at most.
pub(super) fn memory(page: &Page<'_>, bytes: &[u8], limits: &Limits) -> Result<u64, DecodeError> {
    let grid = Grid::of(page);
    let chunk = Chunk::of(page, page.chunk.0, page.chunk.1.min(page.height), grid.in_row, limits)?;
    let (size, file) = (chunk.size as u64, bytes.len() as u64);
    let reversed = if page.reversed { (chunk.most_compressed() as u64).min(file) } else { 0 };
    let one = match page.compression {
        codec::NONE => 0,
        // The samples, and in the worst case coefficients of two bytes.
        codec::JPEG => size.saturating_mul(3),
        // The samples, and planes or the whole of them with an alpha.
        codec::WEBP => size.saturating_mul(4),
        // What is kept of what came before, in memory that doubles when it grows.
        codec::ZSTANDARD => {
            let window = codec::least_window(chunk.size).map_or(u64::MAX, |(_, window)| window);
            size.saturating_add(window.saturating_mul(3)).saturating_add(1 << 20)
        }
        // Two lines of changes, each of which takes a bit at least, in memory that doubles when it grows.
        other if codec::is_fax(other) => {
            let changes = (fax::most_changes(page.width) as u64).min(file.saturating_mul(8));
            size.saturating_add(changes.saturating_mul(4 * size_of::<usize>() as u64))
        }
        _ => size,
    };
    let whole = if page.is_subsampled() { (chunk.stride * chunk.rows) as u64 } else { 0 };
    // Where a row is more than a band, its samples as they are stored and as they are shown.
    let row = chunk.width.min(page.width) as u64 * (page.kept() * Samples::size(page)).max(3) as u64;
    let band = if row > BAND as u64 { row.saturating_mul(3) } else { 0 };
    let each = one.saturating_add(reversed).saturating_add(whole);
    Ok(each.saturating_mul(grid.kept as u64).saturating_add(band))
}

/// The most bytes of a pixel of a raster.
pub(super) fn raster_pixel(page: &Page<'_>) -> u64 {
    (page.kept() * Samples::size(page)).max(3) as u64
}

/// Where the strips or tiles of a page are.
struct Grid {
    across: usize,
    down: usize,
    /// Planes of the file, and those of them that are looked at: not those of samples that are dropped.
    planes: usize,
    kept: usize,
    /// Samples a pixel in a strip, and those of them that are taken.
    in_row: usize,
    taken: usize,
}

impl Grid {
    fn of(page: &Page<'_>) -> Grid {
        let (across, down) = (page.width.div_ceil(page.chunk.0), page.height.div_ceil(page.chunk.1));
        if page.planar {
            Grid { across, down, planes: page.samples, kept: page.kept(), in_row: 1, taken: 1 }
        } else {
            Grid { across, down, planes: 1, kept: 1, in_row: page.samples, taken: page.kept() }
        }
    }

    /// The column and the row at which a strip or tile begins, and its shape: the last strip has the rows that are left, tiles are all of
    /// one size.
    fn at(
        &self,
        page: &Page<'_>,
        place: usize,
        limits: &Limits,
    ) -> Result<((usize, usize), Chunk), DecodeError> {
        let (width, height) = page.chunk;
        let (left, top) = (place % self.across * width, place / self.across * height);
        let rows = if page.tiled { height } else { height.min(page.height - top) };
        Ok(((left, top), Chunk::of(page, width, rows, self.in_row, limits)?))
    }
}

/// Refuses a page whose samples are too many, and a file that is too small for the picture that it announces: before anybody waits for
/// memory for it.
pub(super) fn check(page: &Page<'_>, bytes: &[u8], limits: &Limits) -> Result<(), DecodeError> {
    // Of the picture alone, however it is cut into strips.
    let stored = (page.width as u64)
        .saturating_mul((page.samples * page.bits) as u64)
        .div_ceil(8)
        .saturating_mul(page.height as u64);
    if stored > limits.max_pixels.saturating_mul(8) {
        return Err(malformed(&format!(
            "its samples take {} MB, more than 8 bytes for each of the {} pixels that a picture may have: save it with 8 bits a sample, \
             such as by `magick FILE -depth 8 OUT.tif`",
            stored.div_ceil(1_000_000),
            limits.max_pixels
        )));
    }
    let grid = Grid::of(page);
    let count = grid.across.checked_mul(grid.down).and_then(|count| count.checked_mul(grid.planes));
    if count.is_none_or(|count| page.offsets.len() < count) {
        let what = if page.tiled { "tiles" } else { "strips" };
        return Err(truncated(&format!("{what} of it are missing")));
    }
    for place in 0..grid.across * grid.down {
        let chunk = grid.at(page, place, limits)?.1;
        for plane in 0..grid.kept {
            chunk.compressed(page, bytes, plane * grid.across * grid.down + place)?;
        }
    }
    Ok(())
}

/// Gives a page that was checked band by band to `sink`, with the column and the row of its first pixel: all of the page, or an error.
pub(super) fn read(
    page: &Page<'_>,
    bytes: &[u8],
    limits: &Limits,
    whites: Whites,
    mut sink: impl FnMut((usize, usize), Raster),
) -> Result<(), DecodeError> {
    let grid = Grid::of(page);
    let kept = page.kept();
    let whole = grid.at(page, 0, limits)?.1.size;
    let colors = Colors::of(page, whites)?;
    let mut memories = vec![Vec::new(); grid.kept];
    for place in 0..grid.across * grid.down {
        let ((left, top), chunk) = grid.at(page, place, limits)?;
        let (columns, visible) = (chunk.width.min(page.width - left), chunk.rows.min(page.height - top));
        let mut parts = Vec::with_capacity(memories.len());
        for (plane, memory) in memories.iter_mut().enumerate() {
            let compressed = chunk.compressed(page, bytes, plane * grid.across * grid.down + place)?;
            let part = match page.compression {
                codec::JPEG => Cow::Owned(chunk.jpeg(page, compressed, limits)?),
                _ => chunk.decoded(page, compressed, whole - chunk.size, memory)?,
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
                    let to = y * columns * kept + plane;
                    samples.put(page, row, to, kept, (grid.in_row, grid.taken), columns);
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

    /// No data of a strip are longer, but for those of a writer that wants to take up space: a fax of single pixels takes 4.5 times as many.
    /// Where data are copied, they are cut here, or each of many strips could be all of the file.
    fn most_compressed(&self) -> usize {
        self.size.saturating_mul(8).saturating_add(1024)
    }

    /// The data of a strip or tile, compared with what they must at least be. Of JPEG and WebP its decoder alone knows.
    fn compressed<'a>(
        &self,
        page: &Page<'_>,
        bytes: &'a [u8],
        index: usize,
    ) -> Result<&'a [u8], DecodeError> {
        let missing = || truncated("the file ends before its image does");
        let from = page.offsets.get(index).and_then(|from| usize::try_from(from).ok()).ok_or_else(missing)?;
        let rest = bytes.get(from..).ok_or_else(missing)?;
        let length = match page.counts.get(index) {
            // A length that is too large is of no concern where the pixels are all there.
            Some(count) if page.compression == codec::NONE => {
                usize::try_from(count).unwrap_or(usize::MAX).min(rest.len()).min(self.size)
            }
            Some(count) => usize::try_from(count).map_err(|_| missing())?,
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
            let most = bytes.len().min(self.most_compressed());
            Cow::Owned(bytes[..most].iter().map(|byte| byte.reverse_bits()).collect())
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
