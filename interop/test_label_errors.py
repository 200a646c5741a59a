"""Doubted labels are those of cleanlab's confident learning, by the same probabilities, and flips stand as high in the order."""

import subprocess

import numpy as np
import pytest
from cleanlab.filter import find_label_issues
from cleanlab.rank import get_label_quality_scores
from sklearn.metrics import average_precision_score

from conftest import TARGET

RANK = TARGET / "release/examples/rank_labels"


def classifier(seed, classes, images, skill, wrong):
    """Labels of which a share is wrong, and what a classifier of some skill says of the images, trained on such labels."""
    rng = np.random.default_rng(seed)
    shares = rng.dirichlet(np.full(classes, 3.0))
    truth = rng.choice(classes, images, p=shares)
    labels = truth.copy()
    flips = rng.random(images) < wrong
    labels[flips] = rng.choice(classes, flips.sum(), p=shares)
    logits = rng.normal(size=(images, classes)) + skill * np.eye(classes)[truth] + np.log(shares)
    probabilities = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return labels, truth, probabilities.astype(np.float32)


def ranked(labels, probabilities):
    text = "\n".join(f"{label}," + ",".join(repr(float(p)) for p in row) for label, row in zip(labels, probabilities))
    done = subprocess.run([RANK], input=text, capture_output=True, text=True, check=True)
    lines = [line.split(",") for line in done.stdout.split()]
    return np.array([float(quality) for quality, _ in lines]), np.array([doubted == "1" for _, doubted in lines])


@pytest.mark.parametrize("classes", [2, 3, 10, 95])
def test_doubts_are_the_off_diagonal_of_the_confident_joint(classes):
    labels, _, probabilities = classifier(classes, classes, 4000, 2.5, 0.1)
    _, doubted = ranked(labels, probabilities)
    issues = find_label_issues(labels, probabilities.astype(float), filter_by="confident_learning")
    assert doubted.sum() > 50
    if classes <= 10:
        assert (doubted == issues).all()
    # Where several classes are sure, cleanlab takes the likeliest of all, sure or not; the paper, and we, the likeliest of the sure ones. cleanlab also
    # takes 1e-6 off its thresholds.
    assert (doubted & ~issues).sum() <= 1 and doubted.sum() > 0.9 * issues.sum()


def test_the_order_is_as_good():
    differences = []
    for seed in range(12):
        labels, truth, probabilities = classifier(seed, [3, 10, 40][seed % 3], 3000, 2 + seed % 4, [0.05, 0.1, 0.2][seed % 3])
        wrong = labels != truth
        quality, _ = ranked(labels, probabilities)
        theirs = get_label_quality_scores(labels, probabilities.astype(float))
        differences.append(average_precision_score(wrong, -quality) - average_precision_score(wrong, -theirs))
    assert np.mean(differences) > -0.01, differences
