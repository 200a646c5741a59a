//! Runs the mutants of one package that `cargo mutants --list --json` lists, all of them compiled into one program.
//!
//! `mutants TREE PACKAGE LIST OUT FIRST SLOW`: TREE is a copy of the workspace, which is changed; LIST the mutants; OUT the folder of the
//! answers; FIRST says which test programs are asked first (`lib parity`, say), SLOW which tests of them are left out then. What those
//! miss is asked of all. OUT has then, a mutant a line, `missed`, and `left`: those that cannot be compiled in, which cargo-mutants itself
//! has to run.

mod instrument;

use instrument::Mutant;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [tree, package, list, out, first, slow] = arguments.as_slice() else {
        return Err("mutants TREE PACKAGE LIST OUT FIRST SLOW".into());
    };
    let (tree, out) = (Path::new(tree), Path::new(out));
    let mutants = listed(&std::fs::read_to_string(list)?)?;
    let folder = tree.join("crates").join(package.trim_start_matches("pupila-"));
    let target = |name: &str| if name == "lib" { "--lib".to_owned() } else { format!("--test={name}") };
    let first: Vec<String> = first.split_whitespace().map(target).collect();
    let slow: Vec<&str> = slow.split_whitespace().collect();

    let (programs, built) = build(tree, package, &first, &folder, &mutants)?;
    let (in_it, left): (Vec<&Mutant>, Vec<&Mutant>) =
        mutants.iter().partition(|mutant| built.contains(&mutant.id));
    write(&out.join("left"), &left)?;
    let missed = asked(&in_it, &programs, &slow, 10, &folder, out)?;
    let missed = if missed.is_empty() {
        missed
    } else {
        let all = compile(tree, package, &["--tests".to_owned()])?.map_err(|_| "it compiled before")?;
        asked(&missed, &all, &[], 120, &folder, out)?
    };
    write(&out.join("missed"), &missed)?;
    Ok(())
}

/// The mutants that no test finds. A test program that takes more than `limit` seconds of processor time has found one.
fn asked<'a>(
    mutants: &[&'a Mutant],
    programs: &[PathBuf],
    left_out: &[&str],
    limit: u32,
    folder: &Path,
    out: &Path,
) -> Result<Vec<&'a Mutant>, Box<dyn std::error::Error>> {
    if fails(0, programs, left_out, limit, folder)? {
        return Err("the tests fail without a mutant".into());
    }
    let mut missed = Vec::new();
    for (place, mutant) in mutants.iter().enumerate() {
        if !fails(mutant.id, programs, left_out, limit, folder)? {
            println!("missed by {} programs: {}", programs.len(), mutant.name);
            missed.push(*mutant);
        }
        std::fs::write(out.join("progress"), format!("{} of {}\n", place + 1, mutants.len()))?;
    }
    Ok(missed)
}

fn write(path: &Path, mutants: &[&Mutant]) -> std::io::Result<()> {
    std::fs::write(path, mutants.iter().map(|mutant| format!("{}\n", mutant.name)).collect::<String>())
}

fn listed(json: &str) -> Result<Vec<Mutant>, Box<dyn std::error::Error>> {
    let list: Vec<serde_json::Value> = serde_json::from_str(json)?;
    let text = |of: &serde_json::Value| of.as_str().unwrap_or_default().to_owned();
    let number = |of: &serde_json::Value| of.as_u64().unwrap_or_default() as usize;
    let mutant = |(id, of): (u32, &serde_json::Value)| Mutant {
        id,
        name: text(&of["name"]),
        file: text(&of["file"]),
        genre: text(&of["genre"]),
        replacement: text(&of["replacement"]),
        returns: text(&of["function"]["return_type"]),
        at: (number(&of["span"]["start"]["line"]), number(&of["span"]["start"]["column"])),
    };
    Ok((1..).zip(&list).map(mutant).collect())
}

/// The test programs with all mutants in them that compile, and which these are.
fn build(
    tree: &Path,
    package: &str,
    targets: &[String],
    folder: &Path,
    mutants: &[Mutant],
) -> Result<(Vec<PathBuf>, BTreeSet<u32>), Box<dyn std::error::Error>> {
    let files: BTreeSet<&str> = mutants.iter().map(|mutant| mutant.file.as_str()).collect();
    let mut originals = BTreeMap::new();
    for file in files {
        originals.insert(file, std::fs::read_to_string(tree.join(file))?);
    }
    let lib = folder.join("src/lib.rs");
    let chooser = "\npub(crate) fn mutant() -> u32 {\n    \
        static CHOSEN: std::sync::LazyLock<u32> = std::sync::LazyLock::new(|| \
        std::env::var(\"MUTANT\").ok().and_then(|text| text.parse().ok()).unwrap_or(0));\n    *CHOSEN\n}\n";
    let plain = std::fs::read_to_string(&lib)?;
    std::fs::write(&lib, plain + chooser)?;
    let mut refused = BTreeSet::new();
    loop {
        let mut built = BTreeSet::new();
        for (file, text) in &originals {
            let of_file: Vec<&Mutant> =
                mutants.iter().filter(|of| of.file == *file && !refused.contains(&of.id)).collect();
            let (mut text, found) = instrument::instrument(text, &of_file)?;
            if tree.join(file) == lib {
                text += chooser;
            }
            std::fs::write(tree.join(file), text)?;
            built.extend(found);
        }
        match compile(tree, package, targets)? {
            Ok(programs) => return Ok((programs, built)),
            Err(ids) => {
                println!("{} do not compile: {ids:?}", ids.len());
                refused.extend(ids);
            }
        }
    }
}

/// The test programs, or the mutants that the compiler refuses.
fn compile(
    tree: &Path,
    package: &str,
    targets: &[String],
) -> Result<Result<Vec<PathBuf>, BTreeSet<u32>>, Box<dyn std::error::Error>> {
    let output = Command::new("cargo")
        .args(["test", "--release", "--no-run", "--message-format=json", "--package", package])
        .args(targets)
        .current_dir(tree)
        .stderr(Stdio::inherit())
        .output()?;
    let (mut programs, mut refused, mut other) = (Vec::new(), BTreeSet::new(), String::new());
    for line in String::from_utf8(output.stdout)?.lines() {
        let message: serde_json::Value = serde_json::from_str(line)?;
        if let (Some(path), Some(true)) =
            (message["executable"].as_str(), message["profile"]["test"].as_bool())
        {
            programs.push(std::fs::canonicalize(path)?);
        }
        if message["message"]["level"] == "error" {
            let spans = message["message"]["spans"].as_array().cloned().unwrap_or_default();
            let of = spans.iter().filter_map(|span| {
                let text = std::fs::read_to_string(tree.join(span["file_name"].as_str()?)).ok()?;
                let before = &text.as_bytes()[..span["byte_start"].as_u64()? as usize];
                let before = String::from_utf8_lossy(before);
                // Within an alternative.
                let (at, end) = (before.rfind("/*M")?, before.rfind("/*E*/"));
                let id = before[at + 3..].split('*').next()?.parse().ok()?;
                end.is_none_or(|end| end < at).then_some(id)
            });
            let ids: BTreeSet<u32> = of.collect();
            if ids.is_empty() {
                other += message["message"]["rendered"].as_str().unwrap_or_default();
            }
            refused.extend(ids);
        }
    }
    if output.status.success() {
        return Ok(Ok(programs));
    }
    if refused.is_empty() { Err(other.into()) } else { Ok(Err(refused)) }
}

/// Whether a test fails, or takes too long, with a mutant in force.
fn fails(
    id: u32,
    programs: &[PathBuf],
    left_out: &[&str],
    limit: u32,
    folder: &Path,
) -> Result<bool, Box<dyn std::error::Error>> {
    for program in programs {
        // Processor time, so that a slow machine finds nothing; and 8 GB, for loops that collect.
        let shell = format!("ulimit -t {limit} -v 8000000; exec \"$@\"");
        let mut command = Command::new("bash");
        command.args(["-c", &shell, "bash"]).arg(program);
        for test in left_out {
            command.args(["--skip", test]);
        }
        let status = command
            .env("MUTANT", id.to_string())
            .env("CARGO_MANIFEST_DIR", std::fs::canonicalize(folder)?)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        if !status.success() {
            return Ok(true);
        }
    }
    Ok(false)
}
