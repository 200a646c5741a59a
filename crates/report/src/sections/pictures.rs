//! Images with what the network makes of them.

use crate::html::{escape, file_name, fixed, shortened_front};
use crate::picture::{Picture, shown, single};
use crate::run::Judged;
use crate::selection::Selection;
use pupila_metrics::argmax;
use std::fmt::Write as _;

/// What tiles are made of.
#[derive(Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) judged: &'a Judged<'a>,
    pub(crate) classes: &'a [String],
    pub(crate) pictures: &'a [&'a Picture],
}

impl Shown<'_> {
    pub(crate) fn class(&self, id: usize) -> &str {
        self.classes.get(id).map_or("", String::as_str)
    }

    fn picture(&self, sample: usize) -> Option<&Picture> {
        // The pictures are in the order of their samples.
        self.pictures.binary_search_by_key(&sample, |picture| picture.sample).ok().map(|i| self.pictures[i])
    }

    fn row(&self, sample: usize) -> Option<(&[f32], usize, usize)> {
        let predictions = self.judged.predictions;
        let k = predictions.classes();
        let row = predictions.probabilities().get(sample * k..(sample + 1) * k)?;
        Some((row, *predictions.targets().get(sample)? as usize, argmax(row) as usize))
    }

    /// An image with its probabilities, and where the answer is seen.
    fn tile(&self, sample: usize) -> Option<String> {
        let picture = self.picture(sample)?;
        let (row, target, predicted) = self.row(sample)?;
        let path = self.judged.paths.get(sample).map_or("", String::as_str);
        let share = |class: usize| format!("{:.0}\u{a0}%", 100.0 * row[class]);
        let (answer, truth) = (escape(self.class(predicted)), escape(self.class(target)));
        let words = if predicted == target {
            format!("<span class=\"r\">{answer}</span> {}, right", share(predicted))
        } else {
            format!(
                "<span class=\"w\">{answer}</span> {}, but is <b>{truth}</b> {}",
                share(predicted),
                share(target)
            )
        };
        let title = format!("{path}: {} predicted, {} true", self.class(predicted), self.class(target));
        let mut html = format!("<figure class=\"tile\">{}<figcaption>{words}", shown(picture, &title));
        let _ = write!(
            html,
            "<small title=\"{}\">loss {}, {}</small></figcaption></figure>",
            escape(path),
            fixed(self.judged.predictions.losses()[sample], 2),
            escape(&shortened_front(file_name(path), 36))
        );
        Some(html)
    }

    /// An image by itself with the answer's probability.
    pub(crate) fn small_tile(&self, sample: usize) -> Option<String> {
        self.picture(sample)?;
        let (row, _, predicted) = self.row(sample)?;
        let path = self.judged.paths.get(sample).map_or("", String::as_str);
        Some(format!(
            "<figure class=\"tile\">{}<figcaption>{:.0}\u{a0}%<small title=\"{}\">{}</small></figcaption></figure>",
            single(&format!("p{sample}"), &escape(path)),
            100.0 * row[predicted],
            escape(path),
            escape(&shortened_front(file_name(path), 18))
        ))
    }

    fn tiles(&self, samples: &[usize]) -> String {
        let tiles: String = samples.iter().filter_map(|&sample| self.tile(sample)).collect();
        if tiles.is_empty() { tiles } else { format!("<div class=\"tiles\">{tiles}</div>\n") }
    }
}

/// How the maps are to be read.
fn explained(by: Option<&str>) -> String {
    by.map_or(String::new(), |by| format!(" {}", escape(by)))
}

/// The images that the network is furthest off on.
pub(crate) fn highest_losses(shown: &Shown<'_>, selection: &Selection, by: Option<&str>) -> String {
    let tiles = shown.tiles(&selection.highest_loss);
    if tiles.is_empty() {
        let none = selection.highest_loss.is_empty() && !shown.judged.predictions.is_empty();
        return if none { "<p>No image is classified wrongly.</p>\n".into() } else { tiles };
    }
    format!(
        "<p class=\"note\">The mistakes that the network is surest of, which cost most. Among them are often wrong labels, and images that look like another class.{}</p>{tiles}",
        explained(by)
    )
}

/// Right and wrong images from everywhere between sure and unsure.
pub(crate) fn gallery(shown: &Shown<'_>, selection: &Selection, by: Option<&str>) -> String {
    let (right, wrong) = (shown.tiles(&selection.right), shown.tiles(&selection.wrong));
    if right.is_empty() && wrong.is_empty() {
        return String::new();
    }
    let mut html = format!(
        "<p class=\"note\">From the surest answers to the least sure.{} A map that lies beside the object shows that the network goes by something else.</p>",
        explained(by)
    );
    if selection.wrong.is_empty() && !selection.highest_loss.is_empty() {
        html += "<p class=\"note\">All that are wrong are shown under the highest losses.</p>";
    }
    for (name, tiles) in [("Right", right), ("Wrong, beside those of the highest losses", wrong)] {
        if !tiles.is_empty() {
            let _ = write!(html, "<h3>{name}</h3>{tiles}");
        }
    }
    html
}
