#!/usr/bin/env python3
"""Compares Pupila's samplers with Optuna's: how good the best of 100 trials is, and how long a suggestion takes.

    cargo build --release -p pupila-search --example quality
    python benches/compare_search.py [--seeds 20] [--trials 100] [--optuna FILE] [--speed]

Quality: the functions of crates/search/examples/quality.rs, written here again, the same ranges, 20 seeds each. Optuna runs its default TPE, its
multivariate one (with groups, as ours) and its random sampler. Differences are of the best values, and a value's range is from 0, the lowest, to
the highest on the domain. Intervals are 95 %, by Student's t: TPE against our own random draws is paired by seed, the two programs share no draws
and are compared by Welch's test. --optuna keeps Optuna's results in a file and reads them again, since they take some minutes.
Speed: milliseconds for a trial, mean over the last tenth of 1,000 trials, in memory, one thread each.
Needs optuna, numpy and scipy.
"""

import argparse
import json
import math
import multiprocessing
import subprocess
import sys
import time
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
import optuna
from scipy import stats

ROOT = Path(__file__).resolve().parent.parent
optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.filterwarnings("ignore")

PI = math.pi


def sphere(x):
    return float(np.sum(x * x))


def rosenbrock(x):
    return float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


def rastrigin(x):
    return float(np.sum(10 + x * x - 10 * np.cos(2 * PI * x)))


def ackley(x):
    return float(20 + math.e - 20 * np.exp(-0.2 * np.sqrt(np.mean(x * x))) - np.exp(np.mean(np.cos(2 * PI * x))))


def conditional(trial):
    model = trial.suggest_categorical("model", ["mlp", "cnn"])
    lr = (math.log10(trial.suggest_float("lr", 1e-6, 1.0, log=True)) + 2.5) ** 2 / 4
    if model == "mlp":
        layers = trial.suggest_int("layers", 1, 8)
        width = (math.log2(trial.suggest_int("width", 8, 1024, log=True)) - 6) ** 2 / 10
        dropout = abs(trial.suggest_float("dropout", 0, 0.9, step=0.1) - 0.3) if layers >= 4 else 0
        return lr + 0.2 + (layers - 4) ** 2 / 10 + width + dropout
    channels = {16: 0.4, 32: 0.0, 64: 0.2}[trial.suggest_categorical("channels", [16, 32, 64])]
    kernel = {3: 0.1, 5: 0.0, 7: 0.3}[trial.suggest_categorical("kernel", [3, 5, 7])]
    return lr + channels + kernel


# Function, lowest and highest coordinate.
NAMED = {"sphere": (sphere, -3, 7), "rosenbrock": (rosenbrock, -5, 10), "rastrigin": (rastrigin, -3, 7), "ackley": (ackley, -20, 45)}
FUNCTIONS = [f"{name}-{dimensions}" for name in NAMED for dimensions in (2, 5, 10)] + ["conditional"]
SAMPLERS = {
    "default": lambda seed: optuna.samplers.TPESampler(seed=seed),
    "multivariate": lambda seed: optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True),
    "random": lambda seed: optuna.samplers.RandomSampler(seed=seed),
}


def objective_of(name):
    if name == "conditional":
        return conditional
    name, dimensions = name.split("-")
    function, low, high = NAMED[name]
    return lambda trial: function(np.array([trial.suggest_float(f"x{i}", low, high) for i in range(int(dimensions))]))


def range_of(name):
    """The highest value on the domain, by a fine grid of one coordinate (or a pair) where the function is a sum of such terms."""
    if name == "conditional":
        # lr 3.5 decades off, eight layers, width 1024, dropout 0.9.
        return 3.5**2 / 4 + 0.2 + 1.6 + 1.6 + 0.6
    name, dimensions = name.split("-")
    function, low, high = NAMED[name]
    axis = np.linspace(low, high, 2001)
    if name == "rosenbrock":
        x, y = np.meshgrid(axis, axis)
        # An upper corner: every pair at its highest.
        return float(np.max(100 * (y - x**2) ** 2 + (1 - x) ** 2)) * (int(dimensions) - 1)
    if name == "ackley":
        return max(ackley(np.array([x])) for x in axis)
    return max(function(np.array([x])) for x in axis) * int(dimensions)


def best(job):
    name, sampler, seed, trials = job
    study = optuna.create_study(sampler=SAMPLERS[sampler](seed))
    study.optimize(objective_of(name), n_trials=trials)
    return name, sampler, seed, study.best_value


def by_study(rows):
    values = defaultdict(dict)
    for name, sampler, seed, value in rows:
        values[name, sampler][int(seed)] = float(value)
    return {key: np.array([found[seed] for seed in sorted(found)]) for key, found in values.items()}


def interval(values):
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / math.sqrt(len(values))
    return np.mean(values) - half, np.mean(values) + half


def lower_bound(theirs, ours):
    """The lower end of the 95 % interval of mean(theirs) - mean(ours)."""
    return stats.ttest_ind(theirs, ours, equal_var=False).confidence_interval(0.95).low


def quality(arguments):
    command = [arguments.quality, str(arguments.seeds), str(arguments.trials)]
    ours = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    ours = by_study(line.split(",") for line in ours.splitlines())
    if arguments.optuna and Path(arguments.optuna).exists():
        rows = json.loads(Path(arguments.optuna).read_text())
    else:
        jobs = [(name, sampler, seed, arguments.trials) for name in FUNCTIONS for sampler in SAMPLERS for seed in range(arguments.seeds)]
        with multiprocessing.Pool() as pool:
            rows = pool.map(best, jobs, chunksize=4)
        if arguments.optuna:
            Path(arguments.optuna).write_text(json.dumps(rows))
    theirs = by_study(rows)
    print(f"Mean of the best of {arguments.trials} trials, {arguments.seeds} seeds; optuna {optuna.__version__}.\n")
    print("| function | ours | Optuna, multivariate | Optuna, default | random | random - ours | lower bound of Optuna - ours, % of the range |")
    print("|---|---|---|---|---|---|---|")
    found, close = 0, 0
    for name in FUNCTIONS:
        tpe, random = ours[name, "tpe"], ours[name, "random"]
        low, high = interval(random - tpe)
        found += low > 0
        bounds = [lower_bound(theirs[name, sampler], tpe) / range_of(name) * 100 for sampler in ("multivariate", "default")]
        close += min(bounds) > -2
        means = [np.mean(values) for values in (tpe, theirs[name, "multivariate"], theirs[name, "default"], random)]
        print(f"| {name} | " + " | ".join(f"{mean:.4g}" for mean in means) + f" | {low:.3g} to {high:.3g} | {bounds[0]:.2f}, {bounds[1]:.2f} |")
    print(f"\nBetter than random, the interval above 0: {found} of {len(FUNCTIONS)}. Within 2 % of the range of both of Optuna's: {close} of {len(FUNCTIONS)}.")
    return found * 3 >= len(FUNCTIONS) * 2 and close == len(FUNCTIONS)


def speed(arguments):
    lines = subprocess.run([arguments.quality, "--speed", "1000"], check=True, capture_output=True, text=True).stdout
    ours = dict(line.split(",") for line in lines.splitlines())
    is_fast = True
    for name, ours_ms in ours.items():
        for sampler in ("multivariate", "default"):
            study = optuna.create_study(sampler=SAMPLERS["random"](0))
            study.optimize(objective_of(name), n_trials=900)
            study.sampler = SAMPLERS[sampler](0)
            start = time.perf_counter()
            study.optimize(objective_of(name), n_trials=100)
            theirs_ms = (time.perf_counter() - start) * 10
            is_fast &= float(ours_ms) < 5 and theirs_ms > 5 * float(ours_ms)
            print(f"{name}: ours {float(ours_ms):.2f} ms, Optuna {optuna.__version__} {sampler} {theirs_ms:.1f} ms, {theirs_ms / float(ours_ms):.1f} times")
    return is_fast


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quality", default=str(ROOT / "target/release/examples/quality"), help="the example's program")
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--optuna", help="file of Optuna's results")
    parser.add_argument("--speed", action="store_true")
    arguments = parser.parse_args()
    sys.exit(0 if (speed if arguments.speed else quality)(arguments) else 1)


if __name__ == "__main__":
    main()
