"""The reader of pictures beside Pillow: every kind of file, whole and damaged, pixel by pixel.

Kinds are of a few files each; a table below takes one as a pattern (`*`), and an entry that is of no use any more fails the test.
"""

import io
import json
import subprocess
import warnings
from collections import defaultdict
from dataclasses import dataclass
from fnmatch import fnmatchcase

import cv2
import numpy as np
import pictures
import pytest
from conftest import PUPILA
from PIL import Image, ImageFile, ImageOps

PROGRAM = PUPILA.parent / "examples/decode_files"
# Squares that two pixels share count in both, and colors of lower resolution are not interpolated: of small pictures of noise and pure
# colors that is much (crates/image/tests/shrink.rs has photographs), garbage is 28 and more.
AREA_MEAN = 10

# How far JPEG may be from libjpeg-turbo (largest difference, mean of a kind), and why; nothing where no entry is.
TOLERANCE = {
    "tiff Lab *": (40, 1.0, "littleCMS, by which Pillow reads it, interpolates in a table of 33 steps, which is coarse where colors leave RGB"),
}

# Kinds that are read, but not as Pillow does: why. The one who wrote the file knows what is right.
MEANT = {
    "jpeg DNL, *": "libjpeg does not look for the number of lines behind the scan",
    "png gray of 16 bits*": "Pillow clips 16-bit gray to 255; here the high byte is kept, as of 16-bit color (`input.white` says otherwise)",
    "tiff *, big": "Pillow opens no BigTIFF of big-endian order",
    "tiff *, bits reversed, *": "Pillow knows this order of bits of some kinds alone (`OPEN_INFO` in TiffImagePlugin)",
    "tiff gray of 12 bits*": "Pillow clips to 255, and reads one byte order alone; here 4095 is white",
    "tiff gray of 16 bits*": "as PNG's",
    "tiff gray of 32 bits*": "Pillow takes them for signed, clips to 0..255, and reads one byte order alone; here the largest value is white",
    "tiff white is 0 of 16 bits*": "Pillow clips to 255, and reads one byte order alone",
    "tiff RGB of 4 bits*": "Pillow does not open it",
    "tiff RGB of 32 bits*": "Pillow does not open it",
    "tiff RGB of 16 bits, planar*": "Pillow reads uncompressed planes as of 8 bits",
    "tiff RGB, extra ? of 16 bits, planar*": "as above",
    "tiff CMYK of 16 bits, planar*": "as above",
    "tiff RGB, extra 1 of 16 bits*": "Pillow divides by the high byte of the alpha; here all 16 bits count",
    "tiff gray, extra 1*": "Pillow has no way from gray that is multiplied with its alpha to gray or RGB",
    "tiff gray, extra ? of 16 bits*": "Pillow opens it in compressed planes alone, and clips to 255",
    "tiff *, extra ? of 8 bits, planar*": "Pillow reads some of these, by their extra sample and compression",
    "tiff Lab of 8 bits, planar*": "Pillow takes a and b for unsigned in planes",
    "tiff palette of low bytes": "libtiff knows these of old writers, Pillow shows black",
    "tiff float *": "Pillow clips to 0..255 and knows 32 bits of gray alone; here 1 is white",
    "tiff signed gray *": "Pillow takes them for unsigned, or clips; here negative values are black and the largest is white",
    "tiff WebP, *": "Pillow's libtiff has no WebP; the strip by itself it reads",
    "tiff YCbCr ???, none": "Pillow reads uncompressed YCbCr by itself: no clusters, and rounded otherwise than libtiff",
    "tiff YCbCr 4x4, odd, *": "libtiff takes the last bytes of an odd number of clusters for 0",
    "tiff YCbCr smaller than a cluster*": "libtiff refuses it",
    "bmp *, 2 bits*": "Pillow does not know 2 bits, which Windows CE has",
    "bmp OS/2 2 short*": "Pillow knows OS/2's longest header alone; programs may leave out fields at its end, which are 0",
    "bmp OS/2 2 middle*": "as the short one",
    "bmp *, bit fields 444*": "any masks are allowed; of 16 bits Pillow knows those of 555 and 565",
    "bmp *, bit fields 231": "as any masks",
    "bmp *, bit fields 32 bits, 565": "as any masks",
    "bmp *, bit fields 10 bits": "as any masks; the high end of 10 bits is white",
    "bmp *, bit fields BGR": "as any masks",
    "bmp *, bit fields 24 bits, RGB": "as any masks",
    "bmp Windows CE, bit fields *": "Pillow does not know the compression whose masks have one for alpha",
    "bmp *, palette too large": "Pillow refuses colors that no pixel can have; they are passed over",
    "bmp RLE*early": "a bitmap may end before its last row, and the rest is of color 0, as that behind early ends of rows; Pillow refuses it",
    "bmp RLE4 of rows filled up, verbatim": "ImageMagick fills up rows before it counts runs; Pillow lets what is over run into the next row",
    "bmp RLE8 of nothing": "as one that ends early",
    "gif local palette of its numbers": "Pillow takes the global palette where the local one is 0, 0, 0, 1, 1, 1, ...",
    "png EXIF orientation in text": "written by ImageMagick before PNG had a chunk for it; browsers do not turn such a picture either",
}

# Kinds that are refused: of each a part of what is said. Above it why.
REFUSED = {
    # Which component a scan is of cannot be known; libjpeg reads all of them into the first.
    "jpeg names twice, scan per component": "scans are out of order",
    "jpeg names twice, progressive": "scans are out of order",
    "jpeg names twice 1 2 2, scan per component": "scans are out of order",
    "jpeg names twice 1 2 2, progressive": "scans are out of order",
    # Behind a scan stray bytes may be what is left of a damaged one.
    "jpeg stray bytes between segments, scan per component": "left over",
    "jpeg stray bytes between segments, progressive": "left over",
    # Pillow reads it; it is rare. libtiff puts differences of bytes before LZMA2, which `lzma-rs` does not know; `xz2` is C.
    "tiff *, tiffcp lzma*": "its compression is LZMA (34925), which is not read here",
    # Pillow refuses these, too; a decoder of each would be code of its own for files that no camera writes.
    "jpeg 12 bits": "JPEG of 12 bits a sample is not read here",
    "jpeg lossless": "lossless JPEG is not read here",
    "jpeg hierarchical": "hierarchical JPEG is not read here",
    "jpeg fractional sampling": "no multiple of the other",
    # Pillow refuses these, too: they are for printers, or of OS/2.
    "bmp JPEG inside": "a JPEG inside",
    "bmp PNG inside": "a PNG inside",
    "bmp CMYK": "CMYK",
    "bmp 64 bits": "64 bits a pixel",
    "bmp Huffman codes": "Huffman codes",
    "bmp RLE24": "run lengths of 24 bits",
    # Pillow, too: a file of one picture for several kinds of screens.
    "bmp array": "OS/2 bitmap array",
    # Pixels are lost.
    "bmp rows missing": "rows are there",
    "bmp RLE8 cut*": "rows are there",
    # By more than fills up the row: Pillow cuts the run off, or goes on in the next row, and pixels are lost or moved.
    "bmp RLE8 beyond the row": "beyond its row",
    "bmp RLE8 that jumps out": "jumps out of the picture",
    # Where the pixels are, or which bits are a color, cannot be known.
    "bmp pixels in the header": "begin within its header",
    "bmp bit fields with gaps": "the masks of its colors",
    # Pixels are lost, or there are none.
    "gif cut": "its data end after",
    "gif cut, closed": "GIF: ",
    "gif fewer pixels than the frame": "its data end after",
    "gif no image": "there is no image in it",
    "gif frame of no size": "has no pixels",
}

# Damage that cannot be seen, of so many files at most. With arithmetic coding nearly every sequence of bits is a valid one; libjpeg warns of
# these because they end early or late by a little.
UNSEEN = {
    "jpeg arithmetic: cut, end marker": 1,
    "jpeg arithmetic: zeros in the middle": 1,
    "jpeg arithmetic: one bit": 2,
    "jpeg arithmetic, progressive: cut, end marker": 1,
    "jpeg arithmetic, progressive: zeros in the middle": 2,
    "jpeg arithmetic, progressive: one bit": 2,
}

# `python -m interop.pictures OUT` writes the files.
FORMATS = ["jpeg", "png", "webp", "bmp", "gif", "tiff"]


@dataclass
class Result:
    """What became of a file: an error, or pixels."""

    pixels: np.ndarray | None
    error: str | None


def read(requests):
    """Of each (channels, mode, path) what the reader says."""
    lines = "".join(f"{channels}\t{mode}\t{path}\n" for channels, mode, path in requests)
    out = subprocess.run([PROGRAM], input=lines.encode(), stdout=subprocess.PIPE, check=True).stdout
    results, at = [], 0
    for _ in requests:
        end = out.index(b"\n", at)
        header, at = json.loads(out[at:end]), end + 1
        if "error" in header:
            results.append(Result(None, header["error"]))
            continue
        shape = (header["height"], header["width"], header["channels"])
        size = int(np.prod(shape))
        results.append(Result(np.frombuffer(out, np.uint8, size, at).reshape(shape), None))
        at += size
    assert at == len(out)
    return results


def pillow(data, channels):
    """What Pillow says of a file: pixels, or its error."""
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data)) as image:
                image = ImageOps.exif_transpose(image)
                if image.mode == "LAB":
                    image = image.convert("RGB")  # it knows no way to gray
                pixels = np.asarray(image.convert("RGB" if channels == 3 else "L"))
                return Result(pixels.reshape(*pixels.shape[:2], channels), None)
    except Exception as error:  # noqa: BLE001: whatever it says
        return Result(None, f"{type(error).__name__}: {error}")


def as_channels(truth, channels):
    """The pixels that a writer knows, in gray or in color."""
    image = Image.fromarray(truth)
    pixels = np.asarray(image.convert("RGB" if channels == 3 else "L"))
    return pixels.reshape(*pixels.shape[:2], channels)


def apart(a, b):
    """The largest difference and the mean one; of other shapes nothing is known but that they are apart."""
    if a.shape != b.shape:
        return 255, 255.0
    difference = cv2.absdiff(a, b)
    return int(difference.max()), float(difference.mean())


class Kind:
    """What became of the files of a kind."""

    def __init__(self, name):
        self.name = name
        self.files = self.read = self.refused = self.agree = 0
        self.pillow_errors = self.both_refuse = 0
        self.largest, self.mean = 0, 0.0  # from Pillow
        self.from_truth, self.truth_unknown = 0, 0
        self.errors, self.examples = set(), []

    def add(self, picture, channels, ours):
        theirs = pillow(picture.data, channels)
        self.files += 1
        truth = None if picture.truth is None else as_channels(picture.truth, channels)
        if ours.error is not None:
            self.refused += 1
            self.errors.add(ours.error)
            self.both_refuse += theirs.error is not None
            self.examples.append(picture.name)
        else:
            self.read += 1
            if truth is None:
                self.truth_unknown += 1
            else:
                self.from_truth = max(self.from_truth, apart(ours.pixels, truth)[0])
            if theirs.error is not None:
                self.pillow_errors += 1
                self.examples.append(picture.name)
            else:
                largest, mean = apart(ours.pixels, theirs.pixels)
                self.largest, self.mean = max(self.largest, largest), max(self.mean, mean)
                self.agree += largest == 0
                if largest:
                    self.examples.append(picture.name)

    def tolerance(self):
        found = [(pattern, entry) for pattern, entry in TOLERANCE.items() if fnmatchcase(self.name, pattern)]
        return min(found, key=lambda one: -len(one[0]), default=(None, (0, 0.0, "")))

    def verdict(self, used):
        """What is wrong with the kind, or nothing. Adds the entries of the tables that it needs."""
        refused = next((p for p in REFUSED if fnmatchcase(self.name, p)), None)
        meant = next((p for p in MEANT if fnmatchcase(self.name, p)), None)
        if refused:
            if self.refused == self.files and all(REFUSED[refused] in error for error in self.errors):
                used.add(("REFUSED", refused))
                return None
            return f"is in REFUSED, but {self.refused} of {self.files} are refused" + self.said()
        if self.refused:
            return f"refused ({self.refused} of {self.files}; Pillow too {self.both_refuse})" + self.said()
        if meant:
            if self.truth_unknown:
                return "is in MEANT, but nobody knows its pixels"
            if self.from_truth > self.tolerance()[1][0]:
                return f"is in MEANT, but is wrong by {self.from_truth}"
            if self.agree < self.files:
                used.add(("MEANT", meant))
                return None
            return None
        if self.pillow_errors:
            right = "right" if not (self.truth_unknown or self.from_truth) else "wrong or unknown"
            return f"read ({right}), but Pillow cannot ({self.pillow_errors} of {self.files})"
        pattern, (largest, mean, _) = self.tolerance()
        if self.largest > largest or (largest and self.mean >= mean):
            return f"wrong ({self.files - self.agree} of {self.files})"
        if self.largest:
            used.add(("TOLERANCE", pattern))
        return None

    def said(self):
        return "".join(f' "{error[:110]}"' for error in sorted(self.errors)[:2])


def line(kind, wrong):
    return f"{kind.name:<70} {kind.files:>4} max {kind.largest:>3} mean {kind.mean:6.2f}  {wrong}  ({kind.examples[0] if kind.examples else ''})"


USED, SEEN = set(), {}


def results_of(format, folder):
    """The kinds of a format, each file read as gray and as color."""
    if format in SEEN:
        return SEEN[format]
    made = list(pictures.of(format))
    for picture in made:
        (folder / picture.name).write_bytes(picture.data)
    requests = [(channels, "full", folder / picture.name) for picture in made for channels in (3, 1)]
    kinds = {}
    for at, result in enumerate(read(requests)):
        picture, channels = made[at // 2], requests[at][0]
        kinds.setdefault(picture.kind, Kind(picture.kind)).add(picture, channels, result)
    SEEN[format] = made, kinds
    return SEEN[format]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pictures")


@pytest.mark.parametrize("format", FORMATS)
def test_pictures_are_as_pillow_reads_them(format, folder):
    made, kinds = results_of(format, folder)
    wrong = {kind: verdict for kind in kinds.values() if (verdict := kind.verdict(USED))}
    files = sum(picture.kind in {kind.name for kind in wrong} for picture in made)
    lines = "\n".join(line(kind, verdict) for kind, verdict in wrong.items())
    assert not wrong, f"{len(wrong)} of {len(kinds)} kinds of {format}, {files} of {len(made)} files:\n{lines}"


def test_no_entry_of_a_table_is_idle(folder):
    for format in FORMATS:
        for kind in results_of(format, folder)[1].values():
            kind.verdict(USED)
    tables = {"TOLERANCE": TOLERANCE, "MEANT": MEANT, "REFUSED": REFUSED}
    idle = [(name, pattern) for name, table in tables.items() for pattern in table if (name, pattern) not in USED]
    assert not idle


def test_shrunk_jpegs_are_the_full_ones_made_smaller(folder):
    made, _ = results_of("jpeg", folder)
    requests, kinds = [], defaultdict(lambda: [0, 0, 0, 0.0, ""])

    def large_enough(picture):
        try:
            with Image.open(io.BytesIO(picture.data)) as image:
                return min(image.size) >= 33
        except OSError:
            return False

    large = [picture for picture in made if large_enough(picture)]
    for picture in large:
        for channels in (3, 1):
            requests.append((channels, "full", folder / picture.name))
    full = read(requests)
    shrunk = []
    for (channels, _, path), whole in zip(requests, full):
        height, width = (33, 33) if whole.error else whole.pixels.shape[:2]
        shrunk.append((channels, f"shrunk:{width // 6}x{height // 6}", path))
    for at, (whole, small) in enumerate(zip(full, read(shrunk))):
        kind = kinds[large[at // 2].kind]
        kind[0] += 1
        if (whole.error is None) != (small.error is None):
            kind[1] += 1
            kind[4] = whole.error or small.error
        elif whole.error is None:
            height, width, channels = whole.pixels.shape
            area = cv2.resize(whole.pixels, (width // 6, height // 6), interpolation=cv2.INTER_AREA).reshape(small.pixels.shape)
            largest, mean = apart(area, small.pixels)
            kind[2], kind[3] = max(kind[2], largest), max(kind[3], mean)
    wrong = {name: kind for name, kind in kinds.items() if kind[1] or kind[3] >= AREA_MEAN}
    lines = (f"{name:<70} {k[0]:>4} max {k[2]:>3} mean {k[3]:6.2f}  one alone refuses: {k[1]} {k[4][:80]}" for name, k in wrong.items())
    assert not wrong, f"{len(wrong)} of {len(kinds)} kinds:\n" + "\n".join(lines)


def test_damaged_pictures_are_refused_or_whole(folder):
    damaged = list(pictures.damage.pictures())
    requests = []
    for picture in damaged:
        for name, data in ((picture.name, picture.data), ("whole-" + picture.name, picture.whole)):
            (folder / name).write_bytes(data)
            requests.append((3, "full", folder / name))
    results = read(requests)
    # Files, those where damage is certain, of these taken with other pixels, the furthest mean, an example; and unknown ones taken.
    kinds = defaultdict(lambda: [0, 0, 0, 0.0, "", 0])
    for picture, ours, whole in zip(damaged, results[::2], results[1::2]):
        kind = kinds[picture.kind]
        kind[0] += 1
        kind[1] += picture.known
        if ours.error is None:
            mean = apart(ours.pixels, whole.pixels)[1] if whole.error is None else 255.0
            if mean and picture.known:
                kind[2], kind[3], kind[4] = kind[2] + 1, max(kind[3], mean), kind[4] or picture.name
            kind[5] += bool(mean) and not picture.known
    unknown = sum(kind[5] for kind in kinds.values())
    print(f"{len(damaged)} damaged files; {unknown} with other pixels that nobody can tell from right ones")
    wrong = {name: kind for name, kind in kinds.items() if kind[2] > UNSEEN.get(name, 0)}
    lines = (f"{name:<50} {k[0]:>3} files, damage certain in {k[1]:>3}, taken with other pixels {k[2]:>3}, mean up to {k[3]:6.2f}  ({k[4]})" for name, k in wrong.items())
    assert not wrong, f"{sum(k[2] for k in wrong.values())} of {len(damaged)} files:\n" + "\n".join(lines)
