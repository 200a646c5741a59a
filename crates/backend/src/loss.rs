//! What goes into a loss and what comes out of it.

/// What one training step depends on besides the batch and the values.
#[derive(Debug, Clone, Copy)]
pub struct StepContext {
    /// The run's seed.
    pub seed: u64,
    /// Counts the steps of the run; keys the draws of dropout.
    pub step: u64,
    /// Share of the target distribution that is spread over all classes.
    pub label_smoothing: f64,
}

/// What a batch's loss is made of.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LossSum {
    /// Sum of the samples' losses, each times the weight of its class.
    pub loss: f64,
    /// Sum of the samples' weights; without class weights their number.
    pub weight: f64,
    /// Samples whose largest logit is the target's; of a mixed sample, the target with the larger share. Of equal logits the
    /// first counts, as in PyTorch and numpy.
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

/// What the samples of a batch should be. A plain slice of classes is one target for each.
#[derive(Debug, Clone, Copy)]
pub struct Targets<'a> {
    /// The class of each sample. `[batch]`
    pub classes: &'a [u32],
    /// The class of what is mixed into each sample; empty where nothing is. `[batch]`
    pub partners: &'a [u32],
    /// The share of `classes` in each mixed sample, from 0 to 1; the partner's is the rest. `[batch]`, or empty
    pub shares: &'a [f64],
}

impl<'a> Targets<'a> {
    /// The two targets of a sample and the share of the first; twice the same where nothing is mixed.
    pub fn of_sample(&self, sample: usize) -> ([usize; 2], f64) {
        let class = self.classes[sample] as usize;
        match (self.partners.get(sample), self.shares.get(sample)) {
            (Some(&partner), Some(&share)) => ([class, partner as usize], share),
            _ => ([class, class], 1.0),
        }
    }
}

impl<'a> From<&'a [u32]> for Targets<'a> {
    fn from(classes: &'a [u32]) -> Self {
        Targets { classes, partners: &[], shares: &[] }
    }
}

impl<'a> From<&'a Vec<u32>> for Targets<'a> {
    fn from(classes: &'a Vec<u32>) -> Self {
        Targets::from(classes.as_slice())
    }
}

impl<'a, const N: usize> From<&'a [u32; N]> for Targets<'a> {
    fn from(classes: &'a [u32; N]) -> Self {
        Targets::from(classes.as_slice())
    }
}
