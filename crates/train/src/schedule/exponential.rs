//! A drop every epoch, as `torch.optim.lr_scheduler.ExponentialLR`.

use super::ScheduleEntry;

pub(super) const EXPONENTIAL: ScheduleEntry = ScheduleEntry {
    name: "exponential",
    description: "lr times gamma after every epoch; try gamma = 0.95",
    keys: &["gamma"],
    lr: |config, lr, at| lr * config.gamma.powf(f64::from(at.epoch)),
};
