//! Data that several sessions share: one scan and one decoding for all that want the same.

use crate::error::Error;
use crate::memory_need::{available_bytes, held_bytes};
use crate::session::{OnProgress, decode_for_training, training_samples};
use crate::stop_signal::StopSignal;
use pupila_dataset::{Cache, Dataset, ResizeRule, ScanOptions};
use pupila_train::{Images, LeakPolicy, Recipe, check_leaks, scan_for};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// The images of one path, scanned and decoded once for all sessions that want the same of them.
///
/// Sessions differ in what they want: another size, another share of the images, another split. Each scan and each size is made
/// once; images that another split or share needs are copied from those that are decoded already. What is decoded stays in memory as
/// long as this; copies as long as a session holds them.
#[derive(Debug)]
pub struct SharedData {
    path: PathBuf,
    cache: Option<Cache>,
    scans: Mutex<Vec<(ScanOptions, Arc<Dataset>)>>,
    images: Mutex<Vec<Held>>,
}

/// Images in memory, and what they are of.
#[derive(Debug)]
struct Held {
    options: ScanOptions,
    rule: ResizeRule,
    images: Owned,
}

#[derive(Debug)]
enum Owned {
    Decoded(Arc<Images>),
    Copied(Weak<Images>),
}

impl Held {
    fn get(&self) -> Option<Arc<Images>> {
        match &self.images {
            Owned::Decoded(images) => Some(Arc::clone(images)),
            Owned::Copied(images) => images.upgrade(),
        }
    }
}

impl SharedData {
    /// The data of a path; nothing is read yet.
    pub fn new(path: impl Into<PathBuf>, cache: Option<Cache>) -> Arc<Self> {
        Arc::new(SharedData {
            path: path.into(),
            cache,
            scans: Mutex::new(Vec::new()),
            images: Mutex::new(Vec::new()),
        })
    }

    /// Where they are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where decoded images are kept on disk, if anywhere.
    pub(crate) fn cache(&self) -> Option<&Cache> {
        self.cache.as_ref()
    }

    /// The data as a recipe wants them scanned, and how long that took now.
    ///
    /// # Errors
    /// The data cannot be found or read.
    pub fn scan(&self, recipe: &Recipe) -> Result<(Arc<Dataset>, Duration), Error> {
        let options = recipe.scan_options();
        // Whoever else wants the same waits for it instead of doing it again.
        let mut scans = lock(&self.scans);
        if let Some((_, dataset)) = scans.iter().find(|(other, _)| *other == options) {
            return Ok((Arc::clone(dataset), Duration::ZERO));
        }
        // Whatever part of the training images is wanted, the files are scanned once.
        let mut whole = recipe.clone();
        (whole.data.fraction, whole.data.max_per_class, whole.data.subset_seed) = (1.0, None, None);
        whole.data.leaks = LeakPolicy::Keep;
        let all = whole.scan_options();
        let (dataset, time) = match scans.iter().find(|(other, _)| *other == all) {
            Some((_, dataset)) => (Arc::clone(dataset), Duration::ZERO),
            None => {
                let cache = self.cache.as_ref().filter(|_| recipe.data.cache);
                let (dataset, time) = scan_for(&whole, &self.path, cache)?;
                let dataset = Arc::new(dataset);
                scans.push((all.clone(), Arc::clone(&dataset)));
                (dataset, time)
            }
        };
        if options == all {
            return Ok((dataset, time));
        }
        let mut part = dataset.as_ref().clone();
        part.keep_part(&options);
        check_leaks(recipe, &part)?;
        let part = Arc::new(part);
        scans.push((options, Arc::clone(&part)));
        Ok((part, time))
    }

    /// The images of a scan, decoded now unless they were before.
    pub(crate) fn images(
        &self,
        recipe: &Recipe,
        dataset: &Arc<Dataset>,
        progress: Option<&OnProgress>,
        stop: &StopSignal,
    ) -> Result<Arc<Images>, Error> {
        let (options, rule) = (recipe.scan_options(), recipe.input.rule());
        let mut all = lock(&self.images);
        all.retain(|held| held.get().is_some());
        let mut same = all.iter().filter(|held| held.rule == rule);
        if let Some(images) = same.find(|held| held.options == options).and_then(Held::get) {
            return Ok(images);
        }
        let which = training_samples(dataset);
        // Of whole images every part can be shown.
        let mut whole = all.iter().filter(|held| held.rule == rule.whole());
        let copied = whole.find_map(|held| held.get()?.copied(dataset, &which, rule.show));
        let images = match copied {
            Some(images) => {
                let images = Arc::new(images);
                all.push(Held { options, rule, images: Owned::Copied(Arc::downgrade(&images)) });
                images
            }
            None => {
                let cache = self.cache.as_ref().filter(|_| recipe.data.cache);
                let policy = recipe.data.on_bad_image;
                let bytes = held_bytes(&rule, dataset, &which);
                let hold = recipe.data.hold.resolved(bytes, available_bytes());
                let images = decode_for_training(
                    dataset.as_ref().clone(),
                    &rule,
                    cache,
                    policy,
                    hold,
                    progress,
                    stop,
                )?;
                let images = Arc::new(images);
                all.push(Held { options, rule, images: Owned::Decoded(Arc::clone(&images)) });
                images
            }
        };
        Ok(images)
    }
}

/// A thread that panicked while it held the lock has left a list that is whole: entries are added last.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
