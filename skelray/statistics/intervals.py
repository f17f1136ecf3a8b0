"""Means, spreads and 95 % intervals of accuracy over seeds and clips; where there can be none, why there is none."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from skelray.statistics.runs import Groups, Right, drawn

LEVEL = 0.95
RESAMPLES = 2000
# Two seeds that agree by chance look like no spread at all: where runs fall into two kinds, two seeds would make false
# claims in one sweep of ten (docs/statistics.md). Below this there is no interval and no test.
FEWEST_SEEDS = 3
# Two draws of labels cannot tell how others would differ (one sweep in five would claim falsely): below this they are
# taken as all there are, and a note says so.
FEWEST_DRAWS = 3
_ONE = np.zeros((1, 1), dtype=np.int64)  # a single draw of labels, always drawn
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
    """Summarise one method's runs, `right` of shape (runs, clips) or (runs, draws, clips)."""
    accuracies = drawn(right).mean((1, 2))
    deviation = float(accuracies.std(ddof=1)) if len(accuracies) > 1 else None
    over_both = bootstrap([right], groups, draw, resamples=resamples)
    mean = float(accuracies.mean())
    return Spread(len(accuracies), right.shape[-1], mean, deviation, student(accuracies.tolist()), over_both)


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
    runs: paired); clips of one subject come together where subjects are known. `FEWEST_DRAWS` and more draws of labels
    are drawn as a third factor, the same for all runs. Drawing rows and columns at once is the pigeonhole bootstrap
    (Owen 2007, Annals of Applied Statistics 1).
    """
    fewest = min(len(right) for right in methods)
    if fewest < FEWEST_SEEDS:
        return NoInterval(too_few(fewest))
    if resamples < 1:
        return NoInterval("no resamples were asked for")
    labels = random_draws(methods[0])
    flat = [drawn(right) if labels > 1 else drawn(right).mean(1) for right in methods]
    what, sizes, hits = _by_group(flat, groups)
    if len(sizes) < 2:
        return NoInterval("one clip cannot be resampled")
    if all(len(np.unique(each / sizes)) == 1 for each in hits):
        return NoInterval("every run is right on the same share of every clip, so nothing varies between resamples")

    def statistic(*chosen: NDArray[np.int64], axis: int = -1) -> Any:
        *by_run, by_label, by_group = map(np.atleast_2d, chosen if labels > 1 else (*chosen[:-1], _ONE, chosen[-1]))
        signs = (1.0, -1.0)
        profile = sum(
            sign * (_weights(runs, by_label, (len(method), labels)) @ each)
            for sign, runs, method, each in zip(signs, by_run, methods, hits, strict=False)
        )
        total = np.take_along_axis(np.broadcast_to(profile, (len(by_group), len(sizes))), by_group, 1).sum(1)
        found = total / sizes[by_group].sum(1)
        return found if chosen[0].ndim > 1 else found[0]

    places = [np.arange(count) for count in (*map(len, methods), *[labels] * (labels > 1), len(sizes))]
    batch = max(1, _AT_ONCE // len(sizes))
    found = stats.bootstrap(
        places, statistic, n_resamples=resamples, batch=batch, vectorized=True, paired=False, confidence_level=level,
        method="percentile", rng=draw,
    )  # fmt: skip
    low, high = found.confidence_interval
    return Interval(float(low), float(high), over(labels, what), level)


def random_draws(right: Right) -> int:
    """How many draws of labels stand for others; 1 where they are taken as all there are."""
    draws = drawn(right).shape[1]
    return draws if draws >= FEWEST_DRAWS else 1


def over(draws: int, what: str) -> str:
    """What an interval takes as random: `seeds and clips`, `seeds, draws and subjects`; `draws` by `random_draws`."""
    return f"seeds, draws and {what}" if draws > 1 else f"seeds and {what}"


def too_few(count: int) -> str:
    """Why so few seeds have no interval."""
    return f"{seeds(count)} {'is' if count == 1 else 'are'} too few to say; {FEWEST_SEEDS} are the least"


def seeds(count: int) -> str:
    """`one seed`, `two seeds`, `5 seeds`."""
    return {1: "one seed", 2: "two seeds"}.get(count, f"{count} seeds")


def _by_group(methods: Sequence[NDArray[Any]], groups: Groups | None) -> tuple[str, NDArray[np.float64], list[Any]]:
    """What is drawn, how many clips each group has, and each method's hits (runs x draws, groups)."""
    flat = [right.reshape(-1, right.shape[-1]).astype(float) for right in methods]
    if groups is None or groups.max() == 0:
        return "clips", np.ones(flat[0].shape[1]), flat
    return "subjects", np.bincount(groups).astype(float), [grouped(each, groups) for each in flat]


def grouped(values: NDArray[np.float64], groups: Groups) -> NDArray[np.float64]:
    """Sums of (runs, clips) over the clips of each group: (runs, groups)."""
    return np.stack([np.bincount(groups, weights=row, minlength=int(groups.max()) + 1) for row in values])


def _weights(runs: NDArray[np.int64], labels: NDArray[np.int64], sizes: tuple[int, int]) -> NDArray[np.float64]:
    """What each run with each draw of labels weighs in each resample: (resamples, runs x draws)."""
    pairs = zip((runs, labels), sizes, strict=True)
    by_run, by_label = ((each[:, :, None] == np.arange(size)).mean(1) for each, size in pairs)
    found: NDArray[np.float64] = (by_run[:, :, None] * by_label[:, None, :]).reshape(len(runs), -1)
    return found
