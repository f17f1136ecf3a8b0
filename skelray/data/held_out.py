"""Who of the training side is held out: whole subjects, or whole recordings, or a share of each class.

Clips that belong together stay together, or validation would show what training saw: a set that knows its subjects is
cut between subjects, one that knows its recordings between recordings, and only another one between clips.
"""

import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from skelray.data.clip import UNKNOWN
from skelray.data.store import Store
from skelray.errors import BadInput

VALIDATION_SHARE = 0.1  # of the clips of the training side, at least
DRAWS = 100  # random subject orders that are tried for one in which no class is missing
RECORDING_DRAWS = 10  # the same of recordings, of which there are many more

Indices = NDArray[np.int64]
Unit = Literal["subject", "recording", "clip"]


def unit(store: Store, inside: Indices) -> Unit:
    """What these clips can be cut between."""
    if (store.subject[inside] != UNKNOWN).all():
        return "subject"
    return "recording" if (store.recording[inside] != UNKNOWN).all() else "clip"


def draw(store: Store, inside: Indices, least: int, random: np.random.Generator, where: str) -> NDArray[np.bool_]:
    """Which of the clips `inside` are held out: `least` subjects or more, or at least a tenth of the clips.

    Warns when the set does not know its subjects. Raises BadInput, naming the split by `where`, when nothing is left.
    """
    by, label = unit(store, inside), store.label[inside]
    if by == "subject":
        return _subjects(store.subject[inside], label, least, random, where)
    tell(store, by, "a tenth")
    if by == "recording":
        return _recordings(store.recording[inside], label, random, where)
    held = _tenth_of_each_class(label, random)
    if not held.any():
        raise BadInput(f"{where}: no class has two training clips, so none is left to validate on")
    return held


def tell(store: Store, by: Unit, share: str) -> None:
    """Warn that validation is a share of each class without regard to subjects, and what may follow."""
    made, risk = f"{share} of each class", "performances that training saw from another camera"
    if by == "recording":
        made, risk = f"whole recordings, about {share} of each class", "people that training saw"
    text = f"{store.name} does not know its subjects: validation is {made}, and may show {risk}"
    warnings.warn(text, stacklevel=4)


def table(group: NDArray[np.int64], label: NDArray[np.int32]) -> NDArray[np.int64]:
    """How many clips of each class each group has: groups count from 0, classes are those that occur."""
    classes, place = np.unique(label, return_inverse=True)
    found = np.zeros((int(group.max()) + 1, len(classes)), np.int64)
    np.add.at(found, (group, place), 1)
    return found


def _subjects(
    subject: NDArray[np.int32], label: NDArray[np.int32], least: int, random: np.random.Generator, where: str
) -> NDArray[np.bool_]:
    everybody, classes = np.unique(subject), len(np.unique(label))
    if not 1 <= least < len(everybody):
        most = f"; {len(everybody) - 1} can be held out at most" if len(everybody) > 1 else ""
        raise BadInput(
            f"{where} has {len(everybody)} training subjects: cannot hold out {least} and train on others{most}"
        )
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


def _recordings(
    recording: NDArray[np.int32], label: NDArray[np.int32], random: np.random.Generator, where: str
) -> NDArray[np.bool_]:
    names, group = np.unique(recording, return_inverse=True)
    if len(names) < 2:
        raise BadInput(f"{where}: all training clips are of one recording, so none is left to validate on")
    counts = table(group, label)
    whole = counts.sum(0)
    wanted = np.where((counts > 0).sum(0) > 1, np.ceil(VALIDATION_SHARE * whole), 0)

    def price(have: NDArray[np.int64]) -> Any:
        """How far so many held-out clips a class are from a tenth; a class that a side lacks is dearest."""
        missing = ((have == 0) & (wanted > 0)).sum(-1) + (have == whole).sum(-1)
        return np.abs(have - wanted).sum(-1) + missing * whole.sum()

    best, cheapest = np.zeros(len(names), bool), np.inf
    for _ in range(RECORDING_DRAWS):
        held = np.zeros(len(names), bool)
        have = np.zeros_like(whole)
        for one in random.permutation(len(names)):
            if price(have + counts[one]) < price(have):
                held[one], have = True, have + counts[one]
        while have.sum() < VALIDATION_SHARE * whole.sum() and held.sum() < len(names) - 1:
            one = int(np.argmin(np.where(held, np.inf, price(have + counts))))
            held[one], have = True, have + counts[one]
        if price(have) < cheapest and held.any():
            best, cheapest = held, price(have)
        if cheapest < whole.sum():  # no class is missing anywhere
            break
    return np.asarray(best[group])


def _tenth_of_each_class(label: NDArray[np.int32], random: np.random.Generator) -> NDArray[np.bool_]:
    held = np.zeros(len(label), bool)
    for one in np.unique(label):
        clips = random.permutation(np.flatnonzero(label == one))
        held[clips[: int(np.ceil(VALIDATION_SHARE * len(clips))) if len(clips) > 1 else 0]] = True
    return held
