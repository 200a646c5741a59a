//! Facts that set one class apart: a screen before trees are fitted.
//!
//! Of nine classes one that is rare may be given away by a fact while the accuracy over all hardly moves. A tree for every class and every fact would
//! take long, so that first the distributions of a number within a class and outside of it are compared: the statistic of Kolmogorov and
//! Smirnov (Smirnov 1939, "On the estimation of the discrepancy between empirical curves of distribution for two independent samples"). Its
//! probability is multiplied by the number of all comparisons (Bonferroni), so that all of them together are one test.

/// How likely it may be that any comparison passes where no fact has to do with any class.
const FALSE_ALARM: f64 = 0.01;

/// The largest distance between the distributions of a number within each class and outside of it, 0 to 1. `values: [N]`, `labels: [N]`
pub(crate) fn distances(values: &[f32], labels: &[u32], classes: usize) -> Vec<f64> {
    let mut counts = vec![0usize; classes];
    labels.iter().for_each(|&label| counts[label as usize] += 1);
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let (mut below, mut farthest) = (vec![0usize; classes], vec![0.0f64; classes]);
    let mut done = 0;
    for equal in order.chunk_by(|&a, &b| values[a] == values[b]) {
        // The distance is farthest just before or just after numbers of the class itself.
        let mut measure = |class: usize, below: usize, done: usize| {
            let (own, others) = (counts[class] as f64, (values.len() - counts[class]) as f64);
            if own > 0.0 && others > 0.0 {
                let distance = (below as f64 / own - (done - below) as f64 / others).abs();
                farthest[class] = farthest[class].max(distance);
            }
        };
        for &at in equal {
            let class = labels[at] as usize;
            measure(class, below[class], done);
        }
        let before = done;
        for &at in equal {
            below[labels[at] as usize] += 1;
            done += 1;
        }
        debug_assert!(done > before);
        for &at in equal {
            let class = labels[at] as usize;
            measure(class, below[class], done);
        }
    }
    farthest
}

/// The classes that a fact sets apart beyond chance: `features: [F][N]`, `labels: [N]`, `units: [N]` of images that belong together, and how many
/// comparisons of a number with a class are made in all. Only classes of which `judged` says so.
pub(crate) fn set_apart(
    features: &[Vec<f32>],
    labels: &[u32],
    units: &[u32],
    judged: &[bool],
    comparisons: usize,
) -> Vec<usize> {
    let classes = judged.len();
    let mut farthest = vec![0.0f64; classes];
    for values in features {
        let distances = distances(values, labels, classes);
        farthest.iter_mut().zip(distances).for_each(|(most, distance)| *most = most.max(distance));
    }
    // Images of one unit are no independent witnesses.
    let mut pairs: Vec<(u32, u32)> = labels.iter().copied().zip(units.iter().copied()).collect();
    pairs.sort_unstable();
    pairs.dedup();
    let mut independent = vec![0usize; classes];
    pairs.iter().for_each(|&(label, _)| independent[label as usize] += 1);
    let all = pairs.len() as f64;
    let is_apart = |&class: &usize| {
        let own = independent[class] as f64;
        let effective = own * (all - own) / all;
        let probability = 2.0 * libm::exp(-2.0 * effective * farthest[class] * farthest[class]);
        judged[class] && probability * (comparisons as f64) < FALSE_ALARM
    };
    (0..classes).filter(is_apart).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pupila_random::{Purpose, Stream};

    #[test]
    fn distances_are_those_of_scipy() {
        // scipy.stats.ks_2samp(values of the class, the others).statistic
        let values = [1.0, 2.0, 2.0, 3.0, 5.0, 5.0, 7.0, 9.0];
        let labels = [0, 1, 0, 0, 1, 2, 2, 1];
        let expected = [0.8, 1.0 / 3.0, 2.0 / 3.0, 0.0];
        for (distance, expected) in distances(&values, &labels, 4).into_iter().zip(expected) {
            assert!((distance - expected).abs() < 1e-12, "{distance} {expected}");
        }
    }

    #[test]
    fn a_rare_class_is_set_apart_and_chance_is_not() {
        let mut stream = Stream::new(3, Purpose::Bootstrap, 0, 0);
        let labels: Vec<u32> = (0..1800).map(|i| if i < 40 { 0 } else { 1 + i % 8 }).collect();
        let chance: Vec<f32> = labels.iter().map(|_| stream.uniform(0.0, 1.0) as f32).collect();
        let planted: Vec<f32> =
            labels.iter().zip(&chance).map(|(&label, &v)| if label == 0 { v * 0.3 } else { v }).collect();
        let units: Vec<u32> = (0..1800).collect();
        let apart = |values: Vec<f32>, units: &[u32]| set_apart(&[values], &labels, units, &[true; 9], 90);
        assert_eq!(apart(planted.clone(), &units), [0]);
        assert!(apart(chance, &units).is_empty());
        // Where all images of the class are one unit it is one witness.
        let together: Vec<u32> = (0..1800).map(|i: u32| if i < 40 { 0 } else { i }).collect();
        assert!(apart(planted, &together).is_empty());
    }
}
