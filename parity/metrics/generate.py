"""Writes cases.json and reports.json: evaluations and what scikit-learn makes of them.

    python parity/metrics/generate.py

Written with scikit-learn 1.9.1 and NumPy 2.4.6. Probabilities are stored as whole ten-thousandths, of
which the float32 nearest to the quotient is meant: the file is small and both sides read the same numbers.
"""

import json
from pathlib import Path

import numpy as np
from reference import compute
from sklearn.metrics import classification_report

UNITS = 10_000
HERE = Path(__file__).parent


def whole(probabilities):
    """Rounds rows that sum to 1 to whole units that sum to UNITS, by largest remainder."""
    scaled = probabilities * UNITS
    units = np.floor(scaled).astype(int)
    for row, exact in zip(units, scaled):
        short = UNITS - row.sum()
        row[np.argsort(row - exact, kind="stable")[:short]] += 1
    return units


def evaluation(rng, samples, classes, sharpness=1.0, present=None, skill=1.5, coarse=False, bias=None):
    """Targets among `present`, and probabilities that favour them by `skill`; `coarse` ones tie often."""
    present = range(classes) if present is None else present
    targets = rng.choice(np.array(list(present)), samples)
    logits = rng.normal(size=(samples, classes))
    logits[np.arange(samples), targets] += skill
    if bias is not None:
        logits += bias
    logits *= sharpness
    if coarse:
        # Few distinct values, so that both rows and columns tie.
        weights = np.exp(np.clip(np.round(logits), -1, 1) * np.log(2))
    else:
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    return whole(weights / weights.sum(axis=1, keepdims=True)), targets


def cases():
    rng = np.random.default_rng(20240217)

    def case(name, samples, k, **kind):
        return f"{k} classes, {name}", k, *evaluation(rng, samples, k, **kind)

    for k, samples in [(2, 40), (3, 60), (4, 80), (5, 50), (7, 90), (10, 120), (95, 150)]:
        yield case("some skill", samples, k)
        yield case("ties", samples, k, coarse=True)
        yield case("overconfident", min(samples, 60), k, sharpness=30)
        yield case("no skill", min(samples, 60), k, skill=0)
    for k in [3, 5, 10]:
        never = np.where(np.arange(k) == k - 1, -50.0, 0.0)
        always = np.where(np.arange(k) == 0, 50.0, 0.0)
        yield case("the first absent", 50, k, present=range(1, k))
        yield case("only the second present", 20, k, present=[1])
        yield case("the last never predicted", 50, k, bias=never)
        yield case("the last absent and never predicted", 50, k, present=range(k - 1), bias=never)
        yield case("the first always predicted", 50, k, bias=always)
    for k in [2, 3]:
        yield case("one sample", 1, k)
        yield case("all correct", 30, k, skill=60)
        yield case("all wrong", 30, k, skill=-60)
        yield f"{k} classes, uniform", k, whole(np.full((12, k), 1 / k)), np.arange(12) % k
    yield case("only the first present", 20, 2, present=[0])
    yield case("only the second present", 20, 2, present=[1])


def reports():
    """Names of several lengths and scripts of one column a character, and ties of rounding such as 0.125."""
    rng = np.random.default_rng(7)
    names = {
        2: ["no", "yes"],
        3: ["cat", "dog", "a rather long class name indeed"],
        4: ["melanoma", "naevus", "café", "пример"],
        8: ["zero", "one", "two", "three", "four", "five", "six", "weighted avg!"],
        12: [f"class_{k}" for k in range(12)],
    }
    for classes, labels in names.items():
        for samples in [8, 16, 40, 1000]:
            targets = rng.integers(0, classes, samples)
            predicted = np.where(rng.random(samples) < 0.6, targets, rng.integers(0, classes, samples))
            if samples == 16:
                targets[targets == classes - 1] = 0  # a class without samples
            yield {
                "classes": labels,
                "targets": targets.tolist(),
                "predicted": predicted.tolist(),
                "text": classification_report(
                    targets, predicted, labels=range(classes), target_names=labels, zero_division=0
                ),
            }


def main():
    written = []
    for name, classes, units, targets in cases():
        probabilities = (units / UNITS).astype(np.float32)
        written.append(
            {
                "name": name,
                "classes": classes,
                "probabilities": units.tolist(),
                "targets": targets.tolist(),
                "expected": compute(classes, probabilities, targets),
            }
        )
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in written)
    (HERE / "cases.json").write_text(f"[\n{lines}\n]\n")
    lines = ",\n".join(json.dumps(report, ensure_ascii=False, separators=(",", ":")) for report in reports())
    (HERE / "reports.json").write_text(f"[\n{lines}\n]\n")
    print(f"{len(written)} cases")


if __name__ == "__main__":
    main()
