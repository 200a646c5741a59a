#!/usr/bin/env python3
"""What tracking costs: the same training with everything on at the default rates and with nothing, in turns.

    cargo build --release
    python benches/tracking_cost.py DATA [options of pupila train]

The two runs of a repetition are processes of their own, in changing order. Compared are the processor time of the whole process, which
holds whatever tracking does on any thread, the wall time of the run, and the median time of an epoch's training. Processor time is the least
noisy of the three. Nothing but Python's standard library is needed.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def run(pupila, options, runs, name, off):
    command = [pupila, "train", *options, "--runs", runs, "--name", name, "--json", *(["--no-tensorboard"] if off else [])]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    timing = json.loads(done.stdout)["timing"]
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"processor_s": processor, "total_s": timing["total_s"], "epoch_train_s": timing["epoch_train_s"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pupila", default=str(ROOT / "target/release/pupila"))
    parser.add_argument("--repetitions", type=int, default=7)
    arguments, options = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as runs:
        run(arguments.pupila, options, runs, "warm", True)
        ratios = {}
        for repetition in range(arguments.repetitions):
            order = [False, True] if repetition % 2 else [True, False]
            found = {off: run(arguments.pupila, options, runs, f"{repetition}-{off}", off) for off in order}
            print(repetition, found, file=sys.stderr, flush=True)
            for key, value in found[False].items():
                ratios.setdefault(key, []).append(value / found[True][key])
        for key, values in ratios.items():
            print(f"{key}: {statistics.median(values):.3f} ({min(values):.3f} to {max(values):.3f})")


if __name__ == "__main__":
    main()
