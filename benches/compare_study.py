#!/usr/bin/env python3
"""Times `pupila study` against the same runs by `pupila train`, one after the other, in turns.

    cargo build --release
    python benches/compare_study.py DATA [--study NAME_OR_FILE] [options of both programs]

Both begin with a filled cache, train the same recipes with the same seeds, and leave the same run folders (the study keeps all models here). A
repetition runs both, in changing order; the ratio is taken within it. The runs' model files are compared byte by byte.
With --limit a third way is timed: the same runs by as many processes at once as there are cores, of one thread each, which share nothing. That is
what side by side can give on the machine.
Needs nothing but Python's standard library.
"""

import argparse
import filecmp
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def timed(command):
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--study", default="regularization")
    parser.add_argument("--pupila", default=str(ROOT / "target/release/pupila"))
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--limit", action="store_true")
    arguments, options = parser.parse_known_args()
    ratios, limits = [], []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)

        def study(name):
            # An answer needs every run; the recipes are in their folders.
            return [arguments.pupila, "study", arguments.study, arguments.data, "--runs", folder, "--name", name, "--keep", "all", *options]

        timed(study("recipes"))
        recipes = {run.parent.name: run for run in sorted(folder.glob("recipes/*/recipe.toml"))}
        for repetition in range(arguments.repetitions):
            name, times = f"study-{repetition}", {}
            ways = ["trains", "study"] + ["limit"] * arguments.limit
            for way in ways[::-1] if repetition % 2 else ways:
                if way == "study":
                    times[way] = timed(study(name))
                else:
                    workers, threads = (os.cpu_count(), ["--threads", "1"]) if way == "limit" else (1, [])

                    def train(run):
                        timed([arguments.pupila, "train", arguments.data, "--recipe", recipes[run], "--runs",
                               folder / f"{way}-{repetition}", "--name", run, *threads])

                    start = time.perf_counter()
                    with ThreadPoolExecutor(workers) as pool:
                        list(pool.map(train, recipes))
                    times[way] = time.perf_counter() - start
            for run in recipes:
                models = [folder / place / run / "best.safetensors" for place in (name, f"trains-{repetition}")]
                if not filecmp.cmp(*models, shallow=False):
                    sys.exit(f"{run}: the models differ")
            ratios.append(times["trains"] / times["study"])
            limits.append(times["trains"] / times.get("limit", times["trains"]))
            told = ", ".join(f"{way} {seconds:.1f} s" for way, seconds in sorted(times.items()))
            print(f"{len(recipes)} runs: {told}", file=sys.stderr, flush=True)
            subprocess.run(["rm", "-rf", folder / name, *(folder / f"{way}-{repetition}" for way in ways)], check=True)

    def spread(values):
        return {"ratio": round(statistics.median(values), 3), "from": round(min(values), 3), "to": round(max(values), 3)}

    print(json.dumps(spread(ratios) | ({"limit": spread(limits)} if arguments.limit else {})))


if __name__ == "__main__":
    main()
