"""PKU-MMD, phase I and II: untrimmed videos as text, cut into clips by label files, split by lists of videos.

The source is a folder (or archives in it) with skeleton files `0002-L.txt` (phase I) or `A01N01-L.txt` (phase II),
label files of the same names in a folder that says "label", and `cross_subject.txt` and `cross_view.txt` (`_v2` for
phase II). Kinect v2's 25 joints, two people, metres, 30 frames a second, 51 actions.

As published preparations do: frames start to end, the end excluded; at most 300 of them; a clip in which every number
is zero is left out; no denoising, no centring: the camera is the origin. A person who is all zeros in a clip is absent.
Camera 1, 2, 3 are the views L, M, R. Nothing certain is said about subjects, so they are unknown; clips of one
recording, from whatever view, share its number.
"""

from collections import Counter
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32
from pydantic import Field

from skelray import beside, skeletons
from skelray.data.clip import TEST, TRAIN, Clip
from skelray.data.files import Files
from skelray.data.pku import folder, text
from skelray.data.pku.folder import CAMERAS, VIDEOS, Folder
from skelray.data.pku.text import Segment, Split
from skelray.data.source import DataSet, Loaded, one_by_one
from skelray.errors import BadInput
from skelray.schema import Strict

LARGEST = 1 << 26  # bytes of a skeleton file: some 45,000 frames, where real videos have some 5,000
Joints = Float32[np.ndarray, "M _ V C"]
MISSING = "files that are missing"  # the part that reports them
UNTRIMMED = ("untrimmed",)
LICENCE = (
    "its page names no licence and gives access on request: take it as lent for research, and do not pass it on "
    "(https://www.icst.pku.edu.cn/struct/Projects/PKUMMD.html)"
)


class Options(Strict):
    """What is read, and how it is cut."""

    skeletons: str = Field("", description="folder or archive, below the source, of the skeleton files")
    labels: str = Field("", description='folder or archive of the label files; by default every one that says "label"')
    splits: str = Field("", description="folder or archive of cross_subject.txt and cross_view.txt; by default any")
    phase: Literal["auto", 1, 2] = Field("auto", description="which videos: 0002-L (1) or A01N01-L (2); auto: by name")
    longest: int = Field(300, ge=0, description="frames that are kept of a clip; 0 keeps all")
    beyond: Literal["refuse", "cut"] = Field(
        "refuse", description="an action that ends after its video or before it starts; cut: as slicing does"
    )
    whole_videos: bool = Field(False, description="one clip a video, of the one class untrimmed; needs no label files")


@dataclass(frozen=True)
class _Plan:
    folder: Folder
    sides: dict[str, Split]
    options: Options
    missing: tuple[tuple[str, str], ...]


def read(source: Path, options: Options = Options()) -> DataSet:
    """The clips of one phase. Raises BadInput for a source without skeletons or labels and for a bad split file."""
    files = Files(source)
    phase = None if options.phase == "auto" else options.phase
    found = folder.find(files, phase, skeletons=options.skeletons, labels=options.labels, splits=options.splits)
    if not found.labels and not options.whole_videos:
        raise BadInput(
            f"{source}: no label files: put them into a folder named label, name theirs with --set labels=FOLDER, "
            "or take whole videos with --set whole_videos=true"
        )
    sides = {
        split: text.split(files.read(name), files.where(name), VIDEOS[found.phase])
        for split, name in found.splits.items()
    }
    plan = _Plan(found, sides, options, tuple(_missing(found, sides, options)))
    cut = f"the first {options.longest} frames of each" if options.longest else "all frames"
    return DataSet(
        f"pkummd{found.phase}{'-untrimmed' if options.whole_videos else ''}",
        skeletons.layout("kinect25"),
        UNTRIMMED if options.whole_videos else _actions(),
        [*found.skeletons, *([MISSING] if plan.missing else [])],
        one_by_one(partial(_part, plan)),
        stamp=found.stamp,
        notes=("clips: whole videos",) if options.whole_videos else (f"clips: cut by label, end excluded, {cut}",),
        frame_rate=30.0,
        licence=LICENCE,
    )


def _actions() -> tuple[str, ...]:
    return tuple(beside.facts(__file__)["actions"])


def _missing(found: Folder, sides: dict[str, Split], options: Options) -> list[tuple[str, str]]:
    """Videos that a label or a split file speaks of, but that are not there, and why they are expected."""
    spoken = {} if options.whole_videos else dict.fromkeys(found.labels, "it has a label file, but no skeleton file")
    for one in sides.values():
        for video in one.train | one.test:
            spoken.setdefault(video, "a split names it, but it has no skeleton file")
    return sorted((video, why) for video, why in spoken.items() if video not in found.skeletons)


def _part(plan: _Plan, part: str) -> Loaded:
    if part == MISSING:
        return Loaded(dropped=plan.missing)
    files, found, options = plan.folder.files, plan.folder, plan.options
    counts: Counter[str] = Counter()
    dropped = []
    sides = {split: _side(lists, part, counts) for split, lists in plan.sides.items()}
    segments, told = _segments(plan, part)
    name = found.skeletons[part]
    joints = text.video(files.read(name, LARGEST), files.where(name))
    clips = []
    for number, segment in enumerate(segments, start=1):
        clip_name = part if options.whole_videos else f"{part}-{number:03}"
        piece = joints if options.whole_videos else _cut(joints, segment, told, options, counts)
        present = np.array([body.any() for body in piece])
        if not present.any():
            dropped.append((clip_name, "every number is zero" if piece.size else "its label leaves it no frame"))
            continue
        counts["first person absent, the second stands first"] += not present[0]
        label, view, recording = segment.action - 1, CAMERAS[part[-1]], found.recording(part)
        clips.append(Clip(clip_name, piece[present], label, camera=view, recording=recording, sides=sides))
    return Loaded(clips, {rule: count for rule, count in counts.items() if count}, dropped)


def _segments(plan: _Plan, part: str) -> tuple[list[Segment], str]:
    """The actions of a video, and the file that tells them."""
    files, found = plan.folder.files, plan.folder
    if plan.options.whole_videos:
        return [Segment(action=1, start=0, end=0, line=0)], ""
    if part not in found.labels:
        known = files.where(next(iter(found.labels.values())))
        raise BadInput(f"{files.where(found.skeletons[part])}: no label file {part}.txt; others are, such as {known}")
    where = files.where(found.labels[part])
    empty = plan.options.beyond == "cut"
    return text.segments(files.read(found.labels[part]), where, len(_actions()), empty), where


def _cut(joints: Joints, segment: Segment, where: str, options: Options, counts: Counter[str]) -> Joints:
    frames = joints.shape[1]
    if segment.end > frames:
        if options.beyond == "refuse":
            raise BadInput(
                f"{where}:{segment.line}: the action ends at frame {segment.end}, but the video has {frames}; "
                "--set beyond=cut takes what is there of it"
            )
        counts["cut where the video ends"] += segment.start < frames
    piece = joints[:, segment.start : max(segment.start, segment.end)]
    if options.longest and piece.shape[1] > options.longest:
        counts[f"cut after {options.longest} frames"] += 1
        piece = piece[:, : options.longest]
    return piece


def _side(lists: Split, video: str, counts: Counter[str]) -> int:
    if video in lists.train:
        return TRAIN
    if lists.test and video not in lists.test:
        counts[f"videos on neither list of {Path(lists.where).name}: test, as published preparations take them"] += 1
    return TEST
