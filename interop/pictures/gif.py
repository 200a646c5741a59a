"""GIF, by a writer of its own."""

import itertools
import struct

import numpy as np

from . import content
from .content import Picture


def lzw(values, depth, first=True, clears=True, end=True, plain=False):
    """The codes of values of `depth` bits, least significant bit first; some programs leave out the first clear code, all later ones (the
    table stays full), or the end, or clear the table before every value."""
    clear = 1 << depth
    table, size, bits, total = {(v,): v for v in range(clear)}, depth + 1, 0, 0
    following, now = clear + 2, ()
    out = bytearray()

    def emit(code):
        nonlocal bits, total
        bits |= code << total
        total += size
        while total >= 8:
            out.append(bits & 255)
            bits >>= 8
            total -= 8

    if first:
        emit(clear)
    for value in values:
        if plain and now:
            emit(table[now])
            emit(clear)
            now = (value,)
            continue
        longer = (*now, value)
        if longer in table:
            now = longer
            continue
        emit(table[now])
        if following < 4096:
            table[longer] = following
            if following == 1 << size and size < 12:
                size += 1
            following += 1
        elif clears:
            emit(clear)
            table, size, following = {(v,): v for v in range(clear)}, depth + 1, clear + 2
        now = (value,)
    emit(table[now])
    # The reader has added an entry of its own by now.
    if following == 1 << size and size < 12:
        size += 1
    if end:
        emit(clear + 1)
    if total:
        out.append(bits & 255)
    return bytes(out)


def blocks(data, size=255):
    return b"".join(bytes([len(data[at : at + size])]) + data[at : at + size] for at in range(0, len(data), size)) + b"\0"


def frame(indices, depth, offset=(0, 0), palette=None, interlaced=False, clear=None, dispose=0, size=255, code=None, **codes):
    height, width = indices.shape
    out = b""
    if clear is not None or dispose:
        out += b"\x21\xf9\x04" + struct.pack("<BHBB", dispose << 2 | (clear is not None), 5, clear or 0, 0)
    flags = (0x80 | (depth - 1) if palette is not None else 0) | (0x40 if interlaced else 0)
    out += b"," + struct.pack("<HHHHB", *offset, width, height, flags)
    out += palette.tobytes() if palette is not None else b""
    if interlaced:
        order = [y for first, step in ((0, 8), (4, 8), (2, 4), (1, 2)) for y in range(first, height, step)]
        indices = indices[order]
    code = code or max(depth, 2)
    return out + bytes([code]) + blocks(lzw(indices.ravel().tolist(), code, **codes), size)


def gif(size, frames, depth, palette=None, background=0, version=b"89a", before=b""):
    flags = 0x80 | 0x70 | (depth - 1) if palette is not None else 0x70
    return b"GIF" + version + struct.pack("<HHBBB", *size, flags, background, 0) + (palette.tobytes() if palette is not None else b"") + before + b"".join(frames) + b";"


def pictures():
    number = itertools.count()

    def picture(kind, data, truth=None):
        return Picture(f"gif {kind}", f"gif-{next(number):05}.gif", data, truth)

    def made(width, height, depth, c):
        palette = np.random.default_rng([depth, c, width]).integers(0, 256, (1 << depth, 3)).astype(np.uint8)
        return content.gray(width, height, c).astype(int) >> (8 - depth), palette

    for depth in range(1, 9):
        for c, (width, height) in enumerate(content.sizes(depth)):
            for interlaced in (False, True):
                indices, palette = made(width, height, depth, c)
                kind = f"{depth} bits" + (", interlaced" if interlaced else "")
                yield picture(kind, gif((width, height), [frame(indices, depth, interlaced=interlaced)], depth, palette))
                yield picture(f"{kind}, local palette", gif((width, height), [frame(indices, depth, palette=palette, interlaced=interlaced)], depth))
                both = [frame(indices, depth, palette=palette[::-1], interlaced=interlaced)]
                yield picture(f"{kind}, two palettes", gif((width, height), both, depth, palette))
                clear = [frame(indices, depth, interlaced=interlaced, clear=int(indices[0, 0]))]
                yield picture(f"{kind}, transparent", gif((width, height), clear, depth, palette))
                if width > 3 and height > 3:
                    for background, transparent in ((0, None), (1, None), (1, 0)):
                        small = frame(indices[: height - 3, : width - 2], depth, (1, 2), interlaced=interlaced, clear=transparent)
                        kind_ = f"first frame small, background {background}" + (", transparent" if transparent is not None else "")
                        yield picture(kind_, gif((width, height), [small], depth, palette, background))
                    small = [frame(indices[: height - 3, : width - 2], depth, (1, 2), palette=palette)]
                    yield picture("first frame small, local palette", gif((width, height), small, depth))
    for side in range(1, 71):
        indices, palette = made(side, 71 - side, 8, side)
        yield picture("8 bits, every size", gif((side, 71 - side), [frame(indices, 8, size=side)], 8, palette))
    indices, palette = made(33, 17, 4, 0)
    one = frame(indices, 4)
    yield picture("large", gif((203, 155), [frame(made(203, 155, 8, 0)[0], 8)], 8, made(203, 155, 8, 0)[1]))
    yield picture("87a", gif((33, 17), [one], 4, palette, version=b"87a"))
    yield picture("comment", gif((33, 17), [one], 4, palette, before=b"\x21\xfe" + blocks(b"hello")))
    yield picture("text extension", gif((33, 17), [one], 4, palette, before=b"\x21\x01" + blocks(b"\0" * 12)))
    loop = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
    for dispose in range(4):
        more = [frame(made(33, 17, 4, at)[0][:9], 4, (0, at), dispose=dispose, clear=at) for at in range(1, 4)]
        yield picture("animated", gif((33, 17), [one, *more], 4, palette, before=loop))
    yield picture("frame beyond the canvas", gif((20, 10), [one], 4, palette))
    yield picture("no palette", gif((33, 17), [one], 4))
    yield picture("bytes after the end", gif((33, 17), [one], 4, palette) + b"\0" * 50)
    yield from odd(picture, made)


def odd(picture, made):
    """What is rarer, what careless programs write, and what is not read."""
    for height in range(1, 11):
        for width in (1, 2, 3, 5, 9):
            for depth in (1, 3, 8):
                indices, palette = made(width, height, depth, height)
                yield picture("interlaced, few rows", gif((width, height), [frame(indices, depth, interlaced=True)], depth, palette))
    for c, (width, height) in enumerate([(33, 17), (70, 57), (1, 9), (203, 155)]):
        indices, palette = made(width, height, 4, c)
        size, one = (width, height), frame(indices, 4)
        ramp = np.arange(16, dtype=np.uint8)[:, None].repeat(3, 1)
        yield picture("palette of its numbers", gif(size, [one], 4, ramp))
        yield picture("local palette of its numbers", gif(size, [frame(indices, 4, palette=ramp)], 4, palette), ramp[indices])
        yield picture("gray palette", gif(size, [one], 4, ramp * 17))
        yield picture("no palette", gif(size, [one], 4))
        yield picture("no palette, transparent", gif((width + 3, height + 2), [frame(indices, 4, (1, 2), clear=3)], 4))
        yield picture("no palette, first frame small", gif((width + 3, height + 2), [frame(indices, 4, (1, 2))], 4))
        yield picture("colors beyond the palette", gif(size, [one], 3, palette[:8]), np.concatenate([palette[:8], np.zeros((8, 3), np.uint8)])[indices])
        yield picture("transparent color beyond the palette", gif((width + 3, height + 2), [frame(indices, 4, (1, 2), clear=12)], 3, palette[:8]))
        yield picture("code size of more colors", gif(size, [frame(indices, 4, code=8)], 4, palette))
        yield picture("canvas of no size", gif((0, 0), [one], 4, palette))
        yield picture("canvas of no size, offset", gif((0, 0), [frame(indices, 4, (2, 1))], 4, palette))
        yield picture("frame beyond the canvas", gif((width // 2, height + 3), [frame(indices, 4, (1, 2), interlaced=True)], 4, palette))
        yield picture("unknown extension", gif(size, [one], 4, palette, before=b"!\x42" + blocks(b"what is this")))
        yield picture("zeros between blocks", gif(size, [one], 4, palette, before=b"\0\0\0"))
        yield picture("application extensions", gif(size, [one], 4, palette, before=b"!\xff\x0bXMP DataXMP" + b"<x/>" + bytes(range(255, -1, -1)) + b"\0" + b"!\xff" + blocks(b"ICCRGBG1012")))
        yield picture("control without an image of its own", gif(size, [one], 4, palette, before=b"!\xf9\x04\x01\0\0\x03\0" + b"!\x01" + blocks(bytes(12))))
        yield picture("several frames, the second larger", gif(size, [one, frame(made(width + 5, height + 5, 4, 1)[0], 4)], 4, palette))
        whole = gif(size, [one], 4, palette)
        yield picture("no trailer", whole[:-1])
        yield picture("no end of the blocks", whole[:-2])
        yield picture("cut", whole[: len(whole) * 2 // 3 if len(whole) > 100 else -4])
        yield picture("cut, closed", whole[: len(whole) * 2 // 3 if len(whole) > 100 else -4] + b"\0;")
        yield picture("fewer pixels than the frame", gif(size, [frame(indices, 4).replace(struct.pack("<HH", *size), struct.pack("<HH", width, height + 1), 1)], 4, palette))
        yield picture("more pixels than the frame", gif(size, [frame(np.concatenate([indices, indices]), 4).replace(struct.pack("<HH", width, 2 * height), struct.pack("<HH", *size), 1)], 4, palette))
        wide, colors = made(width, height, 8, c)
        for name, codes in (("no first clear code", {"first": False}), ("no later clear codes", {"clears": False}), ("no end code", {"end": False}), ("a clear code before every one", {"plain": True})):
            yield picture(name, gif(size, [frame(wide, 8, **codes)], 8, colors))
    yield picture("no image", gif((4, 4), [], 4, made(4, 4, 4, 0)[1]))
    yield picture("frame of no size", gif((4, 4), [b"," + struct.pack("<HHHHB", 0, 0, 0, 4, 0) + b"\2" + blocks(lzw([0], 2))], 4, made(4, 4, 4, 0)[1]))
