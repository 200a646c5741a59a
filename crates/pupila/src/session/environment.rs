//! What a result was made on.

use pupila_engine::Isa;
use pupila_run::{Data, Environment, FORMAT};
use pupila_train::{CheckedRecipe, CheckpointOf};

/// What a result was made on: versions, system, processor, data.
pub(crate) fn environment(data: Data, threads: usize, arguments: Vec<String>) -> Environment {
    Environment {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        arguments,
        os: std::env::consts::OS.to_owned(),
        architecture: std::env::consts::ARCH.to_owned(),
        processor: processor(),
        cores: std::thread::available_parallelism().map_or(0, usize::from),
        threads,
        instruction_set: Isa::detected().name().to_owned(),
        data,
    }
}

/// Which run a checkpoint is of, and what makes it.
pub(super) fn checkpoint_of(recipe: &CheckedRecipe, environment: &Environment) -> CheckpointOf {
    CheckpointOf {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        instruction_set: Isa::detected().name().to_owned(),
        data: environment.data.fingerprint.clone(),
        recipe: recipe.to_toml(),
    }
}

fn processor() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
