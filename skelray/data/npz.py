"""Arrays in an .npz file, row by row: an array far larger than the memory is read without ever being held.

What a header says is a claim. It is compared with the size of the packed array before anything is allocated.
"""

import io
import lzma
import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from skelray.errors import BadInput

DAMAGE = (  # what reading a damaged archive raises, by what is damaged
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    SyntaxError,
    tokenize.TokenError,
    RecursionError,
    OSError,
    EOFError,
    RuntimeError,
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
)
Member = IO[bytes] | zipfile.ZipExtFile | io.BytesIO  # all are the first, which executed annotations do not know
NUMBERS = "fiub"  # kinds of numpy types: floating, whole, unsigned and truth values
TEXT = "U"  # the kind of numpy type that is text
AT_ONCE = 1 << 20  # bytes that are passed over at once


@contextmanager
def archive(source: Path) -> Iterator[zipfile.ZipFile]:
    """The open archive. Raises BadInput when it is none."""
    if source.is_dir():
        raise BadInput(f"{source} is a folder; name the .npz file that is meant")
    try:
        opened = zipfile.ZipFile(source)
    except DAMAGE as error:
        raise BadInput(f"{source}: not a whole .npz file ({error})") from error
    with opened:
        yield opened


def names(opened: zipfile.ZipFile) -> list[str]:
    """The names of the arrays."""
    return [name.removesuffix(".npy") for name in opened.namelist() if name.endswith(".npy")]


class Rows:
    """The rows of one array, from the first on: `array[0]`, `array[1]`, ... Close it when done."""

    def __init__(self, opened: zipfile.ZipFile, source: Path, name: str, kinds: str = NUMBERS):
        """Raises BadInput for what is no array of `kinds` in C order, or has another size than its shape."""
        self.where = f"{source}: {name}"
        try:
            entry = opened.getinfo(f"{name}.npy")
            self._file: Member = opened.open(entry)
            self.shape, fortran, self.dtype = header(self._file)
        except DAMAGE as error:
            raise BadInput(f"{self.where} is not a whole numpy array ({error})") from error
        if fortran or self.dtype.kind not in kinds:
            what = "plain text" if kinds == TEXT else "plain numbers"
            raise BadInput(f"{self.where} must hold {what} in C order, not {self.dtype}")
        if any(length < 0 for length in self.shape):
            raise BadInput(f"{self.where} is not a whole numpy array (shape {list(self.shape)})")
        left, claimed = entry.file_size - self._file.tell(), math.prod(self.shape) * self.dtype.itemsize
        if left != claimed:
            raise BadInput(
                f"{self.where} is not a whole numpy array: {claimed:,} bytes of numbers, but {left:,} follow"
            )
        self._broken = False

    @property
    def row_bytes(self) -> int:
        """The size of one row."""
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def read(self, rows: int) -> NDArray[np.generic]:
        """The next rows. Raises BadInput where the file is damaged, and from there on."""
        raw = self._bytes(rows * self.row_bytes)
        return np.frombuffer(raw, self.dtype).reshape(rows, *self.shape[1:])

    def skip(self, rows: int) -> None:
        """Pass over rows. They are read all the same, so that a damaged byte among them is noticed."""
        left = rows * self.row_bytes
        while left:
            left -= len(self._bytes(min(left, AT_ONCE)))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _bytes(self, count: int) -> bytes:
        try:
            raw = b"" if self._broken else self._file.read(count)
        except DAMAGE as error:
            self._broken = True
            raise BadInput(f"{self.where} ends too early or is damaged ({error})") from error
        if len(raw) < count:
            self._broken = True
            raise BadInput(f"{self.where} ends too early or is damaged")
        return raw


def header(file: Member) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    """Shape, whether the first index runs fastest, and type of an .npy file. Raises one of `DAMAGE`."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        return np.lib.format.read_array_header_1_0(file)
    return np.lib.format.read_array_header_2_0(file)
