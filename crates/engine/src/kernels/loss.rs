//! Softmax and cross-entropy, as `torch.nn.functional.cross_entropy` with the mean over the batch.

use crate::float::Float;

/// What a batch's loss is made of.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LossSum {
    /// Sum of the samples' losses, each times the weight of its class.
    pub loss: f64,
    /// Sum of the samples' weights; without class weights their number.
    pub weight: f64,
    /// Samples whose largest logit is the target's. Of equal logits the first counts, as in PyTorch and numpy.
    pub correct: usize,
    /// Samples.
    pub samples: usize,
}

impl LossSum {
    /// PyTorch's mean: the weighted losses by the sum of the weights. NaN without a sample.
    pub fn mean(&self) -> f64 {
        self.loss / self.weight
    }
}

impl std::ops::Sub for LossSum {
    type Output = Self;

    /// What was added to `earlier` since.
    fn sub(self, earlier: Self) -> Self {
        LossSum {
            loss: self.loss - earlier.loss,
            weight: self.weight - earlier.weight,
            correct: self.correct - earlier.correct,
            samples: self.samples - earlier.samples,
        }
    }
}

impl std::ops::AddAssign for LossSum {
    fn add_assign(&mut self, other: Self) {
        self.loss += other.loss;
        self.weight += other.weight;
        self.correct += other.correct;
        self.samples += other.samples;
    }
}

/// The loss of `logits: [batch, classes]`, and the gradient of its mean into `gradient` (same shape), if given.
///
/// With label smoothing s the target distribution is (1 - s) at the target plus s / classes everywhere (Szegedy et al. 2016).
/// `weights` has one for each class, or none; each term of the sum over classes is weighted by its class, and the mean is
/// by the weights of the targets, as in PyTorch.
pub fn cross_entropy<T: Float>(
    logits: &[T],
    classes: usize,
    targets: &[u32],
    label_smoothing: f64,
    weights: &[f64],
    mut gradient: Option<&mut [T]>,
) -> LossSum {
    let mut total = LossSum::default();
    let weight = |class: usize| weights.get(class).copied().unwrap_or(1.0);
    total.weight = targets.iter().map(|&target| weight(target as usize)).sum();
    let scale = 1.0 / total.weight;
    let share = label_smoothing / classes as f64;
    for (i, (row, &target)) in logits.chunks_exact(classes).zip(targets).enumerate() {
        let target = target as usize;
        let mut best = 0;
        for (k, x) in row.iter().enumerate() {
            if *x > row[best] {
                best = k;
            }
        }
        let max = row[best].to_f64();
        let log_sum = max + row.iter().map(|x| (x.to_f64() - max).exp()).sum::<f64>().ln();
        let (mut smooth, mut spread) = (0.0, 0.0);
        if label_smoothing > 0.0 {
            for (k, x) in row.iter().enumerate() {
                smooth += weight(k) * (log_sum - x.to_f64());
                spread += weight(k);
            }
        }
        let hard = (1.0 - label_smoothing) * weight(target);
        total.loss += hard * (log_sum - row[target].to_f64()) + share * smooth;
        total.correct += usize::from(best == target && row.iter().all(|x| x.finite()));
        total.samples += 1;
        if let Some(gradient) = gradient.as_deref_mut() {
            for (k, (g, x)) in gradient[i * classes..][..classes].iter_mut().zip(row).enumerate() {
                let wanted = share * weight(k) + if k == target { hard } else { 0.0 };
                *g = T::of(((hard + share * spread) * (x.to_f64() - log_sum).exp() - wanted) * scale);
            }
        }
    }
    total
}

/// The probabilities of `logits: [batch, classes]`, in place.
pub fn softmax<T: Float>(logits: &mut [T], classes: usize) {
    for row in logits.chunks_exact_mut(classes) {
        let max = row.iter().fold(f64::NEG_INFINITY, |m, x| m.max(x.to_f64()));
        let sum: f64 = row.iter().map(|x| (x.to_f64() - max).exp()).sum();
        row.iter_mut().for_each(|x| *x = T::of((x.to_f64() - max).exp() / sum));
    }
}
