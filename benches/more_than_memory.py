#!/usr/bin/env python3
"""More images than memory: an epoch under a limit of 2 GB against one with all images in memory, and the scan of as many files.

    cargo build --release && cargo build --release -p pupila-inspect --example distinct_pictures
    python benches/more_than_memory.py FOLDER [--count 100000] [--side 224] [--limit-gb 2]

Linux, root, cgroup v1 or v2. FOLDER is filled with pictures (about 3 GB) and a cache (15 GB). Of each run: images a second of training
(the epochs' median), the peak of the process's anonymous memory, and of all that the group was charged for, the scan's seconds. In turns: with all in memory,
under the limit with the system's page cache dropped. Beside it the disk's own speed: the packs once through, read with `dd`.
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PUPILA = ROOT / "target/release/pupila"


class Group:
    """A control group with a limit of memory, in bytes."""

    def __init__(self, limit):
        v2 = Path("/sys/fs/cgroup/cgroup.controllers").exists()
        self.folder = Path("/sys/fs/cgroup" if v2 else "/sys/fs/cgroup/memory") / f"pupila-{os.getpid()}"
        self.folder.mkdir()
        (self.folder / ("memory.max" if v2 else "memory.limit_in_bytes")).write_text(str(limit))
        self.peak_file = self.folder / ("memory.peak" if v2 else "memory.max_usage_in_bytes")

    def enter(self):
        (self.folder / "cgroup.procs").write_text(str(os.getpid()))

    def close(self):
        peak = int(self.peak_file.read_text()) if self.peak_file.exists() else 0
        self.folder.rmdir()
        return peak


def drop_caches():
    subprocess.run(["sync"], check=True)
    Path("/proc/sys/vm/drop_caches").write_text("3")


def run(words, environment, limit=None):
    """Runs `pupila`; its JSON, seconds, peak of RssAnon in MB, peak of the group in MB."""
    group = Group(limit) if limit else None
    start = time.perf_counter()
    process = subprocess.Popen([PUPILA, *words], env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               preexec_fn=group.enter if group else None, text=True)
    anonymous = 0
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/status") as status:
                anonymous = max([anonymous, *(int(line.split()[1]) for line in status if line.startswith("RssAnon"))])
        except (FileNotFoundError, ProcessLookupError):
            break
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            pass
    out, err = process.communicate()
    seconds = time.perf_counter() - start
    charged = group.close() if group else 0
    if process.returncode:
        raise SystemExit(err)
    return json.loads(out) if out.startswith("{") else {}, seconds, anonymous // 1024, charged >> 20


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--limit-gb", type=float, default=2)
    parser.add_argument("--repetitions", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--set", action="append", default=[], help="for the network, such as model.hidden=[16]")
    options = parser.parse_args()
    data, cache, runs = (options.folder / name for name in ("pictures", "cache", "runs"))
    if not data.exists():
        maker = ROOT / "target/release/examples/distinct_pictures"
        subprocess.run([maker, data, str(options.count), "2", str(options.side)], check=True)
    environment = {"PUPILA_CACHE_DIR": str(cache), "PUPILA_CACHE_GB": "40", "PUPILA_STATE_DIR": str(options.folder / "state")}
    limit = int(options.limit_gb * 1e9)

    def train(hold, epochs, limit=None):
        words = ["train", data, "--runs", runs, "--name", f"{hold}-{time.time_ns()}", "--json", "--epochs", str(epochs)]
        for setting in (f"input.size={options.side}", f"data.hold={hold}", *options.set):
            words += ["--set", setting]
        result, seconds, anonymous, charged = run(words, environment, limit)
        times = result["timing"]
        kinds = result.get("images")
        print(f"{hold}: {times['images_per_s']:.0f} images/s of training, {seconds:.0f} s in all (scan {times['scan_s']:.1f}, "
              f"decode {times['decode_s']:.1f}), anonymous {anonymous} MB, charged {charged} MB, {json.dumps(kinds)}", flush=True)
        return times["images_per_s"], anonymous

    if not cache.exists():
        print("with an empty cache, nothing in the system's page cache:", flush=True)
        drop_caches()
        train("cache", 1, limit)
    ratios, peaks = [], []
    for _ in range(options.repetitions):
        drop_caches()
        below, anonymous = train("cache", options.epochs, limit)
        above, _ = train("memory", options.epochs)
        ratios.append(below / above)
        peaks.append(anonymous)
    drop_caches()
    packs = [path for path in cache.rglob("*") if path.is_file() and path.stat().st_size > 1 << 20]
    size, start = sum(path.stat().st_size for path in packs), time.perf_counter()
    for path in packs:
        subprocess.run(["dd", f"if={path}", "of=/dev/null", "bs=1M"], check=True, stderr=subprocess.DEVNULL)
    speed = size / (time.perf_counter() - start)
    per_image = options.side**2 * 3
    print("the scan once more, warm:")
    train("memory", 1)
    print(f"under {options.limit_gb:g} GB / in memory: median {statistics.median(ratios):.2f} of {['%.2f' % ratio for ratio in ratios]}; "
          f"anonymous at most {max(peaks)} MB; dd reads the packs at {speed / 1e6:.0f} MB/s = {speed / per_image:.0f} images/s")


main()
