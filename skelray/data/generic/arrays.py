"""A clip in an .npy file or in one array of an .npz file, in any order of its axes."""

import io
import math
import zipfile
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from skelray.data import npz
from skelray.data.files import TIGHTEST
from skelray.data.generic.description import Array
from skelray.errors import BadInput, near
from skelray.skeletons import Skeleton
from skelray.yaml_file import Document

LETTERS = "MTVC"
KINDS = "fiu"  # floating, whole and unsigned numbers
MOST = 1 << 26  # numbers of a clip: half a gigabyte while it is read


def refuse_axes(document: Document, array: Array) -> None:
    """Raise BadInput for axes that do not say where frames, joints and coordinates are."""
    letters = array.axes.replace(" ", "").replace("1", "")
    for letter in letters:
        if letter not in LETTERS:
            raise document.error("array.axes", f"no axis {letter!r} in {array.axes!r} (there are M, T, V, C and 1)")
        if letters.count(letter) > 1:
            raise document.error("array.axes", f"{letter} is there {letters.count(letter)} times in {array.axes!r}")
    for letter in "TVC":
        if letter not in letters:
            raise document.error(
                "array.axes", f"{letter} is missing in {array.axes!r}; T frames, V joints, C coordinates"
            )
    free = {"M", "T", "C"} if array.pick else {"M", "T"}
    for axis in array.axes.split():
        if len(free & set(axis)) > 1:
            raise document.error("array.axes", f"the axis {axis!r} holds two lengths that differ between clips")
        if "1" in axis and axis != "1":
            raise document.error("array.axes", f"{axis!r}: an axis of length 1 stands alone")


def refuse_pick(document: Document, array: Array, channels: int) -> None:
    """Raise BadInput when not exactly as many coordinates are picked as a joint has."""
    if array.pick and len(set(array.pick)) != channels:
        raise document.error("array.pick", f"{channels} different coordinates are due, not {list(array.pick)}")


def clip(content: bytes, where: str, array: Array, packed: bool, skeleton: Skeleton) -> Float64[np.ndarray, "M T V C"]:
    """The joints as they are written; what is missing is not a number. Raises BadInput, naming the file."""
    if packed:
        content, where = _member(content, where, array.key)
    raw = _numbers(content, where)
    return _ordered(raw, where, array, skeleton)


def held(content: bytes, where: str, packed: bool) -> dict[str, NDArray[np.generic]]:
    """Every array of plain numbers in an .npz file by its name, or the one of an .npy file by "". Raises BadInput."""
    if not packed:
        return {"": _numbers(content, where)}
    with _archive(content, where) as archive:
        names = npz.names(archive)
    found, last = {}, BadInput(f"{where}: holds no array")
    for name in names:
        try:
            found[name] = _numbers(*_member(content, where, name))
        except BadInput as error:  # an object among the arrays is no clip, and no harm either
            last = error
    if not found:
        raise last
    return found


def _archive(content: bytes, where: str) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(content))
    except npz.DAMAGE as error:
        raise BadInput(f"{where}: not a whole .npz file ({error})") from error


def _member(content: bytes, where: str, key: str) -> tuple[bytes, str]:
    with _archive(content, where) as archive:
        names = npz.names(archive)
        if not key and len(names) != 1:
            raise BadInput(f"{where}: holds {len(names)} arrays ({', '.join(names[:12])}); say array.key")
        if key and key not in names:
            raise BadInput(f"{where}: no array {key!r}{near(key, names)} (there are {', '.join(names[:12])})")
        name = key or names[0]
        where = f"{where}: {name}"
        entry = archive.getinfo(f"{name}.npy")
        largest = min(8 * MOST + 10_000, TIGHTEST * max(1, entry.compress_size))
        if entry.file_size > largest:
            raise BadInput(f"{where}: would unpack to {entry.file_size:,} bytes, which no such array does; not read")
        try:
            with archive.open(entry) as file:
                return file.read(largest + 1), where
        except npz.DAMAGE as error:
            raise BadInput(f"{where}: ends too early or is damaged ({error})") from error


def _numbers(content: bytes, where: str) -> NDArray[np.generic]:
    """The array of an .npy file. What its header says is compared with the size before anything is allocated."""
    file = io.BytesIO(content)
    try:
        shape, fortran, dtype = npz.header(file)
    except npz.DAMAGE as error:
        raise BadInput(f"{where}: not a whole numpy array ({error})") from error
    if dtype.kind not in KINDS or dtype.itemsize > 8:
        raise BadInput(f"{where}: must hold plain numbers, not {dtype}")
    count = math.prod(shape)
    left = len(content) - file.tell()
    if min(shape, default=1) < 0 or count * dtype.itemsize != left:
        raise BadInput(f"{where}: not a whole numpy array: shape {list(shape)} of {dtype}, but {left:,} bytes follow")
    if count > MOST:
        raise BadInput(f"{where}: {count:,} numbers; a clip has {MOST:,} at most")
    raw = np.frombuffer(content, dtype, count, file.tell())
    return raw.reshape(shape, order="F" if fortran else "C")


def _ordered(raw: NDArray[np.generic], where: str, array: Array, skeleton: Skeleton) -> Float64[np.ndarray, "M T V C"]:
    axes = array.axes.split()
    if raw.ndim != len(axes):
        raise BadInput(f"{where}: {raw.ndim} axes {list(raw.shape)}, but array.axes names {len(axes)} ({array.axes})")
    known = {"V": len(skeleton.joints), "1": 1}
    if not array.pick:
        known["C"] = skeleton.channels
    sizes: list[int] = []
    for axis, length in zip(axes, raw.shape, strict=True):
        inner = math.prod(known.get(letter, 1) for letter in axis)
        if length % inner or (all(letter in known for letter in axis) and length != inner):
            raise BadInput(f"{where}: the axis {axis} has the length {length}, {_due(axis, inner, known)}")
        sizes += [known.get(letter, length // inner) for letter in axis]
    letters = "".join(axes)
    values = raw.reshape(sizes).astype(np.float64)
    return _picked(_arranged(values, letters), where, array.pick)


def _arranged(values: NDArray[np.float64], letters: str) -> Float64[np.ndarray, "M T V C"]:
    values = values.squeeze(tuple(place for place, letter in enumerate(letters) if letter == "1"))
    letters = letters.replace("1", "")
    if "M" not in letters:
        values, letters = values[None], f"M{letters}"
    return values.transpose([letters.index(letter) for letter in LETTERS])


def _picked(joints: Float64[np.ndarray, "M T V K"], where: str, pick: Sequence[int]) -> Float64[np.ndarray, "M T V C"]:
    if not pick:
        return joints
    if max(pick) >= joints.shape[-1]:
        raise BadInput(f"{where}: a joint has {joints.shape[-1]} numbers; array.pick asks for number {max(pick)}")
    return joints[..., list(pick)]


def _due(axis: str, inner: int, known: dict[str, int]) -> str:
    of = {"V": "joints", "C": "coordinates", "1": "one"}
    product = " x ".join(f"{known[letter]} {of[letter]}" for letter in axis if letter in known)
    rest = "" if all(letter in known for letter in axis) else "a multiple of "
    return f"not {rest}{inner} ({product})"
