//! How often a test set was looked at, and what that does to the best of the looks.

use crate::html::escape;
use pupila_run::Summary;

/// The sentences, and how they come about; nothing where no test set was judged.
pub(crate) fn looks(summary: &Summary) -> String {
    let Summary::Evaluation(evaluation) = summary else { return String::new() };
    let Some(looks) = &evaluation.looks else { return String::new() };
    let sentences = looks.sentences().into_iter().chain(looks.trouble.clone());
    let told: String = sentences.map(|sentence| format!("<li>{}</li>", escape(&sentence))).collect();
    let mut html = format!("<ul>{told}</ul>\n");
    if looks.optimism_frac.is_some_and(|optimism| optimism > 0.0) {
        html += "<p class=\"note\">Whoever keeps the best of several models keeps what chance gave it on these images. That is at most the expected maximum of the models' errors, which is what is told: normal numbers with the covariance of which images each model has right, and as much as it is where all models are equally good. A model that is judged again is no further choice. Other programs and other machines may have looked too; nothing is known of them.</p>\n";
    }
    html
}
