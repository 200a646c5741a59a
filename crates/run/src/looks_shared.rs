//! Looks at other test sets that share images with this one: who takes one image out of a test set has not got a new one.
//!
//! `test_sets/<test set>.contents` in the state folder: a hash of the content of each image, 8 bytes of little endian, ascending. No picture and no
//! path can be had from it.

use crate::{Look, StateFolder, read_looks, read_regular, write_whole};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The looks at a test set that shares images with another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedLooks {
    /// The fingerprint of the other test set.
    pub test_set: String,
    /// Its images.
    pub images: usize,
    /// How many of them are in both.
    pub common: usize,
    /// Evaluations of it that are known.
    pub evaluations: usize,
    /// The models of these.
    pub models: usize,
}

const EXTENSION: &str = "contents";

fn folder(state: &StateFolder) -> PathBuf {
    state.path().join("test_sets")
}

/// Keeps which images a test set has, where that is not known yet. `contents` may be in any order.
///
/// # Errors
/// The file cannot be written.
pub fn note_contents(state: &StateFolder, test_set: &str, contents: &[u64]) -> io::Result<()> {
    let folder = folder(state);
    let path = folder.join(test_set).with_extension(EXTENSION);
    if read_contents(&path).is_some() {
        return Ok(());
    }
    fs::create_dir_all(&folder)?;
    write_whole(&path, &sorted(contents).iter().flat_map(|hash| hash.to_le_bytes()).collect::<Vec<u8>>())
}

/// What is known of the looks at other test sets that have images of this one: those that have most of them first. What cannot be read says nothing.
pub fn shared_looks(state: &StateFolder, test_set: &str, contents: &[u64]) -> Vec<SharedLooks> {
    let Ok(entries) = fs::read_dir(folder(state)) else { return Vec::new() };
    let own = sorted(contents);
    let mut shared: Vec<SharedLooks> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION))
        .filter_map(|path| {
            let name = path.file_stem()?.to_str().filter(|&name| name != test_set)?;
            let others = read_contents(&path)?;
            let common = in_both(&own, &others);
            if common == 0 {
                return None;
            }
            let looks = read_looks(&state.file(name)).ok()?.looks;
            let looks: Vec<&Look> = looks.iter().filter(|look| look.test_set == name).collect();
            let is_new =
                |at: &usize| !looks[..*at].iter().any(|known| known.is_of_the_same_model(looks[*at]));
            let models = (0..looks.len()).filter(is_new).count();
            let (test_set, images, evaluations) = (name.to_owned(), others.len(), looks.len());
            (evaluations > 0).then_some(SharedLooks { test_set, images, common, evaluations, models })
        })
        .collect();
    // Of several with as many of its images the one that was looked at most.
    shared.sort_by(|a, b| {
        (b.common, b.evaluations).cmp(&(a.common, a.evaluations)).then_with(|| a.test_set.cmp(&b.test_set))
    });
    shared
}

/// The hashes of a file; none where there is none, or where it is not such a file.
fn read_contents(path: &Path) -> Option<Vec<u64>> {
    let bytes = read_regular(path).ok()?;
    let (hashes, rest) = bytes.as_chunks::<8>();
    let hashes: Vec<u64> = hashes.iter().map(|&hash| u64::from_le_bytes(hash)).collect();
    (rest.is_empty() && !hashes.is_empty() && hashes.is_sorted()).then_some(hashes)
}

fn sorted(contents: &[u64]) -> Vec<u64> {
    let mut sorted = contents.to_vec();
    sorted.sort_unstable();
    sorted
}

/// How many of `own` are in `others`, both ascending; one that is there twice counts as often as it is in both.
fn in_both(own: &[u64], others: &[u64]) -> usize {
    let (mut a, mut b, mut common) = (0, 0, 0);
    while a < own.len() && b < others.len() {
        match own[a].cmp(&others[b]) {
            std::cmp::Ordering::Less => a += 1,
            std::cmp::Ordering::Greater => b += 1,
            std::cmp::Ordering::Equal => (a, b, common) = (a + 1, b + 1, common + 1),
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note_look;

    fn look(state: &StateFolder, test_set: &str, model: &str, contents: &[u64]) {
        let (test_set, model, run) = (test_set.to_owned(), model.to_owned(), "r".to_owned());
        let right = Look::digits(&vec![true; contents.len()]);
        let look = Look { test_set, at_s: 7, model, tta: None, run, images: contents.len(), right };
        note_look(&state.file(&look.test_set), &look).unwrap();
        note_contents(state, &look.test_set, contents).unwrap();
    }

    #[test]
    fn a_part_of_a_test_set_is_known_by_its_images() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::at(folder.path().join("state"));
        assert_eq!(shared_looks(&state, "a", &[1, 2]), []);
        let all: Vec<u64> = (0..100).map(|i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect();
        look(&state, "whole", "m", &all);
        look(&state, "whole", "m", &all);
        look(&state, "whole", "n", &all);
        look(&state, "tenth", "m", &all[..10]);
        look(&state, "relabelled", "m", &all);
        look(&state, "foreign", "m", &[1, 3]);
        let part: Vec<u64> = all[5..].iter().rev().copied().collect();
        let shared = shared_looks(&state, "part", &part);
        let of = |test_set: &str, images, common, evaluations, models| SharedLooks {
            test_set: test_set.into(),
            images,
            common,
            evaluations,
            models,
        };
        assert_eq!(
            shared,
            [of("whole", 100, 95, 3, 2), of("relabelled", 100, 95, 1, 1), of("tenth", 10, 5, 1, 1)]
        );
        // A set is no other set of itself, and what is torn says nothing.
        assert_eq!(shared_looks(&state, "foreign", &[1, 3]), []);
        let path = folder.path().join("state/test_sets/whole.contents");
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        let left = [of("relabelled", 100, 95, 1, 1), of("tenth", 10, 5, 1, 1)];
        assert_eq!(shared_looks(&state, "part", &part), left);
        // It is written anew where it is not whole.
        note_contents(&state, "whole", &all).unwrap();
        assert_eq!(fs::read(&path).unwrap(), bytes);
    }

    #[test]
    fn what_is_in_both_is_counted_as_often_as_it_is_there() {
        assert_eq!(in_both(&[1, 1, 2, 9], &[1, 1, 1, 2, 3]), 3);
        assert_eq!(in_both(&[], &[1]), 0);
        assert_eq!(in_both(&[4, 5, 6], &[1, 2, 3]), 0);
    }
}
