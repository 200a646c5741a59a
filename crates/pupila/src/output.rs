//! What is said to people: on standard output, or on standard error where that belongs to `--json`.

use anstyle::Style;
use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal, Write};
use std::sync::{Mutex, PoisonError};

/// The first reason for which standard output could not be written. The program has one standard output, and says at its end
/// whether all of it arrived.
static LOST: Mutex<Option<io::Error>> = Mutex::new(None);

/// Remembers that something could not be written. A closed pipe is no fault: whoever closed it has read enough.
fn note(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        LOST.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
    }
}

/// Whether all that was said on standard output arrived. To be asked once, at the end.
///
/// # Errors
/// The first reason for which some of it did not, such as a full disk.
pub(crate) fn all_written() -> io::Result<()> {
    note(io::stdout().flush());
    LOST.lock().unwrap_or_else(PoisonError::into_inner).take().map_or(Ok(()), Err)
}

/// What clap has to say: help on standard output, mistakes on standard error.
pub(crate) fn print_help(help: &clap::Error) {
    let written = help.print();
    if !help.use_stderr() {
        note(written);
    }
}

/// The way to the user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    styled: bool,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let terminal = if json { io::stderr().is_terminal() } else { io::stdout().is_terminal() };
        let styled = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Output { json, styled }
    }

    /// A line for people. What cannot be written is told at the end ([`all_written`]); beside `--json` it is no result, and is let go.
    pub(crate) fn say(&self, line: impl Display) {
        self.write("", line, "");
    }

    /// A line, with what sets its style before it and after it.
    fn write(&self, before: impl Display, line: impl Display, after: impl Display) {
        let line = without_controls(&line.to_string());
        match self.json {
            true => {
                let _ = writeln!(io::stderr(), "{before}{line}{after}");
            }
            false => note(writeln!(io::stdout(), "{before}{line}{after}")),
        }
    }

    /// A line that must not be overlooked.
    pub(crate) fn warn(&self, line: impl Display) {
        let style = self.style(anstyle::AnsiColor::Yellow.on_default());
        self.write(format_args!("{style}warning:{style:#} "), line, "");
    }

    /// The beginning of a part.
    pub(crate) fn heading(&self, text: impl Display) {
        let style = self.style(Style::new().bold());
        self.write(format_args!("\n{style}"), text, format_args!("{style:#}"));
    }

    fn style(&self, style: Style) -> Style {
        if self.styled { style } else { Style::new() }
    }

    /// The one object of `--json`.
    pub(crate) fn object(&self, object: &serde_json::Value) {
        if self.json {
            note(writeln!(io::stdout(), "{object:#}"));
        }
    }

    /// Columns that a line may have: those of a terminal, or of `COLUMNS`; none where lines go to a file or a program, which cut nothing.
    pub(crate) fn limit(&self) -> Option<usize> {
        let columns = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
        columns.or_else(|| terminal_width(self.json))
    }

    /// Columns that the terminal has; 100 where it is none.
    pub(crate) fn width(&self) -> usize {
        self.limit().unwrap_or(100)
    }
}

/// A text whose control characters, which names of files may hold, do nothing to a terminal; lines stay lines.
pub(crate) fn without_controls(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { ' ' } else { c }).collect()
}

fn terminal_width(json: bool) -> Option<usize> {
    let term = if json { console::Term::stderr() } else { console::Term::stdout() };
    term.size_checked().map(|(_, columns)| usize::from(columns))
}

/// A share as a percentage with one decimal.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}
