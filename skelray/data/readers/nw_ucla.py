"""Northwestern-UCLA Multiview Action3D: a folder of JSON files aAA_sSS_eEE_vVV.json, 20 joints, one body, metres.

A known fault of the archive is kept: the files of view 3 of actions 2 and 3 are copies of view 2. The store's digests
find them, and `splits.open_test` gives a clean test side beside the standard one.
"""

import json
import re
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from skelray import skeletons
from skelray.data.clip import Clip, single
from skelray.data.files import Files, stem, text
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
LICENCE = (
    "no licence is published with the archive; ask its authors before you pass it on "
    "(https://wangjiangb.github.io/my_data.html)"
)
LARGEST = 1 << 23  # bytes of a file; the longest real one has an eightieth of it
NAME = re.compile(r"a(\d\d)_s(\d\d)_e(\d\d)_v(\d\d)", re.ASCII)


class Options(Strict):
    """Nothing to choose."""


def read(source: Path, options: Options = Options()) -> DataSet:
    """The data set in a folder, or an archive, of JSON files."""
    files = Files(source)
    parts = files.once(name for name in files.names(".json") if NAME.fullmatch(stem(name)))
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
    name, where = stem(part), files.where(part)
    match = NAME.fullmatch(name)
    action, subject, replication, camera = map(int, match.groups()) if match else (-1, -1, -1, -1)
    if action not in ACTIONS:
        raise BadInput(f"{where}: no action {name[:3]} (there are {', '.join(f'a{a:02}' for a in ACTIONS)})")
    label = list(ACTIONS).index(action)
    joints = _joints(text(files.read(part, LARGEST), where), where, name, label)
    return Loaded([Clip(name, joints, label, subject, camera, replication=replication)])


def _joints(content: str, where: str, name: str, label: int) -> Float32[np.ndarray, "1 T V 3"]:
    whole = _parsed(content, where)
    if not isinstance(whole, dict) or not {"label", "skeletons"} <= set(whole):
        raise _unlike(where, "an object without these keys" if isinstance(whole, dict) else "no object")
    told, frames = whole["label"], whole["skeletons"]
    try:
        kinds = set(map(type, chain.from_iterable(chain.from_iterable(frames))))
        if not kinds <= {int, float}:
            raise TypeError("a coordinate is not a number")  # numpy would take "1.5" and true for one
        joints = np.array(frames, np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise _unlike(where, str(error)) from error
    if joints.ndim != 3 or joints.shape[1:] != (20, 3):
        raise BadInput(f"{where}: skeletons have the shape {list(joints.shape)}, not [frames, 20, 3]")
    if type(told) is not int or told != label + 1:
        raise BadInput(f"{where}: label {told!r}, but action {name[1:3]} is label {label + 1}")
    return single(joints, where)[None]


def _parsed(content: str, where: str) -> Any:
    try:
        return json.loads(content, parse_constant=partial(_refuse_constant, where), object_pairs_hook=_without_copies)
    except json.JSONDecodeError as error:
        raise BadInput(f"{where}:{error.lineno}: not whole JSON ({error.msg})") from error
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, brackets thousands deep
        raise BadInput(f"{where}: not JSON that can be read ({error})") from error


def _refuse_constant(where: str, constant: str) -> float:
    raise BadInput(f"{where}: {constant} is not finite, so it is no coordinate")


def _without_copies(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands there twice")
    return found


def _unlike(where: str, why: str) -> BadInput:
    return BadInput(f'{where}: not {{"label": n, "skeletons": [frame][20][3]}} ({why})')
