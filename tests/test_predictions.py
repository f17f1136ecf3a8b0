"""What each test clip was taken for: from a final's folder to one table, once a final and never of the search."""

import numpy as np
from made_up_sweep import folder as made_up_results
from tiny_store import tiny_store

from skelray.evaluate import kept
from skelray.evaluate.case import Outcome, Predictions
from skelray.events import Ended, Started, fold
from skelray.sweep import predicted


def events(key: str, kind: str, state: str = "complete"):
    begun = Started(trial=key, method="amr", kind=kind, seed=1, config={}, time=0.0)
    return [begun, Ended(trial=key, state=state, time=1.0, seconds=1.0)]


def test_finals_are_gathered_with_the_names_and_subjects_of_their_clips(tmp_path):
    results, opened = made_up_results(tmp_path / "r"), tiny_store(tmp_path / "a.arrow")
    final = results.finals().query("kind == 'final'").iloc[0]
    clips = np.array([3, 5, 8])
    told = Predictions(clips, opened.label[clips].astype(np.int64), np.array([0, 1, 2]))
    for key in (final["trial"], "searched", "broken"):
        (tmp_path / "trials" / key).mkdir(parents=True)
        curve = {"noise": [{"level": 0.0, "accuracy": 0.5}, {"level": 0.1, "accuracy": 0.25}]}
        kept.save(tmp_path / "trials" / key, Outcome({}, {"linear": told}, curve), opened)
    known = fold(
        [*events(final["trial"], "final"), *events("searched", "search"), *events("broken", "final", "failed")]
    )
    for _ in range(2):  # twice is as once
        predicted.collect(results, tmp_path / "trials", known)
        table = results.predictions()
        assert table["clip"].tolist() == opened.clip_name[clips].tolist()
        assert table["subject"].tolist() == opened.subject[clips].tolist()
        assert table["label"].tolist() == opened.label[clips].tolist()
        assert table["predicted"].tolist() == [0, 1, 2]
        assert set(table["trial"]) == {final["trial"]}
        assert set(table["method"]) == {final["method"]}
        assert set(table["seed"]) == {final["seed"]}
        assert results.curves() == {final["trial"]: curve}


def test_a_folder_of_an_older_version_has_an_empty_table(tmp_path):
    table = made_up_results(tmp_path / "r").predictions()
    assert len(table) == 0
    assert made_up_results(tmp_path / "other").curves() == {}
    assert {"trial", "protocol", "clip", "subject", "label", "predicted", "method", "seed"} <= set(table.columns)


def test_finals_without_predictions_leave_an_empty_table(tmp_path):
    results = made_up_results(tmp_path / "r")
    predicted.collect(results, tmp_path / "trials", fold(events("x", "final")))
    assert len(results.predictions()) == 0


def test_a_measurement_without_curves_leaves_none_of_the_one_before(tmp_path):
    opened = tiny_store(tmp_path / "a.arrow")
    kept.save(tmp_path, Outcome({}, {}, {"noise": [{"level": 0, "accuracy": 0.5}]}), opened)
    assert kept.curves(tmp_path)
    kept.save(tmp_path, Outcome({}), opened)
    assert kept.curves(tmp_path) == {}
