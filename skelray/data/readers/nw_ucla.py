"""Northwestern-UCLA Multiview Action3D: a folder of JSON files aAA_sSS_eEE_vVV.json, 20 joints, one body, metres.

A known fault of the archive is kept: the files of view 3 of actions 2 and 3 are copies of view 2. The store's digests
find them, and `splits.open_test` gives a clean test side beside the standard one.
"""

import json
import re
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from skelray import skeletons
from skelray.data.clip import Clip
from skelray.data.files import Files
from skelray.data.source import DataSet, Loaded, one_by_one
from skelray.errors import BadInput
from skelray.schema import Strict

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
LICENCE = "no licence is published with the archive; ask its authors before you pass it on"
NAME = re.compile(r"a(\d\d)_s(\d\d)_e(\d\d)_v(\d\d)")


class Options(Strict):
    """Nothing to choose."""


def read(source: Path, options: Options = Options()) -> DataSet:
    """The data set in a folder, or an archive, of JSON files."""
    files = Files(source)
    parts = [name for name in files.names(".json") if NAME.fullmatch(Path(name).stem)]
    if not parts:
        raise BadInput(f"{source}: no folder with files named like a01_s01_e00_v01.json")
    load = one_by_one(partial(_clip, files))
    return DataSet(
        "nw-ucla",
        skeletons.layout("kinect20"),
        tuple(ACTIONS.values()),
        parts,
        load,
        stamp=files.stamp,
        steps=("hip_origin", "yaw"),
        licence=LICENCE,
    )


def _clip(files: Files, part: str) -> Loaded:
    name, where = Path(part).stem, files.where(part)
    match = NAME.fullmatch(name)
    action, subject, replication, camera = map(int, match.groups()) if match else (-1, -1, -1, -1)
    if action not in ACTIONS:
        raise BadInput(f"{where}: no action {name[:3]} (there are {', '.join(f'a{a:02}' for a in ACTIONS)})")
    label = list(ACTIONS).index(action)
    joints = _joints(files.read(part), where, name, label)
    return Loaded([Clip(name, joints, label, subject, camera, replication=replication)])


def _joints(content: bytes, where: str, name: str, label: int) -> Float32[np.ndarray, "1 T V 3"]:
    try:
        whole = json.loads(content)
        told, frames = whole["label"], whole["skeletons"]
        joints = np.array(frames, np.float32)
    except json.JSONDecodeError as error:
        raise BadInput(f"{where}:{error.lineno}: not whole JSON ({error.msg})") from error
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(f'{where}: not {{"label": n, "skeletons": [frame][20][3]}} ({error})') from error
    if joints.ndim != 3 or joints.shape[1:] != (20, 3) or not len(joints):
        raise BadInput(f"{where}: skeletons have the shape {list(joints.shape)}, not [frames, 20, 3]")
    if told != label + 1:
        raise BadInput(f"{where}: label {told!r}, but action {name[1:3]} is label {label + 1}")
    if not np.isfinite(joints).all():
        raise BadInput(f"{where}: a coordinate is not finite")
    return joints[None]
