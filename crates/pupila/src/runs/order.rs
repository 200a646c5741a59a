//! The orders in which runs are listed.

use super::{Entry, Kind, Listing};
use std::cmp::Ordering;

/// An order of runs. What one looks for comes last, so that it stands next to the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The newest last.
    #[default]
    Age,
    /// The best last; those without a score first.
    Score,
    /// The largest last.
    Size,
    /// By name, numbers in it by their value.
    Name,
}

impl Listing {
    /// Brings the entries into an order; those that are equal in it are by name.
    pub fn sort(&mut self, order: Order) {
        let better = self.metric.higher_is_better();
        self.entries.sort_by(|a, b| {
            let compared = match order {
                Order::Age => a.modified.cmp(&b.modified),
                Order::Size => a.bytes.cmp(&b.bytes),
                Order::Score => match (score(a), score(b)) {
                    (Some(a), Some(b)) if better => a.total_cmp(&b),
                    (Some(a), Some(b)) => b.total_cmp(&a),
                    (a, b) => a.is_some().cmp(&b.is_some()),
                },
                Order::Name => Ordering::Equal,
            };
            compared.then_with(|| by_name(&a.name, &b.name))
        });
    }
}

fn score(entry: &Entry) -> Option<f64> {
    match &entry.kind {
        Kind::Run(run) => run.score,
        // By its own metric, which may be another than that of the runs.
        Kind::Study(_) | Kind::Search(_) => None,
    }
}

/// `skin-mlp-2` before `skin-mlp-10`.
fn by_name(a: &str, b: &str) -> Ordering {
    let (mut rest_a, mut rest_b) = (a, b);
    loop {
        let (number_a, number_b) = (digits(rest_a), digits(rest_b));
        if !number_a.is_empty() && !number_b.is_empty() {
            // Without leading zeros the longer number is the larger one, however long.
            let [x, y] = [number_a, number_b].map(|digits| digits.trim_start_matches('0'));
            let compared = x.len().cmp(&y.len()).then_with(|| x.cmp(y));
            if compared != Ordering::Equal {
                return compared;
            }
            (rest_a, rest_b) = (&rest_a[number_a.len()..], &rest_b[number_b.len()..]);
            continue;
        }
        let (mut chars_a, mut chars_b) = (rest_a.chars(), rest_b.chars());
        match (chars_a.next(), chars_b.next()) {
            (Some(x), Some(y)) if x == y => (rest_a, rest_b) = (chars_a.as_str(), chars_b.as_str()),
            // `01` and `1` are equal up to here.
            (None, None) => return a.cmp(b),
            (x, y) => return x.cmp(&y),
        }
    }
}

/// The digits that a text begins with.
fn digits(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::by_name;

    #[test]
    fn numbers_in_names_count_by_their_value() {
        let mut names = ["run-10", "run-9", "run", "run-010a", "a", "run-9-b", "run-1", "run-01"];
        names.sort_by(|a, b| by_name(a, b));
        assert_eq!(names, ["a", "run", "run-01", "run-1", "run-9", "run-9-b", "run-10", "run-010a"]);
        let long = "9".repeat(60);
        assert!(by_name(&long, &format!("1{long}")).is_lt());
    }
}
