//! What a diagnosis finds.

use serde::{Deserialize, Serialize};

/// Something that is wrong with a training.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What it is: the name of a check, such as `overfitting`.
    pub kind: String,
    /// The epoch after which it was seen, from 1; 0 before the first update.
    pub epoch: u32,
    /// What was seen, with numbers.
    pub message: String,
    /// One thing to try, with what to type.
    pub suggestion: String,
}

impl Finding {
    /// Whether the network cannot learn as it should for it: longer training or a larger network mend nothing then. One that overfits
    /// learnt, and one that learns too slowly does so for longer.
    pub fn hinders_learning(&self) -> bool {
        !["overfitting", "lr_too_low"].contains(&self.kind.as_str())
    }
}
