"""Events, journal and results folder: what went in comes out, and nothing half-written is believed."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import made_up_sweep as made_up
import pandas as pd
import pytest

from skelray import environment
from skelray.errors import BadInput
from skelray.events import Ended, Event, Journal, Reported, Started, fold
from skelray.results import Results, difference

BEGUN = Started(trial="amr-000", method="amr", seed=3, config={"method": {"name": "amr"}, "seed": 3}, time=100.5)


def point(clips: int, time: float = 101.0, **metrics: float) -> Reported:
    named = {name.replace("_", "/"): value for name, value in metrics.items()}
    return Reported(trial="amr-000", clips=clips, metrics=named, time=time)


def over(state: str = "complete", time: float = 110.0) -> Ended:
    return Ended.model_validate({"trial": "amr-000", "state": state, "time": time, "seconds": 9.5})


def test_a_journal_returns_what_was_appended_also_to_another_reader(tmp_path: Path) -> None:
    told: list[Event] = [BEGUN, point(1000, train_loss=math.inf), over()]
    journal = Journal(tmp_path / "runs" / "x" / "journal.jsonl")
    assert journal.read() == []
    for number, event in enumerate(told, start=1):
        journal.append(event)
        assert Journal(journal.path).read() == told[:number]


def test_an_event_is_on_the_disk_before_append_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    monkeypatch.setattr("skelray.events.os.fsync", lambda handle: sizes.append(os.fstat(handle).st_size))
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(BEGUN)
    assert sizes == [journal.path.stat().st_size]


def test_a_metric_that_is_not_a_number_survives_the_journal(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(BEGUN)
    journal.append(point(1000, train_loss=math.nan))
    (found,) = journal.read()[1:]
    assert isinstance(found, Reported)
    assert math.isnan(found.metrics["train/loss"])


@pytest.mark.parametrize("left", [1, 20, 60])
def test_a_torn_last_line_is_left_out_and_does_not_swallow_the_next(tmp_path: Path, left: int) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(BEGUN)
    whole = journal.path.read_bytes()
    journal.path.write_bytes(whole + point(1000, val_linear=0.5).model_dump_json().encode()[:left])
    assert journal.read() == [BEGUN]
    Journal(journal.path).append(over())
    assert journal.read() == [BEGUN, over()]


def test_a_bad_line_in_the_middle_is_named(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.append(BEGUN)
    journal.path.write_bytes(journal.path.read_bytes() + b'{"event": "exploded"}\n')
    journal.append(over())
    with pytest.raises(BadInput, match=r"journal\.jsonl:2: not an event"):
        journal.read()


def test_of_two_reports_at_the_same_clips_the_later_counts_and_a_resumed_trial_is_one() -> None:
    again = BEGUN.model_copy(update={"time": 200.0})
    told = [BEGUN, point(1000, val_linear=0.4), point(2000, val_linear=0.5), again, point(2000, 201.0, val_linear=0.6)]
    (trial,) = fold(told).values()
    assert trial.started.time == 100.5
    assert trial.ended is None
    assert (trial.clips, trial.last) == (2000, {"val/linear": 0.6})


def test_a_trial_started_after_its_end_is_open_again() -> None:
    assert fold([BEGUN, over("failed"), BEGUN])["amr-000"].ended is None


def test_an_event_of_a_trial_that_never_started_is_refused() -> None:
    with pytest.raises(BadInput, match="never started"):
        fold([over()])


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
    assert difference({"a": 1, "b": {"c": [1]}}, {"a": 1, "b": {"c": [2]}}) == ("b.c", [1], [2])
    assert difference({}, {"new": 1}) == ("new", None, 1)


def repository(folder: Path) -> Path:
    package = folder / "package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["add", "."], [*author, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-C", str(folder), *arguments], check=True)
    return package


def test_the_commit_is_dirty_when_code_differs_or_is_new_and_not_for_results(tmp_path: Path) -> None:
    package = repository(tmp_path)
    clean = environment.commit(package)
    assert clean["dirty"] is False
    assert len(clean["commit"]) == 40
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "x.yaml").write_text("a: 1")
    assert environment.commit(package) == clean
    (package / "methods.py").write_text("new = 1")
    assert environment.commit(package) == clean | {"dirty": True}


def test_an_untracked_package_inside_a_clone_has_no_commit(tmp_path: Path) -> None:
    repository(tmp_path)
    installed = tmp_path / ".venv" / "package"
    installed.mkdir(parents=True)
    (installed / "__init__.py").write_text("")
    assert environment.commit(installed) == {"commit": None, "dirty": None}


def test_the_environment_is_json_and_each_run_has_its_own_id() -> None:
    data = {"store": "synthetic", "fingerprint": "abc"}
    first, second = (environment.describe("python -m skelray.sweep x", data, gpus=["H200"]) for _ in range(2))
    assert json.loads(json.dumps(first)) == first
    assert first["id"] != second["id"]
    assert first["data"] == data
    assert first["hardware"]["gpus"] == ["H200"]
    assert first["packages"]["torch"].startswith("2.")


def test_results_and_reports_are_read_without_torch_ray_or_mlflow() -> None:
    code = "import skelray.report.figures, sys; print(sorted({'torch', 'ray', 'mlflow', 'optuna'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
