#!/usr/bin/env python3
"""Writes crates/dataset/tests/golden/folds.json: labels and groups, and how evenly StratifiedGroupKFold spreads them.

    python parity/folds/generate.py        # needs scikit-learn
"""
import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.model_selection import StratifiedGroupKFold

rng = np.random.default_rng(8)
cases = []
for classes, groups, largest in [(2, 60, 6), (3, 200, 4), (7, 150, 12)]:
    for folds in (3, 5, 10):
        labels, members = [], []
        shares = rng.dirichlet(np.full(classes, 2.0))
        for group in range(groups):
            # A patient's images lean to one class.
            lean = rng.choice(classes, p=shares)
            for _ in range(rng.integers(1, largest + 1)):
                labels.append(int(lean if rng.random() < 0.7 else rng.choice(classes, p=shares)))
                members.append(group)
        labels, members = np.array(labels), np.array(members)
        deviations = []
        for seed in range(5):
            cut = StratifiedGroupKFold(folds, shuffle=True, random_state=seed).split(labels, labels, members)
            counts = np.array([np.bincount(labels[val], minlength=classes) for _, val in cut])
            totals = counts.sum(0)
            deviations.append(np.abs(counts / np.maximum(totals, 1) - 1 / folds)[:, totals > 0].max())
        cases.append({
            "classes": classes, "folds": folds, "labels": labels.tolist(), "groups": members.tolist(),
            "deviation": float(np.median(deviations)),
        })
        print(classes, folds, len(labels), np.bincount(labels), cases[-1]["deviation"])
out = Path(__file__).resolve().parents[2] / "crates/dataset/tests/golden/folds.json"
out.write_text(json.dumps({"scikit-learn": sklearn.__version__, "cases": cases}) + "\n")
