"""Accuracy against cost: hand-made cases whose curves, intervals and fronts can be told without a computer."""

import math
from pathlib import Path

import made_up_sweep as made_up
import numpy as np
import pytest

from skelray.events import Ended, Reported, Started
from skelray.report import cost_curve
from skelray.results import Results


def at(table, cost: float, column: str = "mean") -> float:
    return table[column][np.isclose(table["cost"], cost)].iloc[0]


def test_two_trials_of_equal_cost_are_worth_their_mean_and_then_the_better():
    found = cost_curve.curve(np.array([10.0, 10.0]), np.array([0.5, 0.7]), orders=4000, points=4)
    assert list(found["cost"]) == [5, 10, 15, 20]
    assert math.isnan(at(found, 5))
    assert at(found, 10) == pytest.approx(0.6, abs=0.01)
    assert at(found, 15) == at(found, 10)
    assert at(found, 20) == pytest.approx(0.7)  # in whatever order: both are done
    assert list(found["reached"]) == [0, 1, 1, 1]


def test_expected_best_of_two_among_three_is_that_of_the_orders():
    found = cost_curve.curve(np.full(3, 1.0), np.array([0.0, 0.3, 0.9]), orders=20_000, points=3)
    assert at(found, 1) == pytest.approx(0.4, abs=0.01)
    assert at(found, 2) == pytest.approx((0.3 + 0.9 + 0.9) / 3, abs=0.01)
    assert at(found, 3) == pytest.approx(0.9)


def test_the_interval_holds_what_other_trials_might_have_been():
    found = cost_curve.curve(np.full(2, 1.0), np.array([0.5, 0.7]), points=2)
    assert [at(found, 1, side) for side in ("low", "high")] == [0.5, 0.7]
    assert [at(found, 2, side) for side in ("low", "high")] == [0.5, 0.7]  # a quarter of the draws has the worse twice
    alone = cost_curve.curve(np.array([2.0]), np.array([0.4]), points=2)
    assert [at(alone, 2, side) for side in ("low", "mean", "high")] == pytest.approx([0.4] * 3)


def test_what_stopped_early_or_failed_costs_and_brings_nothing():
    found = cost_curve.curve(np.array([1.0, 3.0]), np.array([math.nan, 0.8]), orders=4000, points=4)
    assert at(found, 1, "reached") == at(found, 2, "reached") == 0
    assert at(found, 3, "reached") == pytest.approx(0.5, abs=0.03)  # where the good one came first
    assert math.isnan(at(found, 3))
    assert at(found, 4) == pytest.approx(0.8)
    nothing = cost_curve.curve(np.array([1.0]), np.array([math.nan]), points=2)
    assert nothing[["mean", "low", "high"]].isna().all().all()


def test_less_is_better_when_the_objective_says_so():
    found = cost_curve.curve(np.full(2, 1.0), np.array([30.0, 20.0]), more=False, points=2)
    assert at(found, 2) == pytest.approx(20)
    assert [at(found, 1, side) for side in ("low", "high")] == [20, 30]


def test_curves_never_fall_and_repeat_to_the_digit():
    random = np.random.default_rng(1)
    costs, values = random.uniform(1, 5, 9), random.uniform(0, 1, 9)
    found, again = (cost_curve.curve(costs, values) for _ in range(2))
    mean = found["mean"].dropna()
    assert (mean.diff().dropna() >= -1e-12).all()
    assert mean.iloc[-1] == pytest.approx(values.max())
    assert found.equals(again)


def test_the_front_is_what_nothing_cheaper_matches():
    costs, values = [1, 2, 2, 3, 4, 4, 5], [0.5, 0.4, 0.6, 0.6, 0.9, 0.9, math.nan]
    assert list(cost_curve.front(costs, values)) == [True, False, True, False, True, True, False]
    assert list(cost_curve.front([1, 2, 3], [5, 7, 4], more=False)) == [True, False, True]
    assert list(cost_curve.front([], [])) == []


def trial(key: str, method: str, value: float, flops: float, seconds: float, state="complete") -> list:
    begun = Started(trial=key, method=method, seed=0, config={"method": {"name": method}}, time=made_up.BEGAN)
    point = Reported(trial=key, clips=100, metrics={"val/linear": value}, time=made_up.BEGAN + 1)
    cost = {"flops": flops, "device_seconds": seconds, "seconds": seconds}
    return [begun, point, Ended(trial=key, state=state, time=made_up.BEGAN + 2, **cost)]


@pytest.fixture
def results(tmp_path: Path) -> Results:
    """AMR is cheap and good, MAMP dear and better; one trial of AMR was stopped."""
    told = trial("amr-000", "amr", 0.6, 1e12, 10) + trial("amr-001", "amr", 0.9, 1e12, 30, "pruned")
    told += trial("mamp-000", "mamp", 0.8, 5e12, 20) + trial("mamp-001", "mamp", 0.7, 5e12, 20)
    return made_up.folder(tmp_path / "r", told)


def test_methods_are_compared_by_each_unit(results):
    found = cost_curve.curves(results, "flops", points=10)
    last = found.groupby("method", sort=False).last()
    assert list(last.index) == ["amr", "mamp"]
    assert list(last["cost"]) == [2e12, 1e13]
    assert list(last["mean"]) == pytest.approx([0.6, 0.8])  # the stopped one's 0.9 was never its end
    assert cost_curve.curves(results, "device_seconds")["cost"].max() == 40
    with pytest.raises(ValueError, match="'hours' is not one of"):
        cost_curve.curves(results, "hours")


def test_the_front_over_methods_goes_from_the_cheap_to_the_better_one(results):
    found = cost_curve.pareto(results, "flops", points=10)
    assert list(dict.fromkeys(found["method"])) == ["amr", "mamp"]
    assert found["mean"].is_monotonic_increasing
    assert (found["method"].iloc[-1], found["cost"].iloc[-1]) == ("mamp", 1e13)
    single = cost_curve.pareto_trials(results, "flops")
    assert single.to_dict("records") == [
        {"method": "amr", "trial": "amr-000", "cost": 1e12, "value": 0.6},
        {"method": "mamp", "trial": "mamp-000", "cost": 5e12, "value": 0.8},
    ]


def test_what_was_not_counted_has_no_curve(tmp_path):
    old = made_up.folder(tmp_path / "old")
    assert cost_curve.curves(old, "flops").empty
    assert cost_curve.pareto(old, "flops").empty
    assert set(cost_curve.curves(old, "clips", orders=50)["method"]) == set(made_up.METHODS)
