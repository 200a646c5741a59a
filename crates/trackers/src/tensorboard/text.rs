//! Text: a string tensor of shape `[]`, shown as Markdown.

use super::plugin;
use super::proto::{Tensor, Value};

pub(super) fn value(tag: &str, markdown: &str) -> Value {
    plugin(tag, "text", Vec::new(), Tensor::strings(&[], vec![markdown.as_bytes().to_vec()]))
}
