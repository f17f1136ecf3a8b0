"""UTD-MHAD: a folder of MATLAB files aA_sS_tT_skeleton.mat, each with `d_skel`: 20 joints x 3 x frames, metres.

Kinect v1's 20 joints in an order of their own, from the head down (layout utd20). 27 actions x 8 subjects x 4 trials
are 864, of which the authors leave out three as damaged: 861. One camera, so every clip has camera 1. Joint order:
`Skeleton_joint_order.txt` beside the files; actions: the authors' page, in utd_mhad.json.
"""

import re
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from skelray import beside, skeletons
from skelray.data import matlab
from skelray.data.clip import Clip, single
from skelray.data.files import Files, stem
from skelray.data.source import DataSet, Loaded, one_by_one
from skelray.errors import BadInput
from skelray.schema import Strict

NAME = re.compile(r"a(\d{1,2})_s(\d)_t(\d)_skeleton", re.ASCII)
VARIABLE = "d_skel"
RANGES = {"action": range(1, 28), "subject": range(1, 9), "trial": range(1, 5)}
LONGEST = 10_000  # frames of a clip; the longest real one has 125
LARGEST = 1 << 23  # bytes of a file, packed or not: LONGEST frames of doubles and something over
LICENCE = (
    "the authors call it freely available for research and ask for a citation; no licence is published with the "
    "archive (https://www.utdallas.edu/~kehtar/UTD-MHAD.html)"
)


class Options(Strict):
    """Nothing to choose."""


def read(source: Path, options: Options = Options()) -> DataSet:
    """The data set in a folder, or an archive, of MATLAB files. Raises BadInput when there is none."""
    files = Files(source)
    parts = files.once(name for name in files.names(".mat") if NAME.fullmatch(stem(name)))
    if not parts:
        raise BadInput(f"{source}: no folder with files named like a1_s1_t1_skeleton.mat")
    classes = beside.facts(__file__)["classes"]
    return DataSet(
        "utd-mhad",
        skeletons.layout("utd20"),
        tuple(classes),
        sorted(parts, key=_order),
        one_by_one(partial(_clip, files)),
        stamp=files.stamp,
        steps=("hip_origin", "yaw"),
        frame_rate=30.0,
        licence=LICENCE,
    )


def _order(part: str) -> tuple[list[int], str]:
    """a2 before a10."""
    return [int(number) for number in re.findall(r"\d+", stem(part))], part


def _clip(files: Files, part: str) -> Loaded:
    where, match = files.where(part), NAME.fullmatch(stem(part))
    numbers = dict(zip(RANGES, map(int, match.groups() if match else ()), strict=True))
    for what, number in numbers.items():
        if number not in (known := RANGES[what]):
            raise BadInput(f"{where}: no {what} {number} (there are {known[0]} to {known[-1]})")
    joints = _joints(files.read(part, LARGEST), where)
    name = stem(part).removesuffix("_skeleton")
    label, subject, trial = numbers["action"] - 1, numbers["subject"], numbers["trial"]
    return Loaded([Clip(name, joints, label, subject, camera=1, replication=trial)])


def _joints(content: bytes, where: str) -> Float32[np.ndarray, "1 T V 3"]:
    joints = matlab.floats(content, VARIABLE, where, LARGEST)
    shape = joints.shape
    if len(shape) != 3 or shape[:2] != (20, 3) or not 1 <= shape[2] <= LONGEST:
        raise BadInput(
            f"{where}: {VARIABLE} has the shape {list(shape)}, not [20, 3, frames] with 1 to {LONGEST:,} frames"
        )
    return np.ascontiguousarray(single(joints.transpose(2, 0, 1), where))[None]
