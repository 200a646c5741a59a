//! A network: a list of ops whose inputs stand before them, with the shape of every output.

use crate::op::{Convolution, Op, Padding, PaddingMode, Shape, Window};
use crate::parameter::{FlattenedMap, ParameterSpec, Role};

/// The place of a node in [`Network::nodes`].
pub type NodeId = usize;

/// An op with its name, its inputs and the shape of what comes out.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The module's path in the equivalent PyTorch model, for example `1` in an `nn.Sequential`.
    pub name: String,
    /// What it does.
    pub op: Op,
    /// Where its inputs come from, each a node before this one.
    pub inputs: Vec<NodeId>,
    /// The shape of one sample of its output.
    pub shape: Shape,
}

/// A static-shape network. The first node is the input, the last one gives the logits.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    /// The registered name of the architecture.
    pub architecture: String,
    nodes: Vec<Node>,
}

/// An op that cannot follow the one before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{module} `{name}` cannot take an input of {found}: {expected}")]
pub struct ShapeError {
    /// The PyTorch module.
    pub module: &'static str,
    /// The node's name.
    pub name: String,
    /// The shape it would get.
    pub found: String,
    /// What it needs.
    pub expected: String,
}

/// Builds a network op by op, working out every shape.
#[derive(Debug)]
pub struct Builder {
    nodes: Vec<Node>,
}

impl Builder {
    /// Starts with the input: one sample's shape.
    pub fn new(input: Shape) -> Self {
        Builder {
            nodes: vec![Node { name: "input".into(), op: Op::Input, inputs: Vec::new(), shape: input }],
        }
    }

    /// The last node.
    pub fn last(&self) -> NodeId {
        self.nodes.len() - 1
    }

    /// The shape of the last node's output.
    pub fn shape(&self) -> Shape {
        self.nodes[self.last()].shape
    }

    /// The shape of a node's output.
    pub(crate) fn shape_of(&self, node: NodeId) -> Shape {
        self.nodes[node].shape
    }

    /// Appends an op to the last node.
    ///
    /// # Errors
    /// The op cannot take that shape.
    pub fn push(&mut self, name: impl Into<String>, op: Op) -> Result<NodeId, ShapeError> {
        self.push_at(name, op, &[self.last()])
    }

    /// Appends an op to any nodes: one, or two for [`Op::Add`] and [`Op::Multiply`].
    ///
    /// # Errors
    /// The op cannot take those shapes.
    pub fn push_at(
        &mut self,
        name: impl Into<String>,
        op: Op,
        inputs: &[NodeId],
    ) -> Result<NodeId, ShapeError> {
        let name = name.into();
        let shapes: Vec<_> = inputs.iter().map(|&input| self.nodes[input].shape).collect();
        let shape = output_shape(&op, &shapes).map_err(|expected| ShapeError {
            module: op.module(),
            name: name.clone(),
            found: shapes.iter().map(Shape::to_string).collect::<Vec<_>>().join(" and "),
            expected,
        })?;
        self.nodes.push(Node { name, op, inputs: inputs.to_vec(), shape });
        Ok(self.last())
    }

    /// Ends the network at its last node.
    pub fn finish(self, architecture: impl Into<String>) -> Network {
        Network { architecture: architecture.into(), nodes: self.nodes }
    }
}

/// The shape that comes out of an op, or what it needs.
fn output_shape(op: &Op, inputs: &[Shape]) -> Result<Shape, String> {
    if let Op::Add = op {
        return match inputs {
            [a, b] if a == b => Ok(*a),
            _ => Err("it adds two inputs of one shape".into()),
        };
    }
    if let Op::Multiply = op {
        return match inputs {
            [map @ Shape::Map { .. }, factors] if factors.len() == map.features() => Ok(*map),
            _ => Err("it multiplies a map and a factor for each of its channels".into()),
        };
    }
    let &[input] = inputs else { return Err("it takes one input".into()) };
    match *op {
        Op::Input => Err("the input stands first and only once".into()),
        Op::Flatten => Ok(Shape::Vector(input.len())),
        Op::Linear { inputs, outputs } => match input {
            Shape::Vector(n) if n == inputs && inputs > 0 && outputs > 0 => Ok(Shape::Vector(outputs)),
            _ => Err(format!("it needs a vector of {inputs} and gives {outputs}")),
        },
        Op::Conv2d(Convolution { inputs, outputs, window, padding_mode, groups, .. }) => match input {
            Shape::Map { height, width, channels } if channels == inputs && inputs > 0 && outputs > 0 => {
                if groups == 0 || inputs % groups != 0 || outputs % groups != 0 {
                    return Err(format!("{groups} groups must divide {inputs} and {outputs} channels"));
                }
                for side in [height, width] {
                    let (before, behind) = window.around(side);
                    if padding_mode == PaddingMode::Reflect && before.max(behind) >= side {
                        return Err(format!(
                            "to be mirrored by {} it needs more rows and columns",
                            before.max(behind)
                        ));
                    }
                }
                let (height, width) = windows(window, height, width)?;
                Ok(Shape::Map { height, width, channels: outputs })
            }
            _ => Err(format!("it needs a map of {inputs} channels and gives {outputs}")),
        },
        Op::MaxPool(window) | Op::AvgPool(window) => match input {
            Shape::Map { height, width, channels } => {
                if matches!(window.padding, Padding::Each(padding) if padding * 2 > window.kernel) {
                    return Err("its padding may be half its window at most".into());
                }
                let (height, width) = windows(window, height, width)?;
                Ok(Shape::Map { height, width, channels })
            }
            Shape::Vector(_) => Err("it needs a map".into()),
        },
        Op::GlobalAvgPool => match input {
            Shape::Map { channels, .. } => Ok(Shape::Map { height: 1, width: 1, channels }),
            Shape::Vector(_) => Err("it needs a map".into()),
        },
        Op::BatchNorm { features, .. } | Op::LayerNorm { features, .. } | Op::LayerScale { features }
            if features != input.features() =>
        {
            Err(format!("it needs {features} features"))
        }
        Op::BatchNorm { .. } | Op::LayerNorm { .. } | Op::LayerScale { .. } => Ok(input),
        Op::Activation(_) | Op::Dropout { .. } | Op::StochasticDepth { .. } | Op::Add | Op::Multiply => {
            Ok(input)
        }
    }
}

/// Windows along the height and the width of a map.
fn windows(window: Window, height: usize, width: usize) -> Result<(usize, usize), String> {
    match (window.count(height), window.count(width)) {
        (0, _) | (_, 0) => Err(format!("a window of {} needs as many rows and columns", window.kernel)),
        counts => Ok(counts),
    }
}

impl Network {
    /// All nodes; each stands behind its inputs.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The shape of one input sample.
    pub fn input(&self) -> Shape {
        self.nodes[0].shape
    }

    /// Number of logits.
    pub fn classes(&self) -> usize {
        self.nodes[self.nodes.len() - 1].shape.len()
    }

    /// Every tensor, in PyTorch's order: node by node, weight before bias, trained before tracked.
    pub fn parameters(&self) -> Vec<ParameterSpec> {
        let mut specs = Vec::new();
        for (id, node) in self.nodes.iter().enumerate() {
            let groups = if let Op::Conv2d(convolution) = node.op { convolution.groups } else { 1 };
            let mut add = |role: Role, shape: Vec<usize>, flattened, fan_in, fan_out| {
                let name = format!("{}.{}", node.name, role.suffix());
                specs.push(ParameterSpec { node: id, name, role, shape, flattened, groups, fan_in, fan_out });
            };
            match node.op {
                Op::Linear { inputs, outputs } => {
                    add(Role::Weight, vec![outputs, inputs], self.flattened(id), inputs, outputs);
                    add(Role::Bias, vec![outputs], None, inputs, outputs);
                }
                Op::Conv2d(convolution) => {
                    let Convolution { outputs, window, bias, .. } = convolution;
                    let inputs = convolution.group_inputs();
                    let (side, positions) = (window.kernel, window.kernel * window.kernel);
                    let map = FlattenedMap { positions, channels: inputs };
                    // As torch.nn.init counts them, which does not divide the outputs by the groups.
                    let (fan_in, fan_out) = (inputs * positions, outputs * positions);
                    add(Role::Weight, vec![outputs, inputs, side, side], Some(map), fan_in, fan_out);
                    if bias {
                        add(Role::Bias, vec![outputs], None, fan_in, fan_out);
                    }
                }
                Op::BatchNorm { features, .. } => {
                    for role in [Role::Scale, Role::Shift, Role::RunningMean, Role::RunningVar] {
                        add(role, vec![features], None, 0, 0);
                    }
                }
                Op::LayerNorm { features, .. } => {
                    add(Role::Scale, vec![features], None, 0, 0);
                    add(Role::Shift, vec![features], None, 0, 0);
                }
                Op::LayerScale { features } => add(Role::LayerScale, vec![features], None, 0, 0),
                Op::Input | Op::Flatten | Op::MaxPool(_) | Op::AvgPool(_) | Op::GlobalAvgPool => {}
                Op::Add | Op::Multiply | Op::Activation(_) => {}
                Op::Dropout { .. } | Op::StochasticDepth { .. } => {}
            }
        }
        specs
    }

    /// The map whose flattened vector a linear op sees; none where it never was a map.
    fn flattened(&self, mut id: NodeId) -> Option<FlattenedMap> {
        loop {
            id = *self.nodes[id].inputs.first()?;
            match self.nodes[id].op {
                Op::Flatten => {
                    let map = self.nodes[*self.nodes[id].inputs.first()?].shape;
                    return Some(FlattenedMap {
                        positions: map.len() / map.features(),
                        channels: map.features(),
                    });
                }
                // What works element by element keeps the order.
                Op::Activation(_) | Op::Dropout { .. } | Op::BatchNorm { .. } | Op::Add | Op::Multiply => {}
                Op::LayerNorm { .. } | Op::LayerScale { .. } | Op::StochasticDepth { .. } => {}
                Op::Input | Op::Linear { .. } | Op::Conv2d(_) => return None,
                Op::MaxPool(_) | Op::AvgPool(_) | Op::GlobalAvgPool => return None,
            }
        }
    }

    /// Whether a BatchNorm takes its statistics over the batch alone: its input is a vector, or a map of one pixel.
    pub fn normalizes_over_batch_alone(&self) -> bool {
        self.nodes.iter().any(|node| match (&node.op, node.shape) {
            (Op::BatchNorm { .. }, Shape::Map { height, width, .. }) => height * width == 1,
            (Op::BatchNorm { .. }, Shape::Vector(_)) => true,
            _ => false,
        })
    }

    /// Number of trained values.
    pub fn parameter_count(&self) -> usize {
        self.parameters().iter().filter(|p| p.role.trained()).map(ParameterSpec::len).sum()
    }

    /// Operations of one forward pass of one sample, a multiply-add counted as two.
    pub fn flops(&self) -> u64 {
        self.nodes.iter().map(|node| node.op.flops(node.shape)).sum()
    }
}
