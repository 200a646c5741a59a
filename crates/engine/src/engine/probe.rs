//! Where a value that is not finite comes from.

use super::{Engine, StepContext};
use crate::float::Float;
use pupila_network::NodeId;

/// The first place at which a network's values are NaN or infinite.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotFinite {
    /// The images themselves.
    Images,
    /// A tensor of the network, by its name in the state dict: an update has overflowed.
    Tensor(String),
    /// The output of a layer, by its name and PyTorch module.
    Layer(String, &'static str),
}

impl std::fmt::Display for NotFinite {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NotFinite::Images => write!(f, "the images themselves"),
            NotFinite::Tensor(name) => write!(f, "the values of {name}"),
            NotFinite::Layer(name, module) => write!(f, "the output of {name} ({module})"),
        }
    }
}

/// Looks at the output of every stage while a pass runs.
#[derive(Debug, Default)]
pub(super) struct Probe {
    looking: bool,
    found: Option<NodeId>,
}

impl Probe {
    pub(super) fn look<T: Float>(&mut self, node: NodeId, output: &[T]) {
        if self.looking && self.found.is_none() && !output.iter().all(|x| x.finite()) {
            self.found = Some(node);
        }
    }
}

impl<T: Float> Engine<T> {
    /// The first place at which the forward pass of a batch is not finite, looked for in the order of the pass, the
    /// layers' own values first; none where all of it is finite. Values stay as they are.
    pub fn find_not_finite(
        &mut self,
        images: &[T],
        batch: usize,
        context: &StepContext,
    ) -> Option<NotFinite> {
        if !images.iter().all(|x| x.finite()) {
            return Some(NotFinite::Images);
        }
        for slot in &self.slots {
            let memory = if slot.spec.role.trained() { &self.values[..] } else { &self.tracked };
            if !memory[slot.range.clone()].iter().all(|x| x.finite()) {
                return Some(NotFinite::Tensor(slot.spec.name.clone()));
            }
        }
        let tracked = self.tracked.clone();
        self.probe = Probe { looking: true, found: None };
        self.run(images, batch, Some(context));
        let found = std::mem::take(&mut self.probe).found;
        self.tracked = tracked;
        let node = &self.network.nodes()[found?];
        Some(NotFinite::Layer(node.name.clone(), node.op.module()))
    }
}
