//! The page of a study: variants of a recipe, each trained with several seeds on the same data, and which differences
//! between them are real.
//!
//! In: every run's value, and the statistics that were worked out of them. Out: one HTML page that begins with the answer,
//! made to be projected. No statistic is computed here.

mod axis;
mod curves;
mod forest;
mod numbers;
mod seeds;
mod strip;
mod tables;

use crate::MAX_BYTES;
use crate::html::{Section, escape, shortened, styled_page};
use numbers::Numbers;

const STYLE: &str = include_str!("study.css");

/// Characters of a name up to which it is shown whole.
const NAME: usize = 100;

/// A study: variants side by side, each trained with several seeds.
#[derive(Debug, Clone, Default)]
pub struct StudyPage {
    /// The title, such as "Study of regularization".
    pub title: String,
    /// What was asked, in one sentence, such as "Does regularization help on these images?".
    pub question: String,
    /// The data, and how many runs and seeds.
    pub subtitle: String,
    /// The answer in plain sentences. The first is shown largest.
    pub answer: Vec<String>,
    /// What limits the answer, in plain sentences.
    pub warnings: Vec<String>,
    /// What the variants are compared by.
    pub metric: MetricAxis,
    /// The place of the variant that the others are compared with.
    pub baseline: usize,
    /// The variants, in the order in which they are shown.
    pub variants: Vec<VariantResult>,
    /// The seeds, which are the columns of the table of runs; as in [`RunPoint::seed`].
    pub seeds: Vec<String>,
    /// Whether there are several splits, each with all seeds. Otherwise all runs are judged on the same images.
    pub splits: bool,
    /// The validation loss, in nats, by which the speed of variants is compared.
    pub target_loss: Option<f64>,
    /// Images that a run is judged on.
    pub images: u64,
    /// How large a difference this study could have found, in plain sentences.
    pub power: String,
    /// What the answer of a study of negative controls stands on.
    pub controls: Option<ExtraTable>,
    /// More tables, in the order given.
    pub extra: Vec<ExtraTable>,
    /// The command that repeats the study.
    pub command: String,
    /// How the numbers were worked out, in plain sentences.
    pub method: Vec<String>,
    /// The version of Pupila that trained the runs.
    pub version: String,
}

/// What variants are compared by.
#[derive(Debug, Clone, Default)]
pub struct MetricAxis {
    /// Its name, such as "accuracy".
    pub name: String,
    /// Whether it is a share from 0 to 1, shown as a percentage, with differences in points.
    pub share: bool,
    /// Whether higher is better.
    pub higher_is_better: bool,
}

/// A variant with all its runs. Numbers that are not known are NaN.
#[derive(Debug, Clone)]
pub struct VariantResult {
    /// Its name, unique among the variants.
    pub name: String,
    /// Keys of the recipe that it sets, with their values.
    pub values: Vec<(String, String)>,
    /// Its runs, at most one a seed.
    pub runs: Vec<RunPoint>,
    /// The mean of the metric over its runs.
    pub mean: f64,
    /// The 95 % interval of that mean: over seeds, or over splits with their overlap, where there are several.
    pub interval: (f64, f64),
    /// The difference from the baseline; none for the baseline itself, and where nothing could be compared.
    pub difference: Option<DifferenceRow>,
    /// Training minus validation accuracy, a share, mean over its runs.
    pub gap: f64,
    /// Epochs until the target loss, the median over runs; NaN where too few runs reach it. None where there is no target.
    pub epochs_to: Option<f64>,
    /// Runs that reached the target loss, and runs that could have.
    pub reached: (usize, usize),
    /// Core seconds until the target loss, the median over runs.
    pub time_to_s: f64,
    /// Core seconds of a run, the mean over runs: seconds of the clock times threads.
    pub time_s: f64,
    /// The highest memory that a run used, in bytes.
    pub memory_bytes: Option<u64>,
    /// The standard deviation of the metric between the runs.
    pub spread: f64,
    /// Runs whose loss was no longer a number.
    pub diverged: usize,
    /// Runs that ended with an error.
    pub failed: usize,
    /// Kinds of findings of the diagnosis, such as "dead_relu", and how many runs had each.
    pub findings: Vec<(String, usize)>,
    /// How its runs went, epoch by epoch.
    pub curves: Curves,
}

/// A run of a variant.
#[derive(Debug, Clone)]
pub struct RunPoint {
    /// Its seed, as in [`StudyPage::seeds`].
    pub seed: String,
    /// Its value of the metric; NaN where it has none.
    pub value: f64,
    /// How it ended, such as "completed" or "diverged".
    pub status: String,
    /// The path of its report, relative to this page, with `/` between its parts and nothing encoded; empty where there is
    /// none. An absolute path or an address is not linked.
    pub folder: String,
}

/// What a comparison with the baseline has shown.
#[derive(Debug, Clone)]
pub struct DifferenceRow {
    /// The variant's mean minus that of the baseline, in the unit of the metric.
    pub mean: f64,
    /// The simultaneous 95 % interval of that difference, over seeds, or over splits where there are several.
    pub interval_seeds: (f64, f64),
    /// The 95 % interval over seeds and images, where it could be worked out.
    pub interval_both: Option<(f64, f64)>,
    /// The p-value, adjusted for the number of variants.
    pub p_value: f64,
    /// What follows from them.
    pub verdict: Verdict,
    /// The verdict in a few words, such as "better by 2 to 5 points"; where empty, those of [`Verdict::label`].
    pub words: String,
}

/// Whether a difference is real.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Verdict {
    /// Better, for other seeds and other images like these.
    Better,
    /// Worse, for other seeds and other images like these.
    Worse,
    /// Not shown either way.
    Open,
    /// Better on these validation images; not shown for others.
    BetterHere,
    /// Worse on these validation images; not shown for others.
    WorseHere,
    /// Too few runs to test.
    #[default]
    NotTested,
}

/// Means over seeds at the end of each epoch, with what lies lowest and highest. All lists have one item an epoch; a list may
/// be empty where nothing was measured.
#[derive(Debug, Clone, Default)]
pub struct Curves {
    /// The epochs, counted from 1, ascending.
    pub epochs: Vec<u32>,
    /// Validation loss in nats: lowest, mean, highest over seeds.
    pub val_loss: Vec<[f64; 3]>,
    /// The metric on the validation images: lowest, mean, highest over seeds.
    pub val_metric: Vec<[f64; 3]>,
    /// Training loss in nats: lowest, mean, highest over seeds.
    pub train_loss: Vec<[f64; 3]>,
}

/// A table of its own kind, as text.
#[derive(Debug, Clone, Default)]
pub struct ExtraTable {
    /// What it shows.
    pub title: String,
    /// The heads of its columns.
    pub heads: Vec<String>,
    /// Its rows, each with one cell a column.
    pub rows: Vec<Vec<String>>,
    /// How to read it; may be empty.
    pub note: String,
}

impl Verdict {
    /// The verdict in words, such as "no difference shown".
    pub fn label(self) -> &'static str {
        match self {
            Verdict::Better => "better",
            Verdict::Worse => "worse",
            Verdict::Open => "no difference shown",
            Verdict::BetterHere => "better on these images",
            Verdict::WorseHere => "worse on these images",
            Verdict::NotTested => "not tested",
        }
    }

    /// A sign that tells verdicts apart without color: filled where shown for other images too.
    fn sign(self) -> char {
        match self {
            Verdict::Better => '▲',
            Verdict::Worse => '▼',
            Verdict::Open => '○',
            Verdict::BetterHere => '△',
            Verdict::WorseHere => '▽',
            Verdict::NotTested => '–',
        }
    }

    /// The class of the style sheet.
    fn class(self) -> &'static str {
        match self {
            Verdict::Better | Verdict::BetterHere => "better",
            Verdict::Worse | Verdict::WorseHere => "worse",
            Verdict::Open | Verdict::NotTested => "open",
        }
    }
}

impl Default for VariantResult {
    /// A variant of which nothing is known.
    fn default() -> Self {
        VariantResult {
            name: String::new(),
            values: Vec::new(),
            runs: Vec::new(),
            mean: f64::NAN,
            interval: (f64::NAN, f64::NAN),
            difference: None,
            gap: f64::NAN,
            epochs_to: None,
            reached: (0, 0),
            time_to_s: f64::NAN,
            time_s: f64::NAN,
            memory_bytes: None,
            spread: f64::NAN,
            diverged: 0,
            failed: 0,
            findings: Vec::new(),
            curves: Curves::default(),
        }
    }
}

/// What the sections share: the study, how numbers are written, and how much is shown.
struct View<'a> {
    study: &'a StudyPage,
    numbers: Numbers,
    /// Variants, seeds and rows of a table that are shown at most.
    most: usize,
}

impl StudyPage {
    /// The page. Where it would be too large, it shows fewer variants, seeds and rows, and says so.
    pub fn render(&self) -> String {
        let rows = self.controls.iter().chain(&self.extra).map(|table| table.rows.len());
        let runs = self.variants.iter().map(|variant| variant.runs.len());
        let sizes = rows.chain(runs).chain([self.variants.len(), self.seeds.len()]);
        let mut most = sizes.max().unwrap_or(0);
        loop {
            let html = self.render_with(most);
            if html.len() < MAX_BYTES || most <= 1 {
                return html;
            }
            most /= 2;
        }
    }

    fn render_with(&self, most: usize) -> String {
        let numbers = Numbers::new(self.metric.share, self.images);
        let view = View { study: self, numbers, most };
        let mut sections = Vec::new();
        let mut add = |id, title, body: String| {
            if !body.is_empty() {
                sections.push(Section { id, title, body });
            }
        };
        add("answer", "Answer", view.answer());
        add("controls", "Negative controls", view.tables(self.controls.as_slice()));
        add("results", if self.splits { "Every run" } else { "Every seed" }, view.every_seed());
        add("differences", "Differences", view.differences());
        add("variants", "Variants", view.variants_table());
        add("curves", "Curves", view.curves());
        add("stability", "Stability", view.stability());
        add("cost", "Cost", view.cost());
        add("runs", "Runs", view.runs_table());
        add("more", "More tables", view.tables(&self.extra));
        add("method", "How it was worked out", view.method());
        styled_page(&self.title, &self.subtitle, &sections, "", STYLE)
    }
}

impl View<'_> {
    /// The variants that are shown, with their places.
    fn shown(&self) -> impl Iterator<Item = (usize, &VariantResult)> {
        self.study.variants.iter().enumerate().take(self.most)
    }

    /// What intervals are over.
    fn block(&self) -> &'static str {
        if self.study.splits { "split" } else { "seed" }
    }

    /// A run among those of its variant.
    fn run_name(&self, run: &str) -> String {
        let run = escape(&shortened(run, 24));
        match run.split_once('/').filter(|_| self.study.splits) {
            Some((split, seed)) => format!("split {split}, seed {seed}"),
            None => format!("seed {run}"),
        }
    }

    fn baseline(&self) -> Option<&VariantResult> {
        self.study.variants.get(self.study.baseline)
    }

    /// The baseline's name in HTML; where there is none, words for it.
    fn baseline_name(&self) -> String {
        self.baseline().map_or("the baseline".into(), |variant| variant.short_name())
    }

    fn answer(&self) -> String {
        let study = self.study;
        let mut html = String::new();
        if !study.question.is_empty() {
            html += &format!("<p class=\"question\">{}</p>\n", escape(&study.question));
        }
        for (i, sentence) in study.answer.iter().enumerate() {
            let class = if i == 0 { "answer" } else { "also" };
            html += &format!("<p class=\"{class}\">{}</p>\n", escape(sentence));
        }
        let warnings: String =
            study.warnings.iter().map(|w| format!("<li><b>Note:</b> {}</li>", escape(w))).collect();
        if !warnings.is_empty() {
            html += &format!("<ul class=\"warnings\">{warnings}</ul>\n");
        }
        if study.variants.len() > self.most {
            html += &format!(
                "<p class=\"note\">Of {} variants, the first {} are shown; more would make this page too large.</p>\n",
                study.variants.len(),
                self.most
            );
        }
        html
    }
}

impl VariantResult {
    /// The name in HTML, cut where it is longer than any should be.
    fn short_name(&self) -> String {
        if self.name.trim().is_empty() {
            return "(no name)".into();
        }
        escape(&shortened(&self.name, NAME))
    }

    /// How the runs without a value ended, such as "2 diverged, 1 failed"; empty where all have one.
    fn without_value(&self) -> String {
        let mut kinds: Vec<(&str, usize)> = Vec::new();
        for run in self.runs.iter().filter(|run| !run.value.is_finite()) {
            let status = if run.status.trim().is_empty() { "without a result" } else { &run.status };
            match kinds.iter_mut().find(|(kind, _)| *kind == status) {
                Some((_, count)) => *count += 1,
                None => kinds.push((status, 1)),
            }
        }
        let words: Vec<String> = kinds
            .iter()
            .take(4)
            .map(|(kind, count)| format!("{count} {}", escape(&shortened(kind, NAME))))
            .collect();
        words.join(", ")
    }
}
