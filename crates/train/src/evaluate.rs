//! Judging a network on images: the one path that training, `eval` and `predict` all take, so that they agree to the bit.

use crate::features::Features;
use pupila_backend::Backend;
use pupila_loader::{Loader, LoaderError};
use pupila_metrics::{Predictions, PredictionsError};

/// Why there is no judgement.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// A batch could not be prepared.
    #[error(transparent)]
    Loader(#[from] LoaderError),
    /// The logits are not numbers.
    #[error(transparent)]
    Predictions(#[from] PredictionsError),
}

/// The predictions for every sample of the loader, in its order. The size of the batches doesn't matter: each row of the
/// network's output depends on its own image alone.
///
/// `stop` is asked before each batch; once it says yes, the predictions so far are returned.
///
/// # Errors
/// See [`EvaluateError`].
pub fn evaluate(
    engine: &mut dyn Backend,
    loader: &Loader,
    stop: &mut dyn FnMut() -> bool,
) -> Result<Predictions, EvaluateError> {
    evaluate_on(engine, loader, None, stop)
}

/// The same, on the features of a frozen part where some are kept.
pub(crate) fn evaluate_on(
    engine: &mut dyn Backend,
    loader: &Loader,
    mut features: Option<&mut Features>,
    stop: &mut dyn FnMut() -> bool,
) -> Result<Predictions, EvaluateError> {
    let mut predictions = Predictions::new(engine.network().classes());
    let bare = features.as_ref().is_some_and(|features| features.know(loader, 0));
    let mut batches = if bare { loader.bare_epoch_from(0, 0)? } else { loader.epoch(0)? };
    while let Some(batch) = batches.next() {
        let batch = batch?;
        if stop() {
            break;
        }
        let pushed = match features.as_deref_mut() {
            Some(features) => {
                let rows = features.of(engine, &batch, 0);
                engine.read_features(true);
                let pushed = predictions.push_logits(engine.forward(rows, batch.len()), &batch.targets);
                engine.read_features(false);
                pushed
            }
            None => predictions.push_logits(engine.forward(&batch.images, batch.len()), &batch.targets),
        };
        pushed?;
        batches.recycle(batch);
    }
    Ok(predictions)
}
