"""Writes the pictures, whole and damaged, to a folder: `python -m interop.pictures OUT`."""

import re
import sys
from pathlib import Path

from . import FORMATS, damage, of


def main(out):
    count = 0
    for format in FORMATS:
        for picture in of(format):
            file = out / "whole" / re.sub(r"[^a-z0-9_-]+", "-", picture.kind.lower()) / picture.name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(picture.data)
            count += 1
    for damaged in damage.pictures():
        file = out / "damaged" / re.sub(r"[^a-z0-9_-]+", "-", damaged.kind.lower()) / damaged.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(damaged.data)
        count += 1
    print(f"{count} files in {out}")


if len(sys.argv) != 2:
    sys.exit(__doc__)
main(Path(sys.argv[1]))
