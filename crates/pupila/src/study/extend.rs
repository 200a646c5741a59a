//! A study that is there already is gone on with: more seeds, more variants, nothing twice.

use super::{Keep, StudyPlan};
use pupila_run::{FORMAT, StudyFile, StudyVariant};
use pupila_study::StudyFault;
use std::path::Path;

/// Adds what the folder has to the plan: its variants, seeds and splits. What contradicts it is a fault.
pub(super) fn extend(plan: &mut StudyPlan, before: &StudyFile) -> Vec<StudyFault> {
    let mut faults = Vec::new();
    // Variants by what has changed in all of them: one forgotten option is one fault.
    let mut otherwise: Vec<(String, Vec<String>)> = Vec::new();
    let other = "; choose another --name, or remove the study";
    for old in &before.variants {
        let same = plan.variants.iter().find(|variant| variant.name == old.name);
        match same {
            Some(variant) => {
                let changed = plan.changed_keys(variant, &old.recipe);
                if !changed.is_empty() {
                    let changed = changed.join(", ");
                    match otherwise.iter_mut().find(|(keys, _)| *keys == changed) {
                        Some((_, names)) => names.push(format!("`{}`", old.name)),
                        None => otherwise.push((changed, vec![format!("`{}`", old.name)])),
                    }
                }
            }
            None => {
                let renamed = plan.variants.iter().find(|new| {
                    let stored = before.variants.iter().any(|old| old.name == new.name);
                    !stored && plan.changed_keys(new, &old.recipe).is_empty()
                });
                // Its runs would be made a second time, and the study would compare them with themselves.
                faults.extend(renamed.map(|new| {
                    StudyFault::new(
                        format!("variants `{}` and `{}`", new.name, old.name),
                        "are the same recipe, and the study has the second one: give it that name, or leave it out",
                    )
                }));
                faults.extend(plan.add_stored(&old.name, &old.folder, &old.recipe, &old.values).err());
            }
        }
    }
    for (keys, names) in otherwise {
        let what = if names.len() == 1 { "variant" } else { "variants" };
        faults.push(StudyFault::new(
            format!("{what} {}", names.join(", ")),
            format!("the study has another recipe ({keys}){other}"),
        ));
    }
    if before.subsets != plan.subsets {
        faults.push(StudyFault::new("subsets", format!("the study has it otherwise{other}")));
    }
    plan.keep_folders(before.variants.iter().map(|old| (old.name.as_str(), old.folder.as_str())));
    let merged = |old: &[u64], new: &[u64]| {
        let mut all = old.to_vec();
        all.extend(new.iter().filter(|seed| !old.contains(seed)));
        all
    };
    if plan.splits_asked {
        if before.splits.len() != plan.splits.len() && before.splits.len().min(plan.splits.len()) == 1 {
            faults.push(StudyFault::new(
                "splits",
                format!(
                    "the study has {}, and runs of one split have other names than those of several{other}",
                    before.splits.len()
                ),
            ));
        }
        plan.splits = merged(&before.splits, &plan.splits);
    } else {
        if let Some(seed) = plan.split_seed.filter(|seed| !before.splits.contains(seed)) {
            let has: Vec<String> = before.splits.iter().map(u64::to_string).collect();
            faults.push(StudyFault::new(
                "data.split_seed",
                format!("is {seed} here, and the study has {}{other}", has.join(", ")),
            ));
        }
        plan.splits = before.splits.clone();
    }
    plan.seeds = merged(&before.seeds, &plan.seeds);
    faults
}

/// What is another now than in the folder and is no fault: the baseline, and variants that the definition (`named`) does not have.
pub(super) fn otherwise(plan: &StudyPlan, before: &StudyFile, named: &[String]) -> Vec<String> {
    let mut notes = Vec::new();
    let baseline = &plan.variants[plan.baseline].name;
    if !before.baseline.is_empty() && before.baseline != *baseline {
        notes.push(format!(
            "the baseline is `{baseline}` now, and was `{}` before: --baseline '{}' compares with that again",
            before.baseline, before.baseline
        ));
    }
    let kept: Vec<String> = before
        .variants
        .iter()
        .filter(|old| !named.contains(&old.name))
        .map(|old| format!("`{}`", old.name))
        .collect();
    if !kept.is_empty() {
        notes.push(format!(
            "of the study's folder, and not of its definition any more, but shown and gone on with: {}",
            kept.join(", ")
        ));
    }
    notes
}

/// The study as it is written into its folder.
pub(super) fn file(
    plan: &StudyPlan,
    data: &Path,
    (fingerprinted, fingerprint): (&str, &str),
    keep: Keep,
    before: Option<StudyFile>,
) -> StudyFile {
    let before = before.unwrap_or_default();
    let variant = |variant: &pupila_study::Variant| StudyVariant {
        name: variant.name.clone(),
        folder: variant.slug.clone(),
        values: variant
            .values
            .iter()
            .map(|(key, value)| (key.clone(), serde_json::to_value(value).unwrap_or_default()))
            .collect(),
        recipe: variant.recipe.to_toml(),
    };
    StudyFile {
        study: plan.name.clone(),
        question: plan.question.clone(),
        metric: plan.metric.name.to_owned(),
        baseline: plan.variants[plan.baseline].name.clone(),
        data: data.to_string_lossy().into_owned(),
        fingerprint: fingerprint.to_owned(),
        fingerprinted: fingerprinted.to_owned(),
        keep: keep.name().to_owned(),
        seeds: plan.seeds.clone(),
        splits: plan.splits.clone(),
        subsets: plan.subsets,
        variants: plan.variants.iter().map(variant).collect(),
        failures: before.failures,
        result: before.result,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        format: FORMAT,
    }
}
