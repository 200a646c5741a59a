#!/usr/bin/env python3
"""Times `pupila train` and a PyTorch program side by side, and prints the table of benches/RESULTS.md.

    cargo build --release
    python benches/compare_torch.py DATA --baseline torch_baseline.py > table.md

DATA has train/ and val/ with class folders. Both train the same multilayer perceptron for the same number of epochs on
64 px with the same augmentation. Each repetition runs, one after the other and never at once:

    pupila with an empty cache, the baseline tuned, pupila with the cache that its first run filled, the baseline as in
    the course

so that a machine that slows down or speeds up meanwhile meets all four. A ratio is taken within each repetition, and
the table shows the median of those ratios. Before that every program runs once unmeasured, which brings the images and
libraries into the page cache, and the tuned baseline runs with and without loader workers to find the faster of the two.

The baseline is a Python file of yours. It is called as

    python BASELINE --data DATA --mode course|tuned --model mlp --epochs N --seed S --logs FOLDER [--workers 2]

and prints one JSON object on stdout with ready_s (start to first step), epoch_train_s (median) and best_val_acc.

Time is that of the whole process, from its start to its end. Memory is the largest resident set of one process as the
kernel reports it at its end; loader workers are processes of their own, so theirs is not added.

Needs Linux, and whatever the baseline imports. Progress goes to stderr, the table to stdout.
"""

import argparse
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Settings of OpenBLAS that a machine's owner may have made. They are not what users run with.
UNSET = ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"]

COLD, WARM, TUNED, COURSE = "pupila, empty cache", "pupila, filled cache", "PyTorch, tuned", "PyTorch, course"
PROGRAMS = [COLD, TUNED, WARM, COURSE]

# Row of the table: key in a measurement, digits.
ROWS = [
    ("whole run, s", "wall_s", 2),
    ("start to first step, s", "startup_s", 2),
    ("training, one epoch, s", "epoch_train_s", 3),
    ("peak memory, MB", "peak_rss_mb", 0),
]


def measure(command, environment):
    """Runs a command to its end: seconds, peak memory in MB, and the JSON object that it prints."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        text, errors = out.read().decode(), err.read().decode(errors="replace")
    if process.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nended with {process.returncode}:\n{errors[-2000:]}")
    try:
        answer = json.loads(text)
    except json.JSONDecodeError as error:
        sys.exit(f"{' '.join(map(str, command))}\ndid not print one JSON object ({error}):\n{text[:500]}")
    # ru_maxrss counts KiB on Linux.
    return {"wall_s": wall_s, "peak_rss_mb": usage.ru_maxrss * 1024 / 1e6}, answer


def run_pupila(options, folder, cache):
    command = [options.pupila, "train", options.data, "--epochs", str(options.epochs), "--seed", str(options.seed)]
    command += ["--runs", str(folder / "runs"), "--json"]
    measured, summary = measure(command, {**os.environ, "PUPILA_CACHE_DIR": str(cache)})
    timing = summary["timing"]
    measured |= {key: timing[key] for key in ["startup_s", "epoch_train_s"]}
    # The largest of all epochs, as the baseline has it; the summary has that of the epoch with the least loss.
    events = map(json.loads, (Path(summary["run"]) / "metrics.jsonl").read_text().splitlines())
    accuracy = max(event["values"]["val/accuracy"] for event in events if event["event"] == "scalars")
    return measured | {"accuracy": accuracy, "parameters": summary["parameters"]}


def run_baseline(options, folder, mode, workers):
    environment = {key: value for key, value in os.environ.items() if key not in UNSET}
    environment |= {"NO_ALBUMENTATIONS_UPDATE": "1", "TMPDIR": str(folder)}
    command = [options.python, options.baseline, "--data", options.data, "--mode", mode, "--model", "mlp"]
    command += ["--epochs", str(options.epochs), "--seed", str(options.seed), "--logs", str(folder)]
    command += ["--workers", str(workers)] if workers else []
    measured, answer = measure(command, environment)
    measured |= {"startup_s": answer["ready_s"], "epoch_train_s": answer["epoch_train_s"]}
    return measured | {"accuracy": answer["best_val_acc"], "parameters": answer["parameters"]}


def repetition(options, workers):
    """All four programs once, in turn, each in a folder that is gone afterwards."""
    measured = {}
    with tempfile.TemporaryDirectory() as cache:
        for program in PROGRAMS:
            with tempfile.TemporaryDirectory() as folder:
                folder = Path(folder)
                if program in (COLD, WARM):
                    measured[program] = run_pupila(options, folder, cache)
                else:
                    mode = "tuned" if program == TUNED else "course"
                    measured[program] = run_baseline(options, folder, mode, workers if mode == "tuned" else 0)
            tell(f"  {program}: {measured[program]['wall_s']:.2f} s")
    return measured


def choose_workers(options):
    """The number of loader workers, none or two, with which the tuned baseline is faster."""
    walls = {}
    for workers in (0, 2, 0, 2):
        with tempfile.TemporaryDirectory() as folder:
            wall = run_baseline(options, Path(folder), "tuned", workers)["wall_s"]
        walls[workers] = min(wall, walls.get(workers, wall))
        tell(f"  {TUNED}, {workers} workers: {wall:.2f} s")
    return min(walls, key=walls.get)


def tell(text):
    print(text, file=sys.stderr, flush=True)


def output_of(command, **options):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, **options).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def commit():
    name = output_of(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT)
    changed = output_of(["git", "status", "--porcelain", "--untracked-files=no"], cwd=ROOT)
    return name + (" with changes" if changed else "")


def processor():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "unknown")


def span(values, digits):
    """Median, least and most."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def ratio(measured, key, baseline, pupila):
    """The median of the repetitions' own ratios."""
    pairs = [m[baseline][key] / m[pupila][key] for m in measured]
    return f"{statistics.median(pairs):.1f}× ({min(pairs):.1f}–{max(pairs):.1f})"


def table(options, measured, workers):
    columns = [COLD, WARM, TUNED, COURSE]
    ratios = [(TUNED, COLD), (TUNED, WARM), (COURSE, COLD), (COURSE, WARM)]
    versions = "import sys, torch; print(f'Python {sys.version.split()[0]}, PyTorch {torch.__version__}')"
    environment = {key: value for key, value in os.environ.items() if key not in UNSET}
    images = [sum(1 for path in (Path(options.data) / part).rglob("*") if path.is_file()) for part in ("train", "val")]
    yield f"| | {' | '.join(columns)} |"
    yield "|---" * (len(columns) + 1) + "|"
    for title, key, digits in ROWS:
        yield f"| {title} | " + " | ".join(span([m[c][key] for m in measured], digits) for c in columns) + " |"
    yield "| validation accuracy, best epoch | " + " | ".join(span([m[c]["accuracy"] for m in measured], 3) for c in columns) + " |"
    yield ""
    yield "| PyTorch / pupila | tuned / empty cache | tuned / filled cache | course / empty cache | course / filled cache |"
    yield "|---" * 5 + "|"
    for title, key, _ in ROWS:
        title = title.split(", ")[0] + (", one epoch" if "epoch" in title else "")
        yield f"| {title} | " + " | ".join(ratio(measured, key, *pair) for pair in ratios) + " |"
    yield ""
    yield f"Repetitions in turn: {len(measured)}; median (least–most); ratios within each repetition, then their median."
    yield f"{options.epochs} epochs on {images[0]} training and {images[1]} validation images, a multilayer perceptron of"
    yield f"{measured[0][COLD]['parameters']:,} parameters. The tuned baseline has {workers} loader workers, the faster of 0 and 2."
    yield "Accuracy: the largest of all epochs; the same seed in every repetition."
    yield "Start to first step: as each reports it; the baseline counts from its first line, pupila from its process's start."
    yield ""
    yield f"- {output_of([options.pupila, '--version'])}, commit {commit()}"
    yield f"- {output_of([options.python, '-c', versions], env=environment)}"
    yield f"- {processor()}, {len(os.sched_getaffinity(0))} cores, {platform.system()} {platform.machine()}"
    yield f"- {datetime.date.today().isoformat()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="DATA", help="folder with train/ and val/")
    parser.add_argument("--baseline", required=True, help="the PyTorch program")
    parser.add_argument("--pupila", default=str(ROOT / "target/release/pupila"), help="default: target/release/pupila")
    parser.add_argument("--python", default=sys.executable, help="the Python that runs the baseline; default: this one")
    parser.add_argument("--repetitions", type=int, default=5, metavar="N", help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=10, metavar="N", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: %(default)s")
    parser.add_argument("--raw", metavar="FILE.json", help="write every measurement here")
    options = parser.parse_args()
    if options.repetitions < 1:
        parser.error("--repetitions must be at least 1")
    for path in (options.data, options.baseline, options.pupila):
        if not Path(path).exists():
            parser.error(f"there is no {path}")

    tell("loader workers")
    workers = choose_workers(options)
    tell("unmeasured")
    repetition(options, workers)
    measured = []
    for number in range(options.repetitions):
        tell(f"repetition {number + 1} of {options.repetitions}")
        measured.append(repetition(options, workers))
    parameters = {m[program]["parameters"] for m in measured for program in PROGRAMS}
    if len(parameters) != 1:
        sys.exit(f"the programs do not train the same network: {sorted(parameters)} parameters")
    if options.raw:
        Path(options.raw).write_text(json.dumps(measured, indent=1) + "\n")
    print("\n".join(table(options, measured, workers)))


if __name__ == "__main__":
    main()
