//! Softmax and log-sum-exp of f32 logits, in f64.

/// `ln Σ exp(logits)`, stable for logits of any size. `logits: [K]`; `-inf` for none.
pub fn log_sum_exp(logits: &[f32]) -> f64 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    if max == f32::NEG_INFINITY {
        return f64::NEG_INFINITY;
    }
    let max = f64::from(max);
    max + logits.iter().map(|&logit| (f64::from(logit) - max).exp()).sum::<f64>().ln()
}

/// The probabilities of logits. `logits, probabilities: [K]`; computed in f64 and rounded once, so that a
/// probability is within half a unit in the last place.
pub fn softmax(logits: &[f32], probabilities: &mut [f32]) {
    let log_sum = log_sum_exp(logits);
    for (probability, &logit) in probabilities.iter_mut().zip(logits) {
        *probability = (f64::from(logit) - log_sum).exp() as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_logits_do_not_overflow() {
        let mut probabilities = [0.0; 3];
        softmax(&[1e4, 1e4, -1e4], &mut probabilities);
        assert_eq!(probabilities, [0.5, 0.5, 0.0]);
        assert!((log_sum_exp(&[1e4, 1e4]) - (1e4 + 2f64.ln())).abs() < 1e-9);
        assert_eq!(log_sum_exp(&[]), f64::NEG_INFINITY);
    }
}
