//! A trained model judged on labelled images, by the path that training took, and the folder of files that training makes of its
//! validation set.

use crate::classifier::{Classifier, Judging};
use crate::error::Error;
use crate::looks;
use crate::page;
use crate::session::{canonical, environment, plain_name};
use crate::trained::{OwnData, Trained, near_copies, own_data, scan_again, trained_elsewhere};
use pupila_dataset::shown;
use pupila_dataset::{Dataset, Labelled, LabelledOptions, Layout, OnBadImage, Split, scan_labelled};
use pupila_metrics::{ClassificationReport, Predictions, summary};
use pupila_run::{
    Data, EvaluationSummary, EvaluationTiming, FORMAT, Intervals, Leaks, LooksSummary, RunFolder,
    StateFolder, Summary, TrainingCopy, finite, leaks_csv, predictions_csv,
};
use pupila_train::{
    Images, Layers, confusion_png, fingerprint, fingerprint_of, other_pictures_of, skipped_images,
};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What is to be judged, and where the results go.
#[derive(Debug, Default)]
pub struct EvaluationOptions {
    /// Labelled images; those that the run was trained on if left out.
    pub data: Option<PathBuf>,
    /// Which part of the data.
    pub split: Option<Split>,
    /// Patterns of paths in `data` that are left out.
    pub exclude: Vec<String>,
    /// What of `data` is what, where its names do not say it; for the data that the run was trained on, what its recipe says.
    pub layout: Layout,
    /// The column of a table whose values name groups, such as patients, over which the intervals go; `group` if left out, where there is one.
    pub group: Option<String>,
    /// The folder of the results; one in the run's folder if left out.
    pub out: Option<PathBuf>,
    /// How images are judged.
    pub judging: Judging,
    /// What was typed, for the files.
    pub arguments: Vec<String>,
    /// Where the looks at test sets are noted: the user's state folder if left out.
    pub state: Option<StateFolder>,
}

/// An evaluation: first the images are found, then they are judged, then the results are written.
#[derive(Debug)]
pub struct Evaluation<'a> {
    model: &'a mut Classifier,
    run: PathBuf,
    options: EvaluationOptions,
    place: Place,
    dataset: Dataset,
    which: Vec<usize>,
    split: Option<Split>,
    /// What a person should know of the data before believing the result.
    pub warnings: Vec<String>,
    /// The images that the run was trained on, by content, where they are still to be found.
    trained: Trained,
    seed: u64,
    started: Instant,
}

/// An evaluation whose images are judged.
#[derive(Debug)]
pub struct Judged<'a> {
    model: &'a mut Classifier,
    run: PathBuf,
    options: EvaluationOptions,
    place: Place,
    split: Option<Split>,
    /// The images in memory, in the order of the predictions.
    pub images: Images,
    /// The paths of the images.
    pub paths: Vec<String>,
    /// Labels and answers.
    pub predictions: Predictions,
    /// The group of each, such as its patient, where the data know groups.
    pub groups: Option<Vec<String>>,
    /// 95 % intervals over the images, or over their groups.
    pub intervals: Intervals,
    /// For each image its copy among those that the run was trained on, if it has one.
    pub copies: Vec<Option<TrainingCopy>>,
    /// What these do to the scores.
    pub leaks: Option<Leaks>,
    /// Whether images that are nearly the same as training images were not looked for, since the training images are not to be found, are too
    /// many, or too small as the network sees them.
    pub near_unknown: bool,
    /// How often these images were looked at, where they are a test set.
    pub looks: Option<LooksSummary>,
    seed: u64,
    started: Instant,
}

/// Where the folder will be.
#[derive(Debug)]
enum Place {
    /// Asked for.
    Given(PathBuf),
    /// Below the run's folder, under a name that begins so.
    Numbered(PathBuf, String),
}

impl Place {
    /// The place that was asked for, which must be free; else one in the run's folder, named after the data or the split.
    fn of(options: &EvaluationOptions, run: &Path, split: Option<Split>) -> Result<Place, Error> {
        if let Some(out) = &options.out {
            if out.exists() {
                return Err(Error::request(format_args!(
                    "{} is there already, and results are never written over: choose another --out, or remove it",
                    out.display()
                )));
            }
            return Ok(Place::Given(out.to_owned()));
        }
        let folder = if run.is_dir() { run } else { run.parent().unwrap_or(Path::new("")) };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let of_data = options.data.as_deref().map(plain_name);
        let split = split.map(|split| split.name().to_owned());
        let what: Vec<String> = of_data.into_iter().chain(split).collect();
        let what = if what.is_empty() { Split::Val.name().to_owned() } else { what.join("-") };
        Ok(Place::Numbered(folder.to_owned(), format!("eval-{what}")))
    }

    fn make(&self) -> Result<RunFolder, Error> {
        Ok(match self {
            Place::Given(path) => RunFolder::create_at(path)?,
            Place::Numbered(folder, stem) => RunFolder::create(folder, None, stem)?,
        })
    }
}

/// Images that are to be judged: of one split, or all.
struct Target {
    /// The images that the run was trained on, by content, where they are still to be found.
    trained: Trained,
    dataset: Dataset,
    which: Vec<usize>,
    split: Option<Split>,
    warnings: Vec<String>,
}

impl<'a> Evaluation<'a> {
    /// Finds the images.
    ///
    /// # Errors
    /// There are none, their classes are not the model's, or the folder of the results is there already.
    pub fn open(model: &'a mut Classifier, options: EvaluationOptions) -> Result<Self, Error> {
        let started = Instant::now();
        let run = model.opened().to_owned();
        let own = match model.folder().map(own_data) {
            None => None,
            // Nobody needs it where the data are given.
            Some(own) if options.data.is_some() => own.unwrap_or(None),
            Some(own) => own?,
        };
        let cache = options.judging.cache.as_ref();
        let target = match (&options.data, own) {
            (None, None) => {
                let without = model.folder().map_or(String::new(), |_| {
                    format!(" (it has no {} that says it)", RunFolder::ENVIRONMENT)
                });
                return Err(Error::request(format_args!(
                    "{} does not say which data it was trained on{without}: give DATA",
                    run.display()
                )));
            }
            (None, Some(own)) => own_split(&own, model, &options)?,
            // The data that it was trained on, which has no splits of its own: all of it would be mostly training images.
            (Some(data), Some(own)) if own.val_split_off && same(data, &own.path) => {
                own_split(&own, model, &options)?
            }
            (Some(data), own) => {
                let split = options.split;
                let exclude = options.exclude.clone();
                let trained_on =
                    own.filter(|own| options.layout == Layout::default() && same(data, &own.path));
                let (layout, own_group) = match trained_on {
                    Some(own) => layout_of(&own.folder)?,
                    None => (options.layout.clone(), None),
                };
                let group = options.group.clone().or(own_group);
                let on_bad_image = OnBadImage::Skip;
                let labelled = LabelledOptions { split, on_bad_image, exclude, layout, group };
                let Labelled { dataset, split } = scan_labelled(data, model.classes(), &labelled, cache)?;
                let which = (0..dataset.samples.len()).collect();
                Target {
                    trained: trained_elsewhere(model, cache)?,
                    which,
                    dataset,
                    split,
                    warnings: Vec::new(),
                }
            }
        };
        let Target { trained, dataset, which, split, mut warnings } = target;
        warnings.extend(model.lacks());
        warnings.extend(trained.warning());
        if model.card().learnt_from.as_ref().is_some_and(|from| from.images_unknown) {
            warnings.push(
                "which images the weights that the run began from were trained on is not known, so the scores may count some of them".to_owned(),
            );
        }
        let is_known = |&sample: &usize| trained.copy_of(dataset.samples[sample].content).is_some();
        if split == Some(Split::Train) && which.iter().any(is_known) {
            warnings.push(
                "these images were trained on: the numbers say how well the model remembers them, and not how well it knows others"
                    .to_owned(),
            );
        }
        warnings.extend(
            model
                .negative_controls()
                .iter()
                .map(|control| format!("a negative control was trained: {control}")),
        );
        let seed = match model.folder().map_or(Ok(None), RunFolder::summary) {
            Ok(summary) => summary.map_or(0, |summary| summary.seed()),
            Err(error) => {
                warnings.push(error.to_string());
                0
            }
        };
        let place = Place::of(&options, &run, split)?;
        Ok(Evaluation { model, run, options, place, dataset, which, split, warnings, trained, seed, started })
    }

    /// The data that the images are of.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// The images to judge, as places in the data set's samples.
    pub fn which(&self) -> &[usize] {
        &self.which
    }

    /// The split that is judged; none where the data have none.
    pub fn split(&self) -> Option<Split> {
        self.split
    }

    /// Decodes and judges the images, on the threads of the current pool.
    ///
    /// # Errors
    /// No image can be read, or the stop signal.
    pub fn judge(self) -> Result<Judged<'a>, Error> {
        let Evaluation { model, run, options, place, dataset, which, split, trained, seed, started, .. } =
            self;
        let images = model.decode(dataset, &which, &options.judging)?;
        let predictions = model.judge(&images, &options.judging)?;
        let all: Vec<u32> = (0..images.len() as u32).collect();
        let (paths, groups) = (images.paths(&all), images.groups(&all));
        let intervals = Intervals::of(&predictions, model.classes(), groups.as_deref());
        let copy = |sample: usize| {
            let sample = &images.dataset.samples[sample];
            // Whoever judges the training images by name knows it.
            trained.copy_of(sample.content).filter(|_| split != Some(Split::Train))
        };
        let exact = images.samples(&all).into_iter().map(copy).collect();
        let near = match split {
            Some(Split::Train) => Some(Vec::new()),
            _ => near_copies(model, &trained, &images, &options.judging)?,
        };
        let near_unknown = near.is_none();
        let near = near.unwrap_or_default();
        let copies = TrainingCopy::of_each(exact, near);
        let leaks = Leaks::of(&predictions, model.classes(), groups.as_deref(), &copies);
        let looks = looks::note(model, &options, split, &images, &predictions, groups.as_deref());
        Ok(Judged {
            model,
            run,
            options,
            place,
            split,
            images,
            paths,
            groups,
            predictions,
            intervals,
            copies,
            leaks,
            near_unknown,
            looks,
            seed,
            started,
        })
    }
}

impl Judged<'_> {
    /// The classes, in the order of the logits.
    pub fn classes(&self) -> &[String] {
        self.model.classes()
    }

    /// `predictions.csv`.
    pub fn csv(&self) -> String {
        predictions_csv(self.classes(), &self.paths, self.groups.as_deref(), true, &self.predictions)
    }

    /// What came of it: `summary.json`.
    pub fn summary(&self) -> EvaluationSummary {
        let metrics = summary(&self.predictions).values;
        EvaluationSummary {
            model: self.model.network().architecture.to_owned(),
            parameters: self.model.network().parameter_count(),
            classes: self.classes().to_vec(),
            best_epoch: self.model.card().epoch,
            run: self.run.to_string_lossy().into_owned(),
            data: self.images.dataset.root.to_string_lossy().into_owned(),
            split: self.split.map(|split| split.name().to_owned()),
            images: self.predictions.len(),
            tta: self.options.judging.views.name().map(str::to_owned),
            metrics: metrics.into_iter().map(|(name, value)| (name.to_owned(), finite(value))).collect(),
            intervals: self.intervals.of_metrics.clone(),
            intervals_over: Some(self.intervals.over.clone()),
            per_class: self.intervals.per_class.clone(),
            leaks: self.leaks.clone(),
            looks: self.looks.clone(),
            negative_controls: self.model.negative_controls(),
            confusion_matrix: self.predictions.confusion().rows().map(<[u64]>::to_vec).collect(),
            timing: EvaluationTiming {
                decode_s: self.images.decode_time.as_secs_f64(),
                total_s: self.started.elapsed().as_secs_f64(),
            },
            taken: self.images.dataset.taken.to_string(),
            skipped_images: skipped_images(&self.images.dataset.skipped),
            other_pictures: other_pictures_of(&self.images.dataset.other_pictures),
            seed: self.seed,
            threads: rayon::current_num_threads(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            format: FORMAT,
        }
    }

    /// Writes everything into a new folder.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn write(&self, summary: &EvaluationSummary) -> Result<RunFolder, Error> {
        let folder = self.place.make()?;
        let classes = self.classes().to_vec();
        let dataset = &self.images.dataset;
        let all: Vec<u32> = (0..self.images.len() as u32).collect();
        let data = Data {
            path: canonical(&dataset.root).to_string_lossy().into_owned(),
            form: dataset.form.to_string(),
            split: self.split.map(|split| split.name().to_owned()),
            fingerprint: fingerprint(dataset),
            val_fingerprint: Some(fingerprint_of(dataset, &self.images.samples(&all))),
            images: Some(self.images.len()),
            ..Data::default()
        };
        let environment = environment(data, rayon::current_num_threads(), self.options.arguments.clone());
        let summary = Summary::Evaluation(Box::new(summary.clone()));
        folder.write_summary(&summary)?;
        folder.write_environment(&environment)?;
        folder.write(RunFolder::PREDICTIONS, self.csv())?;
        if self.leaks.is_some() {
            folder.write(RunFolder::LEAKS, leaks_csv(&self.paths, &self.copies))?;
        }
        let report = ClassificationReport::new(self.predictions.confusion()).render(&classes);
        folder.write(RunFolder::REPORT, report)?;
        if let Some(png) = confusion_png(&self.predictions, &classes) {
            folder.write(RunFolder::CONFUSION, png)?;
        }
        // Where it is damaged, that was told.
        let recipe = self.model.folder().and_then(|run| run.recipe().ok()?).unwrap_or_default();
        if !recipe.is_empty() {
            folder.write(RunFolder::RECIPE, &recipe)?;
        }
        let page = self.page(&folder, &summary, &environment, &recipe)?;
        folder.write(RunFolder::PAGE, page)?;
        Ok(folder)
    }

    fn page(
        &self,
        folder: &RunFolder,
        summary: &Summary,
        environment: &pupila_run::Environment,
        recipe: &str,
    ) -> Result<String, Error> {
        let what = match self.split {
            None => "image",
            Some(Split::Train) => "training image",
            Some(Split::Val) => "validation image",
            Some(Split::Test) => "test image",
        };
        let leaked: Vec<bool> = self.copies.iter().map(Option::is_some).collect();
        let judgement = page::Judgement {
            leaks: self.leaks.as_ref(),
            leaked: &leaked,
            predictions: &self.predictions,
            paths: &self.paths,
            what,
            intervals: &self.intervals,
        };
        let views = self.options.judging.views;
        let run = self.run.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let context = page::Context {
            title: format!("{run}: {}", folder.name()),
            subtitle: format!(
                "{} of epoch {}, judged on {}{}",
                self.model.network().architecture,
                self.model.card().epoch,
                self.images.dataset.root.display(),
                views.name().map_or(String::new(), |name| format!(
                    "; probabilities are the mean over {} views of each image ({name})",
                    views.count()
                ))
            ),
            classes: self.classes(),
            recipe,
            summary,
            environment,
        };
        let loader = self.model.loader(&self.images)?;
        let mut engine = self.model.explainer()?;
        let normalization = self.model.preparation().normalization();
        let source = page::Source { engine: &mut engine, loader: &loader, normalization, answers: true };
        let (decode, total) = match summary {
            Summary::Evaluation(evaluation) => (evaluation.timing.decode_s, evaluation.timing.total_s),
            Summary::Run(run) => (run.timing.decode_s, run.timing.total_s),
        };
        let phases =
            [("reading and resizing the images", decode), ("finding and judging them", total - decode)];
        let phases = phases.map(|(name, s)| (name.to_owned(), s)).into();
        Ok(page::of_evaluation(&context, &judgement, source, phases))
    }
}

fn same(a: &Path, b: &Path) -> bool {
    pupila_dataset::real(a).is_ok_and(|a| a == b)
}

/// What the recipe of a run says of its data.
fn layout_of(folder: &RunFolder) -> Result<(Layout, Option<String>), Error> {
    let Some(text) = folder.recipe()? else { return Ok((Layout::default(), None)) };
    let file = Some((folder.file(RunFolder::RECIPE), text));
    let (recipe, _) = Layers { file, settings: Vec::new(), learnt: None }.resolve_what_is_known();
    Ok((recipe.data.layout(), recipe.data.group.clone()))
}

/// A split of the run's own data.
fn own_split(own: &OwnData, model: &Classifier, options: &EvaluationOptions) -> Result<Target, Error> {
    if !pupila_dataset::exists(&own.path) {
        return Err(Error::request(format_args!(
            "the data of this run is no longer at {}: give DATA",
            own.path.display()
        )));
    }
    let (dataset, mut warnings) = scan_again(&own.folder, &own.path, options.judging.cache.as_ref())?;
    if dataset.classes != model.classes() {
        return Err(Error::request(format_args!(
            "the classes in {} are no longer those of the model ({}): give DATA",
            own.path.display(),
            shown(&model.classes().join(", "))
        )));
    }
    if fingerprint(&dataset) != own.fingerprint {
        warnings.push(format!(
            "{} has changed since the run: images may have moved between training and validation",
            own.path.display()
        ));
    }
    let split = options.split.unwrap_or(Split::Val);
    let which = dataset.indices(split);
    if which.is_empty() {
        return Err(Error::request(format_args!("{} has no {split} set", own.path.display())));
    }
    Ok(Target {
        trained: Trained::of(&own.folder, Some(&dataset))?,
        dataset,
        which,
        split: Some(split),
        warnings,
    })
}
