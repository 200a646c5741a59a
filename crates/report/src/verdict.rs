//! The verdict in plain words: how good, how sure, over- or underfitted, trained long enough, what is confused.

use crate::html::{counted, escape, listed, percent};
use crate::run::{EpochPoint, Judged, Training};
use pupila_metrics::{PrecisionRecallF1, Summary, reliability_bins};
use pupila_run::{Against, Finding, NOTICEABLE_GAP, RunEnd};
use std::fmt::Write as _;

/// Confused pairs that are named.
const PAIRS: usize = 3;
/// A validation loss that is this factor above its lowest has turned.
const TURNED: f64 = 1.03;
const TOO_FEW: &str = "Too few epochs to tell over- from underfitting.";

/// What training and validation loss say of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// Too few epochs to say.
    Unknown,
    /// Since its best epoch the validation loss is above its least, while the training loss went on falling: it overfits, or begins
    /// to. Which of them it is says the diagnosis, which looks at the accuracies too.
    Turned,
    /// Training and validation loss both still fall at the end.
    StillLearning,
    /// The training images themselves are hardly known better than without learning.
    Underfits,
    /// Neither.
    Sound,
}

/// Over- or underfitted? `majority_frac` is the accuracy that needs no learning.
fn fit(epochs: &[EpochPoint], majority_frac: f64) -> Fit {
    let (Some(lowest), Some(last)) = (lowest_val_loss(epochs), epochs.last()) else { return Fit::Unknown };
    if epochs.len() < 3 {
        return Fit::Unknown;
    }
    let after: Vec<&EpochPoint> = epochs.iter().filter(|e| e.epoch > lowest.epoch).collect();
    // One bad epoch is noise: the mean of the last ones counts.
    let end = &after[after.len().saturating_sub(3)..];
    let end_loss = end.iter().map(|e| e.val_loss).sum::<f64>() / end.len() as f64;
    if after.len() >= 2 && end_loss > TURNED * lowest.val_loss && last.train_loss < lowest.train_loss {
        return Fit::Turned;
    }
    if last.train_accuracy <= majority_frac + 0.03 {
        return Fit::Underfits;
    }
    // The last fifth against the fifth before it.
    let fifth = (epochs.len() / 5).max(1);
    let mean = |part: &[EpochPoint], of: fn(&EpochPoint) -> f64| {
        part.iter().map(of).sum::<f64>() / part.len() as f64
    };
    let (before, late) = epochs[epochs.len() - 2 * fifth..].split_at(fifth);
    let falls = |of: fn(&EpochPoint) -> f64| mean(late, of) < 0.98 * mean(before, of);
    if falls(|e| e.train_loss) && falls(|e| e.val_loss) { Fit::StillLearning } else { Fit::Sound }
}

/// The epoch of the lowest validation loss.
fn lowest_val_loss(epochs: &[EpochPoint]) -> Option<&EpochPoint> {
    epochs.iter().filter(|e| e.val_loss.is_finite()).min_by(|a, b| a.val_loss.total_cmp(&b.val_loss))
}

/// The accuracy that needs no learning, and the class that is always answered for it.
pub(crate) fn majority(judged: &Judged<'_>) -> (f64, usize) {
    judged.predictions.majority().map_or((f64::NAN, 0), |(class, share)| (share, class as usize))
}

/// The lead and the list below it.
pub(crate) fn verdict(
    judged: &Judged<'_>,
    summary: &Summary,
    classes: &[String],
    training: Option<&Training<'_>>,
    findings: &[Finding],
) -> String {
    let overfitting_found = findings.iter().any(|finding| finding.kind == "overfitting");
    // What keeps a network from learning: where that was found, more epochs or units are no remedy.
    let cause = findings.iter().find(|finding| finding.hinders_learning());
    let value = |name: &str| summary.get(name).unwrap_or(f64::NAN);
    let class = |id: usize| format!("<b>{}</b>", escape(classes.get(id).map_or("", String::as_str)));
    let (share, most) = majority(judged);
    let accuracy = value("accuracy");
    let interval = judged.interval("accuracy");
    let against = Against::of_judged(judged.predictions, interval, judged.leaks);
    let above =
        against.filter(|against| *against != Against::Unknown).map(|against| against == Against::Better);
    let opinion = match against {
        Some(Against::Better) => "That is better than what needs no learning",
        Some(Against::PerhapsChance) => {
            "That may be chance: the interval reaches down to what needs no learning"
        }
        Some(Against::NoBetter) => "That is no better than what needs no learning",
        Some(Against::Unknown) => "Against what needs no learning",
        None => "That says nothing of new images",
    };
    let opinion = match judged.leaks {
        Some(leaks) if leaks.without.images > 0 => {
            format!("{opinion}, without the images that were trained on too")
        }
        _ => opinion.to_owned(),
    };
    // What is compared is of one set of images.
    let without = judged.leaks.and_then(|leaks| leaks.without.without_learning);
    let (most, share) = match without {
        Some(share) => ("the most frequent class".to_owned(), share),
        None => (class(most), share),
    };
    let even = classes.len().max(1) as f64;
    let mut html = format!(
        "<p class=\"lead\">Of {}, <b>{}</b> are classified correctly{}. {opinion}: always answering {} is right for {}, guessing evenly for {}.",
        escape(&judged.what_counted()),
        percent(accuracy),
        interval.map_or(String::new(), |(low, high)| format!(
            " (95&nbsp;% interval {:.1} to {:.1}&nbsp;%)",
            100.0 * low,
            100.0 * high
        )),
        most,
        percent(share),
        percent(1.0 / even),
    );
    // Of rare classes much can be known that the accuracy doesn't show.
    if above == Some(false)
        && let Some((low, high)) = judged.interval("balanced_accuracy").filter(|(low, _)| *low > 1.0 / even)
    {
        let _ = write!(
            html,
            " It has learnt something all the same: with each class counted alike it finds {} of the images ({:.1} to {:.1}&nbsp;%), more than even guessing.",
            percent(value("balanced_accuracy")),
            100.0 * low,
            100.0 * high
        );
    }
    html += "</p>\n";
    html += &leaks_in_words(judged);
    html += &crate::sections::headline(judged, summary, share, 1.0 / even);
    let mut items: Vec<(&str, String)> = Vec::new();
    items.push(("How sure", how_sure(judged, above == Some(true))));
    if let Some(training) = training {
        let fit = match cause.filter(|_| above != Some(true)) {
            Some(cause) => format!("It was kept from learning well. {}", what_was_found(cause)),
            None => fit_in_words(training, share, overfitting_found),
        };
        items.push(("Fit", fit));
        items.push(("Length", length_in_words(training, cause.is_some())));
    }
    items.push(("Confusions", confusions(judged, classes)));
    items.push(("Confidence", confidence(judged, value("calibration_error"))));
    let named = undefined(summary, classes);
    if !named.is_empty() {
        items.push(("Undefined", named));
    }
    html += "<dl class=\"verdict\">";
    for (term, text) in items {
        let _ = write!(html, "<dt>{term}</dt><dd>{text}</dd>");
    }
    html + "</dl>\n"
}

/// What judged images that were trained on too do to the scores.
fn leaks_in_words(judged: &Judged<'_>) -> String {
    let Some(leaks) = judged.leaks else { return String::new() };
    let mut text = format!(
        "<p class=\"lead\"><b>{} of {} {} trained on too</b>, {}. ",
        counted(leaks.images as u64, &judged.what),
        judged.predictions.len(),
        if leaks.images == 1 { "was" } else { "were" },
        leaks.how()
    );
    match leaks.without.accuracy_in_words() {
        Some(without) => {
            let _ = write!(
                text,
                "Without them the accuracy is <b>{}</b> on {}: that is what can be believed.",
                escape(&without),
                counted(leaks.without.images as u64, "image")
            );
        }
        None => text += "All of them: nothing can be said of new images.",
    }
    if let Some(on) = leaks.on.accuracy_in_words() {
        let _ = write!(text, " On the copies it is {}.", escape(&on));
    }
    let _ = writeln!(text, " They are listed in <code>leaks.csv</code>; {}.</p>", escape(leaks.remedy()));
    text + &crate::sections::leaks_by_class(leaks)
}

/// Images from which on something can be said of the confidence.
const FEW: f64 = 50.0;
/// Images from which on an estimate may be called precise, however narrow its interval.
const MANY: u64 = 300;

/// A finding as the verdict repeats it.
fn what_was_found(finding: &Finding) -> String {
    let stop = |text: &str| format!("{}.", escape(text.trim_end_matches('.')));
    let mut text = stop(&finding.message);
    if !finding.suggestion.is_empty() {
        let suggestion = finding.suggestion.strip_prefix("try ").unwrap_or(&finding.suggestion);
        let _ = write!(text, " What to try first: {}", stop(suggestion));
    }
    text
}

/// `learnt` says whether it is better than what needs no learning: of others no estimate is worth the word "precise".
fn how_sure(judged: &Judged<'_>, learnt: bool) -> String {
    let n = judged.predictions.len() as u64;
    let over = &judged.intervals.over;
    let groups = over.unit == "group";
    let Some((low, high)) = judged.interval("accuracy") else {
        let why = over.none.get("accuracy").map_or("there are no images", String::as_str);
        return format!("How well the accuracy is known cannot be told: {}.", escape(why));
    };
    let half = 50.0 * (high - low);
    let advice = match half {
        h if h > 7.5 => {
            " This is a rough estimate: a difference between two runs of less than about that is likely noise. More validation images would say more."
        }
        h if h > 2.5 || n < MANY || !learnt => {
            " Smaller differences than that between two runs are likely noise; <code>pupila compare</code> tests them image by image."
        }
        _ => {
            " This is a precise estimate for images of this kind. It says nothing of images of another kind."
        }
    };
    // Near an end the limits lie unevenly.
    let accuracy = judged.predictions.confusion().correct() as f64 / n as f64;
    let even = (high - accuracy).max(accuracy - low) < 1.25 * 0.5 * (high - low);
    let known = match even {
        true => format!("is known to about ±{half:.1} points"),
        false => format!("is known to lie from {:.1} to {:.1}&nbsp;%", 100.0 * low, 100.0 * high),
    };
    let of = counted(n, "image");
    let mut text = match groups {
        false => format!("With {of} the accuracy {known}.{advice}"),
        true => format!(
            "With {of} in {} the accuracy {known}: what is alike within a group counts once.{advice}",
            counted(over.count as u64, "group")
        ),
    };
    let without: Vec<_> = over.none.iter().filter(|(metric, _)| *metric != "accuracy").collect();
    if let Some((_, why)) = without.first() {
        let names: Vec<String> = without.iter().map(|(metric, _)| metric.replace('_', " ")).collect();
        let _ = write!(text, " There is no interval of {}: {}.", listed(&names), escape(why));
    }
    text
}

/// `overfitting_found` is what the diagnosis says: the page has one opinion.
fn fit_in_words(training: &Training<'_>, majority_frac: f64, overfitting_found: bool) -> String {
    let best = training.best_epoch();
    let gap = best.map(|best| best.train_accuracy - best.val_accuracy);
    let mut text = match (lowest_val_loss(training.epochs), training.epochs.last()) {
        (Some(lowest), Some(last)) => {
            let fit = fit(training.epochs, majority_frac);
            course_in_words(fit, lowest, last, overfitting_found)
        }
        _ => TOO_FEW.to_owned(),
    };
    if let (Some(gap), Some(best)) = (gap.filter(|gap| *gap > NOTICEABLE_GAP), best) {
        let _ = write!(
            text,
            " In the epoch that was kept it knows the training images ({}) better than new ones ({}), by {:.0} points: more images, augmentation, dropout or weight decay narrow such a gap.",
            percent(best.train_accuracy),
            percent(best.val_accuracy),
            100.0 * gap
        );
    }
    text
}

/// How the validation loss went, which was lowest in `lowest`.
fn course_in_words(fit: Fit, lowest: &EpochPoint, last: &EpochPoint, overfitting_found: bool) -> String {
    let since = lowest.epoch + 1;
    let falls =
        if last.train_loss < lowest.train_loss { ", while the training loss went on falling" } else { "" };
    let numbers = format!(
        "the validation loss was lowest in epoch {} ({:.3}, at the end {:.3}){falls}.",
        lowest.epoch, lowest.val_loss, last.val_loss
    );
    match fit {
        // What was found on the way may have been overcome since.
        _ if overfitting_found && lowest.epoch < last.epoch => format!(
            "It <b>overfits since epoch {since}</b>: {numbers} What it learnt after that are the training images, not the classes."
        ),
        Fit::Turned => format!("It <b>begins to overfit in epoch {since}</b>: {numbers}"),
        Fit::Unknown => TOO_FEW.into(),
        Fit::StillLearning => {
            "It has <b>not finished learning</b>: training and validation loss both still fall at the end.".into()
        }
        Fit::Underfits => {
            "It <b>underfits</b>: even the training images are hardly classified better than without learning. A larger network, another learning rate, less regularisation or more epochs may help.".into()
        }
        Fit::Sound => "By its last epochs neither over- nor underfitting is plain.".into(),
    }
}

/// `hindered` says that something else than its length was wrong.
fn length_in_words(training: &Training<'_>, hindered: bool) -> String {
    let ran = training.epochs.len() as u64;
    let monitor = escape(training.monitor);
    let kept = match training.best {
        Some(best) => format!("The model of epoch {best} is kept, the best by {monitor}"),
        None => "No epoch ended, so no model is kept".into(),
    };
    let behind = training.best.map_or(0, |best| ran.saturating_sub(u64::from(best)));
    match training.end {
        RunEnd::Completed if ran > 1 && behind == 0 && !hindered => format!(
            "{kept}. It was the last: <b>training longer may help</b> (<code>--epochs {}</code>).",
            2 * training.planned
        ),
        RunEnd::Completed if behind > 0 && training.patience.is_none() => format!(
            "{kept}. The {} after it brought nothing{}.",
            counted(behind, "epoch"),
            training.would_stop.map_or_else(String::new, |(patience, epoch)| format!(
                "; with <code>--set early_stopping.patience={patience}</code> this run would have ended after epoch {epoch}, with the same model"
            ))
        ),
        RunEnd::Completed => format!("{kept}, of {}.", counted(ran, "epoch")),
        RunEnd::StoppedEarly => format!(
            "{kept}. Early stopping ended the run after epoch {ran} of {}, since {monitor} had not improved{} for {}.",
            training.planned,
            beyond(training.min_delta),
            counted(training.patience.unwrap_or(behind as u32).into(), "epoch")
        ),
        RunEnd::Interrupted => format!(
            "{kept}. The run was <b>interrupted</b> in epoch {} of {}: it might have become better.",
            ran + 1,
            training.planned
        ),
        RunEnd::Ended => {
            format!("{kept}. Whoever started the run ended it in epoch {} of {}.", ran + 1, training.planned)
        }
        RunEnd::Diverged => format!(
            "{kept}. Then the loss was no longer a number: training <b>diverged</b> in epoch {} of {}. A smaller learning rate helps most often.",
            ran + 1,
            training.planned
        ),
    }
}

/// What early stopping calls an improvement, where that is not every better epoch.
fn beyond(min_delta: f64) -> String {
    if min_delta > 0.0 { format!(" by more than {min_delta}") } else { String::new() }
}

fn confusions(judged: &Judged<'_>, classes: &[String]) -> String {
    let confusion = judged.predictions.confusion();
    let class = |id: usize| format!("<b>{}</b>", escape(classes.get(id).map_or("", String::as_str)));
    let of = confusion.true_counts();
    let pairs = confusion.most_confused(PAIRS);
    if pairs.is_empty() {
        return "None: every image is classified correctly.".into();
    }
    let pair = |&(target, predicted, n): &(usize, usize, u64)| {
        format!("{} for {} ({n} of {} images)", class(target), class(predicted), of[target])
    };
    let mut text = format!("It takes most often {}.", listed(&pairs.iter().map(pair).collect::<Vec<_>>()));
    let scores = PrecisionRecallF1::new(confusion).per_class;
    let worst = scores.iter().enumerate().filter(|(_, s)| s.support > 0);
    if let Some((id, score)) = worst.min_by(|a, b| a.1.recall.total_cmp(&b.1.recall)) {
        let _ = write!(
            text,
            " It finds {} least well: {} of its {} are recognised.",
            class(id),
            percent(score.recall),
            counted(score.support, "image")
        );
    }
    let as_ = confusion.predicted_counts();
    let never: Vec<String> = (0..as_.len()).filter(|&id| as_[id] == 0).map(class).collect();
    if !never.is_empty() {
        let named = if never.len() > 8 { format!("{} classes", never.len()) } else { listed(&never) };
        let _ = write!(text, " It never answers {named}.");
    }
    text
}

fn confidence(judged: &Judged<'_>, error: f64) -> String {
    let bins = reliability_bins(judged.predictions);
    let n = judged.predictions.len() as f64;
    let sum = |of: &dyn Fn(&pupila_metrics::ReliabilityBin) -> f64| {
        bins.iter().filter(|bin| bin.samples > 0).map(|bin| of(bin) * bin.samples as f64).sum::<f64>() / n
    };
    let (said, right) = (sum(&|bin| bin.confidence), sum(&|bin| bin.accuracy));
    let gap = said - right;
    let judgement = match gap {
        _ if n < FEW => format!("{n:.0} images are too few to say whether its confidence can be believed"),
        g if g > 0.03 => format!("it is <b>overconfident</b> by {:.0} points", 100.0 * g),
        g if g < -0.03 => format!("it is <b>underconfident</b> by {:.0} points", -100.0 * g),
        _ => "on average its confidence can be believed".to_owned(),
    };
    format!(
        "It is {} sure of its answers on average and right in {}: {judgement} (expected calibration error {}).",
        percent(said),
        percent(right),
        percent(error)
    )
}

/// Values that the images leave undefined, by name.
fn undefined(summary: &Summary, classes: &[String]) -> String {
    let mut parts: Vec<String> = Vec::new();
    for metric in ["precision", "recall", "f1", "auc"] {
        let of: Vec<String> = summary
            .undefined
            .iter()
            .filter(|undefined| undefined.metric == metric)
            .filter_map(|undefined| classes.get(undefined.class? as usize))
            .map(|name| escape(name))
            .collect();
        if of.is_empty() {
            continue;
        }
        let named = if of.len() > 8 { format!("{} classes", of.len()) } else { listed(&of) };
        let counts_as = if metric == "auc" { "NaN" } else { "0" };
        let metric = match metric {
            "f1" => "F1",
            "auc" => "AUC",
            other => other,
        };
        parts.push(format!("{metric} of {named} (counts as {counts_as})"));
    }
    let whole: Vec<String> =
        summary.undefined.iter().filter(|u| u.class.is_none()).map(|u| escape(u.metric)).collect();
    if !whole.is_empty() {
        parts.push(format!("{} of all (NaN)", listed(&whole)));
    }
    if parts.is_empty() {
        return String::new();
    }
    format!("The images leave undefined, as scikit-learn has it: {}.", parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(losses: &[(f64, f64)]) -> Vec<EpochPoint> {
        let point = |(i, &(train_loss, val_loss)): (usize, &(f64, f64))| EpochPoint {
            epoch: i as u32 + 1,
            train_loss,
            val_loss,
            train_accuracy: 0.9,
            val_accuracy: 0.7,
            ..EpochPoint::default()
        };
        losses.iter().enumerate().map(point).collect()
    }

    #[test]
    fn curves_tell_over_from_underfitting() {
        let turned = epochs(&[(1.0, 1.0), (0.8, 0.9), (0.6, 0.95), (0.4, 1.1), (0.2, 1.3)]);
        assert_eq!(fit(&turned, 0.3), Fit::Turned);
        let falling: Vec<_> =
            (0..20).map(|i| (1.0 - 0.04 * f64::from(i), 1.1 - 0.03 * f64::from(i))).collect();
        assert_eq!(fit(&epochs(&falling), 0.3), Fit::StillLearning);
        let flat: Vec<_> = (0..20).map(|i| (0.5 - 0.0001 * f64::from(i), 0.6)).collect();
        assert_eq!(fit(&epochs(&flat), 0.3), Fit::Sound);
        assert_eq!(fit(&epochs(&flat), 0.9), Fit::Underfits);
        assert_eq!(fit(&turned[..2], 0.3), Fit::Unknown);
        assert_eq!(fit(&[], 0.3), Fit::Unknown);
        // One bad epoch at the end, with the rest flat, is no overfitting.
        let noise = epochs(&[(1.0, 1.0), (0.9, 0.9), (0.8, 0.8), (0.79, 0.81), (0.78, 0.801), (0.77, 0.83)]);
        assert_eq!(fit(&noise, 0.3), Fit::Sound);
        // A loss that is no number is no lowest one.
        let nan = epochs(&[(1.0, f64::NAN), (0.9, f64::NAN), (0.8, f64::NAN)]);
        assert_eq!(fit(&nan, 0.3), Fit::Unknown);
    }

    #[test]
    fn what_is_called_overfitting_is_what_the_diagnosis_found() {
        let epochs = epochs(&[(1.0, 1.0), (0.8, 0.9), (0.6, 0.95), (0.4, 1.1), (0.2, 1.3)]);
        let training = Training {
            epochs: &epochs,
            best: Some(2),
            planned: 5,
            end: RunEnd::Completed,
            monitor: "val/loss",
            patience: None,
            min_delta: 0.0,
            would_stop: None,
        };
        let found = fit_in_words(&training, 0.3, true);
        assert!(
            found.contains("<b>overfits since epoch 3</b>")
                && found.contains("epoch 2 (0.900, at the end 1.300)")
        );
        let not_found = fit_in_words(&training, 0.3, false);
        assert!(not_found.contains("<b>begins to overfit in epoch 3</b>"), "{not_found}");
        for text in [found, not_found] {
            assert!(text.contains("by 20 points"), "{text}");
        }
        assert!(fit_in_words(&training, 0.3, true).contains("while the training loss went on falling."));
        let risen: Vec<EpochPoint> = epochs
            .iter()
            .map(|e| EpochPoint { train_loss: if e.epoch == 5 { 0.9 } else { e.train_loss }, ..*e })
            .collect();
        let risen = fit_in_words(&Training { epochs: &risen, ..training }, 0.3, true);
        assert!(risen.contains("at the end 1.300). What"), "{risen}");
        // Found on the way, and overcome: there is no epoch 6 since which it could be.
        let overcome: Vec<EpochPoint> = epochs
            .iter()
            .map(|e| EpochPoint { val_loss: if e.epoch == 5 { 0.5 } else { e.val_loss }, ..*e })
            .collect();
        let overcome = fit_in_words(&Training { epochs: &overcome, ..training }, 0.3, true);
        assert!(!overcome.contains("since epoch"), "{overcome}");
    }
}
