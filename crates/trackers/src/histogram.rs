//! How the values of a tensor are distributed, counted in one pass.
//!
//! A value's bucket is the first 12 bits of its 32: sign, exponent and three bits of fraction. So buckets are fixed, eight
//! to each power of two (TensorFlow's grow by a factor of 1.1), and counting is a shift and an increment.

/// Buckets of every f32: 2 signs, 256 exponents, 8 fractions.
const BUCKETS: usize = 1 << 12;
/// Bits of an f32 below those that name its bucket.
const SHIFT: u32 = 20;
/// Values smaller than the largest by this factor share one bucket around zero.
const RANGE: f32 = 1.0 / 4096.0;

/// Counts of the values between edges.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// From the smallest to the largest: left edge, right edge, count. Only buckets that hold values are listed.
    pub buckets: Vec<(f64, f64, u64)>,
    /// Values that are NaN or infinite, which are in no bucket.
    pub not_finite: u64,
}

/// Counts in the making. Parts of a tensor are counted one by one, or apart and merged.
#[derive(Debug, Clone)]
pub struct Counts {
    counts: Vec<u64>,
    min: f32,
    max: f32,
}

impl Default for Counts {
    fn default() -> Self {
        Counts { counts: vec![0; BUCKETS], min: f32::INFINITY, max: f32::NEG_INFINITY }
    }
}

impl Counts {
    /// Counts values.
    pub fn add(&mut self, values: &[f32]) {
        // Two tables in turn: equal buckets in a row would wait for each other's increment.
        let mut tables = [[0u32; BUCKETS], [0u32; BUCKETS]];
        for values in values.chunks(1 << 16) {
            let (mut min, mut max) = ([f32::INFINITY; 8], [f32::NEG_INFINITY; 8]);
            let (eights, rest) = values.as_chunks::<8>();
            for eight in eights {
                for i in 0..8 {
                    min[i] = if eight[i] < min[i] { eight[i] } else { min[i] };
                    max[i] = if eight[i] > max[i] { eight[i] } else { max[i] };
                    tables[i % 2][(eight[i].to_bits() >> SHIFT) as usize] += 1;
                }
            }
            for &value in rest {
                self.min = if value < self.min { value } else { self.min };
                self.max = if value > self.max { value } else { self.max };
                tables[0][(value.to_bits() >> SHIFT) as usize] += 1;
            }
            self.min = min.iter().fold(self.min, |a, &b| a.min(b));
            self.max = max.iter().fold(self.max, |a, &b| a.max(b));
        }
        for table in &tables {
            self.counts.iter_mut().zip(table).for_each(|(count, &more)| *count += u64::from(more));
        }
    }

    /// Takes back `n` zeros: those that only fill up memory.
    pub fn forget_zeros(&mut self, n: u64) {
        self.counts[0] = self.counts[0].saturating_sub(n);
    }

    /// Widens the range to the smallest and the largest of values that were not all counted.
    pub fn reach(&mut self, values: &[f32]) {
        let range = |(min, max): (f32, f32), &value: &f32| (min.min(value), max.max(value));
        (self.min, self.max) = values.iter().fold((self.min, self.max), range);
    }

    /// Makes each value stand for `n`.
    pub fn times(&mut self, n: u64) {
        self.counts.iter_mut().for_each(|count| *count *= n);
    }

    /// Adds the counts of another part.
    pub fn merge(&mut self, other: &Counts) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// The histogram. The outer edges are the smallest and the largest value where these are finite.
    pub fn finish(&self) -> Histogram {
        let exponent_of_infinity = 255 << 3;
        let (mut finite, mut not_finite) = (Vec::new(), 0);
        for (key, &count) in self.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let magnitude = key & (BUCKETS / 2 - 1);
            if magnitude >= exponent_of_infinity {
                not_finite += count;
                continue;
            }
            let edge = |magnitude: usize| f32::from_bits((magnitude as u32) << SHIFT).min(f32::MAX);
            let (near, far) = (edge(magnitude), edge(magnitude + 1));
            finite.push(if key < BUCKETS / 2 { (near, far, count) } else { (-far, -near, count) });
        }
        finite.sort_by(|a, b| a.0.total_cmp(&b.0));
        let largest =
            finite.iter().fold(0f32, |largest, (left, right, _)| largest.max(left.abs().max(right.abs())));
        let small = largest * RANGE;
        let mut buckets: Vec<(f64, f64, u64)> = Vec::new();
        let mut around_zero = None;
        for (left, right, count) in finite {
            if left.abs().max(right.abs()) <= small {
                match around_zero {
                    None => {
                        around_zero = Some(buckets.len());
                        buckets.push((-f64::from(small), f64::from(small), count));
                    }
                    Some(at) => {
                        let zero: &mut (f64, f64, u64) = &mut buckets[at];
                        zero.2 += count;
                    }
                }
            } else {
                buckets.push((f64::from(left), f64::from(right), count));
            }
        }
        // A bucket beside the one around zero may reach into it.
        for i in 1..buckets.len() {
            buckets[i].0 = buckets[i].0.max(buckets[i - 1].1);
        }
        let (min, max) = (f64::from(self.min), f64::from(self.max));
        if let Some(first) = buckets.first_mut().filter(|first| min.is_finite() && min <= first.1) {
            first.0 = min;
        }
        if let Some(last) = buckets.last_mut().filter(|last| max.is_finite() && max >= last.0) {
            last.1 = max;
        }
        Histogram { buckets, not_finite }
    }
}

impl Histogram {
    /// The histogram of all values.
    pub fn of(values: &[f32]) -> Self {
        let mut counts = Counts::default();
        counts.add(values);
        counts.finish()
    }

    /// Number of values that are in a bucket.
    pub fn len(&self) -> u64 {
        self.buckets.iter().map(|(_, _, count)| count).sum()
    }

    /// True where no value is finite.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_counted_between_edges_that_hold_it() {
        let mut values: Vec<f32> = (0..10_007).map(|i| ((i as f32) * 0.37).sin().powi(5) * 0.2).collect();
        values.extend([0.0, -0.0, 1e-30, -3.0, 2.5]);
        let histogram = Histogram::of(&values);
        assert_eq!(histogram.len(), values.len() as u64);
        assert_eq!(histogram.buckets[0].0, -3.0);
        assert_eq!(histogram.buckets[histogram.buckets.len() - 1].1, 2.5);
        assert!(histogram.buckets.len() < 200);
        for pair in histogram.buckets.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "{pair:?}");
        }
        for &(left, right, count) in &histogram.buckets {
            let inside =
                values.iter().filter(|&&v| left < f64::from(v) && f64::from(v) < right).count() as u64;
            let closed =
                values.iter().filter(|&&v| left <= f64::from(v) && f64::from(v) <= right).count() as u64;
            assert!(inside <= count && count <= closed, "{left} {right}: {inside} {count} {closed}");
        }
    }

    #[test]
    fn parts_merge_and_fillings_are_taken_back() {
        let values: Vec<f32> = (0..1000).map(|i| (i % 7) as f32).collect();
        let mut merged = Counts::default();
        merged.add(&values[..123]);
        let mut rest = Counts::default();
        rest.add(&values[123..]);
        rest.add(&[0.0; 5]);
        rest.forget_zeros(5);
        merged.merge(&rest);
        assert_eq!(merged.finish(), Histogram::of(&values));
    }

    #[test]
    fn what_is_not_finite_is_counted_apart() {
        let histogram = Histogram::of(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.0, f32::MAX]);
        assert_eq!((histogram.not_finite, histogram.len()), (3, 2));
        assert!(histogram.buckets.iter().all(|(left, right, _)| left.is_finite() && right.is_finite()));
        assert!(Histogram::of(&[]).is_empty());
        let constant = Histogram::of(&[0.5; 9]);
        assert_eq!(constant.buckets, [(0.5, 0.5, 9)]);
        assert_eq!(Histogram::of(&[0.0; 4]).len(), 4);
    }
}
