"""Intervals of one method's accuracy: known cases, coverage, and what is said where there is none."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from made_up_predictions import coins

from skelray.statistics.intervals import Interval, NoInterval, bootstrap, spread, student

runs = some.tuples(some.integers(3, 6), some.integers(2, 30)).flatmap(lambda size: arrays(bool, size))


def draw(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_t_interval_by_hand():
    """Mean 0.72, s 0.02, n 3: t(2) is 4.3027, so 0.72 +- 4.3027 x 0.02 / sqrt 3."""
    found = student([0.70, 0.72, 0.74])
    assert (found.low, found.high) == pytest.approx((0.72 - 0.049682, 0.72 + 0.049682), abs=1e-5)
    assert (found.over, found.level) == ("seeds", 0.95)


def test_t_interval_stays_within_what_accuracy_can_be():
    found = student([0.99, 1.0, 0.9])
    assert found.high == 1.0


def test_t_interval_of_millimetres_is_not_cut_to_shares():
    found = student([84.0, 86.0, 88.0], shares=False)
    assert (found.low, found.high) == pytest.approx((86 - 4.9682, 86 + 4.9682), abs=1e-3)
    assert "same figure" in student([86.0] * 3, shares=False).why


@pytest.mark.parametrize(
    ("values", "why"), [([0.5], "one seed is"), ([0.5, 0.6], "two seeds are"), ([0.475] * 3, "same")]
)
def test_no_interval_says_why(values, why):
    found = student(values)
    assert isinstance(found, NoInterval)
    assert why in found.why


def test_bootstrap_of_independent_clips_is_the_binomial_interval():
    """Runs that are all alike leave the clips alone to vary: sqrt(p (1 - p) / n)."""
    right = np.repeat(coins(1, 1, 900, 0.7), 4, axis=0)
    found = bootstrap([right], None, draw(), resamples=4000)
    assert found.over == "seeds and clips"
    half = 1.96 * np.sqrt(right.mean() * (1 - right.mean()) / 900)
    assert (found.high - found.low) / 2 == pytest.approx(half, rel=0.06)


def test_bootstrap_of_seeds_that_differ_as_wholes():
    """Half of 40 runs tell all, half none: the seeds alone vary, by sqrt(p (1 - p) / 40)."""
    right = np.zeros((40, 50), dtype=bool)
    right[::2] = True
    found = bootstrap([right], None, draw(), resamples=4000)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * 0.5 / np.sqrt(40), rel=0.08)


def test_bootstrap_draws_subjects_whole():
    groups = np.repeat(np.arange(10), 30)
    right = np.repeat((groups % 3 > 0)[None], 3, axis=0)
    by_clip, by_subject = (bootstrap([right], each, draw(), resamples=3000) for each in (None, groups))
    assert by_subject.over == "seeds and subjects"
    assert by_subject.high - by_subject.low > 4 * (by_clip.high - by_clip.low)


def test_bootstrap_of_a_difference_is_paired_by_clips():
    """Two methods that find the same clips hard: the clips that are drawn cancel, as those of others would not."""
    right = np.repeat(coins(2, 1, 300, 0.6), 3, axis=0)
    better = right.copy()
    better[:, :15] = True
    found = bootstrap([better, right], None, draw(), resamples=1000)
    alone = bootstrap([right], None, draw(), resamples=1000)
    assert found.low < better.mean() - right.mean() < found.high
    assert found.high - found.low < 0.5 * (alone.high - alone.low)


def test_subjects_of_unequal_size_count_by_their_clips():
    groups = np.array([0] * 90 + [1] * 10, dtype=np.int64)
    right = np.repeat((groups == 0)[None], 3, axis=0)
    found = bootstrap([right], groups, draw(), resamples=500)
    assert (found.low, found.high) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("right", "why"),
    [
        (coins(0, 1, 20, 0.5), "one seed is too few"),
        (coins(0, 2, 20, 0.5), "two seeds are too few"),
        (np.array([[True], [False], [True]]), "one clip"),
        (np.ones((3, 20), dtype=bool), "nothing varies"),
        (np.zeros((3, 20), dtype=bool), "nothing varies"),
    ],
)
def test_no_bootstrap_says_why(right, why):
    found = bootstrap([right], None, draw(), resamples=100)
    assert isinstance(found, NoInterval)
    assert why in found.why


def test_one_seed_has_a_mean_and_nothing_else():
    found = spread(coins(0, 1, 20, 0.5), None, draw())
    assert found.deviation is None
    assert isinstance(found.seeds, NoInterval)
    assert isinstance(found.seeds_and_clips, NoInterval)


@settings(max_examples=40, deadline=None)
@given(runs)
def test_intervals_hold_the_mean(right):
    found = spread(right, None, draw(), resamples=200)
    assert found.mean == pytest.approx(right.mean())
    for interval in (found.seeds, found.seeds_and_clips):
        if isinstance(interval, Interval):
            assert 0 <= interval.low <= found.mean + 1e-12
            assert found.mean - 1e-12 <= interval.high <= 1
