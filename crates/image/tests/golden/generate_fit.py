"""Writes fit.bin: pictures resized by Pillow, and inputs as torchvision's Resize and CenterCrop make them of them.

    python generate_fit.py        (Pillow 13.0, torchvision 0.29, numpy)

A case: channels (u8), width and height of the source, of the result (u16), the shorter side of torchvision's resize and the side of
its crop (u16), the source, and for bilinear, bicubic and Lanczos the resized picture and the crop.
"""

import struct
from pathlib import Path

import numpy as np
from PIL import Image
from torchvision import transforms
from torchvision.transforms import InterpolationMode as Mode

rng = np.random.default_rng(5)


def picture(channels, width, height):
    """Slopes, an edge and noise, so that overshooting, rounding and borders all count."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [(x * (3 + c) + y * (2 + c)) % 256 for c in range(channels)]
    values = np.stack(planes, -1).astype(float) + rng.normal(0, 20, (height, width, channels))
    values[height // 3 :, width // 2 :] = 255 - values[height // 3 :, width // 2 :]
    return np.clip(values, 0, 255).astype(np.uint8)


CASES = [(1, 1, 1, 3, 2, 4, 4), (3, 5, 7, 11, 4, 8, 6), (3, 40, 30, 13, 9, 16, 14), (1, 33, 64, 64, 33, 20, 17),
         (3, 70, 17, 7, 17, 12, 11), (3, 17, 70, 17, 5, 32, 28), (1, 64, 64, 31, 65, 48, 48)]

out = bytearray()
for channels, width, height, to_width, to_height, shorter, crop in CASES:
    source = picture(channels, width, height)
    image = Image.fromarray(source if channels == 3 else source[:, :, 0])
    out += struct.pack("<B6H", channels, width, height, to_width, to_height, shorter, crop) + source.tobytes()
    for pillow, mode in [(Image.Resampling.BILINEAR, Mode.BILINEAR), (Image.Resampling.BICUBIC, Mode.BICUBIC),
                         (Image.Resampling.LANCZOS, Mode.LANCZOS)]:
        out += image.resize((to_width, to_height), pillow).tobytes()
        out += transforms.CenterCrop(crop)(transforms.Resize(shorter, mode)(image)).tobytes()
Path(__file__).with_name("fit.bin").write_bytes(out)
