//! `study.json`: which runs of a folder belong together, what varies among them, and what they say.

use crate::error::{RunFileError, object, refuse_newer, text};
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
        object(&path, &text).map(Some)
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
