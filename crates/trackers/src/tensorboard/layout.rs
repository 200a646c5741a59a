//! The layout of the custom scalars tab: which scalars share a chart.

use super::plugin;
use super::proto::{Category, ChartProto, CustomScalars, Multiline, Tensor, Value};
use crate::Chart;
use prost::Message;

pub(super) fn value(charts: &[Chart]) -> Value {
    let mut categories: Vec<Category> = Vec::new();
    for chart in charts {
        // Tags are regular expressions here, which have to match from the first character to the last.
        let tag = chart.tags.iter().map(|tag| format!("^{}$", escaped(tag))).collect();
        let proto = ChartProto { title: chart.title.clone(), multiline: Some(Multiline { tag }) };
        match categories.iter_mut().find(|category| category.title == chart.category) {
            Some(category) => category.chart.push(proto),
            None => categories.push(Category { title: chart.category.clone(), chart: vec![proto] }),
        }
    }
    let layout = CustomScalars { version: 0, category: categories };
    let tensor = Tensor::strings(&[], vec![layout.encode_to_vec()]);
    plugin("custom_scalars__config__", "custom_scalars", Vec::new(), tensor)
}

fn escaped(tag: &str) -> String {
    tag.chars()
        .map(|c| if c.is_alphanumeric() || "_/ ".contains(c) { c.to_string() } else { format!("\\{c}") })
        .collect()
}
