//! One pass over the samples: a thread that prepares batches, and the side that takes them.

use crate::mix::Mixing;
use crate::order::Turn;
use crate::source::{Stored, framed};
use crate::{LoaderError, Source};
use pupila_transforms::{Frame, FrameMemory, Normalization, Pipeline, SampleKey, Shape};
use rayon::ThreadPool;
use rayon::prelude::*;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Batches that wait for the consumer at most. With one at the consumer and one in the making, a loader holds
/// four.
pub const AHEAD: usize = 2;

/// Batches whose images are asked for before they are prepared.
const SOON: usize = 4;

/// Samples that the network takes at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The normalised images. `[N, H, W, C]`
    pub images: Vec<f32>,
    /// Their classes. `[N]`
    pub targets: Vec<u32>,
    /// The classes of what is mixed into them; empty where nothing is. `[N]`
    pub partners: Vec<u32>,
    /// The share that each image and its class keep, 1 where nothing is mixed in; empty where nothing ever is. `[N]`
    pub shares: Vec<f64>,
    /// Their positions in the source. `[N]`
    pub samples: Vec<u32>,
    /// The shape of an image.
    pub shape: Shape,
}

impl Batch {
    /// The number of samples, N.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there is none; a loader gives no such batch.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }
}

/// The batches of one epoch, in order. Dropping it early stops their preparation.
#[derive(Debug)]
pub struct Epoch {
    // An option, so that dropping can hang up before it waits for the thread.
    ready: Option<Receiver<Result<Batch, LoaderError>>>,
    worker: Option<JoinHandle<()>>,
    spare: Arc<Mutex<Vec<Batch>>>,
    waited: Duration,
}

/// All that decides what is in a batch.
pub(crate) struct Recipe {
    pub source: Source,
    pub pipeline: Arc<Pipeline>,
    pub normalization: Arc<Normalization>,
    pub shape: Shape,
    pub batch: usize,
    pub seed: u64,
    pub epoch: u32,
    pub mixing: Option<Mixing>,
    /// Whether images that are kept are to become inputs once they are varied; otherwise the pipeline makes them inputs.
    pub frames: bool,
    /// The threads that prepare a batch, where it is more than this one.
    pub pool: Option<ThreadPool>,
    /// Whether batches are without images: targets and samples alone.
    pub bare: bool,
}

/// Images on their way into a batch, where each is mixed with the one before it.
struct Mixer {
    mixing: Mixing,
    /// The image before this one as it was before it was mixed itself, and its class.
    previous: (Vec<f32>, u32),
    current: Vec<f32>,
}

impl Recipe {
    /// Prepares the batches of the turns from `done` on one by one, until there are no more or no one takes them.
    fn prepare(
        &self,
        turns: &[Turn],
        done: usize,
        spare: &Mutex<Vec<Batch>>,
        ready: &SyncSender<Result<Batch, LoaderError>>,
    ) {
        let mut memory = FrameMemory::default();
        let mut mixer = match self.mixer(turns, done, &mut memory) {
            Ok(mixer) => mixer,
            Err(error) => {
                // Nobody listens any more, or everybody knows now.
                let _ = ready.send(Err(error));
                return;
            }
        };
        let memories = Mutex::new(vec![memory]);
        let soon = |from: usize, batches: usize| {
            if self.bare {
                return;
            }
            let to = (from + batches * self.batch).min(turns.len());
            let samples: Vec<u32> = turns[from.min(to)..to].iter().map(|turn| turn.sample).collect();
            self.source.ahead(&samples);
        };
        soon(done, SOON);
        for (number, batch) in turns[done..].chunks(self.batch).enumerate() {
            soon(done + (number + SOON) * self.batch, 1);
            let recycled = lock(spare).pop();
            let batch = self.fill(recycled, batch, &memories, &mut mixer);
            let failed = batch.is_err();
            if ready.send(batch).is_err() || failed {
                return;
            }
        }
    }

    /// With the image before the first one of the batches, which is the epoch's last where they begin with its first.
    fn mixer(
        &self,
        turns: &[Turn],
        done: usize,
        memory: &mut FrameMemory,
    ) -> Result<Option<Mixer>, LoaderError> {
        let before = done.checked_sub(1).map_or(turns.last(), |before| turns.get(before));
        let (Some(mixing), Some(&before)) = (self.mixing, before) else { return Ok(None) };
        let mut previous = vec![0.0; self.shape.values()];
        let label = self.render(before, memory, &mut previous)?;
        Ok(Some(Mixer { mixing, previous: (previous, label), current: vec![0.0; self.shape.values()] }))
    }

    /// By which a turn's draws are made.
    fn key(&self, turn: Turn) -> SampleKey {
        SampleKey { seed: self.seed, epoch: self.epoch, sample: turn.key }
    }

    /// One image, varied and normalised, and its class.
    fn render(&self, turn: Turn, memory: &mut FrameMemory, out: &mut [f32]) -> Result<u32, LoaderError> {
        let key = self.key(turn);
        let part = |shape| self.pipeline.window(shape, key);
        let stored = self.source.stored(turn.sample, part).map_err(LoaderError::Gone)?;
        let Stored { pixels, shape, framing, label } = stored;
        if self.pipeline.is_empty() && framing.is_none() {
            self.normalization.apply(&pixels, out);
            return Ok(label);
        }
        let mut frame = Frame::new(shape, &pixels, memory).map_err(LoaderError::Transform)?;
        self.pipeline.apply(&mut frame, key);
        if let Some(framing) = framing.filter(|_| self.frames) {
            let pixels = frame.pixels().to_vec();
            let input = framed(framing, frame.shape(), pixels);
            let input = Frame::new(self.shape, &input, memory).map_err(LoaderError::Transform)?;
            input.normalize_into(&self.normalization, out).map_err(LoaderError::Transform)?;
        } else {
            frame.normalize_into(&self.normalization, out).map_err(LoaderError::Transform)?;
        }
        Ok(label)
    }

    fn fill(
        &self,
        recycled: Option<Batch>,
        turns: &[Turn],
        memories: &Mutex<Vec<FrameMemory>>,
        mixer: &mut Option<Mixer>,
    ) -> Result<Batch, LoaderError> {
        let shape = self.shape;
        let mut batch = recycled.unwrap_or_else(|| Batch {
            images: Vec::with_capacity(self.batch * shape.values()),
            targets: Vec::with_capacity(self.batch),
            partners: Vec::new(),
            shares: Vec::new(),
            samples: Vec::with_capacity(self.batch),
            shape,
        });
        batch.shape = shape;
        if self.bare {
            batch.images.clear();
            batch.partners.clear();
            batch.shares.clear();
            batch.samples.clear();
            batch.samples.extend(turns.iter().map(|turn| turn.sample));
            batch.targets.clear();
            batch.targets.extend(turns.iter().map(|turn| self.source.label(turn.sample)));
            return Ok(batch);
        }
        batch.images.resize(turns.len() * shape.values(), 0.0);
        batch.targets.clear();
        batch.partners.clear();
        batch.shares.clear();
        batch.samples.clear();
        let values = shape.values().max(1);
        let render = |(&turn, out): (&Turn, &mut [f32])| {
            let mut memory = lock(memories).pop().unwrap_or_default();
            let label = self.render(turn, &mut memory, out);
            lock(memories).push(memory);
            label
        };
        match &self.pool {
            None => {
                for work in turns.iter().zip(batch.images.chunks_exact_mut(values)) {
                    batch.targets.push(render(work)?);
                }
            }
            Some(pool) => {
                let images = batch.images.par_chunks_exact_mut(values);
                batch.targets =
                    pool.install(|| turns.par_iter().zip(images).map(render).collect::<Result<_, _>>())?;
            }
        }
        batch.samples.extend(turns.iter().map(|turn| turn.sample));
        // Each with the one before it, so one after the other.
        if let Some(Mixer { mixing, previous, current }) = mixer {
            for (i, (&turn, out)) in turns.iter().zip(batch.images.chunks_exact_mut(values)).enumerate() {
                current.copy_from_slice(out);
                batch.shares.push(mixing.mix(shape, self.key(turn), out, &previous.0));
                batch.partners.push(previous.1);
                std::mem::swap(&mut previous.0, current);
                previous.1 = batch.targets[i];
            }
        }
        Ok(batch)
    }
}

impl Epoch {
    pub(crate) fn start(
        recipe: Recipe,
        turns: Vec<Turn>,
        done: usize,
        spare: Arc<Mutex<Vec<Batch>>>,
    ) -> std::io::Result<Self> {
        let (send, receive) = sync_channel(AHEAD);
        let recycled = Arc::clone(&spare);
        let worker = std::thread::Builder::new()
            .name("loader".to_owned())
            .spawn(move || recipe.prepare(&turns, done, &recycled, &send))?;
        Ok(Epoch { ready: Some(receive), worker: Some(worker), spare, waited: Duration::ZERO })
    }

    /// Gives a batch's buffers back, to be filled again. Not doing so costs an allocation, no more.
    pub fn recycle(&self, batch: Batch) {
        lock(&self.spare).push(batch);
    }

    /// How long [`next`](Iterator::next) has waited for batches so far.
    pub fn waited(&self) -> Duration {
        self.waited
    }
}

/// A batch, or why there are no more: [`LoaderError::Transform`] and [`LoaderError::Panicked`], which are mistakes of a transform, and [`LoaderError::Gone`];
/// each ends the epoch.
impl Iterator for Epoch {
    type Item = Result<Batch, LoaderError>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = Instant::now();
        let received = self.ready.as_ref()?.recv();
        self.waited += start.elapsed();
        match received {
            Ok(batch) => Some(batch),
            Err(_) => {
                // The worker has hung up: it is done, or it has panicked, which must not pass for a short
                // epoch.
                self.ready = None;
                let panic = self.worker.take()?.join().err()?;
                let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
                let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
                Some(Err(LoaderError::Panicked(text)))
            }
        }
    }
}

impl Drop for Epoch {
    fn drop(&mut self) {
        // Hanging up first wakes a worker that waits for its batch to be taken.
        self.ready = None;
        if let Some(worker) = self.worker.take() {
            // The epoch was abandoned: what went wrong in the batches nobody saw does not matter.
            let _ = worker.join();
        }
    }
}

/// What is spare. A thread that panicked while it held the lock leaves a list that is still whole.
fn lock<T>(spare: &Mutex<Vec<T>>) -> std::sync::MutexGuard<'_, Vec<T>> {
    spare.lock().unwrap_or_else(PoisonError::into_inner)
}
