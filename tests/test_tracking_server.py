"""A real MLflow server killed in mid-sweep: every point once, and training never waits."""

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
from collections.abc import Iterator
from pathlib import Path

import made_up_sweep as made_up
import pytest
from mlflow import MlflowClient
from tracked_runs import TAGS, expected, runs, written
from tracked_runs import fresh as fresh

from skelray.events import Event
from skelray.sweep.tracking import Tracker, check


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
