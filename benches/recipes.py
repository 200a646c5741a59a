#!/usr/bin/env python3
"""Runs the recipes that promise a score, each with three seeds, and writes recipes/RESULTS.md.

    cargo build --release
    python benches/recipes.py --fashion DIR --isic DIR --caltech DIR

DIR are the four IDX files of Fashion-MNIST, ISIC 2017 as train, val and test folders, and the class folders of Caltech-101 less
seven. A run that is there already is not run again, so the program can be stopped and started; what is there is written after
every run. Nothing but Python's standard library is needed.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Title, recipe, data, options beyond the recipe, options of eval, metrics, what is asked for.
RUNS = [
    ("Fashion-MNIST, MLP", "fashion_mnist_mlp", "fashion", [], ["--split", "test"], ["accuracy"], "accuracy at least 90.0 %"),
    ("Fashion-MNIST, CNN under 200,000 parameters", "fashion_mnist_cnn", "fashion", [], ["--split", "test"], ["accuracy"],
     "accuracy at least 93.5 % in under 20 minutes"),
    ("ISIC 2017, balanced", "isic_balanced", "isic", [], ["--split", "test"], ["balanced_accuracy", "macro_auc"],
     "against the run below"),
    ("ISIC 2017, as it is", "isic_balanced", "isic", ["--set", "data.sampler=shuffle"], ["--split", "test"],
     ["balanced_accuracy", "macro_auc"], ""),
    ("ISIC 2017, balanced, gray", "isic_gray", "isic", [], ["--split", "test"], ["balanced_accuracy", "macro_auc"], ""),
    ("Caltech, 5 images of each of 95 classes", "caltech_few", "caltech", [], [], ["accuracy", "balanced_accuracy"], ""),
    ("Caltech, 95 classes", "caltech_95", "caltech", [], [], ["accuracy", "balanced_accuracy"], ""),
    ("Caltech, 95 classes, gray", "caltech_gray", "caltech", [], [], ["accuracy", "balanced_accuracy"], ""),
]

HEAD = """# What the recipes reach

Written by `benches/recipes.py`. The score is that of the best epoch by the recipe's monitor, judged once on the test set where the
data has one; where it has none, on the validation set that chose the epoch, which flatters it a little.
Two free cores take about half of the processor minutes; the minutes themselves are longer where other programs ran beside.
"""

RESULTS = ROOT / "recipes/RESULTS.md"
# Below this people write what they have tried; it is kept.
TRIED = "## What was tried"


def commit():
    """The commit, marked where anything is changed but the table that this program writes."""
    git = lambda *words: subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", f":!{RESULTS.relative_to(ROOT)}")
    return git("describe", "--always") + ("-dirty" if changed else "")


def machine(results):
    commits = sorted({result["commit"] for found in results.values() for result in found})
    return f"{time.strftime('%Y-%m-%d')}, commit {', '.join(commits)}, {os.cpu_count()} cores, {platform.machine()}."


def write(results):
    before = RESULTS.read_text() if RESULTS.exists() else ""
    tried = before[before.index(TRIED):] if TRIED in before else f"{TRIED}\n"
    RESULTS.write_text(f"{HEAD}\n{table(results)}\n\n{machine(results)}\n\n{tried}")


def run(pupila, runs, data, index, seed):
    """The training and the judgement of one seed; both are kept beside the run."""
    title, recipe, _, options, judged, _, _ = RUNS[index]
    name = f"{index}-{recipe}-{seed}"
    kept = runs / f"{name}.json"
    if kept.exists():
        return json.loads(kept.read_text())
    started = time.time()
    command = [pupila, "train", data, "--recipe", ROOT / f"recipes/{recipe}.toml", *options, "--seed", str(seed)]
    command += ["--runs", runs, "--name", f"{name}-{int(started)}", "--json", "--no-tensorboard"]
    print(f"{title}, seed {seed}", file=sys.stderr, flush=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    summary = json.loads(done.stdout)
    judgement = subprocess.run([pupila, "eval", summary["run"], *judged, "--json"], check=True, cwd=ROOT,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    result = {"minutes": summary["timing"]["total_s"] / 60, "processor_minutes": processor / 60, "parameters": summary["parameters"],
              "metrics": json.loads(judgement.stdout)["metrics"], "version": summary["version"], "commit": commit()}
    kept.write_text(json.dumps(result))
    return result


def table(results):
    lines = ["| recipe | seeds | score, mean (least to most) | minutes a run | processor minutes | parameters | asked for |",
             "|---|---|---|---|---|---|---|"]
    for index, (title, recipe, _, options, judged, metrics, asked) in enumerate(RUNS):
        found = results.get(index, [])
        if not found:
            continue
        where = "test set" if judged else "validation set"
        scores = []
        for metric in metrics:
            values = [100 * result["metrics"][metric] for result in found]
            spread = f"{statistics.mean(values):.1f} % ({min(values):.1f} to {max(values):.1f})"
            scores.append(f"{metric.replace('_', ' ')} {spread}")
        minutes, processor = (statistics.median(result[key] for result in found) for key in ("minutes", "processor_minutes"))
        command = " ".join([f"`{recipe}.toml`", *(f"`{option}`" for option in options)])
        lines.append(f"| {title}: {command} | {len(found)} | {', '.join(scores)}, on the {where} | {minutes:.1f} "
                     f"| {processor:.1f} | {found[0]['parameters']:,} | {asked} |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pupila", default=str(ROOT / "target/release/pupila"))
    parser.add_argument("--runs", default=str(ROOT / "target/recipe-runs"), type=Path)
    parser.add_argument("--seeds", default=3, type=int)
    for data in ("fashion", "isic", "caltech"):
        parser.add_argument(f"--{data}", help=f"folder of the {data} data; its recipes are left out without")
    arguments = parser.parse_args()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    results = {}
    for seed in range(arguments.seeds):
        for index, planned in enumerate(RUNS):
            data = getattr(arguments, planned[2])
            if data:
                results.setdefault(index, []).append(run(arguments.pupila, arguments.runs, data, index, seed))
                write(results)


if __name__ == "__main__":
    main()
