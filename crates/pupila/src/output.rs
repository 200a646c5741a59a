//! What is said to people: on standard output, or on standard error where that belongs to `--json`.

use anstyle::Style;
use std::fmt::Display;
use std::io::{IsTerminal, Write};

/// The way to the user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    styled: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let terminal = if json { std::io::stderr().is_terminal() } else { std::io::stdout().is_terminal() };
        let styled = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Output { json, styled }
    }

    /// A line for people. Nothing is said any more once nobody reads it (a closed pipe).
    pub(crate) fn say(&self, line: impl Display) {
        let _ = match self.json {
            true => writeln!(std::io::stderr(), "{line}"),
            false => writeln!(std::io::stdout(), "{line}"),
        };
    }

    /// A line that must not be overlooked.
    pub(crate) fn warn(&self, line: impl Display) {
        let style = self.style(anstyle::AnsiColor::Yellow.on_default());
        self.say(format_args!("{style}warning:{style:#} {line}"));
    }

    /// The beginning of a part.
    pub(crate) fn heading(&self, text: impl Display) {
        let style = self.style(Style::new().bold());
        self.say(format_args!("\n{style}{text}{style:#}"));
    }

    fn style(&self, style: Style) -> Style {
        if self.styled { style } else { Style::new() }
    }

    /// The one object of `--json`.
    pub(crate) fn object(&self, object: &serde_json::Value) {
        if self.json {
            let _ = writeln!(std::io::stdout(), "{object:#}");
        }
    }

    /// Columns that the terminal has; 100 where it is none.
    pub(crate) fn width(&self) -> usize {
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        columns.or_else(|| terminal_width(self.json)).unwrap_or(100)
    }
}

fn terminal_width(json: bool) -> Option<usize> {
    let term = if json { console::Term::stderr() } else { console::Term::stdout() };
    term.size_checked().map(|(_, columns)| usize::from(columns))
}

/// A share as a percentage with one decimal.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
