"""The metrics of one evaluation as scikit-learn computes them, with `labels=range(K)` throughout."""

import warnings

import numpy as np
from sklearn import metrics
from sklearn.preprocessing import label_binarize


def of_binary_columns(score, one_hot, probabilities):
    """`score` of each class against the rest, and their mean."""
    columns = range(probabilities.shape[1])
    per_class = [float(score(one_hot[:, k], probabilities[:, k])) for k in columns]
    return per_class, float(np.mean(per_class))


def compute(classes: int, probabilities: np.ndarray, targets: np.ndarray) -> dict:
    """probabilities: [N, K] of float32, targets: [N] -> the object that the example `metrics_json` prints."""
    labels = np.arange(classes)
    probabilities = probabilities.astype(np.float64)
    predicted = probabilities.argmax(axis=1)
    one_hot = np.eye(classes, dtype=int)[targets]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")

        def averages(average):
            return metrics.precision_recall_fscore_support(
                targets, predicted, labels=labels, average=average, zero_division=0
            )

        precision, recall, f1, _ = averages(None)
        auc, macro_auc = of_binary_columns(metrics.roc_auc_score, one_hot, probabilities)
        if classes == 2:
            # Each of two is the other turned round.
            weighted_auc = macro_auc = auc[1]
        else:
            weighted_auc = metrics.roc_auc_score(
                targets, probabilities, multi_class="ovr", average="weighted", labels=labels
            )
            np.testing.assert_equal(
                macro_auc, metrics.roc_auc_score(targets, probabilities, multi_class="ovr", labels=labels)
            )
        average_precision, _ = of_binary_columns(metrics.average_precision_score, one_hot, probabilities)
        # A column for each class, of two classes too: scikit-learn would take one column alone.
        macro_average_precision = float(np.mean(average_precision))
        log_loss = metrics.log_loss(targets, y_proba=probabilities, labels=labels)
        # Two classes of two are always right, and scikit-learn takes another form of scores for one of two.
        top_k = [
            metrics.top_k_accuracy_score(targets, probabilities, k=k, labels=labels) if classes > 2 else None
            for k in range(1, classes + 1)
        ]
        summary = {
            "loss": log_loss,
            "accuracy": metrics.accuracy_score(targets, predicted),
            "balanced_accuracy": metrics.balanced_accuracy_score(targets, predicted),
            "macro_f1": averages("macro")[2],
            "weighted_f1": averages("weighted")[2],
            "macro_precision": averages("macro")[0],
            "macro_recall": averages("macro")[1],
            "macro_auc": macro_auc,
            "weighted_auc": weighted_auc,
            "macro_average_precision": macro_average_precision,
            "top5_accuracy": top_k[4] if classes > 4 else 1.0,
            "matthews": metrics.matthews_corrcoef(targets, predicted),
            "cohen_kappa": metrics.cohen_kappa_score(targets, predicted, labels=labels),
            "log_loss": log_loss,
            "brier_score": metrics.brier_score_loss(targets, probabilities, labels=labels)
            if classes > 2
            else metrics.brier_score_loss(targets, probabilities[:, 1], labels=labels),
            "calibration_error": calibration_error(probabilities, predicted == targets),
        }
    return {
        "summary": {name: undefined_is_none(value) for name, value in summary.items()},
        "precision": precision.tolist(),
        "recall": recall.tolist(),
        "f1": f1.tolist(),
        "auc": [undefined_is_none(area) for area in auc],
        "average_precision": average_precision,
        "top_k": top_k,
        "confusion": metrics.confusion_matrix(targets, predicted, labels=labels).tolist(),
    }


def calibration_error(probabilities, correct, bins=15):
    """Equation 3 of Guo et al. 2017, which scikit-learn does not have."""
    confidence = probabilities.max(axis=1)
    bin_of = np.clip(np.ceil(confidence * bins), 1, bins)
    return sum(
        abs(correct[bin_of == b].mean() - confidence[bin_of == b].mean()) * np.mean(bin_of == b)
        for b in np.unique(bin_of)
    )


def undefined_is_none(value):
    return None if np.isnan(value) else float(value)


def differences(expected, got, tolerance, path="") -> list[str]:
    """Where `got` is further from `expected` than `tolerance`. None is undefined, in `top_k` not compared."""
    if isinstance(expected, dict):
        missing = [f"{path}.{key}: missing" for key in expected if key not in got]
        return missing + [
            line
            for key in expected
            if key in got
            for line in differences(expected[key], got[key], tolerance, f"{path}.{key}")
        ]
    if isinstance(expected, list):
        if len(expected) != len(got):
            return [f"{path}: {len(expected)} values expected, got {len(got)}"]
        return [
            line
            for place, (e, g) in enumerate(zip(expected, got))
            for line in differences(e, g, tolerance, f"{path}[{place}]")
        ]
    if expected is None and path.startswith(".top_k"):
        return []
    if expected is None or got is None:
        return [] if expected is got else [f"{path}: expected {expected}, got {got}"]
    close = abs(expected - got) <= tolerance * max(1.0, abs(expected))
    return [] if close else [f"{path}: expected {expected}, got {got}"]
