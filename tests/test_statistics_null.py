"""The null study: one method under three names is seldom told apart from itself; a real difference is found.

The seeds were written down before the first run and are those of benchmarks/null_study.py.
"""

import numpy as np
import pytest

from skelray.statistics.correction import holm
from skelray.statistics.paired import difference, exact
from skelray.statistics.power import Truth, made_up, study

NULL_SEED, POWER_SEED = 20261121, 20261122
EQUAL, APART = (0.75, 0.75, 0.75), (0.81, 0.75, 0.75)


def test_one_method_under_three_names_is_told_apart_in_at_most_18_of_200_sweeps():
    assert study(Truth(EQUAL, seeds=5), 200, NULL_SEED).false_claims <= 18


@pytest.mark.parametrize("subjects", [0, 10])
def test_methods_that_differ_clip_by_clip_but_not_in_accuracy_are_not_ranked(subjects):
    """The seeds of one method agree on its clips, so more seeds of it do not make its clips more."""
    assert study(Truth(EQUAL, seeds=5, fit=0.1, subjects=subjects), 200, NULL_SEED).false_claims <= 18


def test_three_seeds_make_no_more_false_claims_than_five():
    assert study(Truth(EQUAL, seeds=3), 200, NULL_SEED).false_claims <= 18


def test_six_points_are_found_in_four_of_five_sweeps():
    """5 seeds that spread by 1.5 points, 464 clips, methods that differ clip by clip too, Holm over 3 pairs."""
    assert study(Truth(APART, seeds=5, fit=0.1), 200, POWER_SEED).found >= 160


def test_what_is_done_without_seeds_would_claim_falsely():
    """The study can be failed, and is by those who take clips times seeds as independent observations."""

    def all_as_one(first, second, groups):
        return exact(int((first & ~second).sum()), int((second & ~first).sum()))

    assert study(Truth(EQUAL, seeds=5), 200, NULL_SEED, all_as_one).false_claims > 18


def test_made_up_finals_have_the_truth_that_was_asked():
    truth = Truth((0.8, 0.6), seeds=400, clips=500, spread=0.03)
    draw = np.random.default_rng(1)
    runs = [made_up(truth, draw)[0] for _ in range(10)]
    accuracies = np.array([[each.mean(1) for each in repetition] for repetition in runs])  # (10, 2, 400)
    assert accuracies.mean((0, 2)) == pytest.approx([0.8, 0.6], abs=0.015)
    own = np.sqrt(accuracies.var(2).mean(0))  # beyond the spread: single clips that runs tell differently
    assert (own > 0.027).all()
    assert (own < 0.04).all()


def test_clips_of_a_subject_go_together():
    truth = Truth((0.7,), seeds=1, clips=2000, subjects=20, togetherness=0.5)
    (right,), groups = made_up(truth, np.random.default_rng(2))
    by_subject = np.array([right[0, groups == subject].mean() for subject in range(20)])
    assert by_subject.std() > 3 * np.sqrt(0.21 / 100)


def test_the_study_corrects_as_the_report_does():
    """A study of one repetition claims what Holm's correction of the three p-values claims."""
    truth = Truth((0.85, 0.7, 0.7), seeds=4)
    runs, groups = made_up(truth, np.random.default_rng(5))
    p_values = [difference(runs[one], runs[other], groups).p for one, other in ((0, 1), (0, 2), (1, 2))]
    found = study(truth, 1, 5)
    assert found.found == (max(holm(p_values)[:2]) < 0.05)
    assert found.false_claims == (holm(p_values)[2] < 0.05)
