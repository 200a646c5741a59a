"""Our metrics against scikit-learn's, on random evaluations and on what a run leaves behind."""

import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, TARGET
from sklearn.metrics import balanced_accuracy_score, confusion_matrix, f1_score, log_loss, roc_auc_score


@pytest.mark.parametrize("seed", [0, 1])
def test_random_evaluations(seed):
    example = TARGET / "release/examples/metrics_json"
    subprocess.run([sys.executable, ROOT / "parity/metrics/check_random.py", example, str(seed)], check=True)


def test_summary_is_what_sklearn_makes_of_the_predictions(program, small_png):
    run = program.train(small_png, "metrics", "--size", 16)
    _, labels, predicted, scores, classes = run.predictions()
    val = run.summary["val"]
    expected = {
        "accuracy": np.mean(np.array(labels) == np.array(predicted)),
        "balanced_accuracy": balanced_accuracy_score(labels, predicted),
        "macro_f1": f1_score(labels, predicted, labels=classes, average="macro", zero_division=0),
        "macro_auc": roc_auc_score(labels, scores / scores.sum(1, keepdims=True), multi_class="ovr", labels=classes),
        "log_loss": log_loss(labels, scores / scores.sum(1, keepdims=True), labels=classes),
    }
    for name, value in expected.items():
        assert val[name] == pytest.approx(value, abs=1e-6), name
    assert confusion_matrix(labels, predicted, labels=classes).trace() == round(val["accuracy"] * len(labels))
