//! Up and down once, step by step (Smith and Topin 2019), as `torch.optim.lr_scheduler.OneCycleLR` with cosines in two phases.
//! PyTorch swings the momentum the other way unless told `cycle_momentum=False`; here it stays.

use super::ScheduleEntry;
use std::f64::consts::PI;

pub(super) const ONE_CYCLE: ScheduleEntry = ScheduleEntry {
    name: "one_cycle",
    description: "from lr / start_divisor up to lr and down to next to nothing, step by step",
    keys: &["rise_frac", "start_divisor", "end_divisor"],
    lr: |config, lr, at| {
        let start = lr / config.start_divisor;
        let end = start / config.end_divisor;
        let last = at.steps as f64 - 1.0;
        let peak = config.rise_frac * at.steps as f64 - 1.0;
        let step = at.step as f64;
        let between = |from: f64, to: f64, done: f64| to + (from - to) * (1.0 + (PI * done).cos()) / 2.0;
        if step <= peak {
            between(start, lr, step / peak.max(f64::MIN_POSITIVE))
        } else {
            between(lr, end, ((step - peak) / (last - peak).max(f64::MIN_POSITIVE)).min(1.0))
        }
    },
};
