//! placeholder
use crate::{cli, failure::Failure};
pub(crate) fn run(_: &cli::Eval) -> Result<(), Failure> {
    Ok(())
}
