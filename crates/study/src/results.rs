//! What a study says, for programs.

use crate::analysis::{Analysis, Compared, Facts, VariantAnalysis};
use crate::facts::{Outcome, RunFacts};
use crate::plan::{Place, Plan};
use crate::words;
use serde_json::{Value, json};

/// The object of `pupila study --json`.
pub fn to_json(plan: &Plan, facts: &Facts<'_>, analysis: &Analysis, answer: &[String]) -> Value {
    let variants = plan.variants.iter().enumerate().map(|(place, variant)| {
        let values = variant
            .values
            .iter()
            .map(|(key, value)| (key.clone(), serde_json::to_value(value).unwrap_or_default()));
        let values: serde_json::Map<String, Value> = values.collect();
        described(plan, facts, place, &analysis.variants[place], values.into())
    });
    json!({
        "study": plan.name,
        "question": plan.question,
        "metric": format!("val/{}", plan.metric.name),
        "seeds": plan.seeds,
        "splits": plan.splits,
        "baseline": plan.variants[plan.baseline].name,
        "variants": variants.collect::<Vec<_>>(),
        "comparisons": analysis.comparisons,
        "looks": analysis.looks,
        "target_loss": finite(analysis.target_loss),
        "residual_sd": finite(analysis.residual_sd),
        "seed_sd": analysis.components.map(|components| components.seed_sd),
        "split_sd": analysis.components.map(|components| components.split_sd),
        "detectable_difference": analysis.detectable,
        "images_half_width": analysis.images_half_width,
        "answer": answer,
    })
}

/// The numbers of pairs with which a study was judged, by the object that it left.
pub fn looks(result: &Value) -> Vec<usize> {
    let number = |value: &Value| value.as_u64().and_then(|pairs| usize::try_from(pairs).ok());
    match result["looks"].as_array() {
        Some(looks) => looks.iter().filter_map(number).collect(),
        // A study that was judged by an earlier version.
        None => {
            let variants = result["variants"].as_array().into_iter().flatten();
            variants.filter_map(|variant| number(&variant["difference"]["pairs"])).max().into_iter().collect()
        }
    }
}

fn described(
    plan: &Plan,
    facts: &Facts<'_>,
    place: usize,
    variant: &VariantAnalysis,
    values: Value,
) -> Value {
    let mut runs = Vec::new();
    for split in 0..plan.splits.len() {
        for seed in 0..plan.seeds.len() {
            let at = Place { variant: place, split, seed };
            runs.push(run(plan, at, facts.get(at)));
        }
    }
    json!({
        "name": variant.name,
        "values": values,
        "runs": runs,
        "mean": finite(variant.mean),
        "interval": interval(variant.interval),
        "sd": finite(variant.sd),
        "difference": variant.compared.as_ref().map(difference),
        "gap": finite(variant.gap),
        "epochs_to": finite(variant.epochs_to),
        "core_s_to": finite(variant.core_s_to),
        "reached": variant.reached,
        "time_s": finite(variant.core_s),
        "memory_bytes": variant.memory_bytes,
        "ended": variant.ended,
        "diverged": variant.diverged,
        "failed": variant.failed,
        "findings": variant.findings.iter().map(|(kind, n)| (kind.clone(), json!(n))).collect::<serde_json::Map<_, _>>(),
        "recall": variant.recall.iter().map(|&recall| finite(recall)).collect::<Vec<_>>(),
    })
}

fn run(plan: &Plan, place: Place, facts: &RunFacts) -> Value {
    let (status, reason) = match &facts.outcome {
        Outcome::Missing => ("missing", None),
        Outcome::Ended(end) => (end.as_str(), None),
        Outcome::Failed(reason) => ("failed", Some(reason)),
    };
    let mut object = json!({
        "run": plan.run_name(place),
        "seed": plan.seeds[place.seed],
        "split_seed": plan.splits[place.split],
        "status": status,
        "value": finite(facts.value),
        "best_epoch": facts.best_epoch,
        "epochs": facts.epochs.len(),
        "time_s": finite(facts.core_s),
    });
    if let Some(reason) = reason {
        object["reason"] = json!(reason);
    }
    object
}

fn difference(compared: &Compared) -> Value {
    let Compared { difference, means, both, verdict, seeds_needed, .. } = compared;
    json!({
        "means": [finite(means.0), finite(means.1)],
        "mean": finite(difference.mean),
        "interval": interval(difference.interval),
        "p_value": finite(difference.p_value),
        "pairs": difference.blocks,
        "interval_seeds_and_images": both.and_then(|both| interval(both.interval)),
        "p_value_seeds_and_images": both.map(|both| both.p_value),
        "verdict": verdict.name(),
        "seeds_needed": seeds_needed,
    })
}

fn interval((low, high): (f64, f64)) -> Option<[f64; 2]> {
    (low.is_finite() && high.is_finite()).then_some([low, high])
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// A table for the terminal: a row for each variant, in columns.
pub fn rows(plan: &Plan, analysis: &Analysis) -> Vec<[String; 6]> {
    let say = words::Words { metric: plan.metric };
    let mut rows = vec![
        ["variant", &say.name(), "95 % interval", "difference", "95 % interval", "verdict"]
            .map(str::to_owned),
    ];
    for (place, variant) in analysis.variants.iter().enumerate() {
        let [difference, range, verdict] = match &variant.compared {
            Some(compared) => [
                say.difference(compared.difference.mean),
                say.range(compared.difference.interval),
                words::verdict(plan, compared),
            ],
            None if place == analysis.baseline => ["", "", "baseline"].map(str::to_owned),
            None => ["–", "–", "not compared"].map(str::to_owned),
        };
        let trouble = match (variant.diverged, variant.failed) {
            (0, 0) => String::new(),
            (0, failed) => format!(", {failed} failed"),
            (diverged, 0) => format!(", {diverged} diverged"),
            (diverged, failed) => format!(", {diverged} diverged, {failed} failed"),
        };
        rows.push([
            variant.name.clone(),
            say.value(variant.mean),
            say.interval(variant.interval),
            difference,
            range,
            verdict + &trouble,
        ]);
    }
    rows
}
