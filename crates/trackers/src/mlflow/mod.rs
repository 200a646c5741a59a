//! MLflow, through its REST API.
//!
//! In: a run folder, whose `metrics.jsonl` is the outbox. Out: the run on a server, each metric once. The sender of a running
//! training and `pupila sync` do the same: they go on from where the ledger says that the server has acknowledged.

mod client;
mod delivery;
mod journal;
mod ledger;
mod model;
mod parent;
mod replaced;
mod rewind;
mod sender;
mod start;
mod target;

pub use client::ClientError;
pub use delivery::{Delivery, DeliveryError};
pub use replaced::{delete_replaced, set_aside};
pub use rewind::rewind;
pub use sender::{Delivered, Sender, sync};
pub use target::{Credentials, Target, TrackingUri};
