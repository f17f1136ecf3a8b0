"""Which way is up in a store, and joints as somebody before the sensor sees them."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from skelray.data.store import Store
from skelray.skeletons import Skeleton

ABOVE, BELOW = ("head", "nose", "neck", "shoulder_center", "chest"), ("foot", "ankle", "hip", "spine_base")
ENOUGH = 256  # clips that are asked


class Up(NamedTuple):
    """The axis that is vertical, and its direction."""

    axis: int
    sign: int  # 1: the coordinate grows upwards; -1: downwards, as in pictures

    def __str__(self) -> str:
        return f"{'-' if self.sign < 0 else '+'}{'xyz'[self.axis]}"


def of_store(opened: Store) -> Up:
    """Up as the data have it: along which axis, and which way, heads are above feet in first frames."""
    asked = np.unique(np.linspace(0, opened.clips - 1, min(opened.clips, ENOUGH)).astype(int))
    first = np.asarray(opened.rows[opened.offset[asked]])
    return of_joints(first, opened.skeleton)


def of_joints(first: Float[np.ndarray, "N V C"], skeleton: Skeleton) -> Up:
    """The same from some poses. A layout without a head or without feet and hips is taken to have y up."""
    high, low = (_named(skeleton, words) for words in (ABOVE, BELOW))
    if not high or not low:
        return Up(1, 1)
    above = (first[:, high].mean(1) - first[:, low].mean(1)).mean(0)
    axis = int(np.abs(above).argmax())
    return Up(axis, 1 if above[axis] >= 0 else -1)


def _named(skeleton: Skeleton, words: tuple[str, ...]) -> list[int]:
    """The joints of the first word that any joint's name begins with."""
    for word in words:
        if found := [number for number, name in enumerate(skeleton.joints) if name.startswith(word)]:
            return found
    return []


def seen(joints: Float[np.ndarray, "*n C"], up: Up) -> Float[np.ndarray, "*n 3"]:
    """Right, up and away from the viewer, in metres; flat data lie in a plane of depth zero.

    Who looks stands where a sensor of depth z stands, in front of the body. Coordinates are right-handed, so right is
    away x up: with y up and z away, that is -x, and a body that faces the viewer has its left hand at the right.
    """
    if joints.shape[-1] == 2:
        other = joints[..., 1 - up.axis]
        return np.stack([other, up.sign * joints[..., up.axis], np.zeros_like(other)], -1)
    axes = np.eye(3)
    upwards, away = up.sign * axes[up.axis], axes[1 if up.axis == 2 else 2]
    return (joints @ np.stack([np.cross(away, upwards), upwards, away], -1)).astype(joints.dtype)
