"""Clips that hold exactly the coordinates of another clip, by the digests that every store keeps."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Bool, Int64

from skelray.data import splits
from skelray.data.store import Store

OTHER_LABEL = "copy-label"
Group = tuple[Int64[np.ndarray, " N"], str, dict[str, Any]]  # clips, a sentence, numbers


def copies(store: Store) -> Iterator[tuple[str, str, list[Group]]]:
    """Name and title of a kind, and its groups: with other labels; of each split across its sides and inside each.

    A store without any split has its copies under one title. Reads no coordinate.
    """
    groups = equal(store)
    label = store.label
    yield (
        OTHER_LABEL,
        "copies with another label",
        [
            _told(store, group, f"labels {', '.join(store.classes[each] for each in np.unique(label[group]))}")
            for group in groups
            if len(np.unique(label[group])) > 1
        ],
    )
    served = splits.available(store)
    for split in served:
        train = splits.training_side(store, split)
        both = [group for group in groups if train[group].any() and not train[group].all()]
        yield (
            f"copy-across-{split}",
            f"copies across the sides of {split}",
            [_across(store, group, train) for group in both],
        )
        for side, inside in (("train", train), ("test", ~train)):
            alone = [group[inside[group]] for group in groups if inside[group].sum() > 1]
            title = f"copies inside the {'training' if side == 'train' else side} side of {split}"
            yield f"copy-{side}-{split}", title, [_told(store, group, "equal") for group in alone]
    if not served:
        yield "copy", "copies", [_told(store, group, "equal") for group in groups]


def equal(store: Store) -> list[Int64[np.ndarray, " N"]]:
    """The clips of each group of two or more that are equal, in the order of the store."""
    order = np.argsort(store.digest, kind="stable")
    digests = store.digest[order]
    groups = np.split(order, np.flatnonzero(digests[1:] != digests[:-1]) + 1)
    return sorted((np.sort(group) for group in groups if len(group) > 1), key=lambda group: int(group[0]))


def _across(store: Store, group: Int64[np.ndarray, " N"], train: Bool[np.ndarray, " K"]) -> Group:
    ordered = np.concatenate([group[~train[group]], group[train[group]]])
    tests = int((~train[group]).sum())
    names = [str(name) for name in store.clip_name[ordered]]
    told = f"test {', '.join(names[:tests])} = training {', '.join(names[tests:])}"
    return ordered, told, {"test": names[:tests], "training": names[tests:]}


def _told(store: Store, group: Int64[np.ndarray, " N"], told: str) -> Group:
    names = " = ".join(str(name) for name in store.clip_name[group])
    return group, f"{names}: {told}", {"copies": len(group)}
