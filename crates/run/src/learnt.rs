//! What a run began from: learnt weights, with what is known of them.

use serde::{Deserialize, Serialize};

/// Learnt weights that a run began from. It stands in the summary and in the model file, so that whoever has the model knows under which terms it may be
/// used.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LearntFrom {
    /// Their name: that of the run, as their authors call them, or that of the file.
    pub name: String,
    /// The file, or the run's folder, as it was named.
    pub path: String,
    /// SHA-256 of the file that has the tensors, in hexadecimal.
    pub sha256: String,
    /// What they were trained on; empty where nobody says.
    pub trained_on: String,
    /// The licence that those who publish them state; empty where that is not known.
    pub licence: String,
    /// What these were made from in their turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learnt_from: Option<Box<LearntFrom>>,
    /// Whether it is not known which images they were trained on, though they are of a run of this program, or of one that began from such.
    #[serde(skip_serializing_if = "is_false")]
    pub images_unknown: bool,
    /// What fitted, in a sentence.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fitted: String,
}

#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_false(value: &bool) -> bool {
    !value
}

impl LearntFrom {
    /// What they are, what they were trained on and under which licence, a sentence each for them and for what they were made from.
    pub fn sentences(&self) -> Vec<String> {
        let or = |text: &str, otherwise: &str| {
            if text.is_empty() { otherwise.to_owned() } else { text.to_owned() }
        };
        let mut said = vec![format!(
            "{}: trained on {}; licence: {}; SHA-256 {}",
            self.name,
            or(&self.trained_on, "data that the file does not name"),
            or(&self.licence, "not known"),
            self.sha256
        )];
        said.extend(
            self.learnt_from
                .iter()
                .flat_map(|before| before.sentences())
                .map(|of| format!("which began from {of}")),
        );
        said
    }
}
