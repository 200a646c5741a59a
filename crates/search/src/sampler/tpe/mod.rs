//! The tree-structured Parzen estimator: values that are likely among good trials and unlikely among the others.
//!
//! Trials are split into the best and the rest, each gets a density, and of some candidates drawn from the first the one with the largest
//! ratio of the two is taken. Bergstra et al., "Algorithms for Hyper-Parameter Optimization" (NIPS 2011) and "Making a Science of Model
//! Search" (ICML 2013). Densities are over all parameters of a group together: Falkner, Klein and Hutter, "BOHB" (ICML 2018). What each
//! part is good for: Watanabe, "Tree-Structured Parzen Estimator: Understanding Its Algorithm Components and Their Roles for Better
//! Empirical Performance" (arXiv 2304.11127). Reference implementation: `optuna.samplers.TPESampler(multivariate=True, group=True,
//! constant_liar=True)` 4.9, whose defaults these are where nothing else is said.

mod parzen;
mod split;

use super::{Random, Request, Sampler};
use crate::distribution::ParamValue;
use crate::error::SearchFault;
use crate::space::{Assignment, Group};
use crate::trial::Trial;
use parzen::{Dimension, Parzen};
use pupila_random::{Purpose, Stream};

/// The sampler's settings.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tpe {
    /// Trials that must have ended before densities are made; until then values are drawn at random.
    pub startup_trials: usize,
    /// Candidates of which the best is taken.
    pub candidates: usize,
    /// The share of trials that counts as good.
    pub good_share: f64,
    /// At most so many trials count as good.
    pub most_good: usize,
    /// Weight of the prior, as if it were so many trials.
    pub prior_weight: f64,
}

impl Default for Tpe {
    fn default() -> Tpe {
        Tpe { startup_trials: 10, candidates: 24, good_share: 0.1, most_good: 25, prior_weight: 1.0 }
    }
}

impl Sampler for Tpe {
    fn name(&self) -> &'static str {
        "tpe"
    }

    fn suggest(&self, request: &Request<'_>) -> Result<Option<Assignment>, SearchFault> {
        let trials: Vec<&Trial> = request.others().collect();
        let ended = trials.iter().filter(|trial| split::is_ranked(trial)).count();
        if ended < self.startup_trials {
            return Ok(Some(Random::draw(request)));
        }
        let good = ((self.good_share * ended as f64).ceil() as usize).min(self.most_good);
        let (good, rest) = split::split(&trials, request.direction, good);
        Ok(Some(request.assign(|place, group, chosen| {
            self.fill(request, place, group, &good, &rest, chosen);
        })))
    }
}

impl Tpe {
    /// Values for one group.
    fn fill(
        &self,
        request: &Request<'_>,
        place: usize,
        group: &Group,
        good: &[&Trial],
        rest: &[&Trial],
        chosen: &mut Assignment,
    ) {
        let parameters: Vec<_> =
            group.parameters.iter().map(|&place| &request.space.parameters()[place]).collect();
        let open: Vec<Dimension> = parameters
            .iter()
            .filter(|parameter| !parameter.distribution.is_single())
            .map(|parameter| Dimension::new(&parameter.key, &parameter.distribution))
            .collect();
        for parameter in parameters.iter().filter(|parameter| parameter.distribution.is_single()) {
            chosen.insert(parameter.key.clone(), parameter.distribution.nth(0));
        }
        if open.is_empty() {
            return;
        }
        let good = Parzen::new(&open, good, self.prior_weight);
        let rest = Parzen::new(&open, rest, self.prior_weight);
        let mut stream = Stream::new(request.seed, Purpose::Search(3), request.coordinate(), place as u32);
        let mut best: Option<(f64, Vec<ParamValue>)> = None;
        let mut scratch = Vec::new();
        for _ in 0..self.candidates.max(1) {
            let candidate = good.draw(&mut stream);
            let score =
                good.log_density(&candidate, &mut scratch) - rest.log_density(&candidate, &mut scratch);
            if best.as_ref().is_none_or(|(highest, _)| score > *highest) {
                best = Some((score, candidate));
            }
        }
        for (dimension, value) in open.iter().zip(best.into_iter().flat_map(|(_, values)| values)) {
            chosen.insert(dimension.key.to_owned(), value);
        }
    }
}
