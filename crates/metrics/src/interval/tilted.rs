//! Limits of a metric of counts by inverting a score test along a family of tilted distributions.
//!
//! In: how often each true class was answered as each class, and a metric with its gradient. Out: the limits between which the
//! metric of the population lies.
//!
//! A limit is a value of the metric that a test would only just not reject. To test a value, a population with that value is
//! needed: of all that have it, the one that is nearest to what was seen. Here that is the observed distribution of the answers to
//! each true class, tilted: a cell's share is multiplied by exp(t I), I being the cell's influence on the metric, and each true
//! class keeps its share. The variance is then that of the tested population and not that of the sample, which is 0 where all
//! images are right. For one proportion this is Wilson's interval; for the mean of several, Yan and Su's stratified one.
//!
//! References: Efron, "Nonparametric standard errors and confidence intervals" (Canadian Journal of Statistics 1981), section 11,
//! tilting; Wilson, "Probable inference, the law of succession, and statistical inference" (JASA 1927); Yan and Su, "Stratified
//! Wilson and Newcombe confidence intervals for multiple binomial proportions" (Statistics in Biopharmaceutical Research 2010).

use crate::metric::Smooth;
use std::collections::BTreeMap;

/// Images that are added to each true class, spread over its cells, so that what was not seen is not taken for impossible. Of images in
/// groups as many as say as much: with those of single images the limits of a difference held 88 % where whole groups were alike.
/// It only decides how the tilt is shared out: the limits themselves are measured from what was seen.
const UNSEEN: f64 = 0.5;
/// Steps towards a limit, at most.
const STEPS: u32 = 60;
/// How near a tilt is found.
const TOLERANCE: f64 = 1e-10;
/// The first tilt that is tried, in standard deviations of the influence: a limit of a hundred images is about there.
const FIRST: f64 = 0.25;
/// The largest.
const FARTHEST: f64 = 60.0;

/// The answers to images of one true class.
#[derive(Debug)]
struct Row {
    /// Share of all images.
    share: f64,
    cells: Vec<Cell>,
}

/// An answer, or a pair of them where two classifiers are compared.
#[derive(Debug)]
struct Cell {
    target: usize,
    first: usize,
    /// The same as `first` for one classifier.
    second: usize,
    /// Its share of the row, with what was added.
    share: f64,
    /// How far one image more of it moves the metric, per share, less the row's mean.
    influence: f64,
}

/// Distributions of answers, by one number.
#[derive(Debug)]
pub(super) struct Family {
    rows: Vec<Row>,
    classes: usize,
    smooth: Smooth,
    /// Whether the metric is a difference of two classifiers.
    paired: bool,
    images: f64,
    /// The metric as observed.
    pub(super) value: f64,
    /// The standard deviation of the influence.
    scale: f64,
    /// The largest step of the metric when one image is answered otherwise.
    step: f64,
    /// How much higher than that of the population the metric of so few images is on average.
    bias: f64,
    /// By how much the variance is larger than that of independent images.
    pub(super) design_effect: f64,
}

/// Observed answers: true class, answer of the first classifier, of the second (the same again for one), how many.
pub(super) type Counted = (usize, usize, usize, u64);

impl Family {
    /// The family around what was observed. `None` without images.
    pub(super) fn new(
        counted: &[Counted],
        classes: usize,
        smooth: Smooth,
        paired: bool,
        design_effect: f64,
    ) -> Option<Self> {
        let images: u64 = counted.iter().map(|cell| cell.3).sum();
        if images == 0 {
            return None;
        }
        let images = images as f64;
        let mut rows = Vec::new();
        for target in 0..classes {
            let seen = counted.iter().filter(|cell| cell.0 == target);
            let of_row: u64 = seen.clone().map(|cell| cell.3).sum();
            if of_row == 0 {
                continue;
            }
            let mut cells: Vec<Cell> = added(target, classes, paired, UNSEEN * design_effect);
            for &(_, first, second, n) in seen {
                match cells.iter_mut().find(|cell| (cell.first, cell.second) == (first, second)) {
                    Some(cell) => cell.share += n as f64,
                    None => cells.push(Cell { target, first, second, share: n as f64, influence: 0.0 }),
                }
            }
            let sum: f64 = cells.iter().map(|cell| cell.share).sum();
            cells.iter_mut().for_each(|cell| cell.share /= sum);
            rows.push(Row { share: of_row as f64 / images, cells });
        }
        let mut family = Family {
            rows,
            classes,
            smooth,
            paired,
            images,
            value: 0.0,
            scale: 1.0,
            step: 0.0,
            bias: 0.0,
            design_effect,
        };
        family.value = family.observed(counted);
        if let Some(bias) = smooth.bias {
            family.bias = family.of_seen(counted, |counts| bias(counts, classes));
        }
        let shares = family.shares(0.0);
        let (_, slopes) = family.slopes(&shares);
        let mut variance = 0.0;
        let mut step: f64 = 0.0;
        for ((row, shares), slopes) in family.rows.iter_mut().zip(&shares).zip(&slopes) {
            let mean: f64 = shares.iter().zip(slopes).map(|(share, slope)| share * slope).sum();
            let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
            for ((cell, share), slope) in row.cells.iter_mut().zip(shares).zip(slopes) {
                cell.influence = slope - mean;
                variance += row.share * share * cell.influence * cell.influence;
                (least, most) = (least.min(cell.influence), most.max(cell.influence));
            }
            step = step.max(most - least);
        }
        family.scale = variance.sqrt();
        family.step = step / images;
        Some(family)
    }

    /// A number of the counts that were seen, of one classifier; the second one's less the first one's where two are compared.
    fn of_seen(&self, counted: &[Counted], of: impl Fn(&[f64]) -> f64) -> f64 {
        let table = |answer: fn(&Counted) -> usize| {
            let mut counts = vec![0.0; self.classes * self.classes];
            counted.iter().for_each(|cell| counts[cell.0 * self.classes + answer(cell)] += cell.3 as f64);
            of(&counts)
        };
        let second = table(|cell| cell.2);
        if self.paired { second - table(|cell| cell.1) } else { second }
    }

    /// The metric of what was seen, with nothing added.
    fn observed(&self, counted: &[Counted]) -> f64 {
        self.of_seen(counted, |counts| {
            let shares: Vec<f64> = counts.iter().map(|count| count / self.images).collect();
            (self.smooth.gradient)(&shares, self.classes, &mut vec![0.0; shares.len()])
        })
    }

    /// The shares of the cells in their rows at a tilt.
    fn shares(&self, tilt: f64) -> Vec<Vec<f64>> {
        let of_row = |row: &Row| {
            let exponent = |cell: &Cell| tilt * cell.influence / self.scale;
            let most = row.cells.iter().map(exponent).fold(f64::NEG_INFINITY, f64::max);
            let mut shares: Vec<f64> =
                row.cells.iter().map(|cell| cell.share * libm::exp(exponent(cell) - most)).collect();
            let sum: f64 = shares.iter().sum();
            shares.iter_mut().for_each(|share| *share /= sum);
            shares
        };
        self.rows.iter().map(of_row).collect()
    }

    /// The metric of a distribution, and how it rises with each cell.
    fn slopes(&self, shares: &[Vec<f64>]) -> (f64, Vec<Vec<f64>>) {
        let k = self.classes;
        let mut tables = [vec![0.0; k * k], vec![0.0; k * k]];
        for (row, shares) in self.rows.iter().zip(shares) {
            for (cell, share) in row.cells.iter().zip(shares) {
                tables[1][cell.target * k + cell.second] += row.share * share;
                if self.paired {
                    tables[0][cell.target * k + cell.first] += row.share * share;
                }
            }
        }
        let mut rises = [vec![0.0; k * k], vec![0.0; k * k]];
        let mut value = (self.smooth.gradient)(&tables[1], k, &mut rises[1]);
        if self.paired {
            value -= (self.smooth.gradient)(&tables[0], k, &mut rises[0]);
        }
        let slope =
            |cell: &Cell| rises[1][cell.target * k + cell.second] - rises[0][cell.target * k + cell.first];
        (value, self.rows.iter().map(|row| row.cells.iter().map(slope).collect()).collect())
    }

    /// The metric at a tilt and its standard error.
    fn at(&self, tilt: f64) -> (f64, f64) {
        let shares = self.shares(tilt);
        let (value, slopes) = self.slopes(&shares);
        let mut variance = 0.0;
        for ((row, shares), slopes) in self.rows.iter().zip(&shares).zip(&slopes) {
            let mean: f64 = shares.iter().zip(slopes).map(|(share, slope)| share * slope).sum();
            let squares: f64 =
                shares.iter().zip(slopes).map(|(share, slope)| share * (slope - mean).powi(2)).sum();
            variance += row.share * squares;
        }
        (value, (variance * self.design_effect / self.images).sqrt())
    }

    /// What is between a limit and the observed value beside its standard errors, on one side: half a step of the metric, since counts
    /// are whole, and the bias, where it is towards the other side.
    fn margin(&self, sign: f64) -> f64 {
        0.5 * self.step * self.design_effect + (-sign * self.bias).max(0.0)
    }

    /// The lower and the upper limit, `critical` standard errors away.
    pub(super) fn limits(&self, critical: f64) -> (f64, f64) {
        if self.scale == 0.0 {
            return (self.value, self.value);
        }
        let limit = |sign: f64| {
            let tilt = crossing(|tilt| {
                let (value, error) = self.at(sign * tilt);
                sign * (value - self.value) - critical * error - self.margin(sign)
            });
            self.at(sign * tilt).0
        };
        (limit(-1.0).min(self.value), limit(1.0).max(self.value))
    }

    /// How many standard errors the observed value is from 0, along the family: the `critical` at which a limit is there.
    pub(super) fn distance(&self) -> f64 {
        if self.scale == 0.0 {
            return 0.0;
        }
        let tilt = crossing(|tilt| self.at(tilt).0);
        let (_, error) = self.at(tilt);
        ((self.value.abs() - self.margin(-self.value.signum())) / error).max(0.0)
    }

    /// The influence of each answer, by true class and answers.
    pub(super) fn influences(&self) -> BTreeMap<(usize, usize, usize), f64> {
        let cells = self.rows.iter().flat_map(|row| &row.cells);
        cells.map(|cell| ((cell.target, cell.first, cell.second), cell.influence)).collect()
    }
}

/// Where a rising function crosses 0, from the first tilt on; a tilt beyond the farthest where it does not. By the Illinois form of regula falsi
/// (Dowell and Jarratt, BIT 1971), which needs a third of a bisection's evaluations.
fn crossing(f: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut at_low) = (0.0, f(0.0));
    let sign = if at_low > 0.0 { -1.0 } else { 1.0 };
    let mut step = FIRST;
    let (mut high, mut at_high) = loop {
        let tilt = sign * step;
        let value = f(tilt);
        if (value > 0.0) != (at_low > 0.0) {
            break (tilt, value);
        }
        // Also where it is NaN.
        let farther = step < FARTHEST;
        if !farther {
            return tilt;
        }
        (low, at_low) = (tilt, value);
        step *= 2.0;
    };
    for _ in 0..STEPS {
        let middle = high - at_high * (high - low) / (at_high - at_low);
        if (high - low).abs() < TOLERANCE {
            return middle;
        }
        let value = f(middle);
        if value == 0.0 {
            return middle;
        }
        let same_side = (value > 0.0) == (at_high > 0.0);
        if same_side {
            at_low *= 0.5;
        } else {
            (low, at_low) = (high, at_high);
        }
        (high, at_high) = (middle, value);
    }
    high
}

/// The cells that every row has, with the `images` that are added to them.
fn added(target: usize, classes: usize, paired: bool, images: f64) -> Vec<Cell> {
    let cell = |first, second, share| Cell { target, first, second, share, influence: 0.0 };
    let others = (0..classes).filter(|&other| other != target);
    let each = images / (classes.max(2) - 1) as f64;
    let mut cells = vec![cell(target, target, images)];
    for other in others {
        if paired {
            cells.push(cell(target, other, 0.5 * each));
            cells.push(cell(other, target, 0.5 * each));
            cells.push(cell(other, other, each));
        } else {
            cells.push(cell(other, other, each));
        }
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    type Rising = fn(f64) -> f64;

    #[test]
    fn a_crossing_is_found_in_a_third_of_a_bisections_evaluations() {
        let functions: [(&str, Rising); 5] = [
            ("line", |x| x - 3.0),
            ("root", |x| (x + 1.0).max(0.0).sqrt() - 2.0),
            ("exponential", |x| x.exp() - 20.085_536_923_187_668),
            ("logistic", |x| 1.0 / (1.0 + (3.0 - x).exp()) - 0.5),
            ("cube", |x| x * x * x - 27.0),
        ];
        // To 1e-10 from a bracket of 4 a bisection takes 36, besides those for the bracket.
        let mut all = 0;
        for (name, f) in functions {
            for (mirrored, far) in [(1.0, 0.0), (-1.0, 0.0), (1.0, 5.0)] {
                let evaluated = Cell::new(0);
                let found = crossing(|x| {
                    evaluated.set(evaluated.get() + 1);
                    mirrored * f(mirrored * x - far)
                });
                assert!((found - mirrored * (3.0 + far)).abs() < 1e-9, "{name}: {found}");
                all += evaluated.get();
            }
        }
        assert!(all <= 13 * 15, "{all}");
    }

    /// Of two classes with 8 of 10 and 1 of 990 wrong, the accuracy.
    fn accuracy() -> Family {
        let counted = [(0, 0, 0, 2), (0, 1, 1, 8), (1, 0, 0, 1), (1, 1, 1, 989)];
        Family::new(&counted, 2, crate::accuracy::METRIC.smooth.unwrap(), false, 1.0).unwrap()
    }

    #[test]
    fn a_tilt_of_one_moves_the_metric_by_a_deviation_of_its_influence() {
        let family = accuracy();
        let slope = (family.at(1e-5).0 - family.at(-1e-5).0) / 2e-5;
        // Central differences are off by the third derivative times 1e-10.
        assert!((slope / family.scale - 1.0).abs() < 1e-6, "{slope} {}", family.scale);
    }

    #[test]
    fn far_out_the_metric_is_at_its_ends() {
        let family = accuracy();
        let (most, least) = (family.at(400.0).0, family.at(-400.0).0);
        assert!((most - 1.0).abs() < 1e-9 && least.abs() < 1e-9, "{most} {least}");
    }

    #[test]
    fn a_function_that_is_nowhere_0_to_the_bit_ends_where_the_bracket_is_narrow() {
        let evaluated = Cell::new(0);
        let found = crossing(|x| {
            evaluated.set(evaluated.get() + 1);
            x * x.abs() - 2.0
        });
        assert!(2f64.sqrt() * 2f64.sqrt() != 2.0);
        assert!((found - 2f64.sqrt()).abs() < 1e-10 && evaluated.get() <= 14, "{found} {}", evaluated.get());
    }

    #[test]
    fn a_far_crossing_is_come_to_by_doubling() {
        let evaluated = Cell::new(0);
        let found = crossing(|x| {
            evaluated.set(evaluated.get() + 1);
            x - 43.0
        });
        assert!((found - 43.0).abs() < 1e-9 && evaluated.get() <= 14, "{found} {}", evaluated.get());
    }

    #[test]
    fn where_nothing_crosses_it_ends() {
        assert_eq!(crossing(|x| x), 0.0);
        // The first of 0.25 times powers of 2 that is not below 60.
        assert_eq!((crossing(|_| -1.0), crossing(|_| 1.0), crossing(|_| f64::NAN)), (64.0, -64.0, 64.0));
    }
}
