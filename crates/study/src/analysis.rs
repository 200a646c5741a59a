//! From the numbers of the runs to what they say.

use crate::blocks::Blocks;
use crate::facts::{Outcome, RunFacts};
use crate::plan::{Place, Plan};
use crate::statistics::comparison::{Difference, compare_pairs, mean_interval, moments};
use crate::statistics::components::{Components, components};
use crate::statistics::crossed::{Both, both};
use crate::statistics::power::{detectable, seeds_needed};

/// What a difference is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Better than the baseline, beyond what seeds and other images of the kind would do.
    Better,
    /// Worse, likewise.
    Worse,
    /// Better on these validation images, beyond what seeds do; other images might say otherwise.
    BetterHere,
    /// Worse, likewise.
    WorseHere,
    /// Not shown either way.
    Open,
}

impl Verdict {
    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Better => "better",
            Verdict::Worse => "worse",
            Verdict::BetterHere => "better_on_these_images",
            Verdict::WorseHere => "worse_on_these_images",
            Verdict::Open => "open",
        }
    }

    /// Whether a difference is claimed.
    pub fn is_claim(self) -> bool {
        self != Verdict::Open
    }
}

/// A variant against the baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// Over seeds; over splits where there are several.
    pub difference: Difference,
    /// The means of the variant and of the baseline over the runs that both have, of which the difference is.
    pub means: (f64, f64),
    /// Whether one of the two has runs that the other lacks, so that these means are others than those of all their runs.
    pub is_partial: bool,
    /// Over seeds and images; none where the metric cannot be split by images, or where splits differ in their images.
    pub both: Option<Both>,
    /// What it is.
    pub verdict: Verdict,
    /// Of an open one: seeds (splits, where there are several) in all that would show it in 80 % of studies, were it as large as it seems.
    pub seeds_needed: Option<usize>,
}

/// A variant.
#[derive(Debug, Clone, PartialEq)]
pub struct VariantAnalysis {
    /// Its name.
    pub name: String,
    /// Mean of the metric over the seeds that have one; over the means of splits, where there are several.
    pub mean: f64,
    /// The mean's 95 % interval by itself: over seeds, or where there are several splits, over splits, with their overlap and with what the
    /// seeds of a split do to its mean.
    pub interval: (f64, f64),
    /// Seeds, or where there are several splits, splits that have a value.
    pub blocks: usize,
    /// Standard deviation between runs: from seed to seed, and from split to split where there are several.
    pub sd: f64,
    /// Against the baseline; none for the baseline, and where fewer than two pairs of runs have a value.
    pub compared: Option<Compared>,
    /// Mean gap between training and validation accuracy.
    pub gap: f64,
    /// Median over the runs that got there: epochs to the target loss.
    pub epochs_to: f64,
    /// Median over the runs that got there: core seconds to the target loss.
    pub core_s_to: f64,
    /// Runs that got there.
    pub reached: usize,
    /// Mean core seconds of a run.
    pub core_s: f64,
    /// Memory of the engine, in bytes.
    pub memory_bytes: Option<u64>,
    /// Runs that are not there yet.
    pub missing: usize,
    /// Runs that ended.
    pub ended: usize,
    /// Runs whose loss stopped being a number.
    pub diverged: usize,
    /// Runs that could not be run.
    pub failed: usize,
    /// What was found wrong, and in how many runs.
    pub findings: Vec<(String, usize)>,
    /// Mean recall of each class.
    pub recall: Vec<f64>,
}

/// What a study says.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// In the plan's order.
    pub variants: Vec<VariantAnalysis>,
    /// The baseline's place.
    pub baseline: usize,
    /// Comparisons that were adjusted for one another.
    pub comparisons: usize,
    /// Pairs of seeds (of splits, where there are several) of the comparison that has most.
    pub pairs: usize,
    /// The numbers of pairs with which the study was judged, this time's among them, the lowest first.
    pub looks: Vec<usize>,
    /// The validation loss to which epochs and time are told; NaN where there is none.
    pub target_loss: f64,
    /// Residual standard deviation: of the metric from seed to seed (of the means of splits, where there are several) beyond what moves all
    /// variants alike. That by which power is told; NaN where unknown.
    pub residual_sd: f64,
    /// What splits and seeds do to a variant by themselves, what moves all variants alike included; where there are several splits.
    pub components: Option<Components>,
    /// The smallest difference that a study of so many comparisons and pairs finds in 80 % of cases, in the metric's unit.
    pub detectable: Option<f64>,
    /// Half the width of the interval of the images alone, simultaneous over the comparisons: the median over them. None where the metric
    /// cannot be split by images, and where splits differ in their images.
    pub images_half_width: Option<f64>,
}

impl Analysis {
    /// The same of a study that was judged before with these numbers of pairs: each look is another chance of a false claim.
    #[must_use]
    pub fn after(mut self, looks: impl IntoIterator<Item = usize>) -> Analysis {
        self.looks.extend(looks);
        self.looks.sort_unstable();
        self.looks.dedup();
        self
    }
}

/// The runs of a study, by variant, split and seed.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    plan: &'a Plan,
    runs: Vec<RunFacts>,
}

impl<'a> Facts<'a> {
    /// None of the runs is known yet.
    pub fn new(plan: &'a Plan) -> Self {
        let count = plan.variants.len() * plan.splits.len() * plan.seeds.len();
        let missing = RunFacts { value: f64::NAN, gap: f64::NAN, ..RunFacts::default() };
        Facts { plan, runs: vec![missing; count] }
    }

    fn at(&self, place: Place) -> usize {
        (place.variant * self.plan.splits.len() + place.split) * self.plan.seeds.len() + place.seed
    }

    /// Says how a run came out.
    pub fn set(&mut self, place: Place, facts: RunFacts) {
        let at = self.at(place);
        self.runs[at] = facts;
    }

    /// A run.
    pub fn get(&self, place: Place) -> &RunFacts {
        &self.runs[self.at(place)]
    }

    /// The runs of a variant, by split, then by seed.
    pub fn of(&self, variant: usize) -> &[RunFacts] {
        let each = self.plan.splits.len() * self.plan.seeds.len();
        &self.runs[variant * each..(variant + 1) * each]
    }

    /// The plan that they are of.
    pub(crate) fn plan(&self) -> &'a Plan {
        self.plan
    }

    /// `[splits][seeds]`
    pub(crate) fn table(&self, variant: usize) -> Vec<Vec<f64>> {
        let rows = self.of(variant).chunks(self.plan.seeds.len());
        rows.map(|row| row.iter().map(|run| run.value).collect()).collect()
    }

    /// Differences of the pseudo-values from the baseline's, `[seeds][groups]`; none where a pair lacks them.
    fn pseudo_differences(&self, variant: usize) -> Option<Vec<Vec<f64>>> {
        let pairs = self.of(variant).iter().zip(self.of(self.plan.baseline));
        let finite = pairs.filter(|(run, base)| run.value.is_finite() && base.value.is_finite());
        finite
            .map(|(run, base)| {
                let (run, base) = (run.pseudo_values.as_ref()?, base.pseudo_values.as_ref()?);
                (run.len() == base.len()).then(|| run.iter().zip(base).map(|(a, b)| a - b).collect())
            })
            .collect()
    }
}

/// Validation by training images where a plan's blocks are splits of the same images, 0 where they are seeds: the variance of a mean grows
/// by it.
pub fn overlap(plan: &Plan, images: usize, train_images: usize) -> f64 {
    if plan.splits.len() > 1 { images as f64 / train_images.max(1) as f64 } else { 0.0 }
}

/// What the runs say. `images` is the number of validation images, by which a share is known in steps, `train_images` that of the training
/// images.
pub fn analyse(facts: &Facts<'_>, images: usize, train_images: usize) -> Analysis {
    let plan = facts.plan;
    let splits = plan.splits.len();
    // Rounding to steps of 1 / images has the variance steps² / 12 (Sheppard), a difference of two twice that.
    let step = if plan.metric.unit == "frac" { 1.0 / images.max(1) as f64 } else { 0.0 };
    let floor = step * step / 6.0;
    let tables: Vec<_> = (0..plan.variants.len()).map(|variant| facts.table(variant)).collect();
    let blocks = Blocks::new(&tables, plan.baseline, plan.chance);
    let overlap = overlap(plan, images, train_images);
    let range = plan.metric.range;
    let mut differences = compare_pairs(&blocks.pairs, blocks.pooled, floor, overlap);
    for difference in &mut differences {
        difference.interval = within(difference.interval, (range.0 - range.1, range.1 - range.0));
    }
    let comparisons = differences.len();
    let target_loss = plan.loss.unwrap_or_else(|| {
        median(
            facts
                .of(plan.baseline)
                .iter()
                .map(RunFacts::lowest_loss)
                .filter(|loss| loss.is_finite())
                .collect(),
        )
    });
    let sign = if plan.metric.higher_is_better() { 1.0 } else { -1.0 };
    let bases = blocks.pairs.iter().zip(&blocks.bases);
    let of_bases = |variant| {
        let found = bases.clone().find(|(pairs, _)| pairs.variant == variant);
        found.map_or((f64::NAN, false), |(_, base)| *base)
    };
    let mut variants = Vec::new();
    for (variant, values) in blocks.own.iter().enumerate() {
        let compared =
            differences.iter().find(|difference| difference.variant == variant).map(|&difference| {
                let table = if splits == 1 { facts.pseudo_differences(variant) } else { None };
                let both = table.and_then(|table| both(&difference, &table, step, comparisons)).map(|both| {
                    Both { interval: within(both.interval, (range.0 - range.1, range.1 - range.0)), ..both }
                });
                let (base, is_partial) = of_bases(variant);
                let means = (base + difference.mean, base);
                Compared { means, is_partial, ..compared(plan, difference, both, comparisons, sign) }
            });
        variants.push(described(facts, variant, values, compared, target_loss, (floor / 2.0, overlap)));
    }
    let residual_sd = match blocks.pooled {
        // As the differences are, no smaller than the metric's steps.
        Some((square, _)) => square.max(floor / 2.0).sqrt(),
        None => median(variants.iter().map(|variant| variant.sd).filter(|sd| sd.is_finite()).collect()),
    };
    let pairs = differences.iter().map(|difference| difference.blocks).max().unwrap_or(0);
    let halves = variants.iter().filter_map(|variant| variant.compared.as_ref()?.both);
    let halves: Vec<f64> = halves.map(|both| both.images_half_width.min(range.1 - range.0)).collect();
    Analysis {
        baseline: plan.baseline,
        comparisons,
        pairs,
        looks: if pairs > 0 { vec![pairs] } else { Vec::new() },
        target_loss,
        residual_sd,
        components: if splits > 1 { components(&tables) } else { None },
        detectable: detectable(comparisons + 1, pairs, overlap)
            .map(|effect| effect * residual_sd)
            .filter(|d| d.is_finite() && *d < range.1 - range.0),
        images_half_width: (!halves.is_empty()).then(|| median(halves)),
        variants,
    }
}

fn compared(
    plan: &Plan,
    difference: Difference,
    both: Option<Both>,
    comparisons: usize,
    sign: f64,
) -> Compared {
    let better = sign * difference.mean > 0.0;
    let beyond_images = match &both {
        Some(both) => both.p_value < crate::statistics::comparison::LEVEL,
        // Other splits are other images.
        None => plan.splits.len() > 1,
    };
    let verdict = match (difference.is_found(), beyond_images, better) {
        (false, ..) => Verdict::Open,
        (true, true, true) => Verdict::Better,
        (true, true, false) => Verdict::Worse,
        (true, false, true) => Verdict::BetterHere,
        (true, false, false) => Verdict::WorseHere,
    };
    let seeds_needed = if verdict == Verdict::Open { seeds_needed(&difference, comparisons) } else { None };
    let means = (f64::NAN, f64::NAN);
    Compared { difference, means, is_partial: false, both, verdict, seeds_needed }
}

fn described(
    facts: &Facts<'_>,
    variant: usize,
    values: &[f64],
    compared: Option<Compared>,
    target_loss: f64,
    (floor, overlap): (f64, f64),
) -> VariantAnalysis {
    let runs = facts.of(variant);
    let all: Vec<f64> = runs.iter().map(|run| run.value).collect();
    let (mean, _, blocks) = moments(values);
    let sd = moments(&all).1;
    let there: Vec<(f64, f64)> = runs
        .iter()
        .filter_map(|run| {
            let epochs = f64::from(run.epochs_to(target_loss)?);
            Some((epochs, epochs * run.epoch_core_s))
        })
        .collect();
    let ended = || runs.iter().filter(|run| matches!(run.outcome, Outcome::Ended(_)));
    let mut findings: Vec<(String, usize)> = Vec::new();
    for kind in runs.iter().flat_map(|run| &run.findings) {
        match findings.iter_mut().find(|(known, _)| known == kind) {
            Some((_, count)) => *count += 1,
            None => findings.push((kind.clone(), 1)),
        }
    }
    let classes = runs.iter().map(|run| run.recall.len()).max().unwrap_or(0);
    let recall = (0..classes).map(|class| {
        let of_class: Vec<f64> = runs.iter().filter_map(|run| run.recall.get(class).copied()).collect();
        moments(&of_class).0
    });
    VariantAnalysis {
        name: facts.plan.variants[variant].name.clone(),
        mean,
        interval: within(mean_interval(values, floor, overlap), facts.plan.metric.range),
        blocks,
        sd,
        compared,
        gap: moments(&runs.iter().map(|run| run.gap).collect::<Vec<_>>()).0,
        epochs_to: median(there.iter().map(|&(epochs, _)| epochs).collect()),
        core_s_to: median(there.iter().map(|&(_, time)| time).collect()),
        reached: there.len(),
        core_s: moments(&ended().map(|run| run.core_s).collect::<Vec<_>>()).0,
        memory_bytes: runs.iter().filter_map(|run| run.memory_bytes).max(),
        missing: runs.iter().filter(|run| run.outcome == Outcome::Missing).count(),
        ended: ended().count(),
        diverged: runs.iter().filter(|run| run.diverged()).count(),
        failed: runs.iter().filter(|run| matches!(run.outcome, Outcome::Failed(_))).count(),
        findings,
        recall: recall.collect(),
    }
}

/// An interval within what the metric can be.
fn within((low, high): (f64, f64), (lowest, highest): (f64, f64)) -> (f64, f64) {
    if low.is_nan() { (low, high) } else { (low.max(lowest), high.min(highest)) }
}

/// The median; NaN of nothing.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => 0.5 * (values[n / 2 - 1] + values[n / 2]),
    }
}
