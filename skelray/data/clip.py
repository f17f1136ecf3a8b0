"""One recorded clip, as readers yield it and the store keeps it; and the data set that a reader finds."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from skelray.errors import BadInput
from skelray.skeletons import Skeleton

UNKNOWN, TRAIN, TEST = -1, 0, 1  # values of Clip.side; -1 stands for unknown in every other number too


@dataclass(frozen=True, slots=True)
class Clip:
    """The joints of one or more bodies over time, and what is known about the recording. -1 means unknown."""

    clip_name: str
    joints: Float32[np.ndarray, "M T V C"]  # metres; every frame is real, there is no padding
    label: int  # counted from 0
    subject: int = UNKNOWN
    camera: int = UNKNOWN
    setup: int = UNKNOWN
    replication: int = UNKNOWN
    side: int = UNKNOWN  # TRAIN or TEST when the source itself says so

    def check(self, skeleton: Skeleton, classes: int) -> None:
        """Raise BadInput, naming the clip, when it cannot be stored under this layout and number of classes."""
        bodies, frames, joints, channels = self.joints.shape
        if not bodies or not frames:
            raise BadInput(f"{self.clip_name}: a clip needs at least one body and one frame, not {bodies} and {frames}")
        if (joints, channels) != (len(skeleton.joints), skeleton.channels):
            raise BadInput(
                f"{self.clip_name}: {joints} joints x {channels} coordinates, "
                f"but the layout {skeleton.name} has {len(skeleton.joints)} x {skeleton.channels}"
            )
        if not np.isfinite(self.joints).all():
            frame = int(np.flatnonzero(~np.isfinite(self.joints).all((0, 2, 3)))[0])
            raise BadInput(f"{self.clip_name}: frame {frame} holds a coordinate that is not finite")
        if not 0 <= self.label < classes:
            raise BadInput(f"{self.clip_name}: label {self.label} is not one of 0..{classes - 1}")


@dataclass(frozen=True)
class DataSet:
    """What a reader makes of a source: everything `store.write` asks for."""

    name: str  # the store's; splits.json knows official protocols by it
    skeleton: Skeleton
    classes: tuple[str, ...]
    transforms: tuple[str, ...]  # what was done to the coordinates, in words
    clips: Iterator[Clip]  # read while it is consumed
