//! Loss, accuracy and learning rate over the epochs.

use crate::chart::{Chart, Series};
use crate::html::escape;
use crate::run::{EpochPoint, Training};
use pupila_run::RunEnd;

/// The ratio of the largest loss to the lowest from which on the axis is logarithmic.
const DECADES: f64 = 1000.0;

/// The curves, with the kept epoch marked.
pub(crate) fn curves(training: &Training<'_>) -> String {
    let epochs = training.epochs;
    if epochs.is_empty() {
        return String::new();
    }
    let series = |name: &str, color, dashed, of: fn(&EpochPoint) -> f64| Series {
        name: name.into(),
        color,
        dashed,
        points: epochs.iter().map(|epoch| (f64::from(epoch.epoch), of(epoch))).collect(),
    };
    let marks: Vec<_> =
        training.best.map(|best| (f64::from(best), format!("kept: epoch {best}"))).into_iter().collect();
    let chart = |title: &str, heading: &str, y, share, series, caption: &str| Chart {
        title: title.into(),
        heading: heading.into(),
        x_label: "epoch",
        whole_x: true,
        y,
        shares: (false, share),
        series,
        marks: marks.clone(),
        caption: caption.into(),
        ..Chart::default()
    };
    // Where losses span decades a linear axis shows the largest alone.
    let losses = epochs.iter().flat_map(|e| [e.train_loss, e.val_loss]).filter(|loss| loss.is_finite());
    let (low, high) = losses.fold((f64::MAX, f64::MIN), |(low, high), loss| (low.min(loss), high.max(loss)));
    let decades = low > 0.0 && high / low > DECADES;
    let mut accuracies = vec![series("training", 1, true, |e| e.train_accuracy)];
    // Where all classes have equally many images the two are one.
    if epochs.iter().any(|e| (e.val_accuracy - e.val_balanced_accuracy).abs() > 1e-9) {
        accuracies.push(series("validation, balanced", 3, false, |e| e.val_balanced_accuracy));
    }
    accuracies.push(series("validation", 2, false, |e| e.val_accuracy));
    let mut charts = vec![
        chart(
            "Loss by epoch",
            "Loss",
            decades.then_some((0.8 * low, 1.25 * high)),
            false,
            vec![
                series("training", 1, true, |e| e.train_loss),
                series("validation", 2, false, |e| e.val_loss),
            ],
            "Cross-entropy in nats. Where the validation loss rises while the training loss falls, the network learns images instead of classes. Training values are means over the epoch, with augmentation and dropout.",
        ),
        chart(
            "Accuracy by epoch",
            "Accuracy",
            None,
            true,
            accuracies,
            "The gap between training and validation is what does not carry over to new images. Balanced accuracy counts each class alike.",
        ),
    ];
    let first = epochs[0].lr;
    // A level line says less than its number.
    let constant = epochs.iter().all(|epoch| epoch.lr == first);
    if !constant {
        charts.push(chart(
            "Learning rate by epoch",
            "Learning rate",
            None,
            false,
            vec![series("", 4, false, |e| e.lr)],
            "The rate of each epoch's last update.",
        ));
    }
    let rate = if constant { format!(" The learning rate was {first} throughout.") } else { String::new() };
    charts[0].log_y = decades;
    let figures: String = charts.iter().map(Chart::figure).collect();
    format!(
        "<p class=\"note\">The dotted line marks the epoch that is kept, the best by <code>{}</code>.{rate}</p><div class=\"grid\">{figures}</div>\n",
        escape(training.monitor)
    )
}

/// A run without a single judged epoch.
pub(crate) fn nothing_judged(training: Option<&Training<'_>>) -> String {
    let why = match training.map(|training| training.end) {
        Some(RunEnd::Diverged) => {
            "The loss was no longer a number before the first epoch ended: training diverged. A smaller learning rate helps most often."
        }
        Some(RunEnd::Interrupted) => "The run was interrupted before the first epoch ended.",
        _ => "No epoch of this run ended.",
    };
    format!("<p class=\"lead\">There is no model to judge. {why}</p>\n")
}
