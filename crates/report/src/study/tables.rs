//! The tables of a study: variants, stability, cost, every run; and how all of it was worked out.

use super::forest::{adjusted, words};
use super::numbers::{UNKNOWN, bytes};
use super::{ExtraTable, NAME, RunPoint, VariantResult, View};
use crate::html::{count, counted, escape, labelled, seconds, shortened};
use std::fmt::Write as _;

/// Kinds of findings that have a column.
const KINDS: usize = 12;
/// Settings that are shown of a variant.
const SETTINGS: usize = 12;
/// Characters of a cell that comes from outside.
const CELL: usize = 160;

/// A column: its head in HTML, whether it holds words, and the cell of each variant in HTML.
struct Column {
    head: String,
    text: bool,
    cells: Vec<String>,
}

impl View<'_> {
    fn column(&self, head: &str, cell: impl Fn(usize, &VariantResult) -> String) -> Column {
        let cells = self.shown().map(|(place, variant)| cell(place, variant)).collect();
        Column { head: head.to_owned(), text: false, cells }
    }

    fn text_column(&self, head: &str, cell: impl Fn(usize, &VariantResult) -> String) -> Column {
        Column { text: true, ..self.column(head, cell) }
    }

    /// A table with one row a variant. Columns without a single value are left out.
    fn by_variant(&self, columns: Vec<Column>, with_settings: bool) -> String {
        let known = |column: &Column| column.cells.iter().any(|cell| cell != UNKNOWN && !cell.is_empty());
        let columns: Vec<Column> = columns.into_iter().filter(known).collect();
        let class = |column: &Column| if column.text { " class=\"text\"" } else { "" };
        let mut heads = String::from("<th class=\"text\">variant</th>");
        for column in &columns {
            let _ = write!(heads, "<th{}>{}</th>", class(column), column.head);
        }
        let mut rows = String::new();
        for (row, (place, variant)) in self.shown().enumerate() {
            let tag = if place == self.study.baseline { " <small>baseline</small>" } else { "" };
            let _ = write!(rows, "<tr><td><b>{}</b>{tag}", variant.short_name());
            if with_settings {
                rows += &settings(&variant.values);
            }
            rows += "</td>";
            for column in &columns {
                let _ = write!(rows, "<td{}>{}</td>", class(column), column.cells[row]);
            }
            rows += "</tr>\n";
        }
        table(&heads, &rows)
    }

    /// What each variant sets and reaches.
    pub(super) fn variants_table(&self) -> String {
        if self.study.variants.is_empty() {
            return String::new();
        }
        let numbers = self.numbers;
        let metric = escape(&shortened(&self.study.metric.name, NAME));
        let difference = |of: &dyn Fn(&super::DifferenceRow) -> String, variant: &VariantResult| {
            variant.difference.as_ref().map_or(UNKNOWN.into(), of)
        };
        let columns = vec![
            self.column(&format!("{metric}{}", numbers.unit()), |_, v| numbers.bare(v.mean)),
            self.column("95&nbsp;% interval", |_, v| or_unknown(numbers.range(v.interval))),
            self.column(&format!("difference{}", numbers.difference_unit()), |_, v| {
                difference(&|d| numbers.signed(d.mean), v)
            }),
            self.column(&format!("95&nbsp;% interval over {}s", self.block()), |_, v| {
                difference(&|d| or_unknown(numbers.signed_range(d.interval_seeds)), v)
            }),
            self.column("over seeds and images", |_, v| {
                difference(
                    &|d| or_unknown(d.interval_both.map_or(String::new(), |both| numbers.signed_range(both))),
                    v,
                )
            }),
            self.column("p, adjusted", |_, v| difference(&adjusted, v)),
            self.text_column("verdict", |_, v| {
                difference(&|d| format!("<span class=\"{}\">{}</span>", d.verdict.class(), words(d)), v)
            }),
            self.column("gap, points", |_, v| {
                super::numbers::Numbers::new(true, self.study.images).signed(v.gap)
            }),
        ];
        format!(
            "{}<p class=\"note\">Differences are from “{}”. Intervals and p-values of differences are adjusted for the number of variants. The gap is training minus validation accuracy: a large one means that a variant learns images instead of classes.</p>\n",
            self.by_variant(columns, true),
            self.baseline_name()
        )
    }

    /// How much the seed changes, and what went wrong.
    pub(super) fn stability(&self) -> String {
        if self.study.variants.is_empty() {
            return String::new();
        }
        let numbers = self.numbers;
        let of = |n: usize, variant: &VariantResult| format!("{n} of {}", variant.runs.len());
        let some = |n: usize, variant: &VariantResult| if n == 0 { "0".into() } else { of(n, variant) };
        let values = |variant: &VariantResult| -> Vec<f64> {
            variant.runs.iter().map(|run| run.value).filter(|value| value.is_finite()).collect()
        };
        let mut columns = vec![
            self.column("runs with a result", |_, v| of(values(v).len(), v)),
            self.column(&format!("standard deviation between runs{}", numbers.difference_unit()), |_, v| {
                numbers.bare(v.spread)
            }),
            self.column(&format!("lowest{}", numbers.unit()), |_, v| {
                numbers.bare(values(v).into_iter().fold(f64::NAN, f64::min))
            }),
            self.column(&format!("highest{}", numbers.unit()), |_, v| {
                numbers.bare(values(v).into_iter().fold(f64::NAN, f64::max))
            }),
        ];
        let any = |of: fn(&VariantResult) -> usize| self.shown().any(|(_, variant)| of(variant) > 0);
        if any(|variant| variant.diverged) {
            columns.push(self.column("diverged", |_, v| some(v.diverged, v)));
        }
        if any(|variant| variant.failed) {
            columns.push(self.column("failed", |_, v| some(v.failed, v)));
        }
        let mut kinds: Vec<&str> = Vec::new();
        for (kind, runs) in self.shown().flat_map(|(_, variant)| &variant.findings) {
            if *runs > 0 && !kinds.contains(&kind.as_str()) {
                kinds.push(kind);
            }
        }
        for kind in kinds.iter().take(KINDS) {
            let head = escape(&shortened(&kind.replace('_', " "), NAME));
            columns.push(self.column(&head, |_, v| {
                some(v.findings.iter().filter(|(name, _)| name == kind).map(|finding| finding.1).sum(), v)
            }));
        }
        let findings = match kinds.len() {
            0 => "The diagnosis of the runs found nothing.".to_owned(),
            n if n > KINDS => format!(
                "The last columns count runs with a finding of the diagnosis; of {} kinds of findings {KINDS} are shown.",
                count(n as u64)
            ),
            _ => "The last columns count runs with a finding of the diagnosis.".into(),
        };
        let by = if self.study.splits { "by the split and the seed" } else { "by the seed alone" };
        format!(
            "{}<p class=\"note\">The standard deviation tells how far two runs of one variant lie apart {by}. {findings}</p>\n",
            self.by_variant(columns, false)
        )
    }

    /// Epochs, core seconds and memory.
    pub(super) fn cost(&self) -> String {
        let study = self.study;
        let longest = self.shown().map(|(_, v)| v.time_s).filter(|s| s.is_finite()).fold(0.0, f64::max);
        let slowest = self.shown().map(|(_, v)| v.time_to_s).filter(|s| s.is_finite()).fold(0.0, f64::max);
        let mut columns = Vec::new();
        if study.target_loss.is_some() {
            columns.extend([
                self.column("reach the target", |_, v| match v.reached {
                    (_, 0) => UNKNOWN.into(),
                    (reached, runs) => format!("{reached} of {runs}"),
                }),
                self.column("epochs to it, median", |_, v| match v.epochs_to {
                    None => UNKNOWN.into(),
                    Some(epochs) if !epochs.is_finite() => "not reached".into(),
                    Some(epochs) => whole_or_half(epochs),
                }),
                self.column("core seconds to it, median", |_, v| time(v.time_to_s, slowest)),
            ]);
        }
        columns.extend([
            self.column("core seconds of a run", |_, v| time(v.time_s, longest)),
            self.column("memory, highest", |_, v| v.memory_bytes.map_or(UNKNOWN.into(), bytes)),
        ]);
        let known = |column: &Column| column.cells.iter().any(|cell| cell != UNKNOWN);
        if !columns.iter().any(known) {
            return String::new();
        }
        let target = study.target_loss.filter(|loss| loss.is_finite()).map_or(String::new(), |loss| {
            format!("The target is a validation loss of {}. ", super::numbers::significant(loss))
        });
        format!(
            "{}<p class=\"note\">{target}Core seconds are the seconds of a run times its threads: two threads for 10 s are 20 s. They say what a variant costs on any number of cores.</p>\n",
            self.by_variant(columns, false)
        )
    }

    /// Every run, with a link to its report.
    pub(super) fn runs_table(&self) -> String {
        let seeds: Vec<&String> = self.study.seeds.iter().take(self.most).collect();
        if seeds.is_empty() || self.study.variants.is_empty() {
            return String::new();
        }
        let mut heads = String::from("<th class=\"text\">variant</th>");
        for seed in &seeds {
            let _ = write!(heads, "<th>{}</th>", self.run_name(seed));
        }
        let mut rows = String::new();
        for (_, variant) in self.shown() {
            let _ = write!(rows, "<tr><td><b>{}</b></td>", variant.short_name());
            for seed in &seeds {
                let run = variant.runs.iter().find(|run| run.seed == **seed);
                let _ = write!(rows, "<td>{}</td>", run.map_or(UNKNOWN.into(), |run| self.run_cell(run)));
            }
            rows += "</tr>\n";
        }
        let some = match self.study.seeds.len() {
            n if n > seeds.len() => {
                format!(
                    "Of {} the first {} are shown. ",
                    counted(n as u64, if self.study.splits { "run of a variant" } else { "seed" }),
                    seeds.len()
                )
            }
            _ => String::new(),
        };
        format!(
            "{}<p class=\"note\">{some}Validation {}{}. A link opens the report of the run, as long as this page lies in the folder of the study.</p>\n",
            table(&heads, &rows),
            escape(&shortened(&self.study.metric.name, NAME)),
            self.numbers.unit()
        )
    }

    fn run_cell(&self, run: &RunPoint) -> String {
        let shown = if run.value.is_finite() {
            self.numbers.bare(run.value)
        } else if run.status.trim().is_empty() {
            "no result".into()
        } else {
            escape(&shortened(&run.status, 40))
        };
        match link(&run.folder) {
            Some(link) => format!("<a href=\"{link}\">{shown}</a>"),
            None => shown,
        }
    }

    /// Tables that the caller worked out.
    pub(super) fn tables(&self, tables: &[ExtraTable]) -> String {
        let mut html = String::new();
        for extra in tables {
            let head = |head: &String| format!("<th>{}</th>", escape(&shortened(head, CELL)));
            let heads: String = extra.heads.iter().map(head).collect();
            let mut rows = String::new();
            for row in extra.rows.iter().take(self.most) {
                rows += "<tr>";
                for cell in row {
                    let _ = write!(rows, "<td>{}</td>", escape(&shortened(cell, CELL)));
                }
                rows += "</tr>\n";
            }
            let mut note = String::new();
            if extra.rows.len() > self.most {
                note = format!(
                    "Of {}, the first {} are shown. ",
                    counted(extra.rows.len() as u64, "row"),
                    self.most
                );
            }
            note += &escape(&extra.note);
            let _ = write!(html, "<h3>{}</h3>{}", escape(&extra.title), table(&heads, &rows));
            if !note.is_empty() {
                let _ = writeln!(html, "<p class=\"note\">{note}</p>");
            }
        }
        html
    }

    /// How the numbers were worked out, and the command that repeats the study.
    pub(super) fn method(&self) -> String {
        let study = self.study;
        let sentences: String =
            study.method.iter().map(|sentence| format!("<li>{}</li>", escape(sentence))).collect();
        let mut html = if sentences.is_empty() {
            String::new()
        } else {
            format!("<ul class=\"method\">{sentences}</ul>\n")
        };
        if !study.command.is_empty() {
            let _ = writeln!(
                html,
                "<h3>The command that repeats it</h3><pre><code>{}</code></pre>",
                escape(&study.command)
            );
        }
        if !study.version.is_empty() {
            let _ = writeln!(html, "<p class=\"note\">Trained with Pupila {}.</p>", escape(&study.version));
        }
        html
    }
}

fn table(heads: &str, rows: &str) -> String {
    // The words of a heading, without the tags around and in them.
    let words = |head: &str| -> String {
        head.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text)).collect()
    };
    let named: Vec<String> = heads.split("</th>").map(words).collect();
    let rows = labelled(&named.iter().map(String::as_str).collect::<Vec<_>>(), rows);
    format!(
        "<div class=\"scroll\"><table class=\"named stacked\"><thead><tr>{heads}</tr></thead><tbody>\n{rows}</tbody></table></div>\n"
    )
}

fn or_unknown(text: String) -> String {
    if text.is_empty() { UNKNOWN.into() } else { text }
}

/// What a variant sets, to stand under its name.
fn settings(values: &[(String, String)]) -> String {
    let mut html = String::new();
    for (key, value) in values.iter().take(SETTINGS) {
        let _ = write!(
            html,
            "<code>{} = {}</code>",
            escape(&shortened(key, CELL)),
            escape(&shortened(value, CELL))
        );
    }
    if values.len() > SETTINGS {
        let _ = write!(html, "<small>and {} more</small>", values.len() - SETTINGS);
    }
    html
}

/// A duration, with a bar beside it for how it compares with the longest of its column.
fn time(s: f64, longest: f64) -> String {
    if !s.is_finite() {
        return UNKNOWN.into();
    }
    let share = if longest > 0.0 { (s / longest).clamp(0.0, 1.0) } else { 0.0 };
    format!(
        "<svg class=\"bar\" viewBox=\"0 0 60 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"fc\" width=\"{:.1}\" height=\"10\"/></svg>{}",
        60.0 * share,
        if s.abs() < 1e8 { seconds(s) } else { format!("{} s", super::numbers::significant(s)) }
    )
}

/// A median of whole numbers.
fn whole_or_half(epochs: f64) -> String {
    if epochs.fract() == 0.0 && epochs.abs() < 1e6 {
        format!("{epochs:.0}")
    } else {
        super::numbers::significant(epochs)
    }
}

/// A relative path as a link. None for what is empty or would lead elsewhere.
fn link(path: &str) -> Option<String> {
    if path.is_empty() || path.starts_with(['/', '\\']) {
        return None;
    }
    let mut link = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                link.push(char::from(byte));
            }
            // A colon too, so that nothing before it is taken for a scheme.
            byte => {
                let _ = write!(link, "%{byte:02X}");
            }
        }
    }
    Some(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_relative_paths_and_nothing_else() {
        assert_eq!(link("a b/r#1?.html").unwrap(), "a%20b/r%231%3F.html");
        assert_eq!(link("javascript:alert(1)").unwrap(), "javascript%3Aalert%281%29");
        assert_eq!(link("é\"<").unwrap(), "%C3%A9%22%3C");
        assert_eq!((link(""), link("//host/x"), link("\\\\host\\x")), (None, None, None));
    }

    #[test]
    fn medians_are_whole_where_they_can_be() {
        assert_eq!((whole_or_half(7.0), whole_or_half(7.5)), ("7".into(), "7.5".into()));
    }
}
