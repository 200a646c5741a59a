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

/// Features with the images in the order of each: sorted once, for all trees that are fitted to some of the images.
#[derive(Debug)]
pub struct Sorted<'a> {
    features: &'a [Vec<f32>],
    orders: Vec<Vec<u32>>,
}

impl<'a> Sorted<'a> {
    /// `features: [F][N]`, at least one.
    pub fn new(features: &'a [Vec<f32>]) -> Self {
        let order = |values: &Vec<f32>| {
            let mut order: Vec<u32> = (0..values.len() as u32).collect();
            order
                .sort_unstable_by(|&a, &b| values[a as usize].total_cmp(&values[b as usize]).then(a.cmp(&b)));
            order
        };
        Sorted { features, orders: features.iter().map(order).collect() }
    }
}

impl Tree {
    /// Fits a tree to the images that `are_in`. `labels: [N]` are below the number of `weights`: how much an image of each class counts.
    pub fn fit(sorted: &Sorted<'_>, labels: &[u32], weights: &[f64], are_in: impl Fn(usize) -> bool) -> Tree {
        let those = |order: &Vec<u32>| order.iter().copied().filter(|&at| are_in(at as usize)).collect();
        let mut orders: Vec<Vec<u32>> = sorted.orders.iter().map(those).collect();
        let count = orders.first().map_or(0, Vec::len);
        // A leaf of one in two hundred says nothing of the others.
        let leaf = LEAF.max(count / 200);
        let mut orders: Vec<&mut [u32]> = orders.iter_mut().map(Vec::as_mut_slice).collect();
        let (goes_left, scratch) = (vec![false; labels.len()], Vec::with_capacity(count));
        let mut growing = Growing { features: sorted.features, labels, weights, leaf, goes_left, scratch };
        growing.grow(&mut orders, DEPTH)
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

/// A tree that grows.
struct Growing<'a> {
    features: &'a [Vec<f32>],
    labels: &'a [u32],
    weights: &'a [f64],
    /// The fewest images of a leaf.
    leaf: usize,
    /// On which side of the last split an image is.
    goes_left: Vec<bool>,
    scratch: Vec<u32>,
}

impl Growing<'_> {
    /// Grows from the images in `orders`, which holds them in the order of each feature.
    fn grow(&mut self, orders: &mut [&mut [u32]], depth: usize) -> Tree {
        let mut counts = vec![0usize; self.weights.len()];
        let count = orders.first().map_or(0, |order| order.len());
        orders.first().into_iter().flat_map(|order| order.iter()).for_each(|&at| {
            counts[self.labels[at as usize] as usize] += 1;
        });
        // Counts are whole numbers: what they weigh is the same in any order.
        let weighed = |class: usize| counts[class] as f64 * self.weights[class];
        let heavier = |a: &usize, b: &usize| weighed(*a).total_cmp(&weighed(*b)).then(b.cmp(a));
        let largest = (0..counts.len()).max_by(heavier).unwrap_or(0);
        let pure = counts.iter().filter(|&&count| count > 0).count() < 2;
        if depth == 0 || pure || count < 2 * self.leaf {
            return Tree::Leaf(largest as u32, counts);
        }
        let Some((feature, threshold)) = self.best_split(&counts, orders) else {
            return Tree::Leaf(largest as u32, counts);
        };
        let values = &self.features[feature];
        let cut = orders[feature].partition_point(|&at| values[at as usize] <= threshold);
        for (place, &at) in orders[feature].iter().enumerate() {
            self.goes_left[at as usize] = place < cut;
        }
        let (mut below, mut above) = (Vec::new(), Vec::new());
        for (number, order) in orders.iter_mut().enumerate() {
            if number != feature {
                self.part(order);
            }
            let (left, right) = order.split_at_mut(cut);
            below.push(left);
            above.push(right);
        }
        let left = Box::new(self.grow(&mut below, depth - 1));
        let right = Box::new(self.grow(&mut above, depth - 1));
        Tree::Split { feature, threshold, left, right }
    }

    /// Moves the images of the left side to the front; on both sides they keep their order.
    fn part(&mut self, order: &mut [u32]) {
        self.scratch.clear();
        let mut left = 0;
        for place in 0..order.len() {
            let at = order[place];
            if self.goes_left[at as usize] {
                order[left] = at;
                left += 1;
            } else {
                self.scratch.push(at);
            }
        }
        order[left..].copy_from_slice(&self.scratch);
    }

    /// The feature and threshold that leave the lowest impurity; `None` where none lowers it.
    fn best_split(&self, counts: &[usize], orders: &[&mut [u32]]) -> Option<(usize, f32)> {
        let Growing { features, labels, weights, leaf, .. } = self;
        let weighed: Vec<f64> =
            counts.iter().zip(*weights).map(|(&count, weight)| count as f64 * weight).collect();
        let total: f64 = weighed.iter().sum();
        let squares: f64 = weighed.iter().map(|weight| weight * weight).sum();
        // Sums of squares over sums: what is to be as large as possible. What rounding alone makes larger does not count.
        let mut best = (squares / total * (1.0 + 1e-9), None);
        for (feature, (values, order)) in features.iter().zip(orders).enumerate() {
            let mut left = vec![0.0; counts.len()];
            let (mut left_squares, mut right_squares, mut left_total) = (0.0, squares, 0.0);
            for (at, pair) in order.windows(2).enumerate() {
                let [this, next] = [pair[0] as usize, pair[1] as usize];
                let class = labels[this] as usize;
                let weight = weights[class];
                left_squares += weight * (2.0 * left[class] + weight);
                right_squares -= weight * (2.0 * (weighed[class] - left[class]) - weight);
                left[class] += weight;
                left_total += weight;
                let below = at + 1;
                if below < *leaf || order.len() - below < *leaf || values[this] == values[next] {
                    continue;
                }
                let value = left_squares / left_total + right_squares / (total - left_total);
                if value > best.0 {
                    best = (value, Some((feature, values[this])));
                }
            }
        }
        best.1
    }
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
        let tree = Tree::fit(&Sorted::new(&features), &labels, &[1.0; 2], |_| true);
        assert!((0..200).all(|at| tree.predict(&features, at) == labels[at]));
    }

    #[test]
    fn nothing_to_learn_is_the_majority() {
        let features = [vec![1.0; 40]];
        let labels: Vec<u32> = (0..40).map(|i| u32::from(i % 4 == 0)).collect();
        let tree = Tree::fit(&Sorted::new(&features), &labels, &[1.0; 2], |_| true);
        assert!(matches!(tree, Tree::Leaf(0, _)));
        let shares = tree.shares(&features, 0);
        assert!(
            (shares[0] - 30.5 / 41.0).abs() < 1e-6 && (shares[1] - 10.5 / 41.0).abs() < 1e-6,
            "{shares:?}"
        );
        // Where the fewer ones count more they are the majority.
        let tree = Tree::fit(&Sorted::new(&features), &labels, &[1.0, 4.0], |_| true);
        assert!(matches!(tree, Tree::Leaf(1, _)));
    }
}
