//! Training waits for its images instead of computing.

use super::{Check, Found, Situation, percent};
use crate::summary::data_wait_frac;
use std::time::Duration;

pub(super) const CHECK: Check = Check {
    kind: "data_starvation",
    title: "training waits for its images",
    looks_at: "the time in which training waited for batches",
    check,
};

/// The share of the training time that is worth a change, and the one that is told again.
const WAITS: [f64; 2] = [0.2, 0.6];
/// Less waiting in all is not worth it.
const NOTICEABLE: Duration = Duration::from_secs(1);
/// Epochs after the first, which warms up.
const EPOCHS: usize = 3;

fn check(situation: &Situation<'_>) -> Option<Found> {
    let epochs = situation.epochs;
    let waited: Duration = epochs.iter().skip(1).map(|record| record.waited).sum();
    let share = data_wait_frac(epochs)?;
    if epochs.len() <= EPOCHS || share < WAITS[0] || waited < NOTICEABLE {
        return None;
    }
    let transforms = &situation.recipe.augment.transforms;
    let names: Vec<_> = transforms.iter().map(|transform| transform.name.as_str()).collect();
    Some(Found {
        grade: 1 + u32::from(share >= WAITS[1]),
        message: format!(
            "data starvation: {} of the training time since epoch 2, {:.1} s, was spent waiting for images",
            percent(share),
            waited.as_secs_f64()
        ),
        suggestion: if names.is_empty() {
            "the network is faster than its images can be prepared; a larger one would cost little more: --model cnn".into()
        } else {
            format!(
                "the images are varied by {}; see what fewer transforms change: --set 'augment.transforms=[{{ horizontal_flip = {{}} }}]'",
                names.join(", ")
            )
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    fn case(waited_ms: u64) -> Case {
        let mut case = Case::default().with_losses(&[1.0; 4]);
        for record in &mut case.epochs {
            record.train_time = Duration::from_secs(2);
            record.waited = Duration::from_millis(waited_ms);
        }
        case
    }

    #[test]
    fn a_fifth_of_the_time_is_too_much() {
        assert!(case(390).check(&CHECK).is_none());
        let found = case(410).check(&CHECK).unwrap();
        assert!(
            found.message.contains("20 % of the training time since epoch 2, 1.2 s"),
            "{}",
            found.message
        );
        assert!(found.suggestion.contains("horizontal_flip, random_brightness_contrast"));
        assert_eq!(case(1500).check(&CHECK).unwrap().grade, 2);
        // Of a run that takes no time, waiting costs none.
        let mut short = case(410);
        short.epochs.iter_mut().for_each(|record| {
            (record.train_time, record.waited) = (record.train_time / 100, record.waited / 100)
        });
        assert!(short.check(&CHECK).is_none());
        let mut early = case(1500);
        early.epochs.truncate(3);
        assert!(early.check(&CHECK).is_none());
    }
}
