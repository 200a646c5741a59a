"""JPEG, by cjpeg and Pillow, and by taking their files apart."""

import io
import itertools
import struct
import subprocess
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from . import content
from .content import Picture
from .exif import exif, variants, xmp

SAMPLINGS = (
    # of luma; chroma is 1x1
    "1x1", "2x1", "1x2", "2x2", "4x1", "1x4", "4x2", "2x4", "3x1", "1x3",
    # no subsampling, in another way
    "2x1,2x1,2x1", "1x2,1x2,1x2",
    # chroma at half of what luma has in one direction alone
    "2x2,2x1,2x1", "2x2,1x2,1x2", "4x1,2x1,2x1", "2x2,2x1,1x2", "2x2,2x2,1x1",
    # chroma finer than luma, and luma the largest in neither direction or in one
    "1x1,2x2,1x1", "1x1,2x2,2x2", "1x1,2x1,2x1", "2x1,1x2,1x1", "1x2,2x1,1x1", "2x1,1x2,2x2",
)
# Names, arguments, scan scripts. In a script: components, then Ss-Se, Ah, Al.
CODINGS = {
    "one scan": ([], None),
    "optimized": (["-optimize"], None),
    "scan per component": ([], "0;\n1;\n2;\n"),
    "chroma scans first": ([], "2;\n1;\n0;\n"),
    "chroma pair first": ([], "1 2;\n0;\n"),
    "luma with Cb, then Cr": ([], "0 1;\n2;\n"),
    "progressive": (["-progressive"], None),
    "progressive, spectral alone": ([], "0 1 2: 0-0, 0, 0;\n0: 1-63, 0, 0;\n2: 1-5, 0, 0;\n1: 1-63, 0, 0;\n2: 6-63, 0, 0;\n"),
    "progressive, DC alone by component": (
        [],
        "2: 0-0, 0, 2;\n0: 0-0, 0, 1;\n1: 0-0, 0, 0;\n0: 0-0, 1, 0;\n2: 0-0, 2, 1;\n2: 0-0, 1, 0;\n0: 1-63, 0, 3;\n0: 1-63, 3, 2;\n"
        "1: 1-20, 0, 1;\n1: 21-63, 0, 1;\n1: 1-63, 1, 0;\n2: 1-63, 0, 0;\n0: 1-63, 2, 1;\n0: 1-63, 1, 0;\n",
    ),
    "arithmetic": (["-arithmetic"], None),
    "arithmetic, scan per component": (["-arithmetic"], "0;\n1;\n2;\n"),
    "arithmetic, progressive": (["-arithmetic", "-progressive"], None),
}
RESTARTS = {"": [], "restart each block": ["-restart", "1B"], "restart each row": ["-restart", "1"], "restart each 3": ["-restart", "3B"]}
QUALITIES = (75, 95, 50, 100, 1)


@cache
def script(text):
    file = tempfile.NamedTemporaryFile("w", suffix=".scans", delete=False)  # noqa: SIM115: it lives as long as the process
    file.write(text)
    file.close()
    return file.name


def ppm(pixels):
    kind = 5 if pixels.ndim == 2 else 6
    return b"P%d %d %d 255\n" % (kind, pixels.shape[1], pixels.shape[0]) + pixels.tobytes()


def run(*command, stdin):
    return subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


def cjpeg(pixels, *arguments, scans=None):
    scans = ["-scans", script(scans)] if scans else []
    return run("cjpeg", *map(str, arguments), *scans, stdin=ppm(pixels))


def coded(pixels, coding, sampling, quality=75, more=()):
    arguments, scans = CODINGS[coding]
    # cjpeg gives chroma 1x1 where it is not named.
    return cjpeg(pixels, "-quality", quality, "-sample", sampling, *arguments, *more, scans=scans)


def segments(data):
    """Of a file its segments: markers and what is in them, and of a scan also what follows it, with restarts."""
    out, at = [], 2
    while True:
        assert data[at] == 0xFF, at
        marker = data[at + 1]
        if marker == 0xD9:
            return out
        length = struct.unpack(">H", data[at + 2 : at + 4])[0]
        body, at = data[at + 4 : at + 2 + length], at + 2 + length
        scan = b""
        if marker == 0xDA:
            end = at
            while not (data[end] == 0xFF and data[end + 1] != 0 and not 0xD0 <= data[end + 1] <= 0xD7):
                end += 1
            scan, at = data[at:end], end
        out.append((marker, body, scan))


def joined(parts, between=b"", end=b"\xff\xd9"):
    """A file of segments, with something between them."""
    segment = lambda marker, body, scan: bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + scan
    return b"\xff\xd8" + between.join(segment(*part) for part in parts) + end


def is_frame(marker):
    return 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)


def changed(data, change):
    """A file whose every segment went through a function, that gives what it becomes: a list."""
    return joined([new for part in segments(data) for new in change(*part)])


def with_ids(data, ids):
    """Other names of the components; the scans name them in the order of the frame."""

    def change(marker, body, scan):
        body = bytearray(body)
        if is_frame(marker):
            for at, name in enumerate(ids):
                body[6 + 3 * at] = name
        if marker == 0xDA:
            for at in range(body[0]):
                body[1 + 2 * at] = ids[old.index(body[1 + 2 * at])]
        return [(marker, bytes(body), scan)]

    frame = next(body for marker, body, _ in segments(data) if is_frame(marker))
    old = [frame[6 + 3 * at] for at in range(frame[5])]
    return changed(data, change)


def without(data, *markers):
    return changed(data, lambda marker, body, scan: [] if marker in markers else [(marker, body, scan)])


def with_first(data, marker, body):
    return joined([(marker, body, b""), *segments(data)])


def adobe(transform):
    return b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform)


def with_dnl(data):
    """The height told after the first scan."""
    height, out = b"", []
    for marker, body, scan in segments(data):
        if is_frame(marker):
            height, body = body[1:3], body[:1] + b"\0\0" + body[3:]
        out.append((marker, body, scan))
        if marker == 0xDA and height:
            out.append((0xDC, height, b""))
            height = b""
    return joined(out)


def cmyk(width, height, number):
    color = content.rgb(width, height, number).astype(int)
    black = 255 - color.max(-1)
    ink = 255 - color - black[..., None] // 2
    return Image.fromarray(np.dstack([ink.clip(0, 255), black]).astype(np.uint8), "CMYK")


def pillow(image, **options):
    out = io.BytesIO()
    image.save(out, "jpeg", **options)
    return out.getvalue()


def pictures():
    number = itertools.count()

    def picture(kind, data, truth=None):
        return Picture(f"jpeg {kind}", f"jpeg-{next(number):05}.jpg", data, truth)

    def truth(data):
        with Image.open(io.BytesIO(data)) as image:
            return np.asarray(image.convert("RGB") if image.mode != "L" else image)

    # Sampling x coding x size; restarts, content and quality go around.
    for a, sampling in enumerate(SAMPLINGS):
        for b, coding in enumerate(CODINGS):
            for c, (width, height) in enumerate(content.sizes(a + b)):
                data = coded(content.rgb(width, height, a + b + c), coding, sampling, QUALITIES[(a + b + c) % 5])
                yield picture(f"{sampling}, {coding}", data)
            for c, restart in enumerate(list(RESTARTS)[1:]):
                width, height = [(33, 17), (70, 41), (23, 70)][(a + b + c) % 3]
                data = coded(content.rgb(width, height, a + b + c), coding, sampling, 75, RESTARTS[restart])
                yield picture(f"{sampling}, {coding}, {restart}", data)
    # Large enough to be shrunk while decoding.
    for a, sampling in enumerate(SAMPLINGS):
        for b, coding in enumerate(CODINGS):
            yield picture(f"{sampling}, {coding}", coded(content.rgb(203, 155, 2 * (a + b)), coding, sampling, 90))
    # Whatever sampling cjpeg makes.
    factors = [f"{h}x{v}" for h in (1, 2, 4) for v in (1, 2, 4)]
    for a, three in enumerate(itertools.product(factors, repeat=3)):
        h, v = zip(*((int(f[0]), int(f[2])) for f in three))
        together = sum(x * y for x, y in zip(h, v)) <= 10
        if not together and a % 5:
            continue
        largest = h[0] == max(h) and v[0] == max(v)
        kind = f"any sampling, luma {'largest' if largest else 'not largest'}, " + ("one scan" if together else "scan per component")
        yield picture(kind, coded(content.rgb(45, 35, a), "one scan" if together else "scan per component", ",".join(three), 90))
    # Every size.
    for side in range(1, 71):
        for sampling, coding in (("2x2", "one scan"), ("2x2", "progressive"), ("1x1", "one scan"), ("2x1", "one scan"), ("1x2", "one scan")):
            yield picture(f"{sampling}, {coding}, every size", coded(content.rgb(side, 71 - side, side), coding, sampling, 90))
    # Gray.
    gray_codings = {name: args for name, (args, scans) in CODINGS.items() if scans is None}
    for b, (coding, arguments) in enumerate(gray_codings.items()):
        for c, restart in enumerate(RESTARTS):
            for sampling in ("1x1", "2x2", "1x4", "3x1"):
                for d, (width, height) in enumerate(content.sizes(b + c)):
                    if (c or sampling != "1x1") and d % 3 != b % 3:
                        continue
                    arguments_ = ["-grayscale", "-sample", sampling, "-quality", QUALITIES[d % 5], *arguments, *RESTARTS[restart]]
                    yield picture(", ".join(filter(None, ["gray", sampling, coding, restart])), cjpeg(content.gray(width, height, d), *arguments_))
        yield picture(f"gray, 1x1, {coding}", cjpeg(content.gray(203, 155), "-quality", 90, "-grayscale", *arguments))
    # Quality, and tables of 16 bits.
    for quality in (1, 2, 5, 10, 50, 90, 98, 100):
        for c in range(6):
            for sampling in ("1x1", "2x2"):
                yield picture(f"quality {quality}", coded(content.rgb(40, 25, c), "one scan", sampling, quality))
    # RGB, and what tells it.
    for b, coding in enumerate(CODINGS):
        arguments, scans = CODINGS[coding]
        for c, (width, height) in enumerate(content.sizes(b)):
            data = cjpeg(content.rgb(width, height, c), "-rgb", "-quality", QUALITIES[c % 5], *arguments, scans=scans)
            yield picture(f"RGB by Adobe and names, {coding}", data)
            if c % 3 == b % 3:
                yield picture(f"RGB by names alone, {coding}", without(data, 0xE0, 0xEE))
                yield picture(f"RGB by Adobe alone, {coding}", with_ids(data, b"\1\2\3"))
    for c, (width, height) in enumerate(content.sizes(1)):
        for coding in ("one scan", "scan per component", "progressive", "arithmetic"):
            data = coded(content.rgb(width, height, c), coding, "2x2", 90)
            bare = without(data, 0xE0)
            yield picture("no JFIF", bare)
            yield picture("JFIF, names 'RGB'", with_ids(data, b"RGB"))
            yield picture("no JFIF, names 'RGB'", with_ids(bare, b"RGB"))
            yield picture("no JFIF, names 0 1 2", with_ids(bare, b"\0\1\2"))
            yield picture("no JFIF, names 'YCC'", with_ids(bare, b"\x22\x23\x24"))
            yield picture("JFIF, names 0 1 2", with_ids(data, b"\0\1\2"))
            yield picture("JFIF, names 5 200 7", with_ids(data, bytes([5, 200, 7])))
            yield picture(f"names twice, {coding}", with_ids(data, b"\1\1\1"))
            yield picture(f"names twice 1 2 2, {coding}", with_ids(data, b"\1\2\2"))
            yield picture("Adobe says YCbCr", with_first(bare, 0xEE, adobe(1)))
            yield picture("Adobe says RGB", with_first(bare, 0xEE, adobe(0)))
            yield picture("Adobe says 2", with_first(bare, 0xEE, adobe(2)))
            yield picture("JFIF and Adobe RGB", with_first(data, 0xEE, adobe(0)))
            yield picture("JFIF after Adobe YCbCr", with_first(data, 0xEE, adobe(1)))
            yield picture(f"DNL, {coding}", with_dnl(data), truth(data))
    # CMYK and YCCK.
    for c, (width, height) in enumerate([*content.sizes(2), (203, 155)]):
        image = cmyk(width, height, c)
        for name, options in {
            "one scan": {}, "progressive": {"progressive": True}, "2x1": {"subsampling": 1}, "2x2": {"subsampling": 2},
            "restart": {"restart_marker_blocks": 3},
        }.items():
            data = pillow(image, quality=QUALITIES[c % 3], **options)
            plain = without(data, 0xEE)
            yield picture(f"CMYK, Adobe, {name}", with_first(plain, 0xEE, adobe(0)))
            yield picture(f"CMYK, no Adobe, {name}", plain)
            yield picture(f"YCCK, Adobe, {name}", with_first(plain, 0xEE, adobe(2)))
        scans = script("0;\n1;\n2;\n3;\n")
        for coding, arguments in (("scan per component", ["-scans", scans]), ("arithmetic", ["-arithmetic"])):
            data = run("jpegtran", "-copy", "all", *arguments, stdin=data)
            yield picture(f"CMYK, Adobe, {coding}", data)
            yield picture(f"YCCK, Adobe, {coding}", with_first(without(data, 0xEE), 0xEE, adobe(2)))
    # Orientation.
    for o in range(1, 9):
        for sampling, size in (("2x2", (33, 17)), ("1x1", (9, 70)), ("2x2", (160, 120))):
            data = coded(content.rgb(*size, o), "one scan", sampling, 90)
            for name, make in variants():
                yield picture(f"EXIF orientation, {name}", with_first(data, 0xE1, b"Exif\0\0" + make(o)))
            namespace = b"http://ns.adobe.com/xap/1.0/\0"
            yield picture("XMP orientation, attribute", with_first(data, 0xE1, namespace + xmp(o)))
            yield picture("XMP orientation, element", with_first(data, 0xE1, namespace + xmp(o, True)))
            both = with_first(with_first(data, 0xE1, b"Exif\0\0" + exif(o)), 0xE1, namespace + xmp(9 - o))
            yield picture("EXIF orientation, XMP says another", both)
            yield picture("EXIF orientation after a comment", with_first(with_first(data, 0xE1, b"Exif\0\0" + exif(o)), 0xFE, b"hello"))
            turned = without(data, 0xE0)
            yield picture("EXIF orientation, no JFIF", with_first(turned, 0xE1, b"Exif\0\0" + exif(o)))
    for o in (0, 9, 255):
        yield picture("EXIF orientation beyond 8", with_first(data, 0xE1, b"Exif\0\0" + exif(o)))
    # Harmless padding.
    for c, (coding, restart) in enumerate(itertools.product(("one scan", "scan per component", "progressive", "arithmetic"), RESTARTS)):
        data = coded(content.rgb(70, 41, c), coding, "2x2", 90, RESTARTS[restart])
        parts = segments(data)
        yield picture(f"bytes after the end, {coding}", data + b"\0" * 100)
        yield picture(f"bytes after the end, {coding}", data + bytes(range(256)))
        yield picture(f"another picture after the end, {coding}", data + coded(content.rgb(9, 9), coding, "2x2"))
        yield picture(f"fill bytes between segments, {coding}", joined(parts, b"\xff\xff"))
        yield picture(f"stray bytes between segments, {coding}", joined(parts, b"\0\1\2"))
        comment = [part for one in parts for part in (one, (0xFE, b"\xff\xd9\xff\xda\xff\xc0", b""))]
        yield picture(f"comments between segments, {coding}", joined(comment))
    # Not read by libjpeg-turbo either.
    data = coded(content.rgb(33, 17), "one scan", "2x2")
    at = next(data.index(bytes([0xFF, m]) + b"\0") for m in (0xC0,))
    put = lambda where, value: data[:where] + bytes([value]) + data[where + 1 :]
    yield picture("12 bits", put(at + 4, 12))
    yield picture("lossless", put(at + 1, 0xC3))
    yield picture("hierarchical", put(at + 1, 0xC5))
    data = bytearray(coded(content.rgb(33, 17), "one scan", "3x1"))
    data[data.index(b"\xff\xc0") + 14] = 0x21
    yield picture("fractional sampling", bytes(data))
