"""MLflow beside a sweep: every point once, whatever is killed."""

from pathlib import Path

import made_up_sweep as made_up
from mlflow import MlflowClient
from tracked_runs import TAGS, expected, runs, small, written
from tracked_runs import fresh as fresh
from tracked_runs import uri as uri
from typer.testing import CliRunner

from skelray.cli import track as command
from skelray.events import Reported, Started
from skelray.results import Results
from skelray.sweep import mlflow_runs, tracking
from skelray.sweep.tracking import Tracker


def test_one_parent_and_one_nested_child_a_trial_with_every_point(uri: str) -> None:
    told = small()
    tracker = Tracker(uri, "made-up", TAGS, made_up.SWEEP)
    for event in told:
        tracker.send(event)
    assert tracker.close("complete")
    parent = runs(uri, kind="sweep")["made-up"]
    assert parent.info.status == "FINISHED"
    assert "which of three methods" in parent.data.tags["mlflow.note.content"]
    assert written(uri) == expected(told)
    children = {name: run for name, run in runs(uri).items() if name != "made-up"}
    assert {run.data.tags["mlflow.parentRunId"] for run in children.values()} == {parent.info.run_id}
    ends = {name: (run.info.status, run.data.tags["skelray.state"]) for name, run in children.items()}
    assert ends["amr-000"] == ("FINISHED", "complete")
    assert ends["amr-002"] == ("KILLED", "pruned")
    assert ends["amr-003"] == ("FAILED", "failed")
    assert "nan at step 912" in children["amr-003"].data.tags["skelray.reason"]
    first = children["amr-000"]
    assert {first.data.tags[key] for key in ("skelray.sweep", "skelray.trial", "skelray.method")} == {
        "made-up",
        "amr-000",
        "amr",
    }
    assert first.info.start_time == round(made_up.BEGAN * 1000)
    assert first.info.end_time - first.info.start_time == 600_000


def test_params_are_flat_and_what_does_not_exist_is_not_among_them(uri: str) -> None:
    tracker = Tracker(uri, "made-up", TAGS, made_up.SWEEP)
    base = {"data": {"store": "nw-ucla"}, "train": {"clips": 60000, "epochs": None}, "optim": {"betas": [0.9, 0.95]}}
    for masking in ("uniform", "motion"):
        method = {"name": "amr", "masking": masking, "tau": 0.8, "windows": [4, 8, 12], "normalise": True}
        config = base | {"method": method, "seed": 5}
        tracker.send(Started(trial=masking, method="amr", seed=5, config=config, time=1.0))
    assert tracker.close("stopped")
    found = {name: run.data.params for name, run in runs(uri, kind="search").items()}
    assert found["uniform"] == {
        "data.store": "nw-ucla",
        "train.clips": "60000",
        "optim.betas": "0.9, 0.95",
        "method.name": "amr",
        "method.masking": "uniform",
        "method.windows": "4, 8, 12",
        "method.normalise": "true",
        "seed": "5",
    }
    assert found["motion"]["method.tau"] == "0.8"


def test_the_same_events_again_add_nothing(uri: str) -> None:
    told = small()
    for _ in range(2):
        tracker = Tracker(uri, "made-up", TAGS)
        for event in told:
            tracker.send(event)
        assert tracker.close("complete")
    assert written(uri) == expected(told)


def test_a_killed_sweep_is_taken_up_and_only_what_is_missing_is_added(uri: str) -> None:
    told = small()
    cut = (
        next(place for place, event in enumerate(told) if event.trial == "amr-001" and isinstance(event, Reported)) + 4
    )
    half = mlflow_runs.Runs(uri, "made-up", TAGS)  # a driver killed here leaves its runs as they are
    half.write(told[:cut])
    assert {name: run.info.status for name, run in runs(uri).items()} == {
        "made-up": "RUNNING",
        "amr-000": "FINISHED",
        "amr-001": "RUNNING",
    }
    before = runs(uri)["amr-001"].info.run_id
    tracker = Tracker(uri, "made-up", TAGS)
    later = [event.model_copy(update={"time": event.time + 5000}) for event in told[cut - 2 :]]  # resumed: repeats two
    again = next(event for event in told if event.trial == "amr-001").model_copy(update={"time": 1.8e9})
    for event in [*told[:cut], again, *later]:
        tracker.send(event)
    assert tracker.close("complete")
    after = runs(uri)
    assert after["amr-001"].info.run_id == before
    assert {run.info.status for run in after.values()} == {"FINISHED", "KILLED", "FAILED"}
    values = {name: {place: value for place, (value, _) in found.items()} for name, found in written(uri).items()}
    assert values == {name: {p: value for p, (value, _) in found.items()} for name, found in expected(told).items()}


def test_a_stopped_sweep_leaves_no_run_running_and_goes_on_later(uri: str) -> None:
    told = small()
    tracker = Tracker(uri, "made-up", TAGS)
    for event in told[:5]:
        tracker.send(event)
    assert tracker.close("stopped")
    assert {name: run.info.status for name, run in runs(uri).items()} == {"made-up": "KILLED", "amr-000": "KILLED"}
    assert runs(uri)["amr-000"].data.tags["skelray.state"] == "stopped"
    going = mlflow_runs.Runs(uri, "made-up", TAGS)
    going.write(told[:6])
    assert {name: run.info.status for name, run in runs(uri).items()} == {"made-up": "RUNNING", "amr-000": "RUNNING"}


def test_a_new_sweep_of_the_same_name_has_its_own_runs(uri: str) -> None:
    for identity in ("first", "second"):
        tracker = Tracker(uri, "made-up", TAGS | {"skelray.id": identity})
        tracker.send(small()[0])
        assert tracker.close("stopped")
    assert len(runs(uri, id="first")) == len(runs(uri, id="second")) == 2


def test_pictures_and_files_lie_with_the_parent(uri: str, tmp_path: Path) -> None:
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "one.png").write_bytes(b"png")
    (tmp_path / "best.yaml").write_text("seed: 0")
    tracker = Tracker(uri, "made-up", TAGS)
    tracker.artifact(tmp_path / "best.yaml")
    tracker.artifact(tmp_path / "figures", "figures")
    assert tracker.close("complete")
    client, parent = MlflowClient(tracking_uri=uri), runs(uri)["made-up"].info.run_id
    assert [file.path for file in client.list_artifacts(parent)] == ["best.yaml", "figures"]
    assert [file.path for file in client.list_artifacts(parent, "figures")] == ["figures/one.png"]


def test_track_writes_a_results_folder_once(uri: str, tmp_path: Path) -> None:
    told = small()
    results = made_up.folder(tmp_path / "results" / "made-up", told)
    for _ in range(2):
        done = CliRunner().invoke(command.app, [str(results.folder), "--tracking-uri", uri], catch_exceptions=False)
        assert done.exit_code == 0
    assert {name: set(found) for name, found in written(uri).items()} == {
        name: set(found) for name, found in expected(told).items()
    }
    parent = runs(uri, kind="sweep")["made-up"]
    assert parent.info.status == "FINISHED"
    assert {key: parent.data.tags[key] for key in TAGS} == TAGS
    assert [file.path for file in MlflowClient(tracking_uri=uri).list_artifacts(parent.info.run_id)] == ["best.yaml"]


def test_track_after_a_live_sweep_adds_nothing(uri: str, tmp_path: Path) -> None:
    told = small()
    results = made_up.folder(tmp_path / "made-up", told)
    tracker = Tracker(uri, "made-up", tracking.tags(results), results.sweep())
    for event in told:
        tracker.send(event)
    assert tracker.close("complete")
    before = written(uri)
    tracking.track(Results(results.folder), uri)
    assert written(uri) == before
