//! A session that is being put together.

use super::{Beginning, GoingOn, OnProgress, Progress, Session, Stage, available_threads};
use crate::error::{Error, Tried};
use crate::memory_need::{self, AvailableMemory};
use crate::shared_data::SharedData;
use crate::stop_signal::StopSignal;
use crate::transfer::Learnt;
use pupila_dataset::{Cache, Split};
use pupila_engine::thread_pool;
use pupila_run::{Group, RunFolder};
use pupila_train::{CheckedRecipe, Fault, ModelCard, RecipeErrors, check_freeze, scan_for};
use pupila_transforms::Normalization;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// A session that is being put together.
pub struct SessionBuilder {
    pub(super) recipe: Result<CheckedRecipe, RecipeErrors>,
    pub(super) data: PathBuf,
    pub(super) runs: PathBuf,
    pub(super) name: Option<String>,
    pub(super) threads: Option<usize>,
    pub(super) cache: Option<Cache>,
    pub(super) shared: Option<Arc<SharedData>>,
    pub(super) group: Option<Group>,
    pub(super) saves: bool,
    pub(super) durable: bool,
    pub(super) sends: bool,
    pub(super) memory: Option<AvailableMemory>,
    pub(super) stop: StopSignal,
    pub(super) progress: Option<OnProgress>,
    pub(super) arguments: Vec<String>,
    pub(super) started: Instant,
    pub(super) going_on: Option<GoingOn>,
    pub(super) begun_as: Option<CheckedRecipe>,
    pub(super) weights: Option<PathBuf>,
}

impl fmt::Debug for SessionBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SessionBuilder")
            .field("data", &self.data)
            .field("runs", &self.runs)
            .finish_non_exhaustive()
    }
}

impl SessionBuilder {
    /// The folder that the run's folder is made in; `runs` if left out.
    #[must_use]
    pub fn runs(mut self, folder: impl Into<PathBuf>) -> Self {
        self.runs = folder.into();
        self
    }

    /// The name of the run's folder; otherwise the data's and the model's names and a number.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Threads to work on; all cores if left out. Results don't depend on it.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Where decoded images are kept on disk, or nowhere; the user's cache if left out. `data.cache = false` uses none anyway.
    #[must_use]
    pub fn cache(mut self, cache: Option<Cache>) -> Self {
        self.cache = cache;
        self
    }

    /// Data that several sessions share: what one of them has scanned and decoded, the others have too. They must be of the same path.
    #[must_use]
    pub fn shared(mut self, shared: &Arc<SharedData>) -> Self {
        self.shared = Some(Arc::clone(shared));
        self
    }

    /// The runs that this one belongs to, for trackers.
    #[must_use]
    pub fn group(mut self, group: Group) -> Self {
        self.group = Some(group);
        self
    }

    /// Whether the best model so far is written while the run goes on, so that a run that is killed leaves one; it is if left out.
    /// At the end it always is.
    #[must_use]
    pub fn save_while_running(mut self, saves: bool) -> Self {
        self.saves = saves;
        self
    }

    /// Whether what the run leaves is brought to the disk itself before its record says that there is all of it; left to the system if left
    /// out.
    pub(crate) fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// Whether the run is sent to the MLflow server that the recipe or the environment names; it is if left out. `pupila sync` sends it
    /// later.
    #[must_use]
    pub fn send(mut self, sends: bool) -> Self {
        self.sends = sends;
        self
    }

    /// How much memory there is ([`available_memory`](crate::available_memory)): a run that takes more is refused before it makes
    /// anything, with what would fit. Nothing is checked if left out.
    #[must_use]
    pub fn memory(mut self, available: Option<AvailableMemory>) -> Self {
        self.memory = available;
        self
    }

    /// What may stop the session.
    #[must_use]
    pub fn stop_signal(mut self, stop: &StopSignal) -> Self {
        self.stop = stop.clone();
        self
    }

    /// Told how far the reading of the images is, from any thread.
    #[must_use]
    pub fn on_progress(mut self, progress: impl Fn(Progress) + Send + Sync + 'static) -> Self {
        self.progress = Some(Arc::new(progress));
        self
    }

    /// What was typed, for `environment.json`; nothing if left out.
    #[must_use]
    pub fn arguments(mut self, arguments: Vec<String>) -> Self {
        self.arguments = arguments;
        self
    }

    /// When the work began, by which the run's times are counted; now if left out.
    #[must_use]
    pub fn started(mut self, started: Instant) -> Self {
        self.started = started;
        self
    }

    /// The run goes on in a folder that is there.
    pub(crate) fn going_on(mut self, going_on: GoingOn) -> Self {
        self.going_on = Some(going_on);
        self
    }

    /// What the run was asked for at first, where that was another recipe: its record begins so. None for this one.
    pub(crate) fn begun_as(mut self, recipe: Option<CheckedRecipe>) -> Self {
        self.begun_as = recipe;
        self
    }

    /// Where the weights are that the recipe names, where that is elsewhere; they keep their name.
    pub(crate) fn weights(mut self, path: Option<PathBuf>) -> Self {
        self.weights = path;
        self
    }

    /// The session: the data scanned, and everything checked that can be before an image is read.
    ///
    /// # Errors
    /// Faults of the recipe, all at once; a name that is taken; data that cannot be found or read; a model that cannot be built for
    /// the input.
    pub fn open(self) -> Result<Session, Error> {
        let recipe = self.recipe?;
        if let Some(name) = &self.name
            && self.going_on.is_none()
        {
            RunFolder::check_name(&self.runs, name)?;
        }
        // Before the data, which may take long.
        let elsewhere = self.weights.as_deref();
        let learnt = recipe.transfer.source().map(|from| match elsewhere {
            Some(path) => Ok(Learnt::open(path)?.named(from)),
            None => Learnt::open(from),
        });
        let learnt = learnt.transpose()?;
        let pool = thread_pool(self.threads.unwrap_or_else(available_threads))
            .map_err(|error| Error::Threads(error.to_string()))?;
        let threads = pool.current_num_threads();
        let cache = self.cache.filter(|_| recipe.data.cache);
        let (dataset, scan_time) = pool.install(|| match &self.shared {
            Some(shared) => shared.scan(&recipe),
            None => {
                let (dataset, time) = scan_for(&recipe, &self.data, cache.as_ref())?;
                Ok((Arc::new(dataset), time))
            }
        })?;
        if dataset.indices(Split::Val).is_empty() {
            return Err(Error::request(
                "the data have no validation images, so nothing can be judged: a class needs two different images or more; set \
                 data.val_frac or data.folds, and if a table names the classes look whether data.label_column is right",
            ));
        }
        let mut faults: Vec<Fault> = recipe.check_classes(&dataset.classes);
        faults.extend(recipe.check_kept(&dataset));
        faults.extend(recipe.check_monitor(&dataset.classes, &dataset.class_counts(Split::Val)));
        if !faults.is_empty() {
            return Err(RecipeErrors(faults).into());
        }
        let card = ModelCard::new(
            dataset.classes.clone(),
            recipe.input.clone(),
            &Normalization::imagenet(usize::from(recipe.input.channels)),
            recipe.model.clone(),
        );
        let network = card.network()?;
        if let Some(fault) = check_freeze(&recipe, &network) {
            return Err(RecipeErrors(vec![fault]).into());
        }
        let recipe = match &learnt {
            Some(learnt) => recipe.with_sha256(learnt.path().to_owned(), learnt.sha256().to_owned()),
            None => recipe,
        };
        let learnt =
            learnt.map(|learnt| Beginning::of(&recipe, &network, &dataset.classes, &learnt)).transpose()?;
        let train_images = dataset.indices(Split::Train).len();
        if recipe.train.batch.min(train_images) == 1 && network.normalizes_over_batch_alone() {
            return Err(Error::request(format_args!(
                "BatchNorm normalises by the mean and variance of a batch, and in batches of one image a value is its own mean: type \
                 --batch 2 or more{}",
                if recipe.model.batch_norm { ", or --set model.batch_norm=false" } else { "" }
            )));
        }
        if let Some(available) = &self.memory {
            pool.install(|| memory_need::check(&recipe, &network, &dataset, available))?;
        }
        // Before the long work: a place that cannot be written to is better known now.
        std::fs::create_dir_all(&self.runs).map_err(Error::io(Tried::MakeFolder, &self.runs))?;
        Ok(Session {
            recipe,
            data: self.data,
            runs: self.runs,
            name: self.name,
            threads,
            pool,
            cache,
            shared: self.shared,
            group: self.group,
            saves: self.saves,
            durable: self.durable,
            sends: self.sends,
            stop: self.stop,
            progress: self.progress,
            arguments: self.arguments,
            started: self.started,
            scan_time,
            network,
            learnt,
            images: Stage::Scanned(dataset),
            going_on: self.going_on,
            begun_as: self.begun_as,
            ran: false,
        })
    }
}
