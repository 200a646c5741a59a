"""Compares 200 random evaluations with scikit-learn, to 1e-12.

    cargo build --release -p pupila-metrics --example metrics_json
    python parity/metrics/check_random.py target/release/examples/metrics_json [SEED]

Exits with 1 and lists the differences where there are any.
"""

import json
import subprocess
import sys
import warnings

import numpy as np
from reference import compute, differences, undefined_is_none
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_curve, roc_curve

CASES = 200
TOLERANCE = 1e-12


def evaluations(rng):
    for _ in range(CASES):
        classes = int(rng.choice([2, 3, 4, 6, 10, 30]))
        samples = int(rng.integers(1, 400))
        present = rng.choice(classes, rng.integers(1, classes + 1), replace=False)
        targets = rng.choice(present, samples)
        logits = rng.normal(size=(samples, classes)) * rng.choice([0.1, 1, 5, 40])
        logits[np.arange(samples), targets] += rng.normal(1, 2)
        if rng.random() < 0.3:
            logits = np.round(logits)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        yield classes, (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32), targets


def curves(classes, probabilities, targets):
    """ROC and precision-recall curves of each class, and the bins of the reliability diagram."""
    probabilities = probabilities.astype(np.float64)
    per_class = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for k in range(classes):
            fpr, tpr, _ = roc_curve(targets == k, probabilities[:, k], drop_intermediate=False)
            precision, recall, _ = precision_recall_curve(targets == k, probabilities[:, k])
            per_class.append([[undefined_is_none(x) for x in curve] for curve in (fpr, tpr, precision, recall)])
    expected = {"curves": per_class}
    right, confidence = probabilities.argmax(axis=1) == targets, probabilities.max(axis=1)
    if right.any() and not right.all():
        # Two of the bins' edges are not the same in float64 here and there; no confidence lies on one.
        expected["reliability"] = [curve.tolist() for curve in calibration_curve(right, confidence, n_bins=15)]
    return expected


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    rng = np.random.default_rng(int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    cases = list(evaluations(rng))
    lines = "".join(
        # A float32 is exact as a float64, and that is printed so that it reads back the same.
        json.dumps({"classes": k, "probabilities": p.astype(float).tolist(), "targets": t.tolist()}) + "\n"
        for k, p, t in cases
    )
    printed = subprocess.run([sys.argv[1]], input=lines, capture_output=True, text=True, check=True).stdout
    answers = [json.loads(line) for line in printed.splitlines()]
    wrong = 0
    if len(answers) != len(cases):
        sys.exit(f"{len(cases)} answers expected, got {len(answers)}")
    for place, (case, answer) in enumerate(zip(cases, answers)):
        found = differences(compute(*case) | curves(*case), answer, TOLERANCE)
        wrong += bool(found)
        for line in found:
            print(f"case {place} ({case[0]} classes, {len(case[2])} samples) {line}")
    print(f"{len(cases) - wrong} of {len(cases)} evaluations agree to {TOLERANCE}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
