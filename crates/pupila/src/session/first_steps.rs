//! How activations and gradients spread over the first steps of a run.

use super::Session;
use crate::error::Error;
use pupila_backend::{Spread, StepContext};
use pupila_engine::{Engine, Optimizer};
use pupila_train::TrainError;

/// The layers before an update.
#[derive(Debug, Clone)]
pub struct FirstStep {
    /// Updates that were made before; 0 right after the initialisation.
    pub updates: u64,
    /// Every layer, in the order of the forward pass, over the run's first batch.
    pub layers: Vec<Spread>,
}

impl Session {
    /// How activations and gradients spread, over the run's first batch, after so many of its first updates: the run itself, begun and
    /// thrown away. Class weights, mixing, clipping and the schedule are left out; an update is one batch at the recipe's learning rate.
    ///
    /// # Errors
    /// The images cannot be read.
    pub fn first_steps(&mut self, after: &[u64]) -> Result<Vec<FirstStep>, Error> {
        self.decode()?;
        let prepared = self.prepared()?;
        let recipe = &self.recipe;
        let (batch, seed) = (recipe.train.batch, recipe.train.seed);
        self.pool.install(|| {
            let loader = self.training_loader(prepared)?;
            let largest = batch.min(loader.samples());
            let mut engine = Engine::<f32>::new(&self.network, largest, true);
            match &self.learnt {
                Some(learnt) => engine.load(&learnt.values),
                None => engine.load(&recipe.model.init.state(&self.network, seed)),
            }
            .map_err(TrainError::from)?;
            let mut optimizer =
                Optimizer::new(&recipe.optimizer, engine.values().len()).map_err(TrainError::from)?;
            let Some(first) = loader.epoch(1)?.next().transpose()? else { return Ok(Vec::new()) };
            let context =
                |step: u64| StepContext { seed, step, label_smoothing: recipe.loss.label_smoothing };
            let last = after.iter().copied().max().unwrap_or(0);
            let mut found = Vec::new();
            let mut updates = 0;
            for epoch in 1.. {
                for batch in loader.epoch(epoch)? {
                    let batch = batch?;
                    if after.contains(&updates) {
                        let layers = engine.spreads(&first.images, &first.targets, &context(0));
                        found.push(FirstStep { updates, layers });
                    }
                    if updates == last {
                        return Ok(found);
                    }
                    engine.step(
                        &batch.images,
                        &batch.targets,
                        &context(updates),
                        &mut optimizer,
                        recipe.optimizer.lr,
                    );
                    updates += 1;
                }
            }
            Ok(found)
        })
    }
}
