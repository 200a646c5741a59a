//! A network: a list of ops whose inputs stand before them, with the shape of every output.

use crate::op::{Op, PaddingMode, Shape, Window};
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

    /// Appends an op to the last node.
    ///
    /// # Errors
    /// The op cannot take that shape.
    pub fn push(&mut self, name: impl Into<String>, op: Op) -> Result<NodeId, ShapeError> {
        let (name, input) = (name.into(), self.shape());
        let refuse = |expected: String| ShapeError {
            module: op.module(),
            name: name.clone(),
            found: input.to_string(),
            expected,
        };
        let shape = match op {
            Op::Input => return Err(refuse("the input stands first and only once".into())),
            Op::Flatten => Shape::Vector(input.len()),
            Op::Linear { inputs, outputs } => match input {
                Shape::Vector(n) if n == inputs && inputs > 0 && outputs > 0 => Shape::Vector(outputs),
                _ => return Err(refuse(format!("it needs a vector of {inputs} and gives {outputs}"))),
            },
            Op::Conv2d { inputs, outputs, window, padding_mode } => match input {
                Shape::Map { height, width, channels } if channels == inputs && inputs > 0 && outputs > 0 => {
                    if padding_mode == PaddingMode::Reflect && window.padding >= height.min(width) {
                        let expected =
                            format!("to be mirrored by {} it needs more rows and columns", window.padding);
                        return Err(refuse(expected));
                    }
                    let (height, width) = windows(window, height, width).map_err(&refuse)?;
                    Shape::Map { height, width, channels: outputs }
                }
                _ => return Err(refuse(format!("it needs a map of {inputs} channels and gives {outputs}"))),
            },
            Op::MaxPool(window) => match input {
                Shape::Map { height, width, channels } => {
                    let (height, width) = windows(window, height, width).map_err(&refuse)?;
                    Shape::Map { height, width, channels }
                }
                Shape::Vector(_) => return Err(refuse("it needs a map".into())),
            },
            Op::BatchNorm { features, .. } if features != input.features() => {
                return Err(refuse(format!("it needs {features} features")));
            }
            Op::BatchNorm { .. } | Op::Activation(_) | Op::Dropout { .. } => input,
        };
        let inputs = vec![self.last()];
        self.nodes.push(Node { name, op, inputs, shape });
        Ok(self.last())
    }

    /// Ends the network at its last node.
    pub fn finish(self, architecture: impl Into<String>) -> Network {
        Network { architecture: architecture.into(), nodes: self.nodes }
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
            let mut add = |role: Role, shape: Vec<usize>, flattened, fan_in, fan_out| {
                let name = format!("{}.{}", node.name, role.suffix());
                specs.push(ParameterSpec { node: id, name, role, shape, flattened, fan_in, fan_out });
            };
            match node.op {
                Op::Linear { inputs, outputs } => {
                    add(Role::Weight, vec![outputs, inputs], self.flattened(id), inputs, outputs);
                    add(Role::Bias, vec![outputs], None, inputs, outputs);
                }
                Op::Conv2d { inputs, outputs, window, .. } => {
                    let (side, positions) = (window.kernel, window.kernel * window.kernel);
                    let map = FlattenedMap { positions, channels: inputs };
                    let (fan_in, fan_out) = (inputs * positions, outputs * positions);
                    add(Role::Weight, vec![outputs, inputs, side, side], Some(map), fan_in, fan_out);
                    add(Role::Bias, vec![outputs], None, fan_in, fan_out);
                }
                Op::BatchNorm { features, .. } => {
                    for role in [Role::Scale, Role::Shift, Role::RunningMean, Role::RunningVar] {
                        add(role, vec![features], None, 0, 0);
                    }
                }
                Op::Input | Op::Flatten | Op::MaxPool(_) | Op::Activation(_) | Op::Dropout { .. } => {}
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
                Op::Activation(_) | Op::Dropout { .. } | Op::BatchNorm { .. } => {}
                Op::Input | Op::Linear { .. } | Op::Conv2d { .. } | Op::MaxPool(_) => return None,
            }
        }
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
