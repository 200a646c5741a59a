"""Decoding and shrinking photographs on one thread, ours against Pillow and OpenCV.

    cargo build --release -p pupila-image --example speed
    python benches/compare_decode.py DATA

Both decode every JPEG file below DATA to RGB and bring it to 64 x 64 by area, ROUNDS times in turns; the ratio is taken within
each round, and the median counts.
"""

import io
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/examples/speed"
ROUNDS = 5
FILES = 60


def milliseconds(line):
    return float(line.split(":")[1].split()[0])


def ours(files):
    lines = subprocess.run([PROGRAM, *files], check=True, capture_output=True, text=True).stdout.splitlines()
    return milliseconds(lines[0]) + milliseconds(lines[1]), milliseconds(lines[2])


def theirs(contents):
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        for content in contents:
            image = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
            cv2.resize(image, (64, 64), interpolation=cv2.INTER_AREA)
        best = min(best, time.perf_counter() - start)
    return best / len(contents) * 1e3


def main():
    cv2.setNumThreads(1)
    files = sorted(Path(sys.argv[1]).rglob("*.jpg"))
    files = files[:: max(1, len(files) // FILES)]
    contents = [file.read_bytes() for file in files]
    rounds = [(ours(files), theirs(contents)) for _ in range(ROUNDS)]
    print(f"{len(files)} files, Pillow and OpenCV {statistics.median(other for _, other in rounds):.2f} ms")
    for way, name in enumerate(["full", "scaled"]):
        own = statistics.median(own[way] for own, _ in rounds)
        ratio = statistics.median(other / own[way] for own, other in rounds)
        print(f'input.decode = "{name}": {own:.2f} ms, {ratio:.2f} times')


if __name__ == "__main__":
    main()
