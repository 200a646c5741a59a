"""Writes cases.json and random_cases.jsonl: images, transforms whose values are pinned, and what Albumentations makes of them.

    python parity/transforms/generate.py

Written with Albumentations 2.0.8, albucore 0.0.24, NumPy 2.4.6 and OpenCV 5.0.0. Bytes are written in
hexadecimal: uint8 pixels HWC, and float32 little-endian for what normalisation gives.
"""

import json
from pathlib import Path

import albumentations as A
import numpy as np
import reference

HERE = Path(__file__).parent
SHAPES = [(1, 1), (1, 5), (5, 1), (7, 5), (4, 4), (9, 13)]
BRIGHTNESS_CONTRAST = [
    # brightness, contrast, brightness_by_max, ensure_safe_range
    (0.0, 0.0, True, False),
    (0.2, 0.0, True, False),
    (-0.2, 0.0, True, False),
    (0.0, 0.2, True, False),
    (0.0, -0.2, True, False),
    (0.137, -0.051, True, False),
    (-0.0931, 0.173, True, False),
    (1.0, 0.5, True, False),
    (-1.0, 2.0, True, False),
    (0.3, -1.0, True, False),
    (0.9, -1.7, True, False),
    (0.137, -0.051, False, False),
    (-0.41, 0.173, False, False),
    (0.137, 0.2, True, True),
    (-0.137, 0.2, True, True),
    (0.6, -1.4, True, True),
    (0.33, 0.4, False, True),
]
NORMALIZATIONS = [
    {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "max_pixel_value": 255.0},
    {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "max_pixel_value": 255.0},
    {"mean": [0.1307, 0.2, 0.3], "std": [0.3081, 0.1, 0.07], "max_pixel_value": 200.0},
]


def image(rng, height, width, channels):
    pixels = rng.integers(0, 256, (height, width, channels), dtype=np.uint8)
    return pixels if channels == 3 else pixels[:, :, 0]


def brightness_contrast(brightness, contrast, by_max, safe):
    parameters = {
        "brightness_limit": [brightness, brightness],
        "contrast_limit": [contrast, contrast],
        "brightness_by_max": by_max,
        "ensure_safe_range": safe,
    }
    return "random_brightness_contrast", parameters, A.RandomBrightnessContrast(**tuples(parameters), p=1)


def normalize(channels, mean, std, max_pixel_value):
    parameters = {"mean": mean[:channels], "std": std[:channels], "max_pixel_value": max_pixel_value}
    return "normalize", parameters, A.Normalize(**tuples(parameters))


def tuples(parameters):
    return {name: tuple(value) if isinstance(value, list) else value for name, value in parameters.items()}


def cases(rng):
    for place, (height, width) in enumerate(SHAPES):
        for channels in (1, 3):
            named = [("horizontal_flip", {}, A.HorizontalFlip(p=1))]
            named += [("vertical_flip", {}, A.VerticalFlip(p=1))]
            # Each shape takes a share of the values, and every value meets both gray and RGB.
            named += [brightness_contrast(*values) for values in BRIGHTNESS_CONTRAST[place :: len(SHAPES)]]
            for name, parameters, transform in named:
                yield name, parameters, transform, image(rng, height, width, channels)
    # Every value of a byte through every table.
    for channels in (1, 3):
        ramp = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), channels, axis=2)
        ramp = ramp if channels == 3 else ramp[:, :, 0]
        for values in BRIGHTNESS_CONTRAST[5:8] if channels == 3 else BRIGHTNESS_CONTRAST:
            yield *brightness_contrast(*values), ramp
        for values in NORMALIZATIONS:
            yield *normalize(channels, **values), ramp


def main():
    written = []
    for name, parameters, transform, before in cases(np.random.default_rng(20240217)):
        after = transform(image=before)["image"]
        assert after.dtype == (np.float32 if name == "normalize" else np.uint8)
        written.append(case(name, parameters, before, after))
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in written)
    (HERE / "cases.json").write_text(f"[\n{lines}\n]\n")
    print(f"{len(written)} cases")
    random_cases()


def random_cases():
    """Some cases of every transform with random parameters (reference.py), on small images of every awkward shape."""
    shapes = [(1, 1), (1, 7), (9, 1), (2, 2), (5, 7), (8, 6), (13, 9)]
    lines = []
    for place, name in enumerate(reference.PARAMETERS):
        rng = np.random.default_rng([20261123, place])
        for shape in shapes:
            lines.append(json.dumps(random_case(name, rng, shape), separators=(",", ":")))
    (HERE / "random_cases.jsonl").write_text("\n".join(lines) + "\n")
    print(f"{len(lines)} random cases")


def random_case(name, rng, shape):
    while True:
        try:
            parameters, drawn, image, mask, after, mask_after = reference.case(name, rng, shape)
        except (ValueError, ZeroDivisionError, A.augmentations.crops.transforms.CropSizeError):
            # What the reference refuses: a crop of nothing, a grid finer than the image.
            continue
        if after.ndim == 3 and after.shape[2] == 1:
            after = after[:, :, 0]
        return case(name, parameters, image, after) | {
            "drawn": drawn,
            "after_shape": after.shape[:2] + (1 if after.ndim == 2 else after.shape[2],),
            "mask": mask.tobytes().hex(),
            "mask_after": np.ascontiguousarray(mask_after).tobytes().hex(),
        }


def case(name, parameters, before, after):
    return {
        "transform": name,
        "parameters": parameters,
        "height": before.shape[0],
        "width": before.shape[1],
        "channels": 1 if before.ndim == 2 else before.shape[2],
        "before": np.ascontiguousarray(before).tobytes().hex(),
        "after": np.ascontiguousarray(after, dtype=after.dtype.newbyteorder("<")).tobytes().hex(),
    }


if __name__ == "__main__":
    main()
