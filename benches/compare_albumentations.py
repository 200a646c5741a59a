"""Images a second of every transform on one thread, ours and Albumentations', on a photograph-like image of 256 x 256 RGB.

    cargo build --release -p pupila-transforms --example apply_transform
    python benches/compare_albumentations.py [NAME ...]

Each round times both, one after the other; a ratio is taken within each round, and the median of the rounds counts. Both
draw anew for every image, with the same ranges. Ours includes the copy of the image into the pipeline.
"""

import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import albumentations as A
import cv2
import numpy as np
from albumentations.pytorch import ToTensorV2

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "parity/transforms"))
import reference  # noqa: E402

PROGRAM = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release/examples/apply_transform"
ROUNDS = 15
SECONDS = 0.05

CASES = [
    ("resize", {"height": 64, "width": 64}),
    ("resize", {"height": 64, "width": 64, "interpolation": "area"}),
    ("smallest_max_size", {"max_size": 160}),
    ("longest_max_size", {"max_size": 160}),
    ("center_crop", {"height": 224, "width": 224}),
    ("random_crop", {"height": 224, "width": 224}),
    ("random_resized_crop", {"size": [224, 224]}),
    ("pad_if_needed", {"min_height": 300, "min_width": 300}),
    ("horizontal_flip", {}),
    ("vertical_flip", {}),
    ("transpose", {}),
    ("random_rotate90", {}),
    ("rotate", {}),
    ("shift_scale_rotate", {}),
    ("affine", {"scale": [0.8, 1.2], "rotate": [-30, 30], "shear": [-10, 10]}),
    ("perspective", {}),
    ("elastic_transform", {}),
    ("grid_distortion", {}),
    ("optical_distortion", {}),
    ("random_brightness_contrast", {}),
    ("color_jitter", {}),
    ("hue_saturation_value", {}),
    ("rgb_shift", {}),
    ("random_gamma", {}),
    ("clahe", {}),
    ("to_gray", {}),
    ("channel_shuffle", {}),
    ("invert_img", {}),
    ("posterize", {}),
    ("solarize", {}),
    ("equalize", {}),
    ("gaussian_blur", {}),
    ("motion_blur", {}),
    ("median_blur", {}),
    ("gauss_noise", {}),
    ("iso_noise", {}),
    ("image_compression", {"quality_range": [50, 95]}),
    ("sharpen", {}),
    ("coarse_dropout", {}),
    ("grid_dropout", {}),
    ("course", {}),
]

# What a course on image classification does to each training image, into the tensor that the network takes.
COURSE = [
    {"resize": {"height": 64, "width": 64}},
    {"horizontal_flip": {"p": 0.5}},
    {"random_brightness_contrast": {"p": 0.2}},
]


def course():
    return A.Compose(
        [A.Resize(64, 64), A.HorizontalFlip(p=0.5), A.RandomBrightnessContrast(p=0.2), A.Normalize(), ToTensorV2()]
    )


def ours(process, image, name, parameters, repeat):
    request = {"transform": name, "parameters": parameters, "repeat": repeat}
    if name == "course":
        request["pipeline"] = COURSE
    request |= {"height": image.shape[0], "width": image.shape[1], "channels": 3}
    process.stdin.write(json.dumps(request).encode() + b"\n" + image.tobytes())
    process.stdin.flush()
    return statistics.median(json.loads(process.stdout.readline())) * 1e-9


def theirs(image, transform, repeat):
    times = []
    for _ in range(repeat):
        start = time.perf_counter()
        transform(image=image)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    warnings.simplefilter("ignore")
    cv2.setNumThreads(1)
    rng = np.random.default_rng(0)
    image = cv2.resize(rng.integers(0, 256, (24, 24, 3), np.uint8), (256, 256), interpolation=cv2.INTER_CUBIC)
    image = np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)
    process = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    print("| transform | pupila, images/s | Albumentations, images/s | ratio |\n|---|---|---|---|")
    for name, parameters in CASES:
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        transform = course() if name == "course" else reference.transform_of(name, parameters)
        once = max(ours(process, image, name, parameters, 5), theirs(image, transform, 5))
        repeat = max(5, int(SECONDS / once))
        rounds = [
            (ours(process, image, name, parameters, repeat), theirs(image, transform, repeat)) for _ in range(ROUNDS)
        ]
        own, other = (statistics.median(times) for times in zip(*rounds))
        ratio = statistics.median(other / own for own, other in rounds)
        what = name + (f" ({parameters['interpolation']})" if "interpolation" in parameters else "")
        print(f"| {what} | {1 / own:,.0f} | {1 / other:,.0f} | {ratio:.1f}× |", flush=True)
    process.stdin.close()


if __name__ == "__main__":
    main()
