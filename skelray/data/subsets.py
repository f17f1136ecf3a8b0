"""Labelled subsets of the official training side: which clips keep their label when labels are scarce.

The order in which clips get their label is decided by their names and the draw alone: no rank, number of workers,
random generator or alignment of the coordinates can change it. A clip's place in it is its place in its class, as a
share of that class, so the first n clips hold each class as nearly in proportion as n allows; the first clip of every
class comes before all others. A subset is the first 1, 5, 10 or 25 % (whole clips, rounded down, as the published
protocols count): smaller ones lie in larger ones.

Each subset is a file beside the store, made when it is first asked for, that every method and every rank reads.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from skelray import atomic
from skelray.data import splits
from skelray.data.splits import Indices
from skelray.data.store import Store
from skelray.errors import BadInput
from skelray.rng import seed_for
from skelray.schema import Strict, problems

SHARES = {0.01: 1, 0.05: 5, 0.1: 10, 0.25: 25}  # of the training side -> in per cent, to count with whole numbers
DRAWS = 5  # of each share
FOLDER = "subsets"


@dataclass(frozen=True)
class Subset:
    """The clips that keep their label, in the order of the store."""

    indices: Indices
    fingerprint: str  # of the store, the question and the clips
    path: Path


class Record(Strict):
    """A subset as its file keeps it."""

    store: str
    store_fingerprint: str
    split: str
    share: float
    draw: int
    training_clips: int
    indices: list[Annotated[int, Field(ge=0, lt=1 << 62)]]  # of the clips in the store, in order
    names: list[str]  # of the same clips
    fingerprint: str  # sha256 over all of the above


def labelled(store: Store, split: str, share: float, draw: int = 0) -> Subset:
    """The labelled subset of a store: read from its file, which is made first where there is none.

    Raises BadInput for an unknown split, share or draw, and for a file that was changed or belongs to another store.
    """
    inside = splits.training_clips(store, split)
    path = place(store, split, share, draw)
    if not path.exists():
        chosen = inside[np.sort(first(store.label[inside], store.clip_name[inside], split, share, draw))]
        _write(path, _record(store, split, share, draw, inside, chosen))
    record = _read(path)
    asked = {"store_fingerprint": store.fingerprint, "split": split, "share": share, "draw": draw}
    for what, value in asked.items():
        if getattr(record, what) != value:
            raise BadInput(f"{path}: made for {what} {getattr(record, what)}, not for {value}; {_remedy(path)}")
    indices = np.array(record.indices, np.int64)
    fits = len(indices) and (np.diff(indices) > 0).all() and np.isin(indices, inside).all()
    if not fits or store.clip_name[indices].tolist() != record.names:
        raise BadInput(f"{path}: holds clips that are not of the training side of {split}; {_remedy(path)}")
    return Subset(indices, record.fingerprint, path)


def place(store: Store, split: str, share: float, draw: int) -> Path:
    """Where the file of a subset lies. Raises BadInput for a share or draw that there is not."""
    if share not in SHARES:
        raise BadInput(f"no labelled subset of {share:g}; the shares are {', '.join(f'{each:g}' for each in SHARES)}")
    if not 0 <= draw < DRAWS:
        raise BadInput(f"no draw {draw} of labelled subsets; they are 0 to {DRAWS - 1}")
    name = f"{store.fingerprint[:12]}-{quote(split, safe='')}-{share:g}-draw{draw}.json"
    return store.path.parent / FOLDER / name


def first(
    label: NDArray[np.int32], names: Sequence[str] | NDArray[np.object_], split: str, share: float, draw: int
) -> Indices:
    """Which of these clips are labelled, in the order in which they get their label."""
    seed, met = seed_for(draw, "labelled", split), Counter[str]()
    keys = list[bytes]()
    for name in names:  # a name that several clips have counts them
        keys.append(hashlib.sha256(f"{seed}/{met[name]}/{name}".encode()).digest())
        met[name] += 1
    members: dict[int, list[int]] = {}
    for clip in sorted(range(len(keys)), key=keys.__getitem__):
        members.setdefault(int(label[clip]), []).append(clip)
    turns = [
        (place > 0, (2 * place + 1) / (2 * len(clips)), keys[clip], clip)
        for clips in members.values()
        for place, clip in enumerate(clips)
    ]
    count = max(len(members), len(keys) * SHARES[share] // 100)
    return np.array([clip for *_, clip in sorted(turns)[:count]], np.int64)


def _record(store: Store, split: str, share: float, draw: int, inside: Indices, chosen: Indices) -> Record:
    record = Record(
        store=store.name,
        store_fingerprint=store.fingerprint,
        split=split,
        share=share,
        draw=draw,
        training_clips=len(inside),
        indices=chosen.tolist(),
        names=store.clip_name[chosen].tolist(),
        fingerprint="",
    )
    return record.model_copy(update={"fingerprint": _fingerprint(record)})


def _fingerprint(record: Record) -> str:
    told: dict[str, Any] = record.model_dump(mode="json", exclude={"fingerprint"})
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _write(path: Path, record: Record) -> None:
    """Whoever else writes it at the same time writes the same bytes."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic.whole(path) as unfinished:
            unfinished.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror}; keep the store in a folder of yours") from error


def _read(path: Path) -> Record:
    try:
        record = Record.model_validate_json(path.read_bytes())
    except ValidationError as error:
        told = "; ".join(f"{key}: {text}" if key else text for key, text in problems(error, Record)[:3])
        raise BadInput(f"{path} is no labelled subset ({told:.200}); {_remedy(path)}") from error
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error
    if _fingerprint(record) != record.fingerprint:
        raise BadInput(f"{path}: changed since it was made, its fingerprint does not fit; {_remedy(path)}")
    return record


def _remedy(path: Path) -> str:
    return f"remove {path.name}, and it is made again"
