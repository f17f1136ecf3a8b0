"""A new MLflow database, what the tracking tests send there, and what they read back."""

import shutil
from pathlib import Path
from typing import Any

import made_up_sweep as made_up
import pytest
from mlflow import MlflowClient

from skelray.events import Event, fold
from skelray.sweep.tracking import check

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
