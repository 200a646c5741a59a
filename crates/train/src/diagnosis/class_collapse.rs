//! Nearly every validation image is predicted as one class.
//!
//! In the first epochs that is common, and with BatchNorm for longer, since the moving statistics that validation uses lag behind
//! (momentum 0.1); so it has to last, and the run has to have made some updates. A class that is that frequent in truth is no collapse.

use super::{Check, Found, Situation, advice, percent};

pub(super) const CHECK: Check = Check {
    kind: "class_collapse",
    title: "one class swallows all others",
    looks_at: "how often each class is predicted in validation, and how often it is true",
    check,
};

/// The share of predictions that is nearly every one, and how much of that must be wrong.
const NEARLY_ALL: f64 = 0.95;
const WRONG: f64 = 0.05;
/// Epochs for which it has lasted.
const LASTED: usize = 3;
/// Updates before which it says little: 0.9 to the power of 40 is 1.5 %, what is left of the first moving statistics.
const SETTLED: u64 = 40;
/// A class above this share of the images tempts a network to answer it always.
const DOMINANT: f64 = 0.5;
/// Findings that explain it.
const CAUSES: [&str; 6] =
    ["symmetric_weights", "lr_too_high", "explosion", "dead_relu", "vanishing_gradient", "lr_too_low"];

fn check(situation: &Situation<'_>) -> Option<Found> {
    if situation.epochs.last()?.step < SETTLED {
        return None;
    }
    let lasting = &situation.predicted[situation.predicted.len().checked_sub(LASTED)?..];
    let shares: Option<Vec<_>> = lasting.iter().map(|counts| largest(counts)).collect();
    let shares = shares?;
    let &(class, share) = shares.last()?;
    let all: u64 = situation.actual.iter().sum();
    let truth = *situation.actual.get(class)? as f64 / all as f64;
    if shares.iter().any(|&(_, share)| share < NEARLY_ALL) || share - truth < WRONG {
        return None;
    }
    let images: u64 = lasting.last()?.iter().sum();
    let name = situation.classes.get(class).map_or("?", String::as_str);
    let (_, most) = largest(situation.actual)?;
    let cause = situation.findings.iter().find(|finding| CAUSES.contains(&finding.kind.as_str()));
    Some(Found {
        grade: 1,
        message: format!(
            "class collapse: {} {} of {images} validation images are predicted as {name}, which {} of them are; so it has been \
             for {LASTED} epochs",
            situation.when(),
            percent(share),
            percent(truth),
        ),
        suggestion: if let Some(cause) = cause {
            format!("this may well follow from what was said before: {}", cause.suggestion)
        } else if most > DOMINANT && situation.recipe.data.sampler.name() == "shuffle" {
            "show all classes equally often: --set data.sampler=balanced".into()
        } else {
            format!("try a smaller learning rate: {}", advice::smaller_lr(situation.recipe))
        },
    })
}

/// The class of most images and its share; none without an image.
fn largest(counts: &[u64]) -> Option<(usize, f64)> {
    let all: u64 = counts.iter().sum();
    let (class, &most) =
        counts.iter().enumerate().max_by_key(|&(class, &n)| (n, std::cmp::Reverse(class)))?;
    (all > 0).then(|| (class, most as f64 / all as f64))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Case;
    use super::*;

    fn case(actual: &[u64], predicted: &[&[u64]]) -> Case {
        let predicted = predicted.iter().map(|counts| counts.to_vec()).collect();
        Case { actual: actual.to_vec(), predicted, ..Case::default() }.with_losses(&[1.1; 5])
    }

    #[test]
    fn it_has_to_last_and_to_be_wrong() {
        let even = [20, 20, 20];
        let collapsed: &[u64] = &[0, 58, 2];
        assert!(case(&even, &[collapsed; 2]).check(&CHECK).is_none());
        assert!(case(&even, &[collapsed, &[10, 48, 2], collapsed]).check(&CHECK).is_none());
        let found = case(&even, &[collapsed; 3]).check(&CHECK).unwrap();
        assert!(
            found.message.contains("97 % of 60 validation images are predicted as b, which 33 %"),
            "{}",
            found.message
        );
        assert!(found.suggestion.contains("--lr"));
        let uneven = case(&[5, 45, 10], &[collapsed; 3]).check(&CHECK).unwrap();
        assert!(uneven.suggestion.contains("data.sampler=balanced"));
        // A cause that has been found has its own remedy.
        let mut caused = case(&even, &[collapsed; 3]).after("vanishing_gradient", 0);
        caused.findings[0].suggestion = "the remedy".into();
        assert!(caused.check(&CHECK).unwrap().suggestion.ends_with("before: the remedy"));
        assert!(case(&even, &[collapsed; 3]).with_losses(&[1.1; 4]).check(&CHECK).is_none());
        assert!(case(&[1, 58, 1], &[collapsed; 3]).check(&CHECK).is_none());
        assert!(case(&[0, 0, 0], &[[0; 3].as_slice(); 3]).check(&CHECK).is_none());
    }

    #[test]
    fn it_is_told_from_19_of_20_on() {
        let even = [20, 20, 20];
        assert!(case(&even, &[[0, 57, 3].as_slice(); 3]).check(&CHECK).is_some());
        assert!(case(&even, &[[0, 56, 4].as_slice(); 3]).check(&CHECK).is_none());
    }

    #[test]
    fn classes_are_shown_equally_often_only_where_one_has_more_than_half_and_they_are_not_yet() {
        let collapsed: &[u64] = &[0, 60, 0];
        let half = case(&[15, 30, 15], &[collapsed; 3]).check(&CHECK).unwrap();
        assert!(half.suggestion.contains("--lr"), "{}", half.suggestion);
        let mut balanced = case(&[5, 45, 10], &[collapsed; 3]);
        balanced.recipe.data.sampler = crate::recipe::Sampler::Balanced;
        assert!(balanced.check(&CHECK).unwrap().suggestion.contains("--lr"));
    }
}
