"""WebP, by Pillow, and by taking its files apart."""

import io
import itertools
import struct

import numpy as np
from PIL import Image

from . import content
from .content import Picture
from .exif import exif, variants, xmp


def saved(image, **options):
    out = io.BytesIO()
    image.save(out, "webp", **options)
    return out.getvalue()


def chunks(data):
    out, at = [], 12
    while at < len(data):
        size = struct.unpack("<I", data[at + 4 : at + 8])[0]
        out.append((data[at : at + 4], data[at + 8 : at + 8 + size]))
        at += 8 + size + size % 2
    return out


def joined(parts):
    body = b"".join(name + struct.pack("<I", len(part)) + part + b"\0" * (len(part) % 2) for name, part in parts)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def pictures():
    number = itertools.count()

    def picture(kind, data):
        return Picture(f"webp {kind}", f"webp-{next(number):05}.webp", data)

    kinds = {"lossy": {"quality": 75, "method": 0}, "lossy, finest": {"quality": 100, "method": 0}, "lossy, coarsest": {"quality": 0, "method": 0},
             "lossless": {"lossless": True, "method": 0}, "lossless, searched": {"lossless": True, "method": 4, "quality": 60}}
    for kind, options in kinds.items():
        every = [(side, 71 - side) for side in range(1, 71)] if kind in ("lossy", "lossless") else []
        for c, (width, height) in enumerate([*content.sizes(0), (203, 155), *every]):
            color = content.rgb(width, height, c)
            yield picture(kind, saved(Image.fromarray(color), **options))
            if c < 10:
                alpha = content.gray(width, height, c + 1)
                yield picture(f"{kind}, alpha", saved(Image.fromarray(np.dstack([color, alpha]), "RGBA"), exact=True, **options))
                yield picture(f"{kind}, alpha 0 left out", saved(Image.fromarray(np.dstack([color, alpha // 128 * 255]), "RGBA"), **options))
                yield picture(f"{kind}, gray", saved(Image.fromarray(content.gray(width, height, c)), **options))
                palette = Image.fromarray(color).quantize(2 << c % 4)
                yield picture(f"{kind}, few colors", saved(palette.convert("RGB"), **options))
    for lossless in (False, True):
        for c in range(6):
            frames = [Image.fromarray(content.rgb(33, 17, c + at)) for at in range(3)]
            kind = "animated, " + ("lossless" if lossless else "lossy")
            data = saved(frames[0], save_all=True, append_images=frames[1:], lossless=lossless)
            yield picture(kind, data)
            # The first frame smaller than the canvas, at an offset.
            parts = [(name, body[:4] + struct.pack("<I", 39)[:3] + struct.pack("<I", 29)[:3] if name == b"VP8X" else body) for name, body in chunks(data)]
            first = next(at for at, (name, _) in enumerate(parts) if name == b"ANMF")
            parts[first] = (b"ANMF", b"\2\0\0\3\0\0" + parts[first][1][6:])
            yield picture(f"{kind}, first frame small", joined(parts))
    for o in range(1, 9):
        for lossless in (False, True):
            image = Image.fromarray(content.rgb(33, 17, o))
            for name, make in variants():
                data = saved(image, lossless=lossless, exif=b"Exif\0\0" + make(o))
                for start, prefix in (("", b""), (" after Exif", b"Exif\0\0")):
                    parts = [(n, prefix + make(o) if n == b"EXIF" else body) for n, body in chunks(data)]
                    yield picture(f"EXIF orientation{start}, {name}", joined(parts))
            for element in (False, True):
                yield picture("XMP orientation", saved(image, lossless=lossless, xmp=xmp(o, element)))
            yield picture("EXIF orientation, XMP says another", saved(image, lossless=lossless, exif=exif(o), xmp=xmp(9 - o)))
    for lossless in (False, True):
        data = saved(Image.fromarray(content.rgb(33, 17)), lossless=lossless)
        yield picture("bytes after the end", data + b"\0" * 50)
        yield picture("unknown chunk", joined([*chunks(saved(Image.fromarray(content.rgb(33, 17)), xmp=xmp(1))), (b"abcd", b"hello")]))
