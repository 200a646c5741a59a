//! The statistics of a study.

pub mod comparison;
pub mod components;
pub mod crossed;
pub mod jackknife;
mod judged;
pub mod normal;
pub mod power;
pub mod survival;

pub use judged::mean_of_judged;
pub use pupila_metrics::student_t;

#[cfg(test)]
#[rustfmt::skip]
mod golden;
