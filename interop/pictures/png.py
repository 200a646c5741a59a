"""PNG, by a writer of chunks."""

import io
import itertools
import struct
import zlib

import numpy as np
from PIL import Image

from . import content
from .content import Picture, eight_bits
from .exif import exif, variants, xmp

CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
NAMES = {0: "gray", 2: "RGB", 3: "palette", 4: "gray with alpha", 6: "RGBA"}
DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def packed(samples, depth):
    """Rows of samples [H, N] as bytes [H, B]."""
    if depth == 8:
        return samples.astype(np.uint8)
    if depth == 16:
        return samples.astype(">u2").view(np.uint8).reshape(len(samples), -1)
    bits = (samples[..., None] >> np.arange(depth - 1, -1, -1)) & 1
    return np.packbits(bits.reshape(len(samples), -1).astype(np.uint8), axis=1)


def filtered(rows, step, filters):
    out, above = [], np.zeros(rows.shape[1], int)
    for y, row in enumerate(rows.astype(int)):
        left = np.concatenate([np.zeros(step, int), row])[: len(row)]
        corner = np.concatenate([np.zeros(step, int), above])[: len(row)]
        kind = filters[y % len(filters)]
        estimate = left + above - corner
        a, b, c = abs(estimate - left), abs(estimate - above), abs(estimate - corner)
        paeth = np.where((a <= b) & (a <= c), left, np.where(b <= c, above, corner))
        guess = (0, left, above, (left + above) // 2, paeth)[kind]
        out.append(bytes([kind]) + ((row - guess) & 255).astype(np.uint8).tobytes())
        above = row
    return b"".join(out)


def png(samples, color, depth, interlaced=False, filters=(0, 1, 2, 3, 4), before=(), after=(), split=None, level=6):
    """A file of samples [H, W, C]; chunks before the pixels and after them."""
    height, width = samples.shape[:2]
    step = max(CHANNELS[color] * depth // 8, 1)
    data = b""
    for x, y, dx, dy in PASSES if interlaced else ((0, 0, 1, 1),):
        part = samples[y::dy, x::dx]
        if part.size:
            data += filtered(packed(part.reshape(len(part), -1), depth), step, filters)
    data = zlib.compress(data, level)
    split = split or len(data)
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced))
    pixels = b"".join(chunk(b"IDAT", data[at : at + split]) for at in range(0, len(data), split))
    extra = lambda chunks: b"".join(chunk(*one) for one in chunks)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra(before) + pixels + extra(after) + chunk(b"IEND", b"")


def made(width, height, color, depth, number):
    """Samples of a kind, chunks that belong to them, and the pixels that they are."""
    rng = np.random.default_rng([9, width, height, number])
    full = content.rgb(width, height, number).astype(int)
    if color in (0, 4):
        full = content.gray(width, height, number).astype(int)[..., None]
    if color == 3:
        palette = rng.integers(0, 256, (1 << depth, 3)).astype(np.uint8)
        samples = full[..., :1] >> (8 - depth)
        return samples, [(b"PLTE", palette.tobytes())], palette[samples[..., 0]]
    samples = full * 257 ^ rng.integers(0, 256, full.shape) if depth == 16 else full >> (8 - depth)
    pixels = eight_bits(samples, depth)
    if color in (4, 6):
        samples = np.concatenate([samples, rng.integers(0, 1 << depth, (height, width, 1))], -1)
    return samples, [], pixels[..., 0] if color == 4 or color == 0 else pixels


def pictures():
    number = itertools.count()

    def picture(kind, data, truth=None):
        return Picture(f"png {kind}", f"png-{next(number):05}.png", data, truth)

    for color, interlaced in itertools.product(CHANNELS, (False, True)):
        for depth in DEPTHS[color]:
            kind = f"{NAMES[color]} of {depth} bits" + (", interlaced" if interlaced else "")
            for c, (width, height) in enumerate([*content.sizes(depth), (203, 155)]):
                samples, before, truth = made(width, height, color, depth, c)
                yield picture(kind, png(samples, color, depth, interlaced, before=before), truth)
                if c % 3 == 0:
                    yield picture(kind, png(samples, color, depth, interlaced, (c % 5,), before, split=7, level=c % 10), truth)
                if color == 3:
                    alpha = bytes(range(0, 256, 1 << (8 - depth)))[: (1 << depth) - c % 2]
                    yield picture(f"{kind}, tRNS", png(samples, color, depth, interlaced, before=[*before, (b"tRNS", alpha)]), truth)
                elif color in (0, 2):
                    clear = samples[0, 0].astype(">u2").tobytes()
                    yield picture(f"{kind}, tRNS", png(samples, color, depth, interlaced, before=[(b"tRNS", clear)]), truth)
    for side in range(1, 71):
        for color, depth, interlaced in ((0, 1, True), (0, 4, False), (2, 8, True), (3, 2, False), (6, 8, True)):
            samples, before, truth = made(side, 71 - side, color, depth, side)
            yield picture(f"{NAMES[color]} of {depth} bits, every size", png(samples, color, depth, interlaced, before=before), truth)
    samples, _, truth = made(33, 17, 2, 8, 0)
    plain = lambda **more: png(samples, 2, 8, **more)
    for o in range(1, 9):
        for name, make in variants():
            yield picture(f"EXIF orientation, {name}", plain(before=[(b"eXIf", make(o))]))
            yield picture(f"EXIF orientation after the pixels, {name}", plain(after=[(b"eXIf", make(o))]))
        for element in (False, True):
            text = b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(o, element)
            yield picture("XMP orientation", plain(before=[(b"iTXt", text)]))
        yield picture("XMP orientation, compressed", plain(before=[(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + zlib.compress(xmp(o)))]))
        text = b"XML:com.adobe.xmp\0\0\0\0\0" + xmp(9 - o)
        yield picture("EXIF orientation, XMP says another", plain(before=[(b"eXIf", exif(o)), (b"iTXt", text)]))
        raw = b"\nexif\n%8d\n" % (len(exif(o)) + 6) + (b"Exif\0\0" + exif(o)).hex().encode()
        yield picture("EXIF orientation in text", plain(before=[(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(raw))]), truth)
    yield picture("gamma", plain(before=[(b"gAMA", struct.pack(">I", 100000))]))
    yield picture("sRGB", plain(before=[(b"sRGB", b"\0")]))
    yield picture("significant bits", plain(before=[(b"sBIT", b"\5\6\5")]))
    yield picture("background color", plain(before=[(b"bKGD", b"\0\1\0\2\0\3")]))
    yield picture("unknown chunk", plain(before=[(b"abCd", b"hello")], after=[(b"xyZz", b"")]))
    yield picture("empty IDAT", plain(before=[(b"IDAT", b"")]))
    yield picture("bytes after the end", plain() + b"\0" * 50)
    for order in range(2):
        frames = [Image.fromarray(content.rgb(33, 17, at)) for at in range(3)]
        out = io.BytesIO()
        frames[0].save(out, "png", save_all=True, append_images=frames[1:], default_image=bool(order))
        yield picture("animated" + (", first picture apart" if order else ""), out.getvalue())
