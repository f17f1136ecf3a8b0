"""Results folder: what went in comes out, and nothing half-written is believed."""

import json
import math
import subprocess
import sys
from pathlib import Path

import made_up_sweep as made_up
import pandas as pd
import pytest
from one_trial_events import BEGUN, over, point

from skelray.difference import difference, short
from skelray.errors import BadInput
from skelray.results import Results


def test_the_tables_say_what_the_events_said(tmp_path: Path) -> None:
    results = made_up.folder(tmp_path / "r")
    trials, finals, history = results.trials(), results.finals(), results.history()
    assert list(trials["trial"].head(3)) == ["amr-000", "mamp-000", "skeletonmae-000"]
    assert len(trials) == 18
    assert trials["state"].value_counts().to_dict() == {"complete": 12, "pruned": 3, "failed": 3}
    assert "test/linear" not in trials.columns
    assert set(finals["kind"]) == {"final", "floor"}
    pruned = trials.set_index("trial").loc["amr-002"]
    curve = history[(history["trial"] == "amr-002") & (history["metric"] == "val/linear")]
    assert (pruned["clips"], pruned["seconds"]) == (18000, 180)
    assert pruned["value"] == pruned["val/linear"] == curve["value"].iloc[-1]
    assert json.loads(pruned["config"])["method"]["name"] == "amr"
    failed = trials.set_index("trial").loc["amr-003"]
    assert math.isnan(failed["value"])
    assert "nan at step 912" in failed["reason"]
    assert failed["val/linear"] > 0.5  # what it last reported is kept


def test_a_metric_is_told_as_last_reported_though_others_came_later(tmp_path: Path) -> None:
    results = Results(tmp_path / "r")
    results.create(made_up.SWEEP, made_up.ENVIRONMENT)
    results.write([BEGUN, point(1000, val_linear=0.4, train_loss=2), point(2000, train_loss=1), over()], "val/linear")
    (row,) = results.trials().to_dict("records")
    assert (row["clips"], row["val/linear"], row["value"], row["train/loss"]) == (2000, 0.4, 0.4, 1)


def test_a_trial_that_has_not_ended_is_left_out(tmp_path: Path) -> None:
    results = made_up.folder(tmp_path / "r", [BEGUN, point(1000, val_linear=0.5)])
    assert len(results.trials()) == len(results.history()) == len(results.finals()) == 0


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    results = made_up.folder(tmp_path / "r")
    before = {path.name: path.read_bytes() for path in results.folder.iterdir()}
    results.create(made_up.SWEEP, made_up.ENVIRONMENT)
    results.write(made_up.events(), "val/linear")
    assert {path.name: path.read_bytes() for path in results.folder.iterdir()} == before


def test_events_come_back_from_the_tables(tmp_path: Path) -> None:
    results = made_up.folder(tmp_path / "r")
    again = Results(tmp_path / "again")
    again.create(made_up.SWEEP, made_up.ENVIRONMENT)
    again.write(results.events(), "val/linear")
    for table in ("trials", "finals", "history"):
        pd.testing.assert_frame_equal(getattr(again, table)(), getattr(results, table)())


def test_sweep_environment_and_best_come_back(tmp_path: Path) -> None:
    results = made_up.folder(tmp_path / "r")
    assert results.sweep() == made_up.SWEEP
    assert results.environment() == made_up.ENVIRONMENT
    assert results.best()["method"]["name"] == "amr"


def test_a_folder_of_another_sweep_is_refused_naming_what_differs(tmp_path: Path) -> None:
    results = made_up.folder(tmp_path / "r")
    other = made_up.SWEEP | {"budget": made_up.SWEEP["budget"] | {"trials": 7}}
    with pytest.raises(BadInput, match=r"another sweep: budget\.trials was 6 there and is 7 now"):
        results.create(other, made_up.ENVIRONMENT)
    assert results.sweep() == made_up.SWEEP


def test_changed_data_is_refused(tmp_path: Path) -> None:
    results = made_up.folder(tmp_path / "r")
    with pytest.raises(BadInput, match="fingerprint abc123 then, def456 now"):
        results.create(made_up.SWEEP, made_up.ENVIRONMENT | {"data": {"store": "nw-ucla", "fingerprint": "def456"}})


def test_a_folder_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("text")
    with pytest.raises(BadInput, match="something other than results"):
        Results(tmp_path).create(made_up.SWEEP, made_up.ENVIRONMENT)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_later_run_adds_to_the_environment_only_what_differs(tmp_path: Path) -> None:
    results = made_up.folder(tmp_path / "r")
    later = made_up.ENVIRONMENT | {"id": "other", "created": "later", "git": {"commit": "e" * 40, "dirty": True}}
    results.create(made_up.SWEEP, later)
    results.create(made_up.SWEEP, later)
    known = results.environment()
    assert known["id"] == made_up.ENVIRONMENT["id"]
    assert known["resumed"] == [{"created": "later", "git": {"commit": "e" * 40, "dirty": True}}]


def test_looking_whether_a_folder_is_ours_changes_nothing(tmp_path: Path) -> None:
    later = made_up.ENVIRONMENT | {"git": {"commit": "e" * 40, "dirty": True}}
    Results(tmp_path / "new").verify(made_up.SWEEP, later)
    assert not (tmp_path / "new").exists()
    results = made_up.folder(tmp_path / "r")
    results.verify(made_up.SWEEP, later)
    assert results.environment() == made_up.ENVIRONMENT
    with pytest.raises(BadInput, match="another sweep"):
        results.verify(made_up.SWEEP | {"seed": 1}, later)


@pytest.mark.parametrize("name", ["trials.parquet", "history.parquet", "finals.parquet", "environment.json"])
def test_a_truncated_file_is_named(tmp_path: Path, name: str) -> None:
    results = made_up.folder(tmp_path / "r")
    path = results.folder / name
    path.write_bytes(path.read_bytes()[:-40])
    read = {"environment.json": results.environment}.get(name, results.events)
    with pytest.raises(BadInput, match=name):
        read()


def test_a_missing_table_says_how_to_go_on(tmp_path: Path) -> None:
    results = Results(tmp_path / "r")
    results.create(made_up.SWEEP, made_up.ENVIRONMENT)
    with pytest.raises(BadInput, match=r"no trials\.parquet: the sweep was stopped before; the same command continues"):
        results.trials()


def test_a_foreign_folder_and_a_foreign_table_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a results folder"):
        Results(tmp_path / "nowhere").trials()
    results = made_up.folder(tmp_path / "r")
    pd.DataFrame({"animal": ["cat"]}).to_parquet(results.folder / "trials.parquet")
    with pytest.raises(BadInput, match="column 'trial' is missing"):
        results.trials()


def test_difference_finds_the_first_key() -> None:
    assert difference({"a": 1, "b": {"c": [1]}}, {"a": 1, "b": {"c": [1]}}) is None
    assert difference({"a": 1, "b": {"c": [1]}}, {"a": 1, "b": {"c": [2]}}) == ("b.c.0", 1, 2)
    assert difference({"b": [1]}, {"b": [1, 2]}) == ("b", [1], [1, 2])
    assert difference({}, {"new": 1}) == ("new", None, 1)


def test_a_whole_space_does_not_fill_the_screen() -> None:
    assert short([1, "a"]) == "[1, 'a']"
    assert len(short(list(range(1000)))) < 210


def test_results_and_reports_are_read_without_torch_ray_or_mlflow() -> None:
    code = "import skelray.report.figures, sys; print(sorted({'torch', 'ray', 'mlflow', 'optuna'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_price_that_is_known_better_now_is_no_other_sweep(tmp_path: Path) -> None:
    results = Results(tmp_path / "r")
    results.create(made_up.SWEEP, made_up.ENVIRONMENT)
    results.create({**made_up.SWEEP, "price": "an hour, as it was", "expected": "less"}, made_up.ENVIRONMENT)
    with pytest.raises(BadInput, match="another sweep: seed was"):
        results.create({**made_up.SWEEP, "seed": 99}, made_up.ENVIRONMENT)
