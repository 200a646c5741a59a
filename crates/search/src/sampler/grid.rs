//! The whole grid, in a random order: any share of it is a random share.

use super::{Request, Sampler};
use crate::distribution::ParamValue;
use crate::error::SearchFault;
use crate::space::{Assignment, Parameter, Space};
use crate::trial::{State, Trial};
use pupila_random::{Purpose, Stream};
use std::collections::BTreeSet;

/// Every combination of values once. Trial n has the n-th of the random order; those that fell to trials that failed, or whose numbers had
/// other values, come at the end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Grid;

/// The most points a grid may have.
const LARGEST: u64 = 1_000_000;

/// The points of a space in their natural order: values of parameters that others depend on, then the others mixed freely.
struct Points<'a> {
    space: &'a Space,
    /// Each combination of the parameters that conditions name, with the places of the active others, and how many points come before.
    blocks: Vec<Block>,
    len: u64,
}

struct Block {
    chosen: Assignment,
    others: Vec<usize>,
    before: u64,
}

/// How many values a parameter has, if they can be counted.
fn count(parameter: &Parameter) -> Result<u64, SearchFault> {
    parameter.distribution.count().ok_or_else(|| SearchFault {
        place: format!("space.\"{}\"", parameter.key),
        message: "a grid needs values that can be counted; give it a step, or write the values: categorical = [...]".into(),
    })
}

impl<'a> Points<'a> {
    fn new(space: &'a Space) -> Result<Points<'a>, SearchFault> {
        let parameters = space.parameters();
        for parameter in parameters {
            count(parameter)?;
        }
        let is_parent = |place: usize| {
            parameters.iter().any(|other| other.conditions.iter().any(|condition| condition.parent == place))
        };
        // Group by group, so that a parent's own conditions are decided before it.
        let mut open = vec![Block { chosen: Assignment::new(), others: Vec::new(), before: 0 }];
        for group in space.groups() {
            for &place in &group.parameters {
                let mut longer = Vec::new();
                for mut block in open {
                    if !space.is_active(group, &block.chosen) {
                        longer.push(block);
                    } else if is_parent(place) {
                        for nth in 0..count(&parameters[place])? {
                            let mut chosen = block.chosen.clone();
                            chosen.insert(
                                parameters[place].key.clone(),
                                parameters[place].distribution.nth(nth),
                            );
                            longer.push(Block { chosen, others: block.others.clone(), before: 0 });
                            check_size(longer.len() as u64)?;
                        }
                    } else {
                        block.others.push(place);
                        longer.push(block);
                    }
                }
                open = longer;
            }
        }
        let mut len = 0u64;
        for block in &mut open {
            block.before = len;
            let mut size = 1u64;
            for &place in &block.others {
                size = size.saturating_mul(count(&parameters[place])?);
            }
            len = len.saturating_add(size);
            check_size(len)?;
        }
        Ok(Points { space, blocks: open, len })
    }

    fn point(&self, index: u64) -> Assignment {
        let block = &self.blocks[self.blocks.partition_point(|block| block.before <= index) - 1];
        let (mut rest, mut chosen) = (index - block.before, block.chosen.clone());
        for &place in &block.others {
            let parameter = &self.space.parameters()[place];
            let count = parameter.distribution.count().unwrap_or(1);
            chosen.insert(parameter.key.clone(), parameter.distribution.nth(rest % count));
            rest /= count;
        }
        chosen
    }
}

fn check_size(len: u64) -> Result<(), SearchFault> {
    if len <= LARGEST {
        return Ok(());
    }
    Err(SearchFault {
        place: "space".into(),
        message: format!(
            "the grid has more than {LARGEST} points; use the sampler random, qmc or tpe, or fewer values"
        ),
    })
}

/// What tells points apart: floats by their bits, since the same range gives the same bits.
fn key(assignment: &Assignment) -> Vec<(String, u64)> {
    assignment.iter().map(|(name, value)| (name.clone(), value.internal().to_bits())).collect()
}

/// The point that a trial stands on, or would if its values were rounded as this grid has them.
fn key_of(space: &Space, trial: &Trial) -> Vec<(String, u64)> {
    let known = trial.params.iter().filter_map(|(name, param)| {
        let distribution = &space.parameter(name)?.distribution;
        let value = match param.value {
            ParamValue::Float(x) => {
                // Another program may have rounded differently.
                let count = distribution.count()?;
                (0..count)
                    .map(|nth| distribution.nth(nth))
                    .find(|value| (value.internal() - x).abs() <= 1e-9 * x.abs().max(1e-9))?
            }
            value => value,
        };
        Some((name.clone(), value))
    });
    key(&known.collect())
}

impl Grid {
    /// How many points the grid of a space has.
    ///
    /// # Errors
    /// A range without a step, or too many points.
    pub fn count(&self, space: &Space) -> Result<u64, SearchFault> {
        Points::new(space).map(|points| points.len)
    }
}

impl Sampler for Grid {
    fn name(&self) -> &'static str {
        "grid"
    }

    fn is_finite(&self) -> bool {
        true
    }

    fn suggest(&self, request: &Request<'_>) -> Result<Option<Assignment>, SearchFault> {
        let points = Points::new(request.space)?;
        let mut order: Vec<u32> = (0..points.len as u32).collect();
        Stream::new(request.seed, Purpose::Search(2), 0, 0).shuffle(&mut order);
        let visited: BTreeSet<Vec<(String, u64)>> = request
            .others()
            .filter(|trial| matches!(trial.state, State::Running | State::Complete | State::Pruned))
            .map(|trial| key_of(request.space, trial))
            .collect();
        let fixed = &request.fixed;
        let suits = |point: &Assignment| fixed.iter().all(|(name, value)| point.get(name) == Some(value));
        let own = usize::try_from(request.number).ok().and_then(|number| order.get(number));
        if let Some(&own) = own {
            let point = points.point(u64::from(own));
            if suits(&point) && !visited.contains(&key(&point)) {
                return Ok(Some(point));
            }
        }
        if !fixed.is_empty() {
            // An enqueued trial need not stand on the grid.
            let order = order.iter().map(|&index| points.point(u64::from(index)));
            let mut chosen = order.clone().find(suits).or_else(|| order.clone().next()).unwrap_or_default();
            chosen = request.assign(|_, group, assigned| {
                for &place in &group.parameters {
                    let parameter = &request.space.parameters()[place];
                    let value = chosen.get(&parameter.key).copied();
                    let value = value.unwrap_or_else(|| parameter.distribution.nth(0));
                    assigned.insert(parameter.key.clone(), value);
                }
            });
            return Ok(Some(chosen));
        }
        let is_left = |&index: &u32| {
            let point = points.point(u64::from(index));
            (!visited.contains(&key(&point))).then_some(point)
        };
        // The numbers that are still to come have points of their own; what is left over from earlier ones is nobody's.
        let begun = order.len().min(usize::try_from(request.number).unwrap_or(usize::MAX));
        let mut left: Vec<Assignment> = order[..begun].iter().filter_map(is_left).collect();
        if left.is_empty() {
            // The last number's point; that trial will find another, or nothing left.
            return Ok(order[begun..].iter().rev().find_map(is_left));
        }
        // Workers that ask at the same time have different numbers.
        let place = (request.number % left.len() as u64) as usize;
        Ok(Some(left.swap_remove(place)))
    }
}
