"""Two methods' runs over the same clips: is their difference larger than other seeds and other clips would make it?

A run tells hundreds of clips and a clip is told by many runs, so clips times seeds are not that many observations.
Two things are drawn at random and both count: the training run (a seed) and the clip (or the subject who moved). The
test is the two-factor one of reader studies, where several readers judge the same cases under two modalities
(Obuchowski & Rockette 1995; Hillis 2007), with runs for readers
and clips for cases; runs belong to one method each and methods may differ in spread, as in Welch's test.

Where each run was measured with several draws of labels, its accuracy is the mean over them: they are no further runs.
Which labels were drawn is a third thing of chance, the same for all runs, and counts as clips do.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from skelray.statistics.intervals import (
    FEWEST_SEEDS,
    LEVEL,
    Bounds,
    Interval,
    NoInterval,
    grouped,
    over,
    random_draws,
    too_few,
)
from skelray.statistics.runs import Groups, Right, Runs, drawn


@dataclass(frozen=True)
class Difference:
    """The first method's accuracy minus the second's (shares of 1) and what it is made of.

    `error` is its standard error, `degrees` the degrees of freedom; `over_seeds`, `over_clips` and `over_draws` are the
    parts of its variance, the last None with fewer than FEWEST_DRAWS draws of labels. `p` is two-sided, None where
    `interval` says why.
    """

    value: float
    error: float | None
    degrees: float | None
    over_seeds: float | None
    over_clips: float | None
    p: float | None
    interval: Bounds
    over_draws: float | None = None


@dataclass(frozen=True)
class McNemar:
    """One pair of runs of a seed (and draw of labels): clips that only one of them told, the exact two-sided p-value.

    It asks whether these two runs differ, not whether the methods do: it knows nothing of other seeds.
    """

    seed: int
    only_first: int
    only_second: int
    p: float
    draw: int = 0  # its place among the draws


@dataclass(frozen=True)
class Effect:
    """How large a difference is: in points of accuracy, Cohen's h, and the matched odds of the first telling a clip.

    The odds count every run of the first against every run of the second (a mean over their pairs, within a draw).
    """

    points: float
    cohens_h: float
    odds_ratio: float | None


def difference(first: Right, second: Right, groups: Groups | None = None, *, fewest: int = FEWEST_SEEDS) -> Difference:
    """Test whether two methods have the same accuracy over new seeds, new clips and, of 3 or more, new draws of labels.

    (runs, clips) or (runs, draws, clips) each; both have the same draws.

    Fewer than `fewest` seeds (2 or more, for studies of the test itself), or one clip alone, give no test and say so.
    """
    value = float(first.mean() - second.mean())
    clips, least = first.shape[-1], min(len(first), len(second))
    if least < max(2, fewest) or clips < 2:
        why = "one clip is too few to say" if clips < 2 else too_few(least)
        return Difference(value, None, None, None, None, None, NoInterval(why))
    one, other = drawn(first).mean(1), drawn(second).mean(1)  # (runs, clips): shares of draws
    seeds_first, seeds_second = _over_seeds(one), _over_seeds(other)
    over_clips, whole, units = _over_clips(one, other, groups)
    draws = random_draws(first)
    over_draws, whole_draws = _over_draws(first, second) if draws > 1 else (None, 0.0)
    floor = 1 / clips**2  # one clip: no accuracy is known better
    variance = max(seeds_first + seeds_second + over_clips + (over_draws or 0.0), floor)
    # Satterthwaite's degrees of freedom: the mean squares over clips and over draws count whole, before their noise is
    # taken off.
    parts = seeds_first**2 / (len(first) - 1) + seeds_second**2 / (len(second) - 1) + whole**2 / (units - 1)
    parts += whole_draws**2 / max(1, draws - 1)
    degrees = variance**2 / parts if parts > 0 else float(min(len(first), len(second)) - 1)
    error = float(np.sqrt(variance))
    p = float(2 * stats.t.sf(abs(value) / error, degrees))
    reach = float(stats.t.ppf((1 + LEVEL) / 2, degrees)) * error
    what = "clips" if groups is None or groups.max() == 0 else "subjects"
    interval = Interval(max(-1.0, value - reach), min(1.0, value + reach), over(draws, what))
    return Difference(value, error, float(degrees), seeds_first + seeds_second, over_clips, p, interval, over_draws)


def _influence(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """What each clip (or draw) adds to a run's accuracy beyond its share: (runs, clips), rows add up to 0."""
    found: NDArray[np.float64] = (shares - shares.mean(1, keepdims=True)) / shares.shape[1]
    return found


def _over_seeds(shares: NDArray[np.float64]) -> float:
    """The variance of a method's mean accuracy over new runs, of (runs, clips).

    What a run's clips would do by themselves is the least that its accuracy can vary by: seeds that happen to agree do
    not prove that all seeds would.
    """
    return max(float(shares.mean(1).var(ddof=1)) / len(shares), _noise(_influence(shares)))


def _noise(influence: NDArray[np.float64]) -> float:
    """The variance of a method's mean accuracy that comes of runs telling single clips differently (runs x clips)."""
    runs, units = influence.shape
    rest = influence - influence.mean(0)
    return float(units / (units - 1) * (rest**2).sum() / (runs * (runs - 1)))


def _over_draws(first: Right, second: Right) -> tuple[float, float]:
    """The variance of the difference over new draws of labels, without the noise of single runs, and with it."""
    return _between(_influence(drawn(first).mean(2)), _influence(drawn(second).mean(2)))


def _over_clips(
    first: NDArray[np.float64], second: NDArray[np.float64], groups: Groups | None
) -> tuple[float, float, int]:
    """The variance of the difference over new clips: without the noise of single runs, with it, and of how many units.

    Where subjects are known they are the units; single clips, if they say that there is more, are believed.
    """
    one, other = _influence(first), _influence(second)
    without, whole = _between(one, other)
    if groups is None or groups.max() == 0:
        return without, whole, one.shape[1]
    together = grouped(one, groups), grouped(other, groups)
    by_group = _between(*together)
    return max(by_group[0], without), max(by_group[1], whole), together[0].shape[1]


def _between(one: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float]:
    """What the mean difference varies by from unit to unit: less the noise of single runs (0 at least), and whole."""
    units = one.shape[1]
    whole = units / (units - 1) * float(((one.mean(0) - other.mean(0)) ** 2).sum())
    return max(0.0, whole - _noise(one) - _noise(other)), whole


def exact(only_first: int, only_second: int) -> float:
    """McNemar's test, exact: the two-sided binomial p-value of the discordant clips; 1 when there are none."""
    discordant = only_first + only_second
    return float(stats.binomtest(only_first, discordant).pvalue) if discordant else 1.0


def mcnemar(first: Runs, second: Runs) -> list[McNemar]:
    """McNemar's exact test of each pair of runs that have the same seed, with each draw of labels."""
    found = []
    for seed in sorted(set(first.seeds) & set(second.seeds)):
        pair = drawn(first.right)[first.seeds.index(seed)], drawn(second.right)[second.seeds.index(seed)]
        for draw, (one, other) in enumerate(zip(*pair, strict=True)):
            only_first, only_second = int((one & ~other).sum()), int((other & ~one).sum())
            found.append(McNemar(seed, only_first, only_second, exact(only_first, only_second), draw))
    return found


def combined(tests: list[McNemar]) -> float | None:
    """Twice the median of the p-values, at most 1: valid however they depend on each other (Rueger 1978).

    They are one a seed, or one a seed and draw of labels. With an even count the larger of the middle two is the
    median. It is still about these runs, not about methods.
    """
    if not tests:
        return None
    ordered = sorted(test.p for test in tests)
    return ordered[0] if len(ordered) == 1 else min(1.0, 2 * ordered[len(ordered) // 2])


def effect(first: Right, second: Right) -> Effect:
    """The size of a difference; Cohen's h = 2 asin sqrt(p1) - 2 asin sqrt(p2) (Cohen 1988, chapter 6).

    The odds ratio of matched pairs is b / c, clips that only the first told over clips that only the second told;
    where one of the two is 0, half a clip is added to both; None where neither ever differs.
    """
    one, other = drawn(first).mean(0), drawn(second).mean(0)  # (draws, clips): shares of runs
    only_first = float((one * (1 - other)).mean(0).sum())
    only_second = float((other * (1 - one)).mean(0).sum())
    extra = 0.5 if min(only_first, only_second) == 0 else 0.0
    odds = (only_first + extra) / (only_second + extra) if only_first + only_second else None
    h = 2 * float(np.arcsin(np.sqrt(first.mean())) - np.arcsin(np.sqrt(second.mean())))
    return Effect(100 * float(first.mean() - second.mean()), h, odds)
