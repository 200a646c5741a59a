//! What a network consists of, as a table for people.

use crate::network::Network;
use std::fmt;

/// A layer table with output shapes, parameters and FLOPs; `Display` prints it.
#[derive(Debug)]
pub struct Summary<'a> {
    network: &'a Network,
}

impl Network {
    /// The layer table of this network.
    pub fn summary(&self) -> Summary<'_> {
        Summary { network: self }
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (parameters, nodes) = (self.network.parameters(), self.network.nodes());
        // As wide as the longest entry, and never narrower than a small network's.
        let names = nodes.iter().map(|node| node.name.len()).fold(10, usize::max);
        let modules = nodes.iter().map(|node| node.op.module().len()).fold(12, usize::max);
        writeln!(
            f,
            "  {:<names$} {:<modules$} {:>12} {:>12} {:>10}",
            "layer", "module", "output", "parameters", "MFLOPs"
        )?;
        for (id, node) in nodes.iter().enumerate() {
            let count: usize =
                parameters.iter().filter(|p| p.node == id && p.role.trained()).map(|p| p.len()).sum();
            let flops = node.op.flops(node.shape);
            let (count, flops) = (
                if count > 0 { grouped(count as u64) } else { String::new() },
                if flops > 0 { format!("{:.2}", flops as f64 / 1e6) } else { String::new() },
            );
            let line = format!(
                "  {:<names$} {:<modules$} {:>12} {count:>12} {flops:>10}",
                node.name,
                node.op.module(),
                node.shape
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        let total = grouped(self.network.parameter_count() as u64);
        let label = names + modules + 14;
        write!(f, "  {:<label$} {total:>12} {:>10.2}", "total", self.network.flops() as f64 / 1e6)
    }
}

/// A count with a comma at every thousand.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use crate::{ModelConfig, Shape, architectures};

    #[test]
    fn the_table_adds_up() {
        let input = Shape::Map { height: 64, width: 64, channels: 3 };
        let network = architectures::build(&ModelConfig::default(), input, 3).unwrap();
        let table = network.summary().to_string();
        assert!(table.contains("1          Linear                512    6,291,968      12.58"), "{table}");
        assert!(
            table.lines().last().is_some_and(|l| l.contains("6,358,019") && l.contains("12.71")),
            "{table}"
        );
    }

    /// Numbers are right-aligned: in every line each begins and ends where the heading's column does.
    #[test]
    fn long_names_keep_the_columns_apart() {
        let input = Shape::Map { height: 64, width: 64, channels: 3 };
        for name in ["mlp", "resnet18", "mobilenet_v2"] {
            let config = ModelConfig { name: name.into(), ..ModelConfig::default() };
            let table = architectures::build(&config, input, 3).unwrap().summary().to_string();
            let mut lines = table.lines();
            let heading = lines.next().unwrap();
            let end = heading.find("parameters").unwrap() + "parameters".len();
            for line in lines {
                let boundary = line.get(end - 1..=end).map(str::as_bytes);
                assert!(boundary.is_none_or(|pair| pair[1] == b' '), "{name}: {line}");
            }
        }
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(super::grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
