//! Softmax and cross-entropy, as `torch.nn.functional.cross_entropy` with the mean over the batch.

use crate::float::Float;
use pupila_backend::{LossSum, Targets};

/// The loss of `logits: [batch, classes]`, and the gradient of its mean into `gradient` (same shape), if given.
///
/// With label smoothing s the target distribution is (1 - s) at the target plus s / classes everywhere (Szegedy et al. 2016).
/// `weights` has one for each class, or none; each term of the sum over classes is weighted by its class, and the mean is
/// by the weights of the targets, as in PyTorch.
///
/// A mixed sample's target distribution is its share at one class and the rest at another (Zhang et al. 2018), which is
/// PyTorch's loss for targets that are probabilities. Its weight in the mean is that of its two classes by their shares, so
/// that a share of 1 is the unmixed sample; PyTorch's mean for such targets is by their number, even with class weights.
pub fn cross_entropy<'a, T: Float>(
    logits: &[T],
    classes: usize,
    targets: impl Into<Targets<'a>>,
    label_smoothing: f64,
    weights: &[f64],
    mut gradient: Option<&mut [T]>,
) -> LossSum {
    let targets: Targets<'_> = targets.into();
    let mut total = LossSum::default();
    let weight = |class: usize| weights.get(class).copied().unwrap_or(1.0);
    let weight_of = |([first, second], share): ([usize; 2], f64)| {
        if share == 1.0 { weight(first) } else { share * weight(first) + (1.0 - share) * weight(second) }
    };
    total.weight = (0..targets.classes.len()).map(|sample| weight_of(targets.of_sample(sample))).sum();
    // A batch in which every class weighs nothing has no gradient, rather than one that is not a number.
    let scale = if total.weight > 0.0 { 1.0 / total.weight } else { 0.0 };
    let spread_share = label_smoothing / classes as f64;
    for (i, row) in logits.chunks_exact(classes).take(targets.classes.len()).enumerate() {
        let (both, share) = targets.of_sample(i);
        let dominant = if share >= 0.5 { both[0] } else { both[1] };
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
        let hard = |which: usize, share: f64| (1.0 - label_smoothing) * share * weight(both[which]);
        let hard = [hard(0, share), if share == 1.0 { 0.0 } else { hard(1, 1.0 - share) }];
        total.loss += hard[0] * (log_sum - row[both[0]].to_f64()) + spread_share * smooth;
        if share != 1.0 {
            total.loss += hard[1] * (log_sum - row[both[1]].to_f64());
        }
        total.correct += usize::from(best == dominant && row.iter().all(|x| x.finite()));
        total.samples += 1;
        if let Some(gradient) = gradient.as_deref_mut() {
            for (k, (g, x)) in gradient[i * classes..][..classes].iter_mut().zip(row).enumerate() {
                let mut wanted = spread_share * weight(k);
                for (class, hard) in both.into_iter().zip(hard) {
                    wanted += if k == class { hard } else { 0.0 };
                }
                let all = hard[0] + hard[1] + spread_share * spread;
                *g = T::of((all * (x.to_f64() - log_sum).exp() - wanted) * scale);
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
