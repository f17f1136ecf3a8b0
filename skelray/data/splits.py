"""Which clips train, which select, which test. The official protocols are data, in splits.json.

Everything a sweep selects on comes from `select`, which never returns a clip of the official test side. The test side
leaves this module through `open_test` alone, and each opening can be written down in a ledger.
"""

import json
import time
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skelray.data.clip import TRAIN, UNKNOWN
from skelray.data.store import Store
from skelray.errors import BadInput, near
from skelray.rng import seed_for

Indices = NDArray[np.int64]
VALIDATION_SHARE = 0.1  # of the clips of the training side, at least
DRAWS = 100  # random subject orders that are tried for one in which no class is missing


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
    """The official test side: as published, and without the clips whose exact copy lies on the training side."""

    __test__ = False  # not a test, whatever pytest makes of its name

    standard: Indices
    clean: Indices


@cache
def protocols() -> dict[str, dict[str, dict[str, Any]]]:
    """Data set -> split -> {by: column, train: ids, whole: clips of the complete set}."""
    found: dict[str, dict[str, dict[str, Any]]] = json.loads(Path(__file__).with_suffix(".json").read_text())
    return found


def available(store: Store) -> list[str]:
    """The splits that this store can serve."""
    named = protocols().get(store.name, {})
    found = [split for split, rule in named.items() if (getattr(store, rule["by"]) != UNKNOWN).all()]
    return found + [name for name, side in store.sides.items() if name not in found and (side != UNKNOWN).all()]


def select(store: Store, split: str, val_subjects: int, seed: int) -> Selection:
    """Train and validation clips of the training side; never a test clip.

    Validation is `val_subjects` held-out subjects (all their cameras), or more until they bring a tenth of the clips,
    drawn by an addressed seed, with every class on both sides where possible. A set that does not know its subjects
    holds out a tenth of each class and warns. Raises BadInput for an unknown split or too few subjects.
    """
    inside = np.flatnonzero(_training_side(store, split))
    if not len(inside):
        raise BadInput(f'{store.name}: the split "{split}" leaves no clip to train on')
    random = np.random.default_rng(seed_for(seed, "val"))
    if (store.subject[inside] == UNKNOWN).any():
        warnings.warn(
            f"{store.name} does not know its subjects: validation is a tenth of each class, "
            "and may show performances that training saw from another camera",
            stacklevel=2,
        )
        held = _tenth_of_each_class(store.label[inside], random)
        if not held.any():
            raise BadInput(f"{store.name} {split}: no class has two training clips, so none is left to validate on")
    else:
        held = _subjects(store.subject[inside], store.label[inside], val_subjects, random, f"{store.name} {split}")
    return Selection(train=inside[~held], val=inside[held])


def open_test(store: Store, split: str, *, reader: str, ledger: Path | None) -> TestSide:
    """The official test side. Appends one line to `ledger`: who read which clips of what, and when."""
    train = _training_side(store, split)
    standard = np.flatnonzero(~train)
    clean = standard[~np.isin(store.digest[standard], store.digest[train])]
    if ledger is not None:
        entry = {"who": reader, "when": time.time(), "store": store.name, "fingerprint": store.fingerprint}
        entry |= {"split": split, "clips": len(standard), "clean": len(clean)}
        ledger.parent.mkdir(parents=True, exist_ok=True)
        with ledger.open("a") as file:
            file.write(json.dumps(entry) + "\n")
    return TestSide(standard, clean)


def refuse_untestable(store: Store, split: str) -> None:
    """Raise BadInput when the test side of a split is empty; reads no test clip."""
    if not sizes(store, split)[1]:
        raise BadInput(f"{store.path} has no test clip under the split {split}")


def sizes(store: Store, split: str) -> tuple[int, int]:
    """How many clips lie on the training and on the test side."""
    train = _training_side(store, split)
    return int(train.sum()), int((~train).sum())


def trains(name: str, split: str, ids: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Whether the official protocol puts a clip on the training side, by its subject, camera or setup number."""
    return np.isin(ids, protocols()[name][split]["train"])


def _training_side(store: Store, split: str) -> NDArray[np.bool_]:
    options = available(store)
    if split not in options:
        rule = protocols().get(store.name, {}).get(split)
        why = f"its {rule['by']} numbers are unknown" if rule else "there is no such split"
        raise BadInput(
            f'{store.name} cannot be split by "{split}": {why}{near(split, options)} '
            f"(this store serves {', '.join(options) or 'none'})"
        )
    rule = protocols().get(store.name, {}).get(split)
    if rule is None or (getattr(store, rule["by"]) == UNKNOWN).any():
        train = store.sides[split] == TRAIN
    else:
        train = trains(store.name, split, getattr(store, protocols()[store.name][split]["by"]))
    return train


def _subjects(
    subject: NDArray[np.int32], label: NDArray[np.int32], least: int, random: np.random.Generator, where: str
) -> NDArray[np.bool_]:
    everybody, classes = np.unique(subject), len(np.unique(label))
    if not 1 <= least < len(everybody):
        raise BadInput(f"{where} has {len(everybody)} training subjects: cannot hold out {least} and train on others")
    best, fewest = np.zeros(len(subject), bool), np.inf
    for _ in range(DRAWS):
        order = random.permutation(everybody)
        count = least
        while (held := np.isin(subject, order[:count])).mean() < VALIDATION_SHARE and count < len(everybody) - 1:
            count += 1
        missing = 2 * classes - len(np.unique(label[held])) - len(np.unique(label[~held]))
        if missing < fewest:
            best, fewest = held, missing
        if not missing:
            break
    return best


def _tenth_of_each_class(label: NDArray[np.int32], random: np.random.Generator) -> NDArray[np.bool_]:
    held = np.zeros(len(label), bool)
    for one in np.unique(label):
        clips = random.permutation(np.flatnonzero(label == one))
        held[clips[: int(np.ceil(VALIDATION_SHARE * len(clips))) if len(clips) > 1 else 0]] = True
    return held
