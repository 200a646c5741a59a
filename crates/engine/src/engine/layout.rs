//! Where everything that a pass writes stands in memory.

use super::{Buffers, Engine, Slot, grow};
use crate::arena::Arena;
use crate::float::Float;
use crate::kernels::linear::Linear;
use crate::kernels::{batch_norm, column_sums};
use crate::plan::{BufferId, Planner};
use crate::stage::{Kind, Source};
use pupila_network::Role;

impl<T: Float> Engine<T> {
    /// Lays out what lives for a part of a step. The forward pass of stage i is at time i, its backward pass at time
    /// 2 stages - i, the loss between them.
    pub(super) fn plan(&mut self, arena: fn(usize) -> Arena<T>) {
        let (count, capacity, floor) = (self.stages.len(), self.capacity, self.floor);
        let backward = |stage: usize| 2 * count - stage;
        // Those that the backward pass gives a gradient, read or not.
        let mut reached: Vec<bool> = (0..count).map(|index| index >= floor).collect();
        for stage in &self.stages[floor..] {
            for source in [Some(stage.input), stage.residual].into_iter().flatten() {
                if let Source::Stage(from) = source {
                    reached[from] = true;
                }
            }
        }
        let mut planner = Planner::default();
        let mut ids = Vec::new();
        for (index, stage) in self.stages.iter().enumerate() {
            let len = stage.shape.len() * capacity;
            let training = index >= floor;
            let saved = match &stage.kind {
                Kind::Conv2d(convolution) => convolution.padded_len() * capacity,
                Kind::Dropout { .. } if training => len,
                _ => 0,
            };
            let end = if training { backward(index) } else { index };
            // What works on the results of a convolution lies where these are written.
            let first = index - usize::from(index > 0 && self.stages[index - 1].has_epilogue);
            let output = planner.request(len, first, index);
            let saved = planner.request(saved, index, end);
            let delta =
                planner.request(if reached[index] { len } else { 0 }, backward(index), backward(index));
            ids.push((output, delta, saved));
        }
        let mut given = vec![false; count];
        // The logits' gradient comes from the loss.
        if let Some(last) = given.last_mut() {
            *last = true;
            planner.extend(ids[count - 1].0, count);
            planner.extend(ids[count - 1].1, count);
        }
        let mut adds = vec![[false; 2]; count];
        let mut temporary = Vec::new();
        for (index, stage) in self.stages.iter().enumerate().rev() {
            let mut len = 0;
            for (slot, source) in [Some(stage.input), stage.residual].into_iter().enumerate() {
                let Some(Source::Stage(from)) = source else { continue };
                planner.extend(ids[from].0, index);
                if index < floor {
                    continue;
                }
                if stage.reads_inputs_again() {
                    planner.extend(ids[from].0, backward(index));
                }
                planner.extend(ids[from].1, backward(index));
                adds[index][slot] = std::mem::replace(&mut given[from], true);
                let by_itself = matches!(stage.kind, Kind::Conv2d(_) | Kind::Grouped(_) | Kind::AvgPool(_));
                if slot == 0 && adds[index][0] && !by_itself {
                    len = stage.input_shape.len() * capacity;
                }
            }
            temporary.push(planner.request(len, backward(index), backward(index)));
        }
        temporary.reverse();
        let (places, total) = planner.place();
        self.memory = arena(total);
        let mut scratch_len = 0;
        for (index, stage) in self.stages.iter().enumerate() {
            let range = |roles: &[Role]| {
                let of = |slot: &&Slot| slot.spec.node == stage.tensors && roles.contains(&slot.spec.role);
                self.slots.iter().find(of).map_or(0..0, |slot| slot.range.clone())
            };
            let place = |id: BufferId| places[id.index()].clone();
            let features = stage.input_shape.features();
            let training = index >= floor;
            let (mut scratch, mut zeros, mut partial, mut norm_len, mut prepared) = ([0, 0], 0, 0, 0, 0);
            match &stage.kind {
                &Kind::Linear { inputs, outputs } => {
                    let linear = Linear { batch: capacity, inputs, outputs };
                    scratch = [linear.scratch_len::<T>(); 2];
                    self.workspaces.reserve(linear.workspace_len::<T>());
                    if training {
                        linear.reserve(&mut self.nonzeros);
                    }
                }
                Kind::Conv2d(convolution) => {
                    scratch = convolution.scratch_len::<T>();
                    prepared = convolution.prepared_len();
                    self.workspaces.reserve(convolution.workspace_len());
                    zeros = convolution.zeros_len();
                    partial = column_sums::partial_len(capacity * stage.shape.len(), stage.shape);
                }
                Kind::Grouped(convolution) => {
                    partial = column_sums::partial_len(capacity * stage.shape.len(), stage.shape)
                        .max(convolution.partial_len(capacity));
                }
                Kind::Pointwise { pointwise, norm } => {
                    partial = pointwise.partial_len(capacity);
                    if norm.is_some() {
                        let rows = capacity * stage.input_shape.len() / features;
                        partial = partial.max(batch_norm::partial_len(rows, features));
                    }
                    partial += 2 * features;
                    if stage.input == Source::Images {
                        // The gradient that only the norm or the residual wants.
                        scratch[1] = capacity * stage.input_shape.len();
                    }
                    norm_len = 7 * features;
                }
                Kind::LayerNorm(norm) => partial = norm.partial_len(capacity) + 2 * features,
                Kind::Multiply(_) | Kind::AvgPool(_) | Kind::Dropout { .. } => {}
            }
            let buffers = Buffers {
                trained: [
                    range(&[Role::Weight, Role::Scale, Role::LayerScale]),
                    range(&[Role::Bias, Role::Shift]),
                ],
                tracked: [range(&[Role::RunningMean]), range(&[Role::RunningVar])],
                output: place(ids[index].0),
                delta: place(ids[index].1),
                saved: place(ids[index].2),
                temporary: place(temporary[index]),
                adds: adds[index],
                norm: vec![T::ZERO; norm_len],
                prepared: vec![T::ZERO; if training { 0 } else { prepared }],
            };
            self.buffers.push(buffers);
            scratch_len = scratch_len.max(scratch[usize::from(training)]);
            grow(&mut self.zeros, zeros);
            grow(&mut self.partial, if training { partial } else { 0 });
        }
        self.scratch = arena(scratch_len);
    }
}
