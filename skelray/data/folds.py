"""The training side cut into folds, each of which is held out once; and which clips a config asks for."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from skelray.data import held_out, splits
from skelray.data.config import DataConfig
from skelray.data.splits import Selection
from skelray.data.store import Store
from skelray.errors import BadInput
from skelray.rng import seed_for

DRAWS = 100  # ways to deal subjects out, of which the most even is taken
DEALT = 100_000  # subjects or recordings that are dealt out at most, in all those ways


def choose(config: DataConfig, store: Store) -> Selection:
    """What a config trains on and is chosen on: one fold where it asks for folds, held-out subjects where not.

    Raises BadInput when the store cannot serve it.
    """
    if config.folds is None:
        return splits.select(store, config.split, config.val_subjects, config.val_seed)
    every = folds(store, config.split, config.folds, config.val_seed)
    if config.fold >= len(every):
        raise BadInput(f"data.fold: there is no fold {config.fold} of {len(every)}; they count from 0")
    return every[config.fold]


def folds(store: Store, split: str, k: int | Literal["subjects"], seed: int) -> list[Selection]:
    """`k` ways to cut the training side, or one for each subject; each training clip is validated exactly once.

    Subjects stay whole, and the folds are of nearly one size, with every class on both sides where possible. A set
    that does not know its subjects is cut between recordings, or class by class between clips, and warns. Raises
    BadInput for an unknown split, or when there are fewer subjects (recordings, clips) than folds.
    """
    inside = splits.training_clips(store, split)
    by, label, where = held_out.unit(store, inside), store.label[inside], f"{store.name} {split}"
    if k == "subjects" and by != "subject":
        raise BadInput(f"{where}: leaving one subject out needs subjects, which the store does not know; give a number")
    whole = np.arange(len(inside)) if by == "clip" else getattr(store, by)[inside]
    _, group = np.unique(whole, return_inverse=True)
    most = int(group.max()) + 1
    count = most if k == "subjects" else k
    if not 2 <= count <= most:
        raise BadInput(
            f"{where} has {most} training {by}s: cannot make {count} folds of them; 2 to {most} are possible"
        )
    random = np.random.default_rng(seed_for(seed, "folds", count))
    if k == "subjects":
        fold = group
    elif by == "clip":
        fold = _clips(label, count, random)
    else:
        fold = _dealt(held_out.table(group, label), count, random, by_class=by == "recording")[group]
    if by != "subject":
        held_out.tell(store, by, f"one part of {count}")
    return [Selection(train=inside[fold != one], val=inside[fold == one]) for one in range(count)]


def _dealt(counts: NDArray[np.int64], folds: int, random: np.random.Generator, by_class: bool) -> NDArray[np.int64]:
    """The fold of each group, given its clips a class.

    Groups are laid in order of size and dealt out row by row, one to each fold: no fold then exceeds another by more
    than the largest group. `by_class` lays them in order of their main class first, for groups that hold few classes.
    Of several ways to deal, the one that spreads classes most evenly is taken.
    """
    groups, goal = len(counts), counts.sum(0) / folds
    size, main = counts.sum(1), counts.argmax(1) if by_class else np.zeros(len(counts), np.int64)
    best, least = np.zeros(groups, np.int64), (np.inf, np.inf)
    for _ in range(max(1, min(DRAWS, DEALT // groups))):
        shuffled = random.permutation(groups)
        order = shuffled[np.lexsort((-size[shuffled], main[shuffled]))]
        rows = np.stack([random.permutation(folds) for _ in range(-(-groups // folds))])
        fold = np.empty(groups, np.int64)
        fold[order] = rows.ravel()[:groups]
        have = np.zeros((folds, counts.shape[1]), np.int64)
        np.add.at(have, fold, counts)
        missing = float((have == 0).sum() + (have == counts.sum(0)).sum())
        if (found := (missing, float(np.abs(have - goal).sum()))) < least:
            best, least = fold, found
    return best


def _clips(label: NDArray[np.int32], folds: int, random: np.random.Generator) -> NDArray[np.int64]:
    """The fold of each clip, dealt out class after class."""
    order = np.lexsort((random.permutation(len(label)), label))
    fold = np.empty(len(label), np.int64)
    fold[order] = (np.arange(len(label)) + random.integers(folds)) % folds
    return fold
