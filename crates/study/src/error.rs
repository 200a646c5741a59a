//! What is wrong with a study.

use std::fmt;

/// A mistake in a study: where, what is wrong, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudyFault {
    /// The key, variant or option, such as `crossed."model.dropout"`; empty where the message names it.
    pub place: String,
    /// What is wrong, what would be right.
    pub message: String,
}

impl StudyFault {
    /// A fault at a place.
    pub fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        StudyFault { place: place.into(), message: message.into() }
    }
}

impl fmt::Display for StudyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.is_empty() {
            true => f.write_str(&self.message),
            false => write!(f, "{}: {}", self.place, self.message),
        }
    }
}

/// All mistakes of a study, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudyErrors(pub Vec<StudyFault>);

impl fmt::Display for StudyErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, fault) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for StudyErrors {}
