"""Holm, Friedman, Nemenyi and groups: cases from the literature, and what must always hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from skelray.statistics.correction import groups, holm, holm_of_tested, nemenyi, ranks

shares = some.lists(some.floats(0, 1), max_size=12)


def test_holm_by_hand():
    """0.005 x 4, 0.01 x 3, 0.03 x 2, and 0.04 x 1 raised to the one before it."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([0.04]) == [0.04]
    assert holm([]) == []


@given(shares)
def test_holm_keeps_order_and_only_raises(values):
    found = holm(values)
    assert all(0 <= before <= after <= 1 for before, after in zip(values, found, strict=True))
    assert all(after <= min(1, before * len(values)) + 1e-12 for before, after in zip(values, found, strict=True))
    order = np.argsort(values, kind="stable")
    assert (np.diff(np.array(found)[order]) >= 0).all()


@given(shares, some.randoms())
def test_holm_does_not_care_for_the_order(values, random):
    order = list(range(len(values)))
    random.shuffle(order)
    assert holm([values[place] for place in order]) == pytest.approx([holm(values)[place] for place in order])


@pytest.mark.parametrize(("methods", "blocks", "critical"), [(4, 14, 1.25), (2, 10, 0.62), (10, 10, 4.284)])
def test_nemenyi_as_published(methods, blocks, critical):
    """Demsar 2006, section 3.2.2: four classifiers on 14 sets give 1.25; the other q are of his table 5."""
    assert nemenyi(methods, blocks) == pytest.approx(critical, abs=0.006)


def test_ranks_by_hand():
    """Always 1, 2, 3 over four blocks: Friedman's chi-square is 8 at two degrees, so p = exp(-4)."""
    found = ranks({"c": [0.5, 0.6, 0.5, 0.7], "a": [0.9, 0.8, 0.9, 0.9], "b": [0.7, 0.7, 0.8, 0.8]}, {})
    assert found.average == {"a": 1, "b": 2, "c": 3}
    assert list(found.average) == ["a", "b", "c"]
    assert found.friedman == pytest.approx(np.exp(-4))
    assert found.blocks == 4


def test_ties_share_their_rank():
    found = ranks({"a": [0.5, 0.9], "b": [0.5, 0.8]}, {})
    assert found.average == {"a": 1.25, "b": 1.75}
    assert found.friedman is None
    equal = ranks({name: [0.5, 0.5] for name in "abc"}, {})
    assert set(equal.average.values()) == {2.0}
    assert equal.friedman == 1


def test_groups_are_the_longest_stretches_without_a_difference():
    apart = {("a", "c"): True, ("d", "a"): True, ("b", "d"): True, ("a", "b"): False}
    assert groups(["a", "b", "c", "d"], apart) == (("a", "b"), ("b", "c"), ("c", "d"))
    assert groups(["a", "b", "c"], {}) == (("a", "b", "c"),)
    assert groups(["a", "b"], {("b", "a"): True}) == ()
    assert groups(["a"], {}) == ()


def test_a_difference_across_a_group_is_not_drawn_over():
    """a and c are told apart, though neither is from b: no bar covers both."""
    assert groups(["a", "b", "c"], {("c", "a"): True}) == (("a", "b"), ("b", "c"))


def test_what_was_not_tested_is_not_corrected_and_does_not_count():
    found, tests = holm_of_tested([0.01, None, 0.04])
    assert (found, tests) == ([pytest.approx(0.02), None, pytest.approx(0.04)], 2)
    assert holm_of_tested([None]) == ([None], 0)
