//! Pictures that are nearly the same as one of them.

use std::collections::HashSet;

use super::Near;

/// The groups that the pairs among `count` pictures make: each picture with those later ones that are near to it, where these are not
/// together in a group before. Each is of at least two, in ascending order, all of it are near to its first, and every pair is in a
/// group. They are not joined by way of others, since a row of pictures of which each is a little other than the one before
/// would become one; so a picture may be in several.
pub fn groups(count: usize, pairs: &[Near]) -> Vec<Vec<usize>> {
    let mut near: Vec<Vec<usize>> = vec![Vec::new(); count];
    pairs.iter().for_each(|pair| near[pair.a].push(pair.b));
    let mut together: HashSet<(usize, usize)> = HashSet::new();
    let mut groups = Vec::new();
    for (first, near) in near.iter_mut().enumerate() {
        near.sort_unstable();
        let others = near.iter().copied().filter(|&other| !together.contains(&(first, other)));
        let group: Vec<usize> = [first].into_iter().chain(others).collect();
        if group.len() > 1 {
            for (at, &a) in group.iter().enumerate() {
                together.extend(group[at + 1..].iter().map(|&b| (a, b)));
            }
            groups.push(group);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::near::Turn;

    #[test]
    fn all_of_a_group_are_near_to_its_first_and_no_pair_is_lost() {
        let pair = |a, b| Near { a, b, turned: Turn::Upright, alike: 1.0 };
        let pairs = [pair(1, 5), pair(2, 3), pair(3, 6), pair(4, 6), pair(0, 2)];
        assert_eq!(groups(8, &pairs), [vec![0, 2], vec![1, 5], vec![2, 3], vec![3, 6], vec![4, 6]]);
        // Three that are near to each other are one group.
        assert_eq!(groups(3, &[pair(0, 1), pair(0, 2), pair(1, 2)]), [vec![0, 1, 2]]);
        assert!(groups(3, &[]).is_empty());
    }
}
