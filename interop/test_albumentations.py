"""Every transform against the real Albumentations: 500 sets of random parameters each, images and masks."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from conftest import PUPILA, ROOT

sys.path.insert(0, str(ROOT / "parity/transforms"))
import reference  # noqa: E402

SETS = int(os.environ.get("PUPILA_TRANSFORM_SETS", 500))
PROGRAM = PUPILA.parent / "examples/apply_transform"

# Everything is within 1 of 255. The share of values that may be further off, and why:
FURTHER = {
    # A position that is half way between two pixels, or between two of Lanczos' 32 steps within one, but for the last bits
    # of f32, is rounded the other way now and then; and where the part beyond the border turns, so does the neighbourhood.
    **dict.fromkeys(["rotate", "shift_scale_rotate", "affine", "perspective", "optical_distortion", "grid_distortion"], 1e-3),
    # The same, and the noise is blurred on a grid of sigma / 6, which moves positions by up to 1e-3 of a pixel.
    "elastic_transform": 2e-3,
    # Steps follow each other: 1 in one of them grows with the contrast and the saturation of the next.
    "color_jitter": 5e-4,
    # 1 in the lightness is up to 3 in a channel.
    "clahe": 1e-4,
    # Colors next to gray, whose hue is made of the last bits.
    "iso_noise": 2e-3,
}
# Masks take the nearest pixel, so a position that is rounded the other way is any value.
FURTHER_MASK = {name: 1e-3 for name in ("elastic_transform", "rotate", "shift_scale_rotate", "affine", "perspective")}


@pytest.fixture(scope="module")
def apply():
    process = subprocess.Popen([PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def call(name, parameters, drawn, image, mask):
        h, w = image.shape[:2]
        request = {"transform": name, "parameters": parameters, "drawn": drawn, "height": h, "width": w, "mask": True}
        request["channels"] = 1 if image.ndim == 2 else image.shape[2]
        process.stdin.write(json.dumps(request).encode() + b"\n" + image.tobytes() + mask.tobytes())
        process.stdin.flush()
        shape = json.loads(process.stdout.readline())
        h, w, c = shape["height"], shape["width"], shape["channels"]
        after = np.frombuffer(process.stdout.read(h * w * c), np.uint8).reshape(h, w, c)
        return after, np.frombuffer(process.stdout.read(h * w), np.uint8).reshape(h, w)

    yield call
    process.stdin.close()
    assert process.wait() == 0


@pytest.mark.parametrize("name", reference.PARAMETERS)
def test_pixels_agree(apply, name):
    rng = np.random.default_rng([500, *name.encode()])
    compared = refused = values = further = mask_values = mask_further = 0
    while compared < SETS and refused < SETS:
        try:
            parameters, drawn, image, mask, expected, expected_mask = reference.case(name, rng)
        except (ValueError, ZeroDivisionError):
            refused += 1
            continue
        got, got_mask = apply(name, parameters, drawn, image, mask)
        what = f"{parameters} of {image.shape}"
        assert got.shape[:2] == expected.shape[:2] == got_mask.shape == expected_mask.shape, what
        off = np.abs(got.astype(int) - expected.reshape(got.shape))
        averaged = parameters.get("area_for_downscale") == "image_mask"
        mask_off = np.abs(got_mask.astype(int) - expected_mask) > averaged
        if name not in FURTHER:
            assert off.max() <= 1, what
        if name not in FURTHER_MASK:
            assert not mask_off.any(), what
        values, further = values + off.size, further + (off > 1).sum()
        mask_values, mask_further = mask_values + mask_off.size, mask_further + mask_off.sum()
        compared += 1
    assert compared == SETS
    assert further <= FURTHER.get(name, 0) * values
    assert mask_further <= FURTHER_MASK.get(name, 0) * mask_values
