//! Where the images are.

use pupila_image::{Framing, Image};
use pupila_transforms::{CropBox, Shape};
use std::borrow::Cow;
use std::sync::Arc;

/// Bytes that several owners share: a vector, or a file mapped into memory.
pub type Block = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Images, wherever they are held: all are inputs of one shape, or some are kept in shapes of their own, to become inputs once they are
/// varied.
pub trait Store: Send + Sync {
    /// The number of images, N.
    fn len(&self) -> usize;

    /// Whether there is no image.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of the image at a place below N, and whether it is yet to become an input.
    fn shape(&self, position: u32) -> (Shape, bool);

    /// The pixels of the image at a place below N, of its shape. `[H, W, C]`
    ///
    /// # Errors
    /// It cannot be had any more: which, and why.
    fn pixels(&self, position: u32) -> Result<Cow<'_, [u8]>, String>;

    /// The same where pixels outside of a part of it will not be looked at: they may be anything.
    ///
    /// # Errors
    /// As those of [`Self::pixels`].
    fn pixels_within(&self, position: u32, _part: CropBox) -> Result<Cow<'_, [u8]>, String> {
        self.pixels(position)
    }

    /// Says that images will be asked for soon.
    fn ahead(&self, _positions: &[u32]) {}
}

/// Images and their labels. Clones share everything.
#[derive(Clone)]
pub struct Source {
    images: Images,
    labels: Arc<[u32]>,
    shape: Shape,
    framing: Option<Framing>,
}

#[derive(Clone)]
enum Images {
    /// Inputs one after the other.
    Block(Block),
    Store(Arc<dyn Store>),
}

/// An image as it lies in the source.
#[derive(Debug)]
pub(crate) struct Stored<'a> {
    /// `[H, W, C]`
    pub pixels: Cow<'a, [u8]>,
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
        Ok(Source { images: Images::Block(pixels), labels, shape, framing: None })
    }

    /// The images of a store, those of them that are kept to become inputs by `framing`; `labels: [N]`, `channels` are the samples of a
    /// pixel.
    ///
    /// # Errors
    /// Where the labels are not N, or an input has another shape than the framing's.
    pub fn of_store(
        store: Arc<dyn Store>,
        labels: Arc<[u32]>,
        channels: usize,
        framing: Framing,
    ) -> Result<Self, SourceError> {
        let [height, width] = framing.size.map(|side| side as usize);
        let shape = Shape { height, width, channels };
        let wrong = (0..store.len() as u32)
            .map(|position| store.shape(position))
            .find(|(of, kept)| of.channels != channels || (!kept && *of != shape));
        if store.len() != labels.len() || wrong.is_some() {
            let got = wrong.map_or(store.len() * shape.values(), |(of, _)| of.values());
            return Err(SourceError {
                labels: labels.len(),
                shape,
                expected: labels.len() * shape.values(),
                got,
            });
        }
        Ok(Source { images: Images::Store(store), labels, shape, framing: Some(framing) })
    }

    /// The same images with other labels. `labels: [N]`
    ///
    /// # Errors
    /// Where they are more or fewer than the images.
    pub fn with_labels(&self, labels: Arc<[u32]>) -> Result<Self, SourceError> {
        if labels.len() != self.labels.len() {
            let values = self.shape.values();
            let (expected, got) = (labels.len() * values, self.labels.len() * values);
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

    /// Whether some of the images may be kept in shapes of their own.
    pub(crate) fn may_have_kept(&self) -> bool {
        self.framing.is_some()
    }

    /// Whether preparing an image is work for several threads: it is decoded or read, or has many pixels.
    pub(crate) fn is_work(&self) -> bool {
        matches!(self.images, Images::Store(_)) || self.shape.values() >= WORK
    }

    /// The image at a place below N as an input. `[H, W, C]`
    ///
    /// # Errors
    /// It cannot be had any more: which, and why.
    pub fn input(&self, position: u32) -> Result<Cow<'_, [u8]>, String> {
        let Stored { pixels, shape, framing, .. } = self.stored(position, |_| None)?;
        Ok(match framing {
            None => pixels,
            Some(framing) => Cow::Owned(framed(framing, shape, pixels.into_owned())),
        })
    }

    /// Says that images will be asked for soon.
    pub(crate) fn ahead(&self, positions: &[u32]) {
        if let Images::Store(store) = &self.images {
            store.ahead(positions);
        }
    }

    /// The label of an image below N.
    pub(crate) fn label(&self, sample: u32) -> u32 {
        self.labels[sample as usize]
    }

    /// An image below N; `part` says of its shape outside of which part no pixel is looked at.
    pub(crate) fn stored(
        &self,
        sample: u32,
        part: impl FnOnce(Shape) -> Option<CropBox>,
    ) -> Result<Stored<'_>, String> {
        let label = self.labels[sample as usize];
        Ok(match &self.images {
            Images::Block(pixels) => {
                let values = self.shape.values();
                let pixels = &pixels.as_ref().as_ref()[sample as usize * values..][..values];
                Stored { pixels: Cow::Borrowed(pixels), shape: self.shape, framing: None, label }
            }
            Images::Store(store) => {
                let (shape, kept) = store.shape(sample);
                let framing = self.framing.as_ref().filter(|_| kept);
                let pixels = match part(shape) {
                    Some(part) => store.pixels_within(sample, part)?,
                    None => store.pixels(sample)?,
                };
                Stored { pixels, shape, framing, label }
            }
        })
    }
}

/// Values of an input from which on several threads prepare a batch: of 128 x 128 in color.
const WORK: usize = 128 * 128 * 3;

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
