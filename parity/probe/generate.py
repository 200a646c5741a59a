"""What scikit-learn makes of some features: multinomial logistic regression and nearest neighbours.

Writes values.json beside this file, which the tests of `crates/train/src/probe` read.
scikit-learn 1.7; the features are those of a seed, three classes that overlap, one feature far from zero as a ReLU's are.

    python parity/probe/generate.py
"""

import json
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

N, FEATURES, CLASSES = 90, 7, 3

rng = np.random.default_rng(0)
labels = rng.integers(0, CLASSES, N)
centres = rng.normal(size=(CLASSES, FEATURES))
features = (centres[labels] + 1.2 * rng.normal(size=(N, FEATURES))).astype(np.float32)
features[:, 2] += 4.0
features = np.maximum(features, 0.0)
weights = np.array([1.0, 2.5, 0.5])

regressions = []
for c in (0.01, 1.0, 100.0):
    for weighted in (False, True):
        model = LogisticRegression(
            C=c,
            tol=1e-10,
            max_iter=10_000,
            class_weight=dict(enumerate(weights)) if weighted else None,
        )
        model.fit(features.astype(np.float64), labels)
        regressions.append(
            {
                "c": c,
                "weighted": weighted,
                "weight": model.coef_.tolist(),
                # Adding a number to all biases changes no probability: as the biases' mean is free, it is taken off.
                "bias": (model.intercept_ - model.intercept_.mean()).tolist(),
            }
        )

neighbours = []
for k in (1, 3, 10):
    model = KNeighborsClassifier(k, metric="cosine").fit(features[:60], labels[:60])
    neighbours.append({"k": k, "votes": np.rint(model.predict_proba(features[60:]) * k).astype(int).tolist()})

values = {
    "features": features.astype(float).tolist(),
    "labels": labels.tolist(),
    "class_weights": weights.tolist(),
    "regressions": regressions,
    "neighbours": neighbours,
}
Path(__file__).with_name("values.json").write_text(json.dumps(values) + "\n")
