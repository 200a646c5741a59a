//! By how much images that belong together say less than as many independent ones.
//!
//! References: Kish, "Survey Sampling" (1965), the design effect; Korn and Graubard, "Confidence intervals for proportions with
//! small expected number of positive counts estimated from survey data" (Survey Methodology 1998), limits from the effective number.

use std::collections::{BTreeMap, BTreeSet};

/// Groups that are taken to be alike within, beside those that were seen to hold a mistake: few mistakes say little of whether they
/// come together.
const ALIKE: f64 = 4.0;

/// How many different groups there are.
pub(super) fn count(groups: impl Iterator<Item = u32>) -> usize {
    groups.collect::<BTreeSet<_>>().len()
}

/// What the groups do to a variance.
pub(super) struct Design {
    /// The variance over that of independent images, at least 1.
    pub(super) effect: f64,
    /// How many groups there are.
    pub(super) groups: usize,
}

/// The design of `images`, each with its group and its influence on the metric; `told` are those that say something of it: the
/// mistakes of one classifier, the images that only one of two has right.
pub(super) fn design<T: Copy + Ord>(
    images: &[T],
    groups: &[u32],
    influence: &BTreeMap<T, f64>,
    told: impl Fn(&T) -> bool,
) -> Design {
    #[derive(Default, Clone, Copy)]
    struct Group {
        images: f64,
        influence: f64,
        told: bool,
    }
    let mut of: BTreeMap<u32, Group> = BTreeMap::new();
    let mut independent = 0.0;
    for (image, &group) in images.iter().zip(groups) {
        let influence = influence.get(image).copied().unwrap_or(0.0);
        let group = of.entry(group).or_default();
        group.images += 1.0;
        group.influence += influence;
        group.told |= told(image);
        independent += influence * influence;
    }
    let n = of.len() as f64;
    let mean = of.values().map(|group| group.influence).sum::<f64>() / n;
    let squares: f64 = of.values().map(|group| (group.influence - mean).powi(2)).sum();
    let seen = if independent > 0.0 { n / (n - 1.0) * squares / independent } else { 1.0 };
    // Were all images of a group alike.
    let total: f64 = of.values().map(|group| group.images).sum();
    let most = of.values().map(|group| group.images * group.images).sum::<f64>() / total;
    let telling = of.values().filter(|group| group.told).count() as f64;
    let effect = (telling * seen + ALIKE * most) / (telling + ALIKE);
    Design { effect: effect.max(1.0), groups: of.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effect_is_that_seen_in_groups_that_tell_and_of_four_more_that_are_alike() {
        // Four groups of two images; the influence of an answer is itself, less 1.5.
        let images = [0, 3, 3, 3, 0, 0, 3, 0];
        let groups = [1, 1, 2, 2, 3, 3, 4, 4];
        let influence = BTreeMap::from([(0, -1.5), (3, 1.5)]);
        let found = design(&images, &groups, &influence, |&answer| answer == 3);
        // Sums 0, 3, -3, 0 scatter by 4 / 3 of 18, single images by 18; three groups tell, and of groups alike it is 2.
        assert_eq!((found.effect, found.groups), ((3.0 * 4.0 / 3.0 + 4.0 * 2.0) / 7.0, 4));
        // Where nothing has an influence nothing is seen: as if independent, beside the four.
        let nothing = BTreeMap::from([(0, 0.0), (3, 0.0)]);
        assert_eq!(design(&images, &groups, &nothing, |&answer| answer == 3).effect, (3.0 + 8.0) / 7.0);
        // Never less than independent images say.
        let apart = [0, 3, 0, 3, 0, 3, 0, 3];
        let single = [1, 2, 3, 4, 5, 6, 7, 8];
        assert_eq!(design(&apart, &groups, &influence, |_| true).effect, 1.0);
        assert!(design(&apart, &single, &influence, |_| true).effect < 1.15);
    }
}
