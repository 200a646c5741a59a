//! How often something dear may be done beside the training: as often as a share of the time allows.

use std::time::{Duration, Instant};

/// A share of the time since the training began.
#[derive(Debug)]
pub(crate) struct Budget {
    frac: f64,
    start: Option<Instant>,
    spent: Duration,
    /// What the last look took.
    last: Duration,
}

impl Budget {
    pub(crate) fn new(frac: f64) -> Self {
        Budget { frac, start: None, spent: Duration::ZERO, last: Duration::ZERO }
    }

    /// The training begins, where it has not yet.
    pub(crate) fn begin(&mut self) {
        self.start.get_or_insert_with(Instant::now);
    }

    /// Whether another look as dear as the last stays within the share, with `busy` of it taken elsewhere; the first always
    /// does.
    pub(crate) fn allows(&self, busy: Duration) -> bool {
        let elapsed = self.start.map_or(Duration::ZERO, |start| start.elapsed());
        self.last.is_zero() || self.spent + busy + self.last <= elapsed.mul_f64(self.frac)
    }

    pub(crate) fn spend(&mut self, time: Duration) {
        self.spent += time;
        self.last = time;
    }
}
