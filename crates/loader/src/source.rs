//! Where the images lie.

use pupila_image::{Framing, Image};
use pupila_transforms::Shape;
use std::borrow::Cow;
use std::sync::Arc;

/// Bytes that several owners share: a vector, or a file mapped into memory.
pub type Block = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Images in a block of bytes, and their labels. All are inputs of one shape, or some are kept in shapes of their own, to become
/// inputs once they are varied. Clones share everything.
#[derive(Clone)]
pub struct Source {
    pixels: Block,
    labels: Arc<[u32]>,
    shape: Shape,
    kept: Option<Kept>,
}

/// Where images of several shapes lie, and how those that are kept become inputs.
#[derive(Clone)]
struct Kept {
    places: Arc<[Place]>,
    framing: Framing,
}

/// Where an image lies in a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its first byte.
    pub at: usize,
    /// Its shape.
    pub shape: Shape,
    /// Whether it is yet to become an input.
    pub kept: bool,
}

/// An image as it lies in the source.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored<'a> {
    /// `[H, W, C]`
    pub pixels: &'a [u8],
    pub shape: Shape,
    /// How it becomes an input, where it is none.
    pub framing: Option<&'a Framing>,
    pub label: u32,
}

/// Pixels and labels that do not belong together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{labels} images of {shape} (height, width, channels) have {expected} bytes, got {got}")]
pub struct SourceError {
    /// Labels given.
    pub labels: usize,
    /// The shape of an input.
    pub shape: Shape,
    /// Bytes that so many images have.
    pub expected: usize,
    /// Bytes given.
    pub got: usize,
}

impl Source {
    /// Inputs one after the other. `pixels: [N, H, W, C]`, `labels: [N]`
    ///
    /// # Errors
    /// Where the pixels are not those of N images.
    pub fn new(pixels: Block, labels: Arc<[u32]>, shape: Shape) -> Result<Self, SourceError> {
        let (expected, got) = (labels.len() * shape.values(), pixels.as_ref().as_ref().len());
        if expected != got {
            return Err(SourceError { labels: labels.len(), shape, expected, got });
        }
        Ok(Source { pixels, labels, shape, kept: None })
    }

    /// Images at `places: [N]`, those of them that are kept to become inputs by `framing`; `channels` are the samples of a pixel.
    ///
    /// # Errors
    /// Where the places are not N, reach out of the pixels, or hold an input of another shape than the framing's.
    pub fn with_places(
        pixels: Block,
        labels: Arc<[u32]>,
        channels: usize,
        places: Arc<[Place]>,
        framing: Framing,
    ) -> Result<Self, SourceError> {
        let [height, width] = framing.size.map(|side| side as usize);
        let shape = Shape { height, width, channels };
        let got = pixels.as_ref().as_ref().len();
        let fits = |place: &Place| {
            place.at.checked_add(place.shape.values()).is_some_and(|end| end <= got)
                && place.shape.channels == channels
                && (place.kept || place.shape == shape)
        };
        if places.len() != labels.len() || !places.iter().all(fits) {
            let expected = places.iter().map(|place| place.shape.values()).sum();
            return Err(SourceError { labels: labels.len(), shape, expected, got });
        }
        Ok(Source { pixels, labels, shape, kept: Some(Kept { places, framing }) })
    }

    /// The same images with other labels. `labels: [N]`
    ///
    /// # Errors
    /// Where they are more or fewer than the images.
    pub fn with_labels(&self, labels: Arc<[u32]>) -> Result<Self, SourceError> {
        if labels.len() != self.labels.len() {
            let (expected, got) = (labels.len() * self.shape.values(), self.pixels.as_ref().as_ref().len());
            return Err(SourceError { labels: labels.len(), shape: self.shape, expected, got });
        }
        Ok(Source { labels, ..self.clone() })
    }

    /// The number of images, N.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The shape of every input.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Whether some of the images are kept in shapes of their own.
    pub fn has_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// The image at a place below N as it lies here, its shape, and whether it is yet to become an input. `[H, W, C]`
    pub fn as_kept(&self, position: u32) -> (&[u8], Shape, bool) {
        let Stored { pixels, shape, framing, .. } = self.stored(position);
        (pixels, shape, framing.is_some())
    }

    /// The image at a place below N as an input. `[H, W, C]`
    pub fn input(&self, position: u32) -> Cow<'_, [u8]> {
        let Stored { pixels, shape, framing, .. } = self.stored(position);
        match framing {
            None => Cow::Borrowed(pixels),
            Some(framing) => Cow::Owned(framed(framing, shape, pixels.to_vec())),
        }
    }

    /// The label of an image below N.
    pub(crate) fn label(&self, sample: u32) -> u32 {
        self.labels[sample as usize]
    }

    /// An image below N.
    pub(crate) fn stored(&self, sample: u32) -> Stored<'_> {
        let (sample, label) = (sample as usize, self.labels[sample as usize]);
        let (at, shape, framing) = match &self.kept {
            None => (sample * self.shape.values(), self.shape, None),
            Some(Kept { places, framing }) => {
                let Place { at, shape, kept } = places[sample];
                (at, shape, kept.then_some(framing))
            }
        };
        Stored { pixels: &self.pixels.as_ref().as_ref()[at..][..shape.values()], shape, framing, label }
    }
}

/// The input that an image of `shape` becomes. `pixels: [H, W, C]`
pub(crate) fn framed(framing: &Framing, shape: Shape, pixels: Vec<u8>) -> Vec<u8> {
    match Image::new(shape.width as u32, shape.height as u32, shape.channels as u8, pixels) {
        Ok(image) => framing.input(&image).into_data(),
        // Gray or RGB of at least a pixel, as every decoded image is, is an image.
        Err(_) => Vec::new(),
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Source({} images of {})", self.len(), self.shape)
    }
}
