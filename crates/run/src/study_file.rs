//! `study.json`: which runs of a folder belong together, what varies among them, and what they say.

use crate::error::{RunFileError, damaged, object, refuse_newer, text};
use crate::write::write_durably;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::io;
use std::path::{Path, PathBuf};

/// A study: variants, each trained with several seeds. Its runs are folders beside the file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StudyFile {
    /// The study's name.
    pub study: String,
    /// What it asks.
    pub question: String,
    /// The metric that is compared, by its bare name.
    pub metric: String,
    /// The variant that the others are compared with.
    pub baseline: String,
    /// Where the images are.
    pub data: String,
    /// Changes with the images, their labels or their splits; in hexadecimal.
    pub fingerprint: String,
    /// The variant whose data that is.
    pub fingerprinted: String,
    /// Which models stay: `all`, `best` or `none`.
    pub keep: String,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The seeds of the splits.
    pub splits: Vec<u64>,
    /// Whether each seed draws the images anew that `data.fraction` and `data.max_per_class` leave.
    pub subsets: bool,
    /// The variants.
    pub variants: Vec<StudyVariant>,
    /// Runs that could not be run, and why.
    pub failures: Map<String, Value>,
    /// What the runs say, once some have ended: the object that `pupila study --json` prints.
    pub result: Option<Value>,
    /// The version of Pupila.
    pub version: String,
    /// The folder's format.
    #[serde(default = "crate::first_format")]
    pub format: u32,
}

/// A variant of a study.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct StudyVariant {
    /// Its name.
    pub name: String,
    /// What the names of its runs' folders begin with.
    pub folder: String,
    /// The keys of the recipe that it sets, and their values.
    pub values: Map<String, Value>,
    /// Its recipe with the first seed, as TOML.
    pub recipe: String,
}

/// What to do about a damaged one: the run folders are the truth.
const REMEDY: &str = "; put back a whole one, or delete this file: the same `pupila study` command then makes it anew from the run folders";

impl StudyFile {
    /// Its name in a study's folder.
    pub const NAME: &'static str = "study.json";
    /// The page.
    pub const PAGE: &'static str = "study.html";
    /// A row for each run and epoch.
    pub const RESULTS: &'static str = "results.csv";

    /// Where it is in a folder.
    pub fn path(folder: &Path) -> PathBuf {
        folder.join(Self::NAME)
    }

    /// The study of a folder; none where the folder has none.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or a newer program wrote it.
    pub fn read(folder: &Path) -> Result<Option<StudyFile>, RunFileError> {
        let path = Self::path(folder);
        let Some(text) = text(&path)? else { return Ok(None) };
        refuse_newer(folder, &text)?;
        let told = |what: &str| damaged(&path, None, format_args!("{what}{REMEDY}"));
        if text.trim().is_empty() {
            return Err(told("the file is empty"));
        }
        let study: StudyFile = match serde_json::from_str::<Value>(&text) {
            Err(error) if error.is_eof() => {
                return Err(told(&format!("the file is cut at byte {}", text.len())));
            }
            _ => object(&path, &text).map_err(|error| match error {
                RunFileError::Damaged { path, line, message } => {
                    damaged(&path, line, format_args!("{message}{REMEDY}"))
                }
                error => error,
            })?,
        };
        match study.lacks() {
            Some(what) => Err(told(&what)),
            None => Ok(Some(study)),
        }
    }

    /// What makes it no study that can be gone on with, if anything does.
    fn lacks(&self) -> Option<String> {
        let twice = |numbers: &[u64]| {
            let again = numbers.iter().enumerate().find(|(place, number)| numbers[..*place].contains(number));
            again.map(|(_, number)| *number)
        };
        for (what, numbers) in [("seed", &self.seeds), ("split", &self.splits)] {
            if numbers.is_empty() {
                return Some(format!("it names no {what} (\"{what}s\" is a list of whole numbers)"));
            }
            if let Some(number) = twice(numbers) {
                return Some(format!("\"{what}s\" names {number} twice"));
            }
        }
        if self.variants.is_empty() {
            return Some("it names no variant".to_owned());
        }
        for (place, variant) in self.variants.iter().enumerate() {
            let folder = &variant.folder;
            if variant.name.is_empty() {
                return Some(format!("variant {} has no name", place + 1));
            }
            if folder.is_empty() || folder.starts_with('.') || folder.contains(['/', '\\', '\0']) {
                return Some(format!("`{folder}` cannot be the folder of the variant `{}`", variant.name));
            }
            let others = &self.variants[..place];
            if others.iter().any(|other| other.name == variant.name || other.folder == *folder) {
                return Some(format!("the variant `{}` or its folder stands there twice", variant.name));
            }
        }
        None
    }

    /// Writes it whole or not at all, also where the power fails.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let mut text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        text.push('\n');
        write_durably(&Self::path(folder), text.as_bytes())
    }
}
