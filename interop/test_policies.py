"""The operations of RandAugment and TrivialAugment against Pillow, which torchvision applies them with."""

import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import PUPILA, ROOT
from PIL import Image, ImageEnhance, ImageOps

sys.path.insert(0, str(ROOT / "parity/transforms"))
import reference  # noqa: E402

PROGRAM = PUPILA.parent / "examples/apply_transform"
SIGNED = lambda rng: float(rng.uniform(-0.99, 0.99))
OPERATIONS = {
    "brightness": (SIGNED, lambda image, m: ImageEnhance.Brightness(image).enhance(1 + m)),
    "color": (SIGNED, lambda image, m: ImageEnhance.Color(image).enhance(1 + m)),
    "contrast": (SIGNED, lambda image, m: ImageEnhance.Contrast(image).enhance(1 + m)),
    "sharpness": (SIGNED, lambda image, m: ImageEnhance.Sharpness(image).enhance(1 + m)),
    "posterize": (lambda rng: int(rng.integers(1, 9)), ImageOps.posterize),
    "solarize": (lambda rng: float(rng.uniform(0, 255)), ImageOps.solarize),
    "auto_contrast": (lambda rng: 0.0, lambda image, m: ImageOps.autocontrast(image)),
    "equalize": (lambda rng: 0.0, lambda image, m: ImageOps.equalize(image)),
    "rotate": (lambda rng: float(rng.uniform(-135, 135)), lambda image, m: image.rotate(m)),
    "translate_x": (lambda rng: int(rng.integers(-9, 10)), lambda image, m: affine(image, 1, 0, -m, 0, 1, 0)),
    "translate_y": (lambda rng: int(rng.integers(-9, 10)), lambda image, m: affine(image, 1, 0, 0, 0, 1, -m)),
    "shear_x": (SIGNED, lambda image, m: affine(image, 1, -m, 0, 0, 1, 0)),
    "shear_y": (SIGNED, lambda image, m: affine(image, 1, 0, 0, -m, 1, 0)),
}
# A position half way between two pixels goes either way.
FURTHER = {"rotate": 1e-3, "shear_x": 1e-3, "shear_y": 1e-3}


def affine(image, *matrix):
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST)


@pytest.mark.parametrize("op", OPERATIONS)
def test_operations_are_pillows(op):
    rng = np.random.default_rng([7, *op.encode()])
    magnitude, apply = OPERATIONS[op]
    requests, expected = [], []
    for _ in range(200):
        h, w = (int(side) for side in rng.integers(1, 41, 2))
        image, m = reference.picture(rng, h, w, 3), magnitude(rng)
        expected.append(np.asarray(apply(Image.fromarray(image), m)))
        request = {"transform": "trivial_augment", "parameters": {}, "height": h, "width": w, "channels": 3}
        request["drawn"] = {"steps": [{"op": op, "magnitude": m}]}
        requests.append(json.dumps(request).encode() + b"\n" + image.tobytes())
    out = subprocess.run([PROGRAM], input=b"".join(requests), stdout=subprocess.PIPE, check=True).stdout
    values = further = 0
    for image in expected:
        header, out = out.split(b"\n", 1)
        assert json.loads(header) == {"height": image.shape[0], "width": image.shape[1], "channels": 3}
        got, out = np.frombuffer(out[: image.size], np.uint8).reshape(image.shape), out[image.size :]
        values, further = values + image.size, further + (got != image).sum()
    assert not out and further <= FURTHER.get(op, 0) * values
