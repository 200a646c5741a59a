//! What is known of the looks at a test set: each evaluation is noted in the user's state folder and in the run's folder.
//!
//! `looks/<test set>.jsonl` in the state folder, and `looks.jsonl` in a run's: a line for each evaluation. A test set is known by a
//! fingerprint of its images' contents and labels, so it is the same in another folder and another order. Notes are only ever appended, each
//! in one write under a lock: two processes lose nothing, and of one that is killed half a line stays, which is told and takes nothing from
//! the others. Nothing here leaves the machine, and no picture or path of an image is in it.

use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How often, and with which pauses, a lock is tried. A file system without locks, or a process that holds it for long, keeps nobody from
/// noting: a line is appended in one write.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(10);

/// One evaluation of a test set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// The fingerprint of the test set.
    pub test_set: String,
    /// When, in seconds since 1970.
    pub at_s: u64,
    /// A hash of the model: its values, input and classes.
    pub model: String,
    /// The views of each image that were averaged; none for the image as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tta: Option<String>,
    /// The name of the run's folder or of the model's file.
    pub run: String,
    /// How many images were judged.
    pub images: usize,
    /// Which of them the model has right, in the order of their contents: four images a digit, the first the highest bit of it.
    pub right: String,
}

impl Look {
    /// The digits of bits.
    pub fn digits(right: &[bool]) -> String {
        let digit = |four: &[bool]| {
            let value =
                four.iter().enumerate().fold(0, |value, (at, &bit)| value | (u32::from(bit) << (3 - at)));
            char::from_digit(value, 16).unwrap_or('0')
        };
        right.chunks(4).map(digit).collect()
    }

    /// Which images the model has right; none where the digits are not those of so many images.
    pub fn bits(&self) -> Option<Vec<bool>> {
        if self.right.chars().count() != self.images.div_ceil(4) {
            return None;
        }
        let mut bits = Vec::with_capacity(self.images + 3);
        for c in self.right.chars() {
            let value = c.to_digit(16)?;
            bits.extend((0..4).map(|at| value >> (3 - at) & 1 == 1));
        }
        bits.truncate(self.images);
        Some(bits)
    }

    /// Whether both are of the same model, judging in the same way: the same answers, and no other choice.
    pub fn is_of_the_same_model(&self, other: &Look) -> bool {
        (&self.model, &self.tta) == (&other.model, &other.tta)
    }
}

/// The notes of a file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Looks {
    /// All whole ones, in the order in which they were noted.
    pub looks: Vec<Look>,
    /// The lines that are none, from 1.
    pub damaged: Vec<usize>,
}

/// Where the looks at test sets are noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateFolder(PathBuf);

impl StateFolder {
    /// A folder, which need not be there.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        StateFolder(path.into())
    }

    /// The user's: `$PUPILA_STATE_DIR`, or `pupila` in the system's place for state (`$XDG_STATE_HOME` or `~/.local/state`,
    /// `~/Library/Application Support` on macOS, `%LOCALAPPDATA%` on Windows). None where there is no home.
    pub fn of_user() -> Option<Self> {
        // The XDG specification: a relative path is invalid and to be ignored.
        let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        let absolute = |name: &str| set(name).filter(|path| path.is_absolute());
        let system = || {
            if cfg!(windows) {
                absolute("LOCALAPPDATA").map(|local| local.join("pupila").join("state"))
            } else if cfg!(target_os = "macos") {
                absolute("HOME").map(|home| home.join("Library/Application Support/pupila"))
            } else {
                let state = absolute("XDG_STATE_HOME")
                    .or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
                state.map(|state| state.join("pupila"))
            }
        };
        set("PUPILA_STATE_DIR").or_else(system).map(StateFolder)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The file of a test set.
    pub fn file(&self, test_set: &str) -> PathBuf {
        self.0.join("looks").join(format!("{test_set}.jsonl"))
    }
}

/// Notes a look, and gives what was noted in the file before. The folder is made where it is not there.
///
/// # Errors
/// The file cannot be read or written.
pub fn note_look(path: &Path, look: &Look) -> io::Result<Looks> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = File::options().read(true).append(true).create(true).open(path)?;
    lock(&file);
    let mut content = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut content)?;
    // Of a process that was killed half a line may stand there, which must not take this one with it.
    let mut line =
        if content.last().is_some_and(|&last| last != b'\n') { b"\n".to_vec() } else { Vec::new() };
    serde_json::to_writer(&mut line, look)?;
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_data()?;
    Ok(parsed(&content))
}

/// The notes of a file; nothing where there is none.
///
/// # Errors
/// It cannot be read.
pub fn read_looks(path: &Path) -> io::Result<Looks> {
    match crate::read_regular(path) {
        Ok(content) => Ok(parsed(&content)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Looks::default()),
        Err(error) => Err(error),
    }
}

fn parsed(content: &[u8]) -> Looks {
    let mut found = Looks::default();
    for (place, line) in content.split(|&byte| byte == b'\n').enumerate() {
        if line.is_empty() {
            continue;
        }
        match serde_json::from_slice::<Look>(line) {
            Ok(look) if look.bits().is_some() => found.looks.push(look),
            _ => found.damaged.push(place + 1),
        }
    }
    found
}

/// Waits a second at most; the lock ends with the file.
fn lock(file: &File) {
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) | Err(TryLockError::Error(_)) => return,
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(model: &str, right: &[bool]) -> Look {
        let (at_s, images) = (1_700_000_000, right.len());
        let (test_set, model, run) = ("abc".to_owned(), model.to_owned(), "r".to_owned());
        Look { test_set, at_s, model, tta: None, run, images, right: Look::digits(right) }
    }

    #[test]
    fn bits_come_back_as_they_were() {
        for count in 0..20 {
            let right: Vec<bool> = (0..count).map(|i| i % 3 == 1 || i == 6).collect();
            assert_eq!(look("m", &right).bits().unwrap(), right);
        }
        assert_eq!(Look { images: 9, ..look("m", &[true]) }.bits(), None);
        assert_eq!(Look { right: "x".into(), ..look("m", &[true]) }.bits(), None);
    }

    #[test]
    fn notes_are_appended_and_what_is_damaged_takes_nothing_from_the_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = StateFolder::at(folder.path().join("state")).file("abc");
        assert_eq!(read_looks(&path).unwrap(), Looks::default());
        assert_eq!(note_look(&path, &look("a", &[true, false])).unwrap(), Looks::default());
        // A process that was killed while it wrote.
        let torn = format!("{}{{\"test_set\":\"abc\",\"at_", fs::read_to_string(&path).unwrap());
        fs::write(&path, torn).unwrap();
        let before = note_look(&path, &look("b", &[true, true])).unwrap();
        assert_eq!((before.looks.len(), before.damaged), (1, vec![2]));
        let all = read_looks(&path).unwrap();
        assert_eq!(all.looks, [look("a", &[true, false]), look("b", &[true, true])]);
        assert_eq!(all.damaged, [2]);
        assert!(!look("a", &[]).is_of_the_same_model(&look("b", &[])));
    }

    #[test]
    fn writers_at_once_lose_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("looks.jsonl");
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let path = &path;
                scope.spawn(move || {
                    for i in 0..20 {
                        note_look(path, &look(&format!("{thread}-{i}"), &[true; 4_000])).unwrap();
                    }
                });
            }
        });
        let all = read_looks(&path).unwrap();
        assert_eq!((all.looks.len(), all.damaged.len()), (160, 0));
    }
}
