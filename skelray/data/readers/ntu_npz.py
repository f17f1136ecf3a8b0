"""NTU RGB+D 60 and 120 as the arrays everybody has: an .npz with x_train, y_train, x_test, y_test.

x_* is (N, T, 150): two bodies x 25 joints x (x, y, z) in metres, zeros after the last frame; y_* is one-hot. Files of
the CTR-GCN kind are the same; what is seen beside them is read too: x_* as (N, 3, T, 25, bodies), as ST-GCN's feeders
hold it, and y_* as one whole number a clip, whose classes then come from the file name, or from `classes`.

The source says on which side of its own protocol a clip lies and nothing about subject, camera or setup. That side is
the split "given"; where the file name says which protocol it is (NTU60_CS, NTU120_XSet), the split has that name too.
A second body is kept as delivered: all zeros means absent (NTU-60), a copy of the first stays (NTU-120).
The arrays are read clip by clip, so a file far larger than the memory can be imported.
"""

import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from skelray import skeletons
from skelray.data import npz
from skelray.data.clip import TEST, TRAIN, Clip
from skelray.data.files import Files
from skelray.data.readers.ntu_skeleton import LICENCE
from skelray.data.source import DataSet, Loaded
from skelray.errors import BadInput
from skelray.schema import Strict

SIDES = {"train": TRAIN, "test": TEST}
JOINTS, CHANNELS, BODIES = 25, 3, 2
LARGEST = 1 << 28  # bytes of the labels of a side, or of one clip: 300 frames are 180,000
MOST_CLASSES = 10_000
NAMES = {60: "ntu60", 120: "ntu120"}  # classes -> store
PROTOCOLS = {  # a word of the file name -> the split
    **dict.fromkeys(("cs", "csub", "xsub"), "xsub"),
    **dict.fromkeys(("cv", "cview", "xview"), "xview"),
    **dict.fromkeys(("cset", "xset"), "xset"),
}
PART = re.compile(r"x_(train|test)\[(\d+)\]")
EMPTY = "a clip without a frame"


class Options(Strict):
    """What the arrays themselves do not tell."""

    classes: int = Field(
        0, ge=0, le=MOST_CLASSES, description="number of classes, where labels are whole numbers; 0: found"
    )


@dataclass(frozen=True)
class _Arrays:
    """Where the clips lie, and what is known of each: all that another process needs."""

    source: Path
    labels: dict[str, NDArray[np.int64]]
    splits: tuple[str, ...]


def read(source: Path, options: Options = Options()) -> DataSet:
    """The data set in one .npz file; an empty side is no error."""
    with npz.archive(source) as archive:
        held = npz.names(archive)
        missing = [name for name in (f"{letter}_{side}" for letter in "xy" for side in SIDES) if name not in held]
        if missing:
            raise BadInput(f"{source}: no array {', '.join(missing)} (it needs x_train, y_train, x_test, y_test)")
        told = {side: _labels(archive, source, side) for side in SIDES}
        for side, (label, _) in told.items():
            with closing(_rows(archive, source, side)) as rows:
                if rows.shape[0] != len(label):
                    raise BadInput(f"{source}: x_{side} has {rows.shape[0]} clips, y_{side} {len(label)}")
    classes = _classes(source, told, options)
    arrays = _Arrays(source, {side: label for side, (label, _) in told.items()}, _splits(source))
    return DataSet(
        NAMES.get(classes, source.stem),
        skeletons.layout("kinect25"),
        tuple(f"A{number:03}" for number in range(1, classes + 1)),
        [f"x_{side}[{number}]" for side in SIDES for number in range(len(arrays.labels[side]))],
        partial(_load, arrays),
        together=True,
        stamp=Files(source).stamp,
        notes=("origin and preprocessing: as delivered in the npz",),
        frame_rate=30.0,
        licence=LICENCE,
    )


def _splits(source: Path) -> tuple[str, ...]:
    words = re.split(r"[^a-z]+", source.stem.lower())
    return ("given", *dict.fromkeys(PROTOCOLS[word] for word in words if word in PROTOCOLS))


def _rows(archive: zipfile.ZipFile, source: Path, side: str) -> npz.Rows:
    """The clips of a side. Raises BadInput for arrays of another shape."""
    rows = npz.Rows(archive, source, f"x_{side}")
    flat = len(rows.shape) == 3 and rows.shape[2] == BODIES * JOINTS * CHANNELS
    named = len(rows.shape) == 5 and rows.shape[1::2] == (CHANNELS, JOINTS) and rows.shape[4] in range(1, BODIES + 1)
    if not (flat or named):
        raise BadInput(
            f"{source}: x_{side} has the shape {list(rows.shape)}, "
            f"not [clips, frames, {BODIES * JOINTS * CHANNELS}] or [clips, {CHANNELS}, frames, {JOINTS}, {BODIES}]"
        )
    if rows.row_bytes > LARGEST:
        raise BadInput(f"{source}: x_{side} has clips of {rows.row_bytes:,} bytes, which no recording has")
    return rows


def _labels(archive: zipfile.ZipFile, source: Path, side: str) -> tuple[NDArray[np.int64], int]:
    """The class of each clip, and how many classes there are: 0 where the array does not tell."""
    name = f"y_{side}"
    with closing(npz.Rows(archive, source, name)) as rows:
        if len(rows.shape) not in (1, 2):
            raise BadInput(f"{source}: {name} has the shape {list(rows.shape)}, not [clips, classes] or [clips]")
        if rows.shape[0] * rows.row_bytes > LARGEST:
            raise BadInput(f"{source}: {name} has the shape {list(rows.shape)}, which is too large for labels")
        told: NDArray[Any] = rows.read(rows.shape[0])
    if len(rows.shape) == 1:
        wrong = np.flatnonzero((told != np.floor(told)) | (told < 0) | (told >= MOST_CLASSES))
        if len(wrong):
            raise BadInput(f"{source}: {name}[{wrong[0]}] is {told[wrong[0]]}, not a class counted from 0")
        return told.astype(np.int64), 0
    wrong = np.flatnonzero((told != 0).sum(1) != 1)
    if len(wrong):
        raise BadInput(f"{source}: {name}[{wrong[0]}] is not one-hot")
    if len(told) and rows.shape[1] > MOST_CLASSES:
        raise BadInput(f"{source}: {name} has {rows.shape[1]} classes; {MOST_CLASSES} is the most")
    return told.argmax(1) if len(told) else np.zeros(0, np.int64), rows.shape[1]


def _classes(source: Path, told: dict[str, tuple[NDArray[np.int64], int]], options: Options) -> int:
    widths = {width for _, width in told.values() if width}
    if len(widths) > 1:
        raise BadInput(f"{source}: y_train and y_test differ in their number of classes")
    least = max((int(label.max()) + 1 for label, _ in told.values() if len(label)), default=0)
    named = re.match(r"ntu_?(60|120)", source.stem.lower())
    (width,) = widths or {0}
    classes = options.classes or width or (int(named[1]) if named else least)
    if classes < least or classes != (width or classes):
        raise BadInput(f"{source}: has {width or least} classes, not {classes}; set classes to the right number")
    return classes


def _load(arrays: _Arrays, parts: Sequence[str]) -> Iterator[Loaded]:
    """One clip a part; the archive is opened once and passed over up to the first of them."""
    places = [(match[1], int(match[2])) for match in map(PART.fullmatch, parts) if match]
    given = 0
    try:
        with npz.archive(arrays.source) as archive:
            for side, group in groupby(places, key=lambda place: place[0]):
                numbers = [number for _, number in group]
                with closing(_rows(archive, arrays.source, side)) as rows:
                    rows.skip(numbers[0])
                    for number in numbers:
                        yield _part(arrays, rows, side, number)
                        given += 1
    except BadInput as error:
        for _ in places[given:]:
            yield Loaded(error=str(error))


def _part(arrays: _Arrays, rows: npz.Rows, side: str, number: int) -> Loaded:
    try:
        (x,) = rows.read(1)
    except BadInput as error:
        return Loaded(error=str(error))
    clip_name = f"{side}-{number:06}"
    with np.errstate(over="ignore"):  # said below, with the clip
        x = x.astype(np.float32)
    if not np.isfinite(x).all():
        return Loaded(error=f"{rows.where}[{number}] holds a coordinate that is not finite")
    flat = x.ndim == 2  # else (C, T, V, M)
    joints = x.reshape(-1, BODIES, JOINTS, CHANNELS).transpose(1, 0, 2, 3) if flat else x.transpose(3, 1, 2, 0)
    filled = np.flatnonzero(joints.any((0, 2, 3)))
    if not len(filled):
        return Loaded(dropped=[(clip_name, EMPTY)])
    joints = joints[:, : filled[-1] + 1]
    joints = joints[: 2 if joints[1:].any() else 1]
    sides = dict.fromkeys(arrays.splits, SIDES[side])
    return Loaded([Clip(clip_name, joints, int(arrays.labels[side][number]), sides=sides)])
