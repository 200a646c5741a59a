#!/usr/bin/env python3
"""Times training steps and forward passes of `pupila bench` and of PyTorch side by side, and prints a table.

    cargo build --release
    python benches/compare_steps.py > table.md          # needs torch and torchvision

For every workload PyTorch runs once in each of its ways (as it is, channels_last, channels_last with an allocator that
keeps its memory; with --compile also torch.compile), and the fastest is its best. Then pupila and that best way take
turns, a process each, for as many repetitions as asked. The ratio is taken within each repetition; the table has the median of
the ratios, their range, the medians of the times, and the peak memory of both processes.

Progress goes to stderr, the table to stdout.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEEP = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "1000000000000"}
MLP = ["--model", "mlp", "--set", "model.hidden=[512,256]"]
CNN = ["--model", "cnn", "--set", "model.filters=[32,64,128]", "--set", "model.batch_norm=true"]
CNN += ["--set", "model.hidden=[256]", "--set", "model.padding=zeros"]
RESNET = ["--model", "resnet18"]

# Name, options of pupila, model and activation of torch_step.py, batch, steps, forward alone, ways of PyTorch, wanted ratio.
WORKLOADS = [
    ("MLP 12288-512-256-10, batch 32", MLP, "mlp", 32, 40, False, "all", 1.4),
    ("MLP, batch 128", MLP, "mlp", 128, 30, False, "all", 1.3),
    ("MLP, batch 512", MLP, "mlp", 512, 15, False, "all", 1.2),
    ("CNN 32-64-128, batch 32", CNN, "cnn", 32, 25, False, "all", 1.4),
    ("CNN, batch 128, PyTorch's allocator as it is", CNN, "cnn", 128, 10, False, "plain", 2.0),
    ("CNN, batch 128, PyTorch's allocator keeps its memory", CNN, "cnn", 128, 10, False, "keep", 1.4),
    ("ResNet-18, batch 32", RESNET, "resnet18", 32, 12, False, "all", 1.1),
    ("MLP, inference, batch 1", MLP, "mlp", 1, 300, True, "all", 2.0),
    ("CNN, inference, batch 1", CNN, "cnn", 1, 300, True, "all", 2.0),
]
WORKLOADS += [
    (f"CNN with {activation}, batch 32", CNN + ["--set", f"model.activation={activation}"], f"cnn {activation}", 32, 20,
     False, "all", "")
    for activation in ("gelu", "silu", "tanh", "sigmoid")
]
# Fine-tuning as people do it, all layers learning, and the pass that makes features. The third word is the size.
LITE = ["--model", "efficientnet_lite0", "--size", "224"]
WORKLOADS += [
    ("EfficientNet-Lite0 at 224 px, batch 16", LITE, "efficientnet_lite0 relu 224", 16, 6, False, "all", 1.0),
    ("EfficientNet-Lite0 at 224 px, inference, batch 16", LITE, "efficientnet_lite0 relu 224", 16, 12, True, "all", ""),
]
WAYS = {"plain": ([], {}), "channels_last": (["--channels-last"], {}), "keep": (["--channels-last"], KEEP)}


def run(command, extra):
    environment = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    done = subprocess.run(command, env={**environment, **extra}, stdout=subprocess.PIPE, check=True, cwd=ROOT,
                          stderr=subprocess.DEVNULL)
    return json.loads(done.stdout)


def pupila(binary, options, batch, steps, forward, threads):
    command = [binary, "bench", *options, "--batch", str(batch), "--steps", str(steps), "--threads", str(threads), "--json"]
    result = run(command, {})
    key = "forward_ms_median" if forward else "step_ms_median"
    return {"ms": result[key], "rss": result["peak_rss_bytes"], "parameters": result["parameters"]}


def torch(model, batch, steps, forward, threads, way, compiled):
    options, environment = WAYS[way]
    model, activation, size = (model.split() + ["relu", "64"][len(model.split()) - 1 :])[:3]
    command = [sys.executable, str(ROOT / "benches/torch_step.py"), "--model", model, "--activation", activation]
    command += ["--batch", str(batch), "--size", size]
    command += ["--steps", str(steps), "--threads", str(threads), *options]
    command += (["--forward"] if forward else []) + (["--compile"] if compiled else [])
    result = run(command, environment)
    return {"ms": result["ms_median"], "rss": result["peak_rss_bytes"], "parameters": result["parameters"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pupila", default=str(ROOT / "target/release/pupila"))
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--compile", action="store_true", help="try torch.compile too")
    parser.add_argument("--only", default="", help="only workloads whose name contains this")
    arguments = parser.parse_args()
    threads = arguments.threads
    print(f"{platform.machine()}, {os.cpu_count()} processors, {threads} threads, {arguments.repetitions} repetitions\n")
    print("| workload | pupila ms | PyTorch ms | its best way | PyTorch / pupila | range | wanted | memory, MB |")
    print("|---|---|---|---|---|---|---|---|")
    for name, options, model, batch, steps, forward, allowed, wanted in WORKLOADS:
        if arguments.only not in name:
            continue
        ways = {"all": list(WAYS), "plain": ["plain", "channels_last"], "keep": ["keep"]}[allowed]
        ways = [(way, compiled) for way in ways for compiled in ([False, True] if arguments.compile else [False])]
        first = {way: torch(model, batch, steps, forward, threads, *way)["ms"] for way in ways}
        best = min(first, key=first.get)
        print(name, {str(way): round(ms, 2) for way, ms in first.items()}, file=sys.stderr)
        ours, theirs = [], []
        for _ in range(arguments.repetitions):
            ours.append(pupila(arguments.pupila, options, batch, steps, forward, threads))
            theirs.append(torch(model, batch, steps, forward, threads, *best))
        if ours[0]["parameters"] != theirs[0]["parameters"]:
            sys.exit(f"{name}: {ours[0]['parameters']} parameters, PyTorch has {theirs[0]['parameters']}: not one network")
        ratios = [b["ms"] / a["ms"] for a, b in zip(ours, theirs)]
        median = lambda key, runs: statistics.median(run[key] for run in runs)
        way = best[0] + (", compiled" if best[1] else "")
        memory = f"{median('rss', ours) / 1e6:.0f} : {median('rss', theirs) / 1e6:.0f}"
        print(f"| {name} | {median('ms', ours):.2f} | {median('ms', theirs):.2f} | {way} | **{statistics.median(ratios):.2f}** "
              f"| {min(ratios):.2f}–{max(ratios):.2f} | {wanted} | {memory} |", flush=True)


if __name__ == "__main__":
    main()
