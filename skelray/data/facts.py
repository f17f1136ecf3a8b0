"""What a store holds, as numbers for machines and in words for people."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from skelray.data import expected, importing, splits, tracks
from skelray.data.clip import UNKNOWN
from skelray.data.store import Store

COLUMNS = ("subject", "camera", "setup", "replication", "recording")
BODY = (0.1, 1.0)  # metres, between which the longest bone of a human body lies


def gather(store: Store, quick: bool = False) -> dict[str, Any]:
    """Everything `skelray data show` says, ready for JSON. With `quick`, nothing that reads every coordinate."""
    counts = np.bincount(store.label, minlength=len(store.classes))
    skeleton = store.skeleton
    about = aside(store)
    return {
        "name": store.name,
        "path": str(store.path),
        "fingerprint": store.fingerprint,
        "verified": not quick,
        "clips": store.clips,
        "copies": store.clips - len(np.unique(store.digest)),
        "frames": spread(store.frames),
        "bodies": {str(number): int((store.bodies == number).sum()) for number in np.unique(store.bodies)},
        "layout": {"name": skeleton.name, "joints": list(skeleton.joints), "coordinates": skeleton.channels},
        "numbers": "float16" if store.half else "float32",
        "units": about["units"],
        "frame_rate": about["frame_rate"],
        "licence": about["licence"],
        "classes": [{"name": name, "clips": int(count)} for name, count in zip(store.classes, counts, strict=True)],
        **{column: _ids(store, column) for column in COLUMNS},
        "splits": [_split(store, split) for split in splits.available(store)],
        "not_as_published": _otherwise(store),
        "bones": bones(store),
        "missing": None if quick else _missing(store),
        "transforms": list(store.transforms),
        "import": imported(store),
    }


def aside(store: Store) -> dict[str, Any]:
    """What a store says beside its clips: units, frames a second or None, licence (empty when nobody said)."""
    said = store.about
    units = said.get("units") or ("metres" if store.skeleton.channels == 3 else "unknown")
    return {"units": units, "frame_rate": said.get("frame_rate"), "licence": said.get("licence") or ""}


def spread(values: NDArray[np.int32]) -> dict[str, int | float]:
    """Sum, least, most and median."""
    found = {"total": values.sum(), "least": values.min(), "most": values.max()}
    return {**{what: int(value) for what, value in found.items()}, "median": float(np.median(values))}


def bones(store: Store) -> dict[str, Any] | None:
    """Median length of each bone in first frames: tells metres from millimetres at a glance. None without bones."""
    first = tracks.first_frames(store)
    if not store.skeleton.bones or not len(first):
        return None
    joint, parent = np.array(store.skeleton.bones).T
    lost = tracks.missing(~tracks.nonzero(first), tracks.origin(store))
    length = np.linalg.norm(first[:, joint] - first[:, parent], axis=-1)
    length[lost[:, joint] | lost[:, parent]] = np.nan
    known = ~np.isnan(length).all(0)
    if not known.any():
        return None
    median = {
        store.skeleton.joints[joint[bone]]: float(np.nanmedian(length[:, bone])) for bone in np.flatnonzero(known)
    }
    shortest, longest = min(median, key=median.__getitem__), max(median, key=median.__getitem__)
    metres = BODY[0] < median[longest] < BODY[1] if aside(store)["units"] == "metres" else None
    return {
        "median": float(np.median(list(median.values()))),
        "shortest": {"joint": shortest, "length": median[shortest]},
        "longest": {"joint": longest, "length": median[longest]},
        "look_like_metres": metres,
        "each": median,
    }


def imported(store: Store) -> dict[str, Any] | None:
    """The report that importing wrote beside the store; None when there is none, or one of another store."""
    try:
        found = json.loads(importing.report_of(store.path).read_text(encoding="utf-8"))
        if not isinstance(found, dict) or found.get("fingerprint") != store.fingerprint:
            return None
        TypeAdapter(importing.Report).validate_python(found)
    except (OSError, ValueError):  # pydantic's errors are ValueErrors
        return None
    return found


def _ids(store: Store, column: str) -> dict[str, Any]:
    values: NDArray[np.int32] = getattr(store, column)
    known, counts = np.unique(values[values != UNKNOWN], return_counts=True)
    return {"clips": {str(each): int(count) for each, count in zip(known, counts, strict=True)}} | {
        "unknown": int((values == UNKNOWN).sum())
    }


def _split(store: Store, split: str) -> dict[str, Any]:
    train = splits.training_side(store, split)
    across = np.isin(store.digest[~train], store.digest[train])
    whole = splits.protocols().get(store.name, {}).get(split, {}).get("whole")
    return {
        "name": split,
        "train": int(train.sum()),
        "test": int((~train).sum()),
        "test_copies_of_train": int(across.sum()),
        "expected": whole,
    }


def _otherwise(store: Store) -> list[str]:
    """Sentences on splits that are not as published, by cause; what the import left out is known from its report."""
    report = imported(store) or {}
    left_out, skipped = ([(str(a), str(b)) for a, b in report.get(key, [])] for key in ("dropped", "skipped"))
    found = expected.differences(store, left_out, skipped)
    return [str(each) for each in [*found, *expected.disagreements(store)]]


def _missing(store: Store) -> dict[str, Any]:
    middle = tracks.origin(store)
    bodies = unseen = 0
    lost = np.zeros(len(store.skeleton.joints), np.int64)
    for piece in tracks.pieces(store):
        bodies += len(piece.rows)
        unseen += int((~piece.seen).sum())
        lost += tracks.missing(piece.zero, middle).sum(0)
    names = store.skeleton.joints
    return {
        "body_frames": bodies,
        "unseen": unseen,
        "joints": (bodies - unseen) * len(names),
        "missing": int(lost.sum()),
        "by_joint": {names[joint]: int(lost[joint]) for joint in np.flatnonzero(lost)},
        "origin": None if middle is None else names[middle],
    }
