//! The stages that a network runs in: each linear map is one, and the pointwise ops between two of them are one together.

use crate::kernels::avg_pool::AvgPool;
use crate::kernels::conv2d::Conv2d;
use crate::kernels::grouped::Grouped;
use crate::kernels::layer_norm::LayerNorm;
use crate::kernels::multiply::Multiply;
use crate::kernels::pointwise::Pointwise;
use pupila_backend::Learning;
use pupila_network::{Activation, Network, NodeId, Op, Shape, Window};

/// Where a stage reads from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Images,
    Stage(usize),
}

/// A stage.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The node whose output it gives; the last of those it is made of.
    pub(crate) node: NodeId,
    /// The node whose tensors it has.
    pub(crate) tensors: NodeId,
    pub(crate) kind: Kind,
    pub(crate) input: Source,
    /// The other input of a residual sum, or the factors of a product.
    pub(crate) residual: Option<Source>,
    /// Elements of a sample of it; 0 where there is none.
    pub(crate) residual_len: usize,
    pub(crate) input_shape: Shape,
    pub(crate) shape: Shape,
    /// A linear map whose bias the BatchNorm behind it takes off again: the bias has no effect, and its gradient is zero.
    pub(crate) bias_cancels: bool,
    /// A convolution on whose results the norm behind it, which is the next stage, may work where they lie: nobody else reads them.
    pub(crate) has_epilogue: bool,
}

/// What a stage does, with whatever it works out once.
#[derive(Debug)]
pub(crate) enum Kind {
    Linear { inputs: usize, outputs: usize },
    Conv2d(Box<Conv2d>),
    Grouped(Grouped),
    Pointwise { pointwise: Pointwise, norm: Option<Norm> },
    AvgPool(AvgPool),
    Multiply(Multiply),
    LayerNorm(LayerNorm),
    Dropout { p: f64, of: Dropped },
}

/// What is dropped together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// An element.
    Elements,
    /// All of a sample.
    Samples,
}

/// What gives a pointwise stage its factor and its summand for each feature.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Norm {
    /// A BatchNorm, with its constants.
    Batch { eps: f64, momentum: f64 },
    /// A layer scale, which is a BatchNorm of mean 0, deviation 1 and shift 0 that looks at no batch.
    LayerScale,
}

impl Stage {
    /// Whether the backward pass reads the stage's inputs.
    pub(crate) fn reads_inputs_again(&self) -> bool {
        !matches!(self.kind, Kind::AvgPool(_) | Kind::Dropout { .. })
    }
}

/// The pointwise ops that a stage takes in, in the order in which it runs them.
#[derive(Debug, Default)]
struct Gathered {
    norm: Option<(NodeId, Norm)>,
    add: Option<NodeId>,
    activation: Option<Activation>,
    pool: Option<(Window, Shape)>,
}

impl Gathered {
    /// Takes a node in behind `tail`, if it may stand there. `input` is what the stage reads.
    fn take(&mut self, network: &Network, id: NodeId, tail: NodeId, input: NodeId) -> bool {
        let node = &network.nodes()[id];
        let behind_activation = self.activation.is_some() || self.pool.is_some();
        match node.op {
            Op::BatchNorm { eps, momentum, .. }
                if self.norm.is_none() && self.add.is_none() && !behind_activation =>
            {
                self.norm = Some((id, Norm::Batch { eps, momentum }));
            }
            Op::LayerScale { .. } if self.norm.is_none() && self.add.is_none() && !behind_activation => {
                self.norm = Some((id, Norm::LayerScale));
            }
            Op::Add if self.add.is_none() && !behind_activation => {
                let other = if node.inputs[0] == tail { node.inputs[1] } else { node.inputs[0] };
                // The gradient of a norm's input is worked out in place: it cannot be the residual's as well.
                if self.norm.is_some() && other == input {
                    return false;
                }
                self.add = Some(other);
            }
            Op::Activation(activation) if !behind_activation => self.activation = Some(activation),
            Op::MaxPool(window) if self.pool.is_none() => self.pool = Some((window, node.shape)),
            _ => return false,
        }
        true
    }
}

/// What of a network is to be trained.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trained<'a> {
    /// The largest batch.
    pub(crate) capacity: usize,
    /// All that ever learns.
    pub(crate) learning: &'a Learning,
}

/// The stages of a network, each behind those it reads from, and how many of them no backward pass ever goes through: they are frozen for good, and
/// nothing that is explained lies in them.
pub(crate) fn stages(network: &Network, trained: Option<Trained<'_>>) -> (Vec<Stage>, usize) {
    let nodes = network.nodes();
    let mut consumers = vec![Vec::new(); nodes.len()];
    for (id, node) in nodes.iter().enumerate() {
        node.inputs.iter().for_each(|&input| consumers[input].push(id));
    }
    let mut taken = vec![false; nodes.len()];
    let mut drafts: Vec<(NodeId, NodeId, NodeId, Gathered)> = Vec::new();
    for (id, node) in nodes.iter().enumerate() {
        if taken[id] || matches!(node.op, Op::Input | Op::Flatten) {
            continue;
        }
        let mut gathered = Gathered::default();
        let mut tail = id;
        let input = node.inputs[0];
        if gathered.take(network, id, input, input) {
            while let [next] = consumers[tail][..] {
                // The same input twice is not a chain.
                if nodes[next].inputs.iter().filter(|&&input| input == tail).count() != 1
                    || taken[next]
                    || !gathered.take(network, next, tail, input)
                {
                    break;
                }
                taken[next] = true;
                tail = next;
            }
        }
        drafts.push((tail, id, input, gathered));
    }
    // A stage runs where its last node stands: all that it reads from stands before that.
    drafts.sort_by_key(|draft| draft.0);
    let source = |mut id: NodeId| {
        while nodes[id].op == Op::Flatten {
            id = nodes[id].inputs[0];
        }
        match drafts.iter().position(|draft| draft.0 == id) {
            Some(stage) => Source::Stage(stage),
            None => Source::Images,
        }
    };
    let floor = trained.map_or(drafts.len(), |trained| {
        let rests = |&(_, id, _, ref gathered): &(NodeId, NodeId, NodeId, Gathered)| {
            let learning = trained.learning.of(gathered.norm.map_or(id, |(node, _)| node));
            learning.rate == 0.0 && learning.evaluates
        };
        let learns = drafts.iter().position(|draft| !rests(draft)).unwrap_or(drafts.len());
        // Grad-CAM asks for the gradient of the last map.
        let explained = drafts.iter().rposition(|draft| matches!(nodes[draft.1].op, Op::Conv2d(_)));
        learns.min(explained.unwrap_or(0))
    });
    let make = |(index, &(tail, id, input, ref gathered)): (usize, &(NodeId, NodeId, NodeId, Gathered))| {
        let training = trained.filter(|_| index >= floor).map(|trained| trained.capacity);
        let (input_shape, input) = (nodes[input].shape, source(input));
        let kind = match nodes[id].op {
            Op::Linear { inputs, outputs } => Kind::Linear { inputs, outputs },
            Op::Conv2d(convolution) if convolution.groups > 1 => {
                let wanted = training.is_some() && input != Source::Images;
                Kind::Grouped(Grouped::new(convolution, input_shape, nodes[id].shape, wanted))
            }
            Op::Conv2d(convolution) => {
                let wanted = input != Source::Images;
                Kind::Conv2d(Box::new(Conv2d::new(
                    convolution,
                    input_shape,
                    nodes[id].shape,
                    training,
                    wanted,
                )))
            }
            Op::AvgPool(window) => Kind::AvgPool(AvgPool::new(input_shape, nodes[id].shape, Some(window))),
            Op::GlobalAvgPool => Kind::AvgPool(AvgPool::new(input_shape, nodes[id].shape, None)),
            Op::Multiply => Kind::Multiply(Multiply::new(input_shape)),
            Op::LayerNorm { eps, .. } => Kind::LayerNorm(LayerNorm::new(input_shape, eps)),
            Op::Dropout { p } => Kind::Dropout { p, of: Dropped::Elements },
            Op::StochasticDepth { p } => Kind::Dropout { p, of: Dropped::Samples },
            _ => Kind::Pointwise {
                pointwise: Pointwise::new(input_shape, gathered.activation, gathered.pool),
                norm: gathered.norm.map(|(_, norm)| norm),
            },
        };
        let tensors = gathered.norm.map_or(id, |(node, _)| node);
        let other = gathered.add.or((nodes[id].op == Op::Multiply).then(|| nodes[id].inputs[1]));
        let bias_cancels = matches!(nodes[id].op, Op::Conv2d(_) | Op::Linear { .. })
            && matches!(consumers[id][..], [next] if matches!(nodes[next].op, Op::BatchNorm { .. }));
        Stage {
            node: tail,
            tensors,
            kind,
            input,
            residual: other.map(source),
            residual_len: other.map_or(0, |other| nodes[other].shape.len()),
            input_shape,
            shape: nodes[tail].shape,
            bias_cancels,
            has_epilogue: false,
        }
    };
    let mut stages: Vec<Stage> = drafts.iter().enumerate().map(make).collect();
    for index in 0..stages.len() {
        stages[index].has_epilogue = has_epilogue(&stages, index);
    }
    (stages, floor)
}

fn has_epilogue(stages: &[Stage], index: usize) -> bool {
    let [stage, next] = match stages.get(index..index + 2) {
        Some([stage, next]) => [stage, next],
        _ => return false,
    };
    let this = Source::Stage(index);
    let works_in_place = match &next.kind {
        Kind::Pointwise { pointwise, norm: Some(_) } => next.input == this && pointwise.works_in_place(),
        _ => false,
    };
    // The memory of what both read cannot be lent twice.
    let has_own_residual = next.residual.is_none_or(|residual| {
        residual != stage.input && residual != this && matches!(residual, Source::Stage(_))
    });
    let reads = |stage: &Stage| stage.input == this || stage.residual == Some(this);
    matches!(stage.kind, Kind::Conv2d(_) | Kind::Grouped(_))
        && works_in_place
        && has_own_residual
        && stages.iter().filter(|stage| reads(stage)).count() == 1
}
