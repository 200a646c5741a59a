#!/usr/bin/env python3
"""Times a course's search, six trials of a CNN's space, against the PyTorch programs that a person would write for it.

    cargo build --release
    python benches/course_search.py DATA --baseline torch_baseline.py [--epochs 5]

DATA has train/ and val/ with class folders. `pupila search` draws six trials of recipes/spaces/course.toml with an empty cache; the PyTorch
program (see compare_torch.py for what it must understand) is run once for each of them, with the trial's size, batch, learning rate, weight decay and
dropout and for the epochs that ours ran, as in the course and tuned (with two workers where that is faster). Time is that of whole processes.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def timed(command, environment=None):
    start = time.perf_counter()
    done = subprocess.run(list(map(str, command)), env=os.environ | (environment or {}), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return time.perf_counter() - start, done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--baseline", required=True)
    parser.add_argument("--pupila", default=ROOT / "target/release/pupila")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--trials", type=int, default=6)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        ours, out = timed(
            [options.pupila, "search", options.data, "--space", ROOT / "recipes/spaces/course.toml", "--recipe", ROOT / "recipes/cnn.toml",
             "--sampler", "random", "--trials", options.trials, "--set", f"train.epochs={options.epochs}", "--runs", folder / "runs",
             "--name", "course", "--seeds", 0, "--pruner", "none", "--json"],
            {"PUPILA_CACHE_DIR": str(folder / "cache"), "PUPILA_STATE_DIR": str(folder / "state")})
        said = json.loads(out)
        print(f"pupila search: {ours:.1f} s, {said['trials']}", flush=True)
        trials = []
        for recipe in sorted((folder / "runs").rglob("recipe.toml")):
            if "trial" not in str(recipe.relative_to(folder)):
                continue
            values = tomllib.loads(recipe.read_text())
            summary = json.loads((recipe.parent / "summary.json").read_text())
            trials.append((values, summary["epochs_run"]))
        print(f"{len(trials)} trials, {sum(epochs for _, epochs in trials)} epochs", flush=True)
        for mode in ("tuned", "course"):
            total = 0.0
            for number, (values, epochs) in enumerate(trials):
                words = [sys.executable, options.baseline, "--data", options.data, "--mode", mode, "--model", "cnn", "--size", values["input"]["size"],
                         "--batch", values["train"]["batch"], "--lr", values["optimizer"]["lr"], "--weight-decay", values["optimizer"]["weight_decay"],
                         "--dropout", values["model"].get("dropout", 0.0), "--epochs", epochs, "--logs", folder / f"{mode}-{number}"]
                times = [timed(words)[0]]
                if mode == "tuned":
                    times.append(timed([*words, "--workers", 2])[0])
                total += min(times)
            print(f"PyTorch, {mode}: {total:.1f} s, ratio {total / ours:.1f}", flush=True)


main()
