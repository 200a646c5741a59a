#!/usr/bin/env python3
"""Writes parity/normalization/cases.json: what albumentations.Normalize makes of images in its modes by image.

    python parity/normalization/generate.py      # needs albumentations 2.0.8

Pixels are hexadecimal uint8, HWC; results hexadecimal little-endian float32, to which the library's float64 is rounded.
"""
import json
from pathlib import Path

import albumentations as A
import numpy as np

MODES = ["image", "image_per_channel", "min_max", "min_max_per_channel"]
rng = np.random.default_rng(20)


def images():
    for channels in (1, 3):
        yield rng.integers(0, 256, (7, 5, channels), dtype=np.uint8)
        # Dark and flat; one channel of one value.
        dark = rng.integers(10, 14, (6, 6, channels), dtype=np.uint8)
        dark[..., 0] = 12
        yield dark
        # One bright pixel on black is further than 20 deviations away.
        spot = np.zeros((24, 24, channels), np.uint8)
        spot[3, 4, channels - 1] = 255
        yield spot


cases = []
for image in images():
    for mode in MODES:
        height, width, channels = image.shape
        after = np.asarray(A.Normalize(normalization=mode)(image=image)["image"])
        assert after.shape == image.shape, after.shape
        cases.append({
            "mode": mode, "height": height, "width": width, "channels": channels,
            "before": image.tobytes().hex(), "after": after.astype("<f4").tobytes().hex(),
        })
out = Path(__file__).resolve().parent / "cases.json"
out.write_text(json.dumps({"albumentations": A.__version__, "cases": cases}) + "\n")
print(len(cases))
