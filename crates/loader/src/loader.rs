//! What an epoch goes through, and how.

use crate::epoch::{Batch, Epoch, Recipe};
use crate::mix::Mixing;
use crate::order::{Order, turns};
use crate::{Block, Source};
use pupila_transforms::{Normalization, Pipeline, Shape};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::borrow::Cow;
use std::sync::{Arc, Mutex};

/// Makes epochs of batches from a source. The buffers of the batches outlive an epoch and are used again by
/// the next.
#[derive(Debug)]
pub struct Loader {
    source: Source,
    samples: Vec<u32>,
    /// Samples in an epoch.
    epoch_len: usize,
    left_out: usize,
    order: Order,
    batch: usize,
    seed: u64,
    pipeline: Arc<Pipeline>,
    normalization: Arc<Normalization>,
    shape: Shape,
    mixing: Option<Mixing>,
    /// In how many ways each image is varied, one an epoch, and by which keys; none for another one in each.
    views: Option<Views>,
    /// Whether what is kept becomes an input here, after the pipeline.
    frames: bool,
    /// Threads that prepare a batch where that is work.
    threads: usize,
    spare: Arc<Mutex<Vec<Batch>>>,
}

/// The few ways in which each image is varied.
#[derive(Debug, Clone)]
struct Views {
    count: u32,
    /// What the draws of each image of the source are keyed by.
    keys: Arc<[u32]>,
}

/// The seed of views: they are of the images, whatever the seed of the run.
const VIEWS_SEED: u64 = 0;

/// Why there is no loader, or no epoch.
#[derive(Debug, thiserror::Error)]
pub enum LoaderError {
    /// Batches of no samples.
    #[error("expected a batch of at least one sample, got 0")]
    EmptyBatch,
    /// A sample that the source does not have.
    #[error("sample {sample} is outside the {len} images of the source")]
    Sample {
        /// The sample asked for.
        sample: u32,
        /// Images in the source.
        len: usize,
    },
    /// A normalisation for another number of channels.
    #[error("the images have {images} channels, and the normalisation is for {normalization}")]
    Channels {
        /// Channels after the transforms.
        images: usize,
        /// Channels of the normalisation.
        normalization: usize,
    },
    /// The transforms give images of different shapes, which no batch can hold.
    #[error("the transforms change the shape of some images only; set p = 1 for those that do")]
    VaryingShape,
    /// The operating system gave no thread.
    #[error("cannot start the thread that prepares the batches")]
    Thread(#[source] std::io::Error),
    /// A transform gave an image of another shape than it declares.
    #[error("a transform gave an image of another shape than it declares")]
    Transform(#[source] pupila_transforms::ShapeError),
    /// An image that was there when the data were read cannot be read any more.
    #[error("an image cannot be read any more: {0}")]
    Gone(String),
    /// The thread that prepares the batches has panicked.
    #[error("the preparation of a batch failed: {0}")]
    Panicked(String),
}

impl Loader {
    /// A loader of all images of the source.
    ///
    /// # Errors
    /// Where a batch would be empty, or the images do not suit the normalisation or come out in several
    /// shapes.
    pub fn new(
        source: Source,
        pipeline: impl Into<Arc<Pipeline>>,
        normalization: Normalization,
        order: Order,
        batch: usize,
        seed: u64,
    ) -> Result<Self, LoaderError> {
        if batch == 0 {
            return Err(LoaderError::EmptyBatch);
        }
        let pipeline = pipeline.into();
        let frames = source.may_have_kept() && !makes_inputs(&pipeline, source.shape());
        let made =
            if source.may_have_kept() { Some(source.shape()) } else { pipeline.output_shape(source.shape()) };
        let shape = made.ok_or(LoaderError::VaryingShape)?;
        if shape.channels != normalization.channels() {
            let (images, normalization) = (shape.channels, normalization.channels());
            return Err(LoaderError::Channels { images, normalization });
        }
        let loader = Loader {
            samples: Vec::new(),
            epoch_len: 0,
            left_out: 0,
            source,
            order,
            batch,
            seed,
            pipeline,
            normalization: Arc::new(normalization),
            shape,
            mixing: None,
            views: None,
            frames,
            threads: 1,
            spare: Arc::default(),
        };
        let all = (0..loader.source.len() as u32).collect();
        loader.with_samples(all)
    }

    /// Restricts it to some samples, by their positions in the source, in this order; one may occur several
    /// times.
    ///
    /// # Errors
    /// Where the source does not have a sample.
    pub fn with_samples(mut self, samples: Vec<u32>) -> Result<Self, LoaderError> {
        let len = self.source.len();
        match samples.iter().find(|&&sample| sample as usize >= len) {
            Some(&sample) => Err(LoaderError::Sample { sample, len }),
            None => {
                self.samples = samples;
                // As long as any other.
                self.epoch_len = self.order(0).len();
                Ok(self)
            }
        }
    }

    /// Mixes each image with the one before it in the epoch, as `mixing` says.
    #[must_use]
    pub fn with_mixing(mut self, mixing: Option<Mixing>) -> Self {
        self.mixing = mixing;
        self
    }

    /// Varies each image in so many ways alone, one an epoch, over and over: epoch e has the draws of view `(e - 1) % views + 1`.
    ///
    /// They are drawn by `keys`, one for each image of the source, such as a hash of its content, and not by the seed: a view is the same in every
    /// run, so that what is made of it can be kept.
    ///
    /// # Panics
    /// With another number of keys than images.
    #[must_use]
    pub fn with_views(mut self, views: Option<u32>, keys: &[u32]) -> Self {
        assert!(views.is_none() || keys.len() == self.source.len(), "one key for each image");
        self.views = views.filter(|&views| views > 0).map(|count| Views { count, keys: keys.into() });
        self
    }

    /// Prepares batches on so many threads, where images are large, or are decoded or read for it. What is in a batch stays the same.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// The threads of an epoch.
    fn pool(&self) -> Result<Option<ThreadPool>, LoaderError> {
        if self.threads == 1 || !self.source.is_work() {
            return Ok(None);
        }
        let pool =
            ThreadPoolBuilder::new().num_threads(self.threads).thread_name(|_| "loader".to_owned()).build();
        pool.map(Some).map_err(|error| LoaderError::Thread(std::io::Error::other(error)))
    }

    /// Leaves the last sample of an epoch out where it would be a batch by itself: each epoch's order has another one there.
    #[must_use]
    pub fn without_single(mut self) -> Self {
        if self.batch > 1 && self.epoch_len > 1 && self.epoch_len % self.batch == 1 {
            self.epoch_len -= 1;
            self.left_out = 1;
        }
        self
    }

    /// Samples that each epoch leaves out: one, or none.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Samples in an epoch.
    pub fn samples(&self) -> usize {
        self.epoch_len
    }

    /// Batches in an epoch; the last may be smaller than the others.
    pub fn batches(&self) -> usize {
        self.epoch_len.div_ceil(self.batch)
    }

    /// The shape of an image in a batch.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The samples of an epoch in their order, as positions in the source.
    pub fn order(&self, epoch: u32) -> Vec<u32> {
        self.order.samples(&self.samples, |sample| self.source.label(sample), self.seed, epoch)
    }

    /// How many different inputs an image becomes over all epochs, where they are few: 1 where it is not varied, or as many as there are views.
    pub fn versions(&self) -> Option<u32> {
        if self.mixing.is_some() {
            None
        } else if self.pipeline.is_empty() {
            Some(1)
        } else {
            // A sample that comes twice in an epoch is varied in two ways.
            let views = self.views.as_ref().map(|views| views.count);
            views.filter(|_| matches!(self.order, Order::Shuffled | Order::Undersampled))
        }
    }

    /// Whether images are varied, so that even their one version is none of the images as they are.
    pub fn varies(&self) -> bool {
        !self.pipeline.is_empty()
    }

    /// Which of its versions an image is in an epoch, from 0.
    pub fn version(&self, epoch: u32) -> u32 {
        self.versions().map_or(0, |versions| epoch.saturating_sub(1) % versions)
    }

    /// The epoch whose draws an epoch has.
    fn drawn(&self, epoch: u32) -> u32 {
        let views = self.views.as_ref().filter(|_| epoch > 0);
        views.map_or(epoch, |views| (epoch - 1) % views.count + 1)
    }

    /// Images of the source, whether they are of the loader's samples or not.
    pub fn source_len(&self) -> usize {
        self.source.len()
    }

    /// The samples that epochs are made of, as positions in the source.
    pub fn given(&self) -> &[u32] {
        &self.samples
    }

    /// The pixels of an image as an input that was not varied, by its position in the source, and their shape; none where the source
    /// has no such image, or has it no more. `[H, W, C]`
    pub fn pixels(&self, position: u32) -> Option<(Cow<'_, [u8]>, Shape)> {
        let there = (position as usize) < self.source.len();
        there.then(|| self.source.input(position).ok().map(|pixels| (pixels, self.source.shape()))).flatten()
    }

    /// Up to so many images from everywhere among the loader's, normalised and not varied. `[N, H, W, C]`
    pub fn normalized_sample(&self, count: usize) -> Vec<f32> {
        let (all, mut images) = (self.samples.len(), Vec::new());
        for at in (0..count.min(all)).map(|i| i * all / count.min(all)) {
            if let Some((pixels, shape)) = self.pixels(self.samples[at]) {
                let start = images.len();
                images.resize(start + shape.values(), 0.0);
                self.normalization.apply(&pixels, &mut images[start..]);
            }
        }
        images
    }

    /// Starts an epoch.
    ///
    /// # Errors
    /// [`LoaderError::Thread`] only.
    pub fn epoch(&self, epoch: u32) -> Result<Epoch, LoaderError> {
        self.epoch_from(epoch, 0)
    }

    /// Starts an epoch after its first `done` batches, as a resumed run does.
    ///
    /// # Errors
    /// [`LoaderError::Thread`] only.
    pub fn epoch_from(&self, epoch: u32, done: usize) -> Result<Epoch, LoaderError> {
        self.start(epoch, done, false)
    }

    /// The same batches without images, for whoever has kept what it makes of them: samples and targets alone.
    ///
    /// # Errors
    /// [`LoaderError::Thread`] only.
    pub fn bare_epoch_from(&self, epoch: u32, done: usize) -> Result<Epoch, LoaderError> {
        self.start(epoch, done, true)
    }

    fn start(&self, epoch: u32, done: usize, bare: bool) -> Result<Epoch, LoaderError> {
        let mut order = self.order(epoch);
        order.truncate(self.epoch_len);
        let mut turns = turns(&order, self.source.len());
        let mut seed = self.seed;
        if let Some(views) = self.views.as_ref().filter(|_| epoch > 0) {
            seed = VIEWS_SEED;
            for turn in &mut turns {
                // An image that comes again in the epoch has another key, as ever.
                let again = turn.key.wrapping_sub(turn.sample);
                turn.key = views.keys[turn.sample as usize].wrapping_add(again);
            }
        }
        let done = done.saturating_mul(self.batch).min(turns.len());
        let recipe = Recipe {
            source: self.source.clone(),
            pipeline: Arc::clone(&self.pipeline),
            normalization: Arc::clone(&self.normalization),
            shape: self.shape,
            batch: self.batch,
            seed,
            epoch: self.drawn(epoch),
            mixing: self.mixing,
            frames: self.frames,
            pool: if bare { None } else { self.pool()? },
            bare,
        };
        Epoch::start(recipe, turns, done, Arc::clone(&self.spare)).map_err(LoaderError::Thread)
    }
}

/// Whether a pipeline gives inputs of `shape`, whatever the shape of what it takes.
pub fn makes_inputs(pipeline: &Pipeline, shape: Shape) -> bool {
    // Two shapes that no recipe asks for, and that no transform turns into each other but by turning.
    [[977, 1013], [1013, 977], [641, 3]].into_iter().all(|[height, width]| {
        pipeline.output_shape(Shape { height, width, channels: shape.channels }) == Some(shape)
    })
}

impl Source {
    /// A source of bytes that a vector holds.
    ///
    /// # Errors
    /// As [`Source::new`].
    pub fn from_vec(pixels: Vec<u8>, labels: Vec<u32>, shape: Shape) -> Result<Self, crate::SourceError> {
        let pixels: Block = Arc::new(pixels);
        Source::new(pixels, labels.into(), shape)
    }
}
