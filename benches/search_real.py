#!/usr/bin/env python3
"""Whether TPE finds better recipes than random search on real images: both search the same space, with many seeds.

    apt-get install dataset-fashion-mnist
    cargo build --release
    python benches/search_real.py [--seeds 20] [--trials 100]

Data: the first 1,000 training images of Fashion-MNIST, half of them to learn from and half to judge on, at 14 px; five epochs of a small
perceptron, 0.1 s a trial. A seed is that of the choices and of the training. Told is the lowest val/loss after so many trials, and the paired
difference over seeds with a 95 % interval by Student's t, which is to lie below 0. Needs nothing but Python's standard library.
"""

import argparse
import csv
import gzip
import math
import os
import statistics
import struct
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DATA = Path("/usr/share/datasets/fashion-mnist")
IMAGES = 1000
SPACE = """
[space]
"optimizer.lr" = { float = [1e-4, 1e-1], log = true }
"optimizer.weight_decay" = { float = [1e-6, 1e-1], log = true }
"model.dropout" = { float = [0.0, 0.6] }
"model.hidden" = { categorical = [[8], [32], [32, 16]] }
"train.batch" = { categorical = [16, 64, 256] }
"""
RECIPE = ["--size", "14", "--epochs", "5", "--set", "data.val_frac=0.5", "--set", "tracking.report=false", "--set", "tracking.tensorboard=false"]
# Two-sided 95 % quantiles of Student's t, by degrees of freedom.
STUDENT = {4: 2.776, 9: 2.262, 14: 2.145, 19: 2.093, 29: 2.045, 39: 2.023}


def subset(folder):
    """The first images in the form that they have: four numbers of four bytes, or two, then the bytes."""
    for name, head, size in [("train-images-idx3-ubyte", 16, 784), ("train-labels-idx1-ubyte", 8, 1)]:
        with gzip.open(DATA / f"{name}.gz") as file:
            whole = file.read(head + IMAGES * size)
        (folder / name).write_bytes(whole[:4] + struct.pack(">I", IMAGES) + whole[8:])


def best_so_far(table):
    """The lowest value up to each trial."""
    best, course = math.inf, []
    with open(table, newline="") as file:
        for row in csv.DictReader(file):
            best = min(best, float(row["value"])) if row["value"] else best
            course.append(best)
    return course


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pupila", default=str(ROOT / "target/release/pupila"))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--trials", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        data, space = folder / "fashion", folder / "space.toml"
        data.mkdir()
        subset(data)
        space.write_text(SPACE)
        environment = os.environ | {"PUPILA_CACHE_DIR": str(folder / "cache"), "PUPILA_STATE_DIR": str(folder / "state")}

        def search(sampler, seed):
            name = f"{sampler}-{seed}"
            command = [arguments.pupila, "search", data, "--space", space, "--runs", folder, "--name", name, "--trials", arguments.trials]
            command += ["--seeds", 0, "--pruner", "none", "--sampler", sampler, "--seed", seed, "--threads", 1, *RECIPE, "--set", f"train.seed={seed}"]
            subprocess.run([*map(str, command)], check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            course = best_so_far(folder / name / "trials.csv")
            subprocess.run(["rm", "-r", folder / name], check=True)
            return course

        courses = {}
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = {(sampler, seed): pool.submit(search, sampler, seed) for seed in range(arguments.seeds) for sampler in ["tpe", "random"]}
            for key, job in jobs.items():
                courses[key] = job.result()
    print("| trials | TPE | random | difference (95 %) | TPE lower, seeds |\n|---|---|---|---|---|")
    for trials in [n for n in [10, 25, 50, 100] if n <= arguments.trials]:
        best = {sampler: [courses[sampler, seed][trials - 1] for seed in range(arguments.seeds)] for sampler in ["tpe", "random"]}
        differences = [a - b for a, b in zip(best["tpe"], best["random"], strict=True)]
        half = STUDENT.get(arguments.seeds - 1, 2.0) * statistics.stdev(differences) / math.sqrt(arguments.seeds)
        mean = statistics.mean(differences)
        wins = sum(difference < 0 for difference in differences)
        means = [statistics.mean(best[sampler]) for sampler in ["tpe", "random"]]
        print(f"| {trials} | {means[0]:.4f} | {means[1]:.4f} | {mean:+.4f} ({mean - half:+.4f} to {mean + half:+.4f}) | {wins} of {arguments.seeds} |")


if __name__ == "__main__":
    main()
