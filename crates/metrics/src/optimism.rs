//! How much the best of several models is flattered by the set on which it was chosen.
//!
//! The accuracy of model `j` on `n` images is its true accuracy plus an error `e_j`. Whoever keeps the best of `k` keeps a large error with
//! it. Whatever the true accuracies are, the error of the one that is kept is at most the largest of all, so the flattery is on average
//!
//! ```text
//! E[e_best] <= E[max(e_1, ..., e_k)]
//! ```
//!
//! with equality where all models are equally good, and the right side is 0 for one model. For errors that are nearly normal it is the
//! expected maximum of `k` normals with the covariance of the models' correctness. Models that are right on the same images share their
//! errors, and the maximum is smaller. So the covariance is not assumed but taken from the bits that say which images each model has right,
//! by the Gaussian multiplier bootstrap (Chernozhukov, Chetverikov and Kato, Annals of Statistics 2013, arXiv 1212.6906): with one standard
//! normal number `g_i` an image, or a group of images that belong together,
//!
//! ```text
//! e_j* = 1/n sum_i g_i (right_ji - accuracy_j)
//! ```
//!
//! has that covariance, and the mean of `max_j e_j*` over many draws is the expected maximum. What is averaged is `max_j e_j* - mean_j e_j*`, which has the
//! same expectation, since each error has mean 0, but not the noise that all models share: it is exactly 0 for equal models. The bias of a minimum that was chosen and its
//! correction: Tibshirani and Tibshirani, Annals of Applied Statistics 2009, arXiv 0908.2904; Tsamardinos, Greasidou and Borboudakis,
//! Machine Learning 2018, arXiv 1708.07180.

use pupila_random::{Purpose, Stream};

/// Draws of the bootstrap: the expected maximum is known to a few percent of it.
const DRAWS: u32 = 1_000;
/// Fewer draws where models times images are many, but no fewer than this.
const FEWEST: u32 = 200;
/// Additions in all, at most; about a second.
const MOST_WORK: u64 = 1 << 30;

/// The expected flattery of the best of some models, in accuracy. `right: [models][images]` says which images each model has right; `groups`
/// says which images belong together, such as those of one patient. None without an image, or where a model has other images.
pub fn optimism_of_best(right: &[Vec<bool>], groups: Option<&[u32]>) -> Option<f64> {
    let images = right.first()?.len();
    if images == 0 || right.iter().any(|of| of.len() != images) || groups.is_some_and(|of| of.len() != images)
    {
        return None;
    }
    // The sum of what images of one group are beyond their model's accuracy: `[models][groups]`.
    let count = groups.map_or(images, |of| of.iter().max().map_or(0, |&most| most as usize + 1));
    let centred: Vec<Vec<f64>> = right
        .iter()
        .map(|of| {
            let accuracy = of.iter().filter(|right| **right).count() as f64 / images as f64;
            let mut sums = vec![0.0; count];
            for (image, right) in of.iter().enumerate() {
                sums[groups.map_or(image, |of| of[image] as usize)] += f64::from(u8::from(*right)) - accuracy;
            }
            sums
        })
        .collect();
    // What was not chosen among several, or not by several, is not flattered.
    if matches!((right, count), ([_], _) | (_, 1)) {
        return Some(0.0);
    }
    let draws = draws(right.len(), count);
    // What the means that were taken off take from the variance.
    let lost = (count as f64 / (count - 1) as f64).sqrt() / images as f64;
    // They are drawn by pairs, so there is room for one more.
    let mut weights = vec![0.0; count + 1];
    let mut sum = 0.0;
    for draw in 0..draws {
        let mut stream = Stream::new(0, Purpose::Bootstrap, draw, 2);
        for pair in weights.chunks_exact_mut(2) {
            (pair[0], pair[1]) = stream.normal_pair();
        }
        let error =
            |of: &Vec<f64>| of.iter().zip(&weights).map(|(value, weight)| value * weight).sum::<f64>();
        let errors = centred.iter().map(error);
        let (largest, all) =
            errors.fold((f64::NEG_INFINITY, 0.0), |(largest, all), e| (e.max(largest), all + e));
        sum += largest - all / centred.len() as f64;
    }
    Some((lost * sum / f64::from(draws)).max(0.0))
}

/// Draws for so many models and groups, both at least 1.
fn draws(models: usize, groups: usize) -> u32 {
    (MOST_WORK / (models as u64 * groups as u64)).clamp(u64::from(FEWEST), u64::from(DRAWS)) as u32
}

/// The same for models whose mistakes have nothing in common, each with this accuracy: `e_k sqrt(a (1 - a) / n)`, the largest that equally
/// accurate models have (Slepian 1962).
pub fn optimism_of_independent(models: usize, images: usize, accuracy: f64) -> f64 {
    expected_maximum(models) * (accuracy * (1.0 - accuracy) / images.max(1) as f64).sqrt()
}

/// The expected maximum of so many independent standard normal numbers: the integral over `x > 0` of `1 - F(x)^k - (1 - F(x))^k`.
pub fn expected_maximum(count: usize) -> f64 {
    const STEPS: usize = 4_000;
    const FARTHEST: f64 = 10.0;
    if count < 2 {
        return 0.0;
    }
    let k = count as f64;
    let value = |x: f64| {
        let above = 0.5 * libm::erfc(x * std::f64::consts::FRAC_1_SQRT_2);
        // 1 - (1 - above)^k without losing the digits of what is small.
        -libm::expm1(k * libm::log1p(-above)) - libm::pow(above, k)
    };
    let step = FARTHEST / STEPS as f64;
    // Simpson's rule, without the far end, which is 0.
    let inner = (1..STEPS).map(|i| if i % 2 == 1 { 4.0 } else { 2.0 } * value(i as f64 * step));
    (value(0.0) + inner.sum::<f64>()) * step / 3.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_maximum_of_normals_is_that_of_the_tables() {
        // 1 / sqrt(pi), 3 / (2 sqrt(pi)), and Harter, Biometrika 1961.
        for (count, expected) in [
            (1, 0.0),
            (2, 0.564_189_58),
            (3, 0.846_284_38),
            (5, 1.162_964_47),
            (10, 1.538_752_73),
            (100, 2.507_593_64),
        ] {
            let found = expected_maximum(count);
            assert!((found - expected).abs() < 1e-7, "{count}: {found}");
        }
    }

    /// What is true of models on many sets, and what the formula says of them on average.
    struct World {
        models: usize,
        images: usize,
        /// Images of a group, which are easy or hard together.
        of_group: usize,
        /// How much of an image's difficulty all models share, from 0 to 1.
        shared: f64,
        /// How far the true accuracies are apart, from one model to the next, in the unit of the difficulty.
        apart: f64,
    }

    fn simulated(world: &World) -> (f64, f64) {
        let World { models, images, of_group, shared, apart } = *world;
        // A model is right where a normal number, partly the image's, is below its skill; its accuracy is the normal distribution at it.
        let skill = |model: usize| 0.5 - apart * model as f64;
        let truth = |model: usize| 0.5 * libm::erfc(-skill(model) * std::f64::consts::FRAC_1_SQRT_2);
        let groups: Vec<u32> = (0..images).map(|image| (image / of_group) as u32).collect();
        let (mut flattery, mut told) = (0.0, 0.0);
        let sets = 300;
        for set in 0..sets {
            let mut stream = Stream::new(5, Purpose::Bootstrap, set, 3);
            let difficulty: Vec<f64> =
                (0..images.div_ceil(of_group)).map(|_| stream.normal_pair().0).collect();
            let right: Vec<Vec<bool>> = (0..models)
                .map(|model| {
                    let mut is_right = |image: usize| {
                        let own = stream.normal_pair().0;
                        shared.sqrt() * difficulty[image / of_group] + (1.0 - shared).sqrt() * own
                            < skill(model)
                    };
                    (0..images).map(&mut is_right).collect()
                })
                .collect();
            let accuracy = |of: &Vec<bool>| of.iter().filter(|right| **right).count() as f64 / images as f64;
            let (best, reached) = right
                .iter()
                .map(accuracy)
                .enumerate()
                .fold((0, f64::NEG_INFINITY), |best, next| if next.1 > best.1 { next } else { best });
            flattery += reached - truth(best);
            told += optimism_of_best(&right, (of_group > 1).then_some(&groups)).unwrap();
        }
        (flattery / f64::from(sets), told / f64::from(sets))
    }

    #[test]
    fn the_formula_is_what_simulated_test_sets_flatter() {
        let plain = World { models: 10, images: 100, of_group: 1, shared: 0.0, apart: 0.0 };
        // 300 sets know the flattery to about 0.0025 (a standard deviation of 0.045 where models agree, by the root of 300).
        for (name, world) in [
            ("independent", World { ..plain }),
            ("two models", World { models: 2, ..plain }),
            ("models that agree", World { shared: 0.8, ..plain }),
            ("models that agree nearly always", World { shared: 0.98, ..plain }),
            ("many images", World { images: 400, shared: 0.5, ..plain }),
            ("groups", World { of_group: 5, shared: 0.5, images: 200, ..plain }),
        ] {
            let (true_flattery, told) = simulated(&world);
            println!("{name}: flattered by {true_flattery:.4}, told {told:.4}");
            assert!((told - true_flattery).abs() < 0.006, "{name}: {true_flattery} {told}");
        }
        let independent = optimism_of_independent(10, 100, 0.6915);
        let (_, told) = simulated(&plain);
        assert!((told - independent).abs() < 0.002, "{told} {independent}");
    }

    #[test]
    fn models_of_unequal_skill_are_flattered_by_no_more_than_is_told() {
        for apart in [0.02, 0.1, 0.5] {
            let world = World { models: 10, images: 100, of_group: 1, shared: 0.3, apart };
            let (true_flattery, told) = simulated(&world);
            println!("{apart} apart: flattered by {true_flattery:.4}, told {told:.4}");
            assert!(true_flattery < told + 0.006, "{apart}: {true_flattery} {told}");
        }
    }

    #[test]
    fn two_models_are_flattered_by_half_the_mean_size_of_their_difference() {
        // max(a, b) - (a + b) / 2 is |a - b| / 2, of which the mean is the difference's standard deviation by the root of 2 pi.
        let bits = |text: &str| text.bytes().map(|bit| bit == b'1').collect::<Vec<_>>();
        let right = [bits("111011101110111110111101"), bits("110111010110101101010111")];
        for groups in [None, Some((0..24).map(|image| image / 4 * 2).collect::<Vec<u32>>())] {
            // Differences of right and wrong, less their mean, by image or group. Groups of no image are groups that have no mistake.
            let difference: Vec<f64> =
                right[0].iter().zip(&right[1]).map(|(a, b)| f64::from(*a) - f64::from(*b)).collect();
            let mean = difference.iter().sum::<f64>() / 24.0;
            let of_group: Vec<f64> = match groups {
                None => difference.iter().map(|d| d - mean).collect(),
                Some(_) => {
                    difference.chunks(4).flat_map(|d| [d.iter().sum::<f64>() - 4.0 * mean, 0.0]).collect()
                }
            };
            let count = if groups.is_some() { 11 } else { 24 };
            let squares: f64 = of_group.iter().map(|d| d * d).sum();
            let deviation = (f64::from(count) / f64::from(count - 1) * squares).sqrt() / 24.0;
            let expected = deviation / (2.0 * std::f64::consts::PI).sqrt();
            let told = optimism_of_best(&right, groups.as_deref()).unwrap();
            // 1,000 draws know the mean of |N| to 2.4 %.
            assert!((told / expected - 1.0).abs() < 0.05, "{told} for {expected}");
        }
    }

    #[test]
    fn it_is_the_mean_of_the_largest_error_less_all_of_them() {
        // The header's formula, word by word.
        let bits = |text: &str| text.bytes().map(|bit| bit == b'1').collect::<Vec<_>>();
        let right = [bits("1110111"), bits("1011101"), bits("1101001")];
        let images = 7.0;
        let accuracy = right.each_ref().map(|of| of.iter().filter(|right| **right).count() as f64 / images);
        let mut sum = 0.0;
        for draw in 0..1_000 {
            let mut stream = Stream::new(0, Purpose::Bootstrap, draw, 2);
            let g: Vec<f64> = (0..4).flat_map(|_| <[f64; 2]>::from(stream.normal_pair())).collect();
            let error = |model: usize| -> f64 {
                let of = |image: usize| f64::from(u8::from(right[model][image])) - accuracy[model];
                (0..7).map(|image| g[image] * of(image)).sum::<f64>() / images
            };
            let errors = [error(0), error(1), error(2)];
            sum += errors.into_iter().fold(f64::NEG_INFINITY, f64::max) - errors.iter().sum::<f64>() / 3.0;
        }
        // The variance of seven is of six.
        let expected = (7.0f64 / 6.0).sqrt() * sum / 1_000.0;
        let told = optimism_of_best(&right, None).unwrap();
        assert!((told - expected).abs() < 1e-12, "{told} for {expected}");
    }

    #[test]
    fn two_groups_say_little_and_one_says_nothing() {
        let right = [vec![true, true, true, false], vec![true, false, true, true]];
        assert!(optimism_of_best(&right, Some(&[0, 0, 1, 1])).unwrap() > 0.0);
        assert_eq!(optimism_of_best(&right, Some(&[0, 0, 0, 0])), Some(0.0));
    }

    #[test]
    fn of_independent_models_it_is_the_expected_maximum_in_standard_errors() {
        // Of two 0.5642; 0.8 of 100 images has a standard error of 0.04.
        assert!((optimism_of_independent(2, 100, 0.8) - 0.564_189_58 * 0.04).abs() < 1e-9);
        assert!((optimism_of_independent(2, 0, 0.5) - 0.564_189_58 * 0.5).abs() < 1e-8);
    }

    #[test]
    fn draws_are_as_many_as_a_second_allows_within_bounds() {
        assert_eq!([draws(2, 50), draws(4, 1 << 19), draws(1 << 10, 1 << 20)], [1_000, 512, 200]);
    }

    #[test]
    fn one_model_or_the_same_twice_is_not_flattered() {
        let one = vec![true, false, true, true];
        assert_eq!(optimism_of_best(std::slice::from_ref(&one), None), Some(0.0));
        assert_eq!(optimism_of_best(&[one.clone(), one.clone()], None), Some(0.0));
        assert_eq!(optimism_of_best(&[one, vec![true]], None), None);
        assert_eq!(optimism_of_best(&[], None), None);
    }
}
