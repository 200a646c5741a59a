//! The learnt weights that a run begins from, and which of its images they were trained on.

use super::Session;
use crate::error::Error;
use crate::transfer::{Learnt, fitted_in_words};
use pupila_dataset::Split;
use pupila_network::{Network, StateDict};
use pupila_run::{LearntFrom, TrainedOn};
use pupila_train::{CheckedRecipe, Images};

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
        let dataset = self.dataset();
        let of = |split: Split| {
            let seen = |image: &usize| {
                self.before().is_some_and(|before| before.contains(dataset.samples[*image].content))
            };
            dataset.indices(split).iter().filter(|image| seen(image)).count()
        };
        SeenBefore { val: of(Split::Val), test: of(Split::Test) }
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
