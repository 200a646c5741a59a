//! What is said of runs: a table in the width of the terminal, and what a deletion takes.

use super::tell_study::bytes;
use pupila::count;
use pupila::dataset::shown;
use pupila::runs::{
    Deleted, Deletion, Entry, Kind, Listing, RunStatus, SearchStatus, StudyStatus, ToDeleteKind, What,
};
use pupila::study::Words;
use std::time::{Duration, SystemTime};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Names are not shortened below this, in columns of the terminal.
const NAME: usize = 16;
/// Between columns.
const GAP: &str = "  ";
/// Other folders that are named, at most.
const OTHERS: usize = 5;

/// A table and what stands below it.
#[derive(Debug)]
pub(crate) struct Lines {
    /// The names of the columns; none where there is nothing to list.
    pub(crate) head: Option<String>,
    /// The rows, and the totals.
    pub(crate) rows: Vec<String>,
}

struct Column {
    head: String,
    cells: Vec<String>,
    right: bool,
    /// Columns of the highest number are left out first where the terminal is narrow; those of 0 never are.
    spare: u8,
}

impl Column {
    fn width(&self) -> usize {
        self.cells.iter().map(|cell| cell.width()).max().unwrap_or(0).max(self.head.width())
    }
}

/// All of a listing, at the time `now`.
pub(crate) fn listed(listing: &Listing, now: SystemTime, width: usize) -> Lines {
    let mut rows = Vec::new();
    let mut head = None;
    if listing.entries.is_empty() {
        rows.push(format!("no runs in {}; `pupila train DATA` makes one", listing.folder.display()));
    } else {
        let (first, table) = table(columns(listing, now), width);
        head = Some(first);
        for (row, entry) in table.into_iter().zip(&listing.entries) {
            rows.push(row);
            if let Some(problem) = entry.problem() {
                rows.extend(wrapped(&shown(problem), width, "    "));
            }
        }
        rows.push(String::new());
        rows.extend(wrapped(&total(listing), width, ""));
    }
    if let Some(problem) = &listing.problem {
        rows.extend(wrapped(&format!("no study can be read here: {}", shown(problem)), width, ""));
    }
    if !listing.others.is_empty() {
        let named: Vec<String> = listing.others.iter().take(OTHERS).map(|name| shown(name)).collect();
        let more = match listing.others.len() {
            n if n > OTHERS => format!(" and {} more", count(n - OTHERS)),
            _ => String::new(),
        };
        rows.extend(wrapped(&format!("not listed, being no runs: {}{more}", named.join(", ")), width, ""));
    }
    Lines { head, rows }
}

fn columns(listing: &Listing, now: SystemTime) -> Vec<Column> {
    let words = Words { metric: listing.metric };
    let column = |head: &str, right, spare, cell: &dyn Fn(&Entry) -> String| Column {
        head: head.to_owned(),
        cells: listing.entries.iter().map(cell).collect(),
        right,
        spare,
    };
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    vec![
        column("name", false, 0, &|entry| shown(&entry.name)),
        column("model", false, 3, &|entry| match &entry.kind {
            Kind::Run(run) => or_dash(run.model.as_deref().map(shown)),
            Kind::Study(_) => "study".to_owned(),
            Kind::Search(_) => "search".to_owned(),
        }),
        column(&words.name(), true, 0, &|entry| match &entry.kind {
            Kind::Run(run) => or_dash(run.score.map(|score| words.value(score))),
            Kind::Study(_) => "-".to_owned(),
            Kind::Search(search) => or_dash(search.best.zip(search.known_metric()).map(|(best, metric)| {
                let own = Words { metric };
                match metric.name == listing.metric.name {
                    true => own.value(best),
                    false => format!("{} {}", own.name(), own.value(best)),
                }
            })),
        }),
        column("epochs", true, 2, &|entry| match &entry.kind {
            Kind::Run(run) => or_dash(run.epochs.map(|ended| match run.planned_epochs {
                Some(planned) if ended < planned => format!("{} of {}", count(ended), count(planned)),
                _ => count(ended),
            })),
            Kind::Study(study) => counted(study.runs, "run", "runs"),
            Kind::Search(search) => counted(search.trials, "trial", "trials"),
        }),
        column("ended", false, 1, &status),
        column("size", true, 0, &|entry| bytes(entry.bytes)),
        column("written", true, 0, &|entry| ago(entry.age(now))),
    ]
}

/// How a run ended, or how far a study is.
fn status(entry: &Entry) -> String {
    match &entry.kind {
        Kind::Run(run) => match run.status {
            RunStatus::NoResult => "no result yet".to_owned(),
            _ => entry.status().replace('_', " "),
        },
        Kind::Study(study) => match study.status {
            StudyStatus::Failed { failed, of } => format!("{} of {} failed", count(failed), count(of)),
            StudyStatus::Unfinished { ended, of } => format!("{} of {} ended", count(ended), count(of)),
            _ => entry.status().to_owned(),
        },
        Kind::Search(search) => match search.status {
            SearchStatus::NoResult => "no result yet".to_owned(),
            _ => entry.status().to_owned(),
        },
    }
}

/// The head and the rows. The names give way first, then whole columns, until it fits.
fn table(mut columns: Vec<Column>, width: usize) -> (String, Vec<String>) {
    let needed = |columns: &[Column]| {
        columns.iter().map(Column::width).sum::<usize>() + GAP.len() * (columns.len() - 1)
    };
    loop {
        let name = columns[0].width();
        let too_much = needed(&columns).saturating_sub(width);
        if too_much == 0 {
            break;
        }
        if name.saturating_sub(too_much) >= NAME.min(name) {
            let room = name - too_much;
            columns[0].cells.iter_mut().for_each(|cell| *cell = shortened(cell, room));
            break;
        }
        let spare = (1..columns.len()).max_by_key(|&place| columns[place].spare).unwrap_or(0);
        if columns[spare].spare == 0 {
            columns[0].cells.iter_mut().for_each(|cell| *cell = shortened(cell, NAME));
            break;
        }
        columns.remove(spare);
    }
    let line = |cell: &dyn Fn(&Column) -> String| {
        let padded = columns.iter().map(|column| {
            let text = cell(column);
            let pad = " ".repeat(column.width() - text.width());
            if column.right { pad + &text } else { text + &pad }
        });
        padded.collect::<Vec<_>>().join(GAP).trim_end().to_owned()
    };
    let rows = (0..columns[0].cells.len()).map(|row| line(&|column| column.cells[row].clone())).collect();
    (line(&|column| column.head.clone()), rows)
}

/// How many there are, and what they take.
fn total(listing: &Listing) -> String {
    let studies: Vec<usize> = listing
        .entries
        .iter()
        .filter_map(|entry| match &entry.kind {
            Kind::Study(study) => Some(study.runs),
            Kind::Run(_) | Kind::Search(_) => None,
        })
        .collect();
    let searches: Vec<usize> = listing
        .entries
        .iter()
        .filter_map(|entry| match &entry.kind {
            Kind::Search(search) => Some(search.trials),
            Kind::Run(_) | Kind::Study(_) => None,
        })
        .collect();
    let runs = listing.entries.len() - studies.len() - searches.len();
    let mut parts = Vec::new();
    if runs > 0 {
        parts.push(counted(runs, "run", "runs"));
    }
    if !studies.is_empty() {
        let runs: usize = studies.iter().sum();
        parts.push(format!(
            "{} with {}",
            counted(studies.len(), "study", "studies"),
            counted(runs, "run", "runs")
        ));
    }
    if !searches.is_empty() {
        let trials: usize = searches.iter().sum();
        parts.push(format!(
            "{} with {}",
            counted(searches.len(), "search", "searches"),
            counted(trials, "trial", "trials")
        ));
    }
    format!("{}, {}", parts.join(" and "), bytes(listing.bytes()))
}

/// What will be deleted, and what can no longer be done then.
pub(crate) fn before(deletion: &Deletion, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = deletion
        .items
        .iter()
        .map(|item| {
            let what = match &item.kind {
                ToDeleteKind::Run => String::new(),
                ToDeleteKind::Study { runs } => format!(", a study with {}", counted(*runs, "run", "runs")),
                ToDeleteKind::Search { trials, elsewhere } => {
                    let stay = elsewhere.as_ref().filter(|_| deletion.what == What::Folders);
                    let stay = stay.map(|place| format!("; its record in {} stays", shown(place)));
                    let trials = counted(*trials, "trial", "trials");
                    format!(", a search with {trials}{}", stay.unwrap_or_default())
                }
            };
            format!("  {}, {}{what}", shown(&item.name), bytes(item.bytes))
        })
        .collect();
    let first = match deletion.what {
        What::Folders => "to be deleted, with models, records and pages:".to_owned(),
        What::Models => {
            "to lose their models; predict and eval no longer work with them then, and compare does:"
                .to_owned()
        }
    };
    lines.splice(0..0, wrapped(&first, width, ""));
    lines
}

/// What was deleted.
pub(crate) fn after(what: What, deleted: &Deleted) -> String {
    let size = bytes(deleted.bytes());
    let of = |is: fn(&ToDeleteKind) -> bool| deleted.items.iter().filter(|item| is(&item.kind)).count();
    let parts = [
        (of(|kind| matches!(kind, ToDeleteKind::Run)), "run", "runs"),
        (of(|kind| matches!(kind, ToDeleteKind::Study { .. })), "study", "studies"),
        (of(|kind| matches!(kind, ToDeleteKind::Search { .. })), "search", "searches"),
    ];
    let parts: Vec<String> =
        parts.into_iter().filter(|part| part.0 > 0).map(|(n, one, many)| counted(n, one, many)).collect();
    match what {
        What::Folders => format!("deleted {}, {size}", parts.join(" and ")),
        What::Models => {
            format!("deleted the models of {}, {size}; their records are kept", parts.join(" and "))
        }
    }
}

/// How long ago something was.
pub(crate) fn ago(time: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match time.as_secs() {
        s if s < MINUTE => format!("{s} s ago"),
        s if s < HOUR => format!("{} min ago", s / MINUTE),
        s if s < 2 * DAY => format!("{} h ago", s / HOUR),
        s if s < 61 * DAY => format!("{} days ago", s / DAY),
        s if s < 730 * DAY => format!("{} months ago", s / (365 * DAY / 12)),
        s => format!("{} years ago", s / (365 * DAY)),
    }
}

fn counted(n: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(n), if n == 1 { one } else { many })
}

/// A text in lines of a width, each behind `indent`.
pub(super) fn wrapped(text: &str, width: usize, indent: &str) -> Vec<String> {
    let mut lines = vec![indent.to_owned()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, |line| line.width());
        let fits = line + 1 + word.width() <= width || line == indent.len();
        if !fits {
            lines.push(indent.to_owned());
        }
        if let Some(last) = lines.last_mut() {
            if last.len() > indent.len() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}

/// A name without its middle, since numbers stand at the end.
pub(super) fn shortened(name: &str, width: usize) -> String {
    if name.width() <= width {
        return name.to_owned();
    }
    let room = width.saturating_sub(1);
    let end = take(name.chars().rev(), room / 2);
    let begin = take(name.chars(), room - room / 2);
    begin + "…" + &end.chars().rev().collect::<String>()
}

/// As many characters as fit into a width.
fn take(chars: impl Iterator<Item = char>, width: usize) -> String {
    let mut text = String::new();
    let mut taken = 0;
    for c in chars {
        taken += c.width().unwrap_or(0);
        if taken > width {
            break;
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use pupila::RunEnd;
    use pupila::metrics::metric;
    use pupila::runs::{RunEntry, StudyEntry};
    use std::time::UNIX_EPOCH;

    fn entry(name: &str, age: u64, bytes: u64, kind: Kind) -> Entry {
        let modified = UNIX_EPOCH + Duration::from_secs(1_000_000_000 - age);
        Entry { name: name.to_owned(), path: name.into(), kind, bytes, modified }
    }

    fn run(score: Option<f64>, epochs: usize, status: RunStatus) -> Kind {
        let planned_epochs = Some(30);
        Kind::Run(RunEntry { model: Some("mlp".into()), score, epochs: Some(epochs), planned_epochs, status })
    }

    fn lines(width: usize) -> String {
        let unreadable =
            RunStatus::Unreadable("runs/damaged/summary.json, line 3: no JSON: EOF while parsing".into());
        let damaged =
            RunEntry { model: None, score: None, epochs: None, planned_epochs: None, status: unreadable };
        let study = StudyEntry { runs: 1203, status: StudyStatus::Unfinished { ended: 1203, of: 1500 } };
        let entries = vec![
            entry("regularization-skin", 90_000_000, 5_400_000_000, Kind::Study(study)),
            entry("damaged", 4_000_000, 12_000, Kind::Run(damaged)),
            entry(
                "skin-mobilenet_v2-12",
                11_000,
                9_300_000,
                run(Some(0.85), 30, RunStatus::Ended(RunEnd::Completed)),
            ),
            entry("skin-mlp-9", 300, 6_500_000, run(Some(0.7), 12, RunStatus::Ended(RunEnd::StoppedEarly))),
            entry("skin-mlp-10", 4, 6_500_000, run(None, 3, RunStatus::NoResult)),
        ];
        let others = ["a", "b", "c", "d", "e", "f"].map(String::from).to_vec();
        let metric = metric("accuracy").unwrap();
        let listing = Listing { folder: "runs".into(), study: None, problem: None, metric, entries, others };
        let lines = listed(&listing, UNIX_EPOCH + Duration::from_secs(1_000_000_000), width);
        let text = lines.head.into_iter().chain(lines.rows).collect::<Vec<_>>().join("\n");
        assert!(text.lines().all(|line| line.width() <= width), "{width}:\n{text}");
        text
    }

    #[test]
    fn the_table_fits_the_terminal() {
        insta::assert_snapshot!("runs", [100, 80, 60, 50].map(lines).join("\n\n"));
    }

    #[test]
    fn ages_have_one_unit() {
        let hour = 3600;
        let ages = [
            0,
            59,
            60,
            3599,
            hour,
            47 * hour,
            48 * hour,
            60 * 24 * hour,
            61 * 24 * hour,
            729 * 24 * hour,
            730 * 24 * hour,
        ];
        let said = ages.map(|s| ago(Duration::from_secs(s)));
        assert_eq!(
            said.map(|text| text.replace(" ago", "")),
            [
                "0 s",
                "59 s",
                "1 min",
                "59 min",
                "1 h",
                "47 h",
                "2 days",
                "60 days",
                "2 months",
                "23 months",
                "2 years"
            ]
        );
    }

    #[test]
    fn long_names_lose_their_middle() {
        assert_eq!(shortened("skin-mobilenet_v2-12", 12), "skin-m…v2-12");
        assert_eq!(shortened("short", 5), "short");
        for width in 1..12 {
            assert!(shortened("模型的名字很长", width).width() <= width);
        }
    }
}
