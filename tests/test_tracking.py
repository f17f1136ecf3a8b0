"""MLflow beside a sweep: every point once, whatever is killed, and training never waits."""

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import made_up_sweep as made_up
import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from typer.testing import CliRunner

from skelray.cli import track as command
from skelray.errors import BadInput
from skelray.events import Ended, Event, Reported, Started, fold
from skelray.results import Results
from skelray.sweep import mlflow_runs, tracking
from skelray.sweep.tracking import Tracker, check

TAGS = {"skelray.id": "0123456789ab", "skelray.data": "abc123", "skelray.commit": "f" * 40}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new MLflow database: seconds to make, so it is made once and copied."""
    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    check(f"sqlite:///{path}")
    return path


@pytest.fixture
def uri(fresh: Path, tmp_path: Path) -> str:
    shutil.copy(fresh, tmp_path / "mlflow.db")
    return check(f"sqlite:///{tmp_path}/mlflow.db")


def runs(uri: str, **tags: str) -> dict[str, Any]:
    """Runs by name, those that carry these skelray tags."""
    client = MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("skelray")
    if experiment is None:
        return {}
    wanted = " and ".join(f"tags.`skelray.{key}` = '{value}'" for key, value in tags.items())
    found = client.search_runs([experiment.experiment_id], wanted)
    assert len({run.info.run_name for run in found}) == len(found), "a run is doubled"
    return {run.info.run_name: run for run in found}


def points(uri: str, run: Any) -> dict[tuple[int, str], tuple[float, int]]:
    client = MlflowClient(tracking_uri=uri)
    found = [point for name in run.data.metrics for point in client.get_metric_history(run.info.run_id, name)]
    assert len({(point.step, point.key) for point in found}) == len(found), "a point is doubled"
    return {(point.step, point.key): (point.value, point.timestamp) for point in found}


def expected(told: list[Event]) -> dict[str, dict[tuple[int, str], tuple[float, int]]]:
    return {
        name: {place: (value, round(when * 1000)) for place, (value, when) in trial.points.items()}
        for name, trial in fold(told).items()
    }


def written(uri: str) -> dict[str, dict[tuple[int, str], tuple[float, int]]]:
    return {name: points(uri, run) for name, run in runs(uri).items() if run.data.tags["skelray.kind"] != "sweep"}


def small() -> list[Event]:
    return made_up.events(("amr",), trials=4, seeds=1)


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


class Unsteady:
    """Stands before the real writer and fails as long as it is told to."""

    def __init__(self, real: Any, failure: Callable[[Any], Exception | None]) -> None:
        self.real, self.failure = real, failure

    def write(self, events: list[Event]) -> None:
        if error := self.failure(events):
            raise error
        self.real.write(events)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def unsteady(tracker: Tracker, failure: Callable[[Any], Exception | None]) -> None:
    make = tracker._make
    tracker._make = lambda: Unsteady(make(), failure)  # type: ignore[assignment,return-value]


def test_an_outage_loses_nothing(uri: str, caplog: pytest.LogCaptureFixture) -> None:
    told, away, tried = small(), threading.Event(), threading.Event()
    away.set()

    def failure(_: Any) -> Exception | None:
        tried.set()
        return MlflowException("no answer") if away.is_set() else None

    with caplog.at_level(logging.WARNING, logger="skelray.tracking"):
        tracker = Tracker(uri, "made-up", TAGS, retry=0.02)
        unsteady(tracker, failure)
        for event in told:
            tracker.send(event)
        assert tried.wait(30)
        away.clear()
        assert tracker.close("complete")
    assert written(uri) == expected(told)
    assert [record.getMessage().rpartition("mlflow.db ")[2] for record in caplog.records] == [
        "does not answer; all is kept until it does",
        "is back",
    ]


def test_a_refused_entry_costs_itself_alone(uri: str, caplog: pytest.LogCaptureFixture) -> None:
    told = small()
    bad = next(event for event in told if isinstance(event, Reported) and event.clips == 12000)

    def failure(events: Any) -> Exception | None:
        refused = bad in events
        return MlflowException("a bad metric", error_code=INVALID_PARAMETER_VALUE) if refused else None

    with caplog.at_level(logging.WARNING, logger="skelray.tracking"):
        tracker = Tracker(uri, "made-up", TAGS)
        unsteady(tracker, failure)
        for event in told:
            tracker.send(event)
        assert tracker.close("complete")
    assert written(uri) == expected([event for event in told if event is not bad])
    assert sum("a bad metric" in record.getMessage() for record in caplog.records) == 1


def test_a_server_that_stays_away_does_not_hold_the_end_up(uri: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="skelray.tracking"):
        tracker = Tracker(uri, "made-up", TAGS, retry=60.0)
        unsteady(tracker, lambda events: MlflowException("no answer"))
        tracker.send(small()[0])
        began = time.monotonic()
        assert not tracker.close("complete", timeout=0.2)
        assert time.monotonic() - began < 20
    assert "`skelray track` writes them later" in caplog.text
    tracker.send(small()[0])  # after the end: nothing happens
    assert tracker._thread is not None
    tracker._thread.join(30)
    assert not tracker._thread.is_alive()


def test_none_tracks_nothing_and_imports_no_mlflow() -> None:
    code = (
        "import sys; from skelray.sweep.tracking import Tracker, check; t = Tracker(check('none'), 'x', {});"
        "t.artifact('nowhere'); assert t.close('complete'); print('mlflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_new_database_is_named_by_its_whole_path(
    fresh: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(fresh, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    assert check("sqlite:///mlflow.db") == f"sqlite:///{tmp_path}/mlflow.db"


def test_a_uri_where_no_mlflow_is_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database, and long enough to have a header of its own" * 40)
    subprocess.run([sys.executable, "-c", "import sqlite3; d = sqlite3.connect('other.db'); d.execute('CREATE TABLE a (b)')"], cwd=tmp_path, check=True)  # fmt: skip # noqa: E501
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # taken, so that nobody else listens there; not listening
        for uri, why in (
            (f"http://127.0.0.1:{silent.getsockname()[1]}", "no MLflow answers there"),
            ("http://[", "no MLflow answers there"),
            ("mlruns", "neither sqlite:///FILE, http://HOST:PORT, nor none"),
            (f"file:{tmp_path}", "neither sqlite:///FILE"),
            (f"sqlite:///{tmp_path}/no/mlflow.db", "there is no folder"),
            (f"sqlite:///{tmp_path}/text.db", "not a database that can be written"),
            (f"sqlite:///{tmp_path}/other.db", "a database, but not MLflow's"),
        ):
            began = time.monotonic()
            with pytest.raises(BadInput, match=why):
                check(uri)
            assert time.monotonic() - began < 20
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.db", "text.db"]


def test_a_deleted_experiment_is_told_with_the_command_that_restores_it(uri: str) -> None:
    client = MlflowClient(tracking_uri=uri)
    client.delete_experiment(client.create_experiment("skelray"))
    with pytest.raises(BadInput, match="mlflow experiments restore --experiment-id"):
        check(uri)


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


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Server:
    """A real `mlflow server` on this machine."""

    def __init__(self, database: Path, port: int) -> None:
        self.uri = f"http://127.0.0.1:{port}"
        self._command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
        self._command += ["--workers", "1", "--backend-store-uri", f"sqlite:///{database}"]
        self._command += ["--artifacts-destination", str(database.parent / "artifacts")]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        self._process = subprocess.Popen(
            self._command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 120
        while time.monotonic() < end:
            try:
                with urllib.request.urlopen(f"{self.uri}/health", timeout=1):
                    return
            except (urllib.error.URLError, OSError):
                assert self._process.poll() is None, "the MLflow server did not start"
                threading.Event().wait(0.2)
        raise TimeoutError("the MLflow server does not answer")

    def kill(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None


@pytest.fixture
def server(fresh: Path, tmp_path: Path) -> Iterator[Server]:
    shutil.copy(fresh, tmp_path / "mlflow.db")
    made = Server(tmp_path / "mlflow.db", free_port())
    made.start()
    yield made
    made.kill()


@pytest.mark.slow
def test_a_server_killed_and_started_again_has_every_point_and_nobody_waited(server: Server, tmp_path: Path) -> None:
    told = made_up.events(("amr", "mamp"), trials=3, seeds=1)
    best = tmp_path / "best.yaml"
    best.write_text("seed: 0")
    tracker = Tracker(check(server.uri), "made-up", TAGS, made_up.SWEEP, retry=0.2)
    third = len(told) // 3
    longest = 0.0

    def send(events: list[Event]) -> None:
        nonlocal longest
        for event in events:
            began = time.monotonic()
            tracker.send(event)
            longest = max(longest, time.monotonic() - began)

    send(told[:third])
    reached = threading.Event()
    tracker._put(lambda runs: reached.set())
    assert reached.wait(60)
    send(told[third : third + 5])
    server.kill()  # while these five are on their way
    send(told[third + 5 : 2 * third])
    tracker.artifact(best)
    server.start()
    send(told[2 * third :])
    assert tracker.close("complete", timeout=120.0)
    assert longest < 1.0
    assert written(server.uri) == expected(told)
    parent = runs(server.uri, kind="sweep")["made-up"]
    assert parent.info.status == "FINISHED"
    assert [file.path for file in MlflowClient(server.uri).list_artifacts(parent.info.run_id)] == ["best.yaml"]


def test_every_event_type_is_known_to_the_writer(uri: str) -> None:
    """A report whose trial never started is refused in words, and the sweep goes on."""
    tracker = Tracker(uri, "made-up", TAGS)
    tracker.send(Reported(trial="ghost", clips=1, metrics={"val/linear": 0.1}, time=1.0))
    tracker.send(Ended(trial="ghost", state="complete", time=2.0, seconds=1.0))
    tracker.send(small()[0])
    assert tracker.close("stopped")
    assert set(runs(uri)) == {"made-up", "amr-000"}
