"""Northwestern-UCLA Multiview Action3D: a folder of JSON files aAA_sSS_eEE_vVV.json, 20 joints, one body, metres.

A known fault of the archive is kept: the files of view 3 of actions 2 and 3 are copies of view 2. The store's digests
find them, and `splits.open_test` gives a clean test side beside the standard one.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from skelray import skeletons
from skelray.data import normalise
from skelray.data.clip import Clip, DataSet
from skelray.errors import BadInput

ACTIONS = {  # number in the file name -> what is done; a class is the place in this table
    1: "pick up with one hand",
    2: "pick up with two hands",
    3: "drop trash",
    4: "walk around",
    5: "sit down",
    6: "stand up",
    8: "donning",
    9: "doffing",
    11: "throw",
    12: "carry",
}
NAME = re.compile(r"a(\d\d)_s(\d\d)_e(\d\d)_v(\d\d)")
TRANSFORMS = ("origin: first-frame hip centre", "yaw: first-frame hips and shoulders along x")


def read(source: Path) -> DataSet:
    """The data set in a folder of JSON files."""
    files = sorted(source.glob("a??_s??_e??_v??.json")) if source.is_dir() else []
    if not files:
        raise BadInput(f"{source}: no folder with files named like a01_s01_e00_v01.json")
    return DataSet("nw-ucla", skeletons.layout("kinect20"), tuple(ACTIONS.values()), TRANSFORMS, _clips(files))


def _clips(files: list[Path]) -> Iterator[Clip]:
    skeleton = skeletons.layout("kinect20")
    for file in files:
        match = NAME.fullmatch(file.stem)
        action, subject, replication, camera = map(int, match.groups()) if match else (-1, -1, -1, -1)
        if action not in ACTIONS:
            raise BadInput(f"{file}: no action {file.stem[:3]} (there are {', '.join(f'a{a:02}' for a in ACTIONS)})")
        label = list(ACTIONS).index(action)
        joints = _joints(file, label, len(skeleton.joints))
        joints = normalise.yaw(normalise.hip_origin(joints, skeleton), skeleton)
        yield Clip(file.stem, joints, label, subject, camera, replication=replication)


def _joints(file: Path, label: int, width: int) -> normalise.Joints:
    try:
        content = json.loads(file.read_bytes())
        told, frames = content["label"], content["skeletons"]
        joints = np.array(frames, np.float32)
    except json.JSONDecodeError as error:
        raise BadInput(f"{file}:{error.lineno}: not whole JSON ({error.msg})") from error
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f'{file}: not {{"label": n, "skeletons": [frame][{width}][3]}} ({error})') from error
    if joints.ndim != 3 or joints.shape[1:] != (width, 3) or not len(joints):
        raise BadInput(f"{file}: skeletons have the shape {list(joints.shape)}, not [frames, {width}, 3]")
    if told != label + 1:
        raise BadInput(f"{file}: label {told!r}, but action {file.stem[1:3]} is label {label + 1}")
    if not np.isfinite(joints).all():
        raise BadInput(f"{file}: a coordinate is not finite")
    return joints[None]
