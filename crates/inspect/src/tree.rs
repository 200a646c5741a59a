//! A small classification tree (CART; Breiman et al. 1984): splits by the Gini impurity, of numbers that may be missing.

/// The deepest that a tree grows.
const DEPTH: usize = 6;

/// The fewest images of a leaf.
const LEAF: usize = 5;

/// A tree that was fitted.
#[derive(Debug)]
pub enum Tree {
    /// The class that is answered, and how many images of each class were there.
    Leaf(u32, Vec<usize>),
    /// Below or equal to the threshold on the left.
    Split {
        /// Which of the features.
        feature: usize,
        /// The largest number that goes to the left.
        threshold: f32,
        /// Below it.
        left: Box<Tree>,
        /// Above it.
        right: Box<Tree>,
    },
}

impl Tree {
    /// Fits a tree to the images `which`. `features: [F][N]`, `labels: [N]` below the number of `weights`: how much an image of each class
    /// counts.
    pub fn fit(features: &[Vec<f32>], labels: &[u32], weights: &[f64], which: &mut [usize]) -> Tree {
        // A leaf of one in two hundred says nothing of the others.
        let leaf = LEAF.max(which.len() / 200);
        grow(features, labels, weights, which, DEPTH, leaf)
    }

    /// The class of image `at`.
    pub fn predict(&self, features: &[Vec<f32>], at: usize) -> u32 {
        self.leaf(features, at).0
    }

    /// The share of each class in the leaf of image `at`, as if one more image stood there, spread evenly over the classes: none is 0.
    pub fn shares(&self, features: &[Vec<f32>], at: usize) -> Vec<f32> {
        let (_, counts) = self.leaf(features, at);
        let (all, classes) = (counts.iter().sum::<usize>() as f32, counts.len() as f32);
        counts.iter().map(|&count| (count as f32 + 1.0 / classes) / (all + 1.0)).collect()
    }

    fn leaf(&self, features: &[Vec<f32>], at: usize) -> (u32, &[usize]) {
        match self {
            Tree::Leaf(class, counts) => (*class, counts),
            Tree::Split { feature, threshold, left, right } => {
                let branch = if features[*feature][at] <= *threshold { left } else { right };
                branch.leaf(features, at)
            }
        }
    }
}

fn grow(
    features: &[Vec<f32>],
    labels: &[u32],
    weights: &[f64],
    which: &mut [usize],
    depth: usize,
    leaf: usize,
) -> Tree {
    let mut counts = vec![0usize; weights.len()];
    which.iter().for_each(|&at| counts[labels[at] as usize] += 1);
    // Counts are whole numbers: what they weigh is the same in any order.
    let weighed = |class: usize| counts[class] as f64 * weights[class];
    let heavier = |a: &usize, b: &usize| weighed(*a).total_cmp(&weighed(*b)).then(b.cmp(a));
    let largest = (0..weights.len()).max_by(heavier).unwrap_or(0);
    let pure = counts.iter().filter(|&&count| count > 0).count() < 2;
    if depth == 0 || pure || which.len() < 2 * leaf {
        return Tree::Leaf(largest as u32, counts);
    }
    let Some((feature, threshold)) = best_split(features, labels, weights, &counts, which, leaf) else {
        return Tree::Leaf(largest as u32, counts);
    };
    // In place, and in an order that follows from the data.
    which.sort_by(|&a, &b| features[feature][a].total_cmp(&features[feature][b]).then(a.cmp(&b)));
    let cut = which.partition_point(|&at| features[feature][at] <= threshold);
    let (below, above) = which.split_at_mut(cut);
    let left = Box::new(grow(features, labels, weights, below, depth - 1, leaf));
    let right = Box::new(grow(features, labels, weights, above, depth - 1, leaf));
    Tree::Split { feature, threshold, left, right }
}

/// The feature and threshold that leave the lowest impurity; `None` where none lowers it.
fn best_split(
    features: &[Vec<f32>],
    labels: &[u32],
    weights: &[f64],
    counts: &[usize],
    which: &[usize],
    leaf: usize,
) -> Option<(usize, f32)> {
    let weighed: Vec<f64> =
        counts.iter().zip(weights).map(|(&count, weight)| count as f64 * weight).collect();
    let total: f64 = weighed.iter().sum();
    let squares: f64 = weighed.iter().map(|weight| weight * weight).sum();
    // Sums of squares over sums: what is to be as large as possible. What rounding alone makes larger does not count.
    let mut best = (squares / total * (1.0 + 1e-9), None);
    let mut order = which.to_vec();
    for (feature, values) in features.iter().enumerate() {
        order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]).then(a.cmp(&b)));
        let mut left = vec![0.0; counts.len()];
        let (mut left_squares, mut right_squares, mut left_total) = (0.0, squares, 0.0);
        for (at, pair) in order.windows(2).enumerate() {
            let class = labels[pair[0]] as usize;
            let weight = weights[class];
            left_squares += weight * (2.0 * left[class] + weight);
            right_squares -= weight * (2.0 * (weighed[class] - left[class]) - weight);
            left[class] += weight;
            left_total += weight;
            let below = at + 1;
            if below < leaf || order.len() - below < leaf || values[pair[0]] == values[pair[1]] {
                continue;
            }
            let value = left_squares / left_total + right_squares / (total - left_total);
            if value > best.0 {
                best = (value, Some((feature, values[pair[0]])));
            }
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_threshold_and_a_missing_number_are_learnt() {
        // Class 1 where the number is missing (below all) or above 30.
        let values: Vec<f32> =
            (0..200).map(|i| if i % 10 == 0 { f32::MIN } else { (i % 50) as f32 }).collect();
        let labels: Vec<u32> = values.iter().map(|&v| u32::from(v > 30.0 || v == f32::MIN)).collect();
        let features = [values];
        let mut which: Vec<usize> = (0..200).collect();
        let tree = Tree::fit(&features, &labels, &[1.0; 2], &mut which);
        assert!((0..200).all(|at| tree.predict(&features, at) == labels[at]));
    }

    #[test]
    fn nothing_to_learn_is_the_majority() {
        let features = [vec![1.0; 40]];
        let labels: Vec<u32> = (0..40).map(|i| u32::from(i % 4 == 0)).collect();
        let tree = Tree::fit(&features, &labels, &[1.0; 2], &mut (0..40).collect::<Vec<_>>());
        assert!(matches!(tree, Tree::Leaf(0, _)));
        let shares = tree.shares(&features, 0);
        assert!(
            (shares[0] - 30.5 / 41.0).abs() < 1e-6 && (shares[1] - 10.5 / 41.0).abs() < 1e-6,
            "{shares:?}"
        );
        // Where the fewer ones count more they are the majority.
        let tree = Tree::fit(&features, &labels, &[1.0, 4.0], &mut (0..40).collect::<Vec<_>>());
        assert!(matches!(tree, Tree::Leaf(1, _)));
    }
}
