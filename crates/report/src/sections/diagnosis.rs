//! What was found wrong with the training while it went on: the findings of `summary.json`.

use crate::html::escape;
use serde_json::Value;
use std::fmt::Write as _;

fn findings(summary: &Value) -> &[Value] {
    summary["diagnosis"].as_array().map_or(&[], Vec::as_slice)
}

/// Whether a finding of a kind was made.
pub(crate) fn was_found(summary: &Value, kind: &str) -> bool {
    findings(summary).iter().any(|finding| finding["kind"] == kind)
}

/// A list of findings, each with its evidence and what to do; nothing where there are none.
pub(crate) fn diagnosis(summary: &Value) -> String {
    let findings = findings(summary);
    if findings.is_empty() {
        return String::new();
    }
    let mut html = String::from("<dl class=\"verdict\">");
    for finding in findings {
        let text = |key: &str| escape(finding[key].as_str().unwrap_or_default());
        let when = match finding["epoch"].as_u64() {
            None | Some(0) => "before the first epoch".to_owned(),
            Some(epoch) => format!("epoch {epoch}"),
        };
        let (kind, message, suggestion) =
            (text("kind").replace('_', " "), text("message"), text("suggestion"));
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
