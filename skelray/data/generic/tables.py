"""A clip in a .csv file: one line a frame, or a line for each body of a frame, in named columns or in order."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy.typing import NDArray

from skelray.data.generic import cells
from skelray.data.generic.arrays import MOST
from skelray.data.generic.description import Csv
from skelray.errors import BadInput
from skelray.skeletons import Skeleton

MISSING = {"", "nan", "na"}  # cells without a value
MOST_BODIES = 20
LARGEST = 3.4e38  # of a float32
AXES = "xyz"
SPECIAL = ("frame", "body", "timestamp")
SECOND = {"seconds": 1.0, "milliseconds": 1e-3, "microseconds": 1e-6}


@dataclass(frozen=True)
class Read:
    """What a file holds."""

    joints: Float64[np.ndarray, "M T V C"]  # not a number where nothing is written
    lines: dict[tuple[int, int], int]  # (body, frame) -> its line
    seconds: NDArray[np.float64] | None  # when each frame was, as far as it is told


@dataclass(frozen=True)
class _Columns:
    coordinates: list[int]
    frame: int | None
    body: int | None
    timestamp: int | None
    count: int  # of all columns


def clip(content: bytes, where: str, form: Csv, skeleton: Skeleton) -> Read:
    """The joints as they are written. Raises BadInput, with file and line, for everything that is no clip."""
    lines = cells.rows(content, form.separator, where)
    columns = None
    if form.header:
        line, names = next(lines, (1, []))
        try:
            columns = _named(names, form, skeleton)
        except BadInput as error:
            raise BadInput(f"{where}:{line}: {error}") from None
    frames = _Frames()
    for line, row in lines:
        here = f"{where}:{line}"
        columns = columns or _numbered(row, form, skeleton, here)
        if len(row) != columns.count:
            raise BadInput(f"{here}: {len(row)} cells, not {columns.count}")
        frame = frames.frame(_whole(row[columns.frame], here) if columns.frame is not None else None, line, here)
        if columns.timestamp is not None:
            frames.time(frame, row[columns.timestamp], form, here)
        body = frames.body(row[columns.body] if columns.body is not None else "", form, here)
        frames.add(body, frame, _numbers(row, columns.coordinates, here), line, here)
    return frames.dense(skeleton, where)


class _Frames:
    """The frames of a clip, as its lines come."""

    def __init__(self) -> None:
        self._lines: dict[int, int] = {}  # number of a frame -> the line it was first seen on
        self._bodies: dict[str, int] = {}
        self._times: dict[int, float] = {}
        self._values: dict[tuple[int, int], NDArray[np.float64]] = {}  # (body, number of the frame) -> coordinates
        self._at: dict[tuple[int, int], int] = {}  # (body, number of the frame) -> line
        self._last = -1

    def frame(self, number: int | None, line: int, here: str) -> int:
        """The frame of the next line. Raises BadInput for one that is over already."""
        if number is None:
            number = self._last + 1
        if self._lines and number < self._last:
            raise BadInput(f"{here}: frame {number} comes after frame {self._last}; frames must be in order")
        self._lines.setdefault(number, line)
        self._last = number
        return number

    def body(self, name: str, form: Csv, here: str) -> int:
        """The body of a line. Raises BadInput for more of them than a recording shows."""
        number = self._bodies.setdefault(name, len(self._bodies))
        if number >= MOST_BODIES:
            raise BadInput(f"{here}: more than {MOST_BODIES} bodies; is {form.body!r} the column of the body?")
        return number

    def time(self, frame: int, cell: str, form: Csv, here: str) -> None:
        """Note when a frame was; bodies of one frame may each repeat it. Raises BadInput where time stands still."""
        if cell.lower() in MISSING:
            raise BadInput(f"{here}: no time; a value in the column {form.timestamp!r} is due")
        now = _number(cell, "the time", here) * SECOND[form.timestamp_unit]
        if frame in self._times:
            return
        if self._times and now <= (last := self._times[next(reversed(self._times))]):
            raise BadInput(f"{here}: the time {now:g} s does not come after {last:g} s")
        self._times[frame] = now

    def add(self, body: int, frame: int, coordinates: NDArray[np.float64], line: int, here: str) -> None:
        """Keep a body's joints. Raises BadInput when the frame has it already."""
        if (body, frame) in self._values:
            before = self._at[body, frame]
            raise BadInput(f"{here}: frame {frame} is there already, on line {before}; csv.body tells bodies apart")
        self._values[body, frame] = coordinates
        self._at[body, frame] = line

    def dense(self, skeleton: Skeleton, where: str) -> Read:
        """All frames between the first and the last. Raises BadInput when most of them are not there."""
        if not self._lines:
            raise BadInput(f"{where}: no frame")
        first, there = next(iter(self._lines)), len(self._lines)
        count = self._last - first + 1
        if count > 2 * there:
            raise BadInput(f"{where}: frames {first} to {self._last}, but only {there} of them are there")
        shape = (len(self._bodies), count, len(skeleton.joints), skeleton.channels)
        if math.prod(shape) > MOST:
            raise BadInput(f"{where}: {math.prod(shape):,} numbers; a clip has {MOST:,} at most")
        joints = np.full(shape, np.nan)
        for (body, frame), row in self._values.items():
            joints[body, frame - first] = row.reshape(shape[2:])
        lines = {(body, frame - first): line for (body, frame), line in self._at.items()}
        seconds = np.array(list(self._times.values())) if len(self._times) == count else None
        return Read(joints, lines, seconds)


def _named(names: list[str], form: Csv, skeleton: Skeleton) -> _Columns:
    place = {key: cells.column(names, name) if (name := getattr(form, key)) else None for key in SPECIAL}
    if form.columns:
        wanted = [
            _filled(form.columns, joint, number, axis)
            for number, joint in enumerate(skeleton.joints)
            for axis in AXES[: skeleton.channels]
        ]
        known = {name: number for number, name in enumerate(names)} if len(set(names)) == len(names) else {}
        coordinates = [known[name] if name in known else cells.column(names, name) for name in wanted]
    else:
        coordinates = _others(len(names), place.values(), skeleton)
    return _Columns(coordinates, **place, count=len(names))


def _filled(columns: str, joint: str, number: int, axis: str) -> str:
    known = {"joint": joint, "number": str(number), "axis": axis, "AXIS": axis.upper()}
    return re.sub(r"\{(joint|number|axis|AXIS)\}", lambda match: known[match[1]], columns)


def _numbered(row: list[str], form: Csv, skeleton: Skeleton, here: str) -> _Columns:
    """The columns of a file without a header, found at its first line."""
    place = {key: int(name) if (name := getattr(form, key)) else None for key in SPECIAL}
    for key, number in place.items():
        if number is not None and number >= len(row):
            raise BadInput(f"{here}: {len(row)} cells, but csv.{key} is column {number}, counted from 0")
    try:
        return _Columns(_others(len(row), place.values(), skeleton), **place, count=len(row))
    except BadInput as error:
        raise BadInput(f"{here}: {error}") from None


def _others(count: int, taken: Iterable[int | None], skeleton: Skeleton) -> list[int]:
    rest = sorted(set(range(count)) - set(taken))
    joints, channels = len(skeleton.joints), skeleton.channels
    if len(rest) != joints * channels:
        raise BadInput(f"{len(rest)} columns of coordinates, not {joints * channels} ({joints} joints x {channels})")
    return rest


def _numbers(row: list[str], places: list[int], here: str) -> NDArray[np.float64]:
    return np.array(
        [math.nan if (cell := row[place]).lower() in MISSING else _number(cell, place, here) for place in places]
    )


def _number(cell: str, what: str | int, here: str) -> float:
    try:
        value = float(cell) if "_" not in cell and cell.isascii() else math.nan
    except ValueError:
        value = math.nan
    if not abs(value) < LARGEST:  # neither is a value that is not a number
        named = what if isinstance(what, str) else f"cell {what + 1}"
        raise BadInput(f"{here}: {named} is {cell[:40]!r}, which is no number")
    return value


def _whole(cell: str, here: str) -> int:
    digits = cell.removeprefix("-")
    if not (digits.isascii() and digits.isdecimal() and len(digits) < 16):
        raise BadInput(f"{here}: the number of the frame is {cell[:40]!r}, which is no whole number")
    return int(cell)
