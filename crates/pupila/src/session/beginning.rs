//! The learnt weights that a run begins from, and which of its images they were trained on.

use super::Session;
use crate::error::Error;
use crate::transfer::{Learnt, fitted_in_words};
use pupila_dataset::{Dataset, Split};
use pupila_network::{Network, StateDict};
use pupila_run::{LearntFrom, TrainedOn};
use pupila_train::{CheckedRecipe, Images};
use std::path::Path;

/// Learnt weights that the run begins from.
#[derive(Debug, Clone)]
pub struct Beginning {
    /// The values of every tensor of the network.
    pub values: StateDict,
    /// What is known of them.
    pub record: LearntFrom,
    /// What fitted, what did not and why, a sentence each.
    pub fitted: Vec<String>,
    /// What was taken as what, a sentence each.
    pub taken: Vec<String>,
    /// Why it is not known which images they were trained on, or not of all; nothing where it is, and of weights of others, which have no record.
    pub images_unknown: Option<String>,
    /// The images that they were trained on, as far as that is known.
    pub(super) trained_on: TrainedOn,
}

impl Beginning {
    /// The values that a run begins from: learnt ones where they fit, first values where not.
    pub(super) fn of(
        recipe: &CheckedRecipe,
        network: &Network,
        classes: &[String],
        learnt: &Learnt,
    ) -> Result<Beginning, Error> {
        let initial = recipe.model.init.state(network, recipe.train.seed);
        let (trained_on, images_unknown) = learnt.trained_on();
        let fitted = learnt.fit(network, initial, classes, &recipe.transfer)?;
        Ok(Beginning {
            record: learnt.record(&fitted),
            fitted: fitted_in_words(&fitted),
            taken: learnt.taken(),
            images_unknown,
            trained_on,
            values: fitted.state,
        })
    }
}

/// What should be said before training of images that weights were trained on: which of those to be judged are among them, or why that is not known.
pub(crate) fn trained_before(
    path: &str,
    (trained_on, unknown): (&TrainedOn, Option<&str>),
    dataset: &Dataset,
) -> Vec<String> {
    let seen = seen(trained_on, dataset);
    let parts: Vec<String> = [(seen.val, Split::Val, "validation"), (seen.test, Split::Test, "test")]
        .into_iter()
        .filter(|(seen, ..)| *seen > 0)
        .map(|(seen, split, name)| format!("{seen} of {} {name} images", dataset.indices(split).len()))
        .collect();
    let known = (!parts.is_empty()).then(|| {
        format!(
            "{} were trained on by the run that the weights come from, {path}: the scores are told without them too",
            parts.join(" and ")
        )
    });
    let unknown = unknown.map(|why| {
        format!("{why}: which images the weights were trained on is not known, so the scores may count some of them")
    });
    known.into_iter().chain(unknown).collect()
}

/// The same of weights that runs will begin from.
///
/// # Errors
/// There are no such weights.
pub(crate) fn trained_before_by(from: &Path, dataset: &Dataset) -> Result<Vec<String>, Error> {
    let learnt = Learnt::open(from)?;
    let (trained_on, unknown) = learnt.trained_on();
    Ok(trained_before(&learnt.path().to_string_lossy(), (&trained_on, unknown.as_deref()), dataset))
}

fn seen(trained_on: &TrainedOn, dataset: &Dataset) -> SeenBefore {
    let of = |split: Split| {
        let seen = |image: &usize| trained_on.contains(dataset.samples[*image].content);
        dataset.indices(split).iter().filter(|image| seen(image)).count()
    };
    SeenBefore { val: of(Split::Val), test: of(Split::Test) }
}

/// How many of the images that are to be judged the weights were trained on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeenBefore {
    /// Validation images.
    pub val: usize,
    /// Test images.
    pub test: usize,
}

impl Session {
    /// How many validation and test images the weights that the run begins from were trained on, as far as that is known.
    pub fn seen_before(&self) -> SeenBefore {
        self.before().map_or(SeenBefore { val: 0, test: 0 }, |before| seen(before, self.dataset()))
    }

    /// What should be said of them before training, a sentence each; nothing where it is known that there are none.
    pub fn seen_before_in_words(&self) -> Vec<String> {
        let Some(learnt) = self.learnt() else { return Vec::new() };
        let known = (&learnt.trained_on, learnt.images_unknown.as_deref());
        trained_before(&learnt.record.path, known, self.dataset())
    }

    /// What is trained on, with what the weights that the run begins from were trained on.
    pub(super) fn with_before(&self, trained: TrainedOn) -> TrainedOn {
        match self.before() {
            Some(before) => trained.with(before),
            None => trained,
        }
    }

    /// Of each image its exact copy among those that were trained on, by this run or by those whose weights it begins from; of the latter the path
    /// is not known.
    pub(super) fn exact_copies(&self, images: &Images, positions: &[u32]) -> Vec<Option<String>> {
        let own = images.copies_in_training(positions);
        let Some(before) = self.before() else { return own };
        let samples = images.samples(positions);
        let seen = samples.into_iter().map(|sample| before.contains(images.dataset.samples[sample].content));
        own.into_iter().zip(seen).map(|(own, seen)| own.or_else(|| seen.then(String::new))).collect()
    }

    fn before(&self) -> Option<&TrainedOn> {
        self.learnt.as_ref().map(|learnt| &learnt.trained_on)
    }
}
