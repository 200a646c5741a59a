"""Wrong labels beside cleanlab: planted flips, five folds of one recipe, and who ranks the flips higher by the same probabilities.

    cargo build --release -p pupila -p pupila-inspect --example rank_labels
    pip install cleanlab scikit-learn
    python benches/label_errors.py CLASS_FOLDERS [--epochs 10] [--seeds 2] [--size 32] [--rates 0.05 0.1 0.2]

Of each rate and each kind of flip (uniform: any other class; confusable: the class that the networks of the unchanged data take it for
most) and each seed a table of labels is made, `pupila train` trains five folds on it, and their probabilities go to both. Told are the
average precisions, and the mean difference with its 95 % interval over the sets (t).
"""

import argparse
import csv
import json
import pathlib
import subprocess
import tempfile
import warnings

import numpy as np
from cleanlab.rank import get_label_quality_scores
from scipy import stats
from sklearn.metrics import average_precision_score

warnings.filterwarnings("ignore")
ROOT = pathlib.Path(__file__).resolve().parent.parent
PUPILA = ROOT / "target/release/pupila"
RANK = ROOT / "target/release/examples/rank_labels"
FOLDS = 5


def fold_probabilities(folder, rows, options):
    """The probabilities of each row by the network that did not see it, the labels, and the classes."""
    folder.mkdir()
    table = folder / "labels.csv"
    with open(table, "w", newline="") as file:
        csv.writer(file).writerows([["path", "label"], *rows])
    of_path = {}
    for fold in range(1, FOLDS + 1):
        command = [PUPILA, "train", table, "--recipe", ROOT / "recipes/label_errors.toml", "--runs", folder / "runs"]
        sets = [f"data.folds={FOLDS}", f"data.fold={fold}", f"train.epochs={options.epochs}", f"input.size={options.size}"]
        crop = f"augment.transforms=[{{horizontal_flip={{p=0.5}}}},{{random_resized_crop={{size=[{options.size},{options.size}],scale=[0.5,1.0]}}}}]"
        for value in [*sets, crop, "model.filters=[16,32,64]", "tracking.report=false"]:
            command += ["--set", value]
        done = subprocess.run([*command, "--name", f"fold{fold}", "--json"], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        with open(pathlib.Path(json.loads(done.stdout)["run"]) / "predictions.csv") as file:
            header, *lines = csv.reader(file)
        classes = [name.removeprefix("class:") for name in header[4:]]
        of_path.update({line[0]: [float(p) for p in line[4:]] for line in lines})
    probabilities = np.array([of_path[path] for path, _ in rows])
    return probabilities, np.array([classes.index(label) for _, label in rows]), classes


def our_quality(labels, probabilities):
    text = "\n".join(f"{label}," + ",".join(repr(float(p)) for p in row) for label, row in zip(labels, probabilities))
    done = subprocess.run([RANK], input=text, capture_output=True, text=True, check=True)
    return np.array([float(line.split(",")[0]) for line in done.stdout.split()])


def flipped(labels, rate, kind, seed, probabilities):
    """Labels of which a share is another one, and which these are."""
    classes = probabilities.shape[1]
    rng = np.random.default_rng([seed, round(100 * rate), len(kind)])
    which = rng.choice(len(labels), round(rate * len(labels)), replace=False)
    taken_for = np.array([probabilities[labels == c].sum(0) for c in range(classes)])
    np.fill_diagonal(taken_for, -1)
    new = labels.copy()
    for at in which:
        other = (labels[at] + 1 + rng.integers(classes - 1)) % classes
        new[at] = taken_for[labels[at]].argmax() if kind == "confusable" else other
    return new, new != labels


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.05, 0.1, 0.2])
    options = parser.parse_args()
    folders = sorted(folder for folder in options.data.resolve().iterdir() if folder.is_dir())
    rows = [(str(file), folder.name) for folder in folders for file in sorted(folder.iterdir())]
    differences = {"self_confidence": [], "normalized_margin": []}
    with tempfile.TemporaryDirectory() as work:
        work = pathlib.Path(work)
        clean, labels, classes = fold_probabilities(work / "clean", rows, options)
        print(f"{len(rows)} images, {len(classes)} classes, accuracy of the folds {np.mean(clean.argmax(1) == labels):.3f}")
        for rate in options.rates:
            for kind in ["uniform", "confusable"]:
                for seed in range(options.seeds):
                    new, wrong = flipped(labels, rate, kind, seed, clean)
                    renamed = [(path, classes[label]) for (path, _), label in zip(rows, new)]
                    p, y, _ = fold_probabilities(work / f"{rate}-{kind}-{seed}", renamed, options)
                    ours = average_precision_score(wrong, -our_quality(y, p))
                    told = f"{rate:4.0%} {kind:10} seed {seed}: ours {ours:.3f}"
                    for method, of in differences.items():
                        theirs = average_precision_score(wrong, -get_label_quality_scores(y, p, method=method))
                        of.append(ours - theirs)
                        told += f", {method} {theirs:.3f}"
                    print(told, flush=True)
    for method, of in differences.items():
        half = stats.t.ppf(0.975, len(of) - 1) * np.std(of, ddof=1) / np.sqrt(len(of))
        print(f"ours less {method}: {np.mean(of):+.4f} [{np.mean(of) - half:+.4f}, {np.mean(of) + half:+.4f}], the least {min(of):+.4f}")


if __name__ == "__main__":
    main()
