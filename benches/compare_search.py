#!/usr/bin/env python3
"""Compares Pupila's samplers with Optuna's: how good the best of 100 trials is, and how long a suggestion takes.

    cargo build --release -p pupila-search --example quality
    python benches/compare_search.py [--seeds 20] [--trials 100] [--optuna FILE] [--speed]

Quality: the functions of crates/search/examples/quality, which parity/search/functions.py has again, 20 seeds each. Optuna runs its default TPE, its
multivariate one (with groups, as ours) and its random sampler. Differences are of the best values, and a value's range is from 0, the lowest, to
the highest on the domain. Intervals are 95 %, by Student's t: TPE against our own random draws is paired by seed, the two programs share no draws
and are compared by Welch's test. --optuna keeps Optuna's results in a file and reads them again, since they take some minutes.
Speed: milliseconds for a trial, mean over the last tenth of 1,000 trials, in memory, one thread each.
Needs optuna, numpy and scipy.
"""

import argparse
import json
import math
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import optuna
from scipy import stats

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "parity" / "search"))

from functions import FUNCTIONS, SAMPLERS, all_best, objective_of, range_of


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
        rows = all_best(arguments.seeds, arguments.trials)
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
