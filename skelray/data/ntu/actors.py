"""Who is actor 1 and who actor 2: the tracks of a file are laid into two slots, as the released preparation does."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from skelray.data.ntu.denoise import Track

Slots = Float32[np.ndarray, "M T 25 3"]
SHARED = "bodies laid into the slot of an actor whom they do not overlap"
LEFT_OUT = "bodies left out, as both slots were taken"


def one_actor(track: Track, frames: int) -> Slots:
    """A single slot; zeros where the body is not seen."""
    slots = np.zeros((1, frames, 25, 3), np.float32)
    slots[0, track.frames] = track.joints
    return slots


def overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether two intervals share more than one frame; a single shared frame goes to whoever is laid down later."""
    return min(one[1], other[1]) - max(one[0], other[0]) > 0


def hull(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """The interval from the first frame of both to the last."""
    return min(one[0], other[0]), max(one[1], other[1])


def two_actors(found: Sequence[Track], frames: int, share: bool, from_start: bool, counts: Counter[str]) -> Slots:
    """Two slots from tracks by falling motion: the first is actor 1; each further one goes to actor 1 where it does not
    overlap him, else to actor 2 where it does not overlap that one, else nowhere.

    `share` off: a slot has one body, so the two with the most motion. `from_start`: what actor 2 occupies is counted
    from the first frame of the clip, as released, so that nobody can be laid before him.
    """
    slots = np.zeros((2, frames, 25, 3), np.float32)
    taken: list[tuple[int, int] | None] = [None, None]
    for track in found:
        slot = _slot(track.interval, taken, share, from_start)
        if slot is None:
            counts[LEFT_OUT] += 1
            continue
        before = taken[slot]
        counts[SHARED] += before is not None
        slots[slot, track.frames] = track.joints
        taken[slot] = track.interval if before is None else hull(before, track.interval)
    return slots


def _slot(interval: tuple[int, int], taken: list[tuple[int, int] | None], share: bool, from_start: bool) -> int | None:
    for number, other in enumerate(taken):
        if other is None:
            return number
        if number == 1 and from_start:
            other = hull(other, (0, 0))
        if share and not overlap(interval, other):
            return number
    return None


def without_zero_frames(slots: Slots) -> Float32[np.ndarray, "M seen 25 3"]:
    """The frames in which somebody is seen."""
    return slots[:, slots.any(axis=(0, 2, 3))]
