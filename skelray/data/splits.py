"""Which clips train, which select, which test. The official protocols are data, in splits.json.

Everything a sweep selects on comes from `select` (or `skelray.data.folds`), which never returns a clip of the official
test side. A trial reaches the test side through `open_test` alone, and each opening is written down in a ledger.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skelray import beside
from skelray.data import held_out
from skelray.data.clip import TRAIN, UNKNOWN
from skelray.data.store import Store
from skelray.errors import BadInput, near
from skelray.ledger import append
from skelray.rng import seed_for

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Selection:
    """Clips of the official training side: what a trial trains on, and what its configuration is chosen on."""

    train: Indices
    val: Indices

    @property
    def everything(self) -> Indices:
        """The whole training side, which finalists train on."""
        return np.sort(np.concatenate([self.train, self.val]))

    def refuse_batch(self, batch: int, where: str) -> None:
        """Raise BadInput when not even one batch can be drawn from an epoch."""
        if batch > (most := len(self.train)):
            raise BadInput(
                f"train.batch: {batch} clips do not fit into an epoch of {most} ({where}, without validation); "
                f"{most} is the most"
            )


@dataclass(frozen=True)
class TestSide:
    """The official test side: as published, and without the clips whose exact copy lies on the training side.

    It is the key to the test clips, so open_test() alone makes one: anybody else's raises TypeError.
    """

    __test__ = False  # not a test, whatever pytest makes of its name

    standard: Indices
    clean: Indices
    seal: object = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.seal is not _SEAL:
            raise TypeError("a TestSide is made by splits.open_test alone, which writes the opening down")


_SEAL = object()


@cache
def protocols() -> dict[str, dict[str, dict[str, Any]]]:
    """Data set -> split -> {by: column, train: ids, whole: clips of the complete set}.

    Without `by` and `train`, the set is split by lists that come with it; without `whole`, nobody published a count.
    """
    return {name: _written()[family(name)] for name in _written()}


def family(name: str) -> str:
    """The data set whose rules a set shares: itself, or the one of which it is another form."""
    entry = _written().get(name)
    return entry if isinstance(entry, str) else name


def _written() -> dict[str, Any]:
    return beside.facts(__file__)


def available(store: Store) -> list[str]:
    """The splits that this store can serve: official rules, then what its source gave."""
    found = [split for split in protocols().get(store.name, {}) if _rule(store, split)]
    return found + [name for name, side in store.sides.items() if name not in found and (side != UNKNOWN).all()]


def select(store: Store, split: str, val_subjects: int, seed: int) -> Selection:
    """Train and validation clips of the training side; never a test clip.

    Validation is `val_subjects` held-out subjects (all their cameras), or more until they bring a tenth of the clips,
    drawn by an addressed seed, with every class on both sides where possible. A set that does not know its subjects
    holds out whole recordings, or a tenth of each class where it does not know those either, and warns. Raises
    BadInput for an unknown split or too few subjects.
    """
    inside = training_clips(store, split)
    random = np.random.default_rng(seed_for(seed, "val"))
    held = held_out.draw(store, inside, val_subjects, random, f"{store.name} {split}")
    return Selection(train=inside[~held], val=inside[held])


def training_clips(store: Store, split: str) -> Indices:
    """Every clip of the official training side. Raises BadInput for an unknown split or when there is none."""
    inside = np.flatnonzero(training_side(store, split))
    if not len(inside):
        raise BadInput(f'{store.name}: the split "{split}" leaves no clip to train on')
    return inside


def open_test(
    store: Store, split: str, *, reader: str, ledger: Path, about: Mapping[str, Any] | None = None
) -> TestSide:
    """The official test side. Appends one line to `ledger`: who read which clips of what, when, and `about` it.

    Raises BadInput where that cannot be written down.
    """
    train = training_side(store, split)
    standard = np.flatnonzero(~train)
    clean = standard[~np.isin(store.digest[standard], store.digest[train])]
    entry = {"who": reader, "when": time.time(), "store": store.name, "fingerprint": store.fingerprint}
    entry |= {"split": split, "clips": len(standard), "clean": len(clean), **(about or {})}
    try:
        append(ledger, entry)
    except OSError as error:
        raise BadInput(f"the test side stays closed: {ledger} cannot be written: {error.strerror}") from error
    return TestSide(standard, clean, _SEAL)


def refuse_untestable(store: Store, split: str) -> None:
    """Raise BadInput when the test side of a split is empty; reads no test clip."""
    if not sizes(store, split)[1]:
        raise BadInput(f"{store.path} has no test clip under the split {split}")


def sizes(store: Store, split: str) -> tuple[int, int]:
    """How many clips lie on the training and on the test side."""
    train = training_side(store, split)
    return int(train.sum()), int((~train).sum())


def trains(name: str, split: str, ids: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Whether the official protocol puts a clip on the training side, by its subject, camera or setup number."""
    return np.isin(ids, protocols()[name][split]["train"])


def _rule(store: Store, split: str) -> dict[str, Any] | None:
    """The official rule, where the numbers it goes by are known of every clip."""
    rule = protocols().get(store.name, {}).get(split)
    known = rule and "by" in rule and (getattr(store, rule["by"]) != UNKNOWN).all()
    return rule if known else None


def training_side(store: Store, split: str) -> NDArray[np.bool_]:
    """Which clips lie on the official training side; the others are the test side. Raises BadInput."""
    options = available(store)
    if split not in options:
        raise BadInput(
            f'{store.name} cannot be split by "{split}": {_why_not(store, split)}{near(split, options)} '
            f"(this store serves {', '.join(options) or 'none'})"
        )
    rule = _rule(store, split)
    return trains(store.name, split, getattr(store, rule["by"])) if rule else store.sides[split] == TRAIN


def _why_not(store: Store, split: str) -> str:
    rule = protocols().get(store.name, {}).get(split)
    if split in store.sides:
        return f"{int((store.sides[split] == UNKNOWN).sum()):,} of its {store.clips:,} clips are on neither side"
    if rule is None:
        return "there is no such split"
    return f"its {rule['by']} numbers are unknown" if "by" in rule else "its source came without the list of it"
