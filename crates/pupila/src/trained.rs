//! What a run was trained on, and which other images are the same or nearly so.

use crate::classifier::{Classifier, Judging};
use crate::error::Error;
use pupila_dataset::{Dataset, Sample, Split};
use pupila_run::{RunFileError, RunFolder, TrainedOn};
use pupila_train::{Images, Layers, MOST_COMPARED, scan_for};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The data that a run was trained on.
pub(crate) struct OwnData {
    pub(crate) folder: RunFolder,
    pub(crate) path: PathBuf,
    pub(crate) fingerprint: String,
    pub(crate) val_split_off: bool,
}

/// The data that a run says it was trained on; none where it says nothing.
pub(crate) fn own_data(folder: &RunFolder) -> Result<Option<OwnData>, Error> {
    let Some(environment) = folder.environment()? else { return Ok(None) };
    let data = environment.data;
    if data.path.is_empty() {
        return Ok(None);
    }
    Ok(Some(OwnData {
        folder: folder.clone(),
        path: data.path.into(),
        fingerprint: data.fingerprint,
        val_split_off: data.val_split_off.unwrap_or(false),
    }))
}

/// That a run has no record of what it was trained on.
pub(crate) fn no_record(run: &RunFolder) -> String {
    format!("{} is not there", run.file(RunFolder::TRAINED).display())
}

/// What a run was trained on.
#[derive(Default)]
pub(crate) struct Trained {
    /// As the run recorded it.
    recorded: Option<TrainedOn>,
    /// The files, where they were scanned.
    files: HashMap<u128, PathBuf>,
    /// Why it is not known as the run recorded it, though it should be.
    trouble: Option<String>,
    /// Whether there is no record.
    is_missing: bool,
    /// Whether its data were scanned.
    is_scanned: bool,
}

impl std::fmt::Debug for Trained {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trained").field("files", &self.files.len()).finish_non_exhaustive()
    }
}

impl Trained {
    /// As a run recorded it, and the files of a scan of its data. Runs of before recorded nothing; of these, and where the record is gone or
    /// damaged, the scan tells.
    pub(crate) fn of(run: &RunFolder, scanned: Option<&Dataset>) -> Result<Trained, Error> {
        let mut trained = Trained { is_scanned: scanned.is_some(), ..Trained::default() };
        match run.trained_on() {
            Ok(Some(known)) => trained.recorded = Some(known),
            Ok(None) => {
                trained.is_missing = true;
                trained.trouble = Some(no_record(run));
            }
            Err(error @ RunFileError::Damaged { .. }) => trained.trouble = Some(error.to_string()),
            Err(error) => return Err(error.into()),
        }
        let samples = scanned.map_or(&[][..], |data| &data.samples);
        let training = samples.iter().filter(|sample| sample.split == Split::Train);
        trained.files = training.map(|sample| (sample.content, sample.path.clone())).collect();
        Ok(trained)
    }

    /// What a person should know of how it is known; nothing where the run has recorded it.
    pub(crate) fn warning(&self) -> Option<String> {
        let trouble = self.trouble.as_ref()?;
        Some(match self.is_scanned {
            // Runs of before have none, and nobody misses it.
            true if self.is_missing => return None,
            true => {
                format!("{trouble}: which images the run was trained on is told by its data as they are now")
            }
            false => format!(
                "{trouble}, and the data of the run are not to be found: which of these images it was trained on is not known, so the scores may count \
                 some of them"
            ),
        })
    }

    /// Whether an image was trained on: the file of its copy, empty where that is not known.
    pub(crate) fn copy_of(&self, content: u128) -> Option<String> {
        let file = self.files.get(&content).map(|path| path.to_string_lossy().into_owned());
        match &self.recorded {
            Some(recorded) => recorded.contains(content).then(|| file.unwrap_or_default()),
            None => file,
        }
    }
}

/// For each image in memory the image that the run was trained on and that is nearly the same, if there is one; `None` where the
/// training images are not to be found. In the cache they are since the training.
pub(crate) fn near_copies(
    model: &Classifier,
    trained: &Trained,
    judged: &Images,
    judging: &Judging,
) -> Result<Option<Vec<Option<String>>>, Error> {
    let of = |dataset: &Dataset| -> Vec<Sample> {
        let known =
            |sample: &&Sample| sample.split == Split::Train && trained.copy_of(sample.content).is_some();
        dataset.samples.iter().filter(known).cloned().collect()
    };
    // Where all images are judged, whatever their split, none of them is a training image of its own.
    let judges =
        |split: Split| judged.kept.iter().any(|&sample| judged.dataset.samples[sample].split == split);
    let mut training = if judges(Split::Train) { Vec::new() } else { of(&judged.dataset) };
    if training.is_empty() {
        let own = model.folder().and_then(|folder| own_data(folder).ok()?);
        let own = own.filter(|own| pupila_dataset::exists(&own.path));
        let scanned = own.and_then(|own| scan_again(&own.folder, &own.path, judging.cache.as_ref()).ok());
        training = scanned.map_or_else(Vec::new, |(dataset, _)| of(&dataset));
    }
    if training.is_empty() || training.len() + judged.len() > MOST_COMPARED {
        return Ok(None);
    }
    // In the order in which the training compared them, so that the answer is the same.
    let first = training.len();
    let mut both = judged.dataset.clone();
    both.samples = training;
    both.samples.extend(judged.kept.iter().map(|&sample| judged.dataset.samples[sample].clone()));
    both.samples[first..].iter_mut().for_each(|sample| sample.split = Split::Test);
    let which: Vec<usize> = (0..both.samples.len()).collect();
    let both = model.decode(both, &which, judging)?;
    // Those that can be read no more are gone.
    let of_judged = both.kept.iter().enumerate().filter(|(_, sample)| **sample >= first);
    let places: Vec<u32> = of_judged.map(|(place, _)| place as u32).collect();
    let copies = both.near_copies_in_training(&places).filter(|copies| copies.len() == judged.len());
    Ok(copies)
}

/// What the run was trained on, where other images are judged. What it recorded is enough; only of runs of before are the data scanned, if
/// they are still there.
pub(crate) fn trained_elsewhere(
    model: &Classifier,
    cache: Option<&pupila_dataset::Cache>,
) -> Result<Trained, Error> {
    let Some(folder) = model.folder() else { return Ok(Trained::default()) };
    let trained = Trained::of(folder, None)?;
    let Ok(Some(own)) = own_data(folder) else { return Ok(trained) };
    if trained.recorded.is_some() || !pupila_dataset::exists(&own.path) {
        return Ok(trained);
    }
    match scan_again(&own.folder, &own.path, cache) {
        Ok((data, _)) => Trained::of(folder, Some(&data)),
        // What is wrong with its recipe or data is no matter of the images that are judged.
        Err(_) => Ok(trained),
    }
}

/// The data of a run, found again as training found it, and what of its recipe this version does not know.
pub(crate) fn scan_again(
    folder: &RunFolder,
    data: &Path,
    cache: Option<&pupila_dataset::Cache>,
) -> Result<(Dataset, Vec<String>), Error> {
    let file = folder.file(RunFolder::RECIPE);
    let text = folder.recipe()?.ok_or_else(|| {
        Error::request(format_args!(
            "{} is not there, which says how the data were split: put it back from a copy, or give DATA",
            file.display()
        ))
    })?;
    let (recipe, faults) =
        Layers { file: Some((file, text)), settings: Vec::new(), learnt: None }.resolve_what_is_known();
    let (dataset, _) = scan_for(&recipe, data, cache)?;
    let warning = |fault: pupila_train::Fault| {
        if fault.key.starts_with("augment.") {
            // Not the list of all that there are.
            let what = fault.message.split(';').next().unwrap_or_default();
            return format!(
                "the run was trained with an {what}, which is no matter here: judging varies no image"
            );
        }
        format!("{fault}\nthe run's recipe says what this version refuses; the default stands in for it")
    };
    Ok((dataset, faults.into_iter().map(warning).collect()))
}
