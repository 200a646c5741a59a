//! The patterns of `exclude`: a small glob, with the reach of a `.gitignore` line. And the lines of `exclude_list`, which are paths as they are.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ScanError;

/// The patterns of one scan, which remember whether they matched, so that a mistyped one can be reported.
pub(crate) struct Patterns<'a> {
    patterns: Vec<(&'a str, AtomicBool)>,
    listed: HashMap<String, AtomicBool>,
    list: Option<PathBuf>,
}

impl<'a> Patterns<'a> {
    pub(crate) fn new(patterns: &'a [String]) -> Self {
        let patterns = patterns.iter().map(|p| (p.as_str(), AtomicBool::new(false))).collect();
        Patterns { patterns, listed: HashMap::new(), list: None }
    }

    /// The same, with the paths of a file beside them: one in each line, below the root. Empty lines and those that begin with `#` are
    /// passed over.
    pub(crate) fn with_list(self, list: Option<&Path>) -> Result<Self, ScanError> {
        let Some(list) = list else { return Ok(self) };
        let read = |source| ScanError::Read { path: list.to_owned(), source };
        let text = String::from_utf8(crate::read_file(list).map_err(read)?).map_err(|_| {
            read(std::io::Error::other("it is no UTF-8 text, but a list of paths, one in each line"))
        })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let listed = lines.map(|line| (line.trim_start_matches("./").to_owned(), AtomicBool::new(false)));
        Ok(Patterns { listed: listed.collect(), list: Some(list.to_owned()), ..self })
    }

    /// Whether a pattern leaves out the file or folder at `relative` (a path below the root), itself or with a folder
    /// that it is in.
    pub(crate) fn exclude(&self, relative: &Path) -> bool {
        if self.patterns.is_empty() && self.listed.is_empty() {
            return false;
        }
        let parts: Vec<_> = relative
            .components()
            .filter(|part| !matches!(part, Component::CurDir))
            .map(|part| part.as_os_str().to_string_lossy())
            .collect();
        let mut excluded = self.lists(relative);
        for (pattern, used) in &self.patterns {
            let matches = if pattern.trim_end_matches('/').contains('/') {
                let pattern = pattern.trim_matches('/');
                (1..=parts.len()).any(|n| glob(pattern.as_bytes(), parts[..n].join("/").as_bytes()))
            } else {
                parts.iter().any(|part| glob(pattern.trim_end_matches('/').as_bytes(), part.as_bytes()))
            };
            if matches {
                used.store(true, Ordering::Relaxed);
                excluded = true;
            }
        }
        excluded
    }

    /// Whether the list has the file at `relative`.
    pub(crate) fn lists(&self, relative: &Path) -> bool {
        if self.listed.is_empty() {
            return false;
        }
        let parts = relative.components().filter(|part| !matches!(part, Component::CurDir));
        let parts: Vec<_> = parts.map(|part| part.as_os_str().to_string_lossy()).collect();
        let used = self.listed.get(&parts.join("/"));
        used.inspect(|used| used.store(true, Ordering::Relaxed)).is_some()
    }

    /// The list, and how many of its paths never matched, with one of them, where there are such.
    pub(crate) fn unlisted(&self) -> Option<(&Path, usize, &str)> {
        let unused = self
            .listed
            .iter()
            .filter(|(_, used)| !used.load(Ordering::Relaxed))
            .map(|(path, _)| path.as_str());
        let first = unused.clone().min()?;
        Some((self.list.as_deref()?, unused.count(), first))
    }

    /// The patterns that never matched.
    pub(crate) fn unmatched(&self) -> impl Iterator<Item = &'a str> {
        self.patterns.iter().filter(|(_, used)| !used.load(Ordering::Relaxed)).map(|(pattern, _)| *pattern)
    }
}

/// Whether a name fits a pattern.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    glob(pattern.as_bytes(), name.as_bytes())
}

/// Whether all of `text` fits `pattern`. Backtracking to the last star only, so the time is at most their product for
/// `*`, and a pattern of many `**` stays polynomial.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go back to: after a star in the pattern, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    let mut double: Option<(usize, usize)> = None;
    loop {
        match pattern.get(p) {
            Some(b'*') if pattern.get(p + 1) == Some(&b'*') => {
                p += 2;
                // "**/" also stands for no folder at all.
                if pattern.get(p) == Some(&b'/') && (t == 0 || text[t - 1] == b'/') {
                    p += 1;
                }
                (double, star) = (Some((p, t)), None);
                continue;
            }
            Some(b'*') => {
                p += 1;
                star = Some((p, t));
                continue;
            }
            Some(&c) if t < text.len() && (c == text[t] || (c == b'?' && text[t] != b'/')) => {
                // A question mark is one character, which may be several bytes.
                t += if c == b'?' { char_len(text[t]) } else { 1 };
                p += 1;
                continue;
            }
            None if t == text.len() => return true,
            _ => {}
        }
        let single = star.filter(|&(_, taken)| taken < text.len() && text[taken] != b'/');
        let (resume, taken) = match (single, double.filter(|&(_, taken)| taken < text.len())) {
            (Some(at), _) => {
                star = Some((at.0, at.1 + 1));
                (at.0, at.1 + 1)
            }
            (None, Some(at)) => {
                (double, star) = (Some((at.0, at.1 + 1)), None);
                (at.0, at.1 + 1)
            }
            (None, None) => return false,
        };
        (p, t) = (resume, taken);
    }
}

fn char_len(first: u8) -> usize {
    match first {
        0xF0.. => 4,
        0xE0.. => 3,
        0xC0.. => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_texts() {
        for (pattern, text, expected) in [
            ("cat", "cat", true),
            ("cat", "cats", false),
            ("c?t", "cat", true),
            ("c?t", "cät", true),
            ("c?t", "ct", false),
            ("*", "anything.jpg", true),
            ("*", "a/b", false),
            ("**", "a/b", true),
            ("*.jpg", "a.jpg", true),
            ("*.jpg", "a.jpg.jpg", true),
            ("*.jpg", "a.png", false),
            ("train/*/x*", "train/cat/x1.jpg", true),
            ("train/*/x*", "train/cat/sub/x1.jpg", false),
            ("train/**/x*", "train/cat/sub/x1.jpg", true),
            ("**/x*", "x1.jpg", true),
            ("**/x*", "a/b/x1.jpg", true),
            ("a*b*c", "aXbXbXc", true),
            ("a*b*c", "aXbXbXd", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
        assert!(!glob("*a".repeat(50).as_bytes(), "b".repeat(2000).as_bytes()));
    }

    #[test]
    fn a_pattern_reaches_what_a_gitignore_line_would() {
        for (pattern, path, expected) in [
            ("cat", "train/cat/1.jpg", true),
            ("cat/", "train/cat/1.jpg", true),
            ("cat", "train/cats/1.jpg", false),
            ("train/cat", "train/cat/1.jpg", true),
            ("train/cat", "val/cat/1.jpg", false),
            ("/cat", "cat/1.jpg", true),
            ("/cat", "train/cat/1.jpg", false),
            ("*_old.*", "cat/1_old.png", true),
        ] {
            let patterns = [pattern.to_owned()];
            let patterns = Patterns::new(&patterns);
            assert_eq!(patterns.exclude(Path::new(path)), expected, "{pattern} {path}");
            assert_eq!(patterns.unmatched().count(), usize::from(!expected));
        }
    }
}
