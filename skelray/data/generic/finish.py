"""From numbers as they are written to a clip: units, the axis that points up, values that are missing."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float32, Float64
from numpy.typing import NDArray

from skelray.data.generic.description import Description, Up
from skelray.errors import BadInput
from skelray.skeletons import Skeleton
from skelray.yaml_file import Document

Written = Float64[np.ndarray, "M T V C"]  # not a number where a value is missing
Seen = Bool[np.ndarray, "M T"]

METRES = {"metres": 1.0, "centimetres": 0.01, "millimetres": 0.001}
TURNS: dict[Up, tuple[tuple[int, int], ...]] = {  # up -> (axis, sign) of each new axis: turns, so that left stays left
    "y": ((0, 1), (1, 1), (2, 1)),
    "-y": ((0, 1), (1, -1), (2, -1)),
    "z": ((0, 1), (2, 1), (1, -1)),
    "-z": ((0, 1), (2, -1), (1, 1)),
    "x": ((1, -1), (0, 1), (2, 1)),
    "-x": ((1, 1), (0, -1), (2, 1)),
}
PART_MISSING = {"interpolate": "missing values interpolated over time", "zero": "missing values set to 0"}
NEVER = "values of joints that are never seen, set to 0"
UNSEEN = "frames in which a body is not seen, set to 0"
CUT = "frames at the ends in which nobody is seen, cut off"
NOBODY = "bodies that are never seen, left out"


def notes(told: Description) -> tuple[str, ...]:
    """What is done to every coordinate, in words."""
    if told.units == "pixels":
        width, height = told.image or (1, 1)
        scale = f"units: pixels of {width} x {height}, -1 to 1 over width and height"
    else:
        factor = METRES.get(told.units, told.factor)
        scale = "" if factor == 1 else f"units: {told.units}, times {factor:g}"
    turned = f"up: {told.upward}, turned so that y is up" if told.upward != "y" else ""
    cut = "" if told.trim else "frames at the ends in which nobody is seen are kept"
    return tuple(note for note in (scale, turned, cut) if note)


def refuse_up(document: Document, told: Description, skeleton: Skeleton) -> None:
    """Raise BadInput when an axis points up that the data does not have."""
    if skeleton.channels == 2 and told.upward in ("z", "-z"):
        raise document.error("up", "data of two dimensions has no z axis; y or -y")


def finished(
    written: Float64[np.ndarray, "bodies frames V C"],
    told: Description,
    skeleton: Skeleton,
    where: str,
    lines: Mapping[tuple[int, int], int],
) -> tuple[Float32[np.ndarray, "M T V C"], Counter[str]]:
    """The joints as a clip has them, and how often each rule changed something.

    `lines` tells the line of a (body, frame), where there are lines. Raises BadInput, naming the file.
    """
    counts: Counter[str] = Counter()
    if np.isinf(written).any():
        body, frame, joint, _ = np.argwhere(np.isinf(written))[0].tolist()
        raise BadInput(f"{_at(where, body, frame, lines)}: joint {skeleton.joints[joint]!r} is infinite")
    joints, seen = _with_gaps(written, told)
    joints = joints[seen.any(1)]
    if not len(joints):
        raise BadInput(f"{where}: no body in any frame")
    if told.missing == "refuse":
        _refuse_gaps(joints, np.flatnonzero(seen.any(1)), skeleton, where, lines)
    counts[NOBODY] += len(written) - len(joints)
    seen = seen[seen.any(1)]
    if told.missing == "interpolate":
        before = int(np.isnan(joints).sum())
        joints = _interpolated(joints, seen)
        counts[PART_MISSING["interpolate"]] += before - int(np.isnan(joints).sum())
        seen = ~np.isnan(joints).all((2, 3))
    if told.trim:
        here = np.flatnonzero(seen.any(0))
        counts[CUT] += seen.shape[1] - int(here[-1] - here[0] + 1)
        joints, seen = joints[:, here[0] : here[-1] + 1], seen[:, here[0] : here[-1] + 1]
    counts[UNSEEN] += int((~seen).sum())
    left = int(np.isnan(joints[seen]).sum())
    counts[NEVER if told.missing == "interpolate" else PART_MISSING["zero"]] += left
    with np.errstate(over="ignore"):
        clip = np.nan_to_num(_upright(_scaled(joints, told), told.upward), nan=0.0, posinf=np.inf).astype(np.float32)
    if not np.isfinite(clip).all():
        raise BadInput(f"{where}: holds a coordinate that is too large")
    return np.ascontiguousarray(clip), +counts


def _with_gaps(written: Written, told: Description) -> tuple[Written, Seen]:
    """The values with "not a number" for what was not found, and in which frames each body is seen at all."""
    joints = written
    if told.zeros_are_missing:
        joints = np.where((joints == 0).all(-1, keepdims=True), np.nan, joints)
    seen = ~(np.isnan(joints) | (joints == 0)).all((2, 3))
    return np.where(seen[..., None, None], joints, np.nan), seen


def _refuse_gaps(
    joints: Written, body_of: NDArray[np.intp], skeleton: Skeleton, where: str, lines: Mapping[tuple[int, int], int]
) -> None:
    gaps = np.isnan(joints) & ~np.isnan(joints).all((2, 3), keepdims=True)
    if gaps.any():
        body, frame, joint, _ = np.argwhere(gaps)[0].tolist()
        place = _at(where, int(body_of[body]), frame, lines)
        hint = "say missing: interpolate or zero where that is no mistake"
        raise BadInput(f"{place}: joint {skeleton.joints[joint]!r} has no value; {hint}")


def _interpolated(joints: Written, seen: Seen) -> Written:
    """Every gap filled over time along a straight line, and before the first or after the last value by it.

    A body is not made to appear earlier or to stay longer than it is seen.
    """
    joints = joints.copy()
    time = np.arange(joints.shape[1])
    for body, frames in zip(joints, seen, strict=True):
        first, last = np.flatnonzero(frames)[[0, -1]]
        inside = body[first : last + 1].reshape(last + 1 - first, -1)
        for column in np.flatnonzero(np.isnan(inside).any(0)):
            known = ~np.isnan(inside[:, column])
            if known.any():
                moments = time[: len(inside)]
                inside[:, column] = np.interp(moments, moments[known], inside[known, column])
    return joints


def _scaled(joints: Written, told: Description) -> Written:
    if told.units == "pixels":
        half = np.array(told.image or (2, 2)) / 2
        flat = (joints[..., :2] - half) / half
        return np.concatenate([flat, joints[..., 2:] / half[0]], -1)
    return joints * METRES.get(told.units, told.factor or 1.0)


def _upright(joints: Written, up: Up) -> Written:
    return np.stack([sign * joints[..., axis] for axis, sign in TURNS[up] if axis < joints.shape[-1]], -1)


def _at(where: str, body: int, frame: int, lines: Mapping[tuple[int, int], int]) -> str:
    line = lines.get((body, frame))
    return f"{where}: body {body}, frame {frame}" if line is None else f"{where}:{line}"
