//! The page of a comparison of runs.

use crate::MAX_BYTES;
use crate::chart::{Chart, Series};
use crate::html::{
    Section, count, counted, escape, file_name, fixed, page, percent, shortened, shortened_front, stacked,
};
use crate::picture::{image_sprite, single};
use crate::run::EpochPoint;
use pupila_image::Image;
use std::fmt::Write as _;

/// Runs side by side.
#[derive(Debug, Default)]
pub struct Comparison {
    /// The runs, the first one being what the others are compared with.
    pub runs: Vec<ComparedRun>,
    /// Keys of the recipe that differ, each with its value in every run; none where a run does not have it.
    pub differences: Vec<(String, Vec<Option<String>>)>,
    /// The metrics.
    pub metrics: Vec<MetricRow>,
    /// The metric that is tested, such as `accuracy`.
    pub tested_metric: String,
    /// Over what the tests are, such as "60 images" or "12 groups of images".
    pub over: String,
    /// The tests of each run against the first, by the same images.
    pub tests: Vec<PairTest>,
    /// What was found, in plain sentences.
    pub findings: Vec<String>,
    /// What to type for an answer that the tests do not give, after the last finding.
    pub command: Option<String>,
    /// Why there are no pictures of the images that flipped, if so.
    pub without_pictures: Option<String>,
}

/// A run of a comparison.
#[derive(Debug, Default)]
pub struct ComparedRun {
    /// Its name, unique among the runs.
    pub name: String,
    /// What it was judged on, such as "60 images".
    pub judged: String,
    /// Its epochs, where they are known.
    pub epochs: Vec<EpochPoint>,
}

/// A metric of all runs.
#[derive(Debug)]
pub struct MetricRow {
    /// Its name.
    pub name: String,
    /// Whether higher is better.
    pub higher_is_better: bool,
    /// Whether it is a share, shown as a percentage.
    pub share: bool,
    /// The value of each run; NaN where undefined.
    pub values: Vec<f64>,
}

/// A run against the first.
#[derive(Debug)]
pub struct PairTest {
    /// Its place among the runs.
    pub run: usize,
    /// Images that only the first has right, and that only this one has right.
    pub discordant: (u64, u64),
    /// The difference of the metric that is tested.
    pub tested: Tested,
    /// Some images that only one of the two has right.
    pub flips: Vec<Flip>,
}

/// What a test says of a difference.
#[derive(Debug, Clone, PartialEq)]
pub enum Tested {
    /// A difference with its interval and p-value, both adjusted for all runs that are compared, so that they agree.
    Known {
        /// The metric of the run less that of the first.
        value: f64,
        /// The lower limit.
        low: f64,
        /// The upper limit.
        high: f64,
        /// Before the adjustment.
        p_value: f64,
        /// The adjusted p-value.
        adjusted: f64,
    },
    /// There is no test, and why.
    Untold(String),
}

impl Tested {
    /// Whether it is beyond what other images of this kind would change.
    pub fn is_beyond_noise(&self) -> bool {
        matches!(self, Tested::Known { low, high, .. } if *low > 0.0 || *high < 0.0)
    }
}

/// An image that one run has right and the other wrong.
#[derive(Debug)]
pub struct Flip {
    /// Its path.
    pub path: String,
    /// Its class.
    pub label: String,
    /// What each run answers, and how sure it is.
    pub answers: [(String, f64); 2],
    /// Whether the other run has it right, and the first wrong.
    pub gained: bool,
    /// The image, where it could be read.
    pub image: Option<Image>,
}

impl Comparison {
    /// The page. Where it would be too large, it has fewer pictures.
    pub fn render(&self) -> String {
        let mut most = usize::MAX;
        loop {
            let (html, pictures) = self.render_with(most);
            if html.len() < MAX_BYTES || pictures == 0 {
                return html;
            }
            most = pictures / 2;
        }
    }

    fn render_with(&self, most: usize) -> (String, usize) {
        let mut sprites = Sprites { definitions: String::new(), count: 0, most };
        let mut sections = vec![Section { id: "verdict", title: "Verdict", body: self.verdict() }];
        let mut add = |id, title, body: String| {
            if !body.is_empty() {
                sections.push(Section { id, title, body });
            }
        };
        add("recipes", "What differs", self.recipes());
        add("metrics", "Metrics", self.metrics_table());
        add("tests", "Image by image", self.tests_table());
        add("curves", "Curves", self.curves());
        add("flips", "Images that flipped", self.flips(&mut sprites));
        let names: Vec<&str> = self.runs.iter().map(|run| run.name.as_str()).collect();
        let title = format!("Comparison of {}", names.join(", "));
        let judged = self.runs.first().map_or("", |run| run.judged.as_str());
        let subtitle =
            format!("Each run is compared with {}, judged on {judged}.", names.first().unwrap_or(&""));
        (page(&title, &subtitle, &sections, &sprites.definitions), sprites.count)
    }

    fn name(&self, run: usize) -> String {
        self.runs.get(run).map_or(String::new(), |run| escape(&run.name))
    }

    fn verdict(&self) -> String {
        let sentence = |(i, finding): (usize, &String)| {
            format!("<p{}>{}</p>", if i == 0 { " class=\"lead\"" } else { "" }, escape(finding))
        };
        let mut text: String = self.findings.iter().enumerate().map(sentence).collect();
        if let Some(command) = &self.command {
            let _ = write!(text, "<pre><code>{}</code></pre>", escape(command));
        }
        text
    }

    /// A table with a column for each run.
    fn by_run(&self, first: &str, rows: &str) -> String {
        let names: Vec<String> = self.runs.iter().map(|run| escape(&run.name)).collect();
        let heads: Vec<&str> = [first].into_iter().chain(names.iter().map(String::as_str)).collect();
        stacked(&heads, rows)
    }

    fn recipes(&self) -> String {
        if self.differences.is_empty() {
            return "<p>The recipes are the same.</p>\n".into();
        }
        let mut rows = String::new();
        for (key, values) in &self.differences {
            let _ = write!(rows, "<tr><td><code>{}</code></td>", escape(key));
            for value in values {
                let _ = write!(
                    rows,
                    "<td class=\"value\">{}</td>",
                    value.as_ref().map_or("–".into(), |v| escape(&shortened(v, 120)))
                );
            }
            rows += "</tr>";
        }
        format!(
            "{}<p class=\"note\">Only keys of the recipes that differ; – where a key is not set.</p>\n",
            self.by_run("key", &rows)
        )
    }

    fn metrics_table(&self) -> String {
        let mut rows = String::new();
        for row in &self.metrics {
            let _ = write!(rows, "<tr><td>{}</td>", escape(&row.name));
            let first = row.values.first().copied().unwrap_or(f64::NAN);
            for (run, &value) in row.values.iter().enumerate() {
                let shown = if row.share { percent(value) } else { fixed(value, 4) };
                let difference = value - first;
                if run == 0 || !difference.is_finite() {
                    let _ = write!(rows, "<td>{shown}</td>");
                    continue;
                }
                let class = match difference {
                    0.0 => "muted",
                    d if (d > 0.0) == row.higher_is_better => "better",
                    _ => "worse",
                };
                let by = if row.share {
                    format!("{:+.1}", 100.0 * difference)
                } else {
                    format!("{difference:+.4}")
                };
                let _ = write!(rows, "<td>{shown} <span class=\"{class}\">{by}</span></td>");
            }
            rows += "</tr>";
        }
        format!(
            "{}<p class=\"note\">Differences are from the first run, of percentages in points; blue-green is better, orange worse. Whether a difference is more than noise is told by the tests, in the section after this one.</p>\n",
            self.by_run("metric", &rows)
        )
    }

    fn tests_table(&self) -> String {
        if self.tests.is_empty() {
            return String::new();
        }
        let several = self.tests.len() > 1;
        let mut rows = String::new();
        for test in &self.tests {
            let _ = write!(
                rows,
                "<tr><td>{}</td><td>{}</td><td>{}</td>",
                self.name(test.run),
                count(test.discordant.0),
                count(test.discordant.1),
            );
            match &test.tested {
                Tested::Known { value, low, high, adjusted, .. } => {
                    let _ = write!(
                        rows,
                        "<td>{:+.1}</td><td>{:+.1} to {:+.1}</td><td>{}</td><td>{}</td></tr>",
                        100.0 * value,
                        100.0 * low,
                        100.0 * high,
                        interval(*value, *low, *high),
                        p_value(*adjusted),
                    );
                }
                Tested::Untold(why) => {
                    let _ = write!(rows, "<td colspan=\"4\" class=\"text\">{}</td></tr>", escape(why));
                }
            }
        }
        let adjustment = if several {
            " Intervals and p-values are adjusted together for all runs compared (Šidák), so that a false alarm among all of them stays as unlikely as in one test."
        } else {
            ""
        };
        let only = format!("only {} right", self.name(0));
        let points = format!("{}, points", escape(&self.tested_metric.replace('_', " ")));
        let heads = ["run", &only, "only it right", &points, "95&nbsp;% interval", "around 0", "p"];
        let table = stacked(&heads, &rows);
        format!(
            "{table}\n\
             <p class=\"note\">The difference of the {0} over {1}. An interval that holds 0, and a p of 0.05 or more, say the same: other images of this kind could turn the difference round.{adjustment} The other metrics, in the table of metrics, are not tested: <code>--metric</code> chooses another one, before the numbers are looked at.</p>\n",
            escape(&self.tested_metric.replace('_', " ")),
            escape(&self.over),
        )
    }

    fn curves(&self) -> String {
        let chart = |heading: &str, title: &str, share, of: fn(&EpochPoint) -> f64, caption: &str| {
            let series = |(place, run): (usize, &ComparedRun)| Series {
                name: run.name.clone(),
                color: 1 + place % 6,
                dashed: place >= 6,
                points: run.epochs.iter().map(|epoch| (f64::from(epoch.epoch), of(epoch))).collect(),
            };
            let with = self.runs.iter().enumerate().filter(|(_, run)| !run.epochs.is_empty());
            Chart {
                heading: heading.into(),
                title: title.into(),
                x_label: "epoch",
                whole_x: true,
                shares: (false, share),
                series: with.map(series).collect(),
                caption: caption.into(),
                ..Chart::default()
            }
            .figure()
        };
        let charts = [
            chart(
                "Validation loss",
                "Validation loss of all runs",
                false,
                |e| e.val_loss,
                "The lowest point is what a run can reach; where a curve turns upwards, it overfits.",
            ),
            chart(
                "Validation accuracy",
                "Validation accuracy of all runs",
                true,
                |e| e.val_accuracy,
                "Curves that cross again and again are within noise.",
            ),
            chart(
                "Training loss",
                "Training loss of all runs",
                false,
                |e| e.train_loss,
                "How fast each run learns its training images.",
            ),
            chart(
                "Learning rate",
                "Learning rate of all runs",
                false,
                |e| e.lr,
                "The rate of each epoch's last update.",
            ),
        ];
        let figures = charts.concat();
        if figures.is_empty() { figures } else { format!("<div class=\"grid\">{figures}</div>\n") }
    }

    fn flips(&self, sprites: &mut Sprites) -> String {
        let mut html = String::new();
        for test in &self.tests {
            for (gained, words) in
                [(true, "is right where the first is wrong"), (false, "is wrong where the first is right")]
            {
                let n = if gained { test.discordant.1 } else { test.discordant.0 };
                let of: Vec<&Flip> = test.flips.iter().filter(|flip| flip.gained == gained).collect();
                if of.is_empty() {
                    continue;
                }
                let some =
                    if (of.len() as u64) < n { format!(", {} shown", of.len()) } else { String::new() };
                let _ = write!(
                    html,
                    "<h3>{} {words}: {}{some}</h3><div class=\"tiles flips\">",
                    self.name(test.run),
                    counted(n, "image")
                );
                for flip in of {
                    html += &self.flip(flip, test.run, sprites);
                }
                html += "</div>\n";
            }
        }
        if html.is_empty() && !self.tests.is_empty() {
            return "<p>No image is right in one run and wrong in another.</p>\n".into();
        }
        match &self.without_pictures {
            Some(why) if !html.is_empty() => format!("<p class=\"note\">{}</p>{html}", escape(why)),
            _ => html,
        }
    }

    fn flip(&self, flip: &Flip, run: usize, sprites: &mut Sprites) -> String {
        let id = flip.image.as_ref().and_then(|image| sprites.add(image));
        let picture = id.map_or(String::new(), |id| single(&id, &escape(&flip.path)));
        let answer = |place: usize| {
            let (class, confidence) = &flip.answers[place];
            let right = (place == 1) == flip.gained;
            format!(
                "<small>{} answers</small><span class=\"{}\">{}</span> {:.0}\u{a0}%",
                self.name(if place == 0 { 0 } else { run }),
                if right { "r" } else { "w" },
                escape(class),
                100.0 * confidence
            )
        };
        format!(
            "<figure class=\"tile\">{picture}<figcaption>is <b>{}</b>{}{}<small title=\"{}\">{}</small></figcaption></figure>",
            escape(&flip.label),
            answer(0),
            answer(1),
            escape(&flip.path),
            escape(&shortened_front(file_name(&flip.path), 20))
        )
    }
}

/// Pictures by ids, no more than a number.
struct Sprites {
    definitions: String,
    count: usize,
    most: usize,
}

impl Sprites {
    fn add(&mut self, image: &Image) -> Option<String> {
        if self.count >= self.most {
            return None;
        }
        let id = format!("f{}", self.count);
        self.definitions += &image_sprite(&id, image)?;
        self.count += 1;
        Some(id)
    }
}

/// A p-value as papers write it.
pub(crate) fn p_value(p: f64) -> String {
    match p {
        p if p < 0.0001 => "&lt; 0.0001".into(),
        p if p < 0.01 => format!("{p:.4}"),
        p => format!("{p:.3}"),
    }
}

/// An interval on a line around zero.
fn interval(value: f64, low: f64, high: f64) -> String {
    let most = low.abs().max(high.abs()).max(1e-9) * 1.1;
    let x = |v: f64| 60.0 + 58.0 * v / most;
    if !(low.is_finite() && high.is_finite()) {
        return String::new();
    }
    format!(
        "<svg viewBox=\"0 0 120 14\" style=\"width:7.5rem;height:.9rem\" role=\"img\"><title>the interval around zero</title>\
         <line class=\"axis\" x1=\"60\" x2=\"60\" y1=\"0\" y2=\"14\"/>\
         <line class=\"s1\" x1=\"{:.1}\" x2=\"{:.1}\" y1=\"7\" y2=\"7\" style=\"stroke-width:3\"/><circle class=\"f1\" cx=\"{:.1}\" cy=\"7\" r=\"4\"/></svg>",
        x(low),
        x(high),
        x(value)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_said_is_escaped_and_pictures_are_bounded() {
        let image = |seed: u32| {
            let pixels =
                (0..112 * 112 * 3u32).map(|i| (i.wrapping_mul(2_654_435_761 + seed) >> 13) as u8).collect();
            Some(Image::new(112, 112, 3, pixels).unwrap())
        };
        let flip = |i: u32| Flip {
            path: format!("<img src=x onerror=alert({i})>"),
            label: "<b>".into(),
            answers: [("\"".into(), 0.5), ("a".into(), 0.6)],
            gained: i.is_multiple_of(2),
            image: image(i),
        };
        let run =
            |name: &str| ComparedRun { name: name.into(), judged: "9 images".into(), epochs: Vec::new() };
        let comparison = Comparison {
            runs: vec![run("<script>"), run("b")],
            differences: vec![("model.<i>".into(), vec![Some("<u>".into()), None])],
            metrics: vec![MetricRow {
                name: "accuracy".into(),
                higher_is_better: true,
                share: true,
                values: vec![0.5, 0.6],
            }],
            tests: vec![PairTest {
                run: 1,
                discordant: (200, 200),
                tested: Tested::Known {
                    value: 0.1,
                    low: 0.05,
                    high: 0.2,
                    p_value: 0.00001,
                    adjusted: 0.00002,
                },
                flips: (0..300).map(flip).collect(),
            }],
            tested_metric: "accuracy".into(),
            over: "9 images".into(),
            findings: vec!["a < b & c".into()],
            command: Some("printf '<a>'".into()),
            without_pictures: None,
        };
        let html = comparison.render();
        assert!(html.len() < MAX_BYTES, "{}", html.len());
        assert!(html.matches("<image").count() > 20);
        for hostile in ["<script>", "<img src=x", "<u>", "<i>"] {
            assert!(!html.contains(hostile), "{hostile}");
        }
        assert!(html.contains("a &lt; b &amp; c") && html.contains("&lt; 0.0001") && html.contains("+10.0"));
    }
}
