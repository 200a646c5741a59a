//! What was found wrong with the training while it went on: the findings of `summary.json`.

use crate::html::escape;
use pupila_run::Summary;
use std::fmt::Write as _;

/// A list of findings, each with its evidence and what to do; nothing where there are none.
pub(crate) fn diagnosis(summary: &Summary) -> String {
    let findings = summary.diagnosis();
    if findings.is_empty() {
        return String::new();
    }
    let mut html = String::from("<dl class=\"verdict\">");
    for finding in findings {
        let when = match finding.epoch {
            0 => "before the first epoch".to_owned(),
            epoch => format!("epoch {epoch}"),
        };
        let kind = escape(&finding.kind).replace('_', " ");
        let (message, suggestion) = (escape(&finding.message), escape(&finding.suggestion));
        let _ = write!(html, "<dt>{kind}, {when}</dt><dd>{message}");
        if !suggestion.is_empty() {
            // Some suggestions are a whole sentence of their own in the terminal.
            let suggestion = suggestion.strip_prefix("try ").unwrap_or(&suggestion);
            let _ = write!(html, "<br>What to try: {suggestion}");
        }
        html += "</dd>";
    }
    html + "</dl>\n<p class=\"note\">Found while training went on, each once, with the evidence of that moment.</p>\n"
}
