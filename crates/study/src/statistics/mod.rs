//! The statistics of a study.

pub mod comparison;
pub mod components;
pub mod crossed;
pub mod jackknife;
pub mod normal;
pub mod power;
pub mod survival;

pub use pupila_metrics::student_t;

#[cfg(test)]
#[rustfmt::skip]
mod golden;
