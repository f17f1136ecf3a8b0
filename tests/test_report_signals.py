"""The rank correlation of label-free signals with accuracy, from the tables of a results folder."""

import math

import pytest

from skelray.events import Ended, Reported, Started
from skelray.report import signals, tables
from skelray.results import Results


def written(folder, points: list[dict[str, float]], kind: str = "search", state: str = "complete") -> Results:
    """Results of one trial for each of the points."""
    results = Results(folder)
    results.create({"objective": {"metric": "val/linear", "mode": "max"}}, {})
    events = []
    for number, metrics in enumerate(points):
        trial = f"amr-{number:03d}"
        events.append(Started(trial=trial, method="amr", kind=kind, seed=number, config={"seed": number}, time=1.0))
        events.append(Reported(trial=trial, clips=100, metrics=metrics, time=2.0))
        events.append(Ended(trial=trial, state=state, reason="", time=3.0, seconds=1.0))
    results.write(events, "val/linear")
    return results


def test_a_signal_that_orders_the_trials_as_accuracy_does_has_correlation_one(tmp_path):
    rank = [3.0, 30.0, 5.0, 300.0]
    points = [{"val/signals_rankme": r, "val/linear": math.log(r), "val/knn": -r} for r in rank]
    found = signals.correlations(written(tmp_path, points))
    assert list(found.columns) == ["of", "signal", "accuracy", "n", "rho", "p"]
    assert found.iloc[:, :4].values.tolist() == [["search", "rankme", each, 4] for each in ("linear", "knn")]
    assert list(found["rho"]) == pytest.approx([1, -1])
    assert list(found["p"]) == pytest.approx([0, 0])


def test_ties_share_their_rank_as_spearman_has_it(tmp_path):
    signal, accuracy = [1.0, 2.0, 2.0, 4.0, 5.0], [0.3, 0.1, 0.5, 0.4, 0.9]
    points = [{"val/signals_spread": a, "val/linear": b} for a, b in zip(signal, accuracy, strict=True)]
    (row,) = signals.correlations(written(tmp_path, points)).to_dict("records")
    ranks = [1, 2.5, 2.5, 4, 5], [2, 1, 4, 3, 5]
    mean = 3.0
    over = sum((a - mean) * (b - mean) for a, b in zip(*ranks, strict=True))
    under = math.sqrt(sum((a - mean) ** 2 for a in ranks[0]) * sum((b - mean) ** 2 for b in ranks[1]))
    assert row["rho"] == pytest.approx(over / under)
    assert 0 < row["p"] < 1


def test_finals_are_held_against_the_test_and_apart_from_the_search(tmp_path):
    points = [
        {"test/signals_rankme": float(n), "test/linear": n / 10, "test/linear_clean": 1 - n / 10} for n in range(5)
    ]
    found = signals.correlations(written(tmp_path, points, "final"))
    assert list(found["of"]) == ["finals", "finals"]
    assert list(found["accuracy"]) == ["linear", "linear_clean"]
    assert list(found["rho"]) == pytest.approx([1, -1])


@pytest.mark.parametrize("points", [
    [{"val/signals_rankme": 1.0, "val/linear": 0.5}, {"val/signals_rankme": 2.0, "val/linear": 0.6}],  # too few
    [{"val/signals_rankme": 1.0, "val/linear": n / 10} for n in range(5)],  # nothing varies
])  # fmt: skip
def test_where_there_is_no_correlation_it_is_not_a_number_with_its_n(tmp_path, points):
    (row,) = signals.correlations(written(tmp_path, points)).to_dict("records")
    assert math.isnan(row["rho"])
    assert math.isnan(row["p"])
    assert row["n"] == len(points)


def test_trials_that_were_stopped_early_and_those_without_a_signal_do_not_count(tmp_path):
    points = [{"val/signals_rankme": float(n), "val/linear": n / 10} for n in range(4)]
    found = signals.correlations(written(tmp_path / "whole", [*points, {"val/linear": 0.9}]))
    assert list(found["n"]) == [4]
    assert not len(signals.correlations(written(tmp_path / "pruned", points, state="pruned")))
    assert not len(signals.correlations(written(tmp_path / "none", [{"val/linear": 0.9}] * 5)))


@pytest.mark.parametrize("metric", [
    "val/signals_rankme", "test/signals_token_cosine", "test/generation_mpjpe_mm", "val/reconstruction",
    "val/linear_lr", "test/clips", "test/clips_clean", "train/loss",
])  # fmt: skip
def test_what_is_no_share_of_clips_is_not_shown_in_percent(metric):
    assert not tables.is_accuracy(metric)
    assert tables.measured(12.5, metric) == "12.5"


def test_accuracies_are_shown_in_percent():
    assert tables.measured(0.125, "val/robustness_dropped_frames") == tables.measured(0.125, "test/knn_5") == "12.5"
