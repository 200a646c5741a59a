"""How long `pupila inspect` takes beside CleanVision on a folder of images, whole processes, in turns, files read before.

    python benches/compare_inspect.py FOLDER [--repetitions 3]

CleanVision (cleanvision 0.3.7) looks for light, dark, odd sizes and aspects, low information, blur, gray, exact and near duplicates; `inspect` does that and more.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PUPILA = Path(__file__).parent.parent / "target/release/pupila"
CLEANVISION = """
import sys
from cleanvision import Imagelab
lab = Imagelab(data_path=sys.argv[1])
lab.find_issues(n_jobs=int(sys.argv[2]), verbose=False)
print(lab.issue_summary.to_json())
"""


def timed(command, **more):
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--cleanvision", default=sys.executable, help="a Python with cleanvision")
    options = parser.parse_args()
    threads = str(os.cpu_count())
    times = {"cold": [], "warm": [], "cleanvision": []}
    for path in Path(options.folder).rglob("*"):
        if path.is_file():
            path.read_bytes()
    for _ in range(options.repetitions):
        with tempfile.TemporaryDirectory() as folder:
            command = [PUPILA, "inspect", options.folder, "--threads", threads, "--out", f"{folder}/page.html"]
            environment = os.environ | {"PUPILA_CACHE_DIR": f"{folder}/cache"}
            times["cold"].append(timed(command, env=environment))
            times["warm"].append(timed(command, env=environment))
        times["cleanvision"].append(timed([options.cleanvision, "-c", CLEANVISION, options.folder, threads]))
    medians = {name: statistics.median(of) for name, of in times.items()}
    ratios = [cv / cold for cv, cold in zip(times["cleanvision"], times["cold"])]
    print(json.dumps({"seconds": times, "median": medians, "cleanvision_over_cold": statistics.median(ratios)}))


if __name__ == "__main__":
    main()
