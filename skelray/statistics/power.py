"""Made-up finals with a known truth: how often would a rule claim what is not so, and find what is?

A clip is told when its ease, the method's and the run's sum to more than nothing:
    mu_m + sqrt(a) difficulty_c + sqrt(i) fit_mc + run_ms + sqrt(1 - a - i) noise_msc > 0
all standard normal but the run, which has the asked spread of accuracy. A share of difficulty and fit belongs to the
subject, so clips of one subject go together. With several draws of labels, each adds luck_d + taste_md, and a share of
the noise is the same in all draws of a run.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from skelray.statistics.correction import holm
from skelray.statistics.paired import difference
from skelray.statistics.runs import Groups, Right

LEVEL = 0.05
Rule = Callable[[Right, Right, Groups | None], float | None]


@dataclass(frozen=True)
class Truth:
    """What is true of made-up finals; accuracies and spread are shares of 1.

    accuracies: one a method, over all seeds and clips. spread: standard deviation of a run's accuracy from seed to
    seed. agreement (a): how much of a clip's fate all methods share; fit (i): how much is between it and a method, 0
    for one method under several names. subjects: 0 for clips without subjects; togetherness: the subject's share.
    collapse: the share of runs that lose 10 points beside the ordinary spread. draws: of labels, the same for all runs;
    luck, taste: standard deviations of accuracy from draw to draw, of all methods together and of each by itself;
    kinship: the share of a run's noise that its draws have in common.
    """

    accuracies: tuple[float, ...]
    seeds: int
    clips: int = 464
    spread: float = 0.015
    agreement: float = 0.75
    fit: float = 0.0
    subjects: int = 0
    togetherness: float = 0.1
    collapse: float = 0.0
    draws: int = 1
    luck: float = 0.0
    taste: float = 0.0
    kinship: float = 0.0


@dataclass(frozen=True)
class Study:
    """Shares of repetitions: with any claim about equal methods, and with the best told from the worst rightly."""

    repetitions: int
    false_claims: int
    found: int


def made_up(truth: Truth, draw: np.random.Generator) -> tuple[list[Right], Groups | None]:
    """One set of finals: each method's (seeds, clips), of several draws (seeds, draws, clips); the clips' subjects."""
    groups = np.arange(truth.clips, dtype=np.int64) % truth.subjects if truth.subjects else None
    difficulty = np.sqrt(truth.agreement) * _normal(truth, groups, draw)
    found = []
    luck = draw.standard_normal((truth.draws, 1)) if truth.draws > 1 else 0.0
    for accuracy in truth.accuracies:
        middle = stats.norm.ppf(accuracy)
        slope = stats.norm.pdf(middle)
        deviation = truth.spread / slope
        run = deviation * draw.standard_normal((truth.seeds, 1))
        run -= 0.1 / slope * (draw.random((truth.seeds, 1)) < truth.collapse)
        varying = deviation**2 + (truth.luck**2 + truth.taste**2) / slope**2
        ease = middle * np.sqrt(1 + varying) + difficulty + np.sqrt(truth.fit) * _normal(truth, groups, draw)
        left = np.sqrt(1 - truth.agreement - truth.fit)
        noise = draw.standard_normal((truth.seeds, truth.clips))
        if truth.draws == 1:
            found.append(ease + run + left * noise > 0)
            continue
        taste = draw.standard_normal((truth.draws, 1))
        own = draw.standard_normal((truth.seeds, truth.draws, truth.clips))
        noise = np.sqrt(truth.kinship) * noise[:, None] + np.sqrt(1 - truth.kinship) * own
        of_draws = (truth.luck * luck + truth.taste * taste) / slope
        found.append(ease + run[:, None] + of_draws + left * noise > 0)
    return found, groups


def _normal(truth: Truth, groups: Groups | None, draw: np.random.Generator) -> NDArray[np.float64]:
    """One standard normal number a clip; those of a subject share a part."""
    alone = draw.standard_normal(truth.clips)
    if groups is None:
        return alone
    shared = draw.standard_normal(truth.subjects)[groups]
    found: NDArray[np.float64] = np.sqrt(truth.togetherness) * shared + np.sqrt(1 - truth.togetherness) * alone
    return found


def as_reported(first: Right, second: Right, groups: Groups | None) -> float | None:
    """The p-value that a report would correct; of two seeds too, where a report makes no claim."""
    return difference(first, second, groups, fewest=2).p


def study(truth: Truth, repetitions: int, seed: int, rule: Rule = as_reported) -> Study:
    """Judge `repetitions` sets of finals: all pairs by the rule, Holm's correction over them, claims at 5 %."""
    draw = np.random.default_rng(seed)
    count = len(truth.accuracies)
    pairs = [(one, other) for one in range(count) for other in range(one + 1, count)]
    best, worst = int(np.argmax(truth.accuracies)), int(np.argmin(truth.accuracies))
    false, found = 0, 0
    for _ in range(repetitions):
        runs, groups = made_up(truth, draw)
        p_values = [rule(runs[one], runs[other], groups) for one, other in pairs]
        adjusted = holm([1.0 if p is None else p for p in p_values])
        claimed = {pair for pair, p in zip(pairs, adjusted, strict=True) if p < LEVEL}
        false += any(truth.accuracies[one] == truth.accuracies[other] for one, other in claimed)
        rightly = bool(runs[best].mean() > runs[worst].mean())
        found += rightly and bool({(best, worst), (worst, best)} & claimed)
    return Study(repetitions, false, found)
