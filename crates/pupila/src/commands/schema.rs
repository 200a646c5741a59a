//! `pupila schema`: the JSON schema of recipes.

use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run() -> Result<(), Failure> {
    Output::new(true).object(&pupila::recipe::json_schema());
    Ok(())
}
