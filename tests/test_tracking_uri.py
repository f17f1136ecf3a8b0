"""Where MLflow is to be: what is accepted, and what is refused before a sweep starts."""

import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mlflow import MlflowClient
from tracked_runs import fresh as fresh
from tracked_runs import uri as uri

from skelray.errors import BadInput
from skelray.sweep.tracking import check


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
