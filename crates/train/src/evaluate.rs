//! Judging a network on images: the one path that training, `eval` and `predict` all take, so that they agree to the bit.

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
    let mut predictions = Predictions::new(engine.network().classes());
    let mut batches = loader.epoch(0)?;
    while let Some(batch) = batches.next() {
        let batch = batch?;
        if stop() {
            break;
        }
        predictions.push_logits(engine.forward(&batch.images, batch.len()), &batch.targets)?;
        batches.recycle(batch);
    }
    Ok(predictions)
}
