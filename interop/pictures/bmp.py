"""BMP, by a writer of headers."""

import itertools
import struct

import numpy as np

from . import content
from .content import Picture

HEADERS = {"OS/2 1": 12, "OS/2 2": 64, "OS/2 2 short": 16, "OS/2 2 middle": 48, "Windows 3": 40, "V2": 52, "V3": 56, "V4": 108, "V5": 124}
MASKS = {
    "565": (16, (0xF800, 0x7E0, 0x1F, 0)), "555": (16, (0x7C00, 0x3E0, 0x1F, 0)), "444": (16, (0xF00, 0xF0, 0xF, 0)),
    "1555": (16, (0x7C00, 0x3E0, 0x1F, 0x8000)), "4444": (16, (0xF00, 0xF0, 0xF, 0xF000)),
    "24 bits": (24, (0xFF0000, 0xFF00, 0xFF, 0)), "24 bits, RGB": (24, (0xFF, 0xFF00, 0xFF0000, 0)),
    "231": (16, (0x3, 0x1C, 0x20, 0)), "32 bits, 565": (32, (0xF800, 0x7E0, 0x1F, 0)), "RGBA": (32, (0xFF, 0xFF00, 0xFF0000, 0xFF000000)),
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


def bmp(header, width, height, bits, pixels, palette=b"", compression=0, masks=(), colors=0, gap=b"", top_down=False, offset=None, planes=1):
    size = HEADERS[header]
    sign = -1 if top_down else 1
    if size == 12:
        info = struct.pack("<IHHHH", size, width, height, planes, bits)
    else:
        info = struct.pack("<IiiHHIIiiII", size, width, sign * height, planes, bits, compression, len(pixels), 2835, 2835, colors, 0)
        info += struct.pack("<IIII", *masks)[: max(0, size - 40)] if masks and size >= 52 else b""
        info += b"sRGB"[::-1] if size >= 108 and len(info) == 56 else b""
        info = info[:size].ljust(size, b"\0")
        if masks and size == 40:
            info += struct.pack("<IIII", *masks)[: 16 if compression == 6 else 12]
    start = 14 + len(info) + len(palette) + len(gap)
    return b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start if offset is None else offset) + info + palette + gap + pixels


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
                if few and (size in (12, 16) or c % 3):  # they have no number of colors
                    continue
                colors = rng.integers(0, 256, (count, 3)).astype(np.uint8)
                entries = b"".join(bytes(color[::-1]) + (b"" if size == 12 else b"\0") for color in colors)
                for top_down in (False, True) if size >= 40 and "OS/2" not in header else (False,):
                    data = rows(indices if top_down else indices[::-1], bits).tobytes()
                    kind = f"{header}, {bits} bits" + (", few colors" if few else "") + (", top down" if top_down else "")
                    yield picture(kind, bmp(header, width, height, bits, data, entries, colors=count if few else 0, top_down=top_down), colors[indices])
    for header, bits in itertools.product(HEADERS, (16, 24, 32)):
        for c, (width, height) in enumerate([*content.sizes(bits), (203, 155)]):
            color = content.rgb(width, height, c).astype(int)
            if bits == 16:
                five = color >> 3
                values, truth = five[..., 0] << 10 | five[..., 1] << 5 | five[..., 2], (five * 255 // 31).astype(np.uint8)
            else:
                values, truth = color[..., 0] << 16 | color[..., 1] << 8 | color[..., 2], color.astype(np.uint8)
            for top_down in (False, True) if "OS/2" not in header else (False,):
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
            data = rows(values[::-1], bits).tobytes()
            yield picture(f"{header}, bit fields {name}", bmp(header, width, height, bits, data, compression=3, masks=masks), truth)
            if header == "Windows 3":
                yield picture(f"Windows CE, bit fields {name}", bmp(header, width, height, bits, data, compression=6, masks=masks), truth)
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
    yield from odd(picture)


def odd(picture):
    """What old programs and careless ones write, and what is not read."""
    for c, (width, height) in enumerate(content.sizes(3)):
        rng = np.random.default_rng([width, height])
        gray, color = content.gray(width, height, c).astype(int), content.rgb(width, height, c).astype(int)
        values = color[..., 0] << 16 | color[..., 1] << 8 | color[..., 2]
        garbage = rng.integers(0, 256, (height, width)) << 24 | values
        truth = color.astype(np.uint8)
        for header in ("OS/2 1", "Windows 3", "V3", "V4", "V5"):
            yield picture(f"{header}, 32 bits, anything in the fourth byte", bmp(header, width, height, 32, rows(garbage[::-1], 32).tobytes()), truth)
        masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
        for header in ("V4", "V5"):
            yield picture(f"{header}, 32 bits, masks that do not count", bmp(header, width, height, 32, rows(garbage[::-1], 32).tobytes(), masks=masks), truth)
            yield picture(f"{header}, bit fields of no bits", bmp(header, width, height, 32, rows(garbage[::-1], 32).tobytes(), compression=3), truth)
        five = color >> 3
        short = rng.integers(0, 2, (height, width)) << 15 | five[..., 0] << 10 | five[..., 1] << 5 | five[..., 2]
        yield picture("16 bits, anything in the highest", bmp("Windows 3", width, height, 16, rows(short[::-1], 16).tobytes()), (five * 255 // 31).astype(np.uint8))
        whole = bmp("Windows 3", width, height, 24, rows(values[::-1], 24).tobytes())
        yield picture("bytes after the end", whole + b"\0" * 50, truth)
        yield picture("last row not filled up", whole[: len(whole) - -width * 3 % 4], truth)
        yield picture("no planes", bmp("Windows 3", width, height, 24, rows(values[::-1], 24).tobytes(), planes=0), truth)
        yield picture("no offset", bmp("Windows 3", width, height, 24, rows(values[::-1], 24).tobytes(), offset=0), truth)
        if height > 1:
            yield picture("rows missing", whole[: len(whole) - -(-width * 3 // 4) * 4])

        def palette(colors):
            return b"".join(bytes([*(int(v) for v in color[::-1]), 0]) for color in colors)

        for bits in (1, 4, 8):
            indices, count = gray >> (8 - bits), 1 << bits
            data = rows(indices[::-1], bits).tobytes()
            ramp = np.linspace(0, 255, count).astype(np.uint8)[:, None].repeat(3, 1)
            for name, colors in (("gray", ramp), ("gray from white", ramp[::-1]), ("nearly gray", np.maximum(ramp, [[0, 1, 0]]).astype(np.uint8))):
                yield picture(f"{bits} bits, {name}", bmp("Windows 3", width, height, bits, data, palette(colors), colors=count * (c % 2)), colors[indices])
            colors = rng.integers(0, 256, (count, 3)).astype(np.uint8)
            for name, offset in (("no offset", 0), ("an offset that forgets the palette", 54)):
                yield picture(f"{bits} bits, {name}", bmp("Windows 3", width, height, bits, data, palette(colors), offset=offset), colors[indices])
            present = max(int(indices.max()) + 1, 2)
            yield picture(f"{bits} bits, palette cut by the offset", bmp("Windows 3", width, height, bits, data, palette(colors[:present])), colors[indices])
            more = np.concatenate([colors, rng.integers(0, 256, (44, 3)).astype(np.uint8)])
            yield picture(f"{bits} bits, palette too large", bmp("Windows 3", width, height, bits, data, palette(more), colors=len(more)), colors[indices])
            black = np.where(np.arange(count)[:, None] < count // 2, colors, 0).astype(np.uint8)
            short = bmp("Windows 3", width, height, bits, data, palette(colors[: count // 2]), colors=count // 2)
            yield picture(f"{bits} bits, colors beyond the palette", short, black[indices])
    # Runs by hand: a jump, an early end, no end, rows from the top, and what goes out of its row.
    colors = np.array([[9, 8, 7], [60, 50, 40], [1, 2, 3], [200, 100, 0]], np.uint8)
    entries = b"".join(bytes([*(int(v) for v in color[::-1]), 0]) for color in colors)

    def runs(data, indices, kind, top_down=False, bits=8):
        width = len(indices[0]) if indices else 4
        indices = None if indices is None else colors[np.array(indices) if top_down else np.array(indices)[::-1]]
        file = bmp("Windows 3", width, 3, bits, bytes(data), entries, compression=1 if bits == 8 else 2, colors=4, top_down=top_down)
        return picture(f"RLE{bits} {kind}", file, indices)

    full = [[1] * 4, [2] * 4, [3] * 4]
    for top_down in (False, True):
        yield runs([4, 1, 0, 0, 4, 2, 0, 0, 4, 3, 0, 1], full, "top down" if top_down else "by hand", top_down)
        yield runs([4, 0x12, 0, 0, 0, 3, 0x32, 0x10, 1, 0x30, 0, 0, 4, 0x33, 0, 1], [[1, 2, 1, 2], [3, 2, 1, 3], [3] * 4], "top down" if top_down else "by hand", top_down, 4)
    # ImageMagick fills up rows to four bytes before it counts runs.
    yield runs([4, 1, 0, 0, 4, 2, 0, 0, 4, 3, 0, 0, 0, 1], [[1], [2], [3]], "of rows filled up")
    yield runs([8, 0x12, 0, 0, 2, 0x12, 6, 0x30, 0, 0, 8, 0x33, 0, 0, 0, 1], [[1, 2, 1, 2], [1, 2, 3, 0], [3] * 4], "of rows filled up", bits=4)
    yield runs([0, 8, 0x12, 0x12, 0, 0, 0, 0, 0, 8, 0x22, 0x22, 0, 0, 0, 0, 4, 0x33, 0, 1], [[1, 2, 1, 2], [2] * 4, [3] * 4], "of rows filled up, verbatim", bits=4)
    yield runs([4, 1, 0, 0, 4, 2, 0, 0, 4, 3], full, "without an end")
    yield runs([4, 1, 0, 0, 4, 2, 0, 0, 4, 3, 0, 0], full, "without an end but of the row")
    yield runs([2, 1, 0, 2, 1, 1, 1, 2, 0, 0, 0, 2, 4, 0, 0, 0], [[1, 1, 0, 0], [0, 0, 0, 2], [0] * 4], "with a jump to the end of a row")
    yield runs([2, 1, 0, 1], [[1, 1, 0, 0], [0] * 4, [0] * 4], "that ends early")
    yield runs([0, 1], [[0] * 4] * 3, "of nothing")
    yield runs([4, 1, 0, 0, 4, 2, 0, 0, 3, 3], None, "cut")
    yield runs([4, 1, 0, 0, 4, 2, 0, 0, 0, 4, 3, 3], None, "cut in a run")
    yield runs([5, 1, 0, 0, 4, 2, 0, 0, 4, 3, 0, 1], None, "beyond the row")
    yield runs([2, 1, 0, 3, 1, 1, 1, 0, 0, 0, 0, 1], None, "beyond the row")
    yield runs([0, 2, 5, 0, 1, 1, 0, 1], None, "that jumps out")
    yield runs([0, 2, 0, 4, 1, 1, 0, 1], None, "that jumps out")
    for name, bits, compression in (("JPEG inside", 0, 4), ("PNG inside", 0, 5), ("CMYK", 32, 11), ("64 bits", 64, 0)):
        yield picture(name, bmp("V5", 9, 7, bits, bytes(9 * 7 * 8), compression=compression))
    yield picture("Huffman codes", bmp("OS/2 2", 9, 7, 1, bytes(70), bytes(8), compression=3))
    yield picture("RLE24", bmp("OS/2 2", 9, 7, 24, bytes(70), compression=4))
    single = bmp("OS/2 1", 9, 7, 24, rows(np.zeros((7, 9), int), 24).tobytes(), offset=14 + 14 + 12)
    yield picture("array", b"BA" + struct.pack("<IIHH", 40, 0, 640, 480) + single)
    yield picture("pixels in the header", bmp("Windows 3", 9, 7, 24, bytes(28 * 7), offset=40))
    yield picture("bit fields with gaps", bmp("V4", 9, 7, 32, bytes(36 * 7), compression=3, masks=(0xFF00FF, 0xFF00, 0xFF000000, 0)))
