#!/usr/bin/env python3
"""Times batches of photographs at 224 px against PyTorch's DataLoader with torchvision v2 or OpenCV + Albumentations, in turns.

    cargo build --release -p pupila-train --example loading_photographs
    python benches/compare_loader.py DATA [--repetitions 3]       (torch, torchvision, pillow, albumentations)

Both make batches of 32 of a folder with class folders, on two processors: random_resized_crop to 224 (bilinear, antialiased in
torchvision), horizontal_flip, normalisation. From JPEG each time, and from pictures that are kept with 256 pixels on the shorter
side (in memory, here and there). PyTorch has its best number of workers of 0, 1, 2, 3.
"""

import argparse
import json
import statistics
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WORKERS = (0, 1, 2, 3)


def of_torchvision(data, kept):
    """A dataset whose pictures torchvision v2 varies: files of Pillow, or tensors of 256 pixels on the shorter side."""
    import torch
    from torchvision import datasets
    from torchvision.transforms import v2 as transforms

    vary = transforms.Compose([
        transforms.RandomResizedCrop(224, antialias=True), transforms.RandomHorizontalFlip(),
        transforms.ToDtype(torch.float32, scale=True), transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
    if not kept:
        return datasets.ImageFolder(data, transforms.Compose([transforms.PILToTensor(), vary]))
    shrink = transforms.Compose([transforms.PILToTensor(), transforms.Resize(256, antialias=True)])
    return Varied([(shrink(picture), label) for picture, label in datasets.ImageFolder(data)], lambda picture: picture, vary)


def of_albumentations(data, kept):
    """The same with OpenCV and Albumentations: files of OpenCV, or arrays of 256 pixels on the shorter side."""
    import albumentations
    import cv2
    from albumentations.pytorch import ToTensorV2
    from torchvision import datasets

    cv2.setNumThreads(1)
    steps = albumentations.Compose([
        albumentations.RandomResizedCrop((224, 224)), albumentations.HorizontalFlip(), albumentations.Normalize(), ToTensorV2()])

    def read(path):
        return cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)

    def vary(picture):
        return steps(image=picture)["image"]

    files = datasets.ImageFolder(data).samples
    if not kept:
        return Varied(files, read, vary)
    shrink = albumentations.SmallestMaxSize(256, interpolation=cv2.INTER_AREA)
    return Varied([(shrink(image=read(path))["image"], label) for path, label in files], lambda picture: picture, vary)


class Varied:
    """A dataset for `DataLoader`."""

    def __init__(self, samples, read, vary):
        self.samples, self.read, self.vary = samples, read, vary

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, at):
        picture, label = self.samples[at]
        return self.vary(self.read(picture)), label


def theirs(images, workers):
    import torch

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
    for name, hold, keep in [("from JPEG each time", "files", "whole"), ("from kept images", "memory", "256")]:
        made = {"torchvision": of_torchvision, "Albumentations": of_albumentations}
        made = {library: make(options.data, hold == "memory") for library, make in made.items()}
        ratios = []
        for _ in range(options.repetitions):
            mine = ours(options.program, options.data, hold, keep)
            of = {(library, workers): theirs(images, workers) for library, images in made.items() for workers in WORKERS}
            best = max(of, key=of.get)
            ratios.append(mine / of[best])
            print(f"{name}: {mine:.0f} images/s, PyTorch {of[best]:.0f} with {best[0]} and {best[1]} workers, ratio {ratios[-1]:.2f}", flush=True)
        print(f"{name}: median ratio {statistics.median(ratios):.2f}", flush=True)


if __name__ == "__main__":
    main()
