"""Writes resize.bin: what cv2.resize gives, for tests/resize.rs.

Run in this folder with opencv-python-headless 5.0 and numpy:  python generate_resize.py

The file is little-endian. For each source: channels u8, source width and height u16, target width and height u16, the
source samples [H, W, C], then the target samples of each interpolation in the order of Interpolation::ALL. The sources
mix smooth gradients, noise and hard edges, so that overshoot, rounding and borders are all met.
"""

import struct

import cv2
import numpy as np

INTERPOLATIONS = [cv2.INTER_NEAREST, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA, cv2.INTER_LANCZOS4]
SHAPES = [  # ((source width, height), (target width, height))
    ((1, 1), (1, 1)),
    ((1, 1), (5, 3)),
    ((1, 9), (1, 4)),
    ((1, 7), (3, 11)),
    ((9, 1), (4, 1)),
    ((7, 1), (16, 1)),
    ((2, 2), (3, 5)),
    ((13, 11), (1, 1)),
    ((17, 13), (7, 5)),
    ((17, 13), (31, 29)),
    ((16, 16), (8, 8)),
    ((24, 18), (8, 6)),
    ((33, 20), (16, 24)),
    ((20, 33), (24, 16)),
    ((31, 17), (30, 16)),
    ((31, 17), (32, 18)),
    ((64, 48), (9, 7)),
    ((57, 43), (32, 32)),
    ((32, 24), (8, 6)),
    ((64, 48), (8, 6)),
    ((36, 24), (6, 4)),
    ((20, 30), (10, 5)),
]


def source(rng, width, height, channels):
    y, x = np.mgrid[0:height, 0:width]
    smooth = 127.5 + 90 * np.sin(x / 3.1) * np.cos(y / 4.3)
    image = np.stack([smooth + 20 * c for c in range(channels)], axis=2)
    image += rng.normal(0, 25, image.shape)
    image[(x // 4 + y // 4) % 3 == 0] = 255
    image[(x // 5 + y // 3) % 4 == 0] = 0
    return np.clip(image, 0, 255).astype(np.uint8)


def main():
    rng = np.random.default_rng(20170)
    cases = 0
    with open("resize.bin", "wb") as out:
        for (source_width, source_height), target in SHAPES:
            for channels in (1, 3):
                image = source(rng, source_width, source_height, channels)
                out.write(struct.pack("<BHHHH", channels, source_width, source_height, *target))
                out.write(image.tobytes())
                for interpolation in INTERPOLATIONS:
                    out.write(cv2.resize(image, target, interpolation=interpolation).tobytes())
                    cases += 1
    print(cases, "cases, OpenCV", cv2.__version__)


if __name__ == "__main__":
    main()
