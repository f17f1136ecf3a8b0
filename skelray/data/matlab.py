"""One array of numbers out of a MATLAB 5 file, as `save -v6` and `save -v7` write it.

scipy reads such files too, but a damaged one can make its compiled code read through a null pointer, which ends the
process. Nothing is believed here: each size is compared with what lies there, packed elements are unpacked up to a
limit, and objects, functions and whatever else is more than an array of numbers or text are refused.

The format: a header of 128 bytes, then elements, each a type (4 bytes), a size (4 bytes) and its contents. An element
is an array, or an array that is packed. An array is itself four elements, padded to 8 bytes: flags, lengths, name and
numbers; one of up to four bytes may keep its size in the upper half of its type and its contents behind it.
"""

import math
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from skelray.errors import BadInput

HEADER = 128  # bytes; the last two say the order of bytes
ORDERS = {b"IM": "<", b"MI": ">"}
ARRAY, PACKED = 14, 15  # types of the elements of a file
FLAGS, LENGTHS, NAMES = (6,), (5,), (1, 16)  # types of the first three elements of an array
NUMBERS = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}  # of the last
CLASSES = {1: "cell", 2: "struct", 3: "object", 5: "sparse", 16: "function", 17: "opaque", 18: "object"}
TEXT, FLOATING, WHOLE = 4, (6, 7), range(8, 16)  # classes of arrays that are no danger
COMPLEX, LOGICAL = 0x0800, 0x0200  # flags
DIMENSIONS = 32  # more than that no array has


def floats(content: bytes, name: str, where: str, largest: int) -> NDArray[np.floating]:
    """The array of floating numbers `name`, of the shape that the file gives it.

    Raises BadInput, beginning with `where`, when it is not there, for a file that is damaged or unpacks to more than
    `largest` bytes, and for one with objects or functions in it.
    """
    found: list[NDArray[np.floating]] = []
    names = []
    order = ORDERS.get(content[HEADER - 2 : HEADER])
    if not content.startswith(b"MATLAB 5.0") or order is None:
        raise BadInput(f"{where}: not a MATLAB 5 file (as `save -v6` and `save -v7` write them)")
    try:
        for array in _arrays(content[HEADER:], order, largest):
            called, numbers = _array(array, order, name)
            names.append(called)
            found += [] if numbers is None else [numbers]
    except ValueError as error:
        raise BadInput(f"{where}: not a whole MATLAB file: {error}") from error
    if len(found) != 1:
        held = ", ".join(map(repr, names[:5])) or "nothing"
        raise BadInput(f"{where}: {len(found)} variables {name}, not one (it holds {held})")
    return found[0]


def _arrays(content: bytes, order: str, largest: int) -> Iterator[bytes]:
    """The contents of each array of a file."""
    left = largest
    for kind, element in _elements(content, order, padded=False):
        if kind == PACKED:
            unpack = zlib.decompressobj()
            try:
                element = unpack.decompress(element, left + 1)
            except zlib.error as error:
                raise ValueError(f"a packed array is damaged ({error})") from error
            if len(element) > left:
                raise ValueError(f"it unpacks to more than {largest:,} bytes, which no such file does")
            if not unpack.eof:
                raise ValueError("a packed array ends too early")
            left -= len(element)
            inner = list(_elements(element, order, padded=False))
            if len(inner) != 1:
                raise ValueError(f"a packed element holds {len(inner)} arrays, not one")
            kind, element = inner[0]
        if kind != ARRAY:
            raise ValueError(f"an element of type {kind}, not an array")
        yield element


def _array(content: bytes, order: str, wanted: str) -> tuple[str, NDArray[np.floating] | None]:
    """The name of an array, and its numbers if it is the wanted one. ValueError for what is not an array."""
    elements = _elements(content, order, padded=True)
    flags = struct.unpack(f"{order}II", _next(elements, FLAGS, "flags", 8))[0]
    kind = flags & 0xFF
    if kind not in (TEXT, *FLOATING, *WHOLE):
        raise ValueError(
            f"it holds the MATLAB class {CLASSES.get(kind, kind)}; only arrays of numbers and text are read"
        )
    raw = _next(elements, LENGTHS, "lengths", None)
    shape = tuple(int(length) for length in np.frombuffer(raw[: len(raw) // 4 * 4], f"{order}i4"))
    name = _next(elements, NAMES, "name", None).decode("ascii", "replace")
    if name != wanted:
        return name, None
    if kind not in FLOATING or flags & (COMPLEX | LOGICAL):
        raise ValueError(f"{name} must hold real floating numbers")
    if not 1 < len(shape) <= DIMENSIONS or min(shape) < 0:
        raise ValueError(f"{name} has the shape {list(shape)}")
    dtype, numbers = next(elements, (0, b""))
    if dtype not in NUMBERS:  # MATLAB keeps whole numbers of a double array in a smaller type
        raise ValueError(f"{name} holds no numbers")
    values = np.dtype(order + NUMBERS[dtype])
    if len(numbers) != math.prod(shape) * values.itemsize:
        raise ValueError(f"{name} has the shape {list(shape)}, but {len(numbers):,} bytes of numbers")
    return name, np.frombuffer(numbers, values).reshape(shape, order="F").astype(np.float64)


def _next(elements: Iterator[tuple[int, bytes]], kinds: tuple[int, ...], what: str, size: int | None) -> bytes:
    kind, content = next(elements, (0, b""))
    if kind not in kinds or (size is not None and len(content) != size):
        raise ValueError(f"an array without {what}")
    return content


def _elements(content: bytes, order: str, *, padded: bool) -> Iterator[tuple[int, bytes]]:
    """Type and contents of each element; those of an array are padded and may be short."""
    place = 0
    while place < len(content):
        if place + 8 > len(content):
            raise ValueError("an element is cut off")
        kind, size = struct.unpack_from(f"{order}II", content, place)
        start = place + 8
        if padded and kind >> 16:
            kind, size, start = kind & 0xFFFF, kind >> 16, place + 4
            if size > 4:
                raise ValueError(f"a short element of {size} bytes, which has 4 at most")
        if start + size > len(content):
            raise ValueError(f"an element of {size:,} bytes goes beyond the end")
        yield kind, content[start : start + size]
        place = start + size
        place += -place % 8 if padded else 0
