"""MSRC-12 gestures as one .npz file of windows: Kinect v1's 20 joints, one body, 15 frames a second.

Arrays: `x` (frames, 1, 20, 3) int16 millimetres, all clips one after the other; `ptr` (clips + 1), clip i is
x[ptr[i] : ptr[i + 1]]; `y` gesture from 0; `subject` as text; `name` of the recording, `P1_1_10A_p06` (way of
instruction, gesture 10, person 6); and perhaps `classes`, names of the gestures, and `view`, the camera.

A clip in which every number is zero is left out (ten, all of P1_1_12A_p19); frames without a body within a clip stay.
The order is that of the file; a clip is named by its recording and its place in it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

from skelray import beside, skeletons
from skelray.data import npz
from skelray.data.clip import UNKNOWN, Clip
from skelray.data.files import Files
from skelray.data.source import DataSet, Loaded
from skelray.errors import BadInput
from skelray.schema import Strict

PART = 250  # clips that are read at once
LONGEST = 10_000  # frames of a clip
LARGEST = 1 << 28  # bytes of an array but x, which is never held whole
MOST_CODE, SURROGATES = 0x10FFFF, range(0xD800, 0xE000)  # of Unicode: the last character, and those that are none
METRES = np.float32(0.001)  # a millimetre
LICENCE = (
    "Microsoft Research's terms at https://www.microsoft.com/en-us/download/details.aspx?id=52283: "
    "read them before you pass anything on"
)


class Options(Strict):
    """Nothing to choose."""


@dataclass(frozen=True)
class _Plan:
    source: Path
    ends: NDArray[np.int64]  # clip i has the frames ends[i] to ends[i + 1] - 1
    label: NDArray[np.int64]
    subject: NDArray[np.int64]
    camera: NDArray[np.int64]
    recording: NDArray[np.int64]
    names: tuple[str, ...]


def read(source: Path, options: Options = Options()) -> DataSet:
    """The data set in one .npz file. Raises BadInput for arrays that are missing or do not agree."""
    if not source.is_file():
        raise BadInput(f"{source}: no such file; msrc12 reads one .npz file with x, ptr, y, subject and name")
    plan, classes = _plan(source)
    clips = len(plan.label)
    return DataSet(
        "msrc12",
        skeletons.layout("kinect20"),
        classes,
        [_part(first, min(first + PART, clips)) for first in range(0, clips, PART)],
        partial(_load, plan),
        together=True,
        stamp=partial(_stamp, source),
        steps=("hip_origin", "yaw"),
        frame_rate=15.0,
        licence=LICENCE,
    )


def _part(first: int, end: int) -> str:
    return f"clips {first:06}-{end - 1:06}"


def _stamp(source: Path, _part: str) -> str:
    return Files(source).stamp("")


def _plan(source: Path) -> tuple[_Plan, tuple[str, ...]]:
    with npz.archive(source) as opened:
        held = npz.names(opened)
        if missing := {"x", "ptr", "y", "subject", "name"} - set(held):
            raise BadInput(f"{source}: no array {', '.join(sorted(missing))} (it holds {', '.join(sorted(held)[:9])})")
        frames = _frames(npz.Rows(opened, source, "x"), source)
        ends, label = (_numbers(opened, source, name) for name in ("ptr", "y"))
        people = npz.Rows(opened, source, "subject", npz.NUMBERS + npz.TEXT)
        text = people.dtype.kind == npz.TEXT
        subject = _people(_texts(opened, source, "subject")) if text else _numbers(opened, source, "subject")
        names = _texts(opened, source, "name")
        camera = _numbers(opened, source, "view") if "view" in held else np.full(len(label), UNKNOWN)
        classes = tuple(_texts(opened, source, "classes")) if "classes" in held else _gestures()
    for what, count in {"ptr": len(ends) - 1, "subject": len(subject), "name": len(names), "view": len(camera)}.items():
        if count != len(label):
            raise BadInput(f"{source}: y has {len(label)} clips, {what} {count}")
    lengths = np.diff(ends)
    if not len(label) or ends[0] or ends[-1] != frames or lengths.min() < 1 or lengths.max() > LONGEST:
        raise BadInput(f"{source}: ptr must rise from 0 to the {frames} frames of x, by 1 to {LONGEST:,} a clip")
    if label.min() < 0 or label.max() >= len(classes):
        last = len(classes) - 1
        raise BadInput(f"{source}: y holds {label.min()} to {label.max()}, but the gestures are 0 to {last}")
    clip_names, recording = _named(names)
    return _Plan(source, ends, label, subject, camera, recording, clip_names), classes


def _named(recordings: Sequence[str]) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """A name for each clip, and the number of its recording, counted from the first of the file."""
    number = {name: place for place, name in enumerate(dict.fromkeys(recordings))}
    before: Counter[str] = Counter()
    names = []
    for name in recordings:
        names.append(f"{name}-{before[name]:02}")
        before[name] += 1
    return tuple(names), np.array([number[name] for name in recordings], np.int64)


def _frames(x: npz.Rows, source: Path) -> int:
    if len(x.shape) != 4 or x.shape[1:] != (1, 20, 3):
        raise BadInput(f"{source}: x has the shape {list(x.shape)}, not [frames, 1, 20, 3]")
    if x.dtype != np.int16:
        raise BadInput(f"{source}: x must be int16, millimetres, not {x.dtype}")
    return x.shape[0]


def _numbers(opened: ZipFile, source: Path, name: str) -> NDArray[np.int64]:
    rows = npz.Rows(opened, source, name)
    if len(rows.shape) != 1 or rows.dtype.kind not in "iu" or rows.shape[0] * rows.row_bytes > LARGEST:
        raise BadInput(f"{source}: {name} must be whole numbers in one row, not {rows.dtype} of {list(rows.shape)}")
    return rows.read(rows.shape[0]).astype(np.int64)


def _texts(opened: ZipFile, source: Path, name: str) -> list[str]:
    rows = npz.Rows(opened, source, name, npz.TEXT)
    if len(rows.shape) != 1 or not 0 < rows.shape[0] * rows.row_bytes <= LARGEST:
        raise BadInput(f"{source}: {name} must be text in one row, not {rows.dtype} of {list(rows.shape)}")
    texts = rows.read(rows.shape[0])
    codes = texts.view(np.dtype(np.uint32).newbyteorder(texts.dtype.byteorder))
    if codes.max() > MOST_CODE or ((codes >= SURROGATES.start) & (codes < SURROGATES.stop)).any():
        raise BadInput(f"{source}: {name} holds what is no text")  # numpy would make text of it that Python cannot hold
    return [str(text) for text in texts]


def _people(texts: Sequence[str]) -> NDArray[np.int64]:
    return np.array([int(text) if text.isascii() and text.isdigit() and len(text) < 9 else UNKNOWN for text in texts])


def _gestures() -> tuple[str, ...]:
    return tuple(beside.facts(__file__)["gestures"])


def _load(plan: _Plan, parts: Sequence[str]) -> Iterator[Loaded]:
    ranges = [(int(part[6:12]), int(part[13:]) + 1) for part in parts]
    with npz.archive(plan.source) as opened:
        x = npz.Rows(opened, plan.source, "x")
        error = ""
        for place, (first, end) in enumerate(ranges):
            try:
                if not place:
                    x.skip(int(plan.ends[first]))
                loaded = _clips(plan, x, range(first, end))
            except BadInput as broken:
                error = str(broken)
            yield Loaded(error=error) if error else loaded


def _clips(plan: _Plan, x: npz.Rows, clips: range) -> Loaded:
    found, dropped, unseen, unknown = [], [], 0, 0
    for clip in clips:
        raw = x.read(int(plan.ends[clip + 1] - plan.ends[clip]))
        joints = raw.astype(np.float32).transpose(1, 0, 2, 3) * METRES
        seen = joints.any((0, 2, 3))
        name = plan.names[clip]
        if not np.any(seen):
            dropped.append((name, "every number is zero"))
            continue
        unseen += int((~seen).sum())
        unknown += int(plan.subject[clip] == UNKNOWN)
        label, subject, camera, recording = (
            int(column[clip]) for column in (plan.label, plan.subject, plan.camera, plan.recording)
        )
        found.append(Clip(name, joints, label, subject, camera, recording=recording))
    counts = {"frames without a body, kept": unseen, "clips of an unknown subject": unknown}
    return Loaded(found, {rule: count for rule, count in counts.items() if count}, dropped)
