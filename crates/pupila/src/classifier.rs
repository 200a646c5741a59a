//! A trained model, opened from its run folder or its file.

use crate::error::Error;
use crate::memory_need::{available_bytes, held_bytes};
use crate::session::{OnProgress, decode_images};
use crate::stop_signal::StopSignal;
use pupila_backend::{Backend, Explanation};
use pupila_dataset::{Cache, Dataset, OnBadImage, scan_images};
use pupila_engine::CpuBackend;
use pupila_loader::Loader;
use pupila_metrics::Predictions;
use pupila_network::Network;
use pupila_run::{FittedHead, RunFileError, RunFolder, Summary, near_run};
use pupila_train::{
    EvaluateError, HoldName, Images, Layers, ModelCard, ModelFile, ModelFileError, Preparation, Views,
    evaluate_views,
};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Images that are judged at once. Their number doesn't change a result.
const BATCH: usize = 64;
/// Images that are explained at once: the backward pass takes memory for each.
const EXPLAINED: usize = 8;

/// A model that answers.
#[derive(Debug)]
pub struct Classifier {
    card: ModelCard,
    /// What it was opened by.
    opened: PathBuf,
    /// The run folder that it is in, if it was opened by that.
    folder: Option<RunFolder>,
    engine: CpuBackend,
    preparation: Preparation,
}

/// The answer to one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    classes: std::sync::Arc<[String]>,
    /// The probability of each class, in the order of the classes. They sum to 1.
    pub probabilities: Vec<f32>,
}

impl Prediction {
    /// The most likely class; of equal ones the first.
    pub fn class(&self) -> &str {
        self.top(1).first().map_or("", |(class, _)| class)
    }

    /// The `k` most likely classes with their probabilities, the most likely first; of equal ones the first in the order of the
    /// classes.
    pub fn top(&self, k: usize) -> Vec<(&str, f32)> {
        let mut order: Vec<usize> = (0..self.classes.len()).collect();
        order.sort_by(|&a, &b| self.probabilities[b].total_cmp(&self.probabilities[a]));
        order.truncate(k);
        order.into_iter().map(|class| (self.classes[class].as_str(), self.probabilities[class])).collect()
    }
}

/// The answers to many images.
#[derive(Debug)]
pub struct Answers {
    /// The images that could be read, in memory.
    pub images: Images,
    /// Their paths.
    pub paths: Vec<String>,
    /// The answers to them, in the same order. The labels are none.
    pub predictions: Predictions,
    classes: std::sync::Arc<[String]>,
}

impl Answers {
    /// The answers, one by one.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Prediction)> {
        self.paths.iter().zip(self.predictions.rows()).map(|(path, row)| {
            let classes = self.classes.clone();
            (path.as_str(), Prediction { classes, probabilities: row.to_vec() })
        })
    }
}

/// Whether a file begins as a picture does.
fn is_picture(file: &Path) -> bool {
    let mut begin = Vec::new();
    let read = pupila_run::open_regular(file).and_then(|file| file.take(64).read_to_end(&mut begin));
    read.is_ok() && pupila_image::Format::sniff(&begin).is_some()
}

/// Why a folder has no model, and what to do.
pub(crate) fn without_model(folder: &RunFolder) -> String {
    let path = folder.path().display();
    if folder.is_study() {
        let run =
            folder.runs().unwrap_or_default().into_iter().find(|run| run.file(RunFolder::MODEL).exists());
        let such = run.map_or(String::new(), |run| format!(", such as {}", run.path().display()));
        return format!("{path} is a study: name one of its runs{such}");
    }
    match folder.summary() {
        Ok(Some(Summary::Run(summary))) if matches!(summary.head, Some(FittedHead::Knn { .. })) => format!(
            "{path} is of nearest neighbours (transfer.head=knn), which are a baseline and no model: its scores are in summary.json and report.html; \
             for a model type --set transfer.head=probe"
        ),
        Ok(Some(Summary::Run(summary))) if summary.best_epoch.is_some() => format!(
            "{path} has no {} any more: it was removed (`pupila study --keep`, `pupila runs --delete-models`), or lost; train it again by `pupila train DATA --recipe {}`",
            RunFolder::MODEL,
            folder.file(RunFolder::RECIPE).display()
        ),
        _ => format!(
            "{path} has no {}: it is no run folder, or no epoch of the run has ended",
            RunFolder::MODEL
        ),
    }
}

impl Classifier {
    /// Opens the model of a run folder, or a model file.
    ///
    /// # Errors
    /// There is none, it is damaged, or it was written by a newer version.
    pub fn open(run: impl AsRef<Path>) -> Result<Classifier, Error> {
        let run = run.as_ref();
        // The model file of a run folder stands for the run.
        let is_model = run.is_file() && run.file_name().is_some_and(|name| name == RunFolder::MODEL);
        let parent = run.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = match run.is_dir() {
            true => Some(RunFolder::open(run)?),
            false if is_model && parent.join(RunFolder::ENVIRONMENT).is_file() => {
                RunFolder::open(parent).ok()
            }
            false => None,
        };
        let file = folder.as_ref().map_or(run.to_owned(), |folder| folder.file(RunFolder::MODEL));
        if !file.exists() {
            return Err(Error::request(match folder {
                Some(folder) => without_model(&folder),
                None => format!(
                    "{} does not exist; {}",
                    run.display(),
                    near_run(run, "RUN is a run folder, such as runs/skin-mlp-1, or a model file")
                ),
            }));
        }
        let read = ModelFile::read(&file).map_err(|error| match is_picture(&file) {
            true => Error::request(format_args!(
                "{} is a picture, and no model: the run comes first, such as runs/skin-mlp-1, and what it judges behind it",
                file.display()
            )),
            false => match (&folder, &error) {
                (Some(folder), ModelFileError::SafeTensors { .. } | ModelFileError::NotAModel { .. }) => Error::request(format_args!(
                    "{error}; put the file back from a copy, or train it again by `pupila train DATA --recipe {}`",
                    folder.file(RunFolder::RECIPE).display()
                )),
                _ => Error::ModelFile(error),
            },
        });
        let ModelFile { card, state } = read?;
        let damaged =
            |error: &dyn std::fmt::Display| Error::request(format_args!("{}: {error}", file.display()));
        let network = card.network().map_err(|error| damaged(&error))?;
        let preparation = card.preparation().map_err(|error| damaged(&error))?;
        let mut engine = CpuBackend::new(&network, BATCH, false);
        engine.load(&state).map_err(|source| Error::Values { path: file.clone(), source })?;
        Ok(Classifier { card, opened: run.to_owned(), folder, engine, preparation })
    }

    /// The class of an image file, given as its bytes: what `pupila predict` answers, to the bit.
    ///
    /// # Errors
    /// The bytes are no image that can be read, or a damaged one.
    pub fn predict(&mut self, bytes: &[u8]) -> Result<Prediction, Error> {
        let input = self.preparation.input(bytes)?;
        let mut predictions = Predictions::new(self.card.classes.len());
        let pushed = predictions.push_logits(self.engine.forward(&input, 1), &[0]);
        pushed.map_err(|error| Error::Evaluate(EvaluateError::Predictions(error)))?;
        let probabilities = predictions.rows().next().map(<[f32]>::to_vec).unwrap_or_default();
        Ok(Prediction { classes: self.card.classes.clone().into(), probabilities })
    }

    /// The classes of image files and of all images in folders. Images that cannot be read are left out and listed in
    /// [`Images::skipped`].
    ///
    /// # Errors
    /// No image is found, or the stop signal.
    pub fn predict_files(&mut self, paths: &[PathBuf], judging: &Judging) -> Result<Answers, Error> {
        let dataset = scan_images(paths, OnBadImage::Skip, judging.cache.as_ref())?;
        let which: Vec<_> = (0..dataset.samples.len()).collect();
        let images = self.decode(dataset, &which, judging)?;
        let predictions = self.judge(&images, judging)?;
        let all: Vec<u32> = (0..images.len() as u32).collect();
        Ok(Answers {
            paths: images.paths(&all),
            images,
            predictions,
            classes: self.card.classes.clone().into(),
        })
    }

    /// Where the network sees a class in an image file, given as its bytes: Grad-CAM, or the gradient of the input for a network
    /// without a map. It takes the memory of a backward pass each time. `class` counts from 0 in the order of the classes; the predicted one if left out. None where it cannot be told.
    ///
    /// # Errors
    /// The bytes are no image that can be read, or a damaged one.
    pub fn explain(&mut self, bytes: &[u8], class: Option<u32>) -> Result<Option<Explanation>, Error> {
        let input = self.preparation.input(bytes)?;
        let class = class.unwrap_or_else(|| pupila_metrics::argmax(self.engine.forward(&input, 1)));
        Ok(self.explainer()?.explain(&input, &[class]))
    }

    /// The logits of an image file, given as its bytes.
    ///
    /// # Errors
    /// The bytes are no image that can be read, or a damaged one.
    pub fn logits(&mut self, bytes: &[u8]) -> Result<Vec<f32>, Error> {
        let input = self.preparation.input(bytes)?;
        Ok(self.engine.forward(&input, 1).to_vec())
    }

    /// What the model is and what it expects.
    pub fn card(&self) -> &ModelCard {
        &self.card
    }

    /// Files of the run's folder that are missing or damaged, and what is not known without each, a sentence each. A folder with a model file alone
    /// lacks nothing.
    pub fn lacks(&self) -> Vec<String> {
        let files = [RunFolder::RECIPE, RunFolder::ENVIRONMENT, RunFolder::SUMMARY, RunFolder::METRICS];
        let Some(folder) =
            self.folder.as_ref().filter(|run| files.iter().any(|file| run.file(file).exists()))
        else {
            return Vec::new();
        };
        let lack = |is_there: Result<bool, RunFileError>, file: &str, unknown: &str| match is_there {
            Ok(true) => None,
            Ok(false) => Some(format!("{} is not there: {unknown}", folder.file(file).display())),
            Err(error) => Some(format!("{error}\n{unknown}")),
        };
        let recipe = lack(
            folder.recipe().map(|recipe| recipe.is_some()),
            RunFolder::RECIPE,
            "how the run read and split its data, and whether it was a negative control, is not known",
        );
        let environment = lack(
            folder.environment().map(|environment| environment.is_some()),
            RunFolder::ENVIRONMENT,
            "which data the run was trained on is not known",
        );
        recipe.into_iter().chain(environment).collect()
    }

    /// The negative controls that it was trained with, a sentence each, as far as the model file and its run folder know; most models have
    /// none.
    pub fn negative_controls(&self) -> Vec<String> {
        let recipe = self
            .folder
            .as_ref()
            .and_then(|folder| Some((folder.file(RunFolder::RECIPE), folder.recipe().ok()??)));
        match recipe {
            Some(file) => Layers { file: Some(file), settings: Vec::new(), learnt: None }
                .resolve_what_is_known()
                .0
                .controls(),
            None => self.card.input.control().into_iter().collect(),
        }
    }

    /// A number that changes with any change of the values, the input or the classes: in hexadecimal.
    pub fn fingerprint(&self) -> String {
        self.card.fingerprint(&self.engine.state())
    }

    /// The classes, in the order of the logits.
    pub fn classes(&self) -> &[String] {
        &self.card.classes
    }

    /// The run folder or model file that it was opened by.
    pub fn opened(&self) -> &Path {
        &self.opened
    }

    /// The run folder that it is in, if it was opened by that.
    pub fn folder(&self) -> Option<&RunFolder> {
        self.folder.as_ref()
    }

    /// The network.
    pub fn network(&self) -> &Network {
        self.engine.network()
    }

    /// How an image file becomes the network's input.
    pub fn preparation(&self) -> &Preparation {
        &self.preparation
    }

    /// Decodes images as the model wants them.
    pub(crate) fn decode(
        &self,
        dataset: Dataset,
        which: &[usize],
        judging: &Judging,
    ) -> Result<Images, Error> {
        let bytes = held_bytes(self.preparation.rule(), &dataset, which);
        let hold = HoldName::Auto.resolved(bytes, available_bytes());
        decode_images(
            dataset,
            which,
            self.preparation.rule(),
            judging.cache.as_ref(),
            OnBadImage::Skip,
            hold,
            judging.progress.as_ref(),
            &judging.stop,
        )
    }

    /// Another engine with the same values, one that can explain.
    pub(crate) fn explainer(&self) -> Result<CpuBackend, Error> {
        let mut engine = CpuBackend::new(self.network(), EXPLAINED, true);
        let path = self.folder.as_ref().map_or_else(PathBuf::new, |folder| folder.file(RunFolder::MODEL));
        engine.load(&self.engine.state()).map_err(|source| Error::Values { path, source })?;
        Ok(engine)
    }

    /// All images in memory, in order.
    pub(crate) fn loader(&self, images: &Images) -> Result<Loader, Error> {
        let all = (0..images.len() as u32).collect();
        Ok(images.evaluation_loader(all, self.preparation.normalization().clone(), BATCH)?)
    }

    /// Judges all images in memory, in order, each in so many views.
    pub(crate) fn judge(&mut self, images: &Images, judging: &Judging) -> Result<Predictions, Error> {
        let loader = self.loader(images)?;
        let mut stop = || judging.stop.is_set();
        let predictions = evaluate_views(&mut self.engine, &loader, judging.views, &mut stop)?;
        if judging.stop.is_set() {
            return Err(Error::Stopped("interrupted; nothing was written"));
        }
        Ok(predictions)
    }
}

/// How images are judged.
pub struct Judging {
    /// The views of each image whose probabilities are averaged.
    pub views: Views,
    /// Where decoded images are kept on disk, if anywhere.
    pub cache: Option<Cache>,
    /// What may stop it.
    pub stop: StopSignal,
    /// Told how far the reading of images is.
    pub(crate) progress: Option<OnProgress>,
}

impl std::fmt::Debug for Judging {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Judging").field("views", &self.views).finish_non_exhaustive()
    }
}

impl Default for Judging {
    /// Each image as it is, with the user's cache.
    fn default() -> Self {
        let (views, stop) = (Views::One, StopSignal::new());
        Judging { views, cache: crate::session::user_cache(), stop, progress: None }
    }
}

impl Judging {
    /// Each image as it is, with the user's cache.
    pub fn new() -> Self {
        Judging::default()
    }

    /// So many views of each image.
    #[must_use]
    pub fn views(mut self, views: Views) -> Self {
        self.views = views;
        self
    }

    /// What may stop it.
    #[must_use]
    pub fn stop_signal(mut self, stop: &StopSignal) -> Self {
        self.stop = stop.clone();
        self
    }

    /// Told how far the reading of images is, from any thread.
    #[must_use]
    pub fn on_progress(mut self, progress: impl Fn(crate::Progress) + Send + Sync + 'static) -> Self {
        self.progress = Some(std::sync::Arc::new(progress));
        self
    }
}
