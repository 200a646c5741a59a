"""TIFF, by a writer of any tags, and what Pillow's libtiff and tiffcp make of them."""

import io
import itertools
import struct
import subprocess
import tempfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

from . import content, jpeg, webp
from .content import Picture, eight_bits
from .exif import xmp
from .png import packed

COMPRESSIONS = {"none": 1, "LZW": 5, "Deflate": 8, "old Deflate": 32946, "PackBits": 32773}
SIZES = {1: "B", 2: "s", 3: "H", 4: "I", 5: "II", 7: "B", 16: "Q"}


def lzw(data, old=False):
    """Most significant bit first, and one code early, as TIFF has it; or as files of before TIFF 5 have it."""
    early = 0 if old else 1
    table, size, following, now = {bytes([v]): v for v in range(256)}, 9, 258, b""
    codes = [(256, 9)]
    for value in data:
        longer = now + bytes([value])
        if longer in table:
            now = longer
            continue
        codes.append((table[now], size))
        table[longer] = following
        following += 1
        if following == 4094:
            codes.append((256, 12))
            table, size, following = {bytes([v]): v for v in range(256)}, 9, 258
        elif following + early > 1 << size:
            size += 1
        now = bytes([value])
    if now:
        codes.append((table[now], size))
        following += 1
        if following + early > 1 << size and size < 12:
            size += 1
    codes.append((257, size))
    if old:
        number, at = 0, 0
        for code, width in codes:
            number, at = number | code << at, at + width
        return number.to_bytes(-(-at // 8), "little")
    bits = "".join(f"{code:0{width}b}" for code, width in codes)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def packbits(data):
    """Runs of three and more, all else verbatim."""
    out, at = b"", 0
    while at < len(data):
        run = 1
        while run < 128 and at + run < len(data) and data[at + run] == data[at]:
            run += 1
        if run > 2:
            out, at = out + bytes([257 - run, data[at]]), at + run
        else:
            part = data[at : at + 5]
            out, at = out + bytes([len(part) - 1]) + part, at + len(part)
    return out


def compress(data, compression):
    if compression in (8, 32946):
        return zlib.compress(data)
    return {1: bytes, 5: lzw, 32773: packbits}[compression](data)


def coded(samples, bits, order, predictor, fill, compression):
    """One strip or tile [H, W, C]."""
    height = len(samples)
    if samples.dtype.kind == "f":
        rows = samples.astype(f"{order}f{bits // 8}").view(np.uint8).reshape(height, -1)
        if predictor == 3:
            planes = samples.astype(f">f{bits // 8}").view(np.uint8).reshape(height, -1, bits // 8)
            rows = planes.transpose(0, 2, 1).reshape(height, -1)
            step = samples.shape[2]
            rows = np.concatenate([rows[:, :step], rows[:, step:] - rows[:, :-step]], 1)
    else:
        if predictor == 2:
            samples = np.concatenate([samples[:, :1], (samples[:, 1:] - samples[:, :-1]) & ((1 << bits) - 1)], 1)
        flat = samples.reshape(height, -1)
        if bits in (16, 32):
            rows = (flat & ((1 << bits) - 1)).astype(f"{order}u{bits // 8}").view(np.uint8).reshape(height, -1)
        else:
            rows = packed(flat, bits)
    data = rows.tobytes()
    data = compress(data, compression)
    if fill == 2:
        data = np.packbits(np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")).tobytes()
    return data


def tiff(samples, bits, photometric, compression=1, predictor=1, fill=1, order="<", big=False, planar=1, rows=None, tile=None, extra=None, tags=(), more=(), without=(), behind=False):
    """A file of samples [H, W, C]; `more` are further pages, `tags` further tags: number, kind, values; `without` such as are left out.

    Arrays of numbers come before their directory, or `behind` it, as libtiff writes them.
    """
    magic = {"<": b"II", ">": b"MM"}[order] + (struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HI", 42, 8))
    out, link = bytearray(magic), (8 if big else 4)
    word = "Q" if big else "I"
    for at, page in enumerate([samples, *more]):
        height, width, count = page.shape
        planes = [page[..., c : c + 1] for c in range(count)] if planar == 2 else [page]
        parts = []
        for plane in planes:
            if tile:
                padded = np.pad(plane, ((0, -height % tile), (0, -width % tile), (0, 0)), mode="edge")
                parts += [padded[y : y + tile, x : x + tile] for y in range(0, height, tile) for x in range(0, width, tile)]
            else:
                parts += [plane[y : y + (rows or height)] for y in range(0, height, rows or height)]
        offsets, lengths = [], []
        for part in parts:
            data = coded(part, bits, order, predictor, fill, compression)
            offsets.append(len(out))
            lengths.append(len(data))
            out += data + b"\0" * (len(data) % 2)
        entries = {
            256: (3, [width]), 257: (3, [height]), 258: (3, [bits] * count), 259: (3, [compression]), 262: (3, [photometric]),
            266: (3, [fill]), 277: (3, [count]), 284: (3, [planar]), 317: (3, [predictor]),
        }
        if samples.dtype.kind == "f":
            entries[339] = (3, [3] * count)
        if tile:
            entries |= {322: (3, [tile]), 323: (3, [tile]), 324: (4, offsets), 325: (4, lengths)}
        else:
            entries |= {273: (4, offsets), 278: (3, [rows or height]), 279: (4, lengths)}
        if extra is not None:
            entries[338] = (3, [extra])
        entries |= {number: (kind, values) for number, kind, values in tags}
        entries = {number: entry for number, entry in entries.items() if number not in without}
        size = struct.calcsize("=" + word)
        own = struct.calcsize("=" + ("Q" if big else "H")) + len(entries) * (4 + 2 * size) + size
        out += b"\0" * (behind and len(out) % 2)
        table, arrays, start = b"", b"", len(out) + (own + own % 2 if behind else 0)
        for number, (kind, values) in sorted(entries.items()):
            body = b"".join(struct.pack(order + SIZES[kind], *(value if kind == 5 else (value,))) for value in values)
            if len(body) > struct.calcsize("=" + word):
                where = start + len(arrays)
                assert where % 2 == 0
                arrays += body + b"\0" * (len(body) % 2)
                body = struct.pack(order + word, where)
            table += struct.pack(order + "HH" + word, number, kind, len(values)) + body.ljust(struct.calcsize("=" + word), b"\0")
        if not behind:
            out += arrays
        out[link : link + struct.calcsize("=" + word)] = struct.pack(order + word, len(out))
        out += struct.pack(order + ("Q" if big else "H"), len(entries)) + table
        link = len(out)
        out += struct.pack(order + word, 0)
        if behind:
            out += b"\0" * (own % 2) + arrays
    return bytes(out)


def tiffcp(data, *arguments):
    with tempfile.TemporaryDirectory() as folder:
        a, b = Path(folder) / "a.tif", Path(folder) / "b.tif"
        a.write_bytes(data)
        subprocess.run(["tiffcp", *arguments, a, b], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return b.read_bytes()


def of_strip(strip, width, height, count, photometric, compression, tags=(), bits=8):
    """A file of one strip that was made elsewhere, of so many samples a pixel."""
    tags = [
        (256, 3, [width]), (257, 3, [height]), (258, 3, [bits] * count), (259, 3, [compression]), (277, 3, [count]), (278, 3, [height]),
        (279, 4, [len(strip)]), (273, 4, [0]), *tags]
    data = tiff(np.zeros((1, 1, 1), int), 8, photometric, tags=tags)
    at = len(data) + len(data) % 2
    where = data.index(struct.pack("<HHII", 273, 4, 1, 0))
    return data[: where + 8] + struct.pack("<I", at) + data[where + 12 :] + b"\0" * (len(data) % 2) + strip


def as_jpeg(color, sampling):
    """Strips of JPEG: whole files, with their own tables and markers."""
    height, width = color.shape[:2]
    h, v = map(int, sampling.split("x"))
    for coding in ("one scan", "progressive"):
        yield f"JPEG YCbCr {sampling}, {coding}", of_strip(jpeg.coded(color, coding, sampling), width, height, 3, 6, 7, [(530, 3, [h, v])])
    if sampling == "1x1":
        yield "JPEG RGB", of_strip(jpeg.cjpeg(color, "-rgb"), width, height, 3, 2, 7)
        yield "JPEG YCbCr called RGB", of_strip(jpeg.coded(color, "one scan", sampling), width, height, 3, 2, 7)
        yield "JPEG gray", of_strip(jpeg.cjpeg(color, "-grayscale"), width, height, 1, 1, 7)
        yield "JPEG white is 0", of_strip(jpeg.cjpeg(color, "-grayscale"), width, height, 1, 0, 7)
        out = io.BytesIO()
        inks = np.concatenate([color, 255 - color[..., :1]], -1)
        Image.fromarray(inks, "CMYK").save(out, "JPEG", quality=90)
        yield "JPEG CMYK", of_strip(out.getvalue(), width, height, 4, 5, 7)


# Coefficients of BT.709, and the reference of digital video.
YCBCR_TAGS = {
    "coefficients": [(529, 5, [(2126, 10000), (7152, 10000), (722, 10000)])],
    "reference": [(532, 5, [(16, 1), (235, 1), (128, 1), (240, 1), (128, 1), (240, 1)])],
    "unusual reference": [(532, 5, [(0, 1), (200, 1), (120, 1), (255, 1), (401, 3), (511, 2)])],
}


def ycbcr(color, subsampling, compression, tags=()):
    """A file of clusters of luma and one of each chroma, and its pixels: those that libtiff sees in an even number of whole clusters."""
    (height, width), (h, v) = color.shape[:2], subsampling
    ycc = np.asarray(Image.fromarray(color).convert("YCbCr")).astype(int)

    def write(width, height, compression):
        full = np.pad(ycc, ((0, -len(ycc) % v), (0, -width % h + width - ycc.shape[1]), (0, 0)), mode="edge")
        cells = full.reshape(full.shape[0] // v, v, full.shape[1] // h, h, 3).transpose(0, 2, 1, 3, 4)
        luma = cells[..., 0].reshape(*cells.shape[:2], -1)
        strip = compress(np.concatenate([luma, cells[:, :, 0, 0, 1:]], -1).astype(np.uint8).tobytes(), compression)
        return of_strip(strip, width, height, 3, 6, compression, [(530, 3, [h, v]), *tags])

    # Pillow has libtiff convert what is compressed, alone.
    whole = Image.open(io.BytesIO(write(width + -width % (2 * h), height + -height % v, 8)))
    return write(width, height, compression), np.asarray(whole.convert("RGB"))[:height, :width]


# Photometric, samples of a pixel, ExtraSamples.
LAYOUTS = {
    "gray": (1, 1, None), "white is 0": (0, 1, None), "RGB": (2, 3, None), "gray, extra 0": (1, 2, 0), "gray, extra 1": (1, 2, 1),
    "gray, extra 2": (1, 2, 2), "RGB, extra 0": (2, 4, 0), "RGB, extra 1": (2, 4, 1), "RGB, extra 2": (2, 4, 2), "CMYK": (5, 4, None),
    "palette": (3, 1, None), "Lab": (8, 3, None),
}


def made(layout, bits, width, height, c):
    photometric, count, extra = LAYOUTS[layout]
    rng = np.random.default_rng([bits, width, height, c])
    color = content.rgb(width, height, c).astype(np.int64) if count > 2 else content.gray(width, height, c).astype(np.int64)[..., None]
    spread = color * ((1 << bits) - 1) // 255
    if bits > 8:
        spread ^= rng.integers(0, 1 << (bits - 8), spread.shape)
    if count in (2, 4):
        spread = np.concatenate([spread, rng.integers(0, 1 << bits, (height, width, 1))], -1)
    tags, truth = [], None
    if photometric <= 2:
        values = spread[..., : 1 if photometric < 2 else 3]
        if extra == 1:
            # The colors are multiplied with the alpha; what was transparent is black.
            alpha = spread[..., -1:]
            values = np.where(alpha > 0, np.minimum(values * ((1 << bits) - 1) // np.maximum(alpha, 1), (1 << bits) - 1), 0)
        values = eight_bits(values if photometric else (1 << bits) - 1 - values, bits)
        truth = values[..., 0] if photometric < 2 else values
    if layout == "CMYK":
        inks = eight_bits(spread, bits)
        truth = np.asarray(Image.frombytes("CMYK", (width, height), inks.tobytes()).convert("RGB"))
    if layout == "Lab":
        truth = np.asarray(Image.frombytes("LAB", (width, height), spread.astype(np.uint8).tobytes()).convert("RGB"))
    if layout == "palette":
        palette = rng.integers(0, 256, (3, 1 << bits))
        tags = [(320, 3, (palette * 257).ravel().tolist())]
        truth = palette[:, spread[..., 0]].transpose(1, 2, 0).astype(np.uint8)
    return spread, tags, truth


def pictures():
    number = itertools.count()

    def picture(kind, data, truth=None):
        return Picture(f"tiff {kind}", f"tiff-{next(number):05}.tif", data, truth)

    depths = {"gray": (1, 2, 4, 8, 12, 16, 32), "white is 0": (1, 2, 4, 8, 16), "palette": (1, 2, 4, 8), "RGB": (4, 8, 16, 32)}
    for layout, (photometric, count, extra) in LAYOUTS.items():
        for bits in depths.get(layout, (8,) if layout == "Lab" else (8, 16)):
            for a, (name, compression) in enumerate(COMPRESSIONS.items()):
                for predictor in (1, 2) if bits in (8, 16, 32) and compression in (5, 8) and layout != "palette" else (1,):
                    kind = f"{layout} of {bits} bits, {name}" + (", predictor" if predictor == 2 else "")
                    for c, (width, height) in enumerate(content.sizes(a)):
                        if compression in (5, 32773) and c % 2:
                            continue
                        samples, tags, truth = made(layout, bits, width, height, c)
                        order, rows = "<>"[c % 2], (None, 1, 5)[c % 3]
                        yield picture(kind, tiff(samples, bits, photometric, compression, predictor, 1, order, False, 1, rows, None, extra, tags), truth)
            # The rest by pairs.
            for c, (width, height) in enumerate([(33, 17), (70, 41), (16, 16), (9, 40)]):
                samples, tags, truth = made(layout, bits, width, height, c)
                write = lambda **more: tiff(samples, bits, photometric, extra=extra, tags=tags, **more)
                base = f"{layout} of {bits} bits"
                for compression in (1, 8, 5)[: 2 + (c == 0)]:
                    yield picture(f"{base}, tiled", write(compression=compression, tile=16, order="<>"[c % 2]), truth)
                    yield picture(f"{base}, big", write(compression=compression, big=True, order="<>"[c % 2]), truth)
                    yield picture(f"{base}, pages", write(compression=compression, more=[samples[::-1]]), truth)
                    if count > 1:
                        yield picture(f"{base}, planar", write(compression=compression, planar=2, rows=(None, 7)[c % 2]), truth)
                        yield picture(f"{base}, planar, tiled", write(compression=compression, planar=2, tile=16), truth)
                        if bits in (8, 16) and compression != 1:
                            yield picture(f"{base}, planar, predictor", write(compression=compression, planar=2, predictor=2), truth)
                    if bits in (8, 16) and compression != 1 and layout != "palette":
                        yield picture(f"{base}, tiled, predictor", write(compression=compression, tile=16, predictor=2), truth)
                    yield picture(f"{base}, bits reversed, {'none' if compression == 1 else 'compressed'}", write(compression=compression, fill=2), truth)
    for c, (width, height) in enumerate(content.sizes(1)):
        samples = content.gray(width, height, c)[..., None] / 255.0
        for bits, predictor, compression in itertools.product((16, 32, 64), (1, 3), (1, 8)):
            if predictor == 3 and compression == 1:
                continue
            kind = f"float gray of {bits} bits" + (", predictor" if predictor == 3 else "")
            yield picture(kind, tiff(samples, bits, 1, compression, predictor, order="<>"[c % 2]), np.rint(samples[..., 0] * 255).astype(np.uint8))
        color = content.rgb(width, height, c)
        yield picture("float RGB of 32 bits", tiff(color / 255.0, 32, 2), color)
        for bits in (8, 16, 32):
            half = 1 << (bits - 1)
            signed = content.gray(width, height, c)[..., None].astype(np.int64) * ((1 << bits) - 1) // 255 - half
            values = np.maximum(signed[..., 0], 0)
            truth = {8: (values * 255 + 63) // 127, 16: (values * 255 + half // 2) // (half - 1), 32: np.rint(values.astype(np.float32) / np.float32(half - 1) * np.float32(255))}
            yield picture(f"signed gray of {bits} bits", tiff(signed & ((1 << bits) - 1), bits, 1, tags=[(339, 3, [2])], order="<>"[c % 2]), truth[bits].astype(np.uint8))
        plain = tiff(color.astype(int), 8, 2)
        gray = tiff(content.gray(width, height, c)[..., None].astype(int), 8, 1)
        bilevel = tiff((content.gray(width, height, c)[..., None] > 127).astype(int), 1, c % 2)
        for name in ("g3", "g3:2d", "g3:fill", "g3:2d:fill", "g4"):
            for fill in ("lsb2msb", "msb2lsb"):
                yield picture(f"{name}, {fill}", tiffcp(bilevel, "-c", name, "-f", fill))
            yield picture(f"{name}, strips", tiffcp(bilevel, "-c", name, "-r", "5"))
            yield picture(f"{name}, tiled", tiffcp(bilevel, "-c", name, "-t", "-w", "32", "-l", "16"))
        for name in ("tiff_ccitt", "group3", "group4"):
            for wide, what in ((1, ""), (70, ", wide")):
                out = io.BytesIO()
                pixels = np.repeat(content.gray(width, height, c) > 127, wide, 1)
                Image.fromarray(pixels).save(out, "TIFF", compression=name)
                yield picture(f"Pillow {name}{what}", out.getvalue(), pixels.astype(np.uint8) * 255)
        old = lzw(color.tobytes(), old=True)
        yield picture("old LZW", of_strip(old, width, height, 3, 2, 5), color)
        low = np.random.default_rng(c).integers(0, 256, (3, 256))
        indices = content.gray(width, height, c)
        yield picture("palette of low bytes", tiff(indices[..., None].astype(int), 8, 3, tags=[(320, 3, low.ravel().tolist())]), low[:, indices].transpose(1, 2, 0).astype(np.uint8))
        for sampling in ("1x1", "2x1", "1x2", "2x2", "4x1"):
            for kind, data in as_jpeg(color, sampling):
                yield picture(kind, data)
        for lossless in (False, True):
            strip = webp.saved(Image.fromarray(color), lossless=lossless)
            seen = np.asarray(Image.open(io.BytesIO(strip)).convert("RGB"))
            yield picture("WebP, " + ("lossless" if lossless else "lossy"), of_strip(strip, width, height, 3, 2, 50001), seen)
        # Without a word on the kind of color.
        for bits, source in ((8, content.gray(width, height, c)), (1, (content.gray(width, height, c) > 127).astype(np.uint8))):
            silent = source[..., None].astype(int)
            yield picture(f"no kind of color, {bits} bits", tiff(silent, bits, 0, (1, 8)[c % 2], without=(262,)), 255 - source * (1 if bits == 8 else 255))
        for name in ("zstd", "zstd:2", "lzma", "jpeg:r", "jpeg", "lzw:2", "zip:2"):
            for kind, source in (("RGB", plain), ("gray", gray)):
                for tiled in ((), ("-t", "-w", "16", "-l", "16")):
                    try:
                        data = tiffcp(source, "-c", name, *tiled)
                    except subprocess.CalledProcessError:
                        continue
                    yield picture(f"{kind}, tiffcp {name}" + (", tiled" if tiled else ""), data)
        for subsampling in ((1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (4, 2), (4, 4)):
            kind = "YCbCr {}x{}".format(*subsampling)
            if width < subsampling[0] or height < subsampling[1]:
                kind = "YCbCr smaller than a cluster"
            elif subsampling == (4, 4) and -(-width // 4) % 2:
                kind = "YCbCr 4x4, odd"
            yield picture(f"{kind}, none", *ycbcr(color, subsampling, 1))
            yield picture(f"{kind}, Deflate", *ycbcr(color, subsampling, 8))
            yield picture(f"{kind}, LZW", *ycbcr(color, subsampling, 5))
            for name, tags in YCBCR_TAGS.items():
                yield picture(f"{kind}, {name}", *ycbcr(color, subsampling, 8, tags))
    samples, _, truth = made("RGB", 8, 33, 17, 0)
    for o in range(1, 9):
        for kind, order in itertools.product((3, 4), "<>"):
            yield picture(f"orientation, {'SHORT' if kind == 3 else 'LONG'}", tiff(samples, 8, 2, order=order, tags=[(274, kind, [o])]))
        yield picture("XMP orientation", tiff(samples, 8, 2, tags=[(700, 1, list(xmp(o)))]))
    for order, big in itertools.product("<>", (False, True)):
        yield picture("arrays behind" + (", big" if big else ""), tiff(samples, 8, 2, order=order, big=big, rows=5, behind=True), truth)
    yield picture("bytes after the end", tiff(samples, 8, 2) + b"\0" * 50)
