//! `pupila schema`: the JSON schema of recipes.

use crate::cli;
use crate::failure::Failure;
use crate::output::Output;

pub(crate) fn run(arguments: &cli::Schema) -> Result<(), Failure> {
    if arguments.keys {
        Output::new(false).say(pupila::recipe::keys_page().trim_end());
        return Ok(());
    }
    Output::new(true).object(&pupila::recipe::json_schema());
    Ok(())
}
