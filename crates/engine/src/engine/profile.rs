//! Where the time of a step goes, stage by stage.

use super::Engine;
use crate::float::Float;
use std::time::{Duration, Instant};

/// What one stage has taken since the profile was begun: a linear map, or the pointwise ops between two of them.
#[derive(Debug, Clone, Default)]
pub struct StageTime {
    /// Name of the stage's first layer.
    pub layer: String,
    /// Its PyTorch module.
    pub module: &'static str,
    /// Floating-point operations of a forward pass over one sample.
    pub flops: u64,
    /// Time of the forward passes.
    pub forward: Duration,
    /// Time of the backward passes, with the update of the stage's parameters.
    pub backward: Duration,
}

impl<T: Float> Engine<T> {
    /// Begins to take the time of every stage.
    pub fn begin_profile(&mut self) {
        let nodes = self.network.nodes();
        let stage = |stage: &crate::stage::Stage| {
            let node = &nodes[stage.tensors];
            StageTime {
                layer: node.name.clone(),
                module: node.op.module(),
                flops: node.op.flops(node.shape),
                ..StageTime::default()
            }
        };
        self.profile = self.stages.iter().map(stage).collect();
    }

    /// The times since [`Engine::begin_profile`], in the order of the forward pass; empty without it.
    pub fn profile(&self) -> &[StageTime] {
        &self.profile
    }
}

/// Takes the time of one stage, if a profile is made.
pub(super) struct Watch(Option<Instant>);

impl Watch {
    pub(super) fn start(profile: &[StageTime]) -> Self {
        Watch((!profile.is_empty()).then(Instant::now))
    }

    pub(super) fn stop(self, total: Option<&mut Duration>) {
        if let (Some(started), Some(total)) = (self.0, total) {
            *total += started.elapsed();
        }
    }
}
