//! Which samples an epoch goes through, and in which order: a function of (seed, epoch) alone.
//!
//! Draws with replacement are those of `torch.utils.data.WeightedRandomSampler`, with other random numbers.

use pupila_random::{Purpose, Stream};

/// The samples of an epoch and their order.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// As they were given, in every epoch: for evaluation.
    AsGiven,
    /// Every sample once, in another uniformly random order in every epoch, from the stream `(seed, Shuffle, epoch, 0)`.
    Shuffled,
    /// As many samples as there are, drawn with replacement: first a class, each equally likely, then a sample of it.
    Balanced,
    /// As many samples of each class as the largest has: each class's samples over and over, and of the remainder a part
    /// drawn without replacement, another one in every epoch. Every sample occurs.
    Oversampled,
    /// As many samples of each class as the smallest has, drawn without replacement, others in every epoch.
    Undersampled,
    /// As many samples as there are, drawn with replacement, each with a probability proportional to the weight of its
    /// class. `[K]`
    Weighted(Vec<f64>),
}

/// A sample's turn in an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Its position in the source.
    pub sample: u32,
    /// The coordinate of its random draws: the position, and for its k-th return in the epoch another number, so that a
    /// sample that comes twice is not augmented alike both times.
    pub key: u32,
}

impl Order {
    /// The samples of an epoch, of those given, whose classes `label` tells.
    pub fn samples(&self, given: &[u32], label: impl Fn(u32) -> u32, seed: u64, epoch: u32) -> Vec<u32> {
        let mut stream = Stream::new(seed, Purpose::Shuffle, epoch, 0);
        let of_class = |class: usize| Stream::new(seed, Purpose::Shuffle, epoch, 1 + class as u32);
        let mut samples = match self {
            Order::AsGiven => return given.to_vec(),
            Order::Shuffled => given.to_vec(),
            Order::Balanced => {
                let classes: Vec<_> = by_class(given, label).into_iter().filter(|c| !c.is_empty()).collect();
                let draw = |_| {
                    let class = &classes[stream.below(classes.len() as u32) as usize];
                    class[stream.below(class.len() as u32) as usize]
                };
                return given.iter().map(draw).collect();
            }
            Order::Weighted(weights) => {
                let classes = by_class(given, label);
                let mass = |(class, members): (usize, &Vec<u32>)| {
                    weights.get(class).copied().unwrap_or(0.0) * members.len() as f64
                };
                let masses: Vec<f64> = classes.iter().enumerate().map(mass).collect();
                let total: f64 = masses.iter().sum();
                let draw = |_| {
                    let class = class_at(stream.unit() * total, &masses);
                    let members = class.map_or(given, |class| classes[class].as_slice());
                    members[stream.below(members.len() as u32) as usize]
                };
                return given.iter().map(draw).collect();
            }
            Order::Oversampled => {
                let classes = by_class(given, label);
                let most = classes.iter().map(Vec::len).max().unwrap_or(0);
                let mut samples = Vec::with_capacity(most * classes.len());
                for (class, mut members) in classes.into_iter().enumerate().filter(|(_, c)| !c.is_empty()) {
                    of_class(class).shuffle(&mut members);
                    samples.extend(members.iter().cycle().take(most));
                }
                samples
            }
            Order::Undersampled => {
                let classes = by_class(given, label);
                let least = classes.iter().map(Vec::len).filter(|&n| n > 0).min().unwrap_or(0);
                let mut samples = Vec::with_capacity(least * classes.len());
                for (class, mut members) in classes.into_iter().enumerate().filter(|(_, c)| !c.is_empty()) {
                    of_class(class).shuffle(&mut members);
                    samples.extend(&members[..least]);
                }
                samples
            }
        };
        stream.shuffle(&mut samples);
        samples
    }

    /// How many samples an epoch has of each class of `counts` samples: exactly, or as expected where they are drawn with
    /// replacement.
    pub fn expected(&self, counts: &[usize]) -> Vec<f64> {
        let there = || counts.iter().filter(|&&n| n > 0);
        let total = counts.iter().sum::<usize>() as f64;
        let each = |n: f64| counts.iter().map(|&count| if count > 0 { n } else { 0.0 }).collect();
        match self {
            Order::AsGiven | Order::Shuffled => counts.iter().map(|&n| n as f64).collect(),
            Order::Balanced => each(total / there().count().max(1) as f64),
            Order::Oversampled => each(there().max().map_or(0.0, |&n| n as f64)),
            Order::Undersampled => each(there().min().map_or(0.0, |&n| n as f64)),
            Order::Weighted(weights) => {
                let mass = |(&n, weight): (&usize, &f64)| n as f64 * weight;
                let all: f64 = counts.iter().zip(weights).map(mass).sum();
                counts.iter().zip(weights).map(|of| total * mass(of) / all).collect()
            }
        }
    }

    /// Whether samples are drawn with replacement, so that the counts of an epoch are only what is to be expected.
    pub fn replaces(&self) -> bool {
        matches!(self, Order::Balanced | Order::Weighted(_))
    }
}

/// The class that holds the point `at` where masses are laid end to end from 0; `None` where all are 0. Rounding may leave a rest
/// at the very end, which belongs to the last class that can be drawn.
fn class_at(at: f64, masses: &[f64]) -> Option<usize> {
    let mut left = at;
    let holds = |mass: &f64| {
        left -= mass;
        left < 0.0
    };
    masses.iter().position(holds).or_else(|| masses.iter().rposition(|&mass| mass > 0.0))
}

/// The samples of each class, in the order given.
fn by_class(given: &[u32], label: impl Fn(u32) -> u32) -> Vec<Vec<u32>> {
    let mut classes: Vec<Vec<u32>> = Vec::new();
    for &sample in given {
        let class = label(sample) as usize;
        if classes.len() <= class {
            classes.resize(class + 1, Vec::new());
        }
        classes[class].push(sample);
    }
    classes
}

/// The turns of an epoch's samples, of a source of `images`.
///
/// # Panics
/// Where a sample is none of the source's.
pub fn turns(samples: &[u32], images: usize) -> Vec<Turn> {
    let mut seen = vec![0u32; images];
    let turn = |&sample: &u32| {
        let returns = &mut seen[sample as usize];
        // Beyond 2^32 keys come again, and with them draws; nothing worse.
        let key = sample.wrapping_add(returns.wrapping_mul(images as u32));
        *returns += 1;
        Turn { sample, key }
    };
    samples.iter().map(turn).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 12, 5, 0 and 3 samples of four classes, at positions that follow no order.
    const COUNTS: [usize; 4] = [12, 5, 0, 3];

    fn label(sample: u32) -> u32 {
        match sample % 20 {
            0..12 => 0,
            12..17 => 1,
            _ => 3,
        }
    }

    fn given() -> Vec<u32> {
        (0..20).map(|i| (i * 7) % 20).collect()
    }

    fn counts(samples: &[u32]) -> [usize; 4] {
        let mut counts = [0; 4];
        samples.iter().for_each(|&sample| counts[label(sample) as usize] += 1);
        counts
    }

    fn times(samples: &[u32], sample: u32) -> usize {
        samples.iter().filter(|&&other| other == sample).count()
    }

    #[test]
    fn every_order_is_a_function_of_seed_and_epoch() {
        for order in [
            Order::Shuffled,
            Order::Balanced,
            Order::Oversampled,
            Order::Undersampled,
            Order::Weighted(vec![1.0, 2.0, 1.0, 3.0]),
        ] {
            let draw = |seed, epoch| order.samples(&given(), label, seed, epoch);
            assert_eq!(draw(3, 5), draw(3, 5), "{order:?}");
            assert_ne!(draw(3, 5), draw(3, 6), "{order:?}");
            assert_ne!(draw(3, 5), draw(4, 5), "{order:?}");
            let expected = order.expected(&COUNTS).iter().sum::<f64>();
            assert!((draw(0, 0).len() as f64 - expected).abs() < 1e-9, "{order:?}");
        }
    }

    #[test]
    fn oversampling_shows_every_sample_as_often_as_can_be() {
        for epoch in 0..20 {
            let samples = Order::Oversampled.samples(&given(), label, 1, epoch);
            assert_eq!(counts(&samples), [12, 12, 0, 12]);
            for sample in 0..20 {
                let expected = match label(sample) {
                    0 => 1..=1,
                    1 => 2..=3,
                    _ => 4..=4,
                };
                assert!(expected.contains(&times(&samples, sample)));
            }
        }
        // The remainder goes to others in other epochs.
        let thrice = |epoch| -> Vec<u32> {
            let samples = Order::Oversampled.samples(&given(), label, 1, epoch);
            (12..17).filter(|&sample| times(&samples, sample) == 3).collect()
        };
        assert!((1..10).any(|epoch| thrice(epoch) != thrice(0)));
        assert_eq!(thrice(0).len(), 2);
    }

    #[test]
    fn undersampling_takes_a_fresh_part_of_each_class() {
        let mut seen = std::collections::BTreeSet::new();
        for epoch in 0..40 {
            let samples = Order::Undersampled.samples(&given(), label, 1, epoch);
            assert_eq!(counts(&samples), [3, 3, 0, 3]);
            assert!((0..20).all(|sample| times(&samples, sample) <= 1));
            seen.extend(samples);
        }
        assert_eq!(seen.len(), 20, "over many epochs every sample is seen");
    }

    #[test]
    fn draws_with_replacement_have_the_shares_asked_for() {
        let mut pooled = [[0usize; 4]; 2];
        let weights = vec![1.0, 4.0, 9.0, 0.0];
        let orders = [Order::Balanced, Order::Weighted(weights)];
        let epochs = 2000;
        for (order, pooled) in orders.iter().zip(&mut pooled) {
            for epoch in 0..epochs {
                let samples = order.samples(&given(), label, 1, epoch);
                assert_eq!(samples.len(), 20);
                pooled.iter_mut().zip(counts(&samples)).for_each(|(sum, n)| *sum += n);
            }
        }
        for (order, pooled) in orders.iter().zip(pooled) {
            for (expected, got) in order.expected(&COUNTS).iter().zip(pooled) {
                let mean = expected * f64::from(epochs);
                // Five standard deviations of a binomial, at most.
                assert!((got as f64 - mean).abs() <= 5.0 * mean.sqrt(), "{order:?}: {got} of {mean}");
            }
        }
        assert_eq!(pooled[1][3], 0);
    }

    #[test]
    fn no_class_without_mass_is_drawn_even_at_the_ends() {
        let masses = [0.0, 2.0, 0.0, 3.0, 0.0];
        for (at, class) in [(0.0, 1), (1.5, 1), (2.0, 3), (4.5, 3), (5.0, 3), (5.000_001, 3)] {
            assert_eq!(class_at(at, &masses), Some(class), "{at}");
        }
        assert_eq!(class_at(0.0, &[0.0, 0.0]), None);
    }

    /// Runs of earlier versions go on with the same orders.
    #[test]
    fn orders_stay_as_they_are() {
        let of = |order: Order| order.samples(&given(), label, 7, 3);
        assert_eq!(of(Order::Oversampled)[..12], [17, 11, 2, 12, 15, 19, 18, 17, 7, 10, 19, 12]);
        assert_eq!(of(Order::Undersampled), [12, 19, 2, 1, 14, 18, 15, 0, 17]);
    }

    #[test]
    fn only_drawn_orders_replace() {
        for order in [Order::AsGiven, Order::Shuffled, Order::Oversampled, Order::Undersampled] {
            assert!(!order.replaces(), "{order:?}");
        }
        assert!(Order::Balanced.replaces() && Order::Weighted(vec![1.0]).replaces());
    }

    #[test]
    fn a_sample_that_returns_has_another_key() {
        let turns = turns(&[4, 1, 4, 4, 1], 5);
        assert_eq!(turns.iter().map(|turn| turn.key).collect::<Vec<_>>(), [4, 1, 9, 14, 6]);
        assert_eq!(turns.iter().map(|turn| turn.sample).collect::<Vec<_>>(), [4, 1, 4, 4, 1]);
    }
}
