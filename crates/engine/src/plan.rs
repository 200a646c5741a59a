//! The memory plan: where every buffer of a pass stands in one block, so that buffers which are never alive at the same time
//! share their place.
//!
//! Buffers are placed from the largest to the smallest, each at the lowest place that is free for all its life (Pisarchyk and
//! Lee 2020, "Efficient Memory Management for Deep Neural Net Inference", greedy by size).

use std::ops::Range;

/// A buffer to be placed.
#[derive(Debug, Clone, Copy)]
struct Request {
    len: usize,
    first: usize,
    last: usize,
}

/// Collects the buffers of a pass.
#[derive(Debug, Default)]
pub(crate) struct Planner {
    requests: Vec<Request>,
}

/// A buffer's number in its planner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BufferId(usize);

impl BufferId {
    /// The place of the buffer's range in what [`Planner::place`] gives.
    pub(crate) fn index(self) -> usize {
        self.0
    }
}

/// Buffers begin at a cache line.
const ALIGNMENT: usize = 16;

impl Planner {
    /// A buffer of `len` elements that is alive at the times `first..=last`.
    pub(crate) fn request(&mut self, len: usize, first: usize, last: usize) -> BufferId {
        self.requests.push(Request { len, first, last });
        BufferId(self.requests.len() - 1)
    }

    /// A buffer is alive at a time too.
    pub(crate) fn extend(&mut self, BufferId(id): BufferId, time: usize) {
        let request = &mut self.requests[id];
        request.first = request.first.min(time);
        request.last = request.last.max(time);
    }

    /// The place of every buffer, and the elements of the whole block.
    pub(crate) fn place(&self) -> (Vec<Range<usize>>, usize) {
        let mut order: Vec<usize> = (0..self.requests.len()).collect();
        order.sort_by_key(|&id| std::cmp::Reverse(self.requests[id].len));
        let mut places: Vec<Range<usize>> = vec![0..0; self.requests.len()];
        let mut placed: Vec<usize> = Vec::new();
        let mut end = 0;
        for id in order {
            let request = self.requests[id];
            if request.len == 0 {
                continue;
            }
            let len = request.len.next_multiple_of(ALIGNMENT);
            let mut taken: Vec<Range<usize>> = placed
                .iter()
                .filter(|&&other| {
                    let other = self.requests[other];
                    other.first <= request.last && request.first <= other.last
                })
                .map(|&other| places[other].start..places[other].end.next_multiple_of(ALIGNMENT))
                .collect();
            taken.sort_by_key(|range| range.start);
            let mut start = 0;
            for range in taken {
                if range.start >= start + len {
                    break;
                }
                start = start.max(range.end);
            }
            places[id] = start..start + request.len;
            placed.push(id);
            end = end.max(start + len);
        }
        (places, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lives_together_stands_apart_and_the_rest_shares() {
        let mut planner = Planner::default();
        let lives = [(100, 0, 2), (50, 1, 3), (70, 3, 5), (20, 4, 4), (0, 0, 9), (64, 6, 6)];
        for (len, first, last) in lives {
            planner.request(len, first, last);
        }
        let (places, len) = planner.place();
        for (a, &(len_a, first_a, last_a)) in lives.iter().enumerate() {
            assert_eq!(places[a].len(), len_a);
            for (b, &(_, first_b, last_b)) in lives.iter().enumerate().skip(a + 1) {
                let together = first_a <= last_b && first_b <= last_a;
                let apart = places[a].end <= places[b].start || places[b].end <= places[a].start;
                assert!(!together || apart, "{a} and {b} overlap");
            }
        }
        assert!(len < lives.iter().map(|life| life.0).sum(), "nothing is shared");
    }
}
