"""Damaged pictures: cut, and with other bytes in the middle.

Each says what must become of it: "refused or equal" where pixels are lost unless they come out as those of the whole; "unknown"
where a wrong value in the pixels' own data cannot be told from a right one.
"""

import subprocess
from dataclasses import dataclass

import numpy as np
from PIL import Image

from . import bmp, content, gif, jpeg, png, tiff, webp
from .exif import xmp


@dataclass
class Damaged:
    """A damaged file, and the whole one that it was."""

    kind: str
    name: str
    data: bytes
    whole: bytes
    known: bool


def wholes():
    """Names, files, where the pixels' data begin and end, and whether wrong data within them are always found."""
    color = content.rgb(70, 57)
    codings = {name: (name, []) for name in ("one scan", "scan per component", "progressive", "arithmetic", "arithmetic, progressive")}
    codings["restarts"] = ("one scan", jpeg.RESTARTS["restart each 3"])
    for name, (coding, more) in codings.items():
        data = jpeg.coded(color, coding, "2x2", 90, more)
        yield f"jpeg {name}", data, len(data) - len(jpeg.segments(data)[-1][2]) if coding == "one scan" else 700, len(data) - 2, None
    for interlaced in (False, True):
        data = png.png(color, 2, 8, interlaced)
        yield "png" + (", interlaced" if interlaced else ""), data, 41, len(data) - 16, True
    indices = content.gray(70, 57).astype(int)
    palette = np.arange(768, dtype=np.int64).reshape(256, 3).astype(np.uint8)
    for interlaced in (False, True):
        data = gif.gif((70, 57), [gif.frame(indices, 8, interlaced=interlaced)], 8, palette)
        yield "gif" + (", interlaced" if interlaced else ""), data, 13 + 768 + 10, len(data) - 2, False
    for name, compression in tiff.COMPRESSIONS.items():
        for tile in (None, 16):
            data = tiff.tiff(color.astype(int), 8, 2, compression, rows=9, tile=tile)
            yield f"tiff {name}" + (", tiled" if tile else ""), data, 8, len(data) * 9 // 10, compression in (8, 32946)
    yield from behind(color)
    image = Image.fromarray(color)
    for lossless in (False, True):
        data = webp.saved(image, lossless=lossless)
        yield "webp " + ("lossless" if lossless else "lossy"), data, 40, len(data) - 1, False
    values = color[..., 0].astype(int) << 16 | color[..., 1].astype(int) << 8 | color[..., 2]
    data = bmp.bmp("Windows 3", 70, 57, 24, bmp.rows(values[::-1], 24).tobytes())
    yield "bmp 24 bits", data, 54, len(data), False
    runs, _ = bmp.run_lengths(indices, 8, np.random.default_rng(0))
    grays = b"".join(bytes([v, v, v, 0]) for v in range(256))
    data = bmp.bmp("Windows 3", 70, 57, 8, runs, grays, compression=1)
    yield "bmp RLE8", data, 54 + 1024, len(data) - 4, False


def behind(color):
    """TIFF files whose pixels hang on arrays behind the directory, as libtiff writes them. Damage goes through these arrays."""
    wide = color.astype(int) * 257
    ycc = np.asarray(Image.fromarray(color).convert("YCbCr")).astype(int)
    gray = color[..., :1].astype(int)
    coefficients, reference = tiff.YCBCR_TAGS["coefficients"], tiff.YCBCR_TAGS["reference"]
    palette = np.random.default_rng(5).integers(0, 65536, 768).tolist()
    orientation = [(700, 1, list(xmp(6)))]
    files = {
        "bits": tiff.tiff(color.astype(int), 8, 2, behind=True),
        "bits of 16": tiff.tiff(wide, 16, 2, behind=True),
        "signed": tiff.tiff(color.astype(int), 8, 2, tags=[(339, 3, [2, 2, 2])], behind=True),
        "floats": tiff.tiff(color / 255.0, 32, 2, behind=True),
        "strips": tiff.tiff(color.astype(int), 8, 2, 8, rows=5, behind=True),
        "palette": tiff.tiff(gray, 8, 3, tags=[(320, 3, palette)], behind=True),
        "coefficients": tiff.tiff(ycc, 8, 6, tags=[(530, 3, [1, 1]), *coefficients], behind=True),
        "reference": tiff.tiff(ycc, 8, 6, tags=[(530, 3, [1, 1]), *reference], behind=True),
        "orientation": tiff.tiff(gray, 8, 1, tags=orientation, behind=True),
    }
    for name, data in files.items():
        yield f"tiff with {name} behind", data, len(data) - 200, len(data), False


def noticed(data):
    """Whether libjpeg-turbo finds fault with a JPEG."""
    return subprocess.run(["djpeg", "-strict"], input=data, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0


def pictures():
    number = 0
    rng = np.random.default_rng(21)
    for name, whole, begin, end, known in wholes():
        suffix = name.split()[0].rstrip(",")
        made = []
        # Arrays are cut at every length.
        for at in range(begin, end) if name.endswith(" behind") else np.linspace(begin, end - 1, 24).astype(int):
            cut = whole[:at]
            made.append(("cut", cut, True))
            if suffix == "jpeg":
                made.append(("cut, end marker", cut + b"\xff\xd9", True))
                made.append(("cut, zeros up to the end", cut + b"\0" * (end - at) + b"\xff\xd9", None))
            if suffix == "gif":
                made.append(("cut, end marker", cut + b"\0;", True))
        for at in np.linspace(begin, end - 40, 24).astype(int):
            for what, inserted in (("zeros", bytes(24)), ("random bytes", rng.integers(0, 256, 24, np.uint8).tobytes())):
                made.append((f"{what} in the middle", whole[:at] + inserted + whole[at + 24 :], known))
            made.append(("24 bytes left out", whole[:at] + whole[at + 24 :], known))
            bit = 1 << int(rng.integers(0, 8))
            made.append(("one bit", whole[:at] + bytes([whole[at] ^ bit]) + whole[at + 1 :], known))
        for what, data, sure in made:
            number += 1
            sure = noticed(data) if sure is None else sure
            yield Damaged(f"{name}: {what}", f"damaged-{number:05}.{suffix}", data, whole, sure)
