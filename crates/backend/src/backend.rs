//! The boundary: what a training loop asks of whatever computes a network.

use crate::{
    Activations, Explanation, Learning, LossSum, MemoryBytes, NotFinite, OptimizerConfig, OptimizerError,
    RestoreError, Snapshot, Spread, StepContext, Targets, TensorMemory, TrainingState,
};
use pupila_network::{Network, StateDict, StateError, Tensor};
use std::fmt::Debug;

/// A network with its values, ready to run batches of up to [`capacity`](Backend::capacity) samples, and its optimizer.
///
/// Images are `[batch, input]` in f32, the input of a map `[height, width, channels]`. What a backend owes beyond the types
/// is what [`suite`](crate::suite) tests: an image's logits depend on that image alone, and a training that is taken apart
/// and put together again goes on to the bit.
///
/// # Panics
/// All passes do with an empty batch, with one above the capacity, and with images or targets of another length than the
/// batch says. Those that train, and [`explain`](Backend::explain), do where the backend was not made for training; updates
/// do without an optimizer.
pub trait Backend: Debug + Send {
    /// The network.
    fn network(&self) -> &Network;

    /// The largest batch.
    fn capacity(&self) -> usize;

    /// What the memory is taken by, in bytes.
    fn memory_bytes(&self) -> MemoryBytes;

    /// Takes over the values of a state dict with PyTorch's names and layouts. The optimizer stays as it is.
    ///
    /// # Errors
    /// A tensor is missing, has another shape, or is not of this network. Nothing has changed then.
    fn load(&mut self, state: &StateDict) -> Result<(), StateError>;

    /// The values as a state dict with PyTorch's names and layouts.
    fn state(&self) -> StateDict;

    /// The logits of `images: [batch, input]` in evaluation mode: `[batch, classes]`.
    fn forward(&mut self, images: &[f32], batch: usize) -> &[f32];

    /// Weighs each class in the loss; an empty slice weighs all alike.
    ///
    /// # Panics
    /// With another number of weights than classes.
    fn set_class_weights(&mut self, weights: &[f64]);

    /// Which nodes learn from now on, and how fast. The optimizer stays as it is.
    ///
    /// # Panics
    /// With another number of nodes than the network's, unless there are none.
    fn set_learning(&mut self, learning: &Learning);

    /// Values of an image's features: what the nodes that learn read of the others, where those depend on the image alone. None where
    /// nothing is frozen, or where they read more than one output.
    fn feature_len(&self) -> Option<usize>;

    /// The features of `images: [batch, input]`: `[batch, feature_len]`.
    ///
    /// # Panics
    /// Where there are none.
    fn features(&mut self, images: &[f32], batch: usize) -> &[f32];

    /// Whether all passes take features in place of images from now on, until nodes are told to learn otherwise.
    ///
    /// # Panics
    /// Where there are none.
    fn read_features(&mut self, reads: bool);

    /// Whether passes take features now.
    fn reads_features(&self) -> bool;

    /// Gives the backend an optimizer that has taken no step. Gradients that wait for an update are dropped.
    ///
    /// # Errors
    /// The configuration's first fault. The optimizer stays as it was then.
    fn set_optimizer(&mut self, config: &OptimizerConfig) -> Result<(), OptimizerError>;

    /// Lets go of the optimizer and of gradients that wait: whoever only judges from now on has their memory back.
    fn end_training(&mut self);

    /// Updates that the optimizer has made; 0 without one.
    fn updates(&self) -> u64;

    /// One training step: forward in training mode, loss, backward, update. With a loss that is not finite nothing is updated.
    ///
    /// The targets are `[batch]`, the loss is that of before the update.
    fn step(&mut self, images: &[f32], targets: Targets<'_>, context: &StepContext, lr: f64) -> LossSum;

    /// Adds the gradient of a batch to those since the last [`apply`](Backend::apply). A loss that is not finite adds nothing.
    ///
    /// Each batch counts by the weights of its samples, so that k batches of n give the gradient of one batch of k n,
    /// except that BatchNorm normalises each by itself.
    fn accumulate(&mut self, images: &[f32], targets: Targets<'_>, context: &StepContext) -> LossSum;

    /// Updates with the mean of the gradients since the last call, whose norm over all values is held down to `max_norm`,
    /// if given, as by `torch.nn.utils.clip_grad_norm_`. Gives the norm as it was; 0 without any gradient, and then
    /// nothing happens. With a norm that is not finite nothing is updated.
    fn apply(&mut self, lr: f64, max_norm: Option<f64>) -> f64;

    /// All that one step hands to the next, in the backend's own order.
    fn training_state(&self) -> TrainingState;

    /// The same, into a state whose memory may be used again.
    fn training_state_into(&self, state: &mut TrainingState) {
        *state = self.training_state();
    }

    /// Goes on from a state as if all that led to it had happened here.
    ///
    /// # Errors
    /// The state does not fit the network or the optimizer. Nothing has changed then.
    fn restore_training(&mut self, state: &TrainingState) -> Result<(), RestoreError>;

    /// Copies all values, tracked ones included, into `snapshot`, in the backend's own order.
    fn save_to(&self, snapshot: &mut Snapshot<f32>);

    /// Takes back the values of a snapshot of this network.
    ///
    /// # Panics
    /// With a snapshot of another network.
    fn restore(&mut self, snapshot: &Snapshot<f32>);

    /// Moves the snapshot's trained values to `decay` of what they are and the rest of what they are here, the exponential
    /// moving average of `torch.optim.swa_utils`; what is tracked is copied. An empty snapshot takes everything as it is.
    fn average_into(&self, snapshot: &mut Snapshot<f32>, decay: f64);

    /// The loss of a batch in training mode and its gradient, kept for [`gradient_state`](Backend::gradient_state) and
    /// [`tensors`](Backend::tensors). Nothing is updated, but BatchNorm's running statistics move.
    fn gradients(&mut self, images: &[f32], targets: Targets<'_>, context: &StepContext) -> LossSum;

    /// The gradient of the last [`gradients`](Backend::gradients), by the names and in the layouts of a state dict. Tracked
    /// tensors have none and are left out.
    fn gradient_state(&self) -> StateDict;

    /// The Euclidean norm of the gradient of the last [`gradients`](Backend::gradients), over all trained values, in f64.
    fn gradient_norm(&self) -> f64;

    /// Every trained tensor as it lies in memory, in the order of [`Network::parameters`], for whoever only counts or sums
    /// elements. A backend whose values lie elsewhere keeps the copy that it makes when it is asked.
    fn tensors(&self) -> Vec<TensorMemory<'_, f32>>;

    /// The first `rows` of a weight, `[rows, ...]` in PyTorch's layout, or all where there are fewer; none where the network has
    /// no weight of that name.
    fn leading_rows(&self, name: &str, rows: usize) -> Option<Tensor>;

    /// How activations and gradients spread in training mode, layer by layer in the order of the forward pass. Values stay as
    /// they are.
    fn spreads(&mut self, images: &[f32], targets: &[u32], context: &StepContext) -> Vec<Spread>;

    /// Explains for each image the logit of a class: `images: [n, input]`, `classes: [n]`, n of any size. None where there is
    /// no map of this network. Values stay as they are.
    fn explain(&mut self, images: &[f32], classes: &[u32]) -> Option<Explanation>;

    /// The outputs of every layer in evaluation mode, in the order of the forward pass; ops that run together give one.
    fn activations(&mut self, images: &[f32], batch: usize) -> Vec<Activations>;

    /// Elements of all layers' outputs for one image: what [`activations`](Backend::activations) copies.
    fn activation_count(&self) -> usize;

    /// The first place at which the forward pass of a batch in training mode is not finite, looked for in the order of the
    /// pass, the layers' own values first; none where all of it is finite. Values stay as they are.
    fn find_not_finite(&mut self, images: &[f32], batch: usize, context: &StepContext) -> Option<NotFinite>;
}
