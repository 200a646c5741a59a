//! Pictures that are nearly the same as one of them.

use super::Near;

/// The groups that the pairs among `count` pictures make: each picture with those later ones that are near to it and to none before. Each is of
/// at least two, in ascending order, and all of a group are near to its first. They are not joined by way of others, since a row of
/// pictures of which each is a little other than the one before would become one.
pub fn groups(count: usize, pairs: &[Near]) -> Vec<Vec<usize>> {
    let mut near: Vec<Vec<usize>> = vec![Vec::new(); count];
    pairs.iter().for_each(|pair| near[pair.a].push(pair.b));
    let mut taken = vec![false; count];
    let mut groups = Vec::new();
    for first in 0..count {
        if taken[first] {
            continue;
        }
        let mut group = vec![first];
        near[first].sort_unstable();
        for &other in &near[first] {
            if !taken[other] {
                taken[other] = true;
                group.push(other);
            }
        }
        if group.len() > 1 {
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
    fn all_of_a_group_are_near_to_its_first() {
        let pair = |a, b| Near { a, b, turned: Turn::Upright, alike: 1.0 };
        let pairs = [pair(1, 5), pair(2, 3), pair(3, 6), pair(4, 6), pair(0, 2)];
        assert_eq!(groups(8, &pairs), [vec![0, 2], vec![1, 5], vec![3, 6]]);
        assert!(groups(3, &[]).is_empty());
    }
}
