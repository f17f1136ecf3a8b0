"""NTU RGB+D 60 and 120 as the arrays everybody has: an .npz with x_train, y_train, x_test, y_test.

x_* is float (N, T, 150): two bodies x 25 joints x (x, y, z) in metres, zeros after the last frame; y_* is one-hot.
The source says on which side of its own protocol a clip lies (split "given") and nothing about subject, camera or
setup. A second body is kept as delivered: all zeros means absent (NTU-60), a copy of the first stays (NTU-120).
The arrays are read clip by clip, so a file far larger than the memory can be imported.
"""

import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from skelray import skeletons
from skelray.data.clip import TEST, TRAIN, Clip, DataSet
from skelray.errors import BadInput

Member = IO[bytes] | zipfile.ZipExtFile  # the second is the first, which executed annotations do not know
SIDES = {"train": TRAIN, "test": TEST}
WIDTH = 150  # 2 bodies x 25 joints x 3 coordinates
DAMAGE = (ValueError, zipfile.BadZipFile, zlib.error, EOFError, OSError)  # what reading a damaged member raises
NAMES = {60: "ntu60", 120: "ntu120"}  # classes -> store


def read(source: Path) -> DataSet:
    """The data set in one .npz file; an empty side is no error."""
    try:
        with zipfile.ZipFile(source) as archive:
            missing = [f"{letter}_{side}" for letter in "xy" for side in SIDES if not _has(archive, letter, side)]
            if missing:
                raise BadInput(f"{source}: no array {', '.join(missing)} (it needs x_train, y_train, x_test, y_test)")
            labels = {side: _labels(archive, source, side) for side in SIDES}
            for side in SIDES:
                with archive.open(f"x_{side}.npy") as file:
                    (clips, *_), _dtype = _header(file, source, f"x_{side}")
                if clips != len(labels[side][0]):
                    raise BadInput(f"{source}: x_{side} has {clips} clips, y_{side} {len(labels[side][0])}")
    except (zipfile.BadZipFile, OSError) as error:
        raise BadInput(f"{source}: not a whole .npz file ({error})") from error
    classes = max(width for _, width in labels.values())
    if any(width not in (0, classes) for _, width in labels.values()):
        raise BadInput(f"{source}: y_train and y_test differ in their number of classes")
    names = tuple(f"A{number:03}" for number in range(1, classes + 1))
    clips_of_both = _clips(source, {side: label for side, (label, _) in labels.items()})
    transforms = ("origin and preprocessing: as delivered in the npz",)
    return DataSet(NAMES.get(classes, source.stem), skeletons.layout("kinect25"), names, transforms, clips_of_both)


def _has(archive: zipfile.ZipFile, letter: str, side: str) -> bool:
    return f"{letter}_{side}.npy" in archive.namelist()


def _header(file: Member, source: Path, name: str) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Shape and type of the array that begins here; the file stands at its first number afterwards."""
    try:
        version = np.lib.format.read_magic(file)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = reader(file)
    except DAMAGE as error:
        raise BadInput(f"{source}: {name} is not a whole numpy array ({error})") from error
    if name.startswith("x") and (len(shape) != 3 or shape[2] != WIDTH):
        raise BadInput(f"{source}: {name} has the shape {list(shape)}, not [clips, frames, {WIDTH}]")
    if fortran or dtype.kind not in "fiub":
        raise BadInput(f"{source}: {name} must hold plain numbers in C order, not {dtype}")
    return shape, dtype


def _labels(archive: zipfile.ZipFile, source: Path, side: str) -> tuple[NDArray[np.int64], int]:
    with archive.open(f"y_{side}.npy") as file:
        shape, dtype = _header(file, source, f"y_{side}")
        if len(shape) != 2:
            raise BadInput(f"{source}: y_{side} has the shape {list(shape)}, not [clips, classes]")
        hot = _numbers(file, shape, dtype, source, f"y_{side}")
    wrong = np.flatnonzero((hot != 0).sum(1) != 1)
    if len(wrong):
        raise BadInput(f"{source}: y_{side}[{wrong[0]}] is not one-hot")
    return hot.argmax(1) if shape[0] else np.zeros(0, np.int64), shape[1]


def _numbers(
    file: Member, shape: tuple[int, ...], dtype: np.dtype[np.generic], source: Path, name: str
) -> NDArray[np.generic]:
    try:
        raw = file.read(int(np.prod(shape)) * dtype.itemsize)
        return np.frombuffer(raw, dtype).reshape(shape)
    except DAMAGE as error:
        raise BadInput(f"{source}: {name} ends too early or is damaged") from error


def _clips(source: Path, labels: dict[str, NDArray[np.int64]]) -> Iterator[Clip]:
    empty = []
    with zipfile.ZipFile(source) as archive:
        for side, label in labels.items():
            with archive.open(f"x_{side}.npy") as file:
                shape, dtype = _header(file, source, f"x_{side}")
                for number in range(shape[0]):
                    name = f"x_{side}[{number}]"
                    x = _numbers(file, shape[1:], dtype, source, name).astype(np.float32)
                    if not np.isfinite(x).all():
                        raise BadInput(f"{source}: {name} holds a coordinate that is not finite")
                    filled = np.flatnonzero(x.any(1))
                    if not len(filled):
                        empty.append(name)
                        continue
                    joints = x[: filled[-1] + 1].reshape(-1, 2, 25, 3).transpose(1, 0, 2, 3)
                    bodies = 2 if joints[1].any() else 1
                    yield Clip(f"{side}-{number:06}", joints[:bodies], int(label[number]), side=SIDES[side])
    if empty:
        warnings.warn(f"{source}: {len(empty)} clips without a frame were left out ({empty[0]}, ...)", stacklevel=1)
