"""Many comparisons at once: Holm's correction, average ranks, Friedman, Nemenyi, groups that nothing tells apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.05


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values, in the order given (Holm 1979, Scand. J. Statist. 6:65-70).

    The i-th smallest of m is multiplied by m - i + 1, no less than those before it, no more than 1. Claims at 5 % of
    the adjusted values are all true with a chance of 95 %, however the tests depend on each other.
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(order) - np.arange(len(order))
    stepped = np.minimum(1.0, np.maximum.accumulate(np.asarray(p_values, dtype=float)[order] * factors))
    adjusted = np.empty(len(order))
    adjusted[order] = stepped
    return [float(value) for value in adjusted]


def holm_of_tested(p_values: Sequence[float | None]) -> tuple[list[float | None], int]:
    """The same where some could not be tested (None, and None again), and over how many the correction was."""
    tested = [p for p in p_values if p is not None]
    adjusted = iter(holm(tested))
    return [None if p is None else next(adjusted) for p in p_values], len(tested)


@dataclass(frozen=True)
class Ranks:
    """Data of a critical-difference diagram (Demsar 2006, JMLR 7): rank 1 is best, ties share the mean rank.

    `blocks` counts what was ranked within (seeds that all methods have). `groups` are runs of neighbouring methods no
    pair of which was told apart by the corrected tests: the bars of the diagram. `friedman` is the p-value of equal
    ranks, None below 3 methods or 2 blocks; `critical_difference` is Nemenyi's at 5 %, beside it for comparison only:
    it knows ranks over seeds and nothing of clips.
    """

    blocks: int
    average: dict[str, float]
    groups: tuple[tuple[str, ...], ...]
    friedman: float | None
    critical_difference: float | None


def ranks(accuracy: Mapping[str, Sequence[float]], apart: Mapping[tuple[str, str], bool]) -> Ranks:
    """Average ranks of methods over blocks, best first; `accuracy[method]` has one value a block.

    `apart` says of each pair, in either order, whether a corrected test told it apart.
    """
    names = list(accuracy)
    table = np.array([accuracy[name] for name in names], dtype=float)
    methods, blocks = table.shape
    average = stats.rankdata(-table, axis=0).mean(1) if blocks else np.full(methods, np.nan)
    order = sorted(range(methods), key=lambda place: (average[place], names[place]))
    ordered = [names[place] for place in order]
    friedman, critical = None, None
    if methods >= 3 and blocks >= 2:
        differ = any(len(set(column)) > 1 for column in table.T.tolist())
        friedman = float(stats.friedmanchisquare(*table).pvalue) if differ else 1.0
    if methods >= 2 and blocks >= 2:
        critical = nemenyi(methods, blocks)
    told = {name: float(average[names.index(name)]) for name in ordered}
    return Ranks(blocks, told, groups(ordered, apart), friedman, critical)


def nemenyi(methods: int, blocks: int, level: float = LEVEL) -> float:
    """Nemenyi's critical difference of average ranks: q sqrt(k (k + 1) / (6 n)), q the studentised range / sqrt(2)."""
    q = float(stats.studentized_range.ppf(1 - level, methods, np.inf)) / np.sqrt(2)
    return float(q * np.sqrt(methods * (methods + 1) / (6 * blocks)))


def groups(order: Sequence[str], apart: Mapping[tuple[str, str], bool]) -> tuple[tuple[str, ...], ...]:
    """The longest stretches of two or more neighbours in `order` in which no two are told apart."""
    found: list[tuple[int, int]] = []
    for start in range(len(order)):
        end = start + 1
        while end < len(order) and not any(_apart(order[one], order[end], apart) for one in range(start, end)):
            end += 1
        if end - start > 1 and not any(first <= start and end <= last for first, last in found):
            found.append((start, end))
    return tuple(tuple(order[start:end]) for start, end in found)


def _apart(first: str, second: str, apart: Mapping[tuple[str, str], bool]) -> bool:
    return apart.get((first, second), False) or apart.get((second, first), False)
