//! `report.html`: what a run or an evaluation has in hand, as the page wants it.

use crate::describe::count;
use pupila_backend::{Backend, Method};
use pupila_loader::Loader;
use pupila_metrics::Predictions;
use pupila_network::Network;
use pupila_report::{Distribution, EpochPoint, Heat, Judged, Picture, Report, Training, ValueCounts, select};
use pupila_run::{Environment, Intervals, Leaks, Summary};
use pupila_train::{
    Distributions, EarlyStopping, EpochRecord, Look, Looks, Monitor, Outcome, Recipe, ValueSpread,
    distributions, explain_samples, first_filters, sample_image, stops_after,
};
use pupila_transforms::Normalization;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Weights and activations at the first and the last epoch.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    looks: Looks,
}

impl Collected {
    /// As it was when a checkpoint was taken.
    pub(crate) fn behind(looks: Looks) -> Self {
        Collected { looks }
    }

    /// What it has seen so far.
    pub(crate) fn looks(&self) -> Looks {
        self.looks.clone()
    }

    /// Looks at the first and the last epoch; others would cost time for nothing.
    pub(crate) fn look(&mut self, look: &mut Look<'_>, normalization: &Normalization) {
        let epoch = look.record.epoch;
        if epoch != 1 && !look.last {
            return;
        }
        let seen = distributions(look.engine, look.plan.val, normalization);
        if look.last {
            self.looks.last = Some((epoch, Arc::new(seen)));
        } else {
            self.looks.first = Some(Arc::new(seen));
        }
    }
}

/// Images that were judged, and the engine that judged them.
pub(crate) struct Source<'a> {
    /// Made for training, with the values that judged.
    pub(crate) engine: &'a mut dyn Backend,
    pub(crate) loader: &'a Loader,
    pub(crate) normalization: &'a Normalization,
    /// Whether the answers are the network's, so that it can be asked where it looks.
    pub(crate) answers: bool,
}

/// What a page says of images that were judged.
pub(crate) struct Judgement<'a> {
    pub(crate) predictions: &'a Predictions,
    pub(crate) paths: &'a [String],
    /// Such as "validation image".
    pub(crate) what: &'a str,
    /// 95 % intervals.
    pub(crate) intervals: &'a Intervals,
    /// What images with a copy in the training set do to the scores.
    pub(crate) leaks: Option<&'a Leaks>,
    /// Which images have one.
    pub(crate) leaked: &'a [bool],
}

/// What every page holds besides.
pub(crate) struct Context<'a> {
    pub(crate) title: String,
    pub(crate) subtitle: String,
    pub(crate) classes: &'a [String],
    pub(crate) recipe: &'a str,
    pub(crate) summary: &'a Summary,
    pub(crate) environment: &'a Environment,
}

/// What was trained on what, in a line.
pub(crate) fn subtitle(network: &Network, classes: usize, data: &Path) -> String {
    format!(
        "{} of {} parameters for {} classes, trained on {}",
        network.architecture,
        count(network.parameter_count()),
        classes,
        data.display()
    )
}

/// The page of a training run, as far as there is something to report.
pub(crate) fn of_run(
    context: &Context<'_>,
    recipe: &Recipe,
    outcome: &Outcome,
    judgement: Option<&Judgement<'_>>,
    collected: Collected,
    mut source: Source<'_>,
    [scan, decode, total]: [Duration; 3],
) -> String {
    let epochs: Vec<EpochPoint> = outcome.epochs.iter().map(point).collect();
    let training = Training {
        epochs: &epochs,
        best: outcome.best_epoch,
        planned: recipe.train.epochs,
        end: outcome.end,
        monitor: &recipe.train.monitor,
        patience: recipe.early_stopping.patience,
        min_delta: recipe.early_stopping.min_delta,
        would_stop: would_stop(recipe, outcome),
    };
    // Where the run ended before its last epoch, the values that are kept stand in.
    let Looks { first, last } = collected.looks;
    let last = last.map(|(epoch, last)| (epoch, Arc::unwrap_or_clone(last)));
    let last = last.or_else(|| {
        let best = outcome.best_epoch?;
        Some((best, distributions(source.engine, source.loader, source.normalization)))
    });
    let (mut weights, mut activations, mut times) =
        (Vec::new(), Vec::new(), ("epoch 1".to_owned(), String::new()));
    if let Some((epoch, last)) = last {
        times.1 = format!("epoch {epoch}");
        let first = first.filter(|_| epoch > 1).map_or_else(Distributions::default, Arc::unwrap_or_clone);
        weights = paired(first.weights, last.weights);
        activations = paired(first.activations, last.activations);
    }
    let (pictures, explained_by) = pictures(judgement, &mut source);
    let sum =
        |of: fn(&EpochRecord) -> Duration| outcome.epochs.iter().map(of).sum::<Duration>().as_secs_f64();
    let (trained, waited, validated) = (sum(|e| e.train_time), sum(|e| e.waited), sum(|e| e.eval_time));
    let [scan, decode, total] = [scan, decode, total].map(|time| time.as_secs_f64());
    let rest = (total - scan - decode - trained - validated).max(0.0);
    let phases = [
        ("scanning the data", scan),
        ("reading and resizing the images", decode),
        ("training", trained - waited),
        ("training, waiting for images", waited),
        ("validation", validated),
        ("the rest: layout of the network, records, files", rest),
    ];
    let report = Report {
        judged: judgement.map(judged),
        training: Some(training),
        pictures,
        explained_by,
        weights,
        activations,
        times,
        filters: outcome.best_epoch.and_then(|_| first_filters(source.engine)),
        phases: phases.map(|(name, s)| (name.to_owned(), s)).into(),
        ..empty(context)
    };
    report.render()
}

/// The lowest patience with which early stopping would have spared epochs and kept the same model, and the epoch after which it
/// would have ended the run.
fn would_stop(recipe: &Recipe, outcome: &Outcome) -> Option<(u32, u32)> {
    let (best, monitor) = (outcome.best_epoch?, Monitor::parse(&recipe.train.monitor).ok()?);
    let metrics: Vec<f64> = outcome.epochs.iter().map(|epoch| monitor.of(&epoch.val)).collect();
    let ends = |patience| {
        let rule = EarlyStopping { patience: Some(patience), ..recipe.early_stopping.clone() };
        let epoch = stops_after(monitor, &rule, &metrics)?;
        ((best..metrics.len() as u32).contains(&epoch)).then_some((patience, epoch))
    };
    // Below 3 a run of bad luck would end it.
    (3..=10).find_map(ends)
}

/// The page of an evaluation.
pub(crate) fn of_evaluation(
    context: &Context<'_>,
    judgement: &Judgement<'_>,
    mut source: Source<'_>,
    phases: Vec<(String, f64)>,
) -> String {
    let (pictures, explained_by) = pictures(Some(judgement), &mut source);
    let judged = Some(judged(judgement));
    Report { judged, pictures, explained_by, phases, ..empty(context) }.render()
}

fn empty<'a>(context: &'a Context<'_>) -> Report<'a> {
    Report {
        title: context.title.clone(),
        subtitle: context.subtitle.clone(),
        classes: context.classes,
        judged: None,
        training: None,
        pictures: Vec::new(),
        explained_by: None,
        weights: Vec::new(),
        activations: Vec::new(),
        times: Default::default(),
        filters: None,
        recipe: context.recipe,
        summary: context.summary,
        environment: context.environment,
        phases: Vec::new(),
    }
}

fn judged<'a>(judgement: &Judgement<'a>) -> Judged<'a> {
    Judged {
        predictions: judgement.predictions,
        paths: judgement.paths,
        what: judgement.what.to_owned(),
        intervals: judgement.intervals,
        leaks: judgement.leaks,
        leaked: judgement.leaked,
    }
}

/// The pictures that the page shows, with what the network looks at, and how that was found.
fn pictures(judgement: Option<&Judgement<'_>>, source: &mut Source<'_>) -> (Vec<Picture>, Option<String>) {
    let Some(judgement) = judgement else { return (Vec::new(), None) };
    let selection = select(judgement.predictions, judgement.leaked);
    let explained = if source.answers { selection.explained() } else { Vec::new() };
    let predicted: Vec<u32> = judgement.predictions.predicted().collect();
    let classes: Vec<u32> = explained.iter().map(|&sample| predicted[sample]).collect();
    let explanation = (source.answers)
        .then(|| explain_samples(source.engine, source.loader, source.normalization, &explained, &classes))
        .flatten();
    let picture = |sample: usize| {
        let image = sample_image(source.loader, sample)?;
        let heat = explanation.as_ref().and_then(|explanation| {
            let place = explained.binary_search(&sample).ok()?;
            let size = explanation.height * explanation.width;
            let values = explanation.maps.get(place * size..(place + 1) * size)?.to_vec();
            Some(Heat { height: explanation.height, width: explanation.width, values })
        });
        Some(Picture { sample, image, heat })
    };
    let pictures = selection.all().into_iter().filter_map(picture).collect();
    let words = explanation.map(|explanation| match explanation.method {
        Method::GradCam { layer } => {
            let nodes = source.engine.network().nodes();
            let module = nodes.iter().find(|node| node.name == layer).map_or("", |node| node.op.module());
            format!(
                "Beside each image, in color, is what speaks for the answer: Grad-CAM (Selvaraju et al. 2017) at the output of layer {layer} ({module}), a map of {}x{} places.",
                explanation.width, explanation.height
            )
        }
        Method::InputGradient => {
            "Beside each image, in color, are the pixels whose change would change the answer most: the gradient of its logit (Simonyan et al. 2014).".to_owned()
        }
    });
    (pictures, words)
}

fn point(record: &EpochRecord) -> EpochPoint {
    EpochPoint {
        epoch: record.epoch,
        lr: record.lr,
        train_loss: record.train_loss,
        train_accuracy: record.train_accuracy,
        val_loss: record.val("loss"),
        val_accuracy: record.val("accuracy"),
        val_balanced_accuracy: record.val("balanced_accuracy"),
    }
}

/// The same names at both times.
fn paired(first: Vec<ValueSpread>, last: Vec<ValueSpread>) -> Vec<Distribution> {
    let counts = |spread: ValueSpread| ValueCounts {
        buckets: spread.histogram.buckets,
        zeros: spread.zeros,
        std: spread.std,
    };
    let mut first: Vec<Option<ValueSpread>> = first.into_iter().map(Some).collect();
    let pair = |last: ValueSpread| {
        let early = first.iter_mut().find(|spread| spread.as_ref().is_some_and(|s| s.name == last.name));
        let early = early.and_then(Option::take);
        Distribution { name: last.name.clone(), first: early.map(counts), last: counts(last) }
    };
    last.into_iter().map(pair).collect()
}
