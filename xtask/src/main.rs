//! The project's chores: `cargo xtask CHORE`.

mod picture;
mod studies;

use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() -> Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("schema") => schema(),
        Some("picture") => picture(),
        Some("studies") => studies(),
        _ => {
            println!(
                "cargo xtask schema    write docs/recipe.schema.json, the recipes' JSON schema, and docs/keys.md"
            );
            println!("cargo xtask picture   write docs/train.svg, the README's picture of a real run");
            println!(
                "cargo xtask studies   write docs/studies.md, with every built-in study run on the samples"
            );
            Ok(())
        }
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What the program prints, run in the project's folder on sample data.
fn pupila(arguments: &[&str]) -> Result<String> {
    let build = ["run", "--release", "--quiet", "--package", "pupila", "--"];
    let output = Command::new(env!("CARGO")).args(build).args(arguments).current_dir(root()).output()?;
    if !output.status.success() {
        bail!("pupila {} failed:\n{}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

fn write(path: &str, content: &str) -> Result<()> {
    std::fs::write(root().join(path), content).with_context(|| format!("cannot write {path}"))?;
    println!("wrote {path}");
    Ok(())
}

fn schema() -> Result<()> {
    write("docs/recipe.schema.json", &pupila(&["schema"])?)?;
    write("docs/keys.md", &pupila(&["schema", "--keys"])?)
}

fn studies() -> Result<()> {
    let runs = std::env::temp_dir().join(format!("pupila-studies-{}", std::process::id()));
    let page = studies::page(&root().join("xtask/studies"), &runs, &pupila);
    std::fs::remove_dir_all(&runs).ok();
    write("docs/studies.md", &page?)
}

fn picture() -> Result<()> {
    let runs = std::env::temp_dir().join(format!("pupila-picture-{}", std::process::id()));
    let runs_text = runs.to_string_lossy().into_owned();
    let ran = pupila(&["train", "samples/skin", "--epochs", "15", "--runs", &runs_text]);
    std::fs::remove_dir_all(&runs).ok();
    let shown = ran?.replace(&runs_text, "runs").replace("target/release/", "");
    let shown = format!("$ cargo run --release -- train samples/skin --epochs 15\n{shown}");
    write("docs/train.svg", &picture::svg(&shown))
}
