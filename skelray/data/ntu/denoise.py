"""Which bodies of a raw file are people: the rules of the released preparation, each a function of its own.

The Kinect numbers bodies anew when it loses one, and takes furniture for bodies. The rules look at tracks, one a body
number, and hold only where a file has more than one number.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float32, Int

from skelray.data.ntu.parse import Recording
from skelray.errors import BadInput

BRIEF = 11  # frames; a body that is seen in no more is taken for noise
WIDE = 0.8  # of its height; a body wider than that is no standing person
TOO_OFTEN = 0.69754  # of a body's frames
STILL, WILD = 0.089925, 2.0  # square metres of motion that a second person has at least and at most


@dataclass(frozen=True, slots=True)
class Track:
    """One body number over time."""

    body: bytes
    frames: Int[np.ndarray, " rows"]  # where its rows go, among the frames that are kept
    joints: Float32[np.ndarray, "rows 25 3"]  # metres
    motion: float  # square metres
    closed: bool = False  # it was lost for some frames, and its gaps were closed

    @property
    def interval(self) -> tuple[int, int]:
        """Its first and last frame."""
        return int(self.frames[0]), int(self.frames[-1])


def motion(joints: Float32[np.ndarray, "rows 25 3"]) -> float:
    """How far a body's points spread over a clip: the variance of all of them, summed over the three axes."""
    with np.errstate(over="ignore", invalid="ignore"):
        return float(joints.reshape(-1, 3).var(axis=0).sum())  # in float32 as released: near ties end alike


def places(recording: Recording, keep_empty: bool) -> tuple[Int[np.ndarray, " rows"], int]:
    """The kept frame of each row, and how many frames are kept: those with a body, or all."""
    if keep_empty:
        return recording.frame, recording.frames
    seen, kept = np.unique(recording.frame, return_inverse=True)
    return kept, len(seen)


def tracks(recording: Recording, where: str, keep_empty: bool, compressed: bool) -> list[Track]:
    """The bodies in the order in which they appear.

    `compressed`: the released scripts put each further row of a body into the frame after its last one, so that a body
    that was lost and came back with its number closes the gap and stands too early from there on. Raises BadInput for
    a body that one frame lists twice, where that leads beyond the last frame.
    """
    place, frames = places(recording, keep_empty)
    rows: dict[bytes, list[int]] = {}
    for row, body in enumerate(recording.body):
        rows.setdefault(body, []).append(row)
    found = []
    for body, own in rows.items():
        first, count = int(place[own[0]]), len(own)
        if first + count > frames:
            twice = own[int(np.flatnonzero(np.diff(recording.frame[own]) == 0)[0]) + 1]
            line = recording.line(twice)
            raise BadInput(
                f"{where}:{line}: the body {body.decode()} is listed twice in one frame; it can be there once"
            )
        joints = recording.joints[own]
        at = np.arange(first, first + count) if compressed else place[own]
        found.append(Track(body, at, joints, motion(joints), closed=bool((at != place[own]).any())))
    return found


def by_length(found: Sequence[Track]) -> list[Track]:
    """The bodies that are seen in more than 11 frames; it may leave none."""
    return [track for track in found if len(track.frames) > BRIEF]


def narrow(joints: Float32[np.ndarray, "rows 25 3"]) -> Bool[np.ndarray, " rows"]:
    """The frames in which a body is at most 0.8 times as wide as it is high."""
    with np.errstate(over="ignore"):
        extent = (joints.max(axis=1) - joints.min(axis=1)).astype(np.float64)
    return extent[:, 0] <= WIDE * extent[:, 1]


def by_spread(found: Sequence[Track]) -> list[Track]:
    """The bodies that are not too wide in 69.754 % or more of their frames; one always stays.

    The motion of a body that is too wide in some frames is measured anew on the others, and the smaller value holds.
    """
    kept: list[Track] = []
    for number, track in enumerate(found):
        good = narrow(track.joints)
        if not kept and number == len(found) - 1:  # the last one left is not looked at
            return [track]
        if (~good).sum() / len(good) >= TOO_OFTEN:
            continue
        kept.append(replace(track, motion=min(track.motion, motion(track.joints[good]))))
    return kept


def by_motion(found: Sequence[Track]) -> list[Track]:
    """The body with the most motion, and those whose motion is a second person's. The released scripts hold this rule
    ready and do not use it."""
    first, *rest = by_most_motion(found)
    return [first, *(track for track in rest if STILL <= track.motion <= WILD)]


def by_most_motion(found: Sequence[Track]) -> list[Track]:
    """The bodies by falling motion; equal ones stay in their order."""
    return sorted(found, key=lambda track: -track.motion)
