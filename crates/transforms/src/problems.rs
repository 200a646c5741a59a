//! All that can be wrong with what a recipe says of transforms, and where in the recipe it stands.

use crate::{Range, RangeKind, WholeRange};

/// What is wrong with a configuration.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    /// A name that does not exist.
    #[error("unknown {kind} `{name}`{}; expected {}", did_you_mean(suggestion.as_deref()), valid.join(", "))]
    Unknown {
        /// What is named: a transform or a parameter.
        kind: &'static str,
        /// The name given.
        name: String,
        /// The most similar valid name, if one is similar.
        suggestion: Option<String>,
        /// All valid names.
        valid: Vec<String>,
    },
    /// A value of another type than the parameter's.
    #[error("{0}")]
    Type(String),
    /// A value of the right type that is out of range.
    #[error("expected {expected}, got {got}")]
    Range {
        /// What would be right.
        expected: String,
        /// The value given.
        got: String,
    },
    /// A transform of the caller's own under the name of another one.
    #[error("`{name}` is a transform of Pupila's: give your own another name")]
    Taken {
        /// The name.
        name: String,
    },
    /// More transforms than the key of their random numbers can tell apart.
    #[error("expected at most 65535 transforms, got {got}")]
    TooMany {
        /// Transforms given.
        got: usize,
    },
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

impl Problem {
    pub(crate) fn unknown(kind: &'static str, name: &str, valid: Vec<String>) -> Self {
        // Users of Albumentations write HorizontalFlip: compare without case and underscores.
        let plain = |name: &str| name.replace(['_', '-'], "").to_lowercase();
        let suggestion = valid
            .iter()
            .map(|candidate| (strsim::jaro_winkler(&plain(name), &plain(candidate)), candidate))
            .filter(|&(similarity, _)| similarity > 0.8)
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|(_, candidate)| candidate.clone());
        Problem::Unknown { kind, name: name.to_owned(), suggestion, valid }
    }
}

/// A problem and where in the recipe it is.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{path}: {problem}")]
pub struct ConfigError {
    /// The place, such as `transforms[1].random_brightness_contrast.p`.
    pub path: String,
    /// What is wrong there.
    pub problem: Problem,
}

fn bounds(low: f64, high: f64) -> String {
    match (low.is_finite(), high.is_finite()) {
        (true, true) => format!("from {low} to {high}"),
        (true, false) => format!("of at least {low}"),
        (false, true) => format!("of at most {high}"),
        (false, false) => "that is finite".to_owned(),
    }
}

/// All the problems of a configuration, a line each.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigErrors(pub Vec<ConfigError>);

/// Collects problems while a configuration is checked, and knows the place that is being checked.
#[derive(Debug)]
pub struct Problems {
    path: String,
    errors: Vec<ConfigError>,
}

impl Problems {
    /// None yet, at `path`.
    pub fn new(path: &str) -> Self {
        Problems { path: path.to_owned(), errors: Vec::new() }
    }

    /// Records a problem of the place being checked.
    pub fn push(&mut self, problem: Problem) {
        self.errors.push(ConfigError { path: self.path.clone(), problem });
    }

    /// Records a parameter that is out of range.
    pub fn refuse(&mut self, parameter: &str, expected: &str, got: &dyn std::fmt::Display) {
        let problem = Problem::Range { expected: expected.to_owned(), got: got.to_string() };
        self.within(&format!(".{parameter}"), |problems| problems.push(problem));
    }

    /// Records a range whose ends are not finite or not in order.
    pub fn range<K: RangeKind>(&mut self, parameter: &str, range: &Range<K>) {
        if !range.is_ordered() {
            self.refuse(parameter, "[low, high] with low <= high", range);
        }
    }

    /// Records a range that is not in order within `low..=high`; an infinite bound is none.
    pub fn range_within<K: RangeKind>(&mut self, parameter: &str, range: &Range<K>, low: f64, high: f64) {
        if !range.is_within(low, high) {
            let expected = format!("[low, high] with low <= high, {}", bounds(low, high));
            self.refuse(parameter, &expected, range);
        }
    }

    /// Records a number that is not within `low..=high`; an infinite bound is none.
    pub fn number_within(&mut self, parameter: &str, number: f64, low: f64, high: f64) {
        if !(number.is_finite() && number >= low && number <= high) {
            self.refuse(parameter, &format!("a number {}", bounds(low, high)), &number);
        }
    }

    /// Records whole numbers that are not in order within `low..=high`.
    pub fn whole_range_within<K: RangeKind>(
        &mut self,
        parameter: &str,
        range: &WholeRange<K>,
        low: i64,
        high: i64,
    ) {
        if !range.is_within(low, high) {
            let expected = format!("[low, high] with low <= high, from {low} to {high}");
            self.refuse(parameter, &expected, range);
        }
    }

    /// Checks a place inside the present one; `segment` is appended to the path, such as `.p` or `[3]`.
    pub fn within<R>(&mut self, segment: &str, check: impl FnOnce(&mut Problems) -> R) -> R {
        let length = self.path.len();
        self.path += segment;
        let result = check(self);
        self.path.truncate(length);
        result
    }

    /// How many there are so far.
    pub(crate) fn count(&self) -> usize {
        self.errors.len()
    }

    /// How many compositions the place being checked is in.
    pub(crate) fn depth(&self) -> usize {
        self.path.matches(".transforms").count()
    }

    /// The value, or all the problems.
    ///
    /// # Errors
    /// Where there is any problem.
    pub fn into_result<T>(self, value: T) -> Result<T, ConfigErrors> {
        if self.errors.is_empty() { Ok(value) } else { Err(ConfigErrors(self.errors)) }
    }
}
