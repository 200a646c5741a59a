//! Where the pixels of every window of an image lie: the table by which a convolution reads its input in place.

use crate::float::Float;

/// The place of a pixel that counts as zeros: beyond the edge.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// Where the pixels of every window of an image begin.
///
/// Windows are grouped by the rows of a tile: `offsets[window / rows][tap][window % rows]`, in elements. A window that fills
/// up the last group, and a tap beyond the edge, is [`NOWHERE`].
#[derive(Debug, Clone)]
pub struct Gather {
    /// Number of windows.
    pub(crate) windows: usize,
    /// Pixels of a window.
    pub(crate) taps: usize,
    /// Elements of a pixel.
    pub(crate) depth: usize,
    /// Windows of a group.
    pub(crate) rows: usize,
    offsets: Vec<u32>,
    /// Elements that an image must have.
    end: usize,
}

impl Gather {
    /// The table for `windows` windows of `taps` pixels of `depth` elements: `pixel(window, tap)` is the pixel's number in the
    /// image.
    pub(crate) fn new<T: Float>(
        windows: usize,
        taps: usize,
        depth: usize,
        pixel: impl Fn(usize, usize) -> Option<usize>,
    ) -> Self {
        let rows = T::tile().rows;
        let mut offsets = vec![NOWHERE; windows.div_ceil(rows) * taps * rows];
        let mut end = 0;
        for window in 0..windows {
            for tap in 0..taps {
                if let Some(pixel) = pixel(window, tap) {
                    end = end.max((pixel + 1) * depth);
                    offsets[(window / rows * taps + tap) * rows + window % rows] = (pixel * depth) as u32;
                }
            }
        }
        assert!(end < NOWHERE as usize, "an image of 2^32 elements");
        Gather { windows, taps, depth, rows, offsets, end }
    }

    /// Where a tap of a window begins in the image; none beyond the edge.
    #[inline]
    pub(crate) fn offset(&self, window: usize, tap: usize) -> Option<usize> {
        let offset = self.offsets[(window / self.rows * self.taps + tap) * self.rows + window % self.rows];
        (offset != NOWHERE).then_some(offset as usize)
    }

    /// The offsets of the group of windows that begins at `window`: `[taps, rows]`.
    #[inline]
    pub(crate) fn group(&self, window: usize) -> &[u32] {
        let len = self.taps * self.rows;
        &self.offsets[window / self.rows * len..][..len]
    }

    /// Elements that an image must have for every offset to leave a whole pixel.
    pub(crate) fn end(&self) -> usize {
        self.end
    }
}
