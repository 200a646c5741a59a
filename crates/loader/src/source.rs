//! Where the images lie.

use pupila_transforms::Shape;
use std::sync::Arc;

/// Bytes that several owners share: a vector, or a file mapped into memory.
pub type Block = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Images of one shape, one after the other, and their labels. Clones share both.
#[derive(Clone)]
pub struct Source {
    pixels: Block,
    labels: Arc<[u32]>,
    shape: Shape,
}

/// Pixels and labels that do not belong together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{labels} images of {shape} (height, width, channels) have {expected} bytes, got {got}")]
pub struct SourceError {
    /// Labels given.
    pub labels: usize,
    /// The shape of an image.
    pub shape: Shape,
    /// Bytes that so many images have.
    pub expected: usize,
    /// Bytes given.
    pub got: usize,
}

impl Source {
    /// `pixels: [N, H, W, C]`, `labels: [N]`
    ///
    /// # Errors
    /// Where the pixels are not those of N images.
    pub fn new(pixels: Block, labels: Arc<[u32]>, shape: Shape) -> Result<Self, SourceError> {
        let (expected, got) = (labels.len() * shape.values(), pixels.as_ref().as_ref().len());
        if expected != got {
            return Err(SourceError { labels: labels.len(), shape, expected, got });
        }
        Ok(Source { pixels, labels, shape })
    }

    /// The same images with other labels. `labels: [N]`
    ///
    /// # Errors
    /// Where they are more or fewer than the images.
    pub fn with_labels(&self, labels: Arc<[u32]>) -> Result<Self, SourceError> {
        Source::new(Arc::clone(&self.pixels), labels, self.shape)
    }

    /// The number of images, N.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The shape of every image.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The pixels of all images, one after the other. `[N, H, W, C]`
    pub fn pixels(&self) -> &[u8] {
        self.pixels.as_ref().as_ref()
    }

    /// The label of an image below N.
    pub(crate) fn label(&self, sample: u32) -> u32 {
        self.labels[sample as usize]
    }

    /// The pixels and the label of an image below N. `[H, W, C]`
    pub(crate) fn image(&self, sample: u32) -> (&[u8], u32) {
        let (sample, values) = (sample as usize, self.shape.values());
        (&self.pixels.as_ref().as_ref()[sample * values..][..values], self.labels[sample])
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({} images of {})", self.len(), self.shape)
    }
}
