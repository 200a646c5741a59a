"""Writes JPEG files of every kind, and the pixels that Pillow (libjpeg-turbo) sees in them: `kinds/*.jpg` and `golden/kinds.bin`.

Run in this folder with Pillow 12 and numpy, and `cjpeg` of libjpeg-turbo. The golden file holds for each JPEG file, in the order of
their names, width and height (16 bits each, little-endian) and the RGB samples. What libjpeg does not read (the last three kinds) has
the pixels of the file that it was made of.
"""

import io
import struct
import subprocess
from pathlib import Path

import numpy as np
from PIL import Image

rng = np.random.default_rng(11)
y, x = np.mgrid[0:27, 0:37]
picture = np.stack([127 + 100 * np.sin(x / (3 + c)) * np.cos(y / (4 - c)) for c in range(3)], axis=2)
image = Image.fromarray(np.clip(picture + rng.normal(0, 12, picture.shape), 0, 255).astype(np.uint8))
ppm = io.BytesIO()
image.save(ppm, "PPM")


def cjpeg(*options, scans=None):
    if scans:
        Path("scans.txt").write_text(scans)
        options = (*options, "-scans", "scans.txt")
    out = subprocess.run(["cjpeg", "-quality", "80", *options], input=ppm.getvalue(), capture_output=True, check=True).stdout
    Path("scans.txt").unlink(missing_ok=True)
    return out


def pillow(**options):
    out = io.BytesIO()
    image.convert("CMYK").save(out, "JPEG", quality=80, **options)
    return out.getvalue()


def pixels(file):
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def without_tables(file):
    at = file.index(b"\xff\xc4")
    while file[at:at + 2] == b"\xff\xc4":
        file = file[:at] + file[at + 2 + struct.unpack(">H", file[at + 2:at + 4])[0]:]
    return file


def lines_behind_the_scan(file):
    frame = file.index(b"\xff\xc0")
    height = file[frame + 5:frame + 7]
    return file[:frame + 5] + b"\0\0" + file[frame + 7:-2] + b"\xff\xdc\0\4" + height + file[-2:]


def ycck():
    """Four components, of which the first three are YCbCr: the planes of two files, in one scan each."""
    scan = cjpeg("-sample", "1x1", scans="0;\n1;\n2;\n")
    gray = cjpeg("-grayscale")
    frame, first = scan.index(b"\xff\xc0"), scan.index(b"\xff\xda")
    header = bytearray(scan[:first])
    header[frame + 2:frame + 4] = struct.pack(">H", 20)
    header[frame + 9] = 4
    header[frame + 19:frame + 19] = bytes([4, 0x11, 0])
    start = gray.index(b"\xff\xda")
    data = gray[start:-2].replace(b"\xff\xda\0\x08\x01\x01\0", b"\xff\xda\0\x08\x01\x04\0", 1)
    tables = gray[gray.index(b"\xff\xc4"):start]
    adobe = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\2"
    return bytes(header[:2]) + adobe + bytes(header[2:]) + scan[first:-2] + tables + data + b"\xff\xd9"


kinds = {
    "fine_chroma": cjpeg("-sample", "1x1,2x2,1x1"),
    "sampling_1x2": cjpeg("-sample", "1x2"),
    "sampling_2x1": cjpeg("-sample", "2x1"),
    "sampling_3x1": cjpeg("-sample", "3x1"),
    "sampling_4x1": cjpeg("-sample", "4x1"),
    "sampling_mixed": cjpeg("-sample", "2x2,2x1,1x2"),
    "scans_each": cjpeg("-sample", "2x2", scans="0;\n1;\n2;\n"),
    "scans_chroma_first": cjpeg("-sample", "2x2", scans="2;\n1;\n0;\n"),
    "scans_pairs_restarts": cjpeg("-sample", "1x2", "-restart", "2B", scans="0;\n1 2;\n"),
    "progressive_420": cjpeg("-sample", "2x2", "-progressive"),
    "progressive_restarts": cjpeg("-progressive", "-restart", "1"),
    "arithmetic": cjpeg("-arithmetic"),
    "arithmetic_progressive": cjpeg("-arithmetic", "-progressive", "-restart", "3B"),
    "rgb": cjpeg("-rgb"),
    "cmyk": pillow(),
    "ycck": ycck(),
}
golden = {name: pixels(file) for name, file in kinds.items()}
plain = cjpeg("-sample", "2x2")
ids = bytearray(plain)
frame, scan = plain.index(b"\xff\xc0"), plain.index(b"\xff\xda")
for component in (1, 2):
    ids[frame + 10 + 3 * component] = ids[scan + 5 + 2 * component] = 1
for name, file in {
    "ids_equal": bytes(ids),
    "lines_behind_the_scan": lines_behind_the_scan(plain),
    "no_huffman_tables": without_tables(plain),
}.items():
    kinds[name], golden[name] = file, pixels(plain)
with open("../golden/kinds.bin", "wb") as out:
    for name in sorted(kinds):
        Path(name + ".jpg").write_bytes(kinds[name])
        height, width, _ = golden[name].shape
        out.write(struct.pack("<HH", width, height) + golden[name].tobytes())
