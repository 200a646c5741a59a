//! Whether two runs were judged on the same images, and the second one's predictions in the order of the first one's.

use crate::describe::images;
use pupila_dataset::shown;
use pupila_metrics::Predictions;
use pupila_run::RunFiles;
use std::collections::{BTreeSet, HashMap};
use std::path::{Component, Path};

/// The predictions of another run in the order of the first one's images.
///
/// Images are paired by their paths below what each run's have in common; labels and, where both runs know them, contents must
/// be the same too.
///
/// # Errors
/// What differs, in words.
pub(super) fn in_order_of(first: &RunFiles, other: &RunFiles) -> Result<Predictions, String> {
    if first.classes != other.classes {
        return Err(format!(
            "the classes are {}, and {}",
            shown(&first.classes.join(", ")),
            shown(&other.classes.join(", "))
        ));
    }
    let (ours, theirs) = (short_paths(&first.paths), short_paths(&other.paths));
    let place: HashMap<&str, usize> = theirs.iter().enumerate().map(|(i, p)| (p.as_str(), i)).collect();
    let missing: Vec<&String> = ours.iter().filter(|path| !place.contains_key(path.as_str())).collect();
    if !missing.is_empty() || ours.len() != theirs.len() || place.len() != theirs.len() {
        let example = missing.first().map(|path| format!(", such as {path}")).unwrap_or_default();
        return Err(format!(
            "of {} and {}, {} of the first are not in the second{example}",
            images(ours.len()),
            images(theirs.len()),
            missing.len()
        ));
    }
    let k = first.classes.len();
    let mut predictions = Predictions::new(k);
    for (path, &target) in ours.iter().zip(first.predictions.targets()) {
        let i = place[path.as_str()];
        let label = other.predictions.targets()[i];
        if label != target {
            return Err(format!(
                "{path} is {} in the first and {} in the second",
                first.classes[target as usize], first.classes[label as usize]
            ));
        }
        let row = &other.predictions.probabilities()[i * k..(i + 1) * k];
        predictions.push_probabilities(row, &[label]).map_err(|error| error.to_string())?;
    }
    same_contents(first, other)?;
    Ok(predictions)
}

/// The keys that say which images are set aside for validation, besides the seed.
const OF_SPLITS: [&str; 8] = [
    "data.val_frac",
    "data.folds",
    "data.fold",
    "data.group",
    "data.exclude",
    "data.exclude_list",
    "data.split_column",
    "data.split_values",
];

/// What to type for two runs on the same data whose validation images were split off it in other ways; `None` where it was not that.
pub(super) fn same_split(first: &RunFiles, other: &RunFiles) -> Option<String> {
    let runs = [first, other];
    let split_off = |run: &&RunFiles| {
        run.environment.data.val_split_off == Some(true) || run.recipe.get("data.folds").is_some()
    };
    if !runs.iter().all(split_off) || first.environment.data.path != other.environment.data.path {
        return None;
    }
    let value = |run: &RunFiles, key: &str| run.recipe.get(key).cloned();
    let differing: Vec<&str> =
        OF_SPLITS.into_iter().filter(|key| value(first, key) != value(other, key)).collect();
    // The split follows from its own seed, else from the run's.
    let seed = |run: &RunFiles| value(run, "data.split_seed").or_else(|| value(run, "train.seed"));
    match (seed(first), seed(other)) {
        (Some(a), Some(b)) if a != b => {
            let keys = ["data.split_seed", "train.seed"].map(|key| value(other, key).map(|seed| (key, seed)));
            let (key, theirs) = keys.into_iter().flatten().next()?;
            let also = match differing.is_empty() {
                true => String::new(),
                false => format!(", and {} as there", differing.join(", ")),
            };
            Some(format!(
                "the validation images were drawn by other seeds ({key} is {theirs} in the second): train it again with --set \
                 data.split_seed={a}{also}, and it has the first one's validation images whatever its train.seed; or\n"
            ))
        }
        _ if differing.is_empty() => None,
        _ => {
            let s = if differing.len() == 1 { "s" } else { "" };
            Some(format!(
                "{} differ{s}, by which the validation images are chosen: train the second with the first one's; or\n",
                differing.join(", ")
            ))
        }
    }
}

/// By the fingerprint of the judged images; of runs that don't know it, by that of all their data.
fn same_contents(first: &RunFiles, other: &RunFiles) -> Result<(), String> {
    let known = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let fingerprints: [fn(&RunFiles) -> Option<&str>; 2] = [
        |run| run.environment.data.val_fingerprint.as_deref(),
        |run| Some(&run.environment.data.fingerprint),
    ];
    for of in fingerprints {
        if let (Some(a), Some(b)) = (of(first).and_then(known), of(other).and_then(known)) {
            return if a == b {
                Ok(())
            } else {
                Err(format!("the files have the same names, and other contents (fingerprints {a} and {b})"))
            };
        }
    }
    Ok(())
}

/// The paths below the folder that all of them are in: the same data may have been named in another way.
fn short_paths(paths: &[String]) -> Vec<String> {
    let parts = |path: &'_ String| -> Vec<String> {
        let parts = Path::new(path).components().filter(|part| *part != Component::CurDir);
        parts.map(|part| part.as_os_str().to_string_lossy().into_owned()).collect()
    };
    let all: Vec<Vec<String>> = paths.iter().map(parts).collect();
    let Some(first) = all.first() else { return Vec::new() };
    let mut common = first.len().saturating_sub(1);
    for path in &all {
        let same = path.iter().zip(first).take_while(|(a, b)| a == b).count();
        common = common.min(same).min(path.len().saturating_sub(1));
    }
    all.iter().map(|path| path[common..].join("/")).collect()
}

/// The images, as places among the first run's, that one of the runs was trained on too.
pub(super) fn leaked(runs: &[RunFiles]) -> BTreeSet<usize> {
    let ours = short_paths(&runs[0].paths);
    let place: HashMap<&str, usize> = ours.iter().enumerate().map(|(i, p)| (p.as_str(), i)).collect();
    let of = |run: &RunFiles| -> Vec<usize> {
        let theirs = short_paths(&run.paths);
        run.leaked.iter().filter_map(|&leaked| place.get(theirs[leaked].as_str()).copied()).collect()
    };
    runs.iter().flat_map(of).collect()
}

/// A run's predictions without some images, which are places among the first run's.
pub(super) fn without(run: &RunFiles, first: &RunFiles, leaked: &BTreeSet<usize>) -> Predictions {
    let ours = short_paths(&first.paths);
    let gone: BTreeSet<&str> = leaked.iter().map(|&place| ours[place].as_str()).collect();
    let theirs = short_paths(&run.paths);
    let kept: Vec<usize> =
        (0..theirs.len()).filter(|&place| !gone.contains(theirs[place].as_str())).collect();
    run.predictions.part(&kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_apart_below_what_they_share() {
        let of = |paths: &[&str]| short_paths(&paths.iter().map(|p| (*p).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["a/val/x/1.jpg", "a/val/y/1.jpg"]), ["x/1.jpg", "y/1.jpg"]);
        assert_eq!(of(&["/r/a/val/x/1.jpg", "/r/a/val/y/1.jpg"]), ["x/1.jpg", "y/1.jpg"]);
        assert_eq!(of(&["./1.jpg"]), ["1.jpg"]);
        assert_eq!(of(&["a/1.jpg", "a"]), ["a/1.jpg", "a"]);
        assert!(of(&[]).is_empty());
    }
}
