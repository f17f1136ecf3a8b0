"""Where a clip stands and which way it faces: named steps, done once, at import, and recorded in the store.

Every function of this module that STEPS names is a step: f(joints, skeleton) -> joints. A step looks at one pose, that
of the first body in the first frame in which it is seen, and does one thing to all bodies and frames alike, so that
distances within a clip stay. A body that is not seen in a frame (all zeros) stays zeros; a pose that does not tell what
a step asks, such as a spine without length, leaves its clip as it is. POINTS says which joints a step looks at.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64

from skelray.errors import BadInput, near
from skelray.skeletons import Skeleton

Joints = Float32[np.ndarray, "M T V C"]
Point = Float64[np.ndarray, " C"]
STEPS = {  # step -> what a store says was done
    "hip_origin": "origin: first-frame hip centre",
    "spine_origin": "origin: first-frame mid-spine",
    "yaw": "yaw: first-frame hips and shoulders along x",
    "spine_to_z": "turn: first-frame spine along z",
    "shoulders_to_x": "turn: first-frame shoulders along x",
}
HIPS, SHOULDERS = ("hip_left", "hip_right"), ("shoulder_left", "shoulder_right")
POINTS: dict[str, tuple[tuple[str, ...], ...]] = {  # point -> joints whose mean it is; the first that a layout has
    "hip centre": (("hip_center",), ("spine_base",), HIPS),
    "mid-spine": (("spine_mid",), ("spine",), ("belly",), (*HIPS, *SHOULDERS)),
    "left side": (("hip_left", "shoulder_left"),),
    "right side": (("hip_right", "shoulder_right"),),
    "left shoulder": (("shoulder_left",),),
    "right shoulder": (("shoulder_right",),),
}
ASKS = {  # step -> the points it looks at
    "hip_origin": ("hip centre",),
    "spine_origin": ("mid-spine",),
    "yaw": ("left side", "right side"),
    "spine_to_z": ("hip centre", "mid-spine"),
    "shoulders_to_x": ("left shoulder", "right shoulder"),
}
TURNS = ("yaw", "spine_to_z", "shoulders_to_x")  # for which a joint needs three coordinates
SMALL = 1e-6  # metres; a shorter line has no direction


def align(joints: Joints, skeleton: Skeleton, steps: Sequence[str]) -> Joints:
    """The clip after these steps, one after the other."""
    with np.errstate(over="ignore", invalid="ignore"):  # what leaves the range of numbers is refused with the clip
        for step in steps:
            joints = globals()[step](joints, skeleton)
    return joints


def sentence(step: str) -> str:
    """What a store says of a step."""
    return STEPS[step]


def refuse(steps: Sequence[str], skeleton: Skeleton) -> None:
    """Raise BadInput for a step that nobody knows or that clips of this layout cannot take."""
    for number, step in enumerate(steps):
        if step not in STEPS:
            raise BadInput(f"no step {step!r}{near(step, STEPS)} (there are {', '.join(STEPS)})")
        if step in TURNS and skeleton.channels != 3:
            raise BadInput(f"the step {step} needs three coordinates a joint: {skeleton.name} has {skeleton.channels}")
        for point in ASKS[step]:
            if not _found(point, skeleton):
                due = " or ".join(" and ".join(names) for names in POINTS[point])
                raise BadInput(f"the step {step} needs the joint {due}: the layout {skeleton.name} names none so")
        if step == "yaw" and "spine_to_z" in steps[:number]:
            raise BadInput("the step yaw turns about y, but spine_to_z before it lays the body along z; leave one out")


def hip_origin(joints: Joints, skeleton: Skeleton) -> Joints:
    """Move the whole clip so that the first body's hip centre is the origin in the first frame."""
    return _moved(joints, skeleton, "hip centre")


def spine_origin(joints: Joints, skeleton: Skeleton) -> Joints:
    """Move the whole clip so that the first body's mid-spine is the origin in the first frame (MAMP, NTU)."""
    return _moved(joints, skeleton, "mid-spine")


def yaw(joints: Joints, skeleton: Skeleton) -> Joints:
    """Turn the whole clip about the vertical y axis so that the first body faces the camera in the first frame.

    Afterwards the line from left to right, hips and shoulders together, points along x there. Three coordinates only.
    """
    frame = first_seen(joints)
    if frame is None:
        return joints
    left, right = (
        sum(joints[0, frame, skeleton.joints.index(f"{part}_{side}")] for part in ("hip", "shoulder"))
        for side in ("left", "right")
    )
    x, _, z = np.asarray(right - left, np.float64)
    length = np.hypot(x, z)
    if length < SMALL:  # a body seen exactly from above: no way of facing is better than another
        return joints
    cos, sin = x / length, z / length
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], np.float32)
    return _where_seen(joints, joints @ turn.T)


def spine_to_z(joints: Joints, skeleton: Skeleton) -> Joints:
    """Turn the whole clip about the origin, the shortest way, so that the line from the first body's hip centre to its
    mid-spine points along z in the first frame: the first turn of CTR-GCN's and PYSKL's preparation.

    z becomes the vertical, unlike y in the rest of skelray. Three coordinates only.
    """
    return _turned(joints, skeleton, "hip centre", "mid-spine", np.array([0.0, 0.0, 1.0]))


def shoulders_to_x(joints: Joints, skeleton: Skeleton) -> Joints:
    """Turn the whole clip about the origin, the shortest way, so that the line from the first body's left to its right
    shoulder points along x in the first frame: the second turn of CTR-GCN's and PYSKL's preparation.

    After spine_to_z it tilts the spine again by as much as the shoulders were not level. Three coordinates only.
    """
    return _turned(joints, skeleton, "left shoulder", "right shoulder", np.array([1.0, 0.0, 0.0]))


def first_seen(joints: Joints) -> int | None:
    """The first frame in which the first body is there (not all zeros); None if there is none."""
    seen = joints[0].any((1, 2))
    return int(seen.argmax()) if seen.any() else None


def _found(point: str, skeleton: Skeleton) -> list[int]:
    """The joints whose mean a point is; empty where the layout has none of the choices."""
    choices = (names for names in POINTS[point] if set(names) <= set(skeleton.joints))
    return [skeleton.joints.index(name) for name in next(choices, ())]


def _at(point: str, joints: Joints, frame: int, skeleton: Skeleton) -> Point:
    """Where a point of the first body is in a frame."""
    place: Point = joints[0, frame, _found(point, skeleton)].mean(0, dtype=np.float64)
    return place


def _moved(joints: Joints, skeleton: Skeleton, point: str) -> Joints:
    frame = first_seen(joints)
    return joints if frame is None else _where_seen(joints, joints - _at(point, joints, frame, skeleton))


def _turned(joints: Joints, skeleton: Skeleton, start: str, end: str, along: Point) -> Joints:
    """Turned about the origin so that the line from one point to another points along a unit vector."""
    frame = first_seen(joints)
    if frame is None:
        return joints
    line = _at(end, joints, frame, skeleton) - _at(start, joints, frame, skeleton)
    length = np.linalg.norm(line)
    if length < SMALL:
        return joints
    line = line / length
    axis, cosine = np.cross(line, along), line @ along
    sine = np.linalg.norm(axis)
    if sine < SMALL:  # it is there already, or points the other way, where no turn is the shortest
        return joints
    x, y, z = axis / sine
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn = np.eye(3) + sine * cross + (1 - cosine) * cross @ cross  # Rodrigues
    return _where_seen(joints, joints @ turn.T)


def _where_seen(before: Joints, after: np.ndarray) -> Joints:
    """After a step where a body is seen, zeros elsewhere; in single precision."""
    return np.where(before.any((2, 3), keepdims=True), after, before).astype(np.float32)
