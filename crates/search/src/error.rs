//! What is wrong with a space, or with a search that uses it.

use std::fmt;

/// One mistake: where, what is wrong, what to type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchFault {
    /// The place, such as `space.toml, space."optimizer.lr"`.
    pub place: String,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for SearchFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

/// All mistakes, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchErrors(pub Vec<SearchFault>);

impl fmt::Display for SearchErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SearchErrors {}
