//! Which parts of a network learn, and how fast.

use pupila_network::NodeId;

/// How each node of a network learns.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Learning {
    /// One for each node of the network; none where all learn alike.
    pub nodes: Vec<NodeLearning>,
}

/// How a node learns.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeLearning {
    /// Factor of the learning rate. With 0 the node's tensors stay as they are, to the bit: neither gradient nor weight decay nor momentum
    /// moves them.
    pub rate: f64,
    /// Updates that were made before it began to learn: the optimizer counts its updates from there, as PyTorch does for a parameter that had no
    /// gradient before.
    pub since: u64,
    /// Whether it works in training as in evaluation: BatchNorm normalises by its running statistics, which stay as they are, and dropout drops
    /// nothing.
    pub evaluates: bool,
}

impl NodeLearning {
    /// It learns as everything does where nothing is said.
    pub const FULLY: NodeLearning = NodeLearning { rate: 1.0, since: 0, evaluates: false };
    /// It stays as it is.
    pub const FROZEN: NodeLearning = NodeLearning { rate: 0.0, since: 0, evaluates: true };
}

impl Learning {
    /// How a node learns.
    pub fn of(&self, node: NodeId) -> NodeLearning {
        self.nodes.get(node).copied().unwrap_or(NodeLearning::FULLY)
    }
}
