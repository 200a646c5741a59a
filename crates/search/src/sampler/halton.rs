//! Quasi-Monte Carlo: randomised Halton points, which fill the space more evenly than independent draws.
//!
//! The point of trial n has for each parameter the radical inverse of n in a prime base, with digits permuted at random: Owen, "A
//! randomized Halton algorithm in R" (arXiv 1706.02808). Halton rather than Sobol, because any number of parameters needs no table, and
//! each parameter has a base of its own: one that is not active leaves the others as even as they were.

use super::{Request, Sampler};
use crate::error::SearchFault;
use crate::space::Assignment;
use pupila_random::{Purpose, Stream};

/// Randomised Halton points.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Halton;

/// Digits of a smaller place are left out: so fine a difference matters to no parameter.
const SMALLEST: f64 = 1e-12;

/// The prime at a place, from 2.
fn prime(place: usize) -> u32 {
    let mut primes: Vec<u32> = Vec::new();
    let mut candidate = 2;
    while primes.len() <= place {
        if primes.iter().all(|prime| candidate % prime != 0) {
            primes.push(candidate);
        }
        candidate += 1;
    }
    primes[place]
}

/// Coordinate of point `number` in dimension `place`, in `[0, 1)`.
pub(super) fn coordinate(seed: u64, place: usize, number: u64) -> f64 {
    let base = prime(place);
    let (mut rest, mut scale, mut sum) = (number, 1.0 / f64::from(base), 0.0);
    let mut digit_place = 0;
    while scale > SMALLEST {
        // Each digit has a permutation of its own, which all points share. Zeros beyond the last digit are permuted too.
        let mut permutation: Vec<u32> = (0..base).collect();
        Stream::new(seed, Purpose::Search(1), place as u32, digit_place).shuffle(&mut permutation);
        sum += f64::from(permutation[(rest % u64::from(base)) as usize]) * scale;
        rest /= u64::from(base);
        scale /= f64::from(base);
        digit_place += 1;
    }
    sum.min(1.0 - f64::EPSILON)
}

impl Sampler for Halton {
    fn name(&self) -> &'static str {
        "qmc"
    }

    fn suggest(&self, request: &Request<'_>) -> Result<Option<Assignment>, SearchFault> {
        Ok(Some(Halton::draw(request)))
    }
}

impl Halton {
    /// The point of a trial.
    pub(super) fn draw(request: &Request<'_>) -> Assignment {
        request.assign(|_, group, chosen| {
            for &place in &group.parameters {
                let parameter = &request.space.parameters()[place];
                let unit = coordinate(request.seed, place, request.number);
                chosen.insert(parameter.key.clone(), parameter.distribution.quantile(unit));
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_fill_every_box_of_their_bases() {
        for seed in 0..3 {
            // 2^3 * 3^2 points have one in each of 8 x 9 boxes, whichever point is the first.
            let mut boxes = [[0; 9]; 8];
            for number in 100..172 {
                let (x, y) = (coordinate(seed, 0, number), coordinate(seed, 1, number));
                boxes[(x * 8.0) as usize][(y * 9.0) as usize] += 1;
            }
            assert_eq!(boxes, [[1; 9]; 8]);
        }
    }

    #[test]
    fn primes_are_primes() {
        assert_eq!([0, 1, 2, 3, 4, 24].map(prime), [2, 3, 5, 7, 11, 97]);
    }
}
