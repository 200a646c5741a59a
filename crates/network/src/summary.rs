//! What a network consists of, as a table for people.

use crate::network::{Network, Node};
use crate::op::Shape;
use crate::part::Part;
use std::fmt;
use std::ops::Range;

/// A network with more layers than this is told part by part.
const MOST_LAYERS: usize = 40;

/// A table with output shapes, parameters and FLOPs, layer by layer or part by part; `Display` prints it.
#[derive(Debug)]
pub struct Summary<'a> {
    network: &'a Network,
    parts: bool,
}

impl Network {
    /// The table of this network's layers, or of its parts where it has many layers.
    pub fn summary(&self) -> Summary<'_> {
        Summary { network: self, parts: self.nodes().len() > MOST_LAYERS }
    }

    /// The table of all its layers.
    pub fn layers(&self) -> Summary<'_> {
        Summary { network: self, parts: false }
    }
}

/// A line of the table.
struct Row {
    name: String,
    module: String,
    output: Shape,
    parameters: usize,
    flops: u64,
}

impl Summary<'_> {
    /// Whether each line is a part of several layers.
    pub fn is_of_parts(&self) -> bool {
        self.parts
    }

    fn rows(&self) -> Vec<Row> {
        let (parameters, nodes) = (self.network.parameters(), self.network.nodes());
        let row = |name: &str, module: String, of: Range<usize>| {
            let trained = parameters.iter().filter(|p| of.contains(&p.node) && p.role.trained());
            Row {
                name: name.to_owned(),
                module,
                output: nodes[of.end - 1].shape,
                parameters: trained.map(|p| p.len()).sum(),
                flops: nodes[of.clone()].iter().map(|node| node.op.flops(node.shape)).sum(),
            }
        };
        if self.parts {
            let parts = self.network.parts();
            let of_part =
                |part: &Part| row(&part.name, format!("{} layers", part.nodes.len()), part.nodes.clone());
            return parts.iter().map(of_part).collect();
        }
        let of_node = |(id, node): (usize, &Node)| row(&node.name, node.op.module().to_owned(), id..id + 1);
        nodes.iter().enumerate().map(of_node).collect()
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows();
        // As wide as the longest entry, and never narrower than a small network's.
        let names = rows.iter().map(|row| row.name.len()).fold(10, usize::max);
        let modules = rows.iter().map(|row| row.module.len()).fold(12, usize::max);
        let (first, second) = if self.parts { ("stage", "") } else { ("layer", "module") };
        writeln!(
            f,
            "  {:<names$} {:<modules$} {:>12} {:>12} {:>10}",
            first, second, "output", "parameters", "MFLOPs"
        )?;
        for Row { name, module, output, parameters: count, flops } in rows {
            let (count, flops) = (
                if count > 0 { grouped(count as u64) } else { String::new() },
                if flops > 0 { format!("{:.2}", flops as f64 / 1e6) } else { String::new() },
            );
            let line = format!("  {name:<names$} {module:<modules$} {output:>12} {count:>12} {flops:>10}");
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

    /// What a line ends with, without the space that stands between.
    fn total(line: &str) -> Vec<&str> {
        line.split_whitespace().collect()
    }

    /// Numbers are right-aligned: in every line each begins and ends where the heading's column does.
    #[test]
    fn long_names_keep_the_columns_apart() {
        let input = Shape::Map { height: 64, width: 64, channels: 3 };
        for name in ["mlp", "resnet18", "mobilenet_v2"] {
            let config = ModelConfig { name: name.into(), ..ModelConfig::default() };
            let network = architectures::build(&config, input, 3).unwrap();
            let table = network.layers().to_string();
            let short = network.summary();
            assert_eq!(short.is_of_parts(), name != "mlp");
            let told = short.to_string();
            assert!(told.lines().count() < 25, "{told}");
            assert_eq!(told.lines().last().map(total), table.lines().last().map(total), "{told}");
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
