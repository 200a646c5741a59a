#!/usr/bin/env python3
"""Times a trial at 1,000 trials on a storage of Optuna's, ours against Optuna's own worker, in turns.

    cargo build --release -p pupila-search --features sqlite --example storage_worker
    python benches/compare_storage.py [--repetitions 3]          (optuna)

Both work on a study of four parameters (two floats, an integer, a choice) by their TPE, report two values of a trial, set an attribute and
finish it: on a journal file and on SQLite, in a folder of its own on one disk. Measured are the trials from 900 to 1,000, our process's
start and its reading of the 900 taken off. Both write through to the disk whenever they do by default. Beside them stands the disk by
itself: as many appends, each behind the lock of Optuna's protocol and brought to the disk, as our journal makes for a trial.
"""

import argparse
import math
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import optuna
from optuna.storages import JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

ROOT = Path(__file__).resolve().parent.parent
FIRST, ALL = 900, 1000


def ours(worker, address):
    def until(count):
        start = time.perf_counter()
        subprocess.run([worker, address, "study", str(count)], check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - start

    until(FIRST)
    nothing = until(FIRST)
    return (until(ALL) - nothing) / (ALL - FIRST) * 1e3


def disk(path, appends=5):
    """Milliseconds of a trial's appends alone: our journal has five, of its start, its parameters, two reports, and its end."""
    lock = path.with_suffix(".lock")
    start = time.perf_counter()
    for _ in range((ALL - FIRST) * appends):
        os.symlink(path, lock)
        with open(path, "ab", buffering=0) as file:
            file.write(b"x" * 250 + b"\n")
            os.fsync(file)
        os.unlink(lock)
    return (time.perf_counter() - start) / (ALL - FIRST) * 1e3


def objective(trial):
    x, lr = trial.suggest_float("x", -5, 5), trial.suggest_float("lr", 1e-4, 1, log=True)
    trial.suggest_int("n", 1, 5)
    kind = trial.suggest_categorical("kind", ["a", "b", 3])
    value = (x - 1) ** 2 + abs(math.log(lr)) + ["a", "b", 3].index(kind)
    for step in range(2):
        trial.report(value / (step + 1), step)
    trial.set_user_attr("worker", 1)
    return value


def theirs(storage, multivariate):
    study = optuna.create_study(storage=storage, study_name="study", sampler=optuna.samplers.RandomSampler(0))
    study.optimize(objective, n_trials=FIRST)
    study.sampler = optuna.samplers.TPESampler(seed=0, multivariate=multivariate, group=multivariate)
    start = time.perf_counter()
    study.optimize(objective, n_trials=ALL - FIRST)
    return (time.perf_counter() - start) / (ALL - FIRST) * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worker", default=str(ROOT / "target/release/examples/storage_worker"))
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for name in ("journal", "SQLite"):
        times = {"ours": [], "default": [], "multivariate": [], "disk": []}
        for _ in range(options.repetitions):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder)
                address = str(path / "ours.log") if name == "journal" else f"sqlite:///{path / 'ours.db'}"
                times["ours"].append(ours(options.worker, address))
                times["disk"].append(disk(path / "disk.log"))
                for sampler in ("default", "multivariate"):
                    if name == "journal":
                        storage = JournalStorage(JournalFileBackend(str(path / f"{sampler}.log")))
                    else:
                        storage = RDBStorage(f"sqlite:///{path / sampler}.db")
                    times[sampler].append(theirs(storage, sampler == "multivariate"))
        median = {who: statistics.median(of) for who, of in times.items()}
        print(f"{name}: ours {median['ours']:.2f} ms, Optuna {optuna.__version__} default {median['default']:.1f} ms "
              f"({median['default'] / median['ours']:.1f} times), multivariate {median['multivariate']:.1f} ms "
              f"({median['multivariate'] / median['ours']:.1f} times); the disk alone {median['disk']:.2f} ms", flush=True)


main()
