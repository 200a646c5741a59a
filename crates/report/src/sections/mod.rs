//! The sections of a report, each from data to HTML.

mod curves;
mod diagnosis;
mod judgement;
mod looks;
mod pictures;
mod provenance;
mod ranking;

pub(crate) use curves::{curves, nothing_judged};
pub(crate) use diagnosis::diagnosis;
pub(crate) use judgement::{calibration, confusion, headline, leaks_by_class, negative_controls, per_class};
pub(crate) use looks::looks;
pub(crate) use pictures::{Shown, gallery, highest_losses};
pub(crate) use provenance::{environment, recipe, time, weights};
pub(crate) use ranking::ranking;
