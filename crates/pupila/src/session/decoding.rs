//! The images of a session, decoded or from the user's cache.

use super::Progress;
use crate::error::Error;
use crate::session::OnProgress;
use crate::stop_signal::StopSignal;
use pupila_dataset::{Cache, Dataset, Hold, Split};
use pupila_train::Images;

/// The user's cache of decoded images, where there is a place for it. It may hold what [`cache_bound`] says.
pub fn user_cache() -> Option<Cache> {
    Some(Cache::open(Cache::default_dir()?, cache_bound().unwrap_or(Cache::DEFAULT_MAX_BYTES)))
}

/// How many bytes the user's cache may hold: those of `PUPILA_CACHE_GB`, or 4 GiB.
///
/// # Errors
/// The variable holds no number of gigabytes.
pub fn cache_bound() -> Result<u64, Error> {
    let Ok(text) = std::env::var("PUPILA_CACHE_GB") else { return Ok(Cache::DEFAULT_MAX_BYTES) };
    match text.trim().parse::<f64>() {
        // More than any disk has is no bound.
        Ok(gb) if gb >= 0.0 => Ok((gb * 1e9) as u64),
        _ => Err(Error::request(format_args!(
            "PUPILA_CACHE_GB is {text:?}, and says how many gigabytes the cache may hold: a number such as 40 or 0.5"
        ))),
    }
}

/// Decodes the images that a run trains on and validates with. Training images come first: their places are the coordinates of
/// their augmentation.
pub(crate) fn decode_for_training(
    dataset: Dataset,
    rule: &pupila_dataset::ResizeRule,
    cache: Option<&Cache>,
    policy: pupila_dataset::OnBadImage,
    hold: Hold,
    progress: Option<&OnProgress>,
    stop: &StopSignal,
) -> Result<Images, Error> {
    let which = training_samples(&dataset);
    decode_images(dataset, &which, rule, cache, policy, hold, progress, stop)
}

/// The samples of a run in the order in which they are held: those to train on, then those to validate with.
pub(crate) fn training_samples(dataset: &Dataset) -> Vec<usize> {
    let mut which = dataset.indices(Split::Train);
    which.extend(dataset.indices(Split::Val));
    which
}

/// Decodes with progress and a way to stop.
pub(crate) fn decode_images(
    dataset: Dataset,
    which: &[usize],
    rule: &pupila_dataset::ResizeRule,
    cache: Option<&Cache>,
    policy: pupila_dataset::OnBadImage,
    hold: Hold,
    progress: Option<&OnProgress>,
    stop: &StopSignal,
) -> Result<Images, Error> {
    let (done, total) = (std::sync::atomic::AtomicUsize::new(0), which.len());
    let told = |n: usize| {
        if let Some(progress) = progress {
            let done = n + done.fetch_add(n, std::sync::atomic::Ordering::Relaxed);
            progress(Progress { done, total });
        }
    };
    Ok(Images::decode(dataset, which, rule, cache, policy, hold, &told, &|| stop.is_set())?)
}
