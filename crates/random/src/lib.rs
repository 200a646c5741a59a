//! Counter-based random numbers: every draw is a function of its key.
//!
//! In: a seed and what the draw is for (`Key`). Out: a stream of numbers that no other key shares. Nothing is carried
//! from one draw to the next, so the order of work, the number of threads and a resumed run cannot change a result.
//!
//! Generator: Philox4x32-10, Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011);
//! checked against the known-answer vectors of the authors' Random123 library.

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// One block of Philox4x32-10: four random words for a counter and a key.
pub fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let a = u64::from(MULTIPLIERS[0]) * u64::from(counter[0]);
        let b = u64::from(MULTIPLIERS[1]) * u64::from(counter[2]);
        counter = [
            (b >> 32) as u32 ^ counter[1] ^ key[0],
            b as u32,
            (a >> 32) as u32 ^ counter[3] ^ key[1],
            a as u32,
        ];
    }
    counter
}

/// Blocks that [`Stream::fill`] works out side by side.
const SIDE_BY_SIDE: usize = 16;

/// [`philox4x32`] of counters that follow each other in their first word, so that the compiler makes vectors of them.
#[inline(always)]
fn philox4x32_side_by_side(first: [u32; 4], mut key: [u32; 2]) -> [[u32; SIDE_BY_SIDE]; 4] {
    let mut counters = first.map(|word| [word; SIDE_BY_SIDE]);
    for (word, i) in counters[0].iter_mut().zip(0..) {
        *word = word.wrapping_add(i);
    }
    for round in 0..10 {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        let before = counters;
        for i in 0..SIDE_BY_SIDE {
            let a = u64::from(MULTIPLIERS[0]) * u64::from(before[0][i]);
            let b = u64::from(MULTIPLIERS[1]) * u64::from(before[2][i]);
            counters[0][i] = (b >> 32) as u32 ^ before[1][i] ^ key[0];
            counters[1][i] = b as u32;
            counters[2][i] = (a >> 32) as u32 ^ before[3][i] ^ key[1];
            counters[3][i] = a as u32;
        }
    }
    counters
}

/// What a stream of random numbers is for. Two purposes never share a stream, whatever their other coordinates are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Initial values of a parameter; the coordinates are (parameter, 0).
    Init,
    /// The order of the samples, and which ones an epoch takes; (epoch, 0), and (epoch, 1 + class) for the draws of a class.
    Shuffle,
    /// Which samples go to which split; (class, 0), and (class, 1) for the folds of a cross-validation; (class, 2) for those within the
    /// training images.
    Split,
    /// The draw of one augmentation; (epoch, sample), and the place of the transform in the pipeline.
    Augment(u16),
    /// Which units are dropped; (layer, step).
    Dropout,
    /// Which samples a fraction or a limit keeps; (class, 0).
    Subset,
    /// Resampling in statistics; (repetition, 0).
    Bootstrap,
    /// With which share two training images are mixed; (epoch, sample).
    Mix,
    /// Which training image gets which label where labels are shuffled; (0, 0).
    Labels,
    /// What a sampler draws in a search; (trial, group of parameters), and the place of the draw within the sampler.
    Search(u16),
}

impl Purpose {
    fn code(self) -> u32 {
        match self {
            Purpose::Init => 1 << 16,
            Purpose::Shuffle => 2 << 16,
            Purpose::Split => 3 << 16,
            Purpose::Augment(op) => (4 << 16) | u32::from(op),
            Purpose::Dropout => 5 << 16,
            Purpose::Subset => 6 << 16,
            Purpose::Bootstrap => 7 << 16,
            Purpose::Mix => 8 << 16,
            Purpose::Labels => 9 << 16,
            Purpose::Search(place) => (16 << 16) | u32::from(place),
        }
    }
}

/// A stream of random numbers named by a seed, a purpose and two coordinates.
#[derive(Debug, Clone)]
pub struct Stream {
    key: [u32; 2],
    counter: [u32; 4],
    block: [u32; 4],
    used: usize,
}

impl Stream {
    /// The stream of `(seed, purpose, a, b)`. It is 2^34 bytes long, then repeats.
    pub fn new(seed: u64, purpose: Purpose, a: u32, b: u32) -> Self {
        Stream {
            key: [seed as u32, (seed >> 32) as u32],
            counter: [0, purpose.code(), a, b],
            block: [0; 4],
            used: 4,
        }
    }

    /// A uniform 32-bit word.
    pub fn next_u32(&mut self) -> u32 {
        if self.used == 4 {
            self.block = philox4x32(self.counter, self.key);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.block[self.used - 1]
    }

    /// The words that as many calls of [`Stream::next_u32`] would give, several times as fast where they are many.
    #[inline(always)]
    pub fn fill(&mut self, words: &mut [u32]) {
        let left = (4 - self.used).min(words.len());
        let (left, words) = words.split_at_mut(left);
        left.iter_mut().for_each(|word| *word = self.next_u32());
        let mut whole = words.chunks_exact_mut(4 * SIDE_BY_SIDE);
        for words in &mut whole {
            let blocks = philox4x32_side_by_side(self.counter, self.key);
            self.counter[0] = self.counter[0].wrapping_add(SIDE_BY_SIDE as u32);
            for (i, words) in words.chunks_exact_mut(4).enumerate() {
                words.iter_mut().zip(&blocks).for_each(|(word, of)| *word = of[i]);
            }
        }
        whole.into_remainder().iter_mut().for_each(|word| *word = self.next_u32());
    }

    /// A uniform 64-bit word.
    pub fn next_u64(&mut self) -> u64 {
        u64::from(self.next_u32()) | u64::from(self.next_u32()) << 32
    }

    /// Uniform in `[0, 1)` with 53 random bits.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// Uniform in `[low, high)`; `low` where the two are equal.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with probability `p`: never for 0, always for 1.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Uniform in `0..n` without bias (Lemire 2019, "Fast Random Integer Generation in an Interval"). `n` of 0 gives 0.
    pub fn below(&mut self, n: u32) -> u32 {
        if n == 0 {
            return 0;
        }
        let threshold = n.wrapping_neg() % n;
        loop {
            let product = u64::from(self.next_u32()) * u64::from(n);
            if product as u32 >= threshold {
                return (product >> 32) as u32;
            }
        }
    }

    /// Two independent standard normal values (Box and Muller 1958).
    pub fn normal_pair(&mut self) -> (f64, f64) {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * self.unit()).sin_cos();
        (radius * cos, radius * sin)
    }

    /// From the Beta distribution with both parameters `alpha`, which is above 0: in `[0, 1]`, the mean 0.5.
    ///
    /// As the share of one of two Gamma variables, whose logarithms are compared, since for a small `alpha` both are
    /// smaller than any f64.
    pub fn beta(&mut self, alpha: f64) -> f64 {
        let (a, b) = (self.ln_gamma_variate(alpha), self.ln_gamma_variate(alpha));
        1.0 / (1.0 + (b - a).exp())
    }

    /// The logarithm of a Gamma variable of the given shape and scale 1 (Marsaglia and Tsang 2000, "A Simple Method for
    /// Generating Gamma Variables"; a shape below 1 by their note: a variable of the shape plus 1, times U^(1/shape)).
    fn ln_gamma_variate(&mut self, shape: f64) -> f64 {
        if shape < 1.0 {
            let smaller = (1.0 - self.unit()).ln() / shape;
            return self.ln_gamma_variate(shape + 1.0) + smaller;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let (x, _) = self.normal_pair();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.unit()).ln() < 0.5 * x * x + d * (1.0 - v + v.ln()) {
                return (d * v).ln();
            }
        }
    }

    /// Puts the items into a uniformly random order (Fisher and Yates, as Durstenfeld wrote it).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = self.below(u32::try_from(i + 1).unwrap_or(u32::MAX)) as usize;
            items.swap(i, j);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn philox_matches_the_known_answers_of_random123() {
        // kat_vectors of Random123 1.14, philox4x32 with 10 rounds.
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(
            philox4x32([u32::MAX; 4], [u32::MAX; 2]),
            [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
        );
        assert_eq!(
            philox4x32([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn filling_gives_the_words_one_by_one() {
        for (skipped, len) in [(0, 0), (0, 64), (1, 3), (3, 129), (2, 500), (4, 63)] {
            let mut one = Stream::new(u64::MAX - 5, Purpose::Dropout, 7, 9);
            (0..skipped).for_each(|_| _ = one.next_u32());
            let mut many = one.clone();
            let mut words = vec![0; len];
            many.fill(&mut words);
            assert!(words.iter().all(|&word| word == one.next_u32()), "{len} words after {skipped}");
            assert_eq!(many.next_u32(), one.next_u32());
        }
    }

    #[test]
    fn streams_repeat_by_key_and_differ_by_every_coordinate() {
        let draw = |seed, purpose, a, b| {
            let mut stream = Stream::new(seed, purpose, a, b);
            [stream.next_u64(), stream.next_u64(), stream.next_u64()]
        };
        let reference = draw(1, Purpose::Augment(0), 2, 3);
        assert_eq!(reference, draw(1, Purpose::Augment(0), 2, 3));
        for other in [
            draw(2, Purpose::Augment(0), 2, 3),
            draw(1 << 32 | 1, Purpose::Augment(0), 2, 3),
            draw(1, Purpose::Augment(1), 2, 3),
            draw(1, Purpose::Dropout, 2, 3),
            draw(1, Purpose::Augment(0), 3, 3),
            draw(1, Purpose::Augment(0), 2, 2),
        ] {
            assert!(reference.iter().zip(&other).all(|(x, y)| x != y));
        }
    }

    #[test]
    fn draws_have_the_distribution_they_name() {
        let mut stream = Stream::new(7, Purpose::Bootstrap, 0, 0);
        let n = 100_000;
        let mut counts = [0u32; 6];
        let (mut sum, mut squares, mut cubes) = (0.0, 0.0, 0.0);
        for _ in 0..n / 2 {
            counts[stream.below(6) as usize] += 1;
            let (a, b) = stream.normal_pair();
            for x in [a, b] {
                sum += x;
                squares += x * x;
                cubes += x * x * x;
            }
        }
        let n = f64::from(n);
        // Five standard errors each.
        assert!((sum / n).abs() < 5.0 / n.sqrt());
        assert!((squares / n - 1.0).abs() < 5.0 * (2.0 / n).sqrt());
        assert!((cubes / n).abs() < 5.0 * (15.0 / n).sqrt());
        let expected = n / 12.0;
        assert!(
            counts.iter().all(|&c| (f64::from(c) - expected).abs() < 5.0 * expected.sqrt()),
            "{counts:?}"
        );
    }

    #[test]
    fn beta_variates_have_the_moments_of_their_distribution() {
        for (which, alpha) in [0.001, 0.2, 0.4, 1.0, 2.5, 40.0].into_iter().enumerate() {
            let mut stream = Stream::new(11, Purpose::Mix, which as u32, 0);
            let n = 20_000;
            let draws: Vec<f64> = (0..n).map(|_| stream.beta(alpha)).collect();
            assert!(draws.iter().all(|draw| (0.0..=1.0).contains(draw)));
            let moment = |k: i32| draws.iter().map(|x| (x - 0.5).powi(k)).sum::<f64>() / f64::from(n);
            // Variance and fourth central moment of Beta(a, a).
            let variance = 0.25 / (2.0 * alpha + 1.0);
            let fourth = 3.0 / (16.0 * (2.0 * alpha + 1.0) * (2.0 * alpha + 3.0));
            // Five standard errors each.
            let n = f64::from(n);
            assert!(moment(1).abs() < 5.0 * (variance / n).sqrt(), "{alpha}");
            let error = ((fourth - variance * variance) / n).sqrt();
            assert!((moment(2) - variance).abs() < 5.0 * error + 1e-12, "{alpha}: {} {variance}", moment(2));
        }
    }

    #[test]
    fn shuffle_keeps_every_item_and_reaches_every_order() {
        let mut seen = std::collections::BTreeSet::new();
        for a in 0..200 {
            let mut items = [0, 1, 2, 3];
            Stream::new(0, Purpose::Shuffle, a, 0).shuffle(&mut items);
            let mut sorted = items;
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
            seen.insert(items);
        }
        assert_eq!(seen.len(), 24);
    }

    #[test]
    fn edges_are_defined() {
        let mut stream = Stream::new(0, Purpose::Subset, 0, 0);
        assert_eq!(stream.below(0), 0);
        assert_eq!(stream.below(1), 0);
        assert!((0..1000).all(|_| !stream.chance(0.0) && stream.chance(1.0)));
        assert!((0..1000).all(|_| stream.uniform(2.0, 2.0) == 2.0));
    }
}
