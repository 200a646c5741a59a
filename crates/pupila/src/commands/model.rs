//! A trained model, opened from its run folder or its file.

use crate::failure::Failure;
use crate::interrupt::interrupted;
use pupila_dataset::{Cache, Dataset, OnBadImage};
use pupila_engine::Engine;
use pupila_loader::Loader;
use pupila_metrics::Predictions;
use pupila_network::Network;
use pupila_train::{Images, ModelCard, ModelFile, RunFolder, Views, evaluate_views};
use pupila_transforms::Normalization;
use std::path::Path;

/// Images that are judged at once. Their number doesn't change a result.
const BATCH: usize = 64;
/// Images that are explained at once: the backward pass takes memory for each.
const EXPLAINED: usize = 8;

/// A model ready to judge images.
pub(crate) struct Trained {
    pub(crate) card: ModelCard,
    /// The run folder that it is in, if it was opened by that.
    pub(crate) folder: Option<RunFolder>,
    engine: Engine<f32>,
    normalization: Normalization,
}

impl Trained {
    /// Opens `run`: a run folder, or a model file.
    pub(crate) fn open(run: &Path) -> Result<Self, Failure> {
        let folder = run.is_dir().then(|| RunFolder::open(run));
        let file = folder.as_ref().map_or(run.to_owned(), |folder| folder.file(RunFolder::MODEL));
        if !file.exists() {
            return Err(Failure::wrong(match folder {
                Some(_) => format!(
                    "{} has no {}: it is no run folder, or no epoch of the run has ended",
                    run.display(),
                    RunFolder::MODEL
                ),
                None => format!(
                    "{} does not exist; RUN is a run folder, such as runs/skin-mlp-1, or a model file",
                    run.display()
                ),
            }));
        }
        let ModelFile { card, state } = ModelFile::read(&file).map_err(Failure::request)?;
        let damaged =
            |error: &dyn std::fmt::Display| Failure::wrong(format_args!("{}: {error}", file.display()));
        let network = card.network().map_err(|error| damaged(&error))?;
        let normalization = card.normalization().map_err(|error| damaged(&error))?;
        let mut engine = Engine::new(&network, BATCH, false);
        engine.load(&state).map_err(|error| damaged(&error))?;
        Ok(Trained { card, folder, engine, normalization })
    }

    /// Decodes images as the model wants them.
    pub(crate) fn decode(
        &self,
        dataset: Dataset,
        which: &[usize],
        cache: Option<&Cache>,
        policy: OnBadImage,
    ) -> Result<Images, Failure> {
        let rule = self.card.input.rule();
        let bar = super::tell::bar(which.len() as u64, "reading images {bar:40} {pos}/{len} {eta}");
        let images =
            Images::decode(dataset, which, &rule, cache, policy, &|n| bar.inc(n as u64), &interrupted);
        bar.finish_and_clear();
        Ok(images?)
    }

    /// The network.
    pub(crate) fn network(&self) -> &Network {
        self.engine.network()
    }

    /// How pixels become numbers.
    pub(crate) fn normalization(&self) -> &Normalization {
        &self.normalization
    }

    /// Another engine with the same values, one that can explain.
    pub(crate) fn explainer(&self) -> Result<Engine<f32>, Failure> {
        let mut engine = Engine::new(self.network(), EXPLAINED, true);
        engine.load(&self.engine.state()).map_err(Failure::work)?;
        Ok(engine)
    }

    /// All images in memory, in order.
    pub(crate) fn loader(&self, images: &Images) -> Result<Loader, Failure> {
        let all = (0..images.len() as u32).collect();
        images.evaluation_loader(all, self.normalization.clone(), BATCH).map_err(Failure::work)
    }

    /// Judges all images in memory, in order, each in so many views.
    pub(crate) fn judge(&mut self, images: &Images, views: Views) -> Result<Predictions, Failure> {
        let loader = self.loader(images)?;
        let predictions =
            evaluate_views(&mut self.engine, &loader, views, &interrupted).map_err(Failure::work)?;
        if interrupted() {
            return Err(Failure::Interrupted("interrupted; nothing was written".into()));
        }
        Ok(predictions)
    }
}

/// The cache of decoded images, where there is a place for it.
pub(crate) fn cache() -> Option<Cache> {
    Cache::default_dir().map(|dir| Cache::open(dir, Cache::DEFAULT_MAX_BYTES))
}
