//! `pupila study`: many runs as one piece of work, and what they say.

use super::recipe::{begun, chosen, flag, init_from, trackers};
use super::tell_study::{Live, after, before};
use super::{tell, typed};
use crate::cli;
use crate::failure::Failure;
use crate::interrupt::listen;
use crate::output::Output;
use pupila::Study;
use pupila::study::{Keep, Request, StudyPlan, Unfinished, definition};

pub(crate) fn run(arguments: &cli::Study) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let flags = [flag("epochs", "train.epochs", &arguments.epochs), init_from(&arguments.init_from)];
    let flags = flags.into_iter().chain(trackers(&arguments.trackers));
    let request = Request {
        layers: begun(chosen(&arguments.choice, flags)?)?,
        seeds: arguments.seeds.map(usize::from),
        splits: arguments.splits.map(usize::from),
        metric: arguments.metric.clone(),
        baseline: arguments.baseline.clone(),
        minutes: arguments.minutes,
        runs: arguments.max_runs,
        single: false,
    };
    let definition = definition(&arguments.study).map_err(Failure::request)?;
    let plan = StudyPlan::new(&definition, &request).map_err(Failure::request)?;
    let keep = arguments.keep.map(|keep| match keep {
        cli::Keep::All => Keep::All,
        cli::Keep::Best => Keep::Best,
        cli::Keep::None => Keep::None,
    });
    let bar = tell::bar(0, tell::READING);
    let shown = bar.clone();
    let mut builder = Study::builder(plan, &arguments.data)
        .runs(&arguments.runs)
        .threads(arguments.threads.count())
        .stop_signal(&listen())
        .on_progress(move |progress| tell::advance(&shown, progress))
        .arguments(typed());
    if let Some(name) = &arguments.name {
        builder = builder.name(name);
    }
    if let Some(keep) = keep {
        builder = builder.keep(keep);
    }
    if let Some(jobs) = arguments.jobs {
        builder = builder.jobs(usize::from(jobs));
    }
    let mut study = builder.open()?;
    before(output, &study, &arguments.data);
    if arguments.dry_run {
        output.object(&forecast(&study));
        return Ok(());
    }
    let live = Live::new(output, &study);
    let result = study.run(&live);
    live.finish();
    let result = result?;
    after(output, &study, &result);
    output.object(&result.json);
    match result.because {
        Some(Unfinished::Stopped) => Err(Failure::Interrupted(format!(
            "interrupted; {} of {} runs have ended and are kept: the same command goes on",
            study.forecast().runs - result.missing,
            study.forecast().runs
        ))),
        _ => Ok(()),
    }
}

/// What would be run, for programs.
fn forecast(study: &Study) -> serde_json::Value {
    let (plan, forecast) = (study.plan(), study.forecast());
    serde_json::json!({
        "study": plan.name,
        "folder": study.folder().to_string_lossy(),
        "variants": plan.variants.iter().map(|variant| variant.name.as_str()).collect::<Vec<_>>(),
        "seeds": plan.seeds,
        "splits": plan.splits,
        "runs": forecast.runs,
        "done": forecast.done,
        "jobs": forecast.jobs,
        "threads_each": forecast.threads_each,
        "disk_bytes": forecast.disk_bytes,
        "power": forecast.power,
    })
}
