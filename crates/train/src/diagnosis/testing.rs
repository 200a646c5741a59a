//! Situations made up for the tests of the checks.

use super::health::{Health, Layer, Weight};
use super::{Check, Divergence, Finding, Found, Situation};
use crate::observer::EpochRecord;
use crate::recipe::Recipe;
use pupila_backend::Spread;
use std::time::Duration;

/// A situation that owns what it shows: three classes, nothing wrong.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) recipe: Recipe,
    pub(super) classes: Vec<String>,
    pub(super) train_images: usize,
    pub(super) epochs: Vec<EpochRecord>,
    pub(super) predicted: Vec<Vec<u64>>,
    pub(super) actual: Vec<u64>,
    pub(super) health: Health,
    pub(super) diverged: Option<Divergence>,
    pub(super) findings: Vec<Finding>,
}

impl Default for Case {
    fn default() -> Self {
        Case {
            recipe: Recipe::default(),
            classes: ["a", "b", "c"].map(str::to_owned).to_vec(),
            train_images: 240,
            epochs: Vec::new(),
            predicted: Vec::new(),
            actual: Vec::new(),
            health: Health { images: 32, ..Health::default() },
            diverged: None,
            findings: Vec::new(),
        }
    }
}

impl Case {
    pub(super) fn situation(&self) -> Situation<'_> {
        Situation {
            recipe: &self.recipe,
            classes: &self.classes,
            train_images: self.train_images,
            epochs: &self.epochs,
            predicted: &self.predicted,
            actual: &self.actual,
            health: Some(&self.health),
            diverged: self.diverged.as_ref(),
            findings: &self.findings,
        }
    }

    pub(super) fn check(&self, check: &Check) -> Option<Found> {
        (check.check)(&self.situation())
    }

    /// Epochs of these training losses; the validation is as good.
    pub(super) fn with_losses(self, losses: &[f64]) -> Self {
        self.with_curves(losses, &vec![(0.6, 0.6); losses.len()])
    }

    /// Epochs of these losses, in training as in validation, and accuracies in training and validation.
    pub(super) fn with_curves(mut self, losses: &[f64], accuracies: &[(f64, f64)]) -> Self {
        let lr = self.recipe.optimizer.lr;
        let record = |(i, (&loss, &(train, val))): (usize, (&f64, &(f64, f64)))| EpochRecord {
            epoch: i as u32 + 1,
            step: 8 * (i as u64 + 1),
            lr,
            train_loss: loss,
            train_accuracy: train,
            val: [("loss", loss), ("accuracy", val)].into(),
            improved: false,
            train_time: Duration::from_secs(1),
            eval_time: Duration::ZERO,
            waited: Duration::ZERO,
            images_per_s: 1.0,
        };
        self.epochs = losses.iter().zip(accuracies).enumerate().map(record).collect();
        self
    }

    /// Layers of 64 units, l0 and so on.
    pub(super) fn with_layers(mut self, modules: &[&'static str]) -> Self {
        let layer = |(i, &module): (usize, &&'static str)| Layer {
            spread: Spread {
                layer: format!("l{i}"),
                module,
                activation_variance: 1.0,
                features: 64,
                gradient_variance: 1e-6,
                ..Spread::default()
            },
            normalised: false,
        };
        self.health.layers = modules.iter().enumerate().map(layer).collect();
        self
    }

    /// Weights of 64 units with gradients of these norms, l0 and so on.
    pub(super) fn with_weights(mut self, norms: &[f64]) -> Self {
        let weight = |(i, &gradient_norm): (usize, &f64)| Weight {
            layer: format!("l{i}"),
            module: "Linear",
            units: 64,
            inputs: 64,
            gradient_norm,
            alike: false,
        };
        self.health.weights = norms.iter().enumerate().map(weight).collect();
        self
    }

    pub(super) fn layer(&mut self, i: usize) -> &mut Layer {
        &mut self.health.layers[i]
    }

    pub(super) fn weight(&mut self, i: usize) -> &mut Weight {
        &mut self.health.weights[i]
    }

    /// Something has been found before.
    pub(super) fn after(mut self, kind: &str, epoch: u32) -> Self {
        let (message, suggestion) = (String::new(), String::new());
        self.findings.push(Finding { kind: kind.to_owned(), epoch, message, suggestion });
        self
    }
}
