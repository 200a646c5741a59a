//! A last layer that is fitted to features where nothing is trained: `transfer.head`.

use crate::evaluate::EvaluateError;
use crate::features::Features;
use crate::probe::{Linear, Neighbours, Probe, Rows, probe};
use crate::recipe::Head;
use crate::trainer::{Plan, TrainError};
use pupila_backend::{Backend, LossSum};
use pupila_loader::Loader;
use pupila_metrics::Predictions;
use pupila_network::{Op, Role};
use pupila_run::FittedHead;

/// What was fitted.
#[derive(Debug)]
pub(crate) enum Fitted {
    /// The network's last layer has it.
    Probe { c: f64, folds: usize, held_out_loss: Option<f64> },
    /// No network has it.
    Neighbours(Box<Neighbours>),
}

impl Fitted {
    /// For the run's records.
    pub(crate) fn record(&self) -> FittedHead {
        match self {
            &Fitted::Probe { c, folds, held_out_loss } => FittedHead::Probe { c, folds, held_out_loss },
            Fitted::Neighbours(neighbours) => {
                FittedHead::Knn { k: neighbours.k, left_out_accuracy: neighbours.left_out_accuracy }
            }
        }
    }
}

/// Fits what the recipe asks for to the features of all training images, in all their versions. What is fitted, with the scores of the training
/// images; none where `stop` says yes.
pub(crate) fn fit(
    plan: &Plan<'_>,
    engine: &mut dyn Backend,
    features: &mut Features,
    stop: &mut dyn FnMut() -> bool,
) -> Result<Option<(Fitted, LossSum)>, TrainError> {
    let Some(rows) = rows(plan, engine, features, stop)? else { return Ok(None) };
    let classes = plan.classes.len();
    if plan.recipe.transfer.head == Head::Knn {
        let neighbours = Neighbours::new(rows, classes);
        let scores = neighbours.training_scores();
        return Ok(Some((Fitted::Neighbours(Box::new(neighbours)), scores)));
    }
    let Some(found) = probe(&rows, classes, plan.class_weights, plan.recipe.train.seed, stop) else {
        return Ok(None);
    };
    let Probe { map, c, held_out_loss, folds } = found;
    let mut scores = LossSum::default();
    for ((loss, right), &label) in map.judge(&rows).into_iter().zip(&rows.labels) {
        let weight = plan.class_weights.get(label as usize).copied().unwrap_or(1.0);
        scores += LossSum { loss: weight * loss, weight, correct: usize::from(right), samples: 1 };
    }
    put(engine, &map)?;
    Ok(Some((Fitted::Probe { c, folds, held_out_loss }, scores)))
}

/// The features of the training images, in the order of their places, one version behind the other.
fn rows(
    plan: &Plan<'_>,
    engine: &mut dyn Backend,
    features: &mut Features,
    stop: &mut dyn FnMut() -> bool,
) -> Result<Option<Rows>, TrainError> {
    let loader = plan.train;
    let versions = loader.versions().unwrap_or(1);
    let mut labels = vec![0; loader.source_len()];
    for epoch in 1..=versions {
        let version = loader.version(epoch);
        let known = features.know(loader, version);
        let mut batches = if known { loader.bare_epoch_from(epoch, 0)? } else { loader.epoch(epoch)? };
        while let Some(batch) = batches.next() {
            let batch = batch?;
            if stop() {
                return Ok(None);
            }
            features.of(engine, &batch, version);
            let samples = batch.samples.iter().zip(&batch.targets);
            samples.for_each(|(&sample, &target)| labels[sample as usize] = target);
            batches.recycle(batch);
        }
    }
    let mut places = loader.given().to_vec();
    places.sort_unstable();
    let mut rows = Rows { features: features.len(), ..Rows::default() };
    for version in 0..versions {
        for &place in &places {
            rows.values.extend_from_slice(features.row(place, version));
            rows.labels.push(labels[place as usize]);
            rows.units.push(plan.contents.get(place as usize).copied().unwrap_or(u128::from(place)));
        }
    }
    Ok(Some(rows))
}

/// Gives the network's last layer the values of a map.
fn put(engine: &mut dyn Backend, map: &Linear) -> Result<(), TrainError> {
    let specs = engine.network().parameters();
    let last = specs.last().map_or(0, |spec| spec.node);
    debug_assert!(
        matches!(engine.network().nodes()[last].op, Op::Linear { .. }),
        "a network ends in a linear map"
    );
    let mut state = engine.state();
    for spec in specs.iter().filter(|spec| spec.node == last) {
        if let Some(tensor) = state.get_mut(&spec.name) {
            tensor.data = if spec.role == Role::Weight { map.weight() } else { map.bias() };
        }
    }
    Ok(engine.load(&state)?)
}

/// Judges images by the votes of their neighbours.
pub(crate) fn evaluate_votes(
    engine: &mut dyn Backend,
    loader: &Loader,
    features: &mut Features,
    neighbours: &Neighbours,
    stop: &mut dyn FnMut() -> bool,
) -> Result<Predictions, EvaluateError> {
    let mut predictions = Predictions::new(engine.network().classes());
    let bare = features.know(loader, 0);
    let mut batches = if bare { loader.bare_epoch_from(0, 0)? } else { loader.epoch(0)? };
    // All at once, since a product of many rows is faster.
    let (mut rows, mut targets) = (Vec::new(), Vec::new());
    while let Some(batch) = batches.next() {
        let batch = batch?;
        if stop() {
            break;
        }
        rows.extend_from_slice(features.of(engine, &batch, 0));
        targets.extend_from_slice(&batch.targets);
        batches.recycle(batch);
    }
    predictions.push_probabilities(&neighbours.probabilities(&rows), &targets)?;
    Ok(predictions)
}
