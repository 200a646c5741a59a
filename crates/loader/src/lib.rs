//! Samples to batches: augment, normalise and collate ahead of the consumer.
//!
//! In: decoded images wherever they are held ([`Source`]), their labels, a pipeline and a normalisation. Out: [`Batch`]es in NHWC f32, prepared on a thread of their own while the consumer
//! computes, at most [`AHEAD`] of them.
//!
//! What a batch holds is a function of (seed, epoch, place in the epoch) alone: neither the speed of either
//! side nor a start in the middle of an epoch changes it.

mod epoch;
mod loader;
mod mix;
mod order;
mod source;

pub use epoch::{AHEAD, Batch, Epoch};
pub use loader::{Loader, LoaderError, makes_inputs};
pub use mix::Mixing;
pub use order::{Order, Turn, turns};
pub use source::{Block, Source, SourceError, Store};
