//! The page of a study: what was found, as the report draws it.

use super::{Analysis, Place, RunFacts, RunOutcome, Study, StudyPlan, VariantAnalysis};
use crate::comparison::differences::differing;
use pupila_report::{
    Curves, DifferenceRow, ExtraTable, MetricAxis, RunPoint, StudyPage, VariantResult, Verdict,
};
use pupila_run::RunFolder;
use pupila_study::controls::{Claim, Control};
use pupila_study::statistics::power::power;
use pupila_study::words::{Words, count, method, verdict};
use pupila_study::{Compared, Controls, EpochFacts, Facts, median, names, overlap};
use std::path::Path;

/// The page.
pub(super) fn page(
    study: &Study,
    facts: &Facts<'_>,
    analysis: &Analysis,
    (answer, found): (&[String], Option<&Controls>),
    extra: Vec<ExtraTable>,
) -> StudyPage {
    let plan = &study.plan;
    let words = Words { metric: plan.metric };
    let variants = (0..plan.variants.len()).map(|place| variant(study, facts, analysis, place)).collect();
    let block = plan.block();
    let planned = if plan.splits.len() > 1 { plan.splits.len() } else { plan.seeds.len() };
    let paired = match analysis.pairs {
        0 => String::new(),
        pairs if pairs < planned => format!(", of which {pairs} {block}s are in pairs"),
        _ => String::new(),
    };
    StudyPage {
        title: format!("Study: {}", plan.name),
        question: plan.question.clone(),
        subtitle: format!(
            "{}: {} variants, {} seeds{}{paired}, {} validation images, {} of the best epoch",
            study.data.display(),
            plan.variants.len(),
            plan.seeds.len(),
            if plan.splits.len() > 1 { format!(", {} splits", plan.splits.len()) } else { String::new() },
            study.images,
            words.name(),
        ),
        answer: answer.iter().map(|sentence| quoted(sentence)).collect(),
        warnings: study.notes.clone(),
        metric: MetricAxis {
            name: words.name(),
            share: plan.metric.unit == "frac",
            higher_is_better: plan.metric.higher_is_better(),
        },
        baseline: plan.baseline,
        variants,
        seeds: columns(plan),
        splits: plan.splits.len() > 1,
        target_loss: analysis.target_loss.is_finite().then_some(analysis.target_loss),
        images: study.images as u64,
        power: power_of(study, analysis),
        controls: found.map(|found| controls(study, found)),
        extra: recall(study, analysis).into_iter().chain(extra).collect(),
        command: command(study),
        method: method(plan, analysis),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// What a study of what was compared finds.
fn power_of(study: &Study, analysis: &Analysis) -> String {
    let plan = &study.plan;
    if analysis.comparisons == 0 {
        return String::new();
    }
    let (variants, overlap) = (analysis.comparisons + 1, overlap(plan, study.images, study.train_images));
    let found = |effect| 100.0 * power(effect, variants, analysis.pairs, overlap);
    let one_is = match analysis.residual_sd.is_finite() {
        true => format!("; one is {} here", Words { metric: plan.metric }.size(analysis.residual_sd)),
        false => String::new(),
    };
    format!(
        "A study of {variants} variants and {} finds a difference of 1, 2, 3 residual standard deviations (between {}s, beyond what moves all variants alike) in {:.0} %, {:.0} %, {:.0} % of cases{one_is}.",
        count(analysis.pairs, plan.block()),
        plan.block(),
        found(1.0),
        found(2.0),
        found(3.0),
    )
}

/// Names in quotation marks, which stand in backticks on a terminal.
fn quoted(sentence: &str) -> String {
    let parts = sentence.split('`').enumerate();
    parts.map(|(place, part)| if place % 2 == 1 { format!("“{part}”") } else { part.to_owned() }).collect()
}

/// The name of a run's column.
fn column(plan: &StudyPlan, split: usize, seed: usize) -> String {
    match plan.splits.len() {
        1 => plan.seeds[seed].to_string(),
        _ => format!("{}/{}", plan.splits[split], plan.seeds[seed]),
    }
}

fn columns(plan: &StudyPlan) -> Vec<String> {
    let of_split = |split| (0..plan.seeds.len()).map(move |seed| column(plan, split, seed));
    (0..plan.splits.len()).flat_map(of_split).collect()
}

fn command(study: &Study) -> String {
    let quoted =
        |argument: &String| match argument.chars().all(|c| c.is_alphanumeric() || "-_./=:,+".contains(c)) {
            true => argument.clone(),
            false => format!("'{}'", argument.replace('\'', "'\\''")),
        };
    let typed: Vec<String> =
        study.arguments.iter().filter(|argument| *argument != "--json").map(quoted).collect();
    if typed.is_empty() { String::new() } else { format!("pupila {}", typed.join(" ")) }
}

fn variant(study: &Study, facts: &Facts<'_>, analysis: &Analysis, place: usize) -> VariantResult {
    let plan = &study.plan;
    let found = &analysis.variants[place];
    let mut runs = Vec::new();
    for split in 0..plan.splits.len() {
        for seed in 0..plan.seeds.len() {
            let at = Place { variant: place, split, seed };
            runs.push(run(study, at, facts.get(at)));
        }
    }
    // A share beyond 0 or 1 is none.
    let share = plan.metric.unit == "frac";
    let cut = |value: f64| if share { value.clamp(0.0, 1.0) } else { value };
    VariantResult {
        name: found.name.clone(),
        values: values(plan, place),
        runs,
        mean: found.mean,
        interval: (cut(found.interval.0), cut(found.interval.1)),
        difference: difference(plan, analysis, place, found),
        gap: found.gap,
        epochs_to: (found.reached > 0).then_some(found.epochs_to),
        reached: (found.reached, found.ended),
        time_to_s: found.core_s_to,
        time_s: found.core_s,
        memory_bytes: found.memory_bytes,
        spread: found.sd,
        diverged: found.diverged,
        failed: found.failed,
        findings: found.findings.clone(),
        curves: curves(facts.of(place)),
    }
}

/// Every key in which variants differ, with this variant's value: what another variant sets, this one has too.
fn values(plan: &StudyPlan, place: usize) -> Vec<(String, String)> {
    let effective = plan.effective(place);
    let own = &plan.variants[place].values;
    let value = |key: &String| match (own.iter().find(|(own, _)| own == key), effective.get(key)) {
        (Some((_, value)), _) => names::plain(value),
        (None, Some(serde_json::Value::String(text))) => text.clone(),
        (None, Some(value)) => value.to_string(),
        (None, None) => "not set".to_owned(),
    };
    let all: Vec<_> = (0..plan.variants.len()).map(|variant| plan.effective(variant)).collect();
    let inside = |key: String| {
        let rows = differing(&key, &all.iter().map(|recipe| recipe.get(&key)).collect::<Vec<_>>());
        if rows.iter().all(|(name, _)| *name == key) {
            return vec![(key.clone(), value(&key))];
        }
        // Of a pipeline what differs inside alone: whole, it hides everything else.
        let here =
            |values: Vec<Option<String>>| values[place].clone().unwrap_or_else(|| "not set".to_owned());
        rows.into_iter().map(|(name, values)| (name, here(values))).collect()
    };
    plan.varied().into_iter().flat_map(inside).collect()
}

fn run(study: &Study, place: Place, facts: &RunFacts) -> RunPoint {
    let name = study.plan.run_name(place);
    let report = Path::new(&name).join(RunFolder::PAGE);
    let there = study.folder.join(&report).is_file();
    RunPoint {
        seed: column(&study.plan, place.split, place.seed),
        value: facts.value,
        status: match &facts.outcome {
            RunOutcome::Missing => "missing".to_owned(),
            RunOutcome::Ended(end) => end.replace('_', " "),
            RunOutcome::Failed(reason) => format!("failed: {reason}"),
        },
        folder: if there { report.to_string_lossy().into_owned() } else { String::new() },
    }
}

fn difference(
    plan: &StudyPlan,
    analysis: &Analysis,
    place: usize,
    found: &VariantAnalysis,
) -> Option<DifferenceRow> {
    if place == analysis.baseline {
        return None;
    }
    let Some(compared) = &found.compared else {
        let nan = (f64::NAN, f64::NAN);
        return Some(DifferenceRow {
            mean: f64::NAN,
            interval_seeds: nan,
            interval_both: None,
            p_value: f64::NAN,
            verdict: Verdict::NotTested,
            words: format!("not compared: fewer than two pairs of {}s", plan.block()),
        });
    };
    let Compared { difference, both, verdict: what, .. } = compared;
    Some(DifferenceRow {
        mean: difference.mean,
        interval_seeds: difference.interval,
        interval_both: both.map(|both| both.interval),
        p_value: difference.p_value,
        verdict: match what {
            super::Verdict::Better => Verdict::Better,
            super::Verdict::Worse => Verdict::Worse,
            super::Verdict::BetterHere => Verdict::BetterHere,
            super::Verdict::WorseHere => Verdict::WorseHere,
            super::Verdict::Open => Verdict::Open,
        },
        words: verdict(plan, compared),
    })
}

/// Lowest, mean and highest over the runs that got to an epoch.
fn curves(runs: &[RunFacts]) -> Curves {
    let mut epochs: Vec<u32> = runs.iter().flat_map(|run| &run.epochs).map(|epoch| epoch.epoch).collect();
    epochs.sort_unstable();
    epochs.dedup();
    let band = |of: fn(&EpochFacts) -> f64| {
        let at = |&epoch: &u32| {
            let values: Vec<f64> = runs
                .iter()
                .filter_map(|run| run.epochs.iter().find(|facts| facts.epoch == epoch))
                .map(of)
                .filter(|value| value.is_finite())
                .collect();
            let low = values.iter().copied().fold(f64::NAN, f64::min);
            let high = values.iter().copied().fold(f64::NAN, f64::max);
            [low, values.iter().sum::<f64>() / values.len() as f64, high]
        };
        epochs.iter().map(at).collect()
    };
    Curves {
        val_loss: band(|facts| facts.val_loss),
        val_metric: band(|facts| facts.value),
        train_loss: band(|facts| facts.train_loss),
        epochs,
    }
}

/// Classes of the table of recalls, at most: those on which the variants differ most.
const CLASSES: usize = 20;

/// Recall by class: what the metric says of all, here of each.
fn recall(study: &Study, analysis: &Analysis) -> Option<ExtraTable> {
    let base = &analysis.variants[analysis.baseline].recall;
    if base.is_empty() {
        return None;
    }
    let spread = |class: usize| {
        let of = analysis
            .variants
            .iter()
            .filter_map(|variant| variant.recall.get(class))
            .filter(|v| v.is_finite());
        let (low, high) =
            of.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
        high - low
    };
    let mut classes: Vec<usize> = (0..base.len()).collect();
    if classes.len() > CLASSES {
        classes.sort_by(|&a, &b| spread(b).total_cmp(&spread(a)));
        classes.truncate(CLASSES);
        classes.sort_unstable();
    }
    let percent = |value: Option<&f64>| match value {
        Some(value) if value.is_finite() => format!("{:.0} %", 100.0 * value),
        _ => "–".to_owned(),
    };
    let row = |variant: &VariantAnalysis| {
        let recalls = classes.iter().map(|&class| percent(variant.recall.get(class)));
        std::iter::once(variant.name.clone()).chain(recalls).collect()
    };
    let shown = if base.len() > CLASSES {
        format!(" The {CLASSES} classes on which variants differ most.")
    } else {
        String::new()
    };
    let images = classes.iter().map(|&class| {
        let name = study.classes.get(class).map_or("", |(name, _)| name.as_str());
        format!("{name} ({})", study.classes.get(class).map_or(0, |&(_, images)| images))
    });
    Some(ExtraTable {
        title: "Recall of each class".to_owned(),
        heads: std::iter::once("variant (training images)".to_owned()).chain(images).collect(),
        rows: analysis.variants.iter().map(row).collect(),
        note: format!(
            "Mean over the runs of the share of a class's validation images that are found. Not tested: with few images of a class it moves by chance.{shown}"
        ),
    })
}

/// What survives of the score without the content.
fn controls(study: &Study, found: &Controls) -> ExtraTable {
    let words = Words { metric: study.plan.metric };
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    let row = |control: &Control| {
        let survival = control.survival;
        let interval = survival.and_then(|survival| survival.interval);
        vec![
            control.name.clone(),
            words.value(control.mean),
            control.interval.map_or("–".to_owned(), |interval| words.interval(interval)),
            // Without an interval the share says nothing.
            survival
                .filter(|_| interval.is_some())
                .map_or("–".to_owned(), |survival| percent(survival.share)),
            interval.map_or("–".to_owned(), |(low, high)| {
                format!("{:.0} to {:.0} %", 100.0 * low, 100.0 * high)
            }),
            match control.claim {
                Claim::MostSurvives => "most of the score survives",
                Claim::SomeSurvives => "a part of the score survives",
                Claim::LittleSurvives => "most of the score does not survive",
                Claim::None => "no claim",
            }
            .to_owned(),
        ]
    };
    let files = found.controls.iter().any(|control| !control.has_runs).then_some(
        " The facts of the files are judged by a small tree, which has no seed: the interval of its score is over images.",
    );
    ExtraTable {
        title: "What survives without the content".to_owned(),
        heads: [
            "control",
            "score",
            "95 % interval",
            "survives of the score above chance",
            "95 % interval",
            "says",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows: found.controls.iter().map(row).collect(),
        note: format!(
            "Chance is what “{}” reaches, {}; all is what “{}” reaches, {}. Intervals of what survives are Fieller's, over seeds and images, simultaneous over the controls; they may reach below 0 and beyond 100 %. Something is claimed only where the interval allows it.{}",
            found.chance,
            words.value(found.chance_mean),
            study.plan.variants[study.plan.baseline].name,
            words.value(found.baseline_mean),
            files.unwrap_or_default(),
        ),
    }
}

/// How activations and gradients spread over the first steps, of the first seed of each variant.
pub(super) fn first_steps(found: &[(String, Vec<crate::session::FirstStep>)]) -> Option<ExtraTable> {
    let mut rows = Vec::new();
    let number = |value: f64| if value.is_finite() { format!("{value:.1e}") } else { value.to_string() };
    for (name, steps) in found {
        for step in steps {
            let hidden: Vec<_> = step.layers.iter().filter(|layer| layer.features > 0).collect();
            let (Some(first), Some(last)) = (hidden.first(), hidden.last()) else { continue };
            let dead = median(hidden.iter().map(|layer| layer.dead_frac).collect());
            rows.push(vec![
                name.clone(),
                step.updates.to_string(),
                number(first.activation_variance),
                number(last.activation_variance),
                number(first.gradient_variance),
                number(last.gradient_variance),
                format!("{:.0} %", 100.0 * dead),
            ]);
        }
    }
    (!rows.is_empty()).then(|| ExtraTable {
        title: "The first steps".to_owned(),
        heads: [
            "variant",
            "updates",
            "activations, first layer",
            "last layer",
            "gradients, first layer",
            "last layer",
            "dead units",
        ]
        .map(str::to_owned)
        .to_vec(),
        rows,
        note: "Variances over the run's first batch, with the first seed, after so many updates at the recipe's learning rate (no schedule, clipping, mixing or class weights). Variances that grow or shrink by orders of magnitude from the first layer to the last, or from one row to the next, are what an initialisation is chosen against.".to_owned(),
    })
}
