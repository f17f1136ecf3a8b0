"""Whether a store holds what was published, split by split; where it does not, how many clips which cause explains.

The published counts are data, in splits.json. What the names of a set's files say, and which names there are, is in
expected.json and, for NTU RGB+D, in skelray.data.ntu.names. Causes always add up: what no name explains is said too.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skelray import beside
from skelray.data import splits
from skelray.data.clip import TRAIN
from skelray.data.ntu import names as ntu
from skelray.data.store import Store

MISSING = "missing from the source"
UNREADABLE = "unreadable"
LISTED = "stored although the owner lists the skeleton as missing"
FOREIGN = "not of this data set"
TWICE = "stored more than once"
DROPPED = "left out: {}"
UNEXPLAINED = "for which no list of names gives a reason"
SHOWN = 3  # names that a sentence gives


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if len(names) > SHOWN else "")


@dataclass(frozen=True)
class Difference:
    """One side of a split that is not as published."""

    split: str
    side: str  # "train" or "test"
    expected: int  # clips
    found: int
    causes: dict[str, int]  # in words -> clips too many, or too few with a minus; they add up to found - expected
    names: dict[str, list[str]]  # cause -> the clips, in order, where they have names
    uncertain: int = 0  # clips left out or unreadable whose names do not tell their side: more of the unexplained

    def __str__(self) -> str:
        told = (f"{abs(count):,} {cause}{self._named(cause)}" for cause, count in self.causes.items())
        note = f" ({self.uncertain:,} left out or unreadable, on an unknown side)" if self.uncertain else ""
        return (
            f"{self.split} {self.side}: {self.found:,} clips where {self.expected:,} were published: "
            f"{', '.join(told)}{note}"
        )

    def _named(self, cause: str) -> str:
        names = self.names.get(cause, [])
        return f" ({_few(names)})" if names else ""


@dataclass(frozen=True)
class Disagreement:
    """A split in which the source put clips on another side than the official rule, which is followed."""

    split: str
    names: list[str]

    def __str__(self) -> str:
        return (
            f"{self.split}: the source puts {len(self.names):,} clips on the other side than the official rule, "
            f"which is followed ({_few(self.names)})"
        )


@dataclass(frozen=True)
class _Event:
    """A clip too many (+1) or too few (-1)."""

    cause: str
    name: str
    change: int
    place: int = -1  # in the store, of a clip that is there


def differences(
    store: Store, dropped: Sequence[tuple[str, str]], skipped: Sequence[tuple[str, str]]
) -> list[Difference]:
    """Each side of each published split that this store holds otherwise than published.

    `dropped`: (clip name, the rule that left it out); `skipped`: (part of the source, why it cannot be read).
    """
    events, known = list(_events(store, dropped, skipped)), splits.available(store)
    found = []
    for split, rule in splits.protocols().get(store.name, {}).items():
        if "whole" in rule and split in known:
            train = splits.training_side(store, split)
            found += [_difference(store, split, rule, side, train, events) for side in ("train", "test")]
    return [each for each in found if each.causes or each.uncertain]


def disagreements(store: Store) -> list[Disagreement]:
    """Official splits that the source itself gives as well, but otherwise for some clips."""
    found = []
    for split, given in store.sides.items():
        if split in splits.protocols().get(store.name, {}) and split in splits.available(store):
            other = np.flatnonzero((given >= 0) & ((given == TRAIN) != splits.training_side(store, split)))
            if len(other):
                found.append(Disagreement(split, store.clip_name[other].tolist()))
    return found


def sentences(store: Store, found: Sequence[Difference]) -> list[str]:
    """What a user is told of a store, given its `differences`: one line a split, or more."""
    lines = []
    for split, rule in splits.protocols().get(store.name, {}).items():
        if split not in splits.available(store):
            continue
        mine = [str(each) for each in found if each.split == split]
        train, test = splits.sizes(store, split)
        note = ", as published" if "whole" in rule else ""
        lines += mine or [f"{split}: {train:,} training and {test:,} test clips{note}"]
    return lines + [str(each) for each in disagreements(store)]


def document(store: Store, found: Sequence[Difference]) -> dict[str, Any]:
    """The same for a file, with every name: {"differences": [...], "disagreements": [...]}."""
    return {
        "differences": [asdict(each) for each in found],
        "disagreements": [asdict(each) for each in disagreements(store)],
    }


def _difference(
    store: Store, split: str, rule: dict[str, Any], side: str, train: NDArray[np.bool_], events: list[_Event]
) -> Difference:
    causes, names, uncertain = Counter[str](), dict[str, list[str]](), 0
    for event in events:
        where = train[event.place] if event.place >= 0 else _trains(store.name, rule, event.name)
        if where is None:
            uncertain += 1
        elif where == (side == "train"):
            causes[event.cause] += event.change
            names.setdefault(event.cause, []).append(event.name)
    found, expected = int((train == (side == "train")).sum()), rule["whole"][side]
    if rest := found - expected - causes.total():
        causes[UNEXPLAINED] = rest
    names = {cause: sorted(clips) for cause, clips in names.items()}
    return Difference(split, side, expected, found, dict(causes), names, uncertain if rest else 0)


def _events(store: Store, dropped: Sequence[tuple[str, str]], skipped: Sequence[tuple[str, str]]) -> Iterator[_Event]:
    """Why this store differs from the published set, clip by clip, as far as names tell."""
    official, listed = _published(store.name)
    stored = [_clip_name(store.name, name) for name in store.clip_name.tolist()]
    if not any(stored):  # clips of another making, whose names say nothing
        official = None
    seen = set[str]()
    for place, name in enumerate(stored):
        if official is not None:
            told = name or str(store.clip_name[place])
            if name in seen:
                yield _Event(TWICE, told, 1, place)
            elif name not in official:
                yield _Event(LISTED if name in listed else FOREIGN, told, 1, place)
        seen.add(name or "")
    away = [(_clip_name(store.name, clip) or clip, DROPPED.format(rule)) for clip, rule in dropped]
    away += [(_clip_name(store.name, PurePath(part).stem) or part, UNREADABLE) for part, _ in skipped]
    for name, cause in away:
        if name not in seen and (official is None or name in official):
            yield _Event(cause, name, -1)
        seen.add(name)
    if official is not None:
        for name in sorted(official - seen):
            yield _Event(MISSING, name, -1)


def _known() -> dict[str, Any]:
    return beside.facts(__file__)


def _published(name: str) -> tuple[frozenset[str] | None, frozenset[str]]:
    """The names of all clips of a set, None where nobody lists them; and those its owner lists as not to be used."""
    family = splits.family(name)
    if family in ntu.SETS:
        return ntu.expected(family), ntu.missing_skeletons(family)
    every = _known().get(family, {}).get("all")
    if every is None:
        return None, frozenset()
    numbers = product(*(range(1, most + 1) for most in every["most"]))
    return frozenset(every["form"].format(*each) for each in numbers) - {*every["never_published"]}, frozenset()


def _clip_name(name: str, text: str) -> str | None:
    """The name of a clip at the beginning of a file's name or a clip's, where the set has names."""
    pattern = _known().get(splits.family(name), {}).get("name")
    match = re.match(rf"{pattern}(?![0-9A-Za-z])", text, re.ASCII) if pattern else None
    return match.group() if match else None


def _trains(name: str, rule: dict[str, Any], clip: str) -> bool | None:
    """Whether a clip that is not in the store would train; None when its name does not tell."""
    pattern = _known().get(splits.family(name), {}).get("name")
    match = re.fullmatch(pattern, clip, re.ASCII) if pattern and "by" in rule else None
    return int(match[rule["by"]]) in rule["train"] if match else None
