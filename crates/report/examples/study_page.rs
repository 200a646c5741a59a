//! Writes pages of invented studies into a folder, to be looked at: `cargo run --example study_page -- FOLDER`.

#[path = "../tests/demo/mod.rs"]
mod demo;

use pupila_report::StudyPage;

fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let one_seed = || {
        let mut study = demo::small();
        for variant in &mut study.variants {
            variant.runs.truncate(1);
            variant.mean = variant.runs[0].value;
            (variant.interval, variant.spread) = ((f64::NAN, f64::NAN), f64::NAN);
            variant.difference = None;
        }
        study.seeds.truncate(1);
        study
    };
    let pages: [(&str, StudyPage); 5] = [
        ("ordinary", demo::ordinary()),
        ("troubled", demo::troubled()),
        ("small", demo::small()),
        ("one-seed", one_seed()),
        ("large", demo::large(40, 20, 100)),
    ];
    for (name, study) in pages {
        let path = std::path::Path::new(&folder).join(format!("study-{name}.html"));
        let html = study.render();
        println!("{}: {} bytes", path.display(), html.len());
        std::fs::write(path, html)?;
    }
    Ok(())
}
