"""The test of two methods: against an analysis of variance written out, known cases, and what must always hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from made_up_predictions import coins
from scipy import stats

from skelray.statistics.intervals import Interval, NoInterval
from skelray.statistics.paired import McNemar, combined, difference, effect, exact, mcnemar
from skelray.statistics.runs import Runs

pairs_of_runs = some.tuples(some.integers(3, 5), some.integers(3, 5), some.integers(2, 12)).flatmap(
    lambda size: some.tuples(arrays(bool, (size[0], size[2])), arrays(bool, (size[1], size[2])))
)


def mean_squares(x: np.ndarray) -> tuple[float, float, float]:
    """Runs within methods, methods x clips, and the rest, of x (methods, runs, clips), term by term."""
    methods, runs, clips = x.shape
    run, cell = x.mean(2, keepdims=True), x.mean(1, keepdims=True)
    method, clip, whole = x.mean((1, 2), keepdims=True), x.mean((0, 1), keepdims=True), x.mean()
    of_runs = clips * ((run - method) ** 2).sum() / (methods * (runs - 1))
    of_cells = runs * ((cell - method - clip + whole) ** 2).sum() / ((methods - 1) * (clips - 1))
    rest = ((x - run - cell + method) ** 2).sum() / (methods * (runs - 1) * (clips - 1))
    return of_runs, of_cells, rest


def test_error_is_that_of_the_two_factor_analysis_of_variance():
    """Var = 2 / (runs clips) (MS[runs] + max(MS[methods x clips] - MS[rest], 0)): Hillis, runs nested in methods."""
    draw = np.random.default_rng(0)
    ease = draw.normal(size=(2, 1, 80)) + draw.normal(size=(2, 6, 1))
    x = (ease + draw.normal(size=(2, 6, 80)) > -0.5).astype(float)
    found = difference(x[0] > 0, x[1] > 0)
    of_runs, of_cells, rest = mean_squares(x)
    assert of_runs > rest
    assert of_cells > rest
    assert found.over_seeds == pytest.approx(2 / (6 * 80) * of_runs)
    assert found.over_clips == pytest.approx(2 / (6 * 80) * (of_cells - rest))
    assert found.error == pytest.approx(np.sqrt(found.over_seeds + found.over_clips))
    per_method = [x[method].mean(1).var(ddof=1) / 6 for method in range(2)]
    parts = (per_method[0] ** 2 + per_method[1] ** 2) / 5 + (2 / (6 * 80) * of_cells) ** 2 / 79
    assert found.degrees == pytest.approx(found.error**4 / parts)
    assert found.p == pytest.approx(2 * stats.t.sf(abs(found.value) / found.error, found.degrees))


def test_without_clips_of_its_own_it_is_welchs_test():
    """When methods find the same clips hard, and runs differ as wholes, only the seeds' accuracies count."""
    clips = np.arange(400)
    first = np.stack([clips < many for many in (300, 310, 330)])
    second = np.stack([clips < many for many in (200, 240, 250, 290)])
    found = difference(first, second)
    welch = stats.ttest_ind(first.mean(1), second.mean(1), equal_var=False)
    assert found.over_seeds == pytest.approx(first.mean(1).var(ddof=1) / 3 + second.mean(1).var(ddof=1) / 4)
    assert found.p == pytest.approx(welch.pvalue, abs=0.02)


def test_seeds_that_agree_by_chance_are_not_taken_for_no_spread():
    """Every run tells 210, or 190, of 400 clips, each other ones: single clips alone would make them vary."""
    draw = np.random.default_rng(1)
    first, second = (draw.permuted(np.tile(np.arange(400) < right, (3, 1)), axis=1) for right in (210, 190))
    found = difference(first, second)
    assert np.ptp(first.sum(1)) == np.ptp(second.sum(1)) == 0
    assert found.error == pytest.approx(np.sqrt(2 * 0.25 / (3 * 400)), rel=0.1)


def test_subjects_that_side_with_one_method_widen_the_interval():
    """Ten subjects, each told wholly by one of two methods: ten observations, not four hundred."""
    groups = np.arange(400) % 10
    draw = np.random.default_rng(3)
    first = (groups < 6) ^ (draw.random((5, 400)) < 0.1)
    second = (groups >= 6) ^ (draw.random((5, 400)) < 0.1)
    by_clip, by_subject = difference(first, second), difference(first, second, groups)
    assert by_subject.value == by_clip.value
    assert by_clip.p < 0.001
    assert by_subject.p > 0.3
    assert by_subject.interval.over == "seeds and subjects"
    # Six subjects at 0.8 and four at -0.8 about their mean of 0.16, ten units.
    assert by_subject.error == pytest.approx(np.sqrt((6 * 0.64**2 + 4 * 0.96**2) / (10 * 9)), rel=0.1)
    assert by_subject.degrees == pytest.approx(9, abs=0.1)


def test_subjects_that_hide_what_clips_say_narrow_nothing():
    """Each subject has as many clips of the one method as of the other: the sums are still, the clips are not."""
    draw = np.random.default_rng(3)
    groups, half = np.arange(400) % 10, np.arange(400) // 10 % 2 == 0
    first, second = half ^ (draw.random((5, 400)) < 0.1), ~half ^ (draw.random((5, 400)) < 0.1)
    by_clip, by_subject = difference(first, second), difference(first, second, groups)
    assert by_subject.error == pytest.approx(by_clip.error)
    assert by_subject.degrees < 12 < 100 < by_clip.degrees


def test_one_subject_is_no_reason_to_refuse():
    first, second = coins(1, 3, 50, 0.8), coins(2, 3, 50, 0.5)
    assert difference(first, second, np.zeros(50, dtype=np.int64)) == difference(first, second)


@pytest.mark.parametrize(("runs", "clips", "why"), [(1, 50, "one seed is too"), (2, 50, "two seeds"), (3, 1, "one cl")])
def test_too_little_is_said_and_not_tested(runs, clips, why):
    found = difference(coins(1, runs, clips, 0.8), coins(2, 5, clips, 0.5))
    assert found.p is None
    assert found.error is None
    assert isinstance(found.interval, NoInterval)
    assert why in found.interval.why
    assert "too few to say" in found.interval.why


@given(pairs_of_runs)
def test_what_always_holds_of_a_difference(runs):
    first, second = runs
    found, back = difference(first, second), difference(second, first)
    assert 0 <= found.p <= 1
    assert isinstance(found.interval, Interval)
    assert found.interval.low <= found.value <= found.interval.high
    assert back.value == -found.value
    assert back.p == pytest.approx(found.p)
    assert back.interval.low == pytest.approx(-found.interval.high)
    assert (found.p < 0.05) == (not found.interval.low <= 0 <= found.interval.high) or abs(found.p - 0.05) < 1e-9


@given(pairs_of_runs, some.randoms())
def test_the_order_of_clips_and_seeds_changes_nothing(runs, random):
    first, second = runs
    clips = list(range(first.shape[1]))
    groups = np.arange(len(clips)) % 3
    random.shuffle(clips)
    found = difference(first, second, groups)
    other = difference(first[::-1][:, clips], second[:, clips], groups[clips])
    assert (other.value, other.error, other.p) == pytest.approx((found.value, found.error, found.p))


def test_mcnemar_is_the_exact_binomial_test():
    assert exact(1, 9) == pytest.approx(2 * (1 + 10) / 2**10)
    assert exact(9, 1) == exact(1, 9)
    assert exact(5, 5) == exact(0, 0) == 1


def test_mcnemar_pairs_runs_of_one_seed():
    right = coins(4, 3, 60, 0.6)
    first = Runs("one", (1, 2, 5), ("a", "b", "c"), right.astype(np.int64), right)
    second = Runs("other", (2, 5, 7), ("d", "e", "f"), right.astype(np.int64), ~right)
    found = mcnemar(first, second)
    assert [test.seed for test in found] == [2, 5]
    both = right[1] & right[0]
    assert found[0].only_first == both.sum()
    assert found[0].only_second == (~right[1] & ~right[0]).sum()
    assert found[0].p == exact(found[0].only_first, found[0].only_second)


def test_seeds_are_combined_by_twice_the_median():
    def tests(*values):
        return [McNemar(seed, 0, 0, p) for seed, p in enumerate(values)]

    assert combined(tests(0.3, 0.01, 0.02)) == pytest.approx(0.04)
    assert combined(tests(0.01, 0.02, 0.03, 0.9)) == pytest.approx(0.06)
    assert combined(tests(0.9, 0.8, 0.7)) == 1
    assert combined(tests(0.03)) == 0.03
    assert combined([]) is None


def test_effect_sizes_by_hand():
    """Half against a quarter: h = pi/2 - pi/3; 3 clips only the first tells, 1 only the second: odds 3."""
    first, second = np.array([[1, 1, 1, 1, 0, 0, 0, 0]], bool), np.array([[1, 0, 0, 0, 1, 0, 0, 0]], bool)
    found = effect(first, second)
    assert found.points == 25
    assert found.cohens_h == pytest.approx(np.pi / 6)
    assert found.odds_ratio == pytest.approx(3)


@settings(max_examples=50)
@given(pairs_of_runs)
def test_effects_turn_round_with_the_pair(runs):
    first, second = runs
    found, back = effect(first, second), effect(second, first)
    assert found.points == pytest.approx(-back.points)
    assert found.cohens_h == pytest.approx(-back.cohens_h)
    if found.odds_ratio is None:
        assert back.odds_ratio is None
        assert found.points == 0
    else:
        assert found.odds_ratio * back.odds_ratio == pytest.approx(1)
        assert np.isfinite(found.odds_ratio)
