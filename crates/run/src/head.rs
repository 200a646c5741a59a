//! A last layer that no loop has trained: a linear probe, or votes.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How the answers of a run come about that trained nothing: by what was fitted to the features of its frozen backbone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FittedHead {
    /// Multinomial logistic regression.
    Probe {
        /// The inverse strength of the L2 penalty, as scikit-learn's `LogisticRegression` counts it.
        c: f64,
        /// Folds of the cross-validation that chose it; 0 where there were too few images.
        folds: usize,
        /// The mean loss of what was held out.
        held_out_loss: Option<f64>,
    },
    /// The nearest neighbours.
    Knn {
        /// How many vote.
        k: usize,
        /// The mean accuracy of the classes, each training image being answered by all the others.
        left_out_accuracy: f64,
    },
}

impl fmt::Display for FittedHead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FittedHead::Probe { c, folds: 0, .. } => {
                write!(f, "a linear probe with C = {c:.3e}: no class has two training images to choose it by")
            }
            FittedHead::Probe { c, folds, held_out_loss } => {
                write!(f, "a linear probe, whose C = {c:.3e} was chosen by {folds}-fold cross-validation")?;
                held_out_loss.map_or(Ok(()), |loss| write!(f, " (held-out loss {loss:.4})"))
            }
            FittedHead::Knn { k, left_out_accuracy } => write!(
                f,
                "the {k} nearest training image{}, whose number was chosen by leaving each training image out (mean accuracy of the classes {:.1} %)",
                if *k == 1 { "" } else { "s" },
                100.0 * left_out_accuracy
            ),
        }
    }
}
