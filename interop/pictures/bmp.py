"""BMP, by a writer of headers."""

import itertools
import struct

import numpy as np

from . import content
from .content import Picture

HEADERS = {"OS/2 1": 12, "OS/2 2": 64, "OS/2 2 short": 16, "Windows 3": 40, "V2": 52, "V3": 56, "V4": 108, "V5": 124}
MASKS = {
    "565": (16, (0xF800, 0x7E0, 0x1F, 0)), "555": (16, (0x7C00, 0x3E0, 0x1F, 0)), "444": (16, (0xF00, 0xF0, 0xF, 0)),
    "1555": (16, (0x7C00, 0x3E0, 0x1F, 0x8000)), "4444": (16, (0xF00, 0xF0, 0xF, 0xF000)),
    "8888": (32, (0xFF0000, 0xFF00, 0xFF, 0xFF000000)), "888": (32, (0xFF0000, 0xFF00, 0xFF, 0)),
    "RGBX": (32, (0xFF000000, 0xFF0000, 0xFF00, 0)), "BGR": (32, (0xFF, 0xFF00, 0xFF0000, 0)), "10 bits": (32, (0x3FF00000, 0xFFC00, 0x3FF, 0)),
}


def rows(values, bits):
    """Values [H, W] as rows of bytes, each a multiple of four."""
    if bits < 8:
        split = (values[..., None] >> np.arange(bits - 1, -1, -1)) & 1
        data = np.packbits(split.reshape(len(values), -1).astype(np.uint8), axis=1)
    else:
        data = (values[..., None] >> np.arange(0, bits, 8) & 255).astype(np.uint8).reshape(len(values), -1)
    return np.pad(data, ((0, 0), (0, -data.shape[1] % 4)))


def bmp(header, width, height, bits, pixels, palette=b"", compression=0, masks=(), colors=0, gap=b"", top_down=False):
    size = HEADERS[header]
    sign = -1 if top_down else 1
    if size == 12:
        info = struct.pack("<IHHHH", size, width, height, 1, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", size, width, sign * height, 1, bits, compression, len(pixels), 2835, 2835, colors, 0)
        info += struct.pack("<IIII", *masks)[: max(0, size - 40)] if masks and size >= 52 else b""
        info += b"sRGB"[::-1] if size >= 108 and len(info) == 56 else b""
        info = info[:size].ljust(size, b"\0")
        if masks and size == 40:
            info += struct.pack("<III", *masks[:3])
    start = 14 + len(info) + len(palette) + len(gap)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start) + info + palette + gap + pixels


def run_lengths(indices, bits, rng, skip=False, gaps=False):
    """RLE of rows from below, and which pixels it leaves out: runs, verbatim runs, skips and early ends of lines."""
    out, left = bytearray(), np.zeros(indices.shape, bool)
    pack = (lambda v: bytes(v)) if bits == 8 else (lambda v: bytes(a << 4 | b for a, b in itertools.zip_longest(v[::2], v[1::2], fillvalue=0)))
    height, width = indices.shape
    y = height - 1
    while y >= 0:
        x = 0
        while x < width:
            rest = width - x
            kind = rng.integers(0, 5)
            n = int(min(rest, rng.integers(1, 12)))
            if kind == 0 and skip and rest > 2:
                out += bytes([0, 2, n, 0])
                left[y, x : x + n] = True
            elif kind == 1 and gaps and x:
                left[y, x:] = True
                break
            elif kind < 3 and n >= 3:
                body = pack(indices[y, x : x + n].tolist())
                out += bytes([0, n]) + body + b"\0" * (len(body) % 2)
            else:
                while n > 1 and len(set(indices[y, x : x + n].tolist())) > 1:
                    n -= 1
                value = int(indices[y, x])
                out += bytes([n, value if bits == 8 else value << 4 | value])
            x += n
        if skip and y > 2 and rng.integers(0, 4) == 0:
            # Straight to a row further up, from the end of this one: all of the row between is left out.
            out += bytes([0, 0, 0, 2, 0, 1])
            left[y - 1] = True
            y -= 1
        else:
            out += bytes([0, 0])
        y -= 1
    return bytes(out[:-2] + b"\0\1") if out[-2:] == b"\0\0" else bytes(out + b"\0\1"), left


def pictures():
    number = itertools.count()

    def picture(kind, data, truth=None):
        return Picture(f"bmp {kind}", f"bmp-{next(number):05}.bmp", data, truth)

    for (header, size), bits in itertools.product(HEADERS.items(), (1, 2, 4, 8)):
        for c, (width, height) in enumerate(content.sizes(bits)):
            rng = np.random.default_rng([bits, width, height])
            indices = content.gray(width, height, c).astype(int) >> (8 - bits)
            for few in (False, True):
                count = max(int(indices.max()) + 1, 2) if few else 1 << bits
                if few and (size in (12, 16) or c % 3):
                    continue
                colors = rng.integers(0, 256, (count, 3)).astype(np.uint8)
                entries = b"".join(bytes(color[::-1]) + (b"" if size == 12 else b"\0") for color in colors)
                if size == 16:
                    continue
                for top_down in (False, True) if size >= 40 and header not in ("OS/2 2",) else (False,):
                    data = rows(indices if top_down else indices[::-1], bits).tobytes()
                    kind = f"{header}, {bits} bits" + (", few colors" if few else "") + (", top down" if top_down else "")
                    yield picture(kind, bmp(header, width, height, bits, data, entries, colors=count if few else 0, top_down=top_down), colors[indices])
    for header, bits in itertools.product(HEADERS, (16, 24, 32)):
        if HEADERS[header] == 16 or (HEADERS[header] in (12, 64) and bits != 24):
            continue
        for c, (width, height) in enumerate([*content.sizes(bits), (203, 155)]):
            color = content.rgb(width, height, c).astype(int)
            if bits == 16:
                five = color >> 3
                values, truth = five[..., 0] << 10 | five[..., 1] << 5 | five[..., 2], (five * 255 // 31).astype(np.uint8)
            else:
                values, truth = color[..., 0] << 16 | color[..., 1] << 8 | color[..., 2], color.astype(np.uint8)
            for top_down in (False, True) if HEADERS[header] >= 40 and header != "OS/2 2" else (False,):
                data = rows(values if top_down else values[::-1], bits).tobytes()
                kind = f"{header}, {bits} bits" + (", top down" if top_down else "")
                yield picture(kind, bmp(header, width, height, bits, data, top_down=top_down), truth)
                if c % 4 == 0:
                    yield picture(f"{kind}, gap before the pixels", bmp(header, width, height, bits, data, gap=b"gap!" * 5, top_down=top_down), truth)
    for (name, (bits, masks)), header in itertools.product(MASKS.items(), ("Windows 3", "V2", "V3", "V4", "V5")):
        if masks[3] and HEADERS[header] < 56:
            continue
        for c, (width, height) in enumerate(content.sizes(bits)):
            color, values = content.rgb(width, height, c).astype(int), np.zeros((height, width), int)
            truth = np.zeros((height, width, 3), np.uint8)
            for channel, mask in enumerate(masks[:3]):
                shift, top = (mask & -mask).bit_length() - 1, mask // (mask & -mask)
                part = color[..., channel] * top // 255
                values |= part << shift
                truth[..., channel] = part * 255 // top
            if masks[3]:
                values |= np.random.default_rng(c).integers(0, 2, (height, width)) * masks[3]
            yield picture(f"{header}, bit fields {name}", bmp(header, width, height, bits, rows(values[::-1], bits).tobytes(), compression=3, masks=masks), truth)
    for bits in (4, 8):
        for c, (width, height) in enumerate(content.sizes(bits) * 3):
            rng = np.random.default_rng([bits, c])
            indices = content.gray(width, height, c).astype(int) >> (8 - bits)
            colors = rng.integers(0, 256, (1 << bits, 3)).astype(np.uint8)
            entries = b"".join(bytes(color[::-1]) + b"\0" for color in colors)
            skip, gaps = c % 3 == 1, c % 3 == 2
            data, left = run_lengths(indices, bits, rng, skip, gaps)
            kind = f"RLE{bits}" + (", skips" if skip else ", lines that end early" if gaps else "")
            # What is left out is of the first color.
            yield picture(kind, bmp("Windows 3", width, height, bits, data, entries, compression=1 if bits == 8 else 2), colors[np.where(left, 0, indices)])
    data = bmp("Windows 3", 33, 17, 24, rows(np.zeros((17, 33), int), 24).tobytes())
    yield picture("bytes after the end", data + b"\0" * 50)
