"""Writes comparisons.json: curves and bins as scikit-learn has them, p-values as statsmodels and SciPy have them.

    python parity/metrics/generate_comparisons.py

Written with scikit-learn 1.9.1, statsmodels 0.15.0 and SciPy 1.17.1. Probabilities are stored as whole
ten-thousandths, as in cases.json. What JSON does not have (NaN, the infinite first threshold) is null.
"""

import json
import warnings
from pathlib import Path

import numpy as np
from generate import UNITS, evaluation
from scipy.stats import binom, binomtest
from sklearn.calibration import calibration_curve
from sklearn.metrics import precision_recall_curve, roc_curve
from statsmodels.stats.contingency_tables import mcnemar


def plain(values):
    return [float(value) if np.isfinite(value) else None for value in values]


def curves():
    rng = np.random.default_rng(20251126)
    kinds = {
        "two classes": (40, 2, {}),
        "three classes with ties": (60, 3, {"coarse": True}),
        "overconfident": (50, 4, {"sharpness": 30}),
        "an absent class": (30, 3, {"present": [0, 2]}),
        "only one class": (12, 2, {"present": [1]}),
        "one sample": (1, 3, {}),
    }
    for name, (samples, classes, kind) in kinds.items():
        units, targets = evaluation(rng, samples, classes, **kind)
        probabilities = (units / UNITS).astype(np.float32).astype(np.float64)
        roc, precision_recall = [], []
        for k in range(classes):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fpr, tpr, thresholds = roc_curve(targets == k, probabilities[:, k], drop_intermediate=False)
                precision, recall, cuts = precision_recall_curve(targets == k, probabilities[:, k])
            defined = np.isfinite(fpr).all() and np.isfinite(tpr).all()
            at = np.interp(np.arange(21) / 20, fpr, tpr) if defined else []
            roc.append({"fpr": plain(fpr), "tpr": plain(tpr), "thresholds": plain(thresholds), "at": plain(at)})
            precision_recall.append(
                {"precision": plain(precision), "recall": plain(recall), "thresholds": plain(cuts)}
            )
        right = probabilities.argmax(axis=1) == targets
        confidence = probabilities.max(axis=1)
        # scikit-learn refuses outcomes that are all alike; what it would give is one value for each bin.
        if right.all() or not right.any():
            bins = np.searchsorted(np.linspace(0, 1, 16)[1:-1], confidence)
            accuracy = [float(right[bins == b].mean()) for b in np.unique(bins)]
            mean = [float(confidence[bins == b].mean()) for b in np.unique(bins)]
        else:
            accuracy, mean = calibration_curve(right, confidence, n_bins=15)
        yield {
            "name": name,
            "classes": classes,
            "probabilities": units.tolist(),
            "targets": targets.tolist(),
            "roc": roc,
            "precision_recall": precision_recall,
            "reliability": {"accuracy": plain(accuracy), "confidence": plain(mean)},
        }


def tests():
    pairs = [(0, 0), (1, 0), (0, 1), (1, 1), (5, 0), (0, 12), (3, 9), (9, 3), (10, 10), (11, 10), (25, 42), (121, 59)]
    pairs += [(500, 430), (1000, 1001), (900, 100), (10_000, 9_800), (2, 90)]
    for b, c in pairs:
        p = float(mcnemar([[0, b], [c, 0]], exact=True).pvalue) if b + c else 1.0
        if b + c:
            assert np.isclose(p, binomtest(b, b + c, 0.5).pvalue, rtol=1e-9)
        # Fagerland, Lydersen and Laake 2013, equation 4.
        at = float(binom.pmf(min(b, c), b + c, 0.5))
        mid_p = 1 - at / 2 if b == c and b else p - at if b != c else 1.0
        yield {"only_first": b, "only_second": c, "p": p, "mid_p": float(mid_p)}


def main():
    sections = [("curves", curves()), ("mcnemar", tests())]
    lines = [
        f'"{name}": [\n' + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]"
        for name, cases in sections
    ]
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    (Path(__file__).parent / "comparisons.json").write_text(text)


if __name__ == "__main__":
    main()
