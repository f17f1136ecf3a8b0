"""How numpy spells arrays, types and numbers in a pickle: recognised by its parts, built from them, never called.

What a recipe gets is a claim of whoever wrote the file; anything that numpy's own pickles do not hold is refused.
"""

import math
import re
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skelray.errors import BadInput

LARGEST = 1 << 28  # bytes of an array that is read at once: 256 MiB
DIMENSIONS = 8  # of an array
TYPE = re.compile(r"[fiu][1248]|b1")  # the types of plain numbers, as numpy spells them


class Refused(Exception):
    """What the pickle asks for and does not get: the end of a sentence that begins with the file."""


class Recipe(Enum):
    """What a pickle may name, and how a user knows it."""

    RECONSTRUCT = "numpy's _reconstruct"
    FROM_BUFFER = "numpy's _frombuffer"
    SCALAR = "numpy's scalar"
    ARRAY = "numpy.ndarray"
    TYPE = "numpy.dtype"
    ENCODE = "_codecs.encode"
    BYTES = "bytes"


_MODULES = ("numpy.core.", "numpy._core.")  # before and since numpy 2
RECIPES = {
    **{f"{core}multiarray._reconstruct": Recipe.RECONSTRUCT for core in _MODULES},
    **{f"{core}multiarray.scalar": Recipe.SCALAR for core in _MODULES},
    **{f"{core}numeric._frombuffer": Recipe.FROM_BUFFER for core in _MODULES},
    "numpy.ndarray": Recipe.ARRAY,
    "numpy.dtype": Recipe.TYPE,
    "_codecs.encode": Recipe.ENCODE,  # how protocol 2 spells bytes
    "__builtin__.bytes": Recipe.BYTES,  # how it spells no bytes
    "builtins.bytes": Recipe.BYTES,
}


@dataclass(frozen=True, slots=True)
class Held:
    """Bytes that stayed in the file."""

    offset: int
    length: int
    text: bool  # they are UTF-8, and the bytes that are meant are its characters, 0 to 255 each


@dataclass(slots=True, eq=False)
class Type:
    """A numpy type, which gets its byte order in a second step."""

    code: str
    order: str = ""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type. Raises Refused before its second step."""
        if not self.order:
            raise Refused("uses a numpy type before it is complete")
        return np.dtype(self.order + self.code)


@dataclass(slots=True, eq=False)
class Array:
    """An array whose numbers may still lie in the file."""

    shape: tuple[int, ...] = ()
    dtype: np.dtype[Any] | None = None  # None: numpy's second step did not come
    fortran: bool = False
    content: bytes | Held = b""

    def read(self, path: Path) -> NDArray[Any]:
        """The numbers, fetched from the pickle at `path`. Raises BadInput for an array that is not whole."""
        if self.dtype is None:
            raise BadInput(f"{path}: holds an array without contents")
        size = math.prod(self.shape) * self.dtype.itemsize
        if size > LARGEST:
            raise BadInput(f"{path}: holds an array of {size:,} bytes; {LARGEST:,} is the most")
        raw = self.content if isinstance(self.content, bytes) else _fetched(self.content, path)
        if len(raw) != size:
            raise BadInput(f"{path}: holds an array of the shape {list(self.shape)} that is not whole")
        return np.frombuffer(raw, self.dtype).reshape(self.shape, order="F" if self.fortran else "C")


def call(recipe: object, arguments: object) -> Any:
    """What a recipe makes of its arguments. Raises Refused for any that numpy does not give."""
    match recipe, arguments:
        case Recipe.RECONSTRUCT, (Recipe.ARRAY, (0,), b"b" | "b"):
            return Array()
        case Recipe.TYPE, (str(code), bool() | int(), bool() | int()):
            if not TYPE.fullmatch(code):
                raise Refused(f"holds an array of the type {code[:40]!r}; plain numbers alone are read")
            return Type(code)
        case Recipe.SCALAR, (Type() as kind, bytes(raw)) if len(raw) == kind.dtype.itemsize:
            return np.frombuffer(raw, kind.dtype)[0].item()
        case Recipe.FROM_BUFFER, (bytes() | Held() as content, Type() as kind, tuple(shape), "C" | "F" as order):
            array = Array()
            _fill(array, shape, kind, order == "F", content)
            return array
        case Recipe.ENCODE, (str(text), "latin1"):
            return _latin1(text)
        case Recipe.ENCODE, (Held(text=True) as content, "latin1"):
            return content
        case Recipe.BYTES, ():
            return b""
        case Recipe(), _:
            raise Refused(f"calls {recipe.value} with what numpy never gives it")
    raise Refused("calls what is no function")


def build(target: object, state: object) -> None:
    """The second step of an array or a type. Raises Refused for anything else."""
    match target, state:
        case Type(order=""), (int(), "<" | ">" | "=" | "|" as order, None, None, None, int(), int(), int(), *_):
            target.order = order
        case Array(dtype=None), (1, tuple(shape), Type() as kind, bool() | int() as fortran, content):
            _fill(target, shape, kind, bool(fortran), content)
        case Type() | Array(), _:
            raise Refused("completes an array or a type with what numpy never gives it")
        case _:
            raise Refused("sets the state of what is no array")


def _fill(array: Array, shape: tuple[Any, ...], kind: Type, fortran: bool, content: object) -> None:
    if len(shape) > DIMENSIONS or not all(type(length) is int and 0 <= length < 1 << 40 for length in shape):
        raise Refused(f"holds an array whose shape is not up to {DIMENSIONS} whole numbers")
    size = math.prod(shape) * kind.dtype.itemsize
    if isinstance(content, str):  # Python 2's bytes
        content = _latin1(content)
    if not isinstance(content, bytes | Held):
        raise Refused("holds an array whose contents are no bytes")
    least, most = (content.length // 2, content.length) if isinstance(content, Held) else (len(content),) * 2
    if not least <= size <= most or (isinstance(content, Held) and not content.text and size != most):
        raise Refused(f"holds an array of the shape {list(shape)} with {most:,} bytes of contents, not {size:,}")
    array.shape, array.dtype, array.fortran, array.content = shape, kind.dtype, fortran, content


def _latin1(text: str) -> bytes:
    try:
        return text.encode("latin1")
    except UnicodeEncodeError as error:
        raise Refused("holds bytes spelled with characters that are none") from error


def _fetched(held: Held, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(held.offset)
            raw = file.read(held.length)
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    if not held.text:
        return raw
    try:
        return raw.decode().encode("latin1")
    except UnicodeError as error:
        raise BadInput(f"{path}: holds an array whose contents are no bytes (at byte {held.offset})") from error
