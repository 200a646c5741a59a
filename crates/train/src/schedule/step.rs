//! Drops at regular intervals, as `torch.optim.lr_scheduler.StepLR`.

use super::ScheduleEntry;

pub(super) const STEP: ScheduleEntry = ScheduleEntry {
    name: "step",
    description: "lr times gamma after every step_epochs epochs",
    keys: &["step_epochs", "gamma"],
    lr: |config, lr, at| lr * config.gamma.powf(f64::from(at.epoch / config.step_epochs.max(1))),
};
