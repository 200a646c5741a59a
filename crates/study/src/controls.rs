//! Negative controls: how much of the score above chance survives without the content, and what that says.
//!
//! Chance is what the variant that the study names reaches, such as one that is trained on shuffled labels. Every other variant, and what
//! the facts of the files alone reach, is told as a share of the baseline's score above it.

use crate::analysis::{Analysis, Facts, overlap};
use crate::blocks::Blocks;
use crate::plan::{Plan, Variant};
use crate::statistics::survival::{Judging, Scores, Survival, survival};
use crate::words::Words;
use serde_json::{Value, json};

/// The name by which the facts of the files stand among the variants.
pub const FILE_FACTS: &str = "file facts only";

/// What the facts of the files alone reach on the same images, without a network.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FileFacts {
    /// The metric.
    pub value: f64,
    /// Its 95 % interval over the images; none where it is undefined.
    pub interval: Option<(f64, f64)>,
    /// The metric by groups of images, as runs have it; none where it is undefined.
    pub pseudo_values: Option<Vec<f64>>,
    /// Which facts there are, such as `image size`: those that are the same for all files are none.
    pub facts: Vec<&'static str>,
}

/// What a share lets be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Half of the score above chance, or more, survives.
    MostSurvives,
    /// Something survives.
    SomeSurvives,
    /// Less than half survives; that anything does is not shown.
    LittleSurvives,
    /// The interval lets nothing be said.
    None,
}

impl Claim {
    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Claim::MostSurvives => "most_survives",
            Claim::SomeSurvives => "some_survives",
            Claim::LittleSurvives => "little_survives",
            Claim::None => "none",
        }
    }

    /// What an interval of a share lets be said.
    pub fn of(interval: Option<(f64, f64)>) -> Claim {
        match interval {
            Some((low, _)) if low >= 0.5 => Claim::MostSurvives,
            Some((low, _)) if low > 0.0 => Claim::SomeSurvives,
            Some((_, high)) if high < 0.5 => Claim::LittleSurvives,
            _ => Claim::None,
        }
    }
}

/// A control.
#[derive(Debug, Clone, PartialEq)]
pub struct Control {
    /// The variant's name, or [`FILE_FACTS`].
    pub name: String,
    /// Its mean score.
    pub mean: f64,
    /// The 95 % interval: over seeds; of the facts of files over images. None where it is undefined.
    pub interval: Option<(f64, f64)>,
    /// Whether runs stand behind it.
    pub has_runs: bool,
    /// How much of the score above chance survives; none for fewer than two seeds.
    pub survival: Option<Survival>,
    /// What that says.
    pub claim: Claim,
    /// One sentence of answer.
    pub sentence: String,
}

/// The controls of a study.
#[derive(Debug, Clone, PartialEq)]
pub struct Controls {
    /// The variant that chance is told by.
    pub chance: String,
    /// Its mean score.
    pub chance_mean: f64,
    /// The baseline's mean score.
    pub baseline_mean: f64,
    /// Each of them.
    pub controls: Vec<Control>,
    /// What is to be said before them: that the baseline is not above chance.
    pub note: Option<String>,
}

/// The controls of a study that names what chance reaches; none of any other. `images` and `train_images` as in [`crate::analyse`].
pub fn controls(
    facts: &Facts<'_>,
    analysis: &Analysis,
    images: usize,
    train_images: usize,
    file_facts: Option<&FileFacts>,
) -> Option<Controls> {
    let plan = facts.plan();
    let chance = plan.chance?;
    let tables: Vec<Vec<Vec<f64>>> = (0..plan.variants.len()).map(|variant| facts.table(variant)).collect();
    let blocks = Blocks::new(&tables, plan.baseline, Some(chance));
    let others: Vec<usize> =
        (0..plan.variants.len()).filter(|&variant| variant != chance && variant != plan.baseline).collect();
    let judging = Judging {
        pooled: blocks.pooled,
        step: if plan.metric.unit == "frac" { 1.0 / images.max(1) as f64 } else { 0.0 },
        overlap: overlap(plan, images, train_images),
        comparisons: others.len() + usize::from(file_facts.is_some()),
    };
    let own = |variant: usize| blocks.own[variant].clone();
    let scores = |without: Vec<f64>, pseudo: &dyn Fn() -> Option<Vec<Option<Vec<f64>>>>, is_seeded| {
        let (with, of_chance) = (own(plan.baseline), own(chance));
        let pseudo_values = if plan.splits.len() > 1 { None } else { pseudo() };
        let pseudo_values = pseudo_values
            .and_then(|without| complete(&[without, of_runs(facts, plan.baseline), of_runs(facts, chance)]));
        // Of every block that counts, or of none.
        let all = without.iter().zip(&with).zip(&of_chance);
        let blocks = all.filter(|((a, b), c)| a.is_finite() && b.is_finite() && c.is_finite()).count();
        let pseudo_values = pseudo_values.filter(|[rows, ..]| rows.len() == blocks);
        Scores { without, with, chance: of_chance, pseudo_values, is_seeded }
    };
    let mut found = Vec::new();
    for variant in others {
        let scores = scores(own(variant), &|| Some(of_runs(facts, variant)), true);
        let of = &analysis.variants[variant];
        let what = &plan.variants[variant];
        let known = of.interval.0.is_finite().then_some(of.interval);
        found.push(control(plan, &what.name, (of.mean, known), survival(&scores, &judging), Some(what)));
    }
    if let Some(file) = file_facts {
        let all = own(plan.baseline).len();
        let rows = || Some(vec![file.pseudo_values.clone(); all]);
        let scores = scores(vec![file.value; all], &rows, false);
        found.push(control(plan, FILE_FACTS, (file.value, file.interval), survival(&scores, &judging), None));
    }
    let mean = |variant: usize| analysis.variants[variant].mean;
    let unknown =
        found.iter().all(|control| control.survival.is_none_or(|survival| survival.interval.is_none()));
    let words = Words { metric: plan.metric };
    let untried = found.iter().all(|control| control.survival.is_none());
    let note = unknown.then(|| match untried {
        true => "Fewer than two seeds of the controls, the baseline and chance have ended, so nothing is said of how much survives.".to_owned(),
        false => format!(
            "`{}` ({}) is not told from chance (`{}`, {}), so nothing is said of how much survives: more seeds, or a recipe that learns more, would tell.",
            plan.variants[plan.baseline].name,
            words.value(mean(plan.baseline)),
            plan.variants[chance].name,
            words.value(mean(chance))
        ),
    });
    Some(Controls {
        chance: plan.variants[chance].name.clone(),
        chance_mean: mean(chance),
        baseline_mean: mean(plan.baseline),
        controls: found,
        note,
    })
}

/// The pseudo-values of a variant's runs, by seed; none of a run without a value.
fn of_runs(facts: &Facts<'_>, variant: usize) -> Vec<Option<Vec<f64>>> {
    let runs = facts.of(variant).iter();
    runs.map(|run| run.pseudo_values.clone().filter(|_| run.value.is_finite())).collect()
}

/// The rows in which all three have pseudo-values, of equally many groups; none for fewer than two.
fn complete(all: &[Vec<Option<Vec<f64>>>; 3]) -> Option<[Vec<Vec<f64>>; 3]> {
    let mut rows: [Vec<Vec<f64>>; 3] = Default::default();
    for seed in 0..all[0].len() {
        let row = all.each_ref().map(|of| of.get(seed).and_then(Clone::clone));
        if let [Some(without), Some(with), Some(chance)] = row {
            rows[0].push(without);
            rows[1].push(with);
            rows[2].push(chance);
        }
    }
    let groups = rows[0].first()?.len();
    let whole = rows.iter().flatten().all(|row| row.len() == groups);
    (whole && rows[0].len() > 1).then_some(rows)
}

fn control(
    plan: &Plan,
    name: &str,
    (mean, interval): (f64, Option<(f64, f64)>),
    survival: Option<Survival>,
    variant: Option<&Variant>,
) -> Control {
    let claim = Claim::of(survival.and_then(|survival| survival.interval));
    let sentence = sentence(plan, name, survival, claim, variant);
    Control { name: name.to_owned(), mean, interval, has_runs: variant.is_some(), survival, claim, sentence }
}

/// What a control leaves out, and what the network does without it, where most of the score survives.
fn meaning(variant: Option<&Variant>) -> (&'static str, &'static str) {
    let shown = variant.map(|variant| variant.recipe.input.show.name());
    match shown {
        None => (
            "without any pixel",
            "the files give the class away, and what does so may show in the pixels too",
        ),
        Some("outside") => ("the centre", "the network does not need the centre"),
        Some("border") => ("all but the border", "the network does not need what is inside of it"),
        Some("thumbnail") => ("all but coarse colors", "the network does not need details"),
        Some(_) => ("what the variant leaves out", "the network does not need what the variant leaves out"),
    }
}

fn sentence(
    plan: &Plan,
    name: &str,
    survival: Option<Survival>,
    claim: Claim,
    variant: Option<&Variant>,
) -> String {
    let (hidden, unneeded) = meaning(variant);
    let Some(Survival { share, interval: Some(interval), over_images }) = survival else {
        return format!("`{name}`: how much of the score above chance survives is not known.");
    };
    let percent = |share: f64| format!("{:.0}", 100.0 * share);
    let other = match (over_images, plan.splits.len()) {
        (true, _) => "",
        (false, 1) => ", on these images",
        (false, _) => "",
    };
    let survives = format!(
        "`{name}`: {} % of the score above chance survives (95 % interval {} to {} %{other})",
        percent(share),
        percent(interval.0),
        percent(interval.1)
    );
    let says = match (claim, variant) {
        (Claim::MostSurvives, _) => unneeded.to_owned(),
        (Claim::SomeSurvives, None) => "a part of it can be had from the files, without a picture".to_owned(),
        (Claim::SomeSurvives, Some(_)) => format!("a part of it does not need {hidden}"),
        (Claim::LittleSurvives, None) => "the files give little away".to_owned(),
        (Claim::LittleSurvives, Some(_)) => format!("most of it needs {hidden}"),
        (Claim::None, _) => {
            "no claim, since the interval is too wide; more seeds and more validation images would tell"
                .to_owned()
        }
    };
    format!("{survives}: {says}.")
}

impl Controls {
    /// The sentences of the answer.
    pub fn answer(&self) -> Vec<String> {
        match &self.note {
            Some(note) => vec![note.clone()],
            None => self.controls.iter().map(|control| control.sentence.clone()).collect(),
        }
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let pair = |interval: Option<(f64, f64)>| interval.map(|(low, high)| [low, high]);
        let finite = |value: f64| value.is_finite().then_some(value);
        let each = self.controls.iter().map(|control| {
            let survival = control.survival;
            json!({
                "name": control.name,
                "mean": finite(control.mean),
                "interval": pair(control.interval),
                "interval_over": if control.has_runs { "seeds" } else { "images" },
                "has_runs": control.has_runs,
                "survives": survival.and_then(|survival| finite(survival.share)),
                "survives_interval": pair(survival.and_then(|survival| survival.interval)),
                "over_images": survival.is_some_and(|survival| survival.over_images),
                "claim": control.claim.name(),
            })
        });
        json!({
            "chance": self.chance,
            "chance_mean": finite(self.chance_mean),
            "baseline_mean": finite(self.baseline_mean),
            "controls": each.collect::<Vec<_>>(),
        })
    }

    /// The row of the control without runs, in the columns of [`crate::results::rows`].
    pub fn row(&self, words: Words<'_>) -> Option<[String; 6]> {
        let control = self.controls.iter().find(|control| !control.has_runs)?;
        let interval = control.interval.map_or("–".to_owned(), |interval| words.interval(interval));
        let difference = words.difference(control.mean - self.baseline_mean);
        Some([
            control.name.clone(),
            words.value(control.mean),
            interval,
            difference,
            String::new(),
            "no runs: a tree".to_owned(),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_lets_no_more_be_said_than_it_holds() {
        for (interval, claim) in [
            (Some((0.5, 0.9)), Claim::MostSurvives),
            (Some((0.01, 0.9)), Claim::SomeSurvives),
            (Some((0.0, 0.4)), Claim::LittleSurvives),
            (Some((-0.2, 0.6)), Claim::None),
            (None, Claim::None),
        ] {
            assert_eq!(Claim::of(interval), claim, "{interval:?}");
        }
    }
}
