//! A look into a pass: where a value that is not finite comes from, and how activations and gradients spread layer by layer.

use super::{Engine, Sink};
use crate::float::Float;
use pupila_backend::{NotFinite, Spread, StepContext, Targets};
use pupila_network::NodeId;

/// Looks at every stage while a pass runs.
#[derive(Debug, Default)]
pub(super) struct Probe {
    looking: bool,
    found: Option<NodeId>,
    /// One for each stage, if they are asked for.
    spreads: Vec<Spread>,
    /// Copies of maps and gradients, if they are asked for.
    pub(super) capture: Option<Capture>,
}

/// What is copied out of the passes, in f32.
#[derive(Debug, Default)]
pub(super) struct Capture {
    /// The stage whose output is copied; all stages where there is none.
    pub(super) output_of: Option<usize>,
    /// The stage whose gradient is copied, after which the backward pass ends.
    pub(super) gradient_of: Option<usize>,
    /// The outputs by stage.
    pub(super) outputs: Vec<(usize, Vec<f32>)>,
    /// The gradient by the output.
    pub(super) gradient: Vec<f32>,
}

fn copied<T: Float>(values: &[T]) -> Vec<f32> {
    values.iter().map(|x| x.to_f64() as f32).collect()
}

impl Probe {
    pub(super) fn capturing(capture: Capture) -> Self {
        Probe { capture: Some(capture), ..Probe::default() }
    }

    /// Whether it looks at every stage's output.
    pub(super) fn looks(&self) -> bool {
        self.looking || self.capture.is_some() || !self.spreads.is_empty()
    }

    pub(super) fn forward<T: Float>(&mut self, stage: usize, node: NodeId, output: &[T]) {
        if self.looking && self.found.is_none() && !output.iter().all(|x| x.finite()) {
            self.found = Some(node);
        }
        if let Some(spread) = self.spreads.get_mut(stage) {
            (spread.activation_mean, spread.activation_variance) = moments(output);
            let zeros = output.iter().filter(|x| **x == T::ZERO).count();
            spread.zeros_frac = zeros as f64 / output.len() as f64;
            spread.dead_frac = dead(output, spread.features);
        }
        if let Some(capture) = &mut self.capture
            && capture.output_of.is_none_or(|wanted| wanted == stage)
        {
            capture.outputs.push((stage, copied(output)));
        }
    }

    pub(super) fn backward<T: Float>(&mut self, stage: usize, gradient: &[T]) {
        if let Some(spread) = self.spreads.get_mut(stage) {
            spread.gradient_variance = moments(gradient).1;
        }
        if let Some(capture) = self.capture.as_mut().filter(|capture| capture.gradient_of == Some(stage)) {
            capture.gradient = copied(gradient);
        }
    }

    /// Whether the backward pass need not go beyond a stage.
    pub(super) fn has_enough(&self, stage: usize) -> bool {
        self.capture.as_ref().is_some_and(|capture| capture.gradient_of == Some(stage))
    }
}

/// The share of the features that are zero in every row of `output: [rows, features]`.
fn dead<T: Float>(output: &[T], features: usize) -> f64 {
    let mut alive = vec![false; features];
    for row in output.chunks_exact(features.max(1)) {
        alive.iter_mut().zip(row).for_each(|(alive, x)| *alive |= *x != T::ZERO);
    }
    alive.iter().filter(|alive| !**alive).count() as f64 / features as f64
}

fn moments<T: Float>(values: &[T]) -> (f64, f64) {
    let mean = values.iter().map(|x| x.to_f64()).sum::<f64>() / values.len() as f64;
    let squares = values.iter().map(|x| (x.to_f64() - mean) * (x.to_f64() - mean)).sum::<f64>();
    (mean, squares / values.len() as f64)
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
        self.probe = Probe { looking: true, ..Probe::default() };
        self.run(images, batch, Some(context));
        let found = std::mem::take(&mut self.probe).found;
        self.tracked = tracked;
        let node = &self.network.nodes()[found?];
        Some(NotFinite::Layer(node.name.clone(), node.op.module()))
    }

    /// How activations and gradients spread in training mode, layer by layer in the order of the forward pass: what tells
    /// one initialiser from another (Glorot and Bengio 2010, He et al. 2015). Values stay as they are.
    pub fn spreads(&mut self, images: &[T], targets: &[u32], context: &StepContext) -> Vec<Spread> {
        let nodes = self.network.nodes();
        let spread = |stage: &crate::stage::Stage| {
            let node = &nodes[stage.node];
            Spread {
                layer: node.name.clone(),
                module: node.op.module(),
                features: stage.shape.features(),
                ..Spread::default()
            }
        };
        self.probe = Probe { spreads: self.stages.iter().map(spread).collect(), ..Probe::default() };
        let tracked = self.tracked.clone();
        let targets = Targets::from(targets);
        self.run(images, targets.classes.len(), Some(context));
        self.loss(targets, context);
        self.backward(images, targets.classes.len(), Sink::Look);
        self.looked = true;
        self.tracked = tracked;
        std::mem::take(&mut self.probe).spreads.split_off(self.looked_from())
    }
}
