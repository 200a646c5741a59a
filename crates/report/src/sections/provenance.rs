//! What a result comes from: weights, recipe, environment, data, time.

use crate::html::{count, counted, escape, percent, seconds};
use crate::picture::data_uri;
use crate::run::Report;
use pupila_run::{Environment, Summary};
use std::fmt::Write as _;

/// Tensors and layers whose histograms are shown.
const SHOWN: usize = 12;
/// Images left out that are named.
const SKIPPED: usize = 30;
/// Side of the filters' picture, at most, in px.
const FILTERS_SIDE: u32 = 900;

/// Histograms early and late, and the first filters.
pub(crate) fn weights(report: &Report<'_>) -> String {
    let mut html = String::new();
    let times = (report.times.0.as_str(), report.times.1.as_str());
    let part = |name: &str, of: &[crate::Distribution]| {
        let chosen: Vec<usize> = match of.len() {
            n if n <= SHOWN => (0..n).collect(),
            n => (0..SHOWN).map(|i| i * (n - 1) / (SHOWN - 1)).collect(),
        };
        let figures: String = chosen.iter().map(|&i| of[i].figure(times)).collect();
        if figures.is_empty() {
            return figures;
        }
        let some = if chosen.len() < of.len() {
            format!(" ({} of {})", chosen.len(), of.len())
        } else {
            String::new()
        };
        format!("<h3>{name}{some}</h3><div class=\"small grid\">{figures}</div>")
    };
    let (weights, activations) = (part("Weights", &report.weights), part("Activations", &report.activations));
    if !(weights.is_empty() && activations.is_empty()) {
        let early = report.weights.iter().chain(&report.activations).any(|d| d.first.is_some());
        let early = if early {
            format!(
                "<ul class=\"legend\"><li><svg viewBox=\"0 0 26 10\" aria-hidden=\"true\"><path class=\"series s2 dashed\" d=\"M1 5L25 5\"/></svg>{}</li>\
                 <li><svg viewBox=\"0 0 26 10\" aria-hidden=\"true\"><path class=\"series s1\" d=\"M1 5L25 5\"/></svg>{}</li></ul>",
                escape(times.0),
                escape(times.1)
            )
        } else {
            String::new()
        };
        let _ = write!(
            html,
            "<p class=\"note\">Weights that hardly move have learnt little; activations that are almost all zero, or spread ever wider from layer to layer, make training hard. Exact zeros are named below a histogram and left out of it.</p>{early}{weights}{activations}"
        );
    }
    if let Some((name, image)) = &report.filters
        && let Some((uri, _)) = data_uri(image, FILTERS_SIDE)
    {
        let _ = write!(
            html,
            "<h3>First filters</h3><figure><img class=\"filters\" alt=\"The first filters of {0}\" src=\"{uri}\"><figcaption>The first rows of <code>{0}</code>, each stretched so that zero is gray. Smooth patterns are learnt ones; noise is what the initialisation left.</figcaption></figure>",
            escape(name)
        );
    }
    html
}

/// The whole recipe.
pub(crate) fn recipe(toml: &str) -> String {
    if toml.trim().is_empty() {
        return String::new();
    }
    format!(
        "<p class=\"note\">Every value, and where it comes from. Saved as a file, <code>pupila train DATA --recipe FILE</code> does the same again.</p><pre>{}</pre>\n",
        escape(toml)
    )
}

/// A table of names and values.
fn table(rows: &[(String, String)]) -> String {
    let row = |(name, value): &(String, String)| {
        format!("<tr><td>{}</td><td class=\"text\">{}</td></tr>", escape(name), escape(value))
    };
    let rows: String = rows.iter().map(row).collect();
    format!("<div class=\"wide\"><table class=\"pairs\"><tbody>{rows}</tbody></table></div>")
}

/// The machine, the data, what was left out.
pub(crate) fn environment(environment: &Environment, summary: &Summary) -> String {
    let mut rows = Vec::new();
    let mut add = |name: &str, text: Option<String>| {
        rows.extend(text.filter(|text| !text.is_empty()).map(|text| (name.to_owned(), text)));
    };
    let whole = |n: Option<usize>| n.map(|n| count(n as u64));
    let data = &environment.data;
    add("data", Some(data.path.clone()));
    add("form", Some(data.form.clone()));
    add("split", data.split.clone());
    add("data fingerprint", Some(data.fingerprint.clone()));
    add("fingerprint of the judged images", data.val_fingerprint.clone());
    add("training images", whole(data.train_images));
    add("validation images", whole(data.val_images));
    add("images", whole(data.images));
    let yes_or_no = data.val_split_off.map(|yes| if yes { "yes" } else { "no" }.to_owned());
    add("validation set split off the training images", yes_or_no);
    // Whatever is 0 here is not known.
    let known = |n: usize| Some(n).filter(|&n| n > 0);
    add("model", Some(summary.model().to_owned()));
    add("parameters", whole(known(summary.parameters())));
    add("seed", Some(summary.seed().to_string()));
    add("Pupila version", Some(environment.version.clone()));
    add("command line", Some(environment.arguments.join(" ")));
    add("processor", environment.processor.clone());
    add("cores", whole(known(environment.cores)));
    add("threads", whole(known(environment.threads)));
    add("instruction set", Some(environment.instruction_set.clone()));
    add("system", Some(environment.os.clone()));
    add("architecture", Some(environment.architecture.clone()));
    add("data taken as", Some(summary.taken().to_owned()));
    if let Summary::Run(run) = summary {
        let memory = run.peak_rss_bytes.map(|bytes| format!("{:.0} MB", bytes as f64 / 1e6));
        add("most memory in use", memory);
        add("transforms of the caller's own", Some(run.own_transforms.join(", ")));
    }
    if rows.is_empty() {
        return String::new();
    }
    let mut html = table(&rows);
    if let Summary::Run(run) = summary
        && let Some(learnt) = &run.learnt_from
    {
        let sentences: String =
            learnt.sentences().iter().map(|said| format!("<li>{}</li>", escape(said))).collect();
        let head = run
            .head
            .as_ref()
            .map(|head| format!("<li>the answers are those of {}</li>", escape(&head.to_string())));
        let _ = write!(
            html,
            "<h3>Learnt from</h3><ul>{sentences}<li>{}</li>{}</ul>",
            escape(&learnt.fitted),
            head.unwrap_or_default()
        );
    }
    html += "<p class=\"note\">The fingerprint changes with any change of the images, their labels or their splits. Results don't depend on the number of threads.</p>\n";
    let pictures = summary.other_pictures();
    if !pictures.is_empty() {
        let total: usize = pictures.iter().map(|picture| picture.count).sum();
        let _ = write!(
            html,
            "<h3>Left out: {} of a kind that is not read</h3>",
            counted(total as u64, "picture")
        );
        let named: Vec<(String, String)> = pictures
            .iter()
            .map(|p| {
                (
                    format!(".{} {}", p.extension, p.class.as_deref().unwrap_or_default()),
                    count(p.count as u64),
                )
            })
            .collect();
        html += &table(&named);
    }
    let skipped = summary.skipped_images();
    if !skipped.is_empty() {
        let _ = write!(html, "<h3>Left out: {}</h3>", counted(skipped.len() as u64, "image"));
        let named: Vec<(String, String)> =
            skipped.iter().take(SKIPPED).map(|s| (s.path.clone(), s.reason.clone())).collect();
        html += &table(&named);
        if skipped.len() > SKIPPED {
            let _ = write!(
                html,
                "<p class=\"note\">... and {} more in summary.json.</p>",
                skipped.len() - SKIPPED
            );
        }
    }
    html
}

/// Where the time went.
pub(crate) fn time(phases: &[(String, f64)], summary: &Summary) -> String {
    let phases: Vec<&(String, f64)> = phases.iter().filter(|(_, s)| s.is_finite() && *s > 0.0).collect();
    let total: f64 = phases.iter().map(|phase| phase.1).sum();
    if total <= 0.0 {
        return String::new();
    }
    let mut bar = String::from(
        "<figure class=\"chart\"><svg viewBox=\"0 0 736 26\" role=\"img\"><title>Where the time went</title>",
    );
    let (mut x, mut rows) = (0.0, String::new());
    for (i, (name, s)) in phases.iter().enumerate() {
        let width = 736.0 * s / total;
        let color = 1 + i % 6;
        let _ = write!(
            bar,
            "<rect class=\"f{color}\" fill-opacity=\".85\" x=\"{x:.1}\" y=\"2\" width=\"{:.1}\" height=\"22\"><title>{}: {}</title></rect>",
            (width - 1.0).max(0.4),
            escape(name),
            seconds(*s)
        );
        x += width;
        let _ = write!(
            rows,
            "<tr><td><svg class=\"bar\" viewBox=\"0 0 10 10\" style=\"width:.8rem\" aria-hidden=\"true\"><rect class=\"f{color}\" width=\"10\" height=\"10\" fill-opacity=\".85\"/></svg>{}</td><td>{}</td><td>{}</td></tr>",
            escape(name),
            seconds(*s),
            percent(s / total)
        );
    }
    let _ = write!(rows, "<tr class=\"sum\"><td>all</td><td>{}</td><td></td></tr>", seconds(total));
    let mut notes: Vec<String> = Vec::new();
    if let Summary::Run(run) = summary {
        let timing = &run.timing;
        if let (Some(train), Some(eval)) = (timing.epoch_train_s, timing.epoch_eval_s) {
            notes.push(format!(
                "An epoch takes {} to train and {} to validate (medians)",
                seconds(train),
                seconds(eval)
            ));
        }
        if let Some(rate) = timing.images_per_s {
            notes.push(format!("{} training images a second", count(rate as u64)));
        }
        if let Some(waited) = timing.data_wait_frac {
            notes.push(format!("{} of the training time was spent waiting for images", percent(waited)));
        }
    }
    let notes =
        if notes.is_empty() { String::new() } else { format!("<p class=\"note\">{}.</p>", notes.join("; ")) };
    format!(
        "{bar}</svg></figure><div class=\"wide\"><table class=\"pairs\"><tbody>{rows}</tbody></table></div>{notes}\n"
    )
}
