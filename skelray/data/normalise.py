"""Where a clip stands and which way it faces: named steps, done once, at import, and recorded in the store.

Every function of this module that STEPS names is a step: f(joints, skeleton) -> joints.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32

from skelray.errors import BadInput, near
from skelray.skeletons import Skeleton

Joints = Float32[np.ndarray, "M T V C"]
STEPS = {  # step -> what a store says was done
    "hip_origin": "origin: first-frame hip centre",
    "yaw": "yaw: first-frame hips and shoulders along x",
}
ORIGINS = ("hip_center", "spine_base")  # what layouts call the joint between the hips


def align(joints: Joints, skeleton: Skeleton, steps: Sequence[str]) -> Joints:
    """The clip after these steps, one after the other."""
    for step in steps:
        joints = globals()[step](joints, skeleton)
    return joints


def sentence(step: str) -> str:
    """What a store says of a step."""
    return STEPS[step]


def refuse(steps: Sequence[str], skeleton: Skeleton) -> None:
    """Raise BadInput for a step that nobody knows or that clips of this layout cannot take."""
    for step in steps:
        if step not in STEPS:
            raise BadInput(f"no step {step!r}{near(step, STEPS)} (there are {', '.join(STEPS)})")


def hip_origin(joints: Joints, skeleton: Skeleton) -> Joints:
    """Move the whole clip so that the first body's hip centre is the origin in the first frame."""
    hip = next(skeleton.joints.index(name) for name in ORIGINS if name in skeleton.joints)
    return joints - joints[0, 0, hip]


def yaw(joints: Joints, skeleton: Skeleton) -> Joints:
    """Turn the whole clip about the vertical y axis so that the first body faces the camera in the first frame.

    Afterwards the line from left to right, hips and shoulders together, points along x there. Three coordinates only.
    """
    left, right = (
        sum(joints[0, 0, skeleton.joints.index(f"{part}_{side}")] for part in ("hip", "shoulder"))
        for side in ("left", "right")
    )
    x, _, z = np.asarray(right - left, np.float64)
    length = np.hypot(x, z)
    if length < 1e-6:  # a body seen exactly from above: no way of facing is better than another
        return joints
    cos, sin = x / length, z / length
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], np.float32)
    return joints @ turn.T
