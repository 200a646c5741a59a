//! The learning rate stays as it is.

use super::ScheduleEntry;

pub(super) const CONSTANT: ScheduleEntry =
    ScheduleEntry { name: "constant", description: "lr stays as it is", keys: &[], lr: |_, lr, _| lr };
