//! MLflow, through its REST API.

mod target;

pub use target::{Credentials, Target, TrackingUri};
