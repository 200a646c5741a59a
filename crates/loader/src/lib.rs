//! Samples to batches: augment, normalise and collate ahead of the consumer
