//! The network as a TensorFlow graph, for the graphs tab.

use super::proto::{AttrList, AttrValue, GraphDef, NodeDef, TensorShape, VersionDef};
use crate::GraphNode;
use prost::Message;

/// The serialised graph.
pub(super) fn graph_def(nodes: &[GraphNode]) -> Vec<u8> {
    let node = |node: &GraphNode| {
        let text = |(name, value): &(String, String)| {
            (name.clone(), AttrValue { s: Some(value.clone().into_bytes()), ..AttrValue::default() })
        };
        let shape = AttrList { shape: vec![TensorShape::of(&node.shape)] };
        let shape = ("_output_shapes".to_owned(), AttrValue { list: Some(shape), ..AttrValue::default() });
        NodeDef {
            name: node.name.clone(),
            op: node.op.clone(),
            input: node.inputs.clone(),
            attr: node.attributes.iter().map(text).chain([shape]).collect(),
        }
    };
    let versions = Some(VersionDef { producer: 22 });
    GraphDef { node: nodes.iter().map(node).collect(), versions }.encode_to_vec()
}
