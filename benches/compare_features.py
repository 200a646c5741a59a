#!/usr/bin/env python3
"""Times the pass that makes features of EfficientNet-Lite0 at 224 px, ours against ONNX Runtime, in turns.

    cargo build --release
    python benches/compare_features.py          (torch, timm, onnx, onnxscript, onnxruntime)

ONNX Runtime runs timm's network without its classifier, exported with constants folded, at its highest level of optimisation and as many
threads. Ours is the forward pass of `pupila bench` with the classifier, a thousandth of the work. The ratio is taken within each repetition;
more than 1 means that ours is faster.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SIZE = 224


def onnx(path, batch, steps, threads):
    """In a process of its own: milliseconds of a pass."""
    import numpy
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    images = numpy.random.default_rng(0).standard_normal((batch, 3, SIZE, SIZE), dtype=numpy.float32)
    name = session.get_inputs()[0].name
    times = []
    for step in range(steps + 3):
        start = time.perf_counter()
        session.run(None, {name: images})
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times[3:])


def export(path, batch):
    import timm
    import torch

    model = timm.create_model("tf_efficientnet_lite0", num_classes=0).eval()
    torch.onnx.export(model, (torch.zeros(batch, 3, SIZE, SIZE),), path, dynamo=True, external_data=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pupila", default=str(ROOT / "target/release/pupila"))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--onnx", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    batch, steps, threads = arguments.batch, arguments.steps, arguments.threads
    if arguments.onnx:
        print(onnx(arguments.onnx, batch, steps, threads))
        return
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "lite0.onnx")
        export(path, batch)
        numbers = ["--batch", str(batch), "--steps", str(steps), "--threads", str(threads)]
        for _ in range(arguments.repetitions):
            command = [arguments.pupila, "bench", "--model", "efficientnet_lite0", "--size", str(SIZE), *numbers, "--json"]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            ours.append(json.loads(done.stdout)["forward_ms_median"])
            command = [sys.executable, __file__, "--onnx", path, *numbers]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            theirs.append(float(done.stdout))
    ratios = [b / a for a, b in zip(ours, theirs)]
    print(f"Lite0 at {SIZE} px, batch {batch}, {threads} threads: ours {statistics.median(ours):.1f} ms, ONNX Runtime "
          f"{statistics.median(theirs):.1f} ms, speed of ours {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) of its")


if __name__ == "__main__":
    main()
