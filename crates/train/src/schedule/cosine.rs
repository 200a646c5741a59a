//! Half a cosine from lr to `min_lr` over the run's epochs (Loshchilov and Hutter 2017), as
//! `torch.optim.lr_scheduler.CosineAnnealingLR` with `T_max` = epochs.

use super::ScheduleEntry;
use std::f64::consts::PI;

pub(super) const COSINE: ScheduleEntry = ScheduleEntry {
    name: "cosine",
    description: "half a cosine from lr to min_lr over the epochs of the run",
    keys: &["min_lr"],
    lr: |config, lr, at| {
        let done = f64::from(at.epoch) / f64::from(at.epochs.max(1));
        config.min_lr + (lr - config.min_lr) * (1.0 + (PI * done).cos()) / 2.0
    },
};
