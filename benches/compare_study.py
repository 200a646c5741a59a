#!/usr/bin/env python3
"""Times `pupila study` against the same runs by `pupila train`, one after the other, in turns.

    cargo build --release
    python benches/compare_study.py DATA [--study NAME_OR_FILE] [options of both programs]

Both begin with a filled cache, train the same recipes with the same seeds, and leave the same run folders (the study keeps all models here). A
repetition runs both, in changing order; the ratio is taken within it. The runs' model files are compared byte by byte.
Needs nothing but Python's standard library.
"""

import argparse
import filecmp
import json
import statistics
import subprocess
import sys
import tempfile
import time
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
    arguments, options = parser.parse_known_args()
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)

        def study(name):
            # An answer needs every run; the recipes are in their folders.
            return [arguments.pupila, "study", arguments.study, arguments.data, "--runs", folder, "--name", name, "--keep", "all", *options]

        timed(study("recipes"))
        recipes = {run.parent.name: run for run in sorted(folder.glob("recipes/*/recipe.toml"))}
        for repetition in range(arguments.repetitions):
            name, times = f"study-{repetition}", {}
            for way in ("study", "trains") if repetition % 2 else ("trains", "study"):
                if way == "study":
                    times[way] = timed(study(name))
                else:
                    start = time.perf_counter()
                    for run, recipe in recipes.items():
                        timed([arguments.pupila, "train", arguments.data, "--recipe", recipe, "--runs", folder / f"trains-{repetition}",
                               "--name", run])
                    times[way] = time.perf_counter() - start
            for run in recipes:
                models = [folder / place / run / "best.safetensors" for place in (name, f"trains-{repetition}")]
                if not filecmp.cmp(*models, shallow=False):
                    sys.exit(f"{run}: the models differ")
            ratios.append(times["trains"] / times["study"])
            print(f"{len(recipes)} runs: {times['trains']:.1f} s one after the other, {times['study']:.1f} s as a study", file=sys.stderr, flush=True)
            subprocess.run(["rm", "-rf", folder / name, folder / f"trains-{repetition}"], check=True)
    print(json.dumps({"ratio": round(statistics.median(ratios), 3), "from": round(min(ratios), 3), "to": round(max(ratios), 3)}))


if __name__ == "__main__":
    main()
