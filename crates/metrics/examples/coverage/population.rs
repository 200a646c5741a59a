//! Populations of which the metrics are known, and images drawn of them: what intervals are tried on.

use pupila_metrics::{Predictions, interval, metric, paired_interval};
use pupila_random::{Purpose, Stream};

/// The metrics that have an interval.
pub(crate) const METRICS: [&str; 3] = ["accuracy", "balanced_accuracy", "macro_f1"];

/// A population of which images are drawn.
#[derive(Clone)]
pub(crate) struct Population {
    /// Images of each class.
    pub(crate) images: Vec<usize>,
    /// The chance that an image is right, of the first and the second classifier, by class.
    pub(crate) right: Vec<[f64; 2]>,
    /// Where wrong answers go.
    pub(crate) errors: Errors,
    /// The chance that both classifiers draw the same for an image.
    pub(crate) shared: f64,
    /// Groups of each class, and the chance that an image is as its group; no groups otherwise.
    pub(crate) groups: Option<(Vec<usize>, f64)>,
    /// How many times as many images the first group of a class has as the last.
    pub(crate) skew: f64,
}

/// Where wrong answers go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Errors {
    /// To any other class.
    Anywhere,
    /// To one other class.
    Neighbour,
    /// To the first class.
    First,
}

/// How often an interval held the value.
#[derive(Clone, Copy, Default)]
pub(crate) struct Held {
    pub(crate) held: u32,
    pub(crate) tried: u32,
    /// Sum of the widths.
    pub(crate) widths: f64,
}

impl Held {
    /// The share that was held; of nothing, all.
    pub(crate) fn share(&self) -> f64 {
        if self.tried == 0 { 1.0 } else { f64::from(self.held) / f64::from(self.tried) }
    }
}

impl Population {
    /// Classes of some images each, all right as often; with `mixed` every other class is wrong a tenth as often.
    pub(crate) fn plain(images: Vec<usize>, right: f64, mixed: bool, errors: Errors) -> Self {
        let of =
            |class: usize| if mixed && class.is_multiple_of(2) { 1.0 - 0.1 * (1.0 - right) } else { right };
        let right = (0..images.len()).map(|class| [of(class); 2]).collect();
        Population { images, right, errors, shared: 0.0, groups: None, skew: 1.0 }
    }

    fn wrong(&self, class: usize, draw: f64) -> usize {
        let k = self.images.len();
        match self.errors {
            Errors::Anywhere => (class + 1 + (draw * (k - 1) as f64) as usize) % k,
            Errors::Neighbour if class ^ 1 < k => class ^ 1,
            Errors::Neighbour => 0,
            Errors::First => usize::from(class == 0),
        }
    }

    /// The answers of both classifiers to images drawn, and the images' groups.
    pub(crate) fn draw(&self, stream: &mut Stream) -> (Predictions, Predictions, Vec<u32>) {
        let k = self.images.len();
        let (mut a, mut b, mut groups) = (Predictions::new(k), Predictions::new(k), Vec::new());
        let mut first_group = 0;
        for class in 0..k {
            let count = self.groups.as_ref().map_or(1, |(of_class, _)| of_class[class]);
            let of_group: Vec<[f64; 4]> =
                (0..count).map(|_| std::array::from_fn(|_| stream.unit())).collect();
            let ends = self.ends(count);
            for image in 0..self.images[class] {
                let place = (image as f64 + 0.5) / self.images[class] as f64;
                let group = ends.iter().position(|&end| place < end).unwrap_or(count - 1);
                let own: [f64; 4] = std::array::from_fn(|_| stream.unit());
                let as_group = self.groups.as_ref().is_some_and(|(_, alike)| stream.chance(*alike));
                let [first, second, where_to, together] = if as_group { of_group[group] } else { own };
                let second = if together < self.shared { first } else { second };
                for (predictions, draw, which) in [(&mut a, first, 0), (&mut b, second, 1)] {
                    let right = draw < self.right[class][which];
                    let mut row = vec![0.0; k];
                    row[if right { class } else { self.wrong(class, where_to) }] = 1.0;
                    predictions.push_probabilities(&row, &[class as u32]).unwrap();
                }
                groups.push((first_group + group) as u32);
            }
            first_group += count;
        }
        (a, b, groups)
    }

    /// Where the groups of a class end, as shares of its images.
    fn ends(&self, count: usize) -> Vec<f64> {
        let weight = |group: usize| 1.0 + (self.skew - 1.0) * (1.0 - group as f64 / count.max(2) as f64);
        let sum: f64 = (0..count).map(weight).sum();
        let mut end = 0.0;
        (0..count)
            .map(|group| {
                end += weight(group) / sum;
                end
            })
            .collect()
    }

    /// The value of a metric for all images of the population, of the first or the second classifier.
    pub(crate) fn truth(&self, name: &str, which: usize) -> f64 {
        let k = self.images.len();
        let total: usize = self.images.iter().sum();
        let right = |class: usize| self.right[class][which];
        match name {
            "accuracy" => (0..k).map(|c| self.images[c] as f64 * right(c)).sum::<f64>() / total as f64,
            "balanced_accuracy" => (0..k).map(right).sum::<f64>() / k as f64,
            _ => {
                let mut table = vec![vec![0.0; k]; k];
                for class in 0..k {
                    table[class][class] += self.images[class] as f64 * right(class);
                    // Wrong answers are spread as they are drawn.
                    for step in 0..k - 1 {
                        let wrong = self.wrong(class, (step as f64 + 0.5) / (k - 1) as f64);
                        let share = self.images[class] as f64 * (1.0 - right(class)) / (k - 1) as f64;
                        table[class][wrong] += share;
                    }
                }
                let f1 = |c: usize| {
                    let (row, column): (f64, f64) = (table[c].iter().sum(), table.iter().map(|r| r[c]).sum());
                    2.0 * table[c][c] / (row + column)
                };
                (0..k).map(f1).sum::<f64>() / k as f64
            }
        }
    }

    /// How many of 100 intervals hold the value at least, as is promised.
    pub(crate) fn promised(&self) -> f64 {
        match &self.groups {
            None => 0.93,
            Some((groups, _)) if groups.iter().sum::<usize>() >= 20 => 0.92,
            Some(_) => 0.90,
        }
    }

    /// How often the intervals held the values, by metric; of the difference of both classifiers where `paired`.
    pub(crate) fn simulate(&self, seed: u64, repetitions: u32, paired: bool) -> [Held; 3] {
        let mut found = [Held::default(); 3];
        for repetition in 0..repetitions {
            let mut stream = Stream::new(seed, Purpose::Bootstrap, repetition, 9);
            let (a, b, groups) = self.draw(&mut stream);
            let groups = self.groups.as_ref().map(|_| groups.as_slice());
            for (name, found) in METRICS.iter().zip(&mut found) {
                let of = metric(name).unwrap();
                let (low, high, truth) = if paired {
                    let Ok(i) = paired_interval(&a, &b, of, groups, 0.95) else { continue };
                    assert_eq!(i.p_value < 0.05, i.low > 0.0 || i.high < 0.0, "{name}: {i:?}");
                    (i.low, i.high, self.truth(name, 1) - self.truth(name, 0))
                } else {
                    let Ok(i) = interval(&a, of, groups) else { continue };
                    (i.low, i.high, self.truth(name, 0))
                };
                assert!(low <= high, "{name}: {low} to {high}");
                found.tried += 1;
                found.held += u32::from(low <= truth + 1e-12 && truth <= high + 1e-12);
                found.widths += high - low;
            }
        }
        found
    }

    pub(crate) fn name(&self) -> String {
        let ends = |of: &[String]| match of {
            [first, .., last] if first != last => format!("{first} .. {last}"),
            [first, ..] => first.clone(),
            [] => String::new(),
        };
        let images: Vec<String> = self.images.iter().map(usize::to_string).collect();
        let right: Vec<String> = self.right.iter().map(|of| format!("{:.3}/{:.3}", of[0], of[1])).collect();
        let groups = self.groups.as_ref().map_or(String::new(), |(groups, alike)| {
            format!(", {} groups, alike {alike}, skew {}", groups.iter().sum::<usize>(), self.skew)
        });
        format!(
            "{} classes of {} images, right {}, errors {:?}, shared {}{groups}",
            self.images.len(),
            ends(&images),
            ends(&right),
            self.errors,
            self.shared
        )
    }
}
