//! Independent uniform draws: Bergstra and Bengio, "Random Search for Hyper-Parameter Optimization" (JMLR 2012).

use super::{Request, Sampler};
use crate::error::SearchFault;
use crate::space::Assignment;
use pupila_random::{Purpose, Stream};

/// Every parameter by itself, all values equally likely, or all factors where the range is logarithmic.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Random;

impl Random {
    /// The draws of a trial. A parameter's draw depends on its place in the space, not on what else is active.
    pub(super) fn draw(request: &Request<'_>) -> Assignment {
        request.assign(|_, group, chosen| {
            for &place in &group.parameters {
                let parameter = &request.space.parameters()[place];
                let mut stream =
                    Stream::new(request.seed, Purpose::Search(0), request.coordinate(), place as u32);
                chosen.insert(parameter.key.clone(), parameter.distribution.quantile(stream.unit()));
            }
        })
    }
}

impl Sampler for Random {
    fn name(&self) -> &'static str {
        "random"
    }

    fn suggest(&self, request: &Request<'_>) -> Result<Option<Assignment>, SearchFault> {
        Ok(Some(Random::draw(request)))
    }
}
