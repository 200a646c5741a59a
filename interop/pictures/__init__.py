"""Pictures of every kind, each made here, for the test of the reader beside Pillow.

`python -m interop.pictures OUT` writes them to a folder, to look at and as a corpus for fuzzing.
"""

from . import damage  # noqa: F401
from .content import Picture  # noqa: F401

FORMATS = ("jpeg", "png", "bmp", "gif", "tiff", "webp")


def of(format):
    """The pictures of a format."""
    from importlib import import_module

    return import_module(f".{format}", __name__).pictures()
