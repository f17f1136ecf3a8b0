"""One annotation of PYSKL as a clip: its fields checked, its bodies chosen, pixels made a unit."""

from collections import Counter
from pathlib import Path
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32
from numpy.typing import NDArray
from pydantic import Field

from skelray.data.clip import Clip
from skelray.data.ntu.names import NAME, parsed
from skelray.data.pickled import Array
from skelray.data.source import Loaded
from skelray.errors import BadInput
from skelray.schema import Strict
from skelray.skeletons import Skeleton

LARGEST_IMAGE = 1 << 16  # pixels, along one side
Joints = Float32[np.ndarray, "M T V C"]
Scores = Float32[np.ndarray, "M T V"]


class Rules(Strict):
    """What is done to an annotation."""

    bodies: int = Field(2, ge=1, le=16, description="the most bodies of a clip; those with the highest scores stay")
    check_labels: bool = Field(True, description="refuse a clip whose label is not the action in its NTU name")
    coordinates: Literal["image", "height", "pixels"] = Field(
        "image",
        description="2D alone. image: from the image's centre in half widths and half heights, as PYSKL does; "
        "height: in half heights both ways, which keeps angles; pixels: as they are",
    )
    y_up: bool = Field(True, description="2D alone: y grows upwards, as in every other layout; PYSKL leaves it down")
    least_score: float = Field(
        0.01, ge=0, le=1, description="2D alone: a joint with this score or less becomes zero; PYSKL has 0.01"
    )


def name_of(annotation: Any, number: int) -> str:
    """The clip's name, or its number where it has none."""
    name = annotation.get("frame_dir") if isinstance(annotation, dict) else None
    return name if isinstance(name, str) and name else f"annotation-{number:06}"


def clip(
    annotation: Any, clip_name: str, sides: dict[str, int], skeleton: Skeleton, rules: Rules, source: Path, where: str
) -> Loaded:
    """The clip of one annotation. Raises BadInput, beginning with `where`, for one that is not as it should be."""
    if annotation is None:  # PYSKL's own script writes this for a recording in which it kept no body
        return Loaded(dropped=[(clip_name, "no annotation: no body was found")])
    if not isinstance(annotation, dict):
        raise BadInput(f"{where}: no dict of fields such as frame_dir, label and keypoint")
    label = annotation.get("label")
    if type(label) is not int:
        raise BadInput(f"{where}: label is no whole number")
    known = _known(clip_name, label, rules, where)
    joints, scores = _arrays(annotation, skeleton, source, where)
    counts: Counter[str] = Counter()
    if skeleton.channels == 2 and joints.size:
        joints = _placed(joints, scores, annotation, rules, counts, where)
    seen = joints.any((1, 2, 3))
    if not seen.any():
        return Loaded(dropped=[(clip_name, "no body, or zeros alone")])
    counts["all-zero body left out"] += int((~seen).sum())
    joints, scores = joints[seen], None if scores is None else scores[seen]
    if len(joints) > rules.bodies:
        counts[f"body beyond {rules.bodies} left out"] += len(joints) - rules.bodies
        joints = joints[_leading(joints, scores, rules.bodies)]
    made = Clip(clip_name, np.ascontiguousarray(joints), label, sides=sides, **known)
    return Loaded([made], {rule: count for rule, count in counts.items() if count})


def _known(clip_name: str, label: int, rules: Rules, where: str) -> dict[str, int]:
    if not NAME.fullmatch(clip_name):
        return {}
    try:
        name = parsed(clip_name)
    except BadInput as error:
        raise BadInput(f"{where}: {error}") from error
    if rules.check_labels and label != name.action - 1:
        raise BadInput(f"{where}: label {label}, but action {name.action} is label {name.action - 1}")
    return {
        "subject": name.performer,
        "camera": name.camera,
        "setup": name.setup,
        "replication": name.replication,
        "recording": name.recording,
    }


def _arrays(annotation: dict[Any, Any], skeleton: Skeleton, source: Path, where: str) -> tuple[Joints, Scores | None]:
    """The coordinates, and a score of each joint where the file has them."""
    joints, scores = _numbers(annotation, "keypoint", 4, source, where), None
    if joints.shape[2] != len(skeleton.joints) and joints.size:
        raise BadInput(
            f"{where}: keypoint has {joints.shape[2]} joints, but the layout {skeleton.name} has {len(skeleton.joints)}"
        )
    if skeleton.channels == 2 and joints.shape[3] == 3:  # MMAction2 also writes x, y, score
        joints, scores = joints[..., :2], joints[..., 2]
    if joints.shape[3] != skeleton.channels and joints.size:
        raise BadInput(f"{where}: keypoint has {joints.shape[3]} coordinates, not {skeleton.channels}")
    if annotation.get("keypoint_score") is not None:
        scores = _numbers(annotation, "keypoint_score", 3, source, where)
        if scores.shape != joints.shape[:3]:
            raise BadInput(
                f"{where}: keypoint_score has the shape {list(scores.shape)}, not {list(joints.shape[:3])} as keypoint"
            )
    frames = annotation.get("total_frames", joints.shape[1])
    if frames != joints.shape[1] and joints.size:
        raise BadInput(f"{where}: total_frames is {frames!r:.40}, but keypoint has {joints.shape[1]} frames")
    return joints, scores


def _numbers(annotation: dict[Any, Any], key: str, dimensions: int, source: Path, where: str) -> NDArray[np.float32]:
    array = annotation.get(key)
    if not isinstance(array, Array):
        raise BadInput(f"{where}: {key} is no array")
    if len(array.shape) != dimensions:
        due = "[bodies, frames, joints, coordinates]"[: None if dimensions == 4 else 23] + "]" * (dimensions == 3)
        raise BadInput(f"{where}: {key} has the shape {list(array.shape)}, not {due}")
    try:
        read = array.read(source)
    except BadInput as error:
        raise BadInput(f"{where}: {key}: {error}") from error
    with np.errstate(over="ignore"):  # said next
        numbers = read.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise BadInput(f"{where}: {key} holds a number that is not finite")
    return numbers


def _placed(
    joints: Joints, scores: Scores | None, annotation: dict[Any, Any], rules: Rules, counts: Counter[str], where: str
) -> Joints:
    """Pixels in the unit that is asked for; a joint that was not found is zero."""
    found: NDArray[np.bool_] = np.asarray(joints.any(-1))
    if scores is not None:
        low = found & (scores <= rules.least_score)
        counts[f"joint with a score of {rules.least_score} or less set to zero"] += int(low.sum())
        found &= ~low
    if rules.coordinates != "pixels" or rules.y_up:
        height, width = _image(annotation, where)
        if rules.coordinates == "pixels":
            joints = np.array([0, height], np.float32) - joints * np.array([-1, 1], np.float32)
        else:
            half = np.array([width if rules.coordinates == "image" else height, height], np.float32) / 2
            joints = (joints - np.array([width, height], np.float32) / 2) / half
            joints = joints * np.array([1, -1 if rules.y_up else 1], np.float32)
    return np.where(found[..., None], joints, np.float32(0))


def _image(annotation: dict[Any, Any], where: str) -> tuple[float, float]:
    shape = annotation.get("img_shape", annotation.get("original_shape"))
    sides = tuple(shape) if isinstance(shape, list | tuple) else ()
    if len(sides) != 2 or not all(type(side) in (int, float) and 1 <= side <= LARGEST_IMAGE for side in sides):
        raise BadInput(f"{where}: img_shape is not (height, width) in pixels")
    return float(sides[0]), float(sides[1])


def _leading(joints: Joints, scores: Scores | None, most: int) -> NDArray[np.int64]:
    """The bodies with the highest mean scores, or that move most where there are none, in the order of the file."""
    if scores is not None:
        rank = scores.mean((1, 2))
    else:
        rank = joints.reshape(len(joints), -1, joints.shape[-1]).var(1).sum(1)
    return np.sort(np.argsort(-rank, kind="stable")[:most])
