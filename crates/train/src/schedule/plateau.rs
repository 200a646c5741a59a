//! A drop whenever the monitored metric has stopped to improve, as `torch.optim.lr_scheduler.ReduceLROnPlateau` with a
//! relative threshold.

use super::{ScheduleConfig, ScheduleEntry};
use pupila_metrics::Direction;

pub(super) const PLATEAU: ScheduleEntry = ScheduleEntry {
    name: "plateau",
    description: "lr times gamma once train.monitor has not improved for more than patience epochs",
    keys: &["gamma", "patience", "threshold", "min_lr"],
    lr: |_, lr, _| lr,
};

/// Changes of lr smaller than this are not made, as in PyTorch.
const LEAST_CHANGE: f64 = 1e-8;

/// What the metric has done so far.
#[derive(Debug)]
pub(super) struct Plateau {
    direction: Direction,
    best: f64,
    without: u32,
    drops: u32,
}

impl Plateau {
    pub(super) fn new(direction: Direction) -> Self {
        let best = if direction == Direction::Lower { f64::INFINITY } else { f64::NEG_INFINITY };
        Plateau { direction, best, without: 0, drops: 0 }
    }

    pub(super) fn lr(&self, config: &ScheduleConfig, lr: f64) -> f64 {
        (0..self.drops).fold(lr, |lr, _| {
            let next = (lr * config.gamma).max(config.min_lr.min(lr));
            if lr - next > LEAST_CHANGE { next } else { lr }
        })
    }

    pub(super) fn observe(&mut self, config: &ScheduleConfig, value: f64) {
        let better = match self.direction {
            Direction::Lower => value < self.best * (1.0 - config.threshold),
            Direction::Higher => value > self.best * (1.0 + config.threshold),
        };
        if better {
            (self.best, self.without) = (value, 0);
            return;
        }
        self.without += 1;
        if self.without > config.patience {
            (self.drops, self.without) = (self.drops + 1, 0);
        }
    }
}
