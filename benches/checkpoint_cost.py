#!/usr/bin/env python3
"""What checkpoints cost: the same training with and without them, in turns, and how long the loop waited for each.

    cargo build --release
    python benches/checkpoint_cost.py DATA [options of pupila train]

A pause is the copy of the state at the boundary of a step, as the program itself measures it (its debug log). The longest is compared with the
step, of which one is the bound. Checkpoints are written every `--minutes`, much more often than by default, so that a short run has many;
the cost of one, out of the medians of the paired runs, over the default interval of ten minutes is the price. The bound is 1 %. Both the
wall time and the processor time are told: what the thread writes beside the loop is in the second alone. For a quiet machine: ratios of single
runs scatter by more than the price. Nothing but Python's standard library is needed.
"""

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
INTERVAL_S = 600.0
WAITED = re.compile(r"training waited ([0-9.]+) ms for a checkpoint")


def run(pupila, options, runs, name, setting):
    command = [pupila, "train", *options, "--runs", runs, "--name", name, "--json", *setting]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = dict(os.environ, PUPILA_LOG="pupila=debug")
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    summary = json.loads(done.stdout)
    steps = sum(1 for line in (Path(runs) / name / "metrics.jsonl").open() if '"event":"scalars"' in line)
    last = [json.loads(line) for line in (Path(runs) / name / "metrics.jsonl").open() if '"event":"scalars"' in line][-1]
    return {
        "wall_s": summary["timing"]["total_s"],
        "processor_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "step_ms": 1e3 * summary["timing"]["epoch_train_s"] * steps / last["step"],
        "pauses_ms": [float(wait) for wait in WAITED.findall(done.stderr)],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pupila", default=str(ROOT / "target/release/pupila"))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=0.05)
    arguments, options = parser.parse_known_args()
    settings = {True: ["--set", f"checkpoint.minutes={arguments.minutes}"], False: ["--set", "checkpoint.keep=0"]}
    costs, pauses, steps = {"wall_s": [], "processor_s": []}, [], []
    with tempfile.TemporaryDirectory() as runs:
        run(arguments.pupila, options, runs, "warm", settings[False])
        for repetition in range(arguments.repetitions):
            order = [False, True] if repetition % 2 else [True, False]
            found = {on: run(arguments.pupila, options, runs, f"{repetition}-{on}", settings[on]) for on in order}
            print(repetition, found, file=sys.stderr, flush=True)
            count = len(found[True]["pauses_ms"])
            if count == 0:
                sys.exit("no checkpoint was written: more --epochs, or fewer --minutes")
            for key, values in costs.items():
                values.append((found[True][key] - found[False][key]) / count)
            pauses += found[True]["pauses_ms"]
            steps.append(found[False]["step_ms"])
    for key, values in costs.items():
        each = statistics.median(values)
        print(f"{key} of one checkpoint: {1e3 * each:.1f} ms, {100 * each / INTERVAL_S:.4f} % of the default interval")
    step = statistics.median(steps)
    print(f"longest pause: {max(pauses):.2f} ms of {len(pauses)} (median {statistics.median(pauses):.2f}); a step takes {step:.2f} ms")


if __name__ == "__main__":
    main()
