"""What is in the pictures: crops of photographs, and what stresses a decoder more."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

SKIN = Path(__file__).resolve().parents[2] / "samples/skin"
SIZES = (1, 7, 8, 9, 15, 16, 17, 33, 70)


@dataclass
class Picture:
    """A file. Its kind is what results are gathered by."""

    kind: str
    name: str
    data: bytes
    # The pixels that it holds, [H, W] or [H, W, 3] of 8 bits, where the one who wrote it knows them. Pillow is asked first; this is
    # what counts where Pillow cannot read the kind, or means another thing by it (`MEANT`).
    truth: np.ndarray | None = None


@cache
def photograph(number):
    files = sorted(SKIN.glob("*/*/*.jpg"))
    with Image.open(files[number * 37 % len(files)]) as image:
        return np.asarray(image.convert("RGB"))


def rgb(width, height, number=0):
    """A picture of 8-bit RGB, [H, W, 3]; by its number a photograph (every other one), noise, a gradient or saturated colors."""
    rng = np.random.default_rng([number, width, height])
    kind = number % 6
    if kind in (0, 2, 4):
        photo = photograph(number)
        if width > photo.shape[1] or height > photo.shape[0]:
            photo = np.tile(photo, (height // photo.shape[0] + 1, width // photo.shape[1] + 1, 1))
        top, left = (int(rng.integers(0, whole - part + 1)) for whole, part in zip(photo.shape, (height, width)))
        return np.ascontiguousarray(photo[top : top + height, left : left + width])
    if kind == 1:
        return rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
    y, x = np.mgrid[:height, :width]
    if kind == 3:
        ramp = [x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1), (x * 7 + y * 5) % 256]
        return np.stack(ramp, -1).astype(np.uint8)
    # Blocks of colors at the corners of the cube, with sharp edges that lie across the blocks of a JPEG.
    cell = (x // 5 + 3 * (y // 3)) % 8
    return np.stack([(cell >> bit & 1) * 255 for bit in range(3)], -1).astype(np.uint8)


def gray(width, height, number=0):
    return np.asarray(Image.fromarray(rgb(width, height, number)).convert("L"))


def sizes(number=0):
    """Widths and heights: each of SIZES once as either."""
    return [(width, SIZES[(at * 4 + number) % len(SIZES)]) for at, width in enumerate(SIZES)]


def eight_bits(samples, bits):
    """What samples of another depth are read as: all of them are spread over 0..255, but of 16 bits the high byte is kept."""
    samples = np.asarray(samples, np.int64)
    if bits == 16:
        return (samples >> 8).astype(np.uint8)
    if bits == 32:
        # As floating-point numbers of 32 bits, which more than 24 do not fit.
        return np.rint(samples.astype(np.float32) / np.float32((1 << bits) - 1) * np.float32(255)).astype(np.uint8)
    most = (1 << bits) - 1
    return ((samples * 255 + most // 2) // most).astype(np.uint8)
