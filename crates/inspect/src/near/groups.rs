//! Pictures that are the same by way of others.

use super::Near;

/// The groups that the pairs among `count` pictures make: each of at least two, in ascending order, by their first.
pub fn groups(count: usize, pairs: &[Near]) -> Vec<Vec<usize>> {
    // Union-find: each points at an earlier one of its group, at last at the first.
    let mut earlier: Vec<usize> = (0..count).collect();
    let first = |earlier: &mut [usize], mut i: usize| {
        while earlier[i] != i {
            earlier[i] = earlier[earlier[i]];
            i = earlier[i];
        }
        i
    };
    for pair in pairs {
        let (a, b) = (first(&mut earlier, pair.a), first(&mut earlier, pair.b));
        earlier[a.max(b)] = a.min(b);
    }
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); count];
    for i in 0..count {
        let first = first(&mut earlier, i);
        members[first].push(i);
    }
    members.retain(|members| members.len() > 1);
    members
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::near::Turn;

    #[test]
    fn pairs_are_joined_by_what_they_share() {
        let pair = |a, b| Near { a, b, turned: Turn::Upright, alike: 1.0 };
        let pairs = [pair(1, 5), pair(2, 3), pair(3, 6), pair(4, 6), pair(0, 2)];
        assert_eq!(groups(8, &pairs), [vec![0, 2, 3, 4, 6], vec![1, 5]]);
        assert!(groups(3, &[]).is_empty());
    }
}
