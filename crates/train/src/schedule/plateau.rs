//! A drop whenever the monitored metric has stopped to improve, as `torch.optim.lr_scheduler.ReduceLROnPlateau` with a
//! relative threshold.

use super::{ScheduleConfig, ScheduleEntry, ScheduleState};
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
    pub(super) state: ScheduleState,
}

impl Plateau {
    pub(super) fn new(direction: Direction) -> Self {
        Plateau { direction, state: ScheduleState::default() }
    }

    pub(super) fn lr(&self, config: &ScheduleConfig, lr: f64) -> f64 {
        (0..self.state.drops).fold(lr, |lr, _| {
            let next = (lr * config.gamma).max(config.min_lr.min(lr));
            if lr - next > LEAST_CHANGE { next } else { lr }
        })
    }

    pub(super) fn observe(&mut self, config: &ScheduleConfig, value: f64) {
        let ScheduleState { best, without, drops } = &mut self.state;
        let better = match self.direction {
            Direction::Lower => value < best.unwrap_or(f64::INFINITY) * (1.0 - config.threshold),
            Direction::Higher => value > best.unwrap_or(f64::NEG_INFINITY) * (1.0 + config.threshold),
        };
        if better {
            (*best, *without) = (Some(value), 0);
            return;
        }
        *without += 1;
        if *without > config.patience {
            (*drops, *without) = (*drops + 1, 0);
        }
    }
}
