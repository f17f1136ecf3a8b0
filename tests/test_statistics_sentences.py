"""The sentence of each pair: what it says, and that it never says more than the test."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as some

from skelray.statistics.intervals import Interval, NoInterval
from skelray.statistics.paired import Difference
from skelray.statistics.sentences import points, sentence


def found(value: float, low: float, high: float, p: float) -> Difference:
    return Difference(value, 0.01, 8.0, 0.0001, 0.0, p, Interval(low, high, "seeds and clips"))


def test_a_difference():
    assert sentence("AMR", "MAMP", found(0.041, 0.02, 0.063, 0.0005), 0.003, 6, (5, 5)) == (
        "AMR is better than MAMP by 4.1 points "
        "(95 % interval 2.0 to 6.3; p = 0.003 after Holm's correction over 6 pairs; 5 seeds)."
    )


def test_the_better_one_is_named_first_whichever_came_first():
    forth = sentence("AMR", "MAMP", found(0.041, 0.02, 0.063, 0.0005), 0.003, 6, (5, 4))
    back = sentence("MAMP", "AMR", found(-0.041, -0.063, -0.02, 0.0005), 0.003, 6, (5, 4))
    assert forth == back


def test_no_difference():
    assert sentence("AMR", "MAMP", found(0.006, -0.012, 0.024, 0.4), 1.0, 3, (5, 5)) == (
        "No significant difference between AMR and MAMP (difference 0.6 points, 95 % interval -1.2 to 2.4; "
        "p = 1 after Holm's correction over 3 pairs; 5 seeds)."
    )


def test_what_only_correction_takes_away_is_told():
    """The interval is of the pair alone and leaves 0 out; the reader is told why that is no claim."""
    words = sentence("AMR", "MAMP", found(0.02, 0.001, 0.04, 0.03), 0.09, 3, (3, 3))
    assert words.startswith("No significant difference")
    assert "p = 0.03 alone, p = 0.09 after Holm's correction over 3 pairs" in words


def test_one_pair_needs_no_correction():
    assert "Holm" not in sentence("AMR", "MAMP", found(0.041, 0.02, 0.063, 0.003), 0.003, 1, (4, 5))
    assert "4 and 5 seeds" in sentence("AMR", "MAMP", found(0.041, 0.02, 0.063, 0.003), 0.003, 1, (4, 5))


def test_too_few_seeds():
    few = Difference(-0.041, None, None, None, None, None, NoInterval("two seeds are too few to say; 3 are the least"))
    assert sentence("AMR", "MAMP", few, None, 0, (2, 2)) == (
        "Whether AMR and MAMP differ is open: two seeds are too few to say; 3 are the least "
        "(MAMP is 4.1 points above AMR in these runs; two seeds)."
    )
    level = Difference(0.0, None, None, None, None, None, few.interval)
    assert "AMR and MAMP are level in these runs" in sentence("AMR", "MAMP", level, None, 0, (2, 2))


@pytest.mark.parametrize(("share", "text"), [(-0.0001, "0.0"), (0.0, "0.0"), (0.0406, "4.1"), (-0.012, "-1.2")])
def test_points_have_no_negative_nothing(share, text):
    assert points(share) == text


@given(some.floats(0, 1), some.floats(-1, 1))
def test_the_number_never_contradicts_the_claim(p, value):
    words = sentence("a", "b", found(value, -1.0, 1.0, p), p, 2, (5, 5))
    shown = re.search(r"p (?:= (\S+)|< 0\.001) after", words)
    assert words.startswith("No significant") == (p >= 0.05)
    if shown[1]:
        assert (float(shown[1]) < 0.05) == (p < 0.05)
