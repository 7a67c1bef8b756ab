"""Bounds on what a file may declare, next to its size: checked before anything is allocated or written."""

from __future__ import annotations

from typing import Final

MAX_MEMBERS: Final = 64
"""Members of a zip beside those under ``assets/``; Keras writes three."""
MAX_ASSETS: Final = 1000
MAX_DIRECTORY: Final = 2**20
"""Bytes of a zip's directory."""
MAX_RATIO: Final = 200
"""Unpacked over packed bytes of one zip member."""

MAX_OBJECTS: Final = 20_000
"""Groups and arrays of one HDF5 file, and names in one list of names."""
MAX_DEPTH: Final = 32
"""Groups within groups."""
MAX_CHUNK_RATIO: Final = 1000
"""Declared over stored bytes of one HDF5 array."""

MAX_TEXT: Final = 16 * 2**20
"""Bytes of the longest JSON text that is parsed, and of an HDF5 attribute."""
MAX_NESTING: Final = 160
"""Lists and objects within one another in a JSON text; six submodels deep is about 60."""

MAX_LAYERS: Final = 5_000
"""Layers of a model, nested ones included."""
MAX_NAME: Final = 200
"""Characters of a name that go further than the reader; longer ones are cut and told apart by a digest."""

_FACTOR: Final = 4
"""A model with optimizer slots is four times its weights."""
_SPARE: Final = 2**28


def unpacked_bytes(stored: int) -> int:
    """Most bytes that the content of a file of ``stored`` bytes may have once it is unpacked.

    The same is what a child that reads or trains it may write.
    """
    return _FACTOR * stored + _SPARE
