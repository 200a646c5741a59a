"""Orientation, as EXIF of every shape and as XMP."""

import struct


def exif(orientation, order="<", long=False, before=0):
    """A TIFF structure that says the orientation, as SHORT or LONG, and `before` other tags ahead of it."""
    entries = [struct.pack(order + "HHI", 0x0100 + at, 3, 1) + struct.pack(order + "HH", 7, 0) for at in range(before)]
    value = struct.pack(order + "I", orientation) if long else struct.pack(order + "HH", orientation, 0)
    entries.append(struct.pack(order + "HHI", 0x0112, 4 if long else 3, 1) + value)
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    return head + struct.pack(order + "H", len(entries)) + b"".join(entries) + struct.pack(order + "I", 0)


def xmp(orientation, element=False):
    """An XMP packet that says the orientation as an attribute or as an element."""
    inner = f"<tiff:Orientation>{orientation}</tiff:Orientation>" if element else ""
    attribute = "" if element else f' tiff:Orientation="{orientation}"'
    return (
        '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        f'xmlns:tiff="http://ns.adobe.com/tiff/1.0/"{attribute}>{inner}</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    ).encode()


def variants():
    """Names and what makes the EXIF of an orientation."""
    for order, end in (("<", "little endian"), (">", "big endian")):
        for long in (False, True):
            yield f"{'LONG' if long else 'SHORT'}, {end}", lambda o, order=order, long=long: exif(o, order, long, before=o % 3)
