//! Samplers: which values a trial tries.
//!
//! A sampler is a function of its [`Request`]: the space, a seed, the trial's number and the trials known. It holds nothing from one trial to
//! the next, so several workers may ask side by side, and whoever asks again with the same trials gets the same answer.

mod grid;
mod halton;
mod random;
mod tpe;

pub use grid::Grid;
pub use halton::Halton;
pub use random::Random;
pub use tpe::Tpe;

use crate::error::SearchFault;
use crate::space::{Assignment, Group, Space};
use crate::trial::{Direction, Trial};
use std::fmt;

/// What a sampler is asked.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Over which values.
    pub space: &'a Space,
    /// Which values of the objective are better.
    pub direction: Direction,
    /// The study's seed.
    pub seed: u64,
    /// The number of the trial that is to begin.
    pub number: u64,
    /// The trials known, in any order; the one that is to begin may be among them and is not looked at.
    pub trials: &'a [Trial],
    /// Values that are given for this trial, such as those of an enqueued one. They stand, and decide what is active; one outside of its
    /// range is not used. The others are chosen as they would be without them.
    pub fixed: Assignment,
}

impl<'a> Request<'a> {
    /// A request without fixed values.
    pub fn new(
        space: &'a Space,
        direction: Direction,
        seed: u64,
        number: u64,
        trials: &'a [Trial],
    ) -> Request<'a> {
        Request { space, direction, seed, number, trials, fixed: Assignment::new() }
    }

    /// The trials without the one that is to begin.
    fn others(&self) -> impl Iterator<Item = &'a Trial> {
        let number = self.number;
        self.trials.iter().filter(move |trial| trial.number != number)
    }

    /// The number as a coordinate of a random stream; it repeats after 2^32 trials.
    fn coordinate(&self) -> u32 {
        self.number as u32
    }

    /// Fills the active groups one after the other by `fill`, which adds values for a group; fixed values stand.
    fn assign(&self, mut fill: impl FnMut(usize, &Group, &mut Assignment)) -> Assignment {
        let mut chosen = Assignment::new();
        for (place, group) in self.space.groups().iter().enumerate() {
            if !self.space.is_active(group, &chosen) {
                continue;
            }
            fill(place, group, &mut chosen);
            for parameter in group.parameters.iter().map(|&place| &self.space.parameters()[place]) {
                let fixed = self.fixed.get(&parameter.key);
                if let Some(&value) = fixed.filter(|&&value| parameter.distribution.contains(value)) {
                    chosen.insert(parameter.key.clone(), value);
                }
            }
        }
        chosen
    }
}

/// Chooses values for trials.
pub trait Sampler: fmt::Debug + Send + Sync {
    /// The name by which it is asked for.
    fn name(&self) -> &'static str;

    /// Values for the active parameters of the trial; none if there is nothing left to try.
    ///
    /// # Errors
    /// The sampler cannot work on this space; which parameter, and what to type.
    fn suggest(&self, request: &Request<'_>) -> Result<Option<Assignment>, SearchFault>;

    /// Whether there may be nothing left to try at some time.
    fn is_finite(&self) -> bool {
        false
    }
}

/// The samplers by name.
pub const SAMPLERS: [&str; 4] = ["tpe", "random", "grid", "qmc"];

/// The sampler of a name, as it is by default.
pub fn by_name(name: &str) -> Option<Box<dyn Sampler>> {
    match name {
        "tpe" => Some(Box::new(Tpe::default())),
        "random" => Some(Box::new(Random)),
        "grid" => Some(Box::new(Grid)),
        "qmc" => Some(Box::new(Halton)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
