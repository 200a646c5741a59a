//! docs/studies.md: what a study is, and every built-in one on the sample photographs. It holds no times: so it is the same whenever
//! and wherever it is made.

use anyhow::{Context, Result};
use serde_json::Value;
use std::fmt::Write as _;
use std::path::Path;

/// What the textbooks say, and what was seen: a section `## NAME` for each study.
fn remark<'a>(remarks: &'a str, name: &str) -> &'a str {
    let head = format!("## {name}\n");
    let Some(at) = remarks.find(&head) else { return "" };
    let rest = &remarks[at + head.len()..];
    rest[..rest.find("\n## ").unwrap_or(rest.len())].trim()
}

/// The page. `run` prints what the program prints.
pub(crate) fn page(folder: &Path, runs: &Path, run: &dyn Fn(&[&str]) -> Result<String>) -> Result<String> {
    let read = |name: &str| {
        std::fs::read_to_string(folder.join(name)).with_context(|| format!("cannot read {name}"))
    };
    let (mut page, remarks) = (read("intro.md")?, read("remarks.md")?);
    let listed: Value = serde_json::from_str(&run(&["list", "studies", "--json"])?)?;
    page += "\n## The built-in studies\n\nOn `samples/skin`: 240 training and 60 validation photographs of three classes, with the defaults and five seeds. So few images leave much open, \
             which is what is to be seen here too.\n";
    let runs = runs.to_string_lossy();
    for study in listed["studies"].as_array().into_iter().flatten() {
        let name = study["name"].as_str().unwrap_or_default();
        eprintln!("{name}");
        if name == TRANSFER {
            page += &without_numbers(
                name,
                study["description"].as_str().unwrap_or_default(),
                remark(&remarks, name),
            );
            continue;
        }
        let result: Value = serde_json::from_str(&run(&[
            "study",
            name,
            "samples/skin",
            "--runs",
            &runs,
            "--keep",
            "none",
            "--json",
        ])?)?;
        page += &section(
            name,
            study["description"].as_str().unwrap_or_default(),
            &result,
            remark(&remarks, name),
        );
    }
    Ok(page)
}

/// The study that needs learnt weights, which are no part of the project.
const TRANSFER: &str = "transfer";

fn without_numbers(name: &str, description: &str, remark: &str) -> String {
    format!(
        "\n### {name}\n\n{description}\n\n```sh\npupila study {name} DATA --init-from WEIGHTS\n```\n\nIt needs learnt weights, which are not kept with the project: \
         `pupila list pretrained`. What it gave on Caltech-101 stands in recipes/RESULTS.md.\n\n{remark}\n"
    )
}

fn section(name: &str, description: &str, result: &Value, remark: &str) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut section = format!(
        "\n### {name}\n\n{} ({description})\n\n```sh\npupila study {name} samples/skin\n```\n\n",
        text(&result["question"])
    );
    section += "| variant | accuracy | 95 % interval | difference | 95 % interval | verdict | gap | epochs to loss | findings |\n";
    section += "|---|---|---|---|---|---|---|---|---|\n";
    let percent = |value: &Value| value.as_f64().map_or("–".to_owned(), |v| format!("{:.1} %", 100.0 * v));
    let points = |value: &Value| value.as_f64().map_or("–".to_owned(), |v| format!("{:+.1}", 100.0 * v));
    let range =
        |value: &Value, of: &dyn Fn(&Value) -> String| format!("{} to {}", of(&value[0]), of(&value[1]));
    for variant in result["variants"].as_array().into_iter().flatten() {
        let difference = &variant["difference"];
        let verdict = match (difference.is_null(), variant["name"] == result["baseline"]) {
            (true, true) => "baseline".to_owned(),
            (true, false) => "not compared".to_owned(),
            _ => match text(&difference["verdict"]).as_str() {
                "open" => "within noise".to_owned(),
                verdict => format!("**{}**", verdict.replace('_', " ")),
            },
        };
        let findings: Vec<String> = variant["findings"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(kind, runs)| format!("{} ({runs})", kind.replace('_', " ")))
            .collect();
        let of_difference = |cell: String| if difference.is_null() { String::new() } else { cell };
        let _ = writeln!(
            section,
            "| {} | {} | {} | {} | {} | {verdict} | {} | {} ({} of {}) | {} |",
            text(&variant["name"]).replace('|', "\\|"),
            percent(&variant["mean"]),
            range(&variant["interval"], &|v| v
                .as_f64()
                .map_or("–".to_owned(), |v| format!("{:.1}", 100.0 * v))),
            of_difference(points(&difference["mean"])),
            of_difference(range(&difference["interval"], &points)),
            points(&variant["gap"]),
            variant["epochs_to"].as_f64().map_or("–".to_owned(), |v| format!("{v}")),
            variant["reached"],
            variant["ended"],
            findings.join(", "),
        );
    }
    section += "\n";
    for sentence in result["answer"].as_array().into_iter().flatten() {
        let _ = writeln!(section, "> {}", text(sentence));
    }
    if !remark.is_empty() {
        let _ = writeln!(section, "\n{remark}");
    }
    section
}
