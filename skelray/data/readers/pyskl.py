"""Annotation pickles of PYSKL and MMAction2: {"split": {name: [clip, ...]}, "annotations": [{...}, ...]}.

An annotation has frame_dir (the clip's name), label (from 0), total_frames, keypoint (bodies, frames, joints, 2 or 3)
and, in 2D, keypoint_score and img_shape (height, width); often float16. An older form is the list of annotations
alone. 3D files of NTU RGB+D hold camera metres after PYSKL's own choice of bodies, which differs from the official one
in details, rounded to float16. 2D files hold pixels of poses that HRNet found. Split lists become sides of named
splits: xsub_train and xsub_val of "xsub", train1 and test1 of "split1", train and val of "given".

Kinetics-400 is kept otherwise: its pickle is a table of contents without keypoints, and is refused.
The pickle is read, never run (skelray.data.unpickle); its arrays stay in the file until their clip is read.
"""

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import Field

from skelray import skeletons
from skelray.data import unpickle
from skelray.data.files import Files
from skelray.data.ntu.names import CLASSES, NAME, SETUPS
from skelray.data.pickled import Array
from skelray.data.pyskl.annotation import Rules, clip, name_of
from skelray.data.pyskl.split_lists import Sides, sides
from skelray.data.readers.ntu_skeleton import LICENCE as NTU_LICENCE
from skelray.data.source import DataSet, Loaded, one_by_one
from skelray.errors import BadInput
from skelray.skeletons import Skeleton

LAYOUTS = {  # (joints, coordinates) -> layout; a third coordinate of a flat layout is a score
    (25, 3): "kinect25",
    (20, 3): "kinect20",
    **{(17, width): "coco17" for width in (2, 3)},
    **{(18, width): "openpose18" for width in (2, 3)},
    **{(15, width): "jhmdb15" for width in (2, 3)},
}
MOST_CLASSES = 10_000
SUFFIX = re.compile(r"[-_ ]?(hrnet|openpose|[23]d(anno)?|pose|skeletons?)$")
UNITS = {"image": "half image widths and heights", "height": "half image heights", "pixels": "pixels"}
LICENCE = (
    "PYSKL publishes its annotations without a licence of their own (its code is under Apache 2.0), and those of the "
    "videos hold: https://github.com/kennymckormick/pyskl/blob/main/tools/data/README.md"
)


class Options(Rules):
    """What is done to annotations, and whether a pickle may be opened at all."""

    allow_pickle: bool = Field(False, description="open the pickle, reading plain data and arrays alone")
    layout: str = Field("", description="the joints' layout by name, where their number does not tell")
    classes: int = Field(0, ge=0, le=MOST_CLASSES, description="number of classes; 0: of NTU, or as labels tell")


@dataclass(frozen=True)
class _File:
    """All that reading a clip asks for, and that can be sent to another process."""

    source: Path
    annotations: list[Any]
    sides: Sides
    skeleton: Skeleton
    rules: Options


def read(source: Path, options: Options = Options()) -> DataSet:
    """The data set in one annotation file. Raises BadInput for a pickle that is not allowed, or is none of these."""
    if not options.allow_pickle:
        raise BadInput(f"{source}: a pickle is opened only with --allow-pickle; plain data and arrays alone are read")
    if source.is_dir() or not source.stat().st_size:
        raise BadInput(f"{source}: {'a folder' if source.is_dir() else 'empty'}; name an annotation file, a .pkl")
    annotations, split = _contents(unpickle.load(source), source)
    first = _first(annotations, source)
    skeleton = _layout(first, options, source)
    names = [name_of(annotation, number) for number, annotation in enumerate(annotations)]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise BadInput(f"{source}: two annotations have the frame_dir {twice[0]!r}")
    dataset = _dataset(source, names, annotations)
    flat = skeleton.channels == 2
    file = _File(source, annotations, sides(split, str(source)), skeleton, options)
    return DataSet(
        dataset + "-2d" * flat,
        skeleton,
        _classes(dataset, annotations, options, source),
        [f"annotations[{number}]" for number in range(len(annotations))],
        one_by_one(partial(_part, file)),
        together=True,  # a clip is read in less time than it takes to send it from another process
        stamp=Files(source).stamp,
        notes=_notes(options, skeleton, str(first.dtype)),
        steps=("spine_origin",) if skeleton.name == "kinect25" else (),
        units=UNITS[options.coordinates] if flat else "metres",
        frame_rate=30.0 if dataset in CLASSES else None,
        licence=NTU_LICENCE if dataset in CLASSES else LICENCE,
    )


def _contents(whole: Any, source: Path) -> tuple[list[Any], Any]:
    """The annotations and the split lists."""
    annotations, split = (whole, {}) if isinstance(whole, list) else (None, {})
    if isinstance(whole, dict):
        annotations, split = whole.get("annotations"), whole.get("split", {})
    if not isinstance(annotations, list):
        raise BadInput(f'{source}: neither {{"split", "annotations"}} nor a list of annotations')
    if not annotations:
        raise BadInput(f"{source}: holds no annotation")
    return annotations, split


def _first(annotations: list[Any], source: Path) -> Array:
    """The first keypoints there are."""
    whole = [each for each in annotations if isinstance(each, dict)]
    for each in whole:
        if isinstance(each.get("keypoint"), Array):
            return each["keypoint"]
    elsewhere = any("raw_file" in each or "frame_inds" in each for each in whole)
    why = "; in the Kinetics form they lie in other files, which no reader knows" if elsewhere else ""
    raise BadInput(f"{source}: no annotation has keypoints{why}")


def _layout(first: Array, options: Options, source: Path) -> Skeleton:
    if options.layout:
        return skeletons.layout(options.layout)
    shape = first.shape[2:4]
    if shape not in LAYOUTS:
        known = ", ".join(f"{joints} joints x {width}" for joints, width in LAYOUTS)
        raise BadInput(f"{source}: no layout of {shape} is known ({known}); set layout to a name")
    return skeletons.layout(LAYOUTS[shape])


def _dataset(source: Path, names: list[str], annotations: list[Any]) -> str:
    """ntu60 or ntu120 where the clips are named so, and otherwise as the file is, without what tells the detector."""
    setups = [int(match[1]) for match in map(NAME.fullmatch, names) if match]
    if not setups:
        return SUFFIX.sub("", source.stem.lower()) or source.stem
    return "ntu120" if max(setups) > SETUPS["ntu60"] or "ntu120" in source.stem.lower() else "ntu60"


def _classes(dataset: str, annotations: list[Any], options: Options, source: Path) -> tuple[str, ...]:
    labels = [each.get("label") for each in annotations if isinstance(each, dict)]
    known = [label for label in labels if type(label) is int and 0 <= label < MOST_CLASSES]
    if not known:
        raise BadInput(f"{source}: no annotation has a label in 0..{MOST_CLASSES - 1}")
    least = max(known) + 1
    if dataset in CLASSES and options.check_labels:
        return tuple(f"A{action:03}" for action in range(1, CLASSES[dataset] + 1))
    if options.classes and options.classes < least:
        raise BadInput(f"{source}: has {least} classes, not {options.classes}; set classes to the right number")
    return tuple(map(str, range(options.classes or least)))


def _notes(options: Options, skeleton: Skeleton, kind: str) -> tuple[str, ...]:
    if skeleton.channels == 3:
        return (f"coordinates: {kind}, as in the file", f"bodies: at most {options.bodies} of those in the file")
    unit = UNITS[options.coordinates]
    place = "pixels" if options.coordinates == "pixels" else f"{unit} from the image's centre"
    return (
        f"coordinates: {place}, y {'up' if options.y_up else 'down'}",
        f"scores: not kept; a joint that was not found, or with {options.least_score} or less, is zero",
        f"bodies: at most {options.bodies} of those in the file",
    )


def _part(file: _File, part: str) -> Loaded:
    number = int(part[len("annotations[") : -1])
    annotation = file.annotations[number]
    name = name_of(annotation, number)
    where = f"{file.source}: {part} ({name})"
    if name in file.sides.twice:
        split, kind = file.sides.twice[name]
        raise BadInput(f"{where}: is on both sides of the split {split} (the second list is its {kind})")
    loaded = clip(annotation, name, file.sides.sides.get(name, {}), file.skeleton, file.rules, file.source, where)
    rules = [f"clip in the list {file.sides.idle[name]!r}, of neither side"] if name in file.sides.idle else []
    if file.sides.sides and name not in file.sides.sides:
        rules.append("clip in no split list")
    return replace(loaded, counts={**loaded.counts, **dict.fromkeys(rules, 1)}) if loaded.clips else loaded
