//! What a study says, in sentences.

use crate::analysis::{Analysis, Compared, VariantAnalysis, Verdict};
use crate::plan::Plan;
use crate::statistics::power::{false_claims, false_claims_of_an_unstable_baseline};
use pupila_metrics::Metric;

/// Says numbers of a metric: shares in percent, their differences in points.
#[derive(Debug, Clone, Copy)]
pub struct Words<'a> {
    /// The metric.
    pub metric: &'a Metric,
}

impl Words<'_> {
    fn is_share(&self) -> bool {
        self.metric.unit == "frac"
    }

    /// The metric's name for people.
    pub fn name(&self) -> String {
        self.metric.name.replace('_', " ")
    }

    /// A value, such as `63.3 %`.
    pub fn value(&self, value: f64) -> String {
        match (value.is_finite(), self.is_share()) {
            (false, _) => "–".to_owned(),
            (true, true) => format!("{:.1} %", 100.0 * value),
            (true, false) => number(value),
        }
    }

    /// A difference, such as `+4.2 points`.
    pub fn difference(&self, difference: f64) -> String {
        match self.is_share() {
            true => format!("{} points", points(difference)),
            false => signed(difference),
        }
    }

    /// A size without a sign, such as `4.2 points`.
    pub fn size(&self, size: f64) -> String {
        match self.is_share() {
            true => format!("{:.1} points", 100.0 * size.abs()),
            false => number(size.abs()),
        }
    }

    /// An interval of differences, such as `+1.0 to +7.4`.
    pub fn range(&self, (low, high): (f64, f64)) -> String {
        match self.is_share() {
            true => format!("{} to {}", points(low), points(high)),
            false => format!("{} to {}", signed(low), signed(high)),
        }
    }

    /// An interval of values, such as `58.1 to 66.0 %`.
    pub fn interval(&self, (low, high): (f64, f64)) -> String {
        match (low.is_finite() && high.is_finite(), self.is_share()) {
            (false, _) => "–".to_owned(),
            (true, true) => format!("{:.1} to {:.1} %", 100.0 * low, 100.0 * high),
            (true, false) => format!("{} to {}", number(low), number(high)),
        }
    }
}

/// A share as points with a sign; what rounds to zero has none that would mean something.
fn points(share: f64) -> String {
    let text = format!("{:+.1}", 100.0 * share);
    if text == "-0.0" { "+0.0".to_owned() } else { text }
}

/// Four decimals; very large and very small numbers in scientific notation.
pub fn number(value: f64) -> String {
    match value.abs() {
        a if a == 0.0 || (1e-3..1e5).contains(&a) => format!("{value:.4}"),
        _ => format!("{value:.2e}"),
    }
}

fn signed(value: f64) -> String {
    let text = number(value);
    if value >= 0.0 { format!("+{text}") } else { text }
}

/// `2 runs`, `1 run`.
pub fn count(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// What the comparison of a variant says, in a few words for its row.
pub fn verdict(plan: &Plan, compared: &Compared) -> String {
    match paired(plan, compared) {
        Some(paired) => format!("{}, {paired}", plain_verdict(plan, compared)),
        None => plain_verdict(plan, compared),
    }
}

/// What a difference is over, where it is not the difference of the means of all runs.
fn paired(plan: &Plan, compared: &Compared) -> Option<String> {
    let over = match plan.splits.len() {
        1 => format!("over the {} that both have", count(compared.difference.blocks, "seed")),
        _ => "over the runs that both have".to_owned(),
    };
    compared.is_partial.then_some(over)
}

fn plain_verdict(plan: &Plan, compared: &Compared) -> String {
    match compared.verdict {
        Verdict::Better => "better".to_owned(),
        Verdict::Worse => "worse".to_owned(),
        Verdict::BetterHere => "better on these images".to_owned(),
        Verdict::WorseHere => "worse on these images".to_owned(),
        Verdict::Open if compared.difference.mean == 0.0 => "the same so far".to_owned(),
        Verdict::Open => match compared.seeds_needed {
            Some(seeds) => format!("within noise ({} to tell)", count(seeds, plan.block())),
            None => "within noise".to_owned(),
        },
    }
}

/// What is known of the data.
#[derive(Debug, Clone, Copy)]
pub struct Data<'a> {
    /// Validation images.
    pub images: usize,
    /// The accuracy of always answering the most frequent class; NaN where unknown.
    pub without_learning: f64,
    /// The classes, each with the training images of the baseline.
    pub classes: &'a [(String, usize)],
}

/// The answer: the first sentence leads.
pub fn answer(plan: &Plan, analysis: &Analysis, data: Data<'_>) -> Vec<String> {
    let images = data.images;
    let words = Words { metric: plan.metric };
    let base = &analysis.variants[analysis.baseline];
    let compared = |v: &VariantAnalysis| v.compared.clone();
    let mut sentences = Vec::new();
    let found: Vec<(&VariantAnalysis, Compared)> =
        analysis.variants.iter().filter_map(|v| Some((v, compared(v)?))).collect();
    if found.is_empty() {
        sentences.push(nothing_to_compare(plan, analysis));
        sentences.extend(troubles(plan, analysis));
        return sentences;
    }
    let mut claims: Vec<&(&VariantAnalysis, Compared)> =
        found.iter().filter(|(_, compared)| compared.verdict.is_claim()).collect();
    let sign = if plan.metric.higher_is_better() { 1.0 } else { -1.0 };
    claims.sort_by(|a, b| (sign * b.1.difference.mean).total_cmp(&(sign * a.1.difference.mean)));
    for (variant, compared) in &claims {
        sentences.push(claim(plan, words, base, variant, compared, images));
    }
    let mut open: Vec<&(&VariantAnalysis, Compared)> =
        found.iter().filter(|(_, compared)| !compared.verdict.is_claim()).collect();
    // What is nearest to an answer first.
    let needed = |compared: &Compared| compared.seeds_needed.unwrap_or(usize::MAX);
    open.sort_by_key(|(_, compared)| needed(compared));
    sentences.extend(left_open(plan, words, base, &open, claims.is_empty()));
    sentences.extend(looks(plan, analysis));
    sentences.extend(learning_curve(plan, analysis, data.classes));
    if let Some(smallest) = analysis.detectable {
        sentences.push(format!(
            "A study of {} and {} finds a difference of {} or more in 80 % of cases; a smaller one is easily missed.",
            count(analysis.comparisons + 1, "variant"),
            count(analysis.pairs, plan.block()),
            words.size(smallest),
        ));
    }
    if plan.metric.name == "accuracy" && data.without_learning.is_finite() {
        sentences.push(format!(
            "Without learning, always answering the most frequent class, the accuracy is {}.",
            words.value(data.without_learning)
        ));
    }
    sentences.extend(left_by_images(plan, analysis, images));
    if let Some(components) = analysis.components {
        sentences.push(format!(
            "From split to split the {} of a variant moves by {} (standard deviation, what moves all variants alike included), from seed to seed on one split by {}.",
            words.name(),
            words.size(components.split_sd),
            words.size(components.seed_sd),
        ));
    }
    sentences.extend(troubles(plan, analysis));
    sentences
}

/// What the validation images leave open, however many seeds there are.
fn left_by_images(plan: &Plan, analysis: &Analysis, images: usize) -> Option<String> {
    // Other splits are other images, and are in the differences themselves.
    if plan.splits.len() > 1 || images == 0 {
        return None;
    }
    let words = Words { metric: plan.metric };
    let of = count(images, "validation image");
    let one = match words.is_share() {
        true => format!(" (one image is {})", words.size(1.0 / images as f64)),
        false => String::new(),
    };
    Some(match analysis.images_half_width {
        Some(half) => format!(
            "The {of}{one} leave about ±{} of a difference open by themselves: less than that is not shown to hold for other images of the kind, however many seeds are trained.",
            words.size(half),
        ),
        None => format!(
            "What the {of}{one} leave open of a difference cannot be worked out, since the {} cannot be split by images here: nothing is said of other images of the kind.",
            words.name(),
        ),
    })
}

/// What was judged more than once had more than one chance.
fn looks(plan: &Plan, analysis: &Analysis) -> Option<String> {
    let (last, before) = analysis.looks.split_last()?;
    if before.is_empty() {
        return None;
    }
    let before: Vec<String> = before.iter().map(usize::to_string).collect();
    Some(format!(
        "The study was judged with {} and {last} {}s, and each time is another chance of a false claim: of {} without a difference one is claimed at one of these times in {:.0} % of studies. The 5 % hold for a single one.",
        before.join(", "),
        plan.block(),
        count(analysis.comparisons + 1, "variant"),
        100.0 * false_claims(analysis.comparisons + 1, &analysis.looks, 1.0),
    ))
}

/// Of a study over shares of the training images: whether the last step still gained something, and which classes it gained.
fn learning_curve(plan: &Plan, analysis: &Analysis, classes: &[(String, usize)]) -> Vec<String> {
    let share = |place: usize| match plan.variants[place].values.as_slice() {
        [(key, value)] if key == "data.fraction" => {
            value.as_float().or_else(|| value.as_integer().map(|n| n as f64))
        }
        _ => None,
    };
    let shares: Option<Vec<f64>> = (0..plan.variants.len()).map(share).collect();
    let Some(shares) = shares else { return Vec::new() };
    let full = shares[analysis.baseline];
    let before =
        shares.iter().enumerate().filter(|(_, share)| **share < full).max_by(|a, b| a.1.total_cmp(b.1));
    let Some((place, &less)) = before else { return Vec::new() };
    let words = Words { metric: plan.metric };
    let variant = &analysis.variants[place];
    let Some(compared) = &variant.compared else { return Vec::new() };
    let (mean, (low, high)) = (compared.difference.mean, compared.difference.interval);
    let steps = format!("from {:.0} % to {:.0} % of the training images", 100.0 * less, 100.0 * full);
    let moved =
        format!("{} moves by {} ({})", words.name(), words.difference(-mean), words.range((-high, -low)));
    let mut sentences = vec![match compared.verdict {
        Verdict::Worse | Verdict::WorseHere => {
            format!(
                "The curve still gets better: {steps} the {moved}. More images of the kind would probably help."
            )
        }
        Verdict::Better | Verdict::BetterHere => {
            format!("The curve gets worse: {steps} the {moved}. Look at the images that were added.")
        }
        Verdict::Open => format!(
            "Whether more images would help is open: {steps} the {moved}. The curve has flattened, or what it still gains is within noise."
        ),
    }];
    let base = &analysis.variants[analysis.baseline].recall;
    let mut gains: Vec<(f64, &str, usize)> = classes
        .iter()
        .zip(base.iter().zip(&variant.recall))
        .map(|((name, images), (all, less))| (all - less, name.as_str(), *images))
        .filter(|(gain, ..)| gain.is_finite())
        .collect();
    gains.sort_by(|a, b| b.0.total_cmp(&a.0));
    let told: Vec<String> = gains
        .iter()
        .take(3)
        .filter(|(gain, ..)| *gain > 0.0)
        .map(|(gain, name, images)| {
            format!("{name} {:+.0} points of recall ({images} training images)", 100.0 * gain)
        })
        .collect();
    if !told.is_empty() {
        sentences.push(format!(
            "By class that step gained most for {}; few validation images of a class make these numbers rough.",
            told.join(", ")
        ));
    }
    sentences
}

/// What is not shown either way, the nearest to an answer by name and number.
fn left_open(
    plan: &Plan,
    words: Words<'_>,
    base: &VariantAnalysis,
    open: &[&(&VariantAnalysis, Compared)],
    nothing_found: bool,
) -> Vec<String> {
    let Some((variant, nearest)) = open.first() else { return Vec::new() };
    let mut sentences = Vec::new();
    if nothing_found {
        sentences.push(format!(
            "No difference from `{}` is shown: what was compared is within what the {} alone does.",
            base.name,
            plan.block()
        ));
    } else {
        let names: Vec<String> = open.iter().map(|(variant, _)| format!("`{}`", variant.name)).collect();
        sentences.push(format!("Within noise against `{}`: {}.", base.name, names.join(", ")));
    }
    let difference = &nearest.difference;
    if difference.mean == 0.0 {
        return sentences;
    }
    sentences.push(match nearest.seeds_needed {
        Some(seeds) => format!(
            "Nearest to an answer is `{}`: {} ({}){}. Were it that large, {} in all would show it in 80 % of studies.",
            variant.name,
            words.difference(difference.mean),
            words.range(difference.interval),
            paired(plan, nearest).map_or(String::new(), |paired| format!(" {paired}")),
            count(seeds, plan.block()),
        ),
        None => format!(
            "None of them would be shown by {} {}s, were it as large as it seems.",
            crate::statistics::power::MOST_SEEDS,
            plan.block()
        ),
    });
    sentences
}

fn claim(
    plan: &Plan,
    words: Words<'_>,
    base: &VariantAnalysis,
    variant: &VariantAnalysis,
    compared: &Compared,
    images: usize,
) -> String {
    let difference = &compared.difference;
    let better = matches!(compared.verdict, Verdict::Better | Verdict::BetterHere);
    let than = if better { "better than" } else { "worse than" };
    let said = format!(
        "`{}` is {than} `{}` by {} of {} ({} against {}{}; 95 % interval of the difference {})",
        variant.name,
        base.name,
        words.size(difference.mean),
        words.name(),
        words.value(compared.means.0),
        words.value(compared.means.1),
        paired(plan, compared).map_or(String::new(), |paired| format!(" {paired}")),
        words.range(difference.interval),
    );
    let over = if plan.splits.len() > 1 { "splits and seeds" } else { "seeds" };
    match (compared.verdict, &compared.both) {
        (Verdict::Better | Verdict::Worse, Some(both)) => format!(
            "{said}, beyond what seeds and other validation images would change ({}).",
            words.range(both.interval)
        ),
        (Verdict::BetterHere | Verdict::WorseHere, Some(both)) => format!(
            "{said} on these {}, beyond what the seed changes; on other images it may differ ({}).",
            count(images, "validation image"),
            words.range(both.interval),
        ),
        (Verdict::BetterHere | Verdict::WorseHere, None) => {
            format!("{said} on these {}, beyond what the seed changes.", count(images, "validation image"))
        }
        _ => format!("{said}, beyond what {over} change."),
    }
}

fn nothing_to_compare(plan: &Plan, analysis: &Analysis) -> String {
    let words = Words { metric: plan.metric };
    let base = &analysis.variants[analysis.baseline];
    if analysis.variants.iter().all(|variant| variant.ended == 0) {
        return "No run has ended yet.".to_owned();
    }
    if !base.mean.is_finite() {
        return format!(
            "The baseline `{}` has no {}, so nothing can be compared with it: choose another by --baseline.",
            base.name,
            words.name()
        );
    }
    let block = plan.block();
    let planned = if plan.splits.len() > 1 { plan.splits.len() } else { plan.seeds.len() };
    let of_each = |say: &dyn Fn(&VariantAnalysis) -> String| -> String {
        let told: Vec<String> =
            analysis.variants.iter().map(|v| format!("`{}` {}", v.name, say(v))).collect();
        told.join(", ")
    };
    if planned == 1 {
        return format!(
            "One run of each tells nothing of chance, so no difference can be judged: {}. Two seeds or more can be compared, five are usual: --seeds 5.",
            of_each(&|variant| words.value(variant.mean)),
        );
    }
    let why = match analysis.variants.iter().any(|variant| variant.missing > 0) {
        true => {
            "Runs are missing: the same command goes on with them, as far as a limit of runs or minutes lets it."
        }
        false => "The other runs gave no value.",
    };
    format!(
        "No difference can be judged: with fewer than two {block}s in which a variant and the baseline `{}` both have a value, nothing is known of chance. Of {planned} {block}s have a value: {}. {why}",
        base.name,
        of_each(&|variant| variant.blocks.to_string()),
    )
}

fn troubles(plan: &Plan, analysis: &Analysis) -> Vec<String> {
    let mut sentences = Vec::new();
    let left_out = analysis.variants.iter().enumerate().filter(|(place, variant)| {
        analysis.comparisons > 0 && *place != analysis.baseline && variant.compared.is_none()
    });
    let left_out: Vec<String> = left_out.map(|(_, variant)| format!("`{}`", variant.name)).collect();
    if !left_out.is_empty() {
        sentences.push(format!(
            "Not compared, with fewer than two pairs of {}s: {}.",
            plan.block(),
            left_out.join(", ")
        ));
    }
    for variant in &analysis.variants {
        if variant.diverged > 0 {
            sentences.push(format!(
                "The loss of `{}` stopped being a number in {} of {}.",
                variant.name,
                variant.diverged,
                count(variant.ended, "run")
            ));
        }
        if variant.failed > 0 {
            sentences.push(format!("{} of `{}` failed.", count(variant.failed, "run"), variant.name,));
        }
    }
    sentences
}

/// How it was worked out, for whoever wants to know.
pub fn method(plan: &Plan, analysis: &Analysis) -> Vec<String> {
    let words = Words { metric: plan.metric };
    let block = plan.block();
    let chance = false_claims_of_an_unstable_baseline(analysis.comparisons + 1, analysis.pairs);
    let unstable = match chance > 0.06 {
        true => format!(
            " and up to {:.0} % where the baseline scatters several times as much as the others",
            100.0 * chance
        ),
        false => String::new(),
    };
    let mut method = vec![
        format!(
            "Every run is judged by the {} of its best epoch (by the recipe's train.monitor) on the validation images, which also chose that epoch: scores are optimistic, and the more so the more epochs a variant runs and the more its curve scatters. A score to publish is one of a test set.",
            words.name()
        ),
        format!(
            "Runs of the same {block} are paired. A difference is tested by Student's t over {block}s; the variance is pooled over the variants that scatter alike, and a variant's own where it scatters more."
        ),
        format!(
            "{}{unstable}, and intervals and p-values agree. That is so for one look: whoever adds {block}s until something is found has a chance at each of them, so the number of {block}s is to be chosen beforehand.",
            match analysis.comparisons {
                1 => "There is one comparison, which needs no adjustment: the chance of a false claim is about 5 %".to_owned(),
                n => format!("The {n} comparisons are adjusted together (Šidák): the chance of any false claim among them is about 5 %, less where all scatter alike"),
            }
        ),
    ];
    if plan.splits.len() > 1 {
        method.push("Splits are the units of the test. They are drawn from the same images and overlap, so the variance is enlarged by validation by training images (Nadeau and Bengio 2003). The interval of a difference speaks of other splits of these images and of other seeds; so does that of a mean, which holds what the split and its seeds do.".to_owned());
    } else {
        method.push("The interval over seeds speaks of these validation images. The one over seeds and images speaks of other images of the kind too: both are crossed random effects, the metric split into a pseudo-value for each image by the jackknife. It is never narrower than that of the seeds alone, nor than that of the images alone, of which one image is the least. The interval of a mean is over seeds, on these images.".to_owned());
        method.push(
            "All runs share one split of the data (data.split_seed); --splits N tells what the split does."
                .to_owned(),
        );
    }
    method
}
