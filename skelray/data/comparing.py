"""What tells two stores apart: layout, classes, clips, labels, sides of splits, and coordinates clip by clip.

Clips are matched by name, and compared at the joints that both layouts name alike.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64

from skelray.data import facts, splits
from skelray.data.differing import WAYS, difference
from skelray.data.store import Store

NUMBERS = ("label", "subject", "camera", "setup", "replication", "recording")


def compare(first: Store, second: Store, tolerance: float = 1e-3) -> dict[str, Any]:
    """Everything `skelray data compare` says, ready for JSON; clips and examples by name.

    `tolerance`: the largest distance of a joint, in the units of the stores, at which two clips still agree.
    """
    mine, theirs = _matched(first, second)
    here, there = set(first.clip_name), set(second.clip_name)
    return {
        "first": _named(first),
        "second": _named(second),
        "same_fingerprint": first.fingerprint == second.fingerprint,
        "tolerance": tolerance,
        "layout": _layouts(first, second),
        "classes": _lists(first.classes, second.classes),
        "transforms": _lists(first.transforms, second.transforms),
        "units": [facts.aside(each)["units"] for each in (first, second)],
        "common": len(mine),
        "only_first": sorted(map(str, here - there)),
        "only_second": sorted(map(str, there - here)),
        "names_twice": len(first.clip_name) - len(here) + len(second.clip_name) - len(there),
        "order": bool((np.diff(theirs) > 0).all()),
        "columns": _columns(first, second, mine, theirs),
        "splits": _splits(first, second, mine, theirs),
        "coordinates": _coordinates(first, second, mine, theirs, tolerance),
    }


def _named(store: Store) -> dict[str, Any]:
    return {"name": store.name, "path": str(store.path), "fingerprint": store.fingerprint, "clips": store.clips}


def _matched(first: Store, second: Store) -> tuple[Int64[np.ndarray, " N"], Int64[np.ndarray, " N"]]:
    """The clips of both stores that share a name, in the order of the first; the first of a name counts."""
    places = {name: clip for clip, name in reversed(list(enumerate(second.clip_name)))}
    found = {name: clip for clip, name in reversed(list(enumerate(first.clip_name))) if name in places}
    mine = np.array(sorted(found.values()), np.int64)
    return mine, np.array([places[first.clip_name[clip]] for clip in mine], np.int64)


def _layouts(first: Store, second: Store) -> dict[str, Any]:
    one, other = first.skeleton, second.skeleton
    bones = [{(each.joints[a], each.joints[b]) for a, b in each.bones} for each in (one, other)]
    return {
        "names": [one.name, other.name],
        "same": (one.joints, one.parents, one.channels) == (other.joints, other.parents, other.channels),
        "joints": _lists(one.joints, other.joints),
        "coordinates": [one.channels, other.channels],
        "bones_only_first": sorted(bones[0] - bones[1]),
        "bones_only_second": sorted(bones[1] - bones[0]),
    }


def _lists(first: Sequence[str], second: Sequence[str]) -> dict[str, Any]:
    return {
        "same": list(first) == list(second),
        "reordered": list(first) != list(second) and sorted(first) == sorted(second),
        "only_first": [each for each in first if each not in second],
        "only_second": [each for each in second if each not in first],
    }


def _columns(
    first: Store, second: Store, mine: Int64[np.ndarray, " N"], theirs: Int64[np.ndarray, " N"]
) -> dict[str, Any]:
    """Column -> the common clips that differ in it, with both values; a label counts by the name of its class."""
    found = {}
    for column in NUMBERS:
        one, other = getattr(first, column)[mine], getattr(second, column)[theirs]
        if column == "label":
            one, other = np.array(first.classes, object)[one], np.array(second.classes, object)[other]
        differ = np.flatnonzero(one != other)
        if len(differ):
            plain = (lambda each: each) if column == "label" else int
            found[column] = [[str(first.clip_name[mine[at]]), plain(one[at]), plain(other[at])] for at in differ]
    return found


def _splits(
    first: Store, second: Store, mine: Int64[np.ndarray, " N"], theirs: Int64[np.ndarray, " N"]
) -> list[dict[str, Any]]:
    """Each split that either serves: its sizes, and the common clips that change sides."""
    served = [splits.available(store) for store in (first, second)]
    found = []
    for split in dict.fromkeys([*served[0], *served[1]]):
        sizes = [
            list(splits.sizes(store, split)) if split in known else None
            for store, known in zip((first, second), served, strict=True)
        ]
        moved: list[str] = []
        if None not in sizes:
            changes = splits.training_side(first, split)[mine] != splits.training_side(second, split)[theirs]
            moved = [str(first.clip_name[clip]) for clip in mine[changes]]
        found.append({"name": split, "sizes": sizes, "other_side": moved})
    return found


def _coordinates(
    first: Store, second: Store, mine: Int64[np.ndarray, " N"], theirs: Int64[np.ndarray, " N"], tolerance: float
) -> dict[str, Any]:
    """How many common clips differ in which way, the clips of each way, and the distances of those that compare."""
    shared = [joint for joint in first.skeleton.joints if joint in second.skeleton.joints]
    one, other = ([store.skeleton.joints.index(joint) for joint in shared] for store in (first, second))
    comparable = bool(shared) and first.skeleton.channels == second.skeleton.channels
    whole = first.skeleton.joints == second.skeleton.joints and comparable
    clips: dict[str, list[str]] = {way: [] for way in WAYS}
    distances, found = [], []
    for a, b in zip(mine, theirs, strict=True):
        if not comparable:
            way = "layout"
        elif first.bodies[a] != second.bodies[b] or first.frames[a] != second.frames[b]:
            way = "bodies" if first.bodies[a] != second.bodies[b] else "frames"
        elif whole and first.half == second.half and first.digest[a] == second.digest[b]:
            way = "equal"
        else:
            left = np.asarray(first.joints(a), np.float32)[:, :, one]
            right = np.asarray(second.joints(b), np.float32)[:, :, other]
            far = np.linalg.norm(left - right, axis=-1)
            distances.append((float(far.mean()), float(far.max())))
            found.append(difference(left, right, tolerance))
            way = found[-1].way
        clips[way].append(str(first.clip_name[a]))
    sizes = [each.size for each in found if each.way == "scaled"]
    return {
        "joints": shared,
        "ways": {way: len(each) for way, each in clips.items() if each},
        "clips": {way: each for way, each in clips.items() if each and way != "equal"},
        # over all clips that have as many bodies and frames in both, the equal ones too
        "mean_distance": sum(mean for mean, _ in distances) / max(1, len(distances) + len(clips["equal"])),
        "largest_distance": max((most for _, most in distances), default=0.0),
        "largest_left_open": max((each.left for each in found), default=0.0),
        "median_size": float(np.median(sizes)) if sizes else None,
    }
