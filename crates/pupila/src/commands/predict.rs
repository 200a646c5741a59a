//! placeholder
use crate::{cli, failure::Failure};
pub(crate) fn run(_: &cli::Predict) -> Result<(), Failure> {
    Ok(())
}
