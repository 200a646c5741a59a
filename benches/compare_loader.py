#!/usr/bin/env python3
"""Times batches of photographs at 224 px against PyTorch's DataLoader with torchvision v2, in turns.

    cargo build --release -p pupila-train --example loading_photographs
    python benches/compare_loader.py DATA [--repetitions 3]       (torch, torchvision, pillow)

Both make batches of 32 of a folder with class folders, on two processors: random_resized_crop to 224 (bilinear, antialiased in
torchvision), horizontal_flip, normalisation. From JPEG each time, and from pictures that are kept with 256 pixels on the shorter
side (here in memory, there as tensors). PyTorch has its best number of workers of 0, 1, 2, 3.
"""

import argparse
import json
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORKERS = (0, 1, 2, 3)


def theirs(data, kept, workers, torch, datasets, transforms):
    normalize = [transforms.ToDtype(torch.float32, scale=True),
                 transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]
    crop = [transforms.RandomResizedCrop(224, antialias=True), transforms.RandomHorizontalFlip()]
    if kept is None:
        images = datasets.ImageFolder(data, transforms.Compose([transforms.PILToTensor(), *crop, *normalize]))
    else:
        vary = transforms.Compose([*crop, *normalize])

        class Kept(torch.utils.data.Dataset):
            def __len__(self):
                return len(kept)

            def __getitem__(self, at):
                return vary(kept[at][0]), kept[at][1]

        images = Kept()
    loader = torch.utils.data.DataLoader(images, 32, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    rates = []
    for _ in range(3):
        start = time.perf_counter()
        for _batch in loader:
            pass
        rates.append(len(images) / (time.perf_counter() - start))
    return statistics.median(rates)


def ours(program, data, hold, keep):
    done = subprocess.run([program, data, hold, "2", keep], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)["images_per_s"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--program", default=str(ROOT / "target/release/examples/loading_photographs"))
    parser.add_argument("--repetitions", type=int, default=3)
    options = parser.parse_args()
    import torch
    from torchvision import datasets
    from torchvision.transforms import v2 as transforms

    shrink = transforms.Compose([transforms.PILToTensor(), transforms.Resize(256, antialias=True)])
    pictures = datasets.ImageFolder(options.data)
    kept = [(shrink(picture.convert("RGB")), label) for picture, label in pictures]
    for name, hold, keep, held in [("from JPEG each time", "files", "whole", None), ("from kept images", "memory", "256", kept)]:
        ratios = []
        for _ in range(options.repetitions):
            mine = ours(options.program, options.data, hold, keep)
            of = {workers: theirs(options.data, held, workers, torch, datasets, transforms) for workers in WORKERS}
            best = max(of, key=of.get)
            ratios.append(mine / of[best])
            print(f"{name}: {mine:.0f} images/s, PyTorch {of[best]:.0f} with {best} workers, ratio {ratios[-1]:.2f}", flush=True)
        print(f"{name}: median ratio {statistics.median(ratios):.2f}", flush=True)


main()
