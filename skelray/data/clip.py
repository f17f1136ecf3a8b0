"""One recorded clip, as readers yield it and the store keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Float64

from skelray.errors import BadInput
from skelray.skeletons import Skeleton

UNKNOWN, TRAIN, TEST = -1, 0, 1  # values of Clip.sides; -1 stands for unknown in every other number too


@dataclass(frozen=True, slots=True)
class Clip:
    """The joints of one or more bodies over time, and what is known about the recording. -1 means unknown."""

    clip_name: str
    joints: Float32[np.ndarray, "M T V C"]  # metres; no padding; a body that is not seen in a frame is all zeros there
    label: int  # counted from 0
    subject: int = UNKNOWN
    camera: int = UNKNOWN
    setup: int = UNKNOWN
    replication: int = UNKNOWN
    recording: int = UNKNOWN  # clips cut from the same recording, or from its other views, share it
    sides: Mapping[str, int] = field(default_factory=dict)  # split -> TRAIN or TEST, where the source itself says so

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


def single(joints: Float64[np.ndarray, "T V C"], where: str) -> Float32[np.ndarray, "T V C"]:
    """One body in single precision. Raises BadInput, with frame and joint, for what is not finite there."""
    with np.errstate(over="ignore", invalid="ignore"):
        short = joints.astype(np.float32)
    if not np.isfinite(short).all():
        frame, joint, _ = np.argwhere(~np.isfinite(short))[0]
        raise BadInput(f"{where}: frame {frame}, joint {joint}: a coordinate is not finite as float32")
    return short
