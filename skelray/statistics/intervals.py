"""Means, spreads and 95 % intervals of accuracy over seeds and clips; where there can be none, why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from skelray.statistics.runs import Groups, Right

LEVEL = 0.95
RESAMPLES = 2000
# Two seeds that agree by chance look like no spread at all: where runs fall into two kinds, two seeds would make false
# claims in one sweep of ten (docs/statistics.md). Below this there is no interval and no test.
FEWEST_SEEDS = 3
_AT_ONCE = 4_000_000  # numbers in one batch of resamples: 32 MB


@dataclass(frozen=True)
class Interval:
    """From `low` to `high` (shares of 1), said with `level` confidence; `over` names what was taken as random."""

    low: float
    high: float
    over: str
    level: float = LEVEL


@dataclass(frozen=True)
class NoInterval:
    """There is no interval, and why."""

    why: str


Bounds = Interval | NoInterval


@dataclass(frozen=True)
class Spread:
    """Accuracy of one method: the mean over seeds, its standard deviation (n - 1; None for one seed), two intervals.

    `seeds` answers: another training, the same clips. `seeds_and_clips` answers: another training, other clips.
    """

    runs: int
    clips: int
    mean: float
    deviation: float | None
    seeds: Bounds
    seeds_and_clips: Bounds


def spread(right: Right, groups: Groups | None, draw: np.random.Generator, *, resamples: int = RESAMPLES) -> Spread:
    """Summarise one method's runs, `right` of shape (runs, clips)."""
    accuracies = right.mean(1)
    deviation = float(accuracies.std(ddof=1)) if len(accuracies) > 1 else None
    over_both = bootstrap([right], groups, draw, resamples=resamples)
    mean = float(accuracies.mean())
    return Spread(len(accuracies), right.shape[1], mean, deviation, student(accuracies.tolist()), over_both)


def student(values: Sequence[float], level: float = LEVEL, *, shares: bool = True) -> Bounds:
    """The t interval of a mean: mean +- t(n - 1) s / sqrt(n), of `shares` of 1 cut to 0 .. 1 (Student 1908)."""
    if len(values) < FEWEST_SEEDS:
        return NoInterval(too_few(len(values)))
    mean, error = float(np.mean(values)), float(stats.sem(values))
    if min(values) == max(values):
        what = "accuracy" if shares else "figure"
        return NoInterval(f"all {len(values)} seeds have the same {what}, so their spread is not known")
    low, high = stats.t.interval(level, len(values) - 1, loc=mean, scale=error)
    low, high = (max(0.0, low), min(1.0, high)) if shares else (low, high)
    return Interval(float(low), float(high), "seeds", level)


def bootstrap(
    methods: Sequence[Right],
    groups: Groups | None,
    draw: np.random.Generator,
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Bounds:
    """The percentile bootstrap interval of one method's accuracy, or of the first's minus the second's.

    Each resample draws seeds with replacement (each method's by itself) and clips with replacement (the same for all
    runs: paired); clips of one subject come together where subjects are known. Drawing rows and columns at once is
    the pigeonhole bootstrap (Owen 2007, Annals of Applied Statistics 1).
    """
    fewest = min(len(right) for right in methods)
    if fewest < FEWEST_SEEDS:
        return NoInterval(too_few(fewest))
    if resamples < 1:
        return NoInterval("no resamples were asked for")
    what, sizes, hits = _by_group(methods, groups)
    if len(sizes) < 2:
        return NoInterval("one clip cannot be resampled")
    if all(len(np.unique(each / sizes)) == 1 for each in hits):
        return NoInterval("every run is right on the same share of every clip, so nothing varies between resamples")

    def statistic(*drawn: NDArray[np.int64], axis: int = -1) -> Any:
        *run_draws, group_draws = map(np.atleast_2d, drawn)
        signs = (1.0, -1.0)
        profile = sum(
            sign * (_shares(draws, len(each)) @ each) for sign, draws, each in zip(signs, run_draws, hits, strict=False)
        )
        total = np.take_along_axis(np.broadcast_to(profile, (len(group_draws), len(sizes))), group_draws, 1).sum(1)
        found = total / sizes[group_draws].sum(1)
        return found if drawn[0].ndim > 1 else found[0]

    places = [np.arange(len(each)) for each in hits] + [np.arange(len(sizes))]
    batch = max(1, _AT_ONCE // len(sizes))
    found = stats.bootstrap(
        places, statistic, n_resamples=resamples, batch=batch, vectorized=True, paired=False, confidence_level=level,
        method="percentile", rng=draw,
    )  # fmt: skip
    low, high = found.confidence_interval
    return Interval(float(low), float(high), f"seeds and {what}", level)


def too_few(count: int) -> str:
    """Why so few seeds have no interval."""
    return f"{seeds(count)} {'is' if count == 1 else 'are'} too few to say; {FEWEST_SEEDS} are the least"


def seeds(count: int) -> str:
    """`one seed`, `two seeds`, `5 seeds`."""
    return {1: "one seed", 2: "two seeds"}.get(count, f"{count} seeds")


def _by_group(methods: Sequence[Right], groups: Groups | None) -> tuple[str, NDArray[np.float64], list[Any]]:
    """What is drawn, how many clips each group has, and each method's hits (runs, groups)."""
    if groups is None or groups.max() == 0:
        return "clips", np.ones(methods[0].shape[1]), [right.astype(float) for right in methods]
    return "subjects", np.bincount(groups).astype(float), [grouped(right.astype(float), groups) for right in methods]


def grouped(values: NDArray[np.float64], groups: Groups) -> NDArray[np.float64]:
    """Sums of (runs, clips) over the clips of each group: (runs, groups)."""
    return np.stack([np.bincount(groups, weights=row, minlength=int(groups.max()) + 1) for row in values])


def _shares(draws: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """How large a share of each draw (draws, count) is each of the `count` runs."""
    found: NDArray[np.float64] = (draws[:, :, None] == np.arange(count)).mean(1)
    return found
