"""Where a method is right and what it takes for what: accuracy of each class, and the confusion matrix."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skelray.statistics.runs import Finals, Runs


@dataclass(frozen=True)
class ClassAccuracy:
    """The share of a class's clips that were told right: mean over seeds and standard deviation (None for one).

    A seed's own figure is its mean over draws of labels, where there are several.
    """

    name: str
    clips: int
    mean: float
    deviation: float | None


def per_class(finals: Finals, runs: Runs) -> tuple[ClassAccuracy, ...]:
    """One entry a class that has test clips, in the order of the classes."""
    found = []
    for place, name in enumerate(finals.classes):
        mine = finals.label == place
        if not mine.any():
            continue
        accuracies = runs.right[..., mine].mean((1, 2))
        deviation = float(accuracies.std(ddof=1)) if len(accuracies) > 1 else None
        found.append(ClassAccuracy(name, int(mine.sum()), float(accuracies.mean()), deviation))
    return tuple(found)


def confusion(finals: Finals, runs: Runs) -> NDArray[np.int64]:
    """How often a class (row) was taken for a class (column), summed over seeds and draws: (classes, classes)."""
    count = len(finals.classes)
    cells = (finals.label * count + runs.predicted).ravel()
    return np.bincount(cells, minlength=count * count).reshape(count, count).astype(np.int64)
